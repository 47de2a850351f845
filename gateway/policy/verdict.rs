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

/// Why: one rule that spoke, in words a teacher can read and without personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The rule's id.
    pub rule: Arc<str>,
    /// The clause it serves, `P03`.
    pub clause: String,
    /// The sentence.
    pub text: String,
    /// What the rule alone would have done.
    pub outcome: Outcome,
}

/// The verdict: what becomes of the message, what is done to it, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Deliver, hold or reject.
    pub outcome: Outcome,
    /// In the order in which they are applied.
    pub actions: Vec<Action>,
    /// The rules that made the outcome or an action, strictest first.
    pub reasons: Vec<Reason>,
    /// Rules that would have held the message, but were relaxed by monitor mode or are in shadow.
    pub would_hold: Vec<Reason>,
}
