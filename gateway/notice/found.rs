//! Findings as a notice may tell them: how many of which kind, and in what kind of place.

use crate::detect::{Category, Finding};

/// One line of a notice about what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// What kind of datum.
    pub category: Category,
    /// The kind of place, [`Place::kind`](crate::mail::Place::kind).
    pub place: &'static str,
    /// How many.
    pub count: usize,
}

impl Found {
    pub(super) fn words(&self) -> String {
        format!("{}: {} in {}", self.category.words(), self.count, self.place)
    }
}

/// The findings counted by category and kind of place, in the order of the categories.
pub fn found(findings: &[Finding]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for finding in findings {
        let (category, place) = (finding.category, finding.place.kind());
        match all.iter_mut().find(|one| one.category == category && one.place == place) {
            Some(one) => one.count += 1,
            None => all.push(Found { category, place, count: 1 }),
        }
    }
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Confidence;
    use crate::mail::{Place, Sensitive};

    #[test]
    fn counts_by_category_and_place_and_names_no_file() {
        let finding = |category, place| Finding {
            category,
            rule: "r".into(),
            confidence: Confidence::High,
            place,
            span: 0..1,
            evidence: Sensitive::new("Tom Brown".to_owned()),
        };
        let lines: Vec<String> = found(&[
            finding(Category::Health, Place::BodyText),
            finding(Category::PupilName, Place::AttachmentName("Tom Brown.pdf".to_owned())),
            finding(Category::Health, Place::BodyHtml),
        ])
        .iter()
        .map(Found::words)
        .collect();
        assert_eq!(
            lines,
            ["pupil name: 1 in the name of an attachment", "health: 2 in the text of the message"]
        );
    }
}
