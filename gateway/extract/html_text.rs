//! The text of HTML between its tags: blanks, character references, percent-encoded links.

use std::borrow::Cow;

use super::view::View;

/// The longest character reference with its `&` and `;`, in octets (HTML has none longer).
const LONGEST_REFERENCE: usize = 34;

/// Text between tags: every run of blanks is one space.
pub(super) fn show_run(run: &str, source: usize, view: &mut View) {
    let mut at = 0;
    while let Some(rest) = run.get(at..).filter(|rest| !rest.is_empty()) {
        let is_blank = |c: char| c.is_ascii_whitespace();
        let word = rest.find(is_blank).unwrap_or(rest.len());
        view.push(rest.get(..word).unwrap_or_default(), source + at);
        let blanks = rest.get(word..).unwrap_or_default();
        let length = blanks.find(|c: char| !is_blank(c)).unwrap_or(blanks.len());
        if length > 0 {
            view.separate(' ', source + at + word);
        }
        at += word + length;
    }
}

/// A character reference at the beginning of `rest`; returns where the text goes on.
pub(super) fn reference(rest: &str, at: usize, view: &mut View) -> usize {
    let limit = rest.len().min(LONGEST_REFERENCE);
    let body = rest.bytes().take(limit).skip(1);
    let length =
        1 + body.take_while(|octet| octet.is_ascii_alphanumeric() || *octet == b'#').count();
    let length = length + usize::from(rest.as_bytes().get(length) == Some(&b';'));
    let written = rest.get(..length).unwrap_or("&");
    match htmlize::unescape(written) {
        Cow::Owned(shown) => {
            for char in shown.chars() {
                view.push_char(char, at);
            }
            at + written.len()
        }
        Cow::Borrowed(_) => {
            view.push_char('&', at);
            at + 1
        }
    }
}

/// The value of an attribute, its references decoded; of a link also its `%20`.
pub(super) fn show_value(value: &str, source: usize, is_link: bool, view: &mut View) {
    if is_link && value.contains('%') {
        let shown = percent_decoded(&htmlize::unescape_attribute(value));
        for char in shown.chars() {
            view.push_char(char, source);
        }
        return;
    }
    let mut at = 0;
    while let Some(rest) = value.get(at..).filter(|rest| !rest.is_empty()) {
        let run = rest.find('&').unwrap_or(rest.len());
        show_run(rest.get(..run).unwrap_or_default(), source + at, view);
        at += run;
        let rest = rest.get(run..).unwrap_or_default();
        if !rest.is_empty() {
            at = reference(rest, source + at, view) - source;
        }
    }
}

fn percent_decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        let escaped = match (octet, tail) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        octets.push(escaped.map_or(octet, |(high, low)| high << 4 | low));
        rest = escaped.and_then(|_| tail.get(2..)).unwrap_or(tail);
    }
    String::from_utf8_lossy(&octets).into_owned()
}

fn hex_digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}
