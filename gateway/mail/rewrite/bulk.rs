//! Forced Bcc: every external address leaves the fields a recipient can see (P02).
//!
//! Entries of own domains stay byte for byte. What can't be read as exactly one own address goes:
//! hiding too much is a nuisance, showing too much is a breach.

use std::ops::Range;

use super::fields::{must_go, removal, replacement};
use super::request::{Request, Unrewritable};
use crate::mail::{Address, Field, Message, Splice};

/// Fields in which an emptied list gets an address of the school instead.
const PRIMARY: &[&str] = &["to", "resent-to"];
/// Fields that go when they are emptied.
const SECONDARY: &[&str] = &["cc", "resent-cc", "reply-to"];

/// The edits that hide every external address.
pub(super) fn hide(message: &Message, request: &Request<'_>) -> Result<Vec<Splice>, Unrewritable> {
    let mut edits = Vec::new();
    for name in SECONDARY {
        for field in message.fields_named(name) {
            match prune(message, field, request) {
                Pruned::Untouched => {}
                Pruned::Edited(splices) => edits.extend(splices),
                Pruned::Emptied => edits.push(removal(field)),
            }
        }
    }
    for name in PRIMARY {
        hide_primary(message, request, name, &mut edits)?;
    }
    Ok(edits)
}

/// Whether an edited message shows nobody outside: the proof of [`hide`].
pub(super) fn shows_nobody_outside(value: &[u8], is_own: &dyn Fn(&Address) -> bool) -> bool {
    let mut list = List { raw: value, is_own, edits: Vec::new(), outside: 0 };
    list.entries(0..value.len());
    list.outside == 0
}

/// Whether a field is one that forced Bcc edits.
pub(super) fn is_visible(name: &str) -> bool {
    PRIMARY.iter().chain(SECONDARY).any(|visible| visible.eq_ignore_ascii_case(name))
}

fn hide_primary(
    message: &Message,
    request: &Request<'_>,
    name: &str,
    edits: &mut Vec<Splice>,
) -> Result<(), Unrewritable> {
    let fields: Vec<&Field> = message.fields_named(name).collect();
    let pruned: Vec<Pruned> = fields.iter().map(|field| prune(message, field, request)).collect();
    // Of several fields of one name, which only broken mail has, one keeps an address.
    let mut needs_address = pruned.iter().all(|one| matches!(one, Pruned::Emptied));
    for (field, pruned) in fields.into_iter().zip(pruned) {
        match pruned {
            Pruned::Untouched => {}
            Pruned::Edited(splices) => edits.extend(splices),
            Pruned::Emptied if needs_address => {
                needs_address = false;
                edits.push(replacement(field, bulk_address(message, request)?.as_str()));
            }
            Pruned::Emptied => edits.push(removal(field)),
        }
    }
    Ok(())
}

fn bulk_address(message: &Message, request: &Request<'_>) -> Result<Address, Unrewritable> {
    if let Some(address) = request.bulk_to {
        return Ok(address.clone());
    }
    let from = message.fields_named("from").find(|field| !must_go(message.name(field), request));
    let value = from.map(|field| message.raw_value(field)).unwrap_or_default();
    let entry = split(value, 0..value.len(), b',').into_iter().next().unwrap_or_default();
    address_of(value.get(entry).unwrap_or_default()).ok_or(Unrewritable::NoBulkAddress)
}

enum Pruned {
    Untouched,
    Edited(Vec<Splice>),
    Emptied,
}

fn prune(message: &Message, field: &Field, request: &Request<'_>) -> Pruned {
    let value = message.raw_value(field);
    let mut list = List { raw: value, is_own: request.is_own, edits: Vec::new(), outside: 0 };
    let kept = list.entries(0..value.len());
    match (list.outside, kept) {
        (0, _) => Pruned::Untouched,
        (_, 0) => Pruned::Emptied,
        _ => {
            let start = field.value.start;
            let shift = |at: Range<usize>| start + at.start..start + at.end;
            let removed = |at| Splice { at: shift(at), with: Vec::new() };
            Pruned::Edited(list.edits.into_iter().map(removed).collect())
        }
    }
}

/// One address list while it is being pruned.
struct List<'a> {
    raw: &'a [u8],
    is_own: &'a dyn Fn(&Address) -> bool,
    edits: Vec<Range<usize>>,
    outside: usize,
}

/// What becomes of one entry between two commas.
#[derive(PartialEq)]
enum Entry {
    Kept,
    Gone,
}

