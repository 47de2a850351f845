//! A whole set of rules, loaded from YAML texts; immutable, swapped whole.

use std::collections::HashSet;
use std::sync::Arc;

use super::decide::{self, Decider};
use super::errors::RuleErrors;
use super::examples;
use super::facts::Facts;
use super::load::{Compiler, read};
use super::schema::{RuleFile, State};
use super::verdict::{Mode, Verdict};
use crate::detect::Rule;

/// The rules that the gateway brings along: name and text of each file.
const SHIPPED: &[(&str, &str)] = &[
    ("health.yaml", include_str!("../../rules/health.yaml")),
    ("policy.yaml", include_str!("../../rules/policy.yaml")),
    ("pupil_name.yaml", include_str!("../../rules/pupil_name.yaml")),
    ("upn.yaml", include_str!("../../rules/upn.yaml")),
];

/// Rules that find and rules that decide, checked as one and proven by their examples.
#[derive(Debug, Clone)]
pub struct Ruleset {
    finders: Vec<Rule>,
    shadow: HashSet<Arc<str>>,
    deciders: Vec<Decider>,
}

impl Ruleset {
    /// The rules that the gateway brings along.
    ///
    /// # Errors
    /// As [`Ruleset::load`]; the shipped files are tested not to have any.
    pub fn shipped() -> Result<Self, RuleErrors> {
        Self::load(&Self::shipped_files())
    }

