//! Header hygiene: what must never leave, what was forged, and who may be seen.

use std::ops::Range;

use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

use super::bulk;
use super::request::{Request, Unrewritable};
use super::stamp::OWN_PREFIX;
use crate::mail::{Field, Message, Part, Splice};

/// Whether every line of the message's header section is a field or a fold, so that everybody
/// agrees where the body begins.
pub(super) fn section_is_clean(message: &Message) -> bool {
    let Some(root) = message.parts().first() else { return false };
    let whole = root.header.end == message.raw().len() && end_of_fields(root) == root.header.end;
    root.header.start == 0 && !root.fields.is_empty() && (whole || has_empty_line(message, root))
}

/// Whether a part's fields are followed by the empty line and nothing else.
pub(super) fn has_empty_line(message: &Message, part: &Part) -> bool {
    let rest = message.raw().get(end_of_fields(part)..part.header.end);
    matches!(rest, Some(b"\r\n" | b"\n"))
}

fn end_of_fields(part: &Part) -> usize {
    part.fields.last().map_or(part.header.start, |field| field.whole.end)
}

/// Whether a field goes whatever the verdict: `Bcc:` in both kinds, forged fields of ours, and a
/// forged monitor field.
pub(super) fn must_go(name: &str, request: &Request<'_>) -> bool {
    let ours = name.get(..OWN_PREFIX.len()).is_some_and(|p| p.eq_ignore_ascii_case(OWN_PREFIX));
    let monitor = request.monitor.is_some_and(|field| field.name.eq_ignore_ascii_case(name));
    ours || monitor || name.eq_ignore_ascii_case("bcc") || name.eq_ignore_ascii_case("resent-bcc")
}

/// The edits of the message's own fields, in no order.
pub(super) fn hygiene(
    message: &Message,
    request: &Request<'_>,
) -> Result<Vec<Splice>, Unrewritable> {
    let mut edits: Vec<Splice> = message
        .fields()
        .iter()
        .filter(|field| must_go(message.name(field), request))
        .map(removal)
        .collect();
    if request.force_bcc {
        edits.extend(bulk::hide(message, request)?);
    }
    Ok(edits)
}

/// The whole field goes, its line ending included.
pub(super) fn removal(field: &Field) -> Splice {
    Splice { at: field.whole.clone(), with: Vec::new() }
}

/// A field's value gives way; the name stays as it was written.
pub(super) fn replacement(field: &Field, value: &str) -> Splice {
    Splice { at: field.value.clone(), with: format!(" {value}").into_bytes() }
}

/// A part's field of that name, the first.
pub(super) fn field_of<'a>(message: &Message, part: &'a Part, name: &str) -> Option<&'a Field> {
    part.fields.iter().find(|field| message.name(field).eq_ignore_ascii_case(name))
}

/// A parameter of a part's Content-Type, decoded (RFC 2231).
pub(super) fn parameter(message: &Message, part: &Part, name: &str) -> Option<String> {
    let field = field_of(message, part, "content-type")?;
    let line = [message.raw_value(field), b"\r\n"].concat();
    match MessageStream::new(&line).parse_content_type() {
        HeaderValue::ContentType(kind) => kind.attribute(name).map(str::to_owned),
        _ => None,
    }
}

/// The edits that make a part's MIME fields say `encoding` and, where given, `charset`.
pub(super) fn encoding_edits(
    message: &Message,
    part: &Part,
    encoding: &str,
    charset: Option<&str>,
) -> Vec<Splice> {
    let mut edits = Vec::new();
    let mut added = String::new();
    if part.parent.is_none() && field_of(message, part, "mime-version").is_none() {
        added.push_str("MIME-Version: 1.0\r\n");
    }
    match (charset, field_of(message, part, "content-type")) {
        (None, _) => {}
        (Some(charset), Some(field)) => edits.push(charset_edit(message, field, charset)),
        (Some(charset), None) => {
            added.push_str(&format!("Content-Type: text/plain; charset={charset}\r\n"));
        }
    }
    match field_of(message, part, "content-transfer-encoding") {
        Some(field) => edits.push(replacement(field, encoding)),
        None => added.push_str(&format!("Content-Transfer-Encoding: {encoding}\r\n")),
    }
    if !added.is_empty() {
        let end = end_of_fields(part);
        edits.push(Splice { at: end..end, with: added.into_bytes() });
    }
    edits.sort_by_key(|splice| (splice.at.start, splice.at.end));
    edits
}

fn charset_edit(message: &Message, field: &Field, charset: &str) -> Splice {
    let value = message.raw_value(field);
    let with = format!("charset={charset}");
    match charset_extent(value) {
        Some(at) => {
            let start = field.value.start;
            Splice { at: start + at.start..start + at.end, with: with.into_bytes() }
        }
        None => {
            let open = value.trim_ascii_end().ends_with(b";");
            let with = if open { format!(" {with}") } else { format!("; {with}") };
            Splice { at: field.value.end..field.value.end, with: with.into_bytes() }
        }
    }
}

/// The extent of `charset=…` among the parameters, outside quotes and comments.
fn charset_extent(value: &[u8]) -> Option<Range<usize>> {
    let (mut start, mut at, mut quoted, mut depth) = (0, 0, false, 0_usize);
    loop {
        match value.get(at) {
            Some(b'\\') if quoted || depth > 0 => at += 1,
            Some(b'"') if depth == 0 => quoted = !quoted,
            Some(b'(') if !quoted => depth += 1,
            Some(b')') if !quoted => depth = depth.saturating_sub(1),
            None | Some(b';') if value.get(at).is_none() || (!quoted && depth == 0) => {
                let text = value.get(start..at.min(value.len()))?;
                let front = text.len() - text.trim_ascii_start().len();
                let inner = text.trim_ascii();
                if names_charset(inner) {
                    return Some(start + front..start + front + inner.len());
                }
                value.get(at)?;
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
}

fn names_charset(parameter: &[u8]) -> bool {
    let name = parameter.split(|&octet| octet == b'=').next().unwrap_or_default().trim_ascii();
    name.len() < parameter.len()
        && (name.eq_ignore_ascii_case(b"charset")
            || name.to_ascii_lowercase().starts_with(b"charset*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_charset_among_the_parameters() {
        for (value, expected) in [
            (" text/plain; charset=us-ascii", Some("charset=us-ascii")),
            (" text/plain; format=flowed;\r\n\tCharset = \"x\"; a=b", Some("Charset = \"x\"")),
            (" text/plain; name=\"; charset=no\"", None),
            (" text/plain (; charset=no)", None),
            (" text/plain", None),
        ] {
            let found = charset_extent(value.as_bytes()).and_then(|at| value.get(at));
            assert_eq!(found, expected, "{value}");
        }
    }
}
