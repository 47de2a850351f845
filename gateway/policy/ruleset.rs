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
