//! Full names of the roll. Surnames are the anchors; whether a pupil of that surname has the
//! forename beside it is asked only where an anchor hit, so cost hardly grows with the roll.
//!
//! Read as full names: "Tom Brown", "Brown, Tom", "Brown Tom", with one initial between, with
//! preferred names, and joined as file names are ("Tom_Brown"). A forename alone is no finding.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use super::finding::Confidence;
use super::fold::fold;
use super::ordinary::is_ordinary;
use super::roll::{Pupil, Roll};

/// Words of a forename that are tried together: "Anna Maria Sofia".
const FORENAME_WORDS: usize = 3;
/// The longest folded forename that is looked for, in octets.
const FORENAME_OCTETS: usize = 60;
/// What may stand between the two names in running text.
const PROSE: &[&str] = &[" ", ", ", " , ", ",", ";", "; ", "|", " | ", "\",\"", "\" \""];
/// What stands between them in file names and addresses.
const JOINED: &[&str] = &["_", "-", ".", "__", " - "];

/// What shows that the word after a forename begins another person.
const TITLES: &[&str] = &["mr ", "mrs ", "ms ", "miss ", "dr ", "mr. ", "mrs. ", "dr. "];

/// The roll's surnames, each with the forenames of the pupils who bear it; all folded.
#[derive(Default)]
pub(super) struct NameBook {
    surnames: Vec<BTreeSet<String>>,
    anchors: BTreeMap<String, u32>,
    upns: HashSet<String>,
}

/// A full name found around a surname.
pub(super) struct FullName {
    /// Octets of the folded text.
    pub(super) span: Range<usize>,
    forename: Range<usize>,
    order: Order,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    ForenameFirst,
    ForenameThenComma,
    SurnameThenComma,
    SurnameFirst,
    /// Forename, another word at that octet, surname.
    AroundMiddle(usize),
    Joined,
}

impl NameBook {
    pub(super) fn new(roll: &Roll) -> Self {
        let mut book = Self::default();
        for pupil in roll.pupils() {
            book.add(pupil);
        }
        book
    }

    /// Every surname form and its number.
    pub(super) fn anchors(&self) -> impl Iterator<Item = (&str, u32)> {
        self.anchors.iter().map(|(form, number)| (form.as_str(), *number))
    }

    pub(super) fn has_upn(&self, upn: &str) -> bool {
        self.upns.contains(upn)
    }

    fn add(&mut self, pupil: &Pupil) {
        if !pupil.upn.is_empty() {
            self.upns.insert(pupil.upn.clone());
        }
        let forenames: Vec<String> = [&pupil.forename, &pupil.preferred_forename]
            .into_iter()
            .flat_map(|name| forename_forms(name))
            .collect();
        for surname in [&pupil.surname, &pupil.preferred_surname] {
            for form in forms(surname) {
                self.add_bearer(form, &forenames);
            }
        }
    }

    fn add_bearer(&mut self, surname: String, forenames: &[String]) {
        // A roll has far fewer than 2^32 surnames.
        let next = u32::try_from(self.surnames.len()).unwrap_or(u32::MAX);
        let number = *self.anchors.entry(surname).or_insert(next);
        if number == next {
            self.surnames.push(BTreeSet::new());
        }
        if let Some(bearers) = self.surnames.get_mut(number as usize) {
            bearers.extend(forenames.iter().cloned());
        }
    }

    /// A pupil's full name around the surname that stands at `surname` in a folded text.
    pub(super) fn around(
        &self,
        text: &str,
        surname: Range<usize>,
        number: u32,
    ) -> Option<FullName> {
        let forenames = self.surnames.get(number as usize)?;
        before(text, &surname, forenames).or_else(|| after(text, &surname, forenames))
    }
}

