//! Octets of a text to UTF-8, by the charset the message declares.

use encoding_rs::{Encoding, REPLACEMENT, UTF_8, WINDOWS_1252};
use mail_parser::decoders::charsets::map::charset_decoder;

/// A text decoded from its charset.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// The text; what did not fit is U+FFFD.
    pub(super) text: String,
    /// The charset is unknown, or the octets do not fit it.
    pub(super) misfit: bool,
}

/// Decodes by the declared charset. Where none is declared, or US-ASCII although there are octets
/// beyond it (old copiers do that), readers show UTF-8 if it is valid and Windows-1252 otherwise.
pub(super) fn decode(octets: &[u8], charset: Option<&str>) -> Decoded {
    match charset.map(str::trim) {
        None | Some("" | "us-ascii" | "ascii") => undeclared(octets),
        Some(label) => match Encoding::for_label(label.as_bytes()) {
            Some(encoding) if encoding != REPLACEMENT => {
                let (text, _, misfit) = encoding.decode(octets);
                Decoded { text: text.into_owned(), misfit }
            }
            _ => rare(octets, label),
        },
    }
}

fn undeclared(octets: &[u8]) -> Decoded {
    let encoding = match std::str::from_utf8(octets) {
        Ok(_) => UTF_8,
        Err(_) => WINDOWS_1252,
    };
    // `decode` obeys a byte order mark first, as readers do.
    let (text, _, misfit) = encoding.decode(octets);
    Decoded { text: text.into_owned(), misfit }
}

/// UTF-7 and code page 850, which browsers dropped and mail programs still write.
fn rare(octets: &[u8], label: &str) -> Decoded {
    match charset_decoder(label.as_bytes()) {
        Some(decoder) if Encoding::for_label(label.as_bytes()) != Some(REPLACEMENT) => {
            Decoded { text: decoder(octets), misfit: false }
        }
        _ => Decoded { text: undeclared(octets).text, misfit: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(octets: &[u8], charset: Option<&str>) -> (String, bool) {
        let decoded = decode(octets, charset);
        (decoded.text, decoded.misfit)
    }

    #[test]
    fn the_charsets_that_schools_meet_are_known() {
        for (octets, charset, expected) in [
            (&b"Zo\xeb"[..], "iso-8859-1", "Zoë"),
            (b"\x93Zo\xeb\x94", "windows-1252", "“Zoë”"),
            (b"\xa4", "iso-8859-15", "€"),
            (b"Z\x00o\x00\xeb\x00", "utf-16le", "Zoë"),
            (b"\xfe\xff\x00Z", "utf-16", "Z"),
            (b"\x82\xa0", "shift_jis", "あ"),
            (b"\xc4\xe3", "gb18030", "你"),
            (b"Zo+AOs-", "utf-7", "Zoë"),
            (b"\x84", "cp850", "ä"),
            (b"Zo\xc3\xab", "us-ascii", "Zoë"),
        ] {
            assert_eq!(text(octets, Some(charset)), (expected.to_owned(), false), "{charset}");
        }
        assert_eq!(text(b"Zo\xeb", None), ("Zoë".to_owned(), false));
        assert_eq!(text("Zoë".as_bytes(), None), ("Zoë".to_owned(), false));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        assert_eq!(text(b"Zo\xeb", Some("utf-8")), ("Zo\u{fffd}".to_owned(), true));
        assert_eq!(text(b"Tom", Some("x-klingon")), ("Tom".to_owned(), true));
        assert!(decode(b"Tom", Some("iso-2022-kr")).misfit);
    }
}
