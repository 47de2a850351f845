//! A parsed message: the part tree as octet ranges into immutable bytes, and its defects.
//!
//! mail-parser does the MIME work; this file turns its result into our own types. Nested messages
//! are leaves here: whoever wants to look inside parses their octets as another [`Message`].

use std::ops::Range;

use bytes::Bytes;
use mail_parser::{Encoding, MessageParser, MessagePart, MimeHeaders, PartType};

use super::header::{Field, decode_text, fields_of};
use super::sensitive::Sensitive;

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

/// What makes a message ambiguous or broken. Any defect means *suspicious*, never clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Defect {
    /// No header, or no message at all.
    Unparsable,
    /// Two Content-Type, Content-Transfer-Encoding or Content-Disposition fields in one part.
    DuplicateMimeField,
    /// Two fields of those that RFC 5322 allows once: readers choose different ones.
    DuplicateField,
    /// A multipart without a boundary parameter, or one that no line of the body holds.
    BoundaryMissing,
    /// A multipart that does not end.
    Unclosed,
    /// Base64 or quoted-printable that does not decode, or a transfer encoding nobody knows.
    BadEncoding,
    /// A charset nobody knows, or text that does not fit it.
    BadCharset,
    /// A header line that is no field.
    BadHeader,
    /// A multipart or message with an encoding RFC 2045 section 6.4 forbids.
    EncodedComposite,
    /// A boundary that is the beginning of another line or boundary: readers split differently.
    BoundaryAmbiguous,
    /// A message/partial or message/external-body: what the reader will see is not in here.
    ElsewhereContent,
    /// An entry of an address field that is no mailbox and no group.
    BadAddress,
    /// More parts, depth, fields or header octets than [`Limits`] allows.
    OverLimit,
}

impl Defect {
    /// The defect in words for a notice or a report, without anything out of the message.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unparsable => "it has no readable header",
            Self::DuplicateMimeField => "a part of it declares its type or encoding twice",
            Self::DuplicateField => "a header field that may stand once stands there twice",
            Self::BoundaryMissing => "its parts are not separated as they declare",
            Self::Unclosed => "its last part does not end",
            Self::BadEncoding => "a part of it can't be decoded",
            Self::BadCharset => "a text in it uses an unknown or a wrong character set",
            Self::BadHeader => "its header holds a line that is no header field",
            Self::EncodedComposite => "a container in it is encoded in a forbidden way",
            Self::BoundaryAmbiguous => "its parts can be separated in two ways",
            Self::ElsewhereContent => "a part of its content lies outside the message",
            Self::BadAddress => "an entry of an address field is no address",
            Self::OverLimit => "it has more parts, levels or text than can be inspected",
        }
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

/// What a part holds, decoded from its transfer encoding.
#[derive(Debug, Clone)]
pub enum Content {
    /// The children, in order.
    Multipart(Vec<PartId>),
    /// A text/plain or text/html part, decoded from its charset too.
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
    /// Content-Disposition, where there is one.
    pub disposition: Option<Disposition>,
    /// The decoded file name of Content-Disposition or Content-Type.
    pub filename: Option<Sensitive<String>>,
    /// The declared transfer encoding.
    pub encoding: TransferEncoding,
    /// The header section with its empty line.
    pub header: Range<usize>,
    /// The body as it stands in the raw message, still encoded; for a leaf inside a multipart,
    /// without the line ending that belongs to the next boundary.
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
    defects: Vec<Defect>,
}

impl Message {
    /// Parses a message. Never fails: what can't be read is a [`Defect`] and an opaque part.
    pub fn parse(raw: Bytes, limits: &Limits) -> Self {
        let parser = MessageParser::new().with_mime_headers().default_header_ignore();
        let parsed = parser.parse(&raw[..]);
        let (parts, defects) = match parsed {
            Some(parsed) => convert(&raw, parsed.parts, limits),
            None => (vec![opaque(&raw)], vec![Defect::Unparsable]),
        };
        Self { raw, parts, defects }
    }

