//! All literals of all rules and the roll in one automaton; checks only where one of them hit.
//! The cost is linear in the text, and hardly grows with rules and names.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use thiserror::Error;

use super::finding::{Confidence, Finding};
use super::fold::{Folded, fold};
use super::names::NameBook;
use super::near;
use super::roll::Roll;
use super::rule::{Find, Rule, Terms};
use super::upn;
use crate::mail::{Sensitive, Text};

/// Up to this many octets of literals the automaton is a DFA: twice as fast as the compact form
/// that larger sets get, and some 100 octets of memory for each octet of a literal.
const DFA_OCTETS: usize = 150_000;
/// Octets around a number in which the word "UPN" supports it.
const UPN_WINDOW: usize = 48;
/// What says that a number is a UPN, folded.
const UPN_WORDS: &[&str] = &["upn", "pupil number", "pupil no"];

/// Rules and roll together are too large for one automaton.
#[derive(Debug, Error)]
#[error("rules and roll together are too large to search for")]
pub struct TooLarge(#[source] aho_corasick::BuildError);

/// What a literal stands for.
#[derive(Clone, Copy)]
enum Anchor {
    Upn { rule: usize },
    Surname { rule: usize, number: u32 },
    Term { rule: usize, open: bool },
    Capital { rule: usize },
    Harmless { rule: usize },
}

/// A hit that passed its checks, in octets of the folded text.
pub(super) struct Hit {
    pub(super) rule: usize,
    pub(super) span: Range<usize>,
    pub(super) confidence: Confidence,
}

/// Every detector, ready to scan; immutable, built once for a set of rules and a roll.
pub struct Detectors {
    rules: Vec<Rule>,
    names: NameBook,
    laestabs: Vec<String>,
    automaton: AhoCorasick,
    anchors: Vec<Vec<Anchor>>,
}

impl fmt::Debug for Detectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[detectors of {} rules, {} literals]", self.rules.len(), self.anchors.len())
    }
}

impl Detectors {
    /// Builds the automaton. `laestabs` are the school's own establishments, seven digits each.
    ///
    /// # Errors
    /// [`TooLarge`] beyond some hundred megabytes of literals.
    pub fn new(rules: &[Rule], roll: &Roll, laestabs: &[String]) -> Result<Self, TooLarge> {
        let names = NameBook::new(roll);
        let mut literals: BTreeMap<String, Vec<Anchor>> = BTreeMap::new();
        for (number, rule) in rules.iter().enumerate() {
            add_literals(&mut literals, number, rule, &names);
        }
        let octets: usize = literals.keys().map(String::len).sum();
        let kind = if octets <= DFA_OCTETS {
            AhoCorasickKind::DFA
        } else {
            AhoCorasickKind::ContiguousNFA
        };
        let automaton = AhoCorasick::builder()
            .kind(Some(kind))
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(literals.keys())
            .map_err(TooLarge)?;
        Ok(Self {
            rules: rules.to_vec(),
            names,
            laestabs: laestabs.to_vec(),
            automaton,
            anchors: literals.into_values().collect(),
        })
    }

    /// Octets of memory the automaton takes.
    pub fn memory(&self) -> usize {
        self.automaton.memory_usage()
    }

    /// Everything found in the texts, in their order and from left to right.
    pub fn scan(&self, texts: &[Text]) -> Vec<Finding> {
        let mut hits: Vec<(&Text, Folded, Vec<Hit>)> = Vec::with_capacity(texts.len());
        for text in texts {
            let folded = Folded::new(text.view());
            let found = self.scan_one(text.view(), &folded);
            hits.push((text, folded, found));
        }
        near::apply(&self.rules, &mut hits);
        let mut findings = Vec::new();
        for (text, folded, hits) in &hits {
            findings.extend(hits.iter().filter_map(|hit| self.finding(text, folded, hit)));
        }
        findings
    }

    fn scan_one(&self, view: &str, folded: &Folded) -> Vec<Hit> {
        let text = folded.text();
        let mut hits = Vec::new();
        let mut harmless = Vec::new();
        for found in self.automaton.find_overlapping_iter(text) {
            let span = found.start()..found.end();
            for &anchor in self.anchors.get(found.pattern().as_usize()).into_iter().flatten() {
                match anchor {
                    Anchor::Harmless { rule } if is_whole(text, &span, false) => {
                        harmless.push((rule, span.clone()));
                    }
                    _ => hits.extend(self.check(view, folded, anchor, span.clone())),
                }
            }
        }
        drop_harmless(&mut hits, harmless);
        keep_longest(&mut hits);
        hits
    }

