//! Quoted-printable (RFC 2045 section 6.7): encoding, and inserting into what is encoded already.

use std::ops::Range;

use mail_parser::decoders::quoted_printable::quoted_printable_decode;

use crate::mail::Splice;

/// The longest encoded line, without the `=` of a soft break.
const LINE: usize = 75;

/// Encodes octets; CRLF stays a line break. The last line has at most 75 octets, so that a soft
/// break can follow it.
pub(super) fn encode(octets: &[u8]) -> Vec<u8> {
    let mut coded = Vec::with_capacity(octets.len() + octets.len() / 8);
    let mut column = 0;
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        let next = octets.get(at + 1).copied();
        if octet == b'\r' && next == Some(b'\n') {
            coded.extend_from_slice(b"\r\n");
            (column, at) = (0, at + 2);
            continue;
        }
        let literal = stays(octet, next, octets.get(at + 2).copied(), column);
        let width = if literal { 1 } else { 3 };
        if column + width > LINE {
            coded.extend_from_slice(b"=\r\n");
            column = 0;
            continue;
        }
        if literal {
            coded.push(octet);
        } else {
            coded.extend_from_slice(format!("={octet:02X}").as_bytes());
        }
        (column, at) = (column + width, at + 1);
    }
    coded
}

/// Whether an octet may stand for itself. Blanks may not end a line, and `--` may not begin one,
/// lest it read as a boundary.
fn stays(octet: u8, next: Option<u8>, after: Option<u8>, column: usize) -> bool {
    match octet {
        b' ' | b'\t' => next.is_some() && !(next == Some(b'\r') && after == Some(b'\n')),
        b'=' => false,
        b'-' => column > 0,
        _ => octet.is_ascii_graphic(),
    }
}

/// An encoded body line by line, each with what it decodes to.
pub(super) struct Lines {
    lines: Vec<(Range<usize>, Vec<u8>)>,
}

impl Lines {
    /// Decodes a body; `None` if it is not quoted-printable.
    pub(super) fn decode(coded: &[u8]) -> Option<Self> {
        let mut lines = Vec::new();
        let mut start = 0;
        for line in coded.split_inclusive(|&octet| octet == b'\n') {
            let decoded = quoted_printable_decode(line)?;
            lines.push((start..start + line.len(), decoded));
            start += line.len();
        }
        Some(Self { lines })
    }

    /// All it decodes to.
    pub(super) fn octets(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|(_, decoded)| decoded.iter().copied()).collect()
    }

    /// The splice, relative to `coded`, after which the body decodes with `addition` at `place`.
    /// Only the one encoded line around that place is written anew.
    pub(super) fn insert(&self, coded: &[u8], place: usize, addition: &[u8]) -> Option<Splice> {
        let mut before = 0;
        for (range, decoded) in &self.lines {
            let unfinished = !coded.get(range.clone())?.ends_with(b"\n");
            if before + decoded.len() > place || unfinished {
                let (front, back) = decoded.split_at_checked(place.checked_sub(before)?)?;
                let mut with = encode(&[front, addition, back].concat());
                if !back.is_empty() && !back.ends_with(b"\n") && !unfinished {
                    with.extend_from_slice(b"=\r\n");
                }
                return Some(Splice { at: range.clone(), with });
            }
            before += decoded.len();
        }
        (before == place).then(|| Splice { at: coded.len()..coded.len(), with: encode(addition) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::apply;

    #[test]
    fn encodes_within_the_line_limit_and_back() {
        let octets: Vec<u8> = (0..=255).cycle().take(2_000).collect();
        let text = "caf\u{e9} = 3 \r\n--boundary\r\nend of text \t".as_bytes();
        for original in [octets.as_slice(), text, b"", &[b'a'; 300]] {
            let coded = encode(original);
            assert!(coded.split(|&c| c == b'\n').all(|line| line.len() <= 77));
            assert!(!coded.windows(2).any(|pair| pair == b" \r" || pair == b"\t\r"));
            // One break in front, so that the decoder knows lines end in CRLF.
            let decoded = quoted_printable_decode(&[b"=\r\n", coded.as_slice()].concat());
            assert_eq!(decoded.as_deref(), Some(original));
        }
        assert!(encode(text).windows(4).any(|w| w == b"=2D-"));
    }

    #[test]
    fn inserts_at_any_place_of_any_body() {
        for coded in [
            "one line",
            "hard\r\nbreaks\r\n",
            "soft =\r\nbreak=\r\n",
            "a=3D=C3=A9</bo=\r\ndy></html>",
            "blank at the end \r\nof=20=\r\nlines ",
            "",
        ] {
            let lines = Lines::decode(coded.as_bytes()).unwrap();
            let octets = lines.octets();
            for place in 0..=octets.len() {
                let splice = lines.insert(coded.as_bytes(), place, b"\r\n[=]\r\n").unwrap();
                let edited = apply(coded.as_bytes(), &[splice]).unwrap();
                let expected = [&octets[..place], b"\r\n[=]\r\n", &octets[place..]].concat();
                let again = Lines::decode(&edited).unwrap().octets();
                assert_eq!(again, expected, "{coded:?} at {place}");
            }
        }
    }
}