impl FullName {
    /// How sure the name is, from how it is written; `None` if it is written like ordinary words.
    /// `is_capital` tells whether the word that begins at an octet of the folded text has a
    /// capital in the original.
    pub(super) fn confidence(
        &self,
        text: &str,
        surname: &Range<usize>,
        is_capital: impl Fn(usize) -> bool,
    ) -> Option<Confidence> {
        let ordinary = |range: &Range<usize>| text.get(range.clone()).is_some_and(is_ordinary);
        let (first, second) = (ordinary(&self.forename), ordinary(surname));
        let (one, both) = (first || second, first && second);
        let capitals = is_capital(self.forename.start) && is_capital(surname.start);
        match self.order {
            Order::AroundMiddle(at) => {
                let title =
                    text.get(at..).is_none_or(|rest| TITLES.iter().any(|t| rest.starts_with(t)));
                (capitals && is_capital(at) && !title).then_some(Confidence::Medium)
            }
            Order::Joined => Some(Confidence::Medium),
            _ if !capitals => {
                (!one && self.order != Order::SurnameFirst).then_some(Confidence::Medium)
            }
            Order::ForenameFirst | Order::SurnameThenComma if both => Some(Confidence::Medium),
            Order::ForenameFirst | Order::SurnameThenComma => Some(Confidence::High),
            // "I saw Grace, Field House was open": two ordinary words and a comma are no name.
            Order::ForenameThenComma | Order::SurnameFirst if both => Some(Confidence::Low),
            Order::ForenameThenComma | Order::SurnameFirst => Some(Confidence::Medium),
        }
    }
}

/// The spellings of one folded name: hyphens and apostrophes are left out or become blanks.
fn forms(name: &str) -> BTreeSet<String> {
    let folded = fold(name);
    let mut forms = BTreeSet::new();
    if folded.chars().filter(|c| c.is_alphabetic()).count() < 2 {
        return forms;
    }
    for mark in ["-", "'"] {
        for with in ["", " "] {
            forms.insert(folded.replace(mark, with));
            forms.insert(folded.replace('-', " ").replace('\'', with));
        }
    }
    forms.insert(folded);
    forms
}

/// As [`forms`], and the first word alone where the export puts middle names beside it.
fn forename_forms(name: &str) -> BTreeSet<String> {
    let mut all = forms(name);
    if let Some(first) = name.split_whitespace().next() {
        all.extend(forms(first));
    }
    all
}

fn before(text: &str, surname: &Range<usize>, names: &BTreeSet<String>) -> Option<FullName> {
    let head = text.get(..surname.start)?;
    let end = head.trim_end_matches(is_separator).len().max(head.len().saturating_sub(4));
    let gap = head.get(end..)?;
    let order = match gap {
        gap if JOINED.contains(&gap) => Order::Joined,
        " " | ". " => Order::ForenameFirst,
        gap if PROSE.contains(&gap) => Order::ForenameThenComma,
        _ => return None,
    };
    if !ends_cleanly(text, surname.end, order) {
        return None;
    }
    let end = match (order, without_initial(head, end)) {
        (Order::ForenameFirst, Some(earlier)) => earlier,
        // "Thank you, Tom. Brown paper is in the cupboard": no initial, so a sentence ends here.
        (Order::ForenameFirst, None) if gap == ". " => return None,
        _ => end,
    };
    let mut start = end;
    let mut later = end;
    for _ in 0..FORENAME_WORDS {
        start = word_start(head, start, order);
        if end - start > FORENAME_OCTETS {
            return None;
        }
        for (range, order) in [(start..end, order), (start..later, Order::AroundMiddle(later + 1))]
        {
            let middle = matches!(order, Order::AroundMiddle(_));
            if middle && (later == end || gap != " ") {
                continue;
            }
            if let Some(forename) = name_in(head, range, names)
                && starts_cleanly(text, forename.start, order)
            {
                return Some(FullName { span: forename.start..surname.end, forename, order });
            }
        }
        later = head.get(..start).and_then(|rest| rest.strip_suffix(' '))?.len();
        start = later;
    }
    None
}

