//! From YAML texts to rules: read, checked as a whole, and compiled; every mistake is told with
//! its line. The examples are run by `examples`.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use serde_saphyr::{Location, Spanned};

use super::decide::Decider;
use super::errors::RuleError;
use super::schema::{DecideRule, Detector, FindRule, RuleFile};
use crate::detect::Confidence;
use crate::detect::Find;
use crate::detect::Near;
use crate::detect::Rule;
use crate::detect::Terms;
use crate::detect::term_forms;

/// The highest number of a clause in the school policies.
const LAST_CLAUSE: u32 = 30;

/// One file, read.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
    pub(super) file: RuleFile,
}

impl Source<'_> {
    pub(super) fn error(&self, place: Location, what: String, remedy: &str) -> RuleError {
        RuleError::at(self.name, self.text, place, what, remedy)
    }
}

/// Reads every `.yaml` file; what can't be read is an error.
pub(super) fn read(files: &[(String, String)]) -> (Vec<Source<'_>>, Vec<RuleError>) {
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    for (name, text) in files.iter().filter(|(name, _)| is_rules(name)) {
        let options = serde_saphyr::options! {
            strict_booleans: true,
            duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
            with_snippet: false,
        };
        match serde_saphyr::from_str_with_options::<RuleFile>(text, options) {
            Ok(file) => sources.push(Source { name, text, file }),
            Err(error) => errors.push(RuleError::of_yaml(name, text, &error)),
        }
    }
    sources.sort_by_key(|source| source.name);
    (sources, errors)
}

