//! One finding: what was found, by which rule, how surely, where.

use std::ops::Range;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::category::Category;
use crate::mail::{Place, Sensitive};

/// How sure a finding is; the policy counts from a confidence on.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// On record only, unless a rule asks for it.
    Low,
    /// Counts by default.
    Medium,
    /// As good as certain.
    High,
}

impl Confidence {
    /// The name in rules and reports.
    pub fn id(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A datum found in a text.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What it is about.
    pub category: Category,
    /// The id of the rule that found it.
    pub rule: Arc<str>,
    /// How sure we are.
    pub confidence: Confidence,
    /// Where it stands.
    pub place: Place,
    /// The octets of the text's view.
    pub span: Range<usize>,
    /// The words themselves.
    pub evidence: Sensitive<String>,
}

impl Finding {
    /// The finding without one character of the original: category and number of words or, where
    /// it is a number, of digits: `[pupil name, 2 words]`, `[Unique Pupil Number, 12 digits]`.
    pub fn masked(&self) -> String {
        let evidence = self.evidence.expose();
        let digits = evidence.chars().filter(char::is_ascii_digit).count();
        let size = if digits > 0 {
            format!("{digits} {}", if digits == 1 { "digit" } else { "digits" })
        } else {
            let words = evidence.split_whitespace().count();
            format!("{words} {}", if words == 1 { "word" } else { "words" })
        };
        format!("[{}, {size}]", self.category.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_finding_has_no_character_of_the_original() {
        let mut finding = Finding {
            category: Category::PupilName,
            rule: "pupil-name".into(),
            confidence: Confidence::High,
            place: Place::Subject,
            span: 0..9,
            evidence: Sensitive::new("Tom Brown".to_owned()),
        };
        assert_eq!(finding.masked(), "[pupil name, 2 words]");
        finding.category = Category::Upn;
        finding.evidence = Sensitive::new("B801200005001".to_owned());
        assert_eq!(finding.masked(), "[Unique Pupil Number, 12 digits]");
    }
}
