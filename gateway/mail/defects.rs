//! The strictness pass: what in a message readers may understand in different ways.
//!
//! mail-parser, like every mail program, guesses where a message is ambiguous. A gate may not: what
//! it inspected must be what the recipient will see. So every guess is a [`Defect`].

use super::addresses::read_list;
use super::header::Field;

/// What makes a message ambiguous or broken. Any defect means *suspicious*, never clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Defect {
    /// No header, or no message at all.
    Unparsable,
    /// Two Content-Type, Content-Transfer-Encoding or Content-Disposition fields in one part, or
    /// one of their parameters twice.
    DuplicateMimeField,
    /// Two fields of those that RFC 5322 section 3.6 allows once: readers choose different ones.
    DuplicateField,
    /// A multipart without a boundary parameter, or one that no line of the body holds.
    BoundaryMissing,
    /// A multipart that does not end.
    Unclosed,
    /// Base64 or quoted-printable that does not decode, or a transfer encoding nobody knows.
    BadEncoding,
    /// A charset nobody knows, or text that does not fit it.
    BadCharset,
    /// A header line that is no field, or a header that is neither ASCII nor UTF-8.
    BadHeader,
    /// A multipart or message with an encoding RFC 2045 section 6.4 forbids.
    EncodedComposite,
    /// A boundary that is the beginning of another line or boundary: readers split differently.
    BoundaryAmbiguous,
    /// A message/partial or message/external-body: what the reader will see is not in here.
    ElsewhereContent,
    /// An entry of an address field that is no mailbox and no group.
    BadAddress,
    /// More parts, depth, fields, header octets or text than the limits allow.
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

/// The defects met so far, each kind once, in the order of their declaration.
#[derive(Debug, Default)]
pub(super) struct Defects(Vec<Defect>);

impl Defects {
    pub(super) fn add(&mut self, defect: Defect) {
        if let Err(place) = self.0.binary_search(&defect) {
            self.0.insert(place, defect);
        }
    }

    pub(super) fn into_vec(self) -> Vec<Defect> {
        self.0
    }
}

/// Fields that RFC 5322 section 3.6 allows once. `Bcc` is not among them: it is always removed.
const ONCE: [&str; 8] = ["From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID"];

const ADDRESS_FIELDS: [&str; 10] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Resent-From",
    "Resent-To",
    "Resent-Cc",
    "Resent-Bcc",
];

/// Checks the header of the message itself.
pub(super) fn check_message_header(raw: &[u8], fields: &[Field], defects: &mut Defects) {
    if fields.is_empty() {
        defects.add(Defect::Unparsable);
    }
    let mut seen = [false; ONCE.len()];
    for field in fields {
        let name = raw.get(field.name.clone()).unwrap_or_default();
        let is = |other: &&str| name.eq_ignore_ascii_case(other.as_bytes());
        let once = ONCE.iter().position(is).and_then(|index| seen.get_mut(index));
        if once.is_some_and(|seen| std::mem::replace(seen, true)) {
            defects.add(Defect::DuplicateField);
        }
        if ADDRESS_FIELDS.iter().any(is) && read_list(raw, field.value.clone()).unreadable > 0 {
            defects.add(Defect::BadAddress);
        }
    }
}

/// Checks the octets of any header section: text that is neither ASCII nor UTF-8, NUL, and a CR
/// that ends no line, at which some readers begin a new field.
pub(super) fn check_header_octets(header: &[u8], defects: &mut Defects) {
    let bare_cr = header.iter().zip(header.iter().skip(1).chain(std::iter::once(&0)));
    let bare_cr = bare_cr.into_iter().any(|(&octet, &next)| octet == b'\r' && next != b'\n');
    if bare_cr || header.contains(&0) || std::str::from_utf8(header).is_err() {
        defects.add(Defect::BadHeader);
    }
}
