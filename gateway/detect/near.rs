//! Findings of one rule that become findings of another because a person stands near.
//!
//! "Asthma" alone says nothing about anybody; "Tom Brown … asthma" does. A person in the subject
//! line or in the name of an attachment is near to every word of the message: that is what a
//! subject is.

use std::ops::Range;

use super::finding::Confidence;
use super::fold::Folded;
use super::hits::Hit;
use super::rule::{Find, Near, Rule};
use crate::mail::{Place, Text};

/// Gives the hits near a person to the rule that asks for them.
pub(super) fn apply(rules: &[Rule], texts: &mut [(&Text, Folded, Vec<Hit>)]) {
    for (number, rule) in rules.iter().enumerate() {
        if let Find::Near(near) = &rule.find {
            apply_one(rules, number, near, texts);
        }
    }
}

fn apply_one(rules: &[Rule], number: usize, near: &Near, texts: &mut [(&Text, Folded, Vec<Hit>)]) {
    let Some(of) = rules.iter().position(|rule| rule.id == near.of) else { return };
    let is_person = |hit: &Hit| {
        let category = rules.get(hit.rule).map(|rule| rule.category);
        hit.confidence >= Confidence::Medium && category.is_some_and(|c| near.person.contains(&c))
    };
    let titled =
        texts.iter().any(|(text, _, hits)| is_title(&text.place) && hits.iter().any(is_person));
    for (_, _, hits) in texts {
        let persons = Spans::new(hits.iter().filter(|hit| is_person(hit)).map(|hit| &hit.span));
        for hit in hits.iter_mut().filter(|hit| hit.rule == of) {
            if titled || persons.near(&hit.span, near.within) {
                hit.rule = number;
                hit.confidence = near.confidence;
            }
        }
    }
}

fn is_title(place: &Place) -> bool {
    matches!(place, Place::Subject | Place::AttachmentName(_))
}

/// Spans sorted by start, each with the furthest end up to it.
struct Spans(Vec<(usize, usize)>);

impl Spans {
    fn new<'a>(spans: impl Iterator<Item = &'a Range<usize>>) -> Self {
        let mut furthest = 0;
        let widen = |span: &Range<usize>| {
            furthest = span.end.max(furthest);
            (span.start, furthest)
        };
        Self(spans.map(widen).collect())
    }

    fn near(&self, span: &Range<usize>, within: usize) -> bool {
        let next = self.0.partition_point(|&(start, _)| start < span.start);
        let after = self.0.get(next).is_some_and(|&(start, _)| start <= span.end + within);
        let before = next.checked_sub(1).and_then(|index| self.0.get(index));
        after || before.is_some_and(|&(_, end)| end + within >= span.start)
    }
}