impl List<'_> {
    /// Prunes the list in `range` and says how many entries stay. Where none stays, no edit is
    /// left: the caller removes the whole.
    fn entries(&mut self, range: Range<usize>) -> usize {
        let entries = split(self.raw, range.clone(), b',');
        let edits_before = self.edits.len();
        let outside_before = self.outside;
        let fates: Vec<Entry> = entries.iter().map(|entry| self.entry(entry)).collect();
        let kept = fates.iter().filter(|fate| **fate == Entry::Kept).count();
        if self.outside == outside_before {
            return kept;
        }
        if kept == 0 {
            self.edits.truncate(edits_before);
            return 0;
        }
        self.cut(&range, &entries, &fates);
        kept
    }

    fn entry(&mut self, entry: &Range<usize>) -> Entry {
        let text = self.raw.get(entry.clone()).unwrap_or_default();
        if text.trim_ascii().is_empty() {
            return Entry::Gone;
        }
        if let Some(members) = group_members(self.raw, entry) {
            let outside_before = self.outside;
            let kept = self.entries(members);
            let emptied = kept == 0 && self.outside > outside_before;
            return if emptied { Entry::Gone } else { Entry::Kept };
        }
        match address_of(text) {
            Some(address) if (self.is_own)(&address) => Entry::Kept,
            _ => {
                self.outside += 1;
                Entry::Gone
            }
        }
    }

    /// Cuts the entries that go, each with one comma, so that what stays keeps its octets.
    fn cut(&mut self, range: &Range<usize>, entries: &[Range<usize>], fates: &[Entry]) {
        let inner = |entry: &Range<usize>| trimmed(self.raw, entry);
        let mut cuts: Vec<Range<usize>> = Vec::new();
        let mut last_kept: Option<&Range<usize>> = None;
        let mut open: Option<&Range<usize>> = None;
        for (entry, fate) in entries.iter().zip(fates) {
            match (fate, open, last_kept) {
                (Entry::Gone, None, _) => open = Some(entry),
                (Entry::Gone, Some(_), _) => {}
                // At the front, the blank behind the colon stays and the entry moves up to it.
                (Entry::Kept, Some(gone), None) => cuts.push(inner(gone).start..inner(entry).start),
                (Entry::Kept, Some(gone), Some(_)) => cuts.push(gone.start..entry.start),
                (Entry::Kept, None, _) => {}
            }
            if *fate == Entry::Kept {
                (open, last_kept) = (None, Some(entry));
            }
        }
        if let (Some(_), Some(kept)) = (open, last_kept) {
            cuts.push(inner(kept).end..range.end);
        }
        self.edits.extend(cuts);
        self.edits.sort_by_key(|cut| cut.start);
    }
}

fn trimmed(raw: &[u8], range: &Range<usize>) -> Range<usize> {
    let text = raw.get(range.clone()).unwrap_or_default();
    let front = text.len() - text.trim_ascii_start().len();
    let back = text.len() - text.trim_ascii_end().len();
    if front == text.len() {
        range.start..range.start
    } else {
        range.start + front..range.end - back
    }
}

/// The extents between the separators at the top level of `range`: none inside quotes, comments,
/// angle brackets, encoded words or, for commas, groups.
fn split(raw: &[u8], range: Range<usize>, separator: u8) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = range.start;
    let mut group = false;
    let mut at = range.start;
    while at < range.end {
        match raw.get(at) {
            Some(&octet) if octet == separator && !group => {
                parts.push(start..at);
                start = at + 1;
            }
            Some(b':') => group = true,
            Some(b';') => group = false,
            _ => {}
        }
        at = token_end(raw, at, range.end);
    }
    parts.push(start..range.end);
    parts
}

/// Where the token that begins at `at` ends: quoted strings, comments, angle brackets and encoded
/// words are one token, everything else is its octet.
fn token_end(raw: &[u8], at: usize, end: usize) -> usize {
    let rest = raw.get(at..end).unwrap_or_default();
    let length = match rest.first() {
        Some(b'"') => enclosed(rest, b'"', b'"'),
        Some(b'(') => enclosed(rest, b'(', b')'),
        Some(b'<') => angle(rest),
        Some(b'[') => enclosed(rest, b'[', b']'),
        Some(b'\\') => 2,
        Some(b'=') => encoded_word(rest),
        _ => 1,
    };
    (at + length.max(1)).min(end)
}

fn enclosed(rest: &[u8], open: u8, close: u8) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&octet) = rest.get(at) {
        match octet {
            b'\\' => at += 1,
            _ if octet == close && depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ if octet == open => depth += 1,
            _ => {}
        }
        at += 1;
    }
    rest.len()
}

/// To the `>`, over a quoted local part that may hold one.
fn angle(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&octet) = rest.get(at) {
        match octet {
            b'>' => return at + 1,
            b'"' => at += enclosed(rest.get(at..).unwrap_or_default(), b'"', b'"'),
            _ => at += 1,
        }
    }
    rest.len()
}

