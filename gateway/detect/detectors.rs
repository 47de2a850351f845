//! All literals of all rules and the roll in one automaton; checks only where one of them hit.
//! The cost is linear in the text, and hardly grows with rules and names.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use thiserror::Error;

use super::finding::{Confidence, Finding};
use super::fold::{Folded, fold};
use super::hits::{Hit, drop_harmless, keep_longest};
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Category;
    use crate::detect::Pupil;
    use crate::detect::{Near, Rule};
    use crate::mail::Place;
    use proptest::prelude::*;

    fn roll() -> Roll {
        let pupil = |forename: &str, surname: &str, preferred: &str, upn: &str| Pupil {
            forename: forename.into(),
            surname: surname.into(),
            preferred_forename: preferred.into(),
            upn: upn.into(),
            ..Pupil::default()
        };
        let pupils = vec![
            pupil("Tom", "Brown", "", ""),
            pupil("Zoë", "O'Neil-Price", "Zed", "R674123101121"),
            pupil("Will", "Young", "", ""),
            pupil("Łukasz", "Nowak", "", ""),
        ];
        Roll::new(pupils, jiff::civil::date(2026, 9, 1))
    }

    fn detectors() -> Detectors {
        let rule = |id: &str, category, find| Rule { id: id.into(), category, find };
        let words = Terms {
            words: vec!["epi-pen".into(), "asthma*".into(), "strasse".into()],
            capitals: vec!["ASD".into()],
            harmless: vec!["asthma policy".into()],
            confidence: Confidence::Low,
        };
        let near = Near {
            of: "words".into(),
            person: vec![Category::PupilName, Category::Upn],
            within: 20,
            confidence: Confidence::High,
        };
        let rules = [
            rule("upn", Category::Upn, Find::Upn),
            rule("name", Category::PupilName, Find::FullName),
            rule("words", Category::Health, Find::Terms(words)),
            rule("near", Category::Health, Find::Near(near)),
        ];
        Detectors::new(&rules, &roll(), &["8232000".to_owned()]).unwrap()
    }

    fn seen(texts: &[(Place, &str)]) -> Vec<String> {
        let texts: Vec<Text> = texts
            .iter()
            .map(|(place, view)| Text::new(place.clone(), (*view).to_owned(), Vec::new()))
            .collect();
        detectors()
            .scan(&texts)
            .iter()
            .map(|f| format!("{}:{:?}:{}", f.rule, f.confidence, f.evidence.expose()))
            .collect()
    }

    fn body(view: &str) -> Vec<String> {
        seen(&[(Place::BodyText, view)])
    }

    #[test]
    fn a_upn_is_as_sure_as_its_support() {
        for (view, expected) in [
            ("see B801200005001.", "upn:Medium:B801200005001"),
            ("UPN b801 2000 05 001", "upn:High:b801 2000 05 001"),
            ("E82320000512B", "upn:High:E82320000512B"),
            ("R674123101121", "upn:High:R674123101121"),
            ("T999200005001", "upn:Low:T999200005001"),
            ("UPN: T999200005001", "upn:Medium:T999200005001"),
        ] {
            assert_eq!(body(view), [expected], "{view}");
        }
        assert_eq!(body("A801200005001 XB801200005001 B8012000050012"), [] as [&str; 0]);
    }

    #[test]
    fn names_are_as_sure_as_they_are_written() {
        for (view, expected) in [
            ("Tom Brown", vec!["name:High:Tom Brown"]),
            ("tom brown", vec![]),
            ("łukasz nowak", vec!["name:Medium:łukasz nowak"]),
            ("Lukasz Nowak’s bag", vec!["name:High:Lukasz Nowak"]),
            ("zed o neil price", vec!["name:Medium:zed o neil price"]),
            ("Will Young", vec!["name:Medium:Will Young"]),
            ("will young", vec![]),
            ("Brown,Tom", vec!["name:High:Brown,Tom"]),
            ("Young, Will; Brown, Tom", vec!["name:Medium:Young, Will", "name:High:Brown, Tom"]),
            ("Tom Brown Tom Brown", vec!["name:High:Tom Brown", "name:High:Tom Brown"]),
            ("Tom Mrs Brown", vec![]),
            ("Bottom Brown, Tommy", vec![]),
        ] {
            assert_eq!(body(view), expected, "{view}");
        }
    }

    #[test]
    fn terms_are_whole_words_and_harmless_phrases_are_known() {
        assert_eq!(body("EpiPen, epi pen"), ["words:Low:EpiPen", "words:Low:epi pen"]);
        assert_eq!(body("asthmatic"), ["words:Low:asthmatic"]);
        assert_eq!(body("the Asthma policy; asthma"), ["words:Low:asthma"]);
        assert_eq!(body("asd ASD"), ["words:Low:ASD"]);
        assert_eq!(body("in der Straße"), ["words:Low:Straße"]);
        assert_eq!(body("myasthma"), [] as [&str; 0]);
    }

    #[test]
    fn a_word_counts_near_a_person_or_under_one_in_the_subject() {
        let near = body("Tom Brown has asthma");
        assert_eq!(near, ["name:High:Tom Brown", "near:High:asthma"]);
        let far = body(&format!("Tom Brown{} asthma", " went".repeat(10)));
        assert_eq!(far, ["name:High:Tom Brown", "words:Low:asthma"]);
        assert_eq!(
            seen(&[(Place::BodyText, "asthma"), (Place::Subject, "Tom Brown")]),
            ["near:High:asthma", "name:High:Tom Brown"]
        );
        assert_eq!(
            seen(&[(Place::BodyText, "asthma"), (Place::Attachment("a".into()), "Tom Brown")]),
            ["words:Low:asthma", "name:High:Tom Brown"]
        );
    }

    #[test]
    fn a_large_roll_stays_small_in_memory() {
        let syllables =
            ["ka", "lo", "mi", "ru", "ste", "ven", "dor", "pa", "qui", "hal", "wes", "tri"];
        let name = |mut n: usize| {
            let mut name = String::new();
            for _ in 0..4 {
                name.push_str(syllables[n % 12]);
                n /= 12;
            }
            name
        };
        let pupil =
            |n: usize| Pupil { forename: name(n % 700), surname: name(n * 7), ..Pupil::default() };
        let rules = [Rule { id: "n".into(), category: Category::PupilName, find: Find::FullName }];
        for pupils in [10_000, 20_000] {
            let roll = Roll::new((0..pupils).map(pupil).collect(), jiff::civil::date(2026, 9, 1));
            let detectors = Detectors::new(&rules, &roll, &[]).unwrap();
            let found = |view: String| {
                detectors.scan(&[Text::new(Place::BodyText, view, Vec::new())]).len()
            };
            assert_eq!(found(format!("{} {}", name(99), name(700 * 7 + 99 * 7))), 1);
            assert_eq!(found(format!("{} {}", name(98), name(700 * 7 + 99 * 7))), 0);
            assert!(detectors.memory() < 20_000_000, "{} octets", detectors.memory());
        }
    }

    #[test]
    fn a_hostile_text_takes_time_in_step_with_its_length() {
        // The checks behind the anchors are bounded; a quadratic one would take minutes here.
        for piece in ["brown, ", "b8", "o'neil-", "asthma policy ", ",,,,brown", "tom tom brown-"] {
            let view = piece.repeat(400_000 / piece.len());
            let text = Text::new(Place::BodyText, view, Vec::new());
            let _found = detectors().scan(&[text]);
        }
    }

    fn stuff() -> impl Strategy<Value = String> {
        let pieces = prop_oneof![
            Just("Tom"),
            Just("Brown"),
            Just(" "),
            Just(", "),
            Just("\n"),
            Just("-"),
            Just("’s"),
            Just("asthma"),
            Just("straß"),
            Just("B8012000"),
            Just("05001"),
            Just("Zoë"),
            Just("é"),
            Just("O'Neil-Price"),
            Just("ASD"),
            Just("."),
            Just("İ"),
            Just("policy"),
        ];
        prop::collection::vec(prop_oneof![pieces.prop_map(str::to_owned), "\\PC{0,3}"], 0..30)
            .prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_finding_is_an_extent_of_its_text(view in stuff()) {
            let text = Text::new(Place::BodyText, view.clone(), Vec::new());
            for finding in detectors().scan(&[text]) {
                prop_assert_eq!(view.get(finding.span.clone()), Some(finding.evidence.expose().as_str()));
                prop_assert!(!finding.span.is_empty());
            }
        }
    }
}
