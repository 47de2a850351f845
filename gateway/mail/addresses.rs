//! The mailboxes of an address field (RFC 5322 section 3.4), each with its octets in the message.
//!
//! The reader is tolerant of obsolete syntax (section 4.4: routes, comments, blanks around dots)
//! and says how many entries it could not read: readers guess at those, so they are suspicious.
//! It is one pass over the field and never recurses.

use std::ops::Range;

use super::address::Address;
use super::header::{Field, decode_text};
use super::message::Message;
use super::sensitive::Sensitive;

/// The longest encoded word that is kept whole; RFC 2047 allows 75 octets.
const LONGEST_ENCODED_WORD: usize = 300;

/// The fields in which a reader sees who else received a message.
const VISIBLE: [&str; 5] = ["To", "Cc", "Resent-To", "Resent-Cc", "Reply-To"];

/// One mailbox of an address field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The decoded display name, or the comment that stands for one.
    pub display_name: Option<Sensitive<String>>,
    /// The address.
    pub address: Address,
    /// The whole entry in the raw message: display name, comments and address, without the comma,
    /// without blanks and folds at its ends.
    pub whole: Range<usize>,
}

/// What an address field holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressList {
    /// The mailboxes in order, those of groups among them.
    pub mailboxes: Vec<Mailbox>,
    /// Entries that are no mailbox and no group.
    pub unreadable: usize,
}

/// The mailboxes of all fields of one name of the message itself.
pub fn addresses(message: &Message, name: &str) -> AddressList {
    let mut list = AddressList::default();
    for field in message.fields_named(name) {
        let AddressList { mailboxes, unreadable } = addresses_in(message, field);
        list.mailboxes.extend(mailboxes);
        list.unreadable += unreadable;
    }
    list
}

/// The mailboxes of one field.
pub fn addresses_in(message: &Message, field: &Field) -> AddressList {
    read_list(message.raw(), field.value.clone())
}

/// Everybody a reader of the message sees as recipient, in To, Cc, Resent-To, Resent-Cc and
/// Reply-To; one mailbox may stand there more than once.
pub fn visible_recipients(message: &Message) -> Vec<Mailbox> {
    VISIBLE.iter().flat_map(|name| addresses(message, name).mailboxes).collect()
}

/// The mailboxes in some octets of the raw message.
pub(super) fn read_list(raw: &[u8], value: Range<usize>) -> AddressList {
    let mut list = AddressList::default();
    let mut entry = Entry::new(value.start);
    let mut at = value.start;
    while at < value.end {
        let token = token_at(raw, at, value.end);
        match token.kind {
            Kind::Comma | Kind::Semicolon => {
                entry.finish(raw, at, &mut list);
                entry = Entry::new(token.end);
            }
            Kind::Colon => {
                list.unreadable += usize::from(entry.shows_an_address(raw));
                entry = Entry::new(token.end);
            }
            _ => entry.tokens.push(token.clone()),
        }
        at = token.end;
    }
    entry.finish(raw, value.end, &mut list);
    list
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blank,
    Comment,
    Quoted,
    EncodedWord,
    Angle,
    Word,
    Comma,
    Semicolon,
    Colon,
    /// A quote, comment or angle bracket that does not end.
    Broken,
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
}

/// The token that begins at `at`, which is below `limit`; it is never empty.
fn token_at(raw: &[u8], at: usize, limit: usize) -> Token {
    let rest = raw.get(at..limit).unwrap_or_default();
    let (kind, length) = match rest.first() {
        Some(b' ' | b'\t' | b'\r' | b'\n') => (Kind::Blank, 1),
        Some(b',') => (Kind::Comma, 1),
        Some(b';') => (Kind::Semicolon, 1),
        Some(b':') => (Kind::Colon, 1),
        Some(b'(') => closed(Kind::Comment, comment_length(rest), rest),
        Some(b'"') => closed(Kind::Quoted, quoted_length(rest), rest),
        Some(b'<') => closed(Kind::Angle, angle_length(rest), rest),
        Some(b'[') => closed(Kind::Word, literal_length(rest), rest),
        Some(b'=') if rest.starts_with(b"=?") => match encoded_word_length(rest) {
            Some(length) => (Kind::EncodedWord, length),
            None => (Kind::Word, 1),
        },
        _ => (Kind::Word, word_length(rest)),
    };
    Token { kind, start: at, end: at + length.max(1) }
}

fn closed(kind: Kind, length: Option<usize>, rest: &[u8]) -> (Kind, usize) {
    length.map_or((Kind::Broken, rest.len()), |length| (kind, length))
}

fn word_length(rest: &[u8]) -> usize {
    let ends = |octet: &u8| b" \t\r\n,;:(\"<[=".contains(octet);
    rest.iter().skip(1).position(ends).map_or(rest.len(), |index| index + 1)
}