    /// The octets as they came.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// All parts, the message itself first, each before its children.
    pub fn parts(&self) -> &[Part] {
        &self.parts
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

fn opaque(raw: &Bytes) -> Part {
    Part {
        parent: None,
        media_type: "application/octet-stream".to_owned(),
        charset: None,
        disposition: None,
        filename: None,
        encoding: TransferEncoding::SevenBit,
        header: 0..0,
        body: 0..raw.len(),
        fields: Vec::new(),
        content: Content::Octets(raw.clone()),
    }
}

fn convert(raw: &Bytes, parsed: Vec<MessagePart<'_>>, limits: &Limits) -> (Vec<Part>, Vec<Defect>) {
    let mut defects = Vec::new();
    if parsed.len() > limits.parts {
        defects.push(Defect::OverLimit);
    }
    let mut parts: Vec<Part> = parsed
        .into_iter()
        .take(limits.parts)
        .map(|part| convert_part(raw, part, &mut defects))
        .collect();
    set_parents(&mut parts);
    defects.sort_unstable();
    defects.dedup();
    (parts, defects)
}

fn convert_part(raw: &Bytes, part: MessagePart<'_>, defects: &mut Vec<Defect>) -> Part {
    let header = part.offset_header as usize..part.offset_body as usize;
    let body = part.offset_body as usize..part.offset_end as usize;
    if part.is_encoding_problem {
        defects.push(Defect::BadEncoding);
    }
    let (fields, _) = fields_of(raw, header.start, header.end);
    let media_type = part.content_type().map_or_else(
        || "text/plain".to_owned(),
        |kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("")).to_lowercase(),
    );
    Part {
        parent: None,
        charset: part
            .content_type()
            .and_then(|kind| kind.attribute("charset"))
            .map(str::to_lowercase),
        disposition: part.content_disposition().map(|value| match value.ctype() {
            "inline" => Disposition::Inline,
            _ => Disposition::Attachment,
        }),
        filename: part.attachment_name().map(|name| Sensitive::new(name.to_owned())),
        encoding: transfer_encoding(&part),
        fields,
        content: content(raw, &body, part.encoding, part.body),
        media_type,
        header,
        body,
    }
}

fn transfer_encoding(part: &MessagePart<'_>) -> TransferEncoding {
    match part.content_transfer_encoding().map(str::to_ascii_lowercase).as_deref() {
        None | Some("7bit") => TransferEncoding::SevenBit,
        Some("8bit") => TransferEncoding::EightBit,
        Some("binary") => TransferEncoding::Binary,
        Some("quoted-printable") => TransferEncoding::QuotedPrintable,
        Some("base64") => TransferEncoding::Base64,
        Some(_) => TransferEncoding::Unknown,
    }
}

fn content(raw: &Bytes, body: &Range<usize>, encoding: Encoding, kind: PartType<'_>) -> Content {
    let as_it_stands = || raw.slice(body.start.min(raw.len())..body.end.min(raw.len()));
    match kind {
        PartType::Multipart(children) => {
            Content::Multipart(children.into_iter().map(|id| id as PartId).collect())
        }
        PartType::Text(text) | PartType::Html(text) => {
            Content::Text(Sensitive::new(text.into_owned()))
        }
        PartType::Message(inner) if encoding != Encoding::None => {
            Content::Message(Bytes::from(inner.raw_message.into_owned()))
        }
        PartType::Message(_) => Content::Message(as_it_stands()),
        PartType::Binary(octets) | PartType::InlineBinary(octets) => match octets {
            std::borrow::Cow::Owned(decoded) => Content::Octets(Bytes::from(decoded)),
            std::borrow::Cow::Borrowed(_) => Content::Octets(as_it_stands()),
        },
    }
}

fn set_parents(parts: &mut [Part]) {
    let children: Vec<(PartId, Vec<PartId>)> = parts
        .iter()
        .enumerate()
        .filter_map(|(id, part)| match &part.content {
            Content::Multipart(children) => Some((id, children.clone())),
            _ => None,
        })
        .collect();
    for (parent, child) in children.iter().flat_map(|(id, all)| all.iter().map(move |c| (*id, *c)))
    {
        if let Some(part) = parts.get_mut(child) {
            part.parent = Some(parent);
        }
    }
}

#[cfg(test)]
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
            matches!(&message.parts()[2].content, Content::Octets(octets) if &octets[..] == [0, 0, 0])
        );
    }
}