/// RFC 2047's `=?charset?encoding?text?=` may hold a comma where its writer was careless.
fn encoded_word(rest: &[u8]) -> usize {
    let word = rest.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let mut marks = word.iter().enumerate().filter(|(_, octet)| **octet == b'?').map(|(at, _)| at);
    match (word.get(1), marks.next(), marks.next(), marks.next(), marks.next()) {
        (Some(b'?'), Some(_), Some(_), Some(_), Some(end)) if word.get(end + 1) == Some(&b'=') => {
            end + 2
        }
        _ => 1,
    }
}

/// Between the colon and the semicolon, if the entry is a group (RFC 5322 section 3.4).
fn group_members(raw: &[u8], entry: &Range<usize>) -> Option<Range<usize>> {
    let inner = trimmed(raw, entry);
    let mut at = inner.start;
    let mut colon = None;
    while at < inner.end {
        match (raw.get(at), colon) {
            (Some(b':'), None) => colon = Some(at + 1),
            (Some(b';'), Some(start)) => return Some(start..at),
            _ => {}
        }
        at = token_end(raw, at, inner.end);
    }
    // A group that does not end reaches to the end of the field.
    colon.map(|start| start..inner.end)
}

/// The one address of an entry, or nothing where there is none or more than one.
fn address_of(entry: &[u8]) -> Option<Address> {
    let mut bare = Vec::new();
    let mut angles = Vec::new();
    let mut at = 0;
    while at < entry.len() {
        let end = token_end(entry, at, entry.len());
        let token = entry.get(at..end)?;
        match token.first() {
            Some(b'(') => {}
            Some(b'<') => angles.push(token.strip_prefix(b"<")?.strip_suffix(b">")?),
            _ => bare.extend_from_slice(token),
        }
        at = end;
    }
    let spec = match angles.as_slice() {
        [] => bare.trim_ascii(),
        [one] => without_route(one.trim_ascii()),
        _ => return None,
    };
    Address::parse(std::str::from_utf8(spec).ok()?).ok()
}

/// Drops the obsolete source route `@a,@b:`.
fn without_route(spec: &[u8]) -> &[u8] {
    match (spec.first(), spec.iter().position(|&octet| octet == b':')) {
        (Some(b'@'), Some(colon)) => spec.get(colon + 1..).unwrap_or_default(),
        _ => spec,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::apply;

    fn pruned(value: &str) -> Option<String> {
        let is_own = |address: &Address| address.domain() == "school.example";
        let raw = value.as_bytes();
        let mut list = List { raw, is_own: &is_own, edits: Vec::new(), outside: 0 };
        if list.entries(0..raw.len()) == 0 && list.outside > 0 {
            return None;
        }
        let cut = |at| Splice { at, with: Vec::new() };
        let edits: Vec<Splice> = list.edits.into_iter().map(cut).collect();
        let result = apply(raw, &edits).unwrap();
        assert!(shows_nobody_outside(&result, &is_own), "{value}");
        Some(String::from_utf8(result).unwrap())
    }

    #[test]
    fn own_entries_keep_their_octets() {
        for (value, expected) in [
            (" a@school.example", " a@school.example"),
            (" a@school.example,b@x.example", " a@school.example"),
            (" b@x.example, a@school.example", " a@school.example"),
            (
                " b@x.example,\r\n c@x.example,\r\n\t\"Office, A\" <a@school.example> (desk),\r\n d@x.example",
                " \"Office, A\" <a@school.example> (desk)",
            ),
            (
                " a@school.example ,\r\n b@x.example,\r\n c@school.example",
                " a@school.example ,\r\n c@school.example",
            ),
            (
                " =?utf-8?q?Brown,_Tom?= <a@school.example>, b@x.example",
                " =?utf-8?q?Brown,_Tom?= <a@school.example>",
            ),
            (
                " Team: a@school.example, b@x.example, c@school.example;, d@x.example",
                " Team: a@school.example, c@school.example;",
            ),
            (" Team: b@x.example;, a@school.example", " a@school.example"),
            (" undisclosed-recipients:;", " undisclosed-recipients:;"),
            (" A: a@school.example;\r\n , b@x.example", " A: a@school.example;"),
            (" <@r.example:a@school.example>, <b@x.example>", " <@r.example:a@school.example>"),
            (" \"a@school.example\" <b@x.example>, c@School.Example", " c@School.Example"),
        ] {
            assert_eq!(pruned(value).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_read_as_one_own_address_goes() {
        for value in [
            " a@school.example b@x.example",
            " <a@school.example> <b@x.example>",
            " a@school.example;b@x.example",
            " \"open <a@school.example>, b@x.example",
            " Team: b@x.example, c@x.example;",
            " Someone",
            " <a@school.example, b@x.example",
        ] {
            assert_eq!(pruned(value), None, "{value}");
        }
    }
}
