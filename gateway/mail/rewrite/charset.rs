//! An addition in the charset of the text it is added to, or the knowledge that it doesn't fit.

use encoding_rs::{Encoding, UTF_8};

/// The charset of a text part, as far as writing into it goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Charset {
    /// us-ascii, also where nothing is declared (RFC 2045 section 5.2).
    Ascii,
    /// iso-8859-1 in its strict sense. Readers take it for windows-1252; a writer shouldn't.
    Latin1,
    /// UTF-8.
    Utf8,
    /// UTF-16 in one byte order, with or without the mark at the front.
    Utf16 { little: bool, marked: bool },
    /// Any other superset of ASCII.
    Other(&'static Encoding),
    /// One that can be read at best.
    Unknown,
}

impl Charset {
    /// The charset a label names, for these octets.
    pub(super) fn of(label: Option<&str>, octets: &[u8]) -> Self {
        match label.map(str::trim).unwrap_or("us-ascii") {
            "" | "us-ascii" | "ascii" | "ansi_x3.4-1968" => Self::Ascii,
            "iso-8859-1" | "iso8859-1" | "latin1" | "l1" => Self::Latin1,
            "utf-16" | "utf16" => Self::utf16(octets, true),
            "utf-16le" => Self::utf16(octets, true),
            "utf-16be" => Self::utf16(octets, false),
            other => match Encoding::for_label(other.as_bytes()) {
                Some(encoding) if encoding == UTF_8 => Self::Utf8,
                Some(encoding) if encoding.is_ascii_compatible() => Self::Other(encoding),
                _ => Self::Unknown,
            },
        }
    }

    fn utf16(octets: &[u8], little_by_default: bool) -> Self {
        match octets.get(..2) {
            Some([0xFF, 0xFE]) => Self::Utf16 { little: true, marked: true },
            Some([0xFE, 0xFF]) => Self::Utf16 { little: false, marked: true },
            _ => Self::Utf16 { little: little_by_default, marked: false },
        }
    }

    /// The text in this charset; `None` if one character does not fit.
    pub(super) fn encode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Ascii => text.is_ascii().then(|| text.as_bytes().to_vec()),
            Self::Latin1 => text.chars().map(latin1).collect(),
            Self::Utf8 => Some(text.as_bytes().to_vec()),
            Self::Utf16 { little, .. } => {
                let octets =
                    |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
                Some(text.encode_utf16().flat_map(octets).collect())
            }
            Self::Other(encoding) => match encoding.encode(text) {
                (octets, used, false) if used == encoding => Some(octets.into_owned()),
                _ => None,
            },
            Self::Unknown => None,
        }
    }

    /// The offset in `octets` at which the character at `offset` of the decoded `text` stands.
    /// Only for charsets that are no superset of ASCII; the others are searched as they are.
    pub(super) fn offset_in_octets(self, text: &str, offset: usize) -> Option<usize> {
        let Self::Utf16 { marked, .. } = self else { return None };
        let front = text.get(..offset)?;
        let units = front.encode_utf16().count();
        // The decoder may or may not have kept the byte order mark as a character.
        let mark = usize::from(marked && !text.starts_with('\u{FEFF}'));
        Some((units + mark) * 2)
    }

    /// Whether ASCII octets mean themselves in it.
    pub(super) fn is_ascii_compatible(self) -> bool {
        !matches!(self, Self::Utf16 { .. } | Self::Unknown)
    }
}

fn latin1(char: char) -> Option<u8> {
    let octet = u8::try_from(u32::from(char)).ok()?;
    // 0x80 to 0x9F are control characters here and typographic signs to most readers.
    (!(0x80..0xA0).contains(&octet)).then_some(octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charset_takes_what_it_has_and_refuses_the_rest() {
        for (label, text, expected) in [
            (None, "a", Some(b"a".to_vec())),
            (None, "–", None),
            (Some("iso-8859-1"), "£", Some(vec![0xA3])),
            (Some("iso-8859-1"), "–", None),
            (Some("windows-1252"), "–", Some(vec![0x96])),
            (Some("windows-1252"), "ł", None),
            (Some("utf-8"), "ł", Some("ł".as_bytes().to_vec())),
            (Some("utf-16be"), "a", Some(vec![0, b'a'])),
            (Some("utf-7"), "a", None),
        ] {
            assert_eq!(Charset::of(label, b"").encode(text), expected, "{label:?} {text}");
        }
        let marked = Charset::of(Some("utf-16"), &[0xFE, 0xFF, 0, b'a']);
        assert_eq!(marked.encode("b"), Some(vec![0, b'b']));
        assert_eq!(marked.offset_in_octets("ab", 1), Some(4));
    }
}