fn comment_length(rest: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (index, octet) in rest.iter().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(index + 1),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn quoted_length(rest: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (index, octet) in rest.iter().enumerate().skip(1) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// An angle address may hold quoted local parts and comments, in which a `>` does not end it.
fn angle_length(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    while let Some(octet) = rest.get(at) {
        let tail = rest.get(at..).unwrap_or_default();
        at += match octet {
            b'>' => return Some(at + 1),
            b'"' => quoted_length(tail)?,
            b'(' => comment_length(tail)?,
            b'<' => return None,
            _ => 1,
        };
    }
    None
}

fn literal_length(rest: &[u8]) -> Option<usize> {
    rest.iter().position(|&octet| octet == b']').map(|index| index + 1)
}

/// `=?charset?encoding?text?=` without a blank inside.
fn encoded_word_length(rest: &[u8]) -> Option<usize> {
    let window = rest.get(..rest.len().min(LONGEST_ENCODED_WORD))?;
    let mut marks = 0;
    for (index, &octet) in window.iter().enumerate().skip(2) {
        match octet {
            b' ' | b'\t' | b'\r' | b'\n' => return None,
            b'?' if marks == 2 && window.get(index + 1) == Some(&b'=') => return Some(index + 2),
            b'?' if marks < 2 => marks += 1,
            _ => {}
        }
    }
    None
}

/// The tokens between two commas.
#[derive(Debug)]
struct Entry {
    start: usize,
    tokens: Vec<Token>,
}

impl Entry {
    fn new(start: usize) -> Self {
        Self { start, tokens: Vec::new() }
    }

    fn finish(&self, raw: &[u8], end: usize, list: &mut AddressList) {
        let whole = trimmed(raw, self.start..end);
        let empty = self.tokens.iter().all(|t| matches!(t.kind, Kind::Blank | Kind::Comment));
        if empty {
            return;
        }
        match self.mailbox(raw, whole) {
            Some(mailbox) => list.mailboxes.push(mailbox),
            None => list.unreadable += 1,
        }
    }

    /// A colon ends the name of a group; the members follow as entries of their own. A name that
    /// holds an address would be lost to us, but not to a reader.
    fn shows_an_address(&self, raw: &[u8]) -> bool {
        let holds_at = |token: &Token| {
            raw.get(token.start..token.end).is_some_and(|octets| octets.contains(&b'@'))
        };
        self.tokens.iter().any(|token| token.kind != Kind::Comment && holds_at(token))
    }

    fn mailbox(&self, raw: &[u8], whole: Range<usize>) -> Option<Mailbox> {
        let mut angles = self.tokens.iter().filter(|token| token.kind == Kind::Angle);
        let spec = match (angles.next(), angles.next()) {
            (Some(angle), None) => self.only_comments_after(angle).then(|| angle_spec(raw, angle)),
            (None, _) => Some(self.bare_spec(raw)),
            (Some(_), Some(_)) => None,
        }??;
        if self.tokens.iter().any(|token| token.kind == Kind::Broken) {
            return None;
        }
        let address = Address::parse(&spec).ok()?;
        Some(Mailbox { display_name: self.display_name(raw), address, whole })
    }

    fn only_comments_after(&self, angle: &Token) -> bool {
        let after = self.tokens.iter().filter(|token| token.start > angle.start);
        after.into_iter().all(|token| matches!(token.kind, Kind::Blank | Kind::Comment))
    }

    /// The address where no angle brackets stand. Blanks are obsolete syntax around dots and the
    /// `@` only: between two words they would glue two things into one address.
    fn bare_spec(&self, raw: &[u8]) -> Option<String> {
        let mut spec = String::new();
        let mut gap = false;
        for token in &self.tokens {
            match token.kind {
                Kind::Blank | Kind::Comment => gap = true,
                _ => {
                    let text = text_of(raw, token);
                    if gap && !joins(&spec, &text) {
                        return None;
                    }
                    spec.push_str(&text);
                    gap = false;
                }
            }
        }
        Some(spec)
    }

    fn display_name(&self, raw: &[u8]) -> Option<Sensitive<String>> {
        let has_angle = self.tokens.iter().any(|token| token.kind == Kind::Angle);
        let named = |token: &&Token| match token.kind {
            Kind::Word | Kind::Quoted | Kind::EncodedWord | Kind::Blank => has_angle,
            Kind::Comment => !has_angle,
            _ => false,
        };
        let mut name = Vec::new();
        for token in self.tokens.iter().filter(named) {
            let octets = raw.get(token.start..token.end).unwrap_or_default();
            match token.kind {
                Kind::Quoted | Kind::Comment => name.extend(without_quotes(octets)),
                _ => name.extend_from_slice(octets),
            }
        }
        let name = decode_text(name.trim_ascii());
        (!name.trim().is_empty()).then(|| Sensitive::new(name.trim().to_owned()))
    }
}

fn joins(left: &str, right: &str) -> bool {
    left.is_empty() || left.ends_with(['.', '@']) || right.starts_with(['.', '@'])
}

fn text_of(raw: &[u8], token: &Token) -> String {
    String::from_utf8_lossy(raw.get(token.start..token.end).unwrap_or_default()).into_owned()
}

/// The address within angle brackets, without an obsolete route (RFC 5322 section 4.4).
fn angle_spec(raw: &[u8], angle: &Token) -> Option<String> {
    let inside = angle.start + 1..angle.end.saturating_sub(1);
    let mut spec = String::new();
    let mut at = inside.start;
    while at < inside.end {
        let token = token_at(raw, at, inside.end);
        match token.kind {
            Kind::Blank | Kind::Comment => {}
            Kind::Colon if spec.starts_with('@') => spec.clear(),
            Kind::Comma if spec.starts_with('@') => {}
            Kind::Word | Kind::Quoted | Kind::EncodedWord => spec.push_str(&text_of(raw, &token)),
            // An IPv6 literal is one word; a colon elsewhere is no address.
            _ => return None,
        }
        at = token.end;
    }
    Some(spec)
}

fn without_quotes(octets: &[u8]) -> Vec<u8> {
    let inner = octets.get(1..octets.len().saturating_sub(1)).unwrap_or_default();
    let mut result = Vec::with_capacity(inner.len());
    let mut escaped = false;
    for &octet in inner {
        if octet == b'\\' && !escaped {
            escaped = true;
        } else {
            result.push(octet);
            escaped = false;
        }
    }
    result
}

fn trimmed(raw: &[u8], range: Range<usize>) -> Range<usize> {
    let octets = raw.get(range.clone()).unwrap_or_default();
    let start = range.start + (octets.len() - octets.trim_ascii_start().len());
    start..start + octets.trim_ascii().len()
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a test may panic")]
mod tests {
    use super::*;

    fn read(value: &str) -> (Vec<(String, String, String)>, usize) {
        let list = read_list(value.as_bytes(), 0..value.len());
        let shown = |mailbox: &Mailbox| {
            (
                mailbox.display_name.as_ref().map_or(String::new(), |name| name.expose().clone()),
                mailbox.address.as_str().to_owned(),
                value[mailbox.whole.clone()].to_owned(),
            )
        };
        (list.mailboxes.iter().map(shown).collect(), list.unreadable)
    }

    fn addresses_of(value: &str) -> Vec<String> {
        read(value).0.into_iter().map(|(_, address, _)| address).collect()
    }

    #[test]
    fn every_entry_has_its_name_its_address_and_its_octets() {
        let (seen, unreadable) = read(
            " \"Brown, Tom\" <tom@home.example>,\r\n\t=?utf-8?Q?Gr=C3=BC,_A?= <g@x.example> (parent), a@b.example (Ann)",
        );
        assert_eq!(unreadable, 0);
        let expected = [
            ("Brown, Tom", "tom@home.example", "\"Brown, Tom\" <tom@home.example>"),
            ("Grü, A", "g@x.example", "=?utf-8?Q?Gr=C3=BC,_A?= <g@x.example> (parent)"),
            ("Ann", "a@b.example", "a@b.example (Ann)"),
        ]
        .map(|(name, address, whole)| (name.to_owned(), address.to_owned(), whole.to_owned()));
        assert_eq!(seen, expected);
    }

    #[test]
    fn groups_routes_comments_and_obsolete_blanks_are_read() {
        assert_eq!(
            addresses_of("Parents: a@x.example, B <b@y.example>;, c@z.example"),
            ["a@x.example", "b@y.example", "c@z.example"]
        );
        assert_eq!(addresses_of("undisclosed-recipients:;"), Vec::<String>::new());
        assert_eq!(addresses_of("<@relay.example,@two.example:a@x.example>"), ["a@x.example"]);
        assert_eq!(
            addresses_of("pete(a \\) comment (nested)) . b @ x . example"),
            ["pete.b@x.example"]
        );
        assert_eq!(
            addresses_of("\"a, b\"@x.example, <\"c>d\"@y.example>"),
            ["\"a, b\"@x.example", "\"c>d\"@y.example"]
        );
        assert_eq!(addresses_of("a@[IPv6:2001:db8::1]"), ["a@[ipv6:2001:db8::1]"]);
        assert_eq!(
            addresses_of("T. Brown <t@x.example>; u@x.example"),
            ["t@x.example", "u@x.example"]
        );
        assert_eq!(addresses_of(",, ,a@x.example,"), ["a@x.example"]);
    }

    #[test]
    fn what_readers_would_guess_at_is_counted() {
        for value in [
            "Tom Brown",
            "a@x.example b@y.example",
            "<a@x.example> <b@y.example>",
            "<a@x.example> b@y.example",
            "\"unclosed <a@x.example>",
            "(unclosed a@x.example",
            "<a@x.example",
            "<>",
            "a@",
            "a@x.example:",
        ] {
            assert_eq!(read(value), (Vec::new(), 1), "{value}");
        }
    }

    #[test]
    fn hostile_fields_take_linear_time() {
        for unit in ["(", "\"", "<", "=?", "=?a?b?", ",", "a@x.example ", "[", "<(", ":;"] {
            let value = unit.repeat(300_000 / unit.len());
            let list = read_list(value.as_bytes(), 0..value.len());
            assert!(list.mailboxes.is_empty(), "{unit}");
        }
    }
}
