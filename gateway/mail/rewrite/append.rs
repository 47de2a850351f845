//! The disclaimer at the end of one body, in that body's charset and transfer encoding.
//!
//! As little as possible is written anew: an insertion where the encoding allows it, one line of
//! quoted-printable, the tail of base64; the whole part only where its charset or its encoding
//! can't carry the disclaimer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::decoders::base64::base64_decode;

use super::charset::Charset;
use super::disclaimer::{Disclaimer, Kind};
use super::fields::encoding_edits;
use super::html_end::end_of_html;
use super::qp;
use crate::mail::{Content, Flow, Message, Part, PartId, Splice, TransferEncoding};

/// The longest line of RFC 5322 section 2.1.1, without CRLF.
const LONGEST_LINE: usize = 998;
/// The longest line of base64, RFC 2045 section 6.8.
const BASE64_LINE: usize = 76;

/// The edits of one part.
pub(super) struct Appended {
    /// Absolute, in order.
    pub(super) splices: Vec<Splice>,
    /// What its reader finds in addition, decoded.
    pub(super) text: String,
}

/// Appends; `None` where the part can't be decoded without loss, so that nothing may be changed.
pub(super) fn append(
    message: &Message,
    id: PartId,
    kind: Kind,
    disclaimer: &Disclaimer,
) -> Option<Appended> {
    let part = message.parts().get(id)?;
    let Content::Text(text) = &part.content else { return None };
    let coded = message.raw().get(part.body.clone())?;
    let body =
        Body { message, part, coded, text: text.expose(), octets: decode(part.encoding, coded)? };
    let charset = Charset::of(part.charset.as_deref(), &body.octets);
    let place = body.place(kind, charset);
    let mut addition = body.addition(kind, disclaimer);
    let mut fitting = charset.encode(&addition);
    if fitting.is_none() && kind == Kind::Html && charset.is_ascii_compatible() {
        addition = with_references(&addition);
        fitting = charset.encode(&addition);
    }
    let splices = match fitting.zip(place) {
        Some((octets, place)) => body.insert(charset, place, &octets)?,
        None => body.upgrade(kind, &addition)?,
    };
    Some(Appended { splices, text: addition })
}

struct Body<'a> {
    message: &'a Message,
    part: &'a Part,
    coded: &'a [u8],
    text: &'a str,
    octets: Vec<u8>,
}

