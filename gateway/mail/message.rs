//! A parsed message: the part tree as octet ranges into immutable bytes, and its defects.
//!
//! Nested messages are leaves here: whoever wants to look inside parses their octets as another
//! [`Message`].

use std::ops::Range;

use bytes::Bytes;

use super::defects::Defect;
use super::header::{Field, decode_text};
use super::sensitive::Sensitive;
use super::walk::{Walked, walk};

/// Index of a part in [`Message::parts`]; 0 is the message itself.
pub type PartId = usize;

/// Bounds on what one message may hold. What lies beyond makes the message suspicious.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Parts, the multiparts counted.
    pub parts: usize,
    /// Multiparts inside each other.
    pub depth: usize,
    /// Header fields in one header section.
    pub fields: usize,
    /// Octets of one header section.
    pub header_octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { parts: 1_000, depth: 20, fields: 1_000, header_octets: 256 * 1024 }
    }
}

/// How a part's octets are encoded for transfer (RFC 2045 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferEncoding {
    /// 7bit, also where nothing is declared.
    SevenBit,
    /// 8bit.
    EightBit,
    /// binary.
    Binary,
    /// quoted-printable.
    QuotedPrintable,
    /// base64.
    Base64,
    /// Anything else; the content is not readable.
    Unknown,
}

/// Content-Disposition (RFC 2183).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// inline.
    Inline,
    /// attachment, and every unknown value (RFC 2183 section 2.8).
    Attachment,
}

/// How the lines of a text/plain part are to be read (RFC 3676).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Each line stands for itself.
    Fixed,
    /// A line that ends in a space goes on in the next one.
    Flowed {
        /// That space goes when the lines are joined (`DelSp=yes`).
        delete_space: bool,
    },
}

/// What a part holds, decoded from its transfer encoding.
#[derive(Debug, Clone)]
pub enum Content {
    /// The children, in order.
    Multipart(Vec<PartId>),
    /// A text/plain or text/html part that is neither declared an attachment nor named like a
    /// file, decoded from its charset too: a body.
    Text(Sensitive<String>),
    /// The octets of a message/rfc822 part.
    Message(Bytes),
    /// Any other leaf.
    Octets(Bytes),
}

/// One part of a message.
#[derive(Debug, Clone)]
pub struct Part {
    /// The multipart it stands in; `None` for the message itself.
    pub parent: Option<PartId>,
    /// `type/subtype` in lower case; `text/plain` where nothing is declared.
    pub media_type: String,
    /// The charset parameter in lower case.
    pub charset: Option<String>,
    /// Whether its lines may be joined.
    pub flow: Flow,
    /// Content-Disposition, where there is one.
    pub disposition: Option<Disposition>,
    /// The decoded file name of Content-Disposition or Content-Type.
    pub filename: Option<Sensitive<String>>,
    /// The decoded name of Content-Type where it differs from `filename`.
    pub other_name: Option<Sensitive<String>>,
    /// The declared transfer encoding.
    pub encoding: TransferEncoding,
    /// The header section with its empty line.
    pub header: Range<usize>,
    /// The body as it stands in the raw message, still encoded; inside a multipart, without the line ending that belongs to the next boundary.
    pub body: Range<usize>,
    /// The header fields.
    pub fields: Vec<Field>,
    /// The decoded content.
    pub content: Content,
}

/// A parsed message; immutable, and cheap to clone in its bytes only.
#[derive(Debug, Clone)]
pub struct Message {
    raw: Bytes,
    parts: Vec<Part>,
    asides: Vec<Range<usize>>,
    defects: Vec<Defect>,
}

impl Message {
    /// Parses a message. Never fails: what can't be read is a [`Defect`] and an opaque part.
    pub fn parse(raw: Bytes, limits: &Limits) -> Self {
        let Walked { parts, asides, defects } = walk(&raw, limits);
        Self { raw, parts, asides, defects }
    }

    /// The octets as they came.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// All parts, the message itself first, each before its children.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The octets of multiparts that stand outside every part, before the first (preamble) and
    /// after the last (epilogue), blank ones left out. No reader shows them, and yet they leave.
    pub fn asides(&self) -> &[Range<usize>] {
        &self.asides
    }

    /// What is ambiguous or broken, each kind once.
    pub fn defects(&self) -> &[Defect] {
        &self.defects
    }

    /// The header fields of the message itself.
    pub fn fields(&self) -> &[Field] {
        self.parts.first().map_or(&[], |part| &part.fields)
    }

    /// The fields of one name of the message itself, in order; names know no case.
    pub fn fields_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Field> {
        self.fields().iter().filter(move |field| self.name(field).eq_ignore_ascii_case(name))
    }

    /// A field's name as written.
    pub fn name(&self, field: &Field) -> &str {
        self.raw.get(field.name.clone()).and_then(|raw| std::str::from_utf8(raw).ok()).unwrap_or("")
    }

    /// A field's octets after the colon, folds included.
    pub fn raw_value(&self, field: &Field) -> &[u8] {
        self.raw.get(field.value.clone()).unwrap_or_default()
    }

    /// A field's value as unstructured text, unfolded and decoded (RFC 2047).
    pub fn text_value(&self, field: &Field) -> Sensitive<String> {
        Sensitive::new(decode_text(self.raw_value(field)))
    }

    /// The decoded text of the first field of that name.
    pub fn first_text(&self, name: &str) -> Option<Sensitive<String>> {
        self.fields_named(name).next().map(|field| self.text_value(field))
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn parts_are_ranges_of_the_raw_message() {
        let raw = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhello\r\n--x\r\nContent-Type: application/pdf; name=\"r.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--x--\r\n";
        let message = Message::parse(Bytes::from(raw), &Limits::default());
        assert_eq!(message.parts().len(), 3);
        assert_eq!(message.parts()[1].parent, Some(0));
        assert_eq!(&raw[message.parts()[1].body.clone()], "hello");
        assert_eq!(message.parts()[2].media_type, "application/pdf");
        assert!(
            matches!(&message.parts()[2].content, Content::Octets(octets) if octets[..] == [0, 0, 0])
        );
    }
}
