//! The form in which texts and literals are compared: lower case, no accents, one kind of
//! apostrophe and hyphen, one blank for any white space; with the way back to the view.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// A folded text.
#[derive(Default)]
pub(super) struct Folded {
    text: String,
    /// Pairs (octet here, octet in the view), ascending; in step from one pair to the next.
    steps: Vec<(usize, usize)>,
}

impl Folded {
    /// Folds a view in one pass.
    pub(super) fn new(view: &str) -> Self {
        let mut out = Vec::with_capacity(view.len());
        let (mut steps, mut delta) = (Vec::new(), 0_usize);
        let mut blank = false;
        for (at, char) in view.char_indices() {
            if char.is_whitespace() && blank {
                continue;
            }
            if at.wrapping_sub(out.len()) != delta {
                delta = at.wrapping_sub(out.len());
                steps.push((out.len(), at));
            }
            push_folded(&mut out, char);
            blank = out.last() == Some(&b' ');
        }
        if view.len().wrapping_sub(out.len()) != delta {
            steps.push((out.len(), view.len()));
        }
        let text = String::from_utf8(out)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Self { text, steps }
    }

    /// The folded text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The extent of the view from which an extent of the folded text came.
    pub(super) fn in_view(&self, view: &str, span: &Range<usize>) -> Range<usize> {
        view.floor_char_boundary(self.origin(span.start))
            ..view.ceil_char_boundary(self.origin(span.end))
    }

    fn origin(&self, offset: usize) -> usize {
        let next = self.steps.partition_point(|&(folded, _)| folded <= offset);
        match next.checked_sub(1).and_then(|index| self.steps.get(index)) {
            Some(&(folded, view)) => view + (offset - folded),
            None => offset,
        }
    }
}

/// A literal folded like a text, in NFKC like a view, without blanks at its ends.
pub(super) fn fold(literal: &str) -> String {
    Folded::new(literal.nfkc().collect::<String>().trim()).text
}

fn push_folded(out: &mut Vec<u8>, char: char) {
    match char {
        '`' => out.push(b'\''),
        _ if char.is_ascii_whitespace() || char == '\u{b}' => out.push(b' '),
        _ if char.is_ascii() => {
            // Lossless: the character is ASCII.
            out.extend(u8::try_from(char).map(|octet| octet.to_ascii_lowercase()));
        }
        _ => push_beyond_ascii(out, char),
    }
}

fn push_beyond_ascii(out: &mut Vec<u8>, char: char) {
    match char {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2bc}' | '\u{2032}' | '\u{b4}' | '\u{ff07}' => {
            out.push(b'\'');
        }
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' => out.push(b'-'),
        'ß' | 'ẞ' => out.extend(b"ss"),
        'ø' | 'Ø' => out.push(b'o'),
        'ł' | 'Ł' => out.push(b'l'),
        'đ' | 'Đ' | 'ð' | 'Ð' => out.push(b'd'),
        'ı' => out.push(b'i'),
        'æ' | 'Æ' => out.extend(b"ae"),
        'œ' | 'Œ' => out.extend(b"oe"),
        'þ' | 'Þ' => out.extend(b"th"),
        _ if char.is_whitespace() => out.push(b' '),
        _ => decompose_canonical(char, |part| {
            if !is_combining_mark(part) {
                for lower in part.to_lowercase() {
                    out.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn folds_what_people_write_differently() {
        assert_eq!(fold(" Zoë\u{a0}\n O’NEIL–Price "), "zoe o'neil-price");
        assert_eq!(fold("Łukasz Müßig Ærø"), "lukasz mussig aero");
    }

    #[test]
    fn the_way_back_gives_the_words_as_written() {
        let view = "Dear Zoë,\n\n  Chloë\t Brontë’s   bag";
        let folded = Folded::new(view);
        assert_eq!(folded.text(), "dear zoe, chloe bronte's bag");
        for (needle, source) in [("zoe", "Zoë"), ("chloe bronte", "Chloë\t Brontë"), ("bag", "bag")]
        {
            let at = folded.text().find(needle).unwrap();
            let span = folded.in_view(view, &(at..at + needle.len()));
            assert_eq!(view.get(span), Some(source));
        }
    }

    proptest! {
        #[test]
        fn every_extent_of_the_folded_text_is_one_of_the_view(view in "\\PC{0,40}", a in 0..80_usize, b in 0..80_usize) {
            let folded = Folded::new(&view);
            let (a, b) = (a.min(b).min(folded.text().len()), a.max(b).min(folded.text().len()));
            prop_assert!(view.get(folded.in_view(&view, &(a..b))).is_some());
        }
    }
}
