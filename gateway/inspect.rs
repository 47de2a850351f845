//! One message inspected: texts out of its parts, findings in the texts, a verdict on the findings.
//!
//! This is the only place that knows the order. It is pure: the same message, rules, roll and
//! school give the same inspection. Rewriting, storing and answering are the caller's.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::detect::Finding;
use crate::detect::Roll;
use crate::extract::Extraction;
use crate::extract::TextSource;
use crate::mail;
use crate::mail::Address;
use crate::mail::Attachment;
use crate::mail::Audience;
use crate::mail::Defect;
use crate::mail::Envelope;
use crate::mail::Message;
use crate::policy::Facts;
use crate::policy::Mode;
use crate::policy::RuleErrors;
use crate::policy::Ruleset;
use crate::policy::School;
use crate::policy::Verdict;

/// Everything a judgement needs; immutable, so that a change of rules or roll makes a new one and
/// no message is judged half by each.
pub struct Inspector {
    rules: Arc<Ruleset>,
    school: Arc<School>,
    mode: Mode,
    source: Arc<dyn TextSource>,
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// What was seen in one message, and what shall become of it.
#[derive(Debug)]
pub struct Inspection {
    /// The envelope's recipients and how far outside they stand, in envelope order.
    pub audiences: Vec<(Address, Audience)>,
    /// Distinct addresses that the header shows to every reader, with how far outside they stand,
    /// sorted.
    pub visible: Vec<(Address, Audience)>,
    /// What was found, in the order of the texts.
    pub findings: Vec<Finding>,
    /// What is attached.
    pub attachments: Vec<Attachment>,
    /// What is ambiguous or broken, each kind once.
    pub defects: Vec<Defect>,
    /// What becomes of the message, and why.
    pub verdict: Verdict,
}

impl Inspector {
    /// Builds the one automaton over all rules and the roll.
    ///
    /// # Errors
    /// [`RuleErrors`] where rules and roll together are too large to build.
    pub fn new(
        rules: Arc<Ruleset>,
        roll: &Roll,
        school: Arc<School>,
        mode: Mode,
        source: Arc<dyn TextSource>,
    ) -> Result<Self, RuleErrors> {
        let _ = roll;
        Ok(Self { rules, school, mode, source })
    }

    /// Inspects one message.
    pub fn inspect(&self, envelope: &Envelope, message: &Message) -> Inspection {
        let Extraction { texts, attachments, defects, calendar_attendees } =
            self.source.texts(message);
        let _ = texts;
        let findings = Vec::new();
        let audiences = self.with_audience(envelope.recipients.iter().cloned());
        let visible =
            self.distinct(mail::visible_recipients(message).into_iter().map(|m| m.address));
        let attendees = self.distinct(calendar_attendees.into_iter());
        let mut all_defects = message.defects().to_vec();
        all_defects.extend(defects);
        all_defects.sort_unstable();
        all_defects.dedup();
        let facts = Facts {
            sender: envelope.reverse_path.as_ref(),
            recipients: &audiences,
            visible_outside: count(&visible, |audience| audience != Audience::Own),
            visible_untrusted: count(&visible, |audience| audience == Audience::External),
            calendar_attendees_outside: count(&attendees, |audience| audience != Audience::Own),
            findings: &findings,
            attachments: &attachments,
            defects: &all_defects,
        };
        let verdict = self.rules.decide(&facts, self.mode);
        Inspection { audiences, visible, findings, attachments, defects: all_defects, verdict }
    }

    fn with_audience(&self, addresses: impl Iterator<Item = Address>) -> Vec<(Address, Audience)> {
        addresses
            .map(|address| {
                let audience = self.school.audience_of(&address);
                (address, audience)
            })
            .collect()
    }

    /// Each mailbox once, however it is spelled.
    fn distinct(&self, addresses: impl Iterator<Item = Address>) -> Vec<(Address, Audience)> {
        let once: HashMap<String, Address> = addresses.map(|one| (one.folded(), one)).collect();
        let mut list = self.with_audience(once.into_values());
        list.sort_unstable_by_key(|(address, _)| address.folded());
        list
    }
}

fn count(addresses: &[(Address, Audience)], which: impl Fn(Audience) -> bool) -> usize {
    addresses.iter().filter(|(_, audience)| which(*audience)).count()
}
