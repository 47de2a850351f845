//! Runs the examples that every rule brings along: a set whose examples fail is refused.

use serde_saphyr::Spanned;

use super::decide::{Decider, protection};
use super::errors::RuleError;
use super::facts::Facts;
use super::load::Source;
use super::schema::{DecideRule, FindRule, PlaceKind, ProtectionKind, Reader, Situation};
use crate::detect::Confidence;
use crate::detect::Detectors;
use crate::detect::Finding;
use crate::detect::Pupil;
use crate::detect::Roll;
use crate::detect::Rule;
use crate::mail::Address;
use crate::mail::Attachment;
use crate::mail::Audience;
use crate::mail::Defect;
use crate::mail::Place;
use crate::mail::Sensitive;
use crate::mail::Text;

const MUST_MATCH: &str = "change the rule so that it finds this, or remove the example";
const MUST_IGNORE: &str = "narrow the rule, add a `harmless` phrase, or remove the example";

/// Runs the texts of the finding rules, with the example pupils of all files as the roll.
pub(super) fn run_texts(
    sources: &[Source<'_>],
    rules: &[(&Source<'_>, &FindRule, Rule)],
) -> Vec<RuleError> {
    let specs: Vec<Rule> = rules.iter().map(|(.., rule)| rule.clone()).collect();
    let detectors = match Detectors::new(&specs, &example_roll(sources), &[]) {
        Ok(detectors) => detectors,
        Err(error) => return too_large(rules, &error.to_string()),
    };
    let mut errors = Vec::new();
    for (source, rule, spec) in rules {
        if rule.examples.matches.is_empty() {
            let what = format!("the rule '{}' has no example that it matches", rule.id.value);
            let remedy = "write at least one text under `examples: match:`";
            errors.push(source.error(rule.id.referenced, what, remedy));
        }
        let found = |text: &Spanned<String>| -> Vec<Finding> {
            let text = Text::new(Place::BodyText, text.value.clone(), Vec::new());
            detectors.scan(&[text])
        };
        for text in &rule.examples.matches {
            let all = found(text);
            if !all.iter().any(|finding| finding.rule == spec.id) {
                let what =
                    format!("'{}' does not match its example; {}", rule.id.value, listed(&all));
                errors.push(source.error(text.referenced, what, MUST_MATCH));
            }
        }
        for text in &rule.examples.ignores {
            let mut own = found(text);
            own.retain(|finding| finding.rule == spec.id);
            if !own.is_empty() {
                let what =
                    format!("'{}' must ignore this example; {}", rule.id.value, listed(&own));
                errors.push(source.error(text.referenced, what, MUST_IGNORE));
            }
        }
    }
    errors
}

/// Runs the situations of the deciding rules.
pub(super) fn run_situations(rules: &[(&Source<'_>, &DecideRule, Decider)]) -> Vec<RuleError> {
    let mut errors = Vec::new();
    for (source, rule, decider) in rules {
        if rule.examples.matches.is_empty() {
            let what = format!("the rule '{}' has no situation in which it speaks", rule.id.value);
            let remedy = "write at least one situation under `examples: match:`";
            errors.push(source.error(rule.id.referenced, what, remedy));
        }
        let mut check = |situation: &Spanned<Situation>, should: bool, what: &str| {
            if speaks(decider, &situation.value) != should {
                let what = format!("'{}' {what} in this situation", rule.id.value);
                let remedy = "correct the conditions under `when:`, or the situation";
                errors.push(source.error(situation.referenced, what, remedy));
            }
        };
        for situation in &rule.examples.matches {
            check(situation, true, "does not speak");
        }
        for situation in &rule.examples.ignores {
            check(situation, false, "must not speak");
        }
    }
    errors
}

fn too_large(rules: &[(&Source<'_>, &FindRule, Rule)], what: &str) -> Vec<RuleError> {
    let place = |(source, rule, _): &(&Source<'_>, &FindRule, Rule)| {
        source.error(rule.id.referenced, what.to_owned(), "split the list of terms, or shorten it")
    };
    rules.first().map(place).into_iter().collect()
}

fn example_roll(sources: &[Source<'_>]) -> Roll {
    let pupils = sources.iter().flat_map(|source| &source.file.example_pupils);
    let pupils = pupils.map(|pupil| Pupil {
        forename: pupil.forename.clone(),
        surname: pupil.surname.clone(),
        preferred_forename: pupil.preferred_forename.clone(),
        upn: pupil.upn.clone(),
        ..Pupil::default()
    });
    Roll::new(pupils.collect(), jiff::civil::Date::default())
}

/// Examples are invented, so what was found in them may be shown.
fn listed(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing was found in it".to_owned();
    }
    let one = |finding: &Finding| format!("'{}' by {}", finding.evidence.expose(), finding.rule);
    format!("found in it: {}", findings.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn speaks(decider: &Decider, situation: &Situation) -> bool {
    let recipients = recipients(&situation.to);
    let findings: Vec<Finding> = situation
        .findings
        .iter()
        .map(|&category| Finding {
            category,
            rule: situation.by.as_str().into(),
            confidence: situation.confidence.unwrap_or(Confidence::High),
            place: place(situation.place.unwrap_or(PlaceKind::Body)),
            span: 0..0,
            evidence: Sensitive::default(),
        })
        .collect();
    let attachments: Vec<Attachment> = situation
        .attachment
        .iter()
        .map(|name| Attachment {
            path: Sensitive::new(name.clone()),
            media_type: "application/octet-stream".to_owned(),
            protection: protection(situation.protection.unwrap_or(ProtectionKind::None)),
            evidence: String::new(),
        })
        .collect();
    let facts = Facts {
        sender: None,
        recipients: &recipients,
        visible_outside: situation.visible_outside,
        visible_untrusted: situation.visible_outside.saturating_sub(situation.visible_partners),
        calendar_attendees_outside: situation.calendar_attendees,
        findings: &findings,
        attachments: &attachments,
        defects: if situation.suspicious { &[Defect::Unparsable] } else { &[] },
    };
    decider.speaks(&facts, |_| true)
}

fn recipients(to: &[Reader]) -> Vec<(Address, Audience)> {
    let audiences = to.iter().map(|reader| match reader {
        Reader::Own => Audience::Own,
        Reader::Partner => Audience::Partner,
        Reader::External => Audience::External,
    });
    let audiences: Vec<Audience> =
        if to.is_empty() { vec![Audience::External] } else { audiences.collect() };
    let address = Address::parse("reader@mail.example");
    audiences.into_iter().filter_map(|a| Some((address.clone().ok()?, a))).collect()
}

fn place(kind: PlaceKind) -> Place {
    match kind {
        PlaceKind::Subject => Place::Subject,
        PlaceKind::Body => Place::BodyText,
        PlaceKind::Header => Place::Header("Comments".to_owned()),
        PlaceKind::Attachment => Place::Attachment("a.txt".to_owned()),
        PlaceKind::AttachmentName => Place::AttachmentName("a.txt".to_owned()),
    }
}