    fn check(
        &self,
        view: &str,
        folded: &Folded,
        anchor: Anchor,
        span: Range<usize>,
    ) -> Option<Hit> {
        let text = folded.text();
        match anchor {
            Anchor::Upn { rule } => self.check_upn(text, rule, span.start),
            Anchor::Surname { rule, number } => {
                let name = self.names.around(text, span.clone(), number)?;
                let is_capital = |at| {
                    let origin = folded.in_view(view, &(at..at)).start;
                    view.get(origin..)
                        .and_then(|rest| rest.chars().next())
                        .is_some_and(char::is_uppercase)
                };
                let confidence = name.confidence(text, &span, is_capital)?;
                Some(Hit { rule, span: name.span, confidence })
            }
            Anchor::Term { rule, open } => is_whole(text, &span, open)
                .then(|| self.term_hit(rule, word_end(text, span, open)))?,
            Anchor::Capital { rule } => {
                let origin = view.get(folded.in_view(view, &span))?;
                let capital = !origin.chars().any(char::is_lowercase);
                (capital && is_whole(text, &span, false)).then(|| self.term_hit(rule, span))?
            }
            Anchor::Harmless { .. } => None,
        }
    }

    fn term_hit(&self, rule: usize, span: Range<usize>) -> Option<Hit> {
        match &self.rules.get(rule)?.find {
            Find::Terms(terms) => Some(Hit { rule, span, confidence: terms.confidence }),
            Find::Upn | Find::FullName | Find::Near(_) => None,
        }
    }

    fn check_upn(&self, text: &str, rule: usize, start: usize) -> Option<Hit> {
        let (number, octets) = upn::read(text.get(start..)?)?;
        let span = start..start + octets;
        if !is_whole(text, &span, false) {
            return None;
        }
        let own = self.laestabs.iter().any(|laestab| laestab == upn::laestab(&number));
        let supported = is_called_upn(text, &span);
        let confidence = match upn::authority_is_known(&number) {
            _ if own || self.names.has_upn(&number) => Confidence::High,
            true if supported => Confidence::High,
            true => Confidence::Medium,
            false if supported => Confidence::Medium,
            false => Confidence::Low,
        };
        Some(Hit { rule, span, confidence })
    }

    fn finding(&self, text: &Text, folded: &Folded, hit: &Hit) -> Option<Finding> {
        let rule = self.rules.get(hit.rule)?;
        let span = folded.in_view(text.view(), &hit.span);
        Some(Finding {
            category: rule.category,
            rule: rule.id.clone(),
            confidence: hit.confidence,
            place: text.place.clone(),
            evidence: Sensitive::new(text.view().get(span.clone())?.to_owned()),
            span,
        })
    }
}

fn add_literals(
    literals: &mut BTreeMap<String, Vec<Anchor>>,
    rule: usize,
    what: &Rule,
    names: &NameBook,
) {
    let mut add = |literal: String, anchor| literals.entry(literal).or_default().push(anchor);
    match &what.find {
        Find::Upn => upn::anchors().for_each(|literal| add(literal, Anchor::Upn { rule })),
        Find::FullName => names
            .anchors()
            .for_each(|(form, number)| add(form.to_owned(), Anchor::Surname { rule, number })),
        Find::Terms(Terms { words, capitals, harmless, .. }) => {
            for (literal, open) in words.iter().flat_map(|term| term_forms(term)) {
                add(literal, Anchor::Term { rule, open });
            }
            for (literal, _) in capitals.iter().flat_map(|term| term_forms(term)) {
                add(literal, Anchor::Capital { rule });
            }
            for (literal, _) in harmless.iter().flat_map(|term| term_forms(term)) {
                add(literal, Anchor::Harmless { rule });
            }
        }
        Find::Near(_) => {}
    }
}

/// The spellings of a term, and whether any ending may follow.
pub fn term_forms(term: &str) -> Vec<(String, bool)> {
    let open = term.ends_with('*');
    let folded = fold(term.trim_end_matches('*'));
    let mut forms = vec![folded.replace('-', " "), folded.replace('-', ""), folded];
    forms.sort_unstable();
    forms.dedup();
    forms.retain(|form| form.chars().any(char::is_alphanumeric));
    forms.into_iter().map(|form| (form, open)).collect()
}

fn is_whole(text: &str, span: &Range<usize>, open: bool) -> bool {
    let left = text.get(..span.start).and_then(|rest| rest.chars().next_back());
    let right = text.get(span.end..).and_then(|rest| rest.chars().next());
    let goes_on = |side: Option<char>| side.is_some_and(char::is_alphanumeric);
    !goes_on(left) && (open || !goes_on(right))
}

/// The span up to the end of the word, where the term allows any ending.
fn word_end(text: &str, span: Range<usize>, open: bool) -> Range<usize> {
    let rest = text.get(span.end..).filter(|_| open).unwrap_or_default();
    let more = rest.chars().take(32).take_while(|c| c.is_alphanumeric()).map(char::len_utf8);
    span.start..span.end + more.sum::<usize>()
}

fn is_called_upn(text: &str, span: &Range<usize>) -> bool {
    let from = text.floor_char_boundary(span.start.saturating_sub(UPN_WINDOW));
    let to = text.ceil_char_boundary(span.end + UPN_WINDOW);
    let around = text.get(from..to).unwrap_or_default();
    UPN_WORDS.iter().any(|word| around.contains(word))
}

/// Drops the hits that stand inside a harmless phrase of their own rule.
fn drop_harmless(hits: &mut Vec<Hit>, mut harmless: Vec<(usize, Range<usize>)>) {
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
fn keep_longest(hits: &mut Vec<Hit>) {
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