    /// The shipped files as [`Ruleset::load`] wants them, to copy into a folder of one's own.
    pub fn shipped_files() -> Vec<(String, String)> {
        SHIPPED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    /// Reads, compiles and tests a set: pairs of file name and text. Files ending in `.yaml` hold
    /// rules, others are lists of terms that rules name by `terms_file`.
    ///
    /// # Errors
    /// [`RuleErrors`] with every mistake; a set with one is not loaded at all.
    pub fn load(files: &[(String, String)]) -> Result<Self, RuleErrors> {
        let (sources, mut errors) = read(files);
        let mut compiler = Compiler::new(&sources, files);
        compiler.check_ids();
        let finders = compiler.finders();
        let deciders = compiler.deciders();
        errors.append(&mut compiler.errors);
        // Examples of a set that does not hold together would only tell the same mistake again.
        if errors.is_empty() {
            errors.extend(examples::run_texts(&sources, &finders));
            errors.extend(examples::run_situations(&deciders));
        }
        if !errors.is_empty() {
            return Err(RuleErrors(errors));
        }
        let in_shadow = finders.iter().filter(|(_, rule, _)| rule.state == State::Shadow);
        Ok(Self {
            shadow: in_shadow.map(|(.., rule)| rule.id.clone()).collect(),
            finders: finders
                .into_iter()
                .filter(|(_, rule, _)| rule.state != State::Off)
                .map(|(.., rule)| rule)
                .collect(),
            deciders: deciders.into_iter().map(|(.., decider)| decider).collect(),
        })
    }

    /// What to look for, for [`crate::detect::Detectors::new`].
    pub fn finders(&self) -> &[Rule] {
        &self.finders
    }

    /// The verdict on one message.
    pub fn decide(&self, facts: &Facts<'_>, mode: Mode) -> Verdict {
        decide::decide(&self.deciders, &self.shadow, facts, mode)
    }

    /// The JSON Schema of a rule file, for editors.
    pub fn json_schema() -> schemars::Schema {
        schemars::schema_for!(RuleFile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Category;
    use crate::detect::Confidence;
    use crate::detect::Finding;
    use crate::mail::Address;
    use crate::mail::Attachment;
    use crate::mail::Audience;
    use crate::mail::Place;
    use crate::mail::Protection;
    use crate::mail::Sensitive;
    use crate::policy::verdict::{Action, Approver, Outcome, Reason};

    fn shipped() -> Ruleset {
        Ruleset::shipped().unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn finding(category: Category, rule: &str) -> Finding {
        Finding {
            category,
            rule: rule.into(),
            confidence: Confidence::High,
            place: Place::BodyText,
            span: 0..0,
            evidence: Sensitive::default(),
        }
    }

    fn facts<'a>(to: &'a [(Address, Audience)], findings: &'a [Finding]) -> Facts<'a> {
        Facts {
            sender: None,
            recipients: to,
            visible_outside: 0,
            visible_untrusted: 0,
            calendar_attendees_outside: 0,
            findings,
            attachments: &[],
            defects: &[],
        }
    }

    fn outside() -> [(Address, Audience); 1] {
        [(Address::parse("a@mail.example").unwrap(), Audience::External)]
    }

    fn rules(reasons: &[Reason]) -> Vec<&str> {
        reasons.iter().map(|reason| &*reason.rule).collect()
    }

    #[test]
    fn the_shipped_rules_load_and_prove_themselves() {
        assert_eq!(shipped().finders().len(), 4);
    }

    #[test]
    fn inside_the_school_mail_is_delivered_with_the_disclaimer() {
        let own = [(Address::parse("a@school.example").unwrap(), Audience::Own)];
        let findings = [finding(Category::Health, "health-of-person")];
        let verdict = shipped().decide(&facts(&own, &findings), Mode::Enforce);
        assert_eq!(verdict.outcome, Outcome::Deliver);
        assert_eq!(verdict.actions, [Action::AppendDisclaimer]);
        assert_eq!(rules(&verdict.reasons), ["disclaimer"]);
        assert!(verdict.would_hold.is_empty());
    }

    #[test]
    fn personal_data_outside_is_held_for_the_head_and_says_what_and_where() {
        let findings = [
            finding(Category::PupilName, "pupil-name"),
            finding(Category::Health, "health-of-person"),
            finding(Category::PupilName, "pupil-name"),
        ];
        let verdict = shipped().decide(&facts(&outside(), &findings), Mode::Enforce);
        assert_eq!((verdict.outcome, verdict.approver()), (Outcome::Hold, Approver::Head));
        assert_eq!(rules(&verdict.reasons), ["data-outside", "disclaimer"]);
        let text = &verdict.reasons[0].text;
        assert!(text.contains("holds pupil name and health in the text of the message"), "{text}");
    }

    #[test]
    fn monitor_relaxes_personal_data_but_not_blocked_types() {
        let to = outside();
        let findings = [finding(Category::Upn, "upn")];
        let attachments = [Attachment {
            path: Sensitive::new("setup.exe".to_owned()),
            media_type: String::new(),
            protection: Protection::Unknown,
            evidence: String::new(),
        }];
        let mut facts = facts(&to, &findings);
        facts.visible_outside = 11;
        facts.visible_untrusted = 11;
        let verdict = shipped().decide(&facts, Mode::Monitor);
        assert_eq!(verdict.outcome, Outcome::Deliver);
        assert_eq!(verdict.actions, [Action::ForceBcc, Action::AppendDisclaimer]);
        assert_eq!(rules(&verdict.would_hold), ["data-outside", "bulk-sensitive"]);
        facts.attachments = &attachments;
        let verdict = shipped().decide(&facts, Mode::Monitor);
        assert_eq!((verdict.outcome, verdict.approver()), (Outcome::Hold, Approver::Admin));
        assert_eq!(rules(&verdict.reasons), ["blocked-type", "bulk-bcc", "disclaimer"]);
        // With a child's data beside it, the admin may not decide alone.
        let verdict = shipped().decide(&facts, Mode::Enforce);
        assert_eq!(verdict.approver(), Approver::Head);
    }

    /// A school's own words may count alone, be refused, or stay in shadow.
    #[test]
    fn a_set_of_ones_own_counts_rejects_and_shadows() {
        let rules_file = |state: &str| {
            format!(
                "find:\n  - id: own-words\n    title: Our words\n    clause: P16\n    state: {state}\n    category: conduct\n    terms_file: words.txt\n    examples: {{ match: [a bad word] }}\ndecide:\n  - id: refuse\n    title: Refuse\n    clause: P12\n    when: {{ findings: {{ rules: [own-words] }} }}\n    then: {{ outcome: reject, text: No. }}\n    examples: {{ match: [{{ findings: [conduct], by: own-words }}] }}\n"
            )
        };
        let words = ("words.txt".to_owned(), "# ours\nbad word  # always\n\n".to_owned());
        let load = |state| {
            Ruleset::load(&[("own.yaml".to_owned(), rules_file(state)), words.clone()]).unwrap()
        };
        let (to, findings) = (outside(), [finding(Category::Conduct, "own-words")]);
        let verdict = load("on").decide(&facts(&to, &findings), Mode::Monitor);
        assert_eq!((verdict.outcome, rules(&verdict.reasons)), (Outcome::Reject, vec!["refuse"]));
        let verdict = load("shadow").decide(&facts(&to, &findings), Mode::Enforce);
        assert_eq!(verdict.outcome, Outcome::Deliver);
        assert_eq!(rules(&verdict.would_hold), ["refuse"]);
        assert!(load("off").finders().is_empty());
    }

    #[test]
    fn every_mistake_is_told_with_its_place_and_a_remedy() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rules-bad");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "yaml") {
                continue;
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let errors = Ruleset::load(&[(name.clone(), text)]).unwrap_err();
            let golden = path.with_extension("txt");
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                #[expect(clippy::disallowed_methods, reason = "a golden file is no mail")]
                std::fs::write(&golden, format!("{errors}\n")).unwrap();
            }
            let expected = std::fs::read_to_string(&golden).unwrap_or_default();
            assert_eq!(format!("{errors}\n"), expected, "{name}");
            seen += 1;
        }
        assert!(seen >= 10, "{seen} files in fixtures/rules-bad");
    }

    #[test]
    fn the_schema_describes_every_field() {
        let schema = serde_json::to_string(&Ruleset::json_schema()).unwrap();
        for field in ["terms_file", "capitals", "visible_outside_over", "monitor", "approver"] {
            assert!(schema.contains(&format!("\"{field}\"")), "{field}");
        }
    }
}
