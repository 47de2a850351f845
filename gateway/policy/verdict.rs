//! The verdict on one message.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of a message; the strictest of all rules wins.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It leaves, with the verdict's actions.
    Deliver,
    /// Its external recipients wait for a person's decision.
    Hold,
    /// It is refused.
    Reject,
}

/// What is done to a message that leaves, beyond what every message gets (the stamp, the removal
/// of `Bcc:`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Visible external addresses go (P02).
    ForceBcc,
    /// The disclaimer is appended (P01).
    AppendDisclaimer,
}

impl Action {
    /// The name in rules and reports.
    pub fn id(self) -> &'static str {
        match self {
            Self::ForceBcc => "force_bcc",
            Self::AppendDisclaimer => "append_disclaimer",
        }
    }
}

/// Who should decide a hold. A message held for several gets the last of them in this order: a
/// technical reason must not let the admin decide over a child's data (P06).
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Approver {
    /// The administrator: blocked types.
    Admin,
    /// The headteacher or a named deputy.
    #[default]
    Head,
    /// The safeguarding lead.
    SafeguardingLead,
}

/// How strictly the policy is applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Holds hold.
    #[default]
    Enforce,
    /// For a school's first weeks: holds of rules with `monitor: relax` are recorded only.
    Monitor,
}

/// Why: one rule that spoke, in words a teacher can read and without personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The rule's id.
    pub rule: Arc<str>,
    /// The clause it serves, `P03`.
    pub clause: String,
    /// The sentence.
    pub text: String,
    /// What the sender can do instead, where the rule has an advice.
    pub advice: Option<String>,
    /// What the rule alone would have done.
    pub outcome: Outcome,
    /// Who should decide, where the outcome is a hold.
    pub approver: Approver,
}

/// The verdict: what becomes of the message, what is done to it, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Deliver, hold or reject.
    pub outcome: Outcome,
    /// What is done to each copy that leaves, now or after a release; in the order in which it is
    /// applied.
    pub actions: Vec<Action>,
    /// The rules that made the outcome or an action, strictest first.
    pub reasons: Vec<Reason>,
    /// Rules that would have held the message, but were relaxed by monitor mode or are in shadow.
    pub would_hold: Vec<Reason>,
}

impl Verdict {
    /// The reasons for the outcome itself: the holds of a hold, the refusals of a reject.
    pub fn decisive(&self) -> impl Iterator<Item = &Reason> {
        self.reasons.iter().filter(|reason| reason.outcome == self.outcome)
    }

    /// Who should decide, where the outcome is a hold.
    pub fn approver(&self) -> Approver {
        self.decisive().map(|reason| reason.approver).max().unwrap_or_default()
    }
}