fn is_rules(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

/// Checks the files as one set and compiles their rules.
pub(super) struct Compiler<'a> {
    sources: &'a [Source<'a>],
    term_files: HashMap<&'a str, &'a str>,
    by_terms: HashSet<&'a str>,
    finders: HashSet<&'a str>,
    pub(super) errors: Vec<RuleError>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(sources: &'a [Source<'a>], files: &'a [(String, String)]) -> Self {
        let term_files = files.iter().filter(|(name, _)| !is_rules(name));
        let rules = || sources.iter().flat_map(|source| &source.file.find);
        let by_terms = |rule: &&FindRule| rule.detector.is_none() && rule.near.is_none();
        Self {
            sources,
            term_files: term_files.map(|(name, text)| (name.as_str(), text.as_str())).collect(),
            by_terms: rules().filter(by_terms).map(|rule| rule.id.value.as_str()).collect(),
            finders: rules().map(|rule| rule.id.value.as_str()).collect(),
            errors: Vec::new(),
        }
    }

    /// The finding rules, in the order of the files, with what they were compiled from.
    pub(super) fn finders(&mut self) -> Vec<(&'a Source<'a>, &'a FindRule, Rule)> {
        let mut rules = Vec::new();
        for source in self.sources {
            for rule in &source.file.find {
                self.check_clause(source, &rule.clause);
                if let Some(find) = self.find(source, rule) {
                    let id = Arc::from(rule.id.value.as_str());
                    rules.push((source, rule, Rule { id, category: rule.category, find }));
                }
            }
        }
        rules
    }

    /// The deciding rules, in the order of the files.
    pub(super) fn deciders(&mut self) -> Vec<(&'a Source<'a>, &'a DecideRule, Decider)> {
        let mut rules = Vec::new();
        for source in self.sources {
            for rule in &source.file.decide {
                self.check_clause(source, &rule.clause);
                let named = rule.when.findings.iter().flat_map(|findings| &findings.rules);
                for other in named.filter(|other| !self.finders.contains(other.value.as_str())) {
                    let what = format!("no rule that finds is called '{}'", other.value);
                    self.errors.push(source.error(
                        other.referenced,
                        what,
                        "write the id of a rule under `find:`",
                    ));
                }
                rules.push((source, rule, decider(rule)));
            }
        }
        rules
    }

    /// Ids are unique over the whole set and simple enough for a log and an address bar.
    pub(super) fn check_ids(&mut self) {
        let mut seen: HashMap<&str, (&str, u64)> = HashMap::new();
        for source in self.sources {
            let finders = source.file.find.iter().map(|rule| &rule.id);
            let deciders = source.file.decide.iter().map(|rule| &rule.id);
            for id in finders.chain(deciders) {
                let simple = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                if id.value.is_empty() || !id.value.chars().all(simple) {
                    let what = format!("'{}' is no id", id.value);
                    let remedy = "use small letters, digits and hyphens only";
                    self.errors.push(source.error(id.referenced, what, remedy));
                }
                match seen.get(id.value.as_str()) {
                    Some((file, line)) => {
                        let what =
                            format!("the id '{}' is already used in {file}, line {line}", id.value);
                        let remedy = "give one of the two rules another id";
                        self.errors.push(source.error(id.referenced, what, remedy));
                    }
                    None => {
                        seen.insert(&id.value, (source.name, id.referenced.line()));
                    }
                }
            }
        }
    }

    fn check_clause(&mut self, source: &Source<'_>, clause: &Spanned<String>) {
        let number = clause.value.strip_prefix('P').filter(|digits| digits.len() == 2);
        let number = number.and_then(|digits| digits.parse::<u32>().ok());
        if !number.is_some_and(|number| (1..=LAST_CLAUSE).contains(&number)) {
            let what = format!("there is no clause '{}'", clause.value);
            let remedy = "write P01 to P30, the clause of the school policy that the rule serves";
            self.errors.push(source.error(clause.referenced, what, remedy));
        }
    }

    fn find(&mut self, source: &Source<'_>, rule: &FindRule) -> Option<Find> {
        let has_terms = !rule.terms.is_empty()
            || !rule.capitals.is_empty()
            || !rule.harmless.is_empty()
            || rule.terms_file.is_some();
        let ways = [rule.detector.is_some(), has_terms, rule.near.is_some()];
        if ways.iter().filter(|way| **way).count() != 1 {
            let what =
                format!("the rule '{}' must say in exactly one way what it finds", rule.id.value);
            let remedy =
                "give it one of `detector`, `terms` (or `capitals`, `terms_file`) or `near`";
            self.errors.push(source.error(rule.id.referenced, what, remedy));
            return None;
        }
        if rule.detector.is_some() && rule.confidence.is_some() {
            let what = format!("the detector of '{}' tells itself how sure it is", rule.id.value);
            self.errors.push(source.error(rule.id.referenced, what, "remove `confidence`"));
        }
        let confidence = rule.confidence.unwrap_or(Confidence::Medium);
        match (&rule.detector, &rule.near) {
            (Some(Detector::Upn), _) => Some(Find::Upn),
            (Some(Detector::PupilFullName), _) => Some(Find::FullName),
            (None, Some(near)) => {
                if !self.by_terms.contains(near.of.value.as_str()) {
                    let what = format!("no rule by terms is called '{}'", near.of.value);
                    let remedy = "write the id of a rule that has `terms`";
                    self.errors.push(source.error(near.of.referenced, what, remedy));
                }
                Some(Find::Near(Near {
                    of: near.of.value.as_str().into(),
                    person: near.person.clone(),
                    within: near.within,
                    confidence,
                }))
            }
            (None, None) => Some(Find::Terms(self.terms(source, rule, confidence))),
        }
    }

    fn terms(&mut self, source: &Source<'_>, rule: &FindRule, confidence: Confidence) -> Terms {
        let mut words = self.checked(source, &rule.terms);
        let capitals = self.checked(source, &rule.capitals);
        let harmless = self.checked(source, &rule.harmless);
        if let Some(name) = &rule.terms_file {
            match self.term_files.get(name.value.as_str()) {
                Some(text) => words.extend(listed(text)),
                None => self.errors.push(source.error(
                    name.referenced,
                    format!("there is no file '{}'", name.value),
                    "put the file into the folder of the rules, or correct its name",
                )),
            }
        }
        let is_known = |name: &Spanned<String>| self.term_files.contains_key(name.value.as_str());
        let is_told = rule.terms_file.as_ref().is_some_and(|name| !is_known(name));
        if words.is_empty() && capitals.is_empty() && !is_told {
            let what = format!("the rule '{}' has no terms", rule.id.value);
            let remedy = "write at least one term under `terms`, `capitals` or in `terms_file`";
            self.errors.push(source.error(rule.id.referenced, what, remedy));
        }
        Terms { words, capitals, harmless, confidence }
    }

    fn checked(&mut self, source: &Source<'_>, terms: &[Spanned<String>]) -> Vec<String> {
        for term in terms {
            if term_forms(&term.value).is_empty() || term.value.trim_end_matches('*').contains('*')
            {
                let what = format!("'{}' is no term", term.value);
                let remedy = "a term has at least one letter or digit, and a * only at its end";
                self.errors.push(source.error(term.referenced, what, remedy));
            }
        }
        terms.iter().map(|term| term.value.clone()).collect()
    }
}

/// The terms of a list, one a line.
fn listed(text: &str) -> impl Iterator<Item = String> + '_ {
    let lines = text.trim_start_matches('\u{feff}').lines();
    let lines = lines.map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !term_forms(line).is_empty()).map(str::to_owned)
}

fn decider(rule: &DecideRule) -> Decider {
    let mut when = rule.when.clone();
    if let Some(attachments) = &mut when.attachments {
        for ending in &mut attachments.extensions {
            *ending = ending.trim_start_matches('.').to_lowercase();
        }
    }
    Decider {
        id: rule.id.value.as_str().into(),
        clause: rule.clause.value.clone(),
        state: rule.state,
        when,
        then: rule.then.clone(),
    }
}