impl Body<'_> {
    /// Where the addition stands among the decoded octets.
    fn place(&self, kind: Kind, charset: Charset) -> Option<usize> {
        match kind {
            Kind::Plain => Some(self.octets.len()),
            Kind::Html if charset.is_ascii_compatible() => Some(end_of_html(&self.octets)),
            Kind::Html => charset.offset_in_octets(self.text, end_of_html(self.text.as_bytes())),
        }
    }

    fn addition(&self, kind: Kind, disclaimer: &Disclaimer) -> String {
        match kind {
            Kind::Html => format!("\r\n{}", disclaimer.html),
            Kind::Plain => {
                let flowed = matches!(self.part.flow, Flow::Flowed { .. });
                let text = if flowed { stuffed(&disclaimer.text) } else { disclaimer.text.clone() };
                // An empty line ends the paragraph before, also one that would flow on (RFC 3676).
                let lead = match self.text {
                    "" => "",
                    text if text.ends_with('\n') => "\r\n",
                    _ => "\r\n\r\n",
                };
                format!("{lead}{text}")
            }
        }
    }

    fn insert(&self, charset: Charset, place: usize, addition: &[u8]) -> Option<Vec<Splice>> {
        let start = self.part.body.start;
        let splice = match self.part.encoding {
            TransferEncoding::QuotedPrintable => {
                qp::Lines::decode(self.coded)?.insert(self.coded, place, addition)?
            }
            TransferEncoding::Base64 => self.insert_base64(place, addition)?,
            TransferEncoding::Unknown => return None,
            plain if charset.is_ascii_compatible() && travels(plain, addition) => {
                Splice { at: place..place, with: addition.to_vec() }
            }
            _ => {
                let (front, back) = self.octets.split_at_checked(place)?;
                return self.replace(&[front, addition, back].concat(), None);
            }
        };
        let at = start + splice.at.start..start + splice.at.end;
        Some(vec![Splice { at, with: splice.with }])
    }

    /// The tail from the last line that begins on a quantum and holds nothing behind `place`.
    fn insert_base64(&self, place: usize, addition: &[u8]) -> Option<Splice> {
        let (mut from, mut kept, mut digits, mut at) = (0, 0, 0_usize, 0);
        for line in self.coded.split_inclusive(|&octet| octet == b'\n') {
            if digits.is_multiple_of(4) && digits / 4 * 3 <= place {
                (from, kept) = (at, digits / 4 * 3);
            }
            if line.contains(&b'=') {
                break;
            }
            digits += line.iter().filter(|octet| !octet.is_ascii_whitespace()).count();
            at += line.len();
        }
        let front = self.octets.get(kept..place)?;
        let back = self.octets.get(place..)?;
        let with = base64_lines(&[front, addition, back].concat());
        Some(Splice { at: from..self.coded.len(), with })
    }

    /// The part in UTF-8, where its charset can't hold the addition.
    fn upgrade(&self, kind: Kind, addition: &str) -> Option<Vec<Splice>> {
        if self.text.contains('\u{FFFD}') {
            return None;
        }
        let place = match kind {
            Kind::Plain => self.text.len(),
            Kind::Html => end_of_html(self.text.as_bytes()),
        };
        let (front, back) = self.text.split_at_checked(place)?;
        self.replace([front, addition, back].concat().as_bytes(), Some("utf-8"))
    }

    /// The whole body anew, in an encoding that carries it, with the fields to match.
    fn replace(&self, octets: &[u8], charset: Option<&str>) -> Option<Vec<Splice>> {
        let mostly_text =
            octets.iter().filter(|octet| !readable(**octet)).count() * 6 <= octets.len();
        let (name, with) = match mostly_text {
            true => ("quoted-printable", qp::encode(octets)),
            false => ("base64", base64_lines(octets)),
        };
        let mut splices = encoding_edits(self.message, self.part, name, charset);
        splices.push(Splice { at: self.part.body.clone(), with });
        Some(splices)
    }
}

fn decode(encoding: TransferEncoding, coded: &[u8]) -> Option<Vec<u8>> {
    match encoding {
        TransferEncoding::QuotedPrintable => Some(qp::Lines::decode(coded)?.octets()),
        TransferEncoding::Base64 => base64_decode(coded),
        TransferEncoding::Unknown => None,
        TransferEncoding::SevenBit | TransferEncoding::EightBit | TransferEncoding::Binary => {
            Some(coded.to_vec())
        }
    }
}

/// Whether octets may travel as they are under this encoding.
fn travels(encoding: TransferEncoding, octets: &[u8]) -> bool {
    let short = octets.split(|&octet| octet == b'\n').all(|line| line.len() <= LONGEST_LINE);
    short && (encoding != TransferEncoding::SevenBit || octets.is_ascii())
}

fn readable(octet: u8) -> bool {
    octet.is_ascii_graphic() || matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

fn base64_lines(octets: &[u8]) -> Vec<u8> {
    let coded = STANDARD.encode(octets);
    let lines = coded.as_bytes().chunks(BASE64_LINE);
    lines.flat_map(|line| line.iter().chain(b"\r\n")).copied().collect()
}

/// Space-stuffing of RFC 3676 section 4.4.
fn stuffed(text: &str) -> String {
    let line = |line: &str| match line.starts_with([' ', '>']) || line.starts_with("From ") {
        true => format!(" {line}\r\n"),
        false => format!("{line}\r\n"),
    };
    text.lines().map(line).collect()
}

/// Character references in the place of what is beyond ASCII.
fn with_references(html: &str) -> String {
    html.chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { format!("&#{};", u32::from(c)) })
        .collect()
}
