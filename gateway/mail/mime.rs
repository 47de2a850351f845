//! The MIME fields of one part (RFC 2045, 2183, 2231), and its octets without transfer encoding.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, HeaderValue};

use super::defects::{Defect, Defects};
use super::header::Field;
use super::message::{Disposition, Flow, TransferEncoding};
use super::sensitive::Sensitive;

/// The longest MIME field that is read, in octets; mail-parser's work grows faster than its length.
const LONGEST_VALUE: usize = 8 * 1024;

/// What the MIME fields of one part declare.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) media_type: String,
    pub(super) charset: Option<String>,
    pub(super) boundary: Option<Vec<u8>>,
    pub(super) flow: Flow,
    pub(super) disposition: Option<Disposition>,
    pub(super) filename: Option<Sensitive<String>>,
    pub(super) other_name: Option<Sensitive<String>>,
    pub(super) encoding: TransferEncoding,
}

/// Reads the MIME fields; `default_type` holds where no Content-Type stands.
pub(super) fn declared(
    raw: &[u8],
    fields: &[Field],
    default_type: &str,
    defects: &mut Defects,
) -> Declared {
    let kind = structured(raw, fields, "Content-Type", defects);
    let place = structured(raw, fields, "Content-Disposition", defects);
    let parameter = |name| kind.as_ref().and_then(|kind| kind.parameter(name));
    let flow = match (parameter("format"), parameter("delsp")) {
        (Some(format), delsp) if format.eq_ignore_ascii_case("flowed") => {
            Flow::Flowed { delete_space: delsp.is_some_and(|v| v.eq_ignore_ascii_case("yes")) }
        }
        _ => Flow::Fixed,
    };
    let own_name = parameter("name").map(str::to_owned);
    let filename = place.as_ref().and_then(|place| place.parameter("filename")).map(str::to_owned);
    let (filename, other_name) = match (filename, own_name) {
        (Some(filename), Some(name)) if filename != name => (Some(filename), Some(name)),
        (filename, name) => (filename.or(name), None),
    };
    Declared {
        charset: parameter("charset").map(str::to_ascii_lowercase),
        boundary: parameter("boundary").map(|text| text.trim_end().as_bytes().to_vec()),
        flow,
        disposition: place.as_ref().map(disposition),
        filename: filename.map(Sensitive::new),
        other_name: other_name.map(Sensitive::new),
        encoding: transfer_encoding(raw, fields, defects),
        media_type: kind.map_or_else(|| default_type.to_owned(), |kind| kind.value),
    }
}

fn disposition(place: &Structured) -> Disposition {
    match place.value == "inline" {
        true => Disposition::Inline,
        false => Disposition::Attachment,
    }
}

/// A structured field: its value and its parameters, names in lower case.
struct Structured {
    value: String,
    parameters: Vec<(String, String)>,
}

impl Structured {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The first field of that name; a second one, or one parameter given twice, is a defect.
fn structured(
    raw: &[u8],
    fields: &[Field],
    name: &str,
    defects: &mut Defects,
) -> Option<Structured> {
    let value = only(raw, fields, name, defects)?;
    if value.len() > LONGEST_VALUE {
        defects.add(Defect::OverLimit);
    }
    let value = value.get(..value.len().min(LONGEST_VALUE)).unwrap_or_default();
    let line = [value, b"\r\n"].concat();
    let HeaderValue::ContentType(parsed) = MessageStream::new(&line).parse_content_type() else {
        return None;
    };
    let parsed = owned(&parsed);
    let twice = |name: &str| parsed.parameters.iter().filter(|(own, _)| own == name).count() > 1;
    if ["boundary", "charset", "name", "filename"].into_iter().any(twice) {
        defects.add(Defect::DuplicateMimeField);
    }
    Some(parsed)
}

fn owned(parsed: &ContentType<'_>) -> Structured {
    let value = match parsed.subtype() {
        Some(subtype) => format!("{}/{subtype}", parsed.ctype()),
        None => parsed.ctype().to_owned(),
    };
    let parameters = parsed.attributes().unwrap_or_default().iter();
    Structured {
        value: value.trim().to_lowercase(),
        parameters: parameters
            .map(|own| (own.name.to_lowercase(), own.value.to_string()))
            .collect(),
    }
}

fn only<'a>(
    raw: &'a [u8],
    fields: &[Field],
    name: &str,
    defects: &mut Defects,
) -> Option<&'a [u8]> {
    let named = |field: &&Field| {
        raw.get(field.name.clone()).is_some_and(|own| own.eq_ignore_ascii_case(name.as_bytes()))
    };
    let mut all = fields.iter().filter(named);
    let first = all.next()?;
    if all.next().is_some() {
        defects.add(Defect::DuplicateMimeField);
    }
    raw.get(first.value.clone())
}

fn transfer_encoding(raw: &[u8], fields: &[Field], defects: &mut Defects) -> TransferEncoding {
    let Some(value) = only(raw, fields, "Content-Transfer-Encoding", defects) else {
        return TransferEncoding::SevenBit;
    };
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    let text = text.split_once('(').map_or(text.as_str(), |(before, _)| before);
    match text.trim().trim_end_matches(';').trim_matches('"') {
        "7bit" | "7-bit" | "" => TransferEncoding::SevenBit,
        "8bit" | "8-bit" => TransferEncoding::EightBit,
        "binary" => TransferEncoding::Binary,
        "quoted-printable" => TransferEncoding::QuotedPrintable,
        "base64" => TransferEncoding::Base64,
        _ => TransferEncoding::Unknown,
    }
}

/// The octets of a leaf without their transfer encoding; `Err` holds them as they stand where
/// they do not decode, or nobody knows how.
pub(super) fn decode(
    body: &[u8],
    encoding: TransferEncoding,
) -> Result<Cow<'_, [u8]>, Cow<'_, [u8]>> {
    match encoding {
        TransferEncoding::SevenBit | TransferEncoding::EightBit | TransferEncoding::Binary => {
            Ok(body.into())
        }
        TransferEncoding::QuotedPrintable => {
            quoted_printable_decode(body).map(Cow::from).ok_or(body.into())
        }
        TransferEncoding::Base64 if ends_at_padding(body) => {
            base64_decode(body).map(Cow::from).ok_or(body.into())
        }
        TransferEncoding::Base64 | TransferEncoding::Unknown => Err(body.into()),
    }
}

/// Behind the padding some readers stop and some go on, so nothing may stand there.
fn ends_at_padding(body: &[u8]) -> bool {
    let padding = body.iter().position(|&octet| octet == b'=').unwrap_or(body.len());
    let rest = body.get(padding..).unwrap_or_default();
    rest.iter().all(|octet| b"= \t\r\n".contains(octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfer_encodings_decode_or_are_told() {
        let quoted = TransferEncoding::QuotedPrintable;
        let base64 = TransferEncoding::Base64;
        assert_eq!(decode(b"Zo=C3=AB =\r\nA", quoted), Ok("Zoë A".as_bytes().into()));
        assert_eq!(decode(b"a=zz", quoted), Err(b"a=zz"[..].into()));
        assert_eq!(decode(b"WmXD\r\nqw==\r\n", base64), Ok(b"Ze\xc3\xab"[..].into()));
        assert_eq!(decode(b"WmXD*", base64), Err(b"WmXD*"[..].into()));
        assert_eq!(decode(b"Wg==WmXD", base64), Err(b"Wg==WmXD"[..].into()));
        assert_eq!(decode(b"x", TransferEncoding::Unknown), Err(b"x"[..].into()));
    }
}
