//! Facts in, verdict out: every rule is asked, the strictest that speaks wins.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;

use super::facts::Facts;
use super::schema::{
    Monitor, PlaceKind, ProtectionKind, Recipients, State, Then, When, WhenAttachments,
    WhenFindings,
};
use super::verdict::{Mode, Outcome, Reason, Verdict};
use crate::detect::Confidence;
use crate::detect::Finding;
use crate::mail::Attachment;
use crate::mail::Audience;
use crate::mail::Place;
use crate::mail::Protection;

/// A rule that decides, checked and ready.
#[derive(Debug, Clone)]
pub(super) struct Decider {
    pub(super) id: Arc<str>,
    pub(super) clause: String,
    pub(super) state: State,
    pub(super) when: When,
    pub(super) then: Then,
}

/// The verdict of all rules. `shadow` are the ids of the finding rules in shadow: what they found
/// is on record and holds nothing.
pub(super) fn decide(
    rules: &[Decider],
    shadow: &HashSet<Arc<str>>,
    facts: &Facts<'_>,
    mode: Mode,
) -> Verdict {
    let mut outcome = Outcome::Deliver;
    let mut actions = BTreeSet::new();
    let (mut reasons, mut would_hold) = (Vec::new(), Vec::new());
    for rule in rules.iter().filter(|rule| rule.state != State::Off) {
        let live = rule.speaks(facts, |finding| !shadow.contains(&finding.rule));
        if live && rule.state == State::On {
            actions.extend(&rule.then.actions);
            if !rule.is_relaxed(mode) {
                outcome = outcome.max(rule.then.outcome);
                reasons.push(rule.reason(facts));
                continue;
            }
        }
        let speaks = live || rule.speaks(facts, |_| true);
        if speaks && rule.then.outcome > Outcome::Deliver {
            would_hold.push(rule.reason(facts));
        }
    }
    if outcome == Outcome::Reject {
        actions.clear();
    }
    // The sort is stable: rules of one outcome keep the order of the files.
    reasons.sort_by_key(|reason: &Reason| std::cmp::Reverse(reason.outcome));
    Verdict { outcome, actions: actions.into_iter().collect(), reasons, would_hold }
}

impl Decider {
    /// Whether every condition holds, for the findings that count.
    pub(super) fn speaks(&self, facts: &Facts<'_>, counts: impl Fn(&Finding) -> bool) -> bool {
        let when = &self.when;
        let over = |limit: Option<usize>, value: usize| limit.is_none_or(|limit| value > limit);
        when.recipients.is_none_or(|recipients| recipients_fit(recipients, facts))
            && when.findings.as_ref().is_none_or(|condition| {
                let found = condition.matching(facts.findings).filter(|f| counts(f)).count();
                found >= condition.at_least.unwrap_or(1)
            })
            && when.attachments.as_ref().is_none_or(|condition| {
                facts.attachments.iter().any(|attachment| condition.fits(attachment))
            })
            && (!when.suspicious || !facts.defects.is_empty())
            && over(when.visible_outside_over, facts.visible_outside)
            && over(when.visible_untrusted_over, facts.visible_untrusted)
            && over(when.calendar_attendees_over, facts.calendar_attendees_outside)
    }

    /// Monitor mode relaxes holds that protect personal data, never a refusal.
    fn is_relaxed(&self, mode: Mode) -> bool {
        mode == Mode::Monitor
            && self.then.outcome == Outcome::Hold
            && self.then.monitor == Monitor::Relax
    }

    fn reason(&self, facts: &Facts<'_>) -> Reason {
        let found: Vec<&Finding> = match &self.when.findings {
            Some(condition) => condition.matching(facts.findings).collect(),
            None => Vec::new(),
        };
        let what = in_words(found.iter().map(|finding| finding.category.words()));
        let places = in_words(found.iter().map(|finding| finding.place.kind()));
        Reason {
            rule: self.id.clone(),
            clause: self.clause.clone(),
            text: self.then.text.replace("{found}", &what).replace("{places}", &places),
            advice: self.then.advice.clone(),
            outcome: self.then.outcome,
            approver: self.then.approver,
        }
    }
}

impl WhenFindings {
    fn matching<'a>(&self, findings: &'a [Finding]) -> impl Iterator<Item = &'a Finding> {
        let least = self.confidence.unwrap_or(Confidence::Medium);
        findings.iter().filter(move |finding| {
            finding.confidence >= least
                && any_or(&self.categories, |category| *category == finding.category)
                && any_or(&self.rules, |rule| *rule.value == *finding.rule)
                && any_or(&self.places, |place| *place == kind_of(&finding.place))
        })
    }
}

impl WhenAttachments {
    fn fits(&self, attachment: &Attachment) -> bool {
        any_or(&self.protection, |kind| protection(*kind) == attachment.protection)
            && (self.extensions.is_empty() || {
                let ending = extension(attachment.path.expose());
                self.extensions.contains(&ending)
            })
    }
}

/// An empty list asks for nothing.
fn any_or<T>(list: &[T], fits: impl Fn(&T) -> bool) -> bool {
    list.is_empty() || list.iter().any(fits)
}

fn recipients_fit(recipients: Recipients, facts: &Facts<'_>) -> bool {
    match recipients {
        Recipients::Outside => facts.goes_outside(),
        Recipients::Untrusted => facts.recipients.iter().any(|(_, a)| *a == Audience::External),
        Recipients::OwnOnly => !facts.goes_outside(),
    }
}

fn kind_of(place: &Place) -> PlaceKind {
    match place {
        Place::Subject => PlaceKind::Subject,
        Place::BodyText | Place::BodyHtml => PlaceKind::Body,
        Place::Header(_) => PlaceKind::Header,
        Place::Attachment(_) => PlaceKind::Attachment,
        Place::AttachmentName(_) => PlaceKind::AttachmentName,
    }
}

/// The protection that a rule means.
pub(super) fn protection(kind: ProtectionKind) -> Protection {
    match kind {
        ProtectionKind::None => Protection::None,
        ProtectionKind::Strong => Protection::Strong,
        ProtectionKind::Weak => Protection::Weak,
        ProtectionKind::Partial => Protection::Partial,
        ProtectionKind::Unknown => Protection::Unknown,
    }
}

/// What follows the last dot of a file name, as Windows reads it: blanks and dots at the end do
/// not count, and characters that only change the look of the name (bidirectional overrides, zero
/// width) do not either.
fn extension(path: &str) -> String {
    let hidden = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let name: String = path.chars().filter(hidden).collect();
    let name = name.trim_end_matches([' ', '.']);
    name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).unwrap_or_default()
}

/// Each once, in the order of their first mention: "a, b and c".
fn in_words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut once: Vec<&str> = Vec::new();
    for word in words {
        if !once.contains(&word) {
            once.push(word);
        }
    }
    match once.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_is_what_windows_would_run() {
        for (path, ending) in [
            ("list.PDF", "pdf"),
            ("invoice.pdf.exe", "exe"),
            ("a.zip/tool.exe. ", "exe"),
            ("cod\u{202e}fdp.exe", "exe"),
            ("noending", ""),
        ] {
            assert_eq!(extension(path), ending, "{path}");
        }
    }

    #[test]
    fn lists_read_like_sentences() {
        assert_eq!(in_words(["a", "b", "a", "c"].into_iter()), "a, b and c");
        assert_eq!(in_words(["a"].into_iter()), "a");
        assert_eq!(in_words([].into_iter()), "");
    }
}