fn after(text: &str, surname: &Range<usize>, names: &BTreeSet<String>) -> Option<FullName> {
    let tail = text.get(surname.end..)?;
    let gap: usize =
        tail.chars().take(4).take_while(|&c| is_separator(c)).map(char::len_utf8).sum();
    let order = match tail.get(..gap)? {
        gap if JOINED.contains(&gap) => Order::Joined,
        " " => Order::SurnameFirst,
        gap if PROSE.contains(&gap) => Order::SurnameThenComma,
        _ => return None,
    };
    if !starts_cleanly(text, surname.start, order) {
        return None;
    }
    let start = surname.end + gap;
    let mut end = start;
    let mut found = None;
    for _ in 0..FORENAME_WORDS {
        end = word_end(text, end, order);
        if end - start > FORENAME_OCTETS {
            break;
        }
        if let Some(forename) = name_in(text, start..end, names)
            && forename.start == start
            && ends_cleanly(text, forename.end, order)
        {
            found = Some(FullName { span: surname.start..forename.end, forename, order });
        }
        match text.get(end..).is_some_and(|rest| rest.starts_with(' ')) {
            true => end += 1,
            false => break,
        }
    }
    found
}

/// The name in a range, also without a possessive 's or quotes around it.
fn name_in(text: &str, range: Range<usize>, names: &BTreeSet<String>) -> Option<Range<usize>> {
    let whole = text.get(range.clone())?;
    let bare = whole.trim_start_matches(['\'', '-']);
    let start = range.end - bare.len();
    let short = bare.strip_suffix("'s").unwrap_or(bare).trim_end_matches('\'');
    let fits = |start: usize, name: &str| names.contains(name).then(|| start..start + name.len());
    fits(range.start, whole).or_else(|| fits(start, bare)).or_else(|| fits(start, short))
}

fn is_separator(char: char) -> bool {
    " ,;|_.-\"".contains(char)
}

/// Where the forename ends before one initial: "Tom J. Brown".
fn without_initial(head: &str, end: usize) -> Option<usize> {
    let rest = head.get(..end)?;
    let mut chars = rest.chars().rev();
    match (chars.next()?, chars.next()?, chars.next()?) {
        (initial, ' ', other) if initial.is_alphabetic() && other != ' ' => {
            Some(rest.len() - initial.len_utf8() - 1)
        }
        _ => None,
    }
}

/// Joined names are split at each hyphen.
fn is_in_word(char: char, order: Order) -> bool {
    char.is_alphanumeric() || order != Order::Joined && (char == '\'' || char == '-')
}

fn word_start(head: &str, from: usize, order: Order) -> usize {
    let word = head.get(..from).unwrap_or_default();
    let long = word.chars().rev().take(FORENAME_OCTETS).take_while(|&c| is_in_word(c, order));
    from - long.map(char::len_utf8).sum::<usize>()
}

fn word_end(text: &str, from: usize, order: Order) -> usize {
    let word = text.get(from..).unwrap_or_default();
    let long = word.chars().take(FORENAME_OCTETS).take_while(|&c| is_in_word(c, order));
    from + long.map(char::len_utf8).sum::<usize>()
}

/// Whether no letter or digit goes on to the left; in prose no hyphen or apostrophe either, as
/// "Anna-Tom" is another child.
fn starts_cleanly(text: &str, at: usize, order: Order) -> bool {
    let mut left = text.get(..at).unwrap_or_default().chars().rev();
    match left.next() {
        Some(char) if char.is_alphanumeric() => false,
        Some('-' | '\'') if order != Order::Joined => {
            !left.next().is_some_and(char::is_alphanumeric)
        }
        _ => true,
    }
}

/// As [`starts_cleanly`] to the right, where a possessive 's may follow.
fn ends_cleanly(text: &str, at: usize, order: Order) -> bool {
    let mut right = text.get(at..).unwrap_or_default().chars();
    match right.next() {
        Some(char) if char.is_alphanumeric() => false,
        Some('-') if order != Order::Joined => !right.next().is_some_and(char::is_alphanumeric),
        Some('\'') if order != Order::Joined => match right.next() {
            Some('s') => !right.next().is_some_and(char::is_alphanumeric),
            next => !next.is_some_and(char::is_alphanumeric),
        },
        _ => true,
    }
}
