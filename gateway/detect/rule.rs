//! What to look for, as data. Rules come out of the YAML files; this is what they mean.

use std::sync::Arc;

use super::category::Category;
use super::finding::Confidence;

/// One rule that finds.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its id, unique in the set.
    pub id: Arc<str>,
    /// What its findings are about.
    pub category: Category,
    /// What it looks for.
    pub find: Find,
}

/// The ways of finding.
#[derive(Debug, Clone)]
pub enum Find {
    /// A Unique Pupil Number; its own checks say how sure it is.
    Upn,
    /// The full name of a pupil on the roll; how it is written says how sure it is.
    FullName,
    /// Words and phrases.
    Terms(Terms),
    /// Findings of another rule that stand near a person.
    Near(Near),
}

/// Words and phrases, matched as whole words.
#[derive(Debug, Clone)]
pub struct Terms {
    /// In any case; a hyphen also stands for a blank or for nothing; a `*` at the end allows any
    /// ending.
    pub words: Vec<String>,
    /// In capitals only, for abbreviations that are ordinary words when small.
    pub capitals: Vec<String>,
    /// Phrases in which a word of the lists is harmless.
    pub harmless: Vec<String>,
    /// How sure a hit is.
    pub confidence: Confidence,
}

/// A rule of another rule's findings.
#[derive(Debug, Clone)]
pub struct Near {
    /// The id of the rule whose findings are taken over when a person is near.
    pub of: Arc<str>,
    /// Categories that stand for a person; a finding counts from `Medium` on.
    pub person: Vec<Category>,
    /// The most characters between the two.
    pub within: usize,
    /// How sure the result is.
    pub confidence: Confidence,
}
