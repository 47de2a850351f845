//! Hits in one text before they become findings, and which of them to drop.

use std::ops::Range;

use super::finding::Confidence;

/// A hit that passed its checks, in octets of the folded text.
pub(super) struct Hit {
    pub(super) rule: usize,
    pub(super) span: Range<usize>,
    pub(super) confidence: Confidence,
}

/// Drops the hits that stand inside a harmless phrase of their own rule.
pub(super) fn drop_harmless(hits: &mut Vec<Hit>, mut harmless: Vec<(usize, Range<usize>)>) {
    if harmless.is_empty() {
        return;
    }
    harmless.sort_unstable_by_key(|(rule, span)| (*rule, span.start));
    // For each place the furthest end so far, so that one look answers.
    let mut furthest: Vec<(usize, usize, usize)> = Vec::with_capacity(harmless.len());
    for (rule, span) in harmless {
        let before =
            furthest.last().filter(|(other, ..)| *other == rule).map_or(0, |(.., end)| *end);
        furthest.push((rule, span.start, span.end.max(before)));
    }
    hits.retain(|hit| {
        let next = furthest
            .partition_point(|&(rule, start, _)| (rule, start) <= (hit.rule, hit.span.start));
        let cover = next.checked_sub(1).and_then(|index| furthest.get(index));
        !cover.is_some_and(|&(rule, _, end)| rule == hit.rule && end >= hit.span.end)
    });
}

/// Sorts by place and drops what stands inside a longer hit of the same rule.
pub(super) fn keep_longest(hits: &mut Vec<Hit>) {
    hits.sort_by_key(|hit| (hit.rule, hit.span.start, std::cmp::Reverse(hit.span.end)));
    let mut last: Option<(usize, usize)> = None;
    hits.retain(|hit| {
        let inside = last.is_some_and(|(rule, end)| rule == hit.rule && hit.span.end <= end);
        if !inside {
            last = Some((hit.rule, hit.span.end));
        }
        !inside
    });
    hits.sort_by_key(|hit| (hit.span.start, hit.rule));
}
