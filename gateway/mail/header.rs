//! Header fields as extents of the raw message, and their values decoded.

use std::ops::Range;

use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

/// One header field (RFC 5322 section 2.2) as octets of the raw message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name, without the colon.
    pub name: Range<usize>,
    /// What follows the colon, folds included, without the last line ending.
    pub value: Range<usize>,
    /// The whole field with its last line ending.
    pub whole: Range<usize>,
}

/// The fields of a header section that begins at `start`, and where its body begins: after the
/// empty line, or at the first line that is no field, or at `end`.
pub fn fields_of(raw: &[u8], start: usize, end: usize) -> (Vec<Field>, usize) {
    let mut fields: Vec<Field> = Vec::new();
    let mut at = start;
    while at < end {
        let line_end = line_end(raw, at, end);
        let line = raw.get(at..line_end).unwrap_or_default();
        match line.first() {
            Some(b'\r' | b'\n') => return (fields, line_end),
            Some(b' ' | b'\t') => match fields.last_mut() {
                Some(field) => extend(raw, field, line_end),
                None => return (fields, at),
            },
            _ => match name_length(line) {
                Some(length) => fields.push(field(raw, at, length, line_end)),
                None => return (fields, at),
            },
        }
        at = line_end;
    }
    (fields, end)
}

/// Unstructured text, unfolded, with RFC 2047's encoded words decoded.
pub(super) fn decode_text(raw_value: &[u8]) -> String {
    let line = [raw_value, b"\r\n"].concat();
    match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => text.into_owned(),
        _ => String::new(),
    }
}

fn line_end(raw: &[u8], at: usize, end: usize) -> usize {
    let rest = raw.get(at..end).unwrap_or_default();
    rest.iter().position(|&octet| octet == b'\n').map_or(end, |index| at + index + 1)
}

/// RFC 5322: a field name is printable ASCII without the colon; blanks before the colon are
/// obsolete syntax, still read by everybody.
fn name_length(line: &[u8]) -> Option<usize> {
    let colon = line.iter().position(|&octet| octet == b':')?;
    let name = line.get(..colon)?.trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(name.len())
}

fn field(raw: &[u8], at: usize, name_length: usize, line_end: usize) -> Field {
    let line = raw.get(at..line_end).unwrap_or_default();
    let colon = line.iter().position(|&octet| octet == b':').unwrap_or(name_length);
    let value_end = trim_line_ending(raw, at, line_end);
    Field {
        name: at..at + name_length,
        value: (at + colon + 1).min(value_end)..value_end,
        whole: at..line_end,
    }
}

fn extend(raw: &[u8], field: &mut Field, line_end: usize) {
    field.value.end = trim_line_ending(raw, field.value.start, line_end);
    field.whole.end = line_end;
}

fn trim_line_ending(raw: &[u8], from: usize, line_end: usize) -> usize {
    let line = raw.get(from..line_end).unwrap_or_default();
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    from + line.strip_suffix(b"\r").unwrap_or(line).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_tile_the_header_and_the_body_begins_after_the_empty_line() {
        let raw = b"Subject: one\r\n two\r\nX-Empty:\r\nTo : a@b.example\r\n\r\nbody";
        let (fields, body) = fields_of(raw, 0, raw.len());
        let text = |range: &Range<usize>| String::from_utf8_lossy(&raw[range.clone()]).into_owned();
        let seen: Vec<_> = fields.iter().map(|f| (text(&f.name), text(&f.value))).collect();
        assert_eq!(
            seen,
            [
                ("Subject".into(), " one\r\n two".into()),
                ("X-Empty".into(), String::new()),
                ("To".into(), " a@b.example".into())
            ]
        );
        assert_eq!(&raw[body..], b"body");
        assert!(fields.windows(2).all(|pair| pair[0].whole.end == pair[1].whole.start));
    }

    #[test]
    fn decodes_encoded_words() {
        assert_eq!(decode_text(b" =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?b?IQ==?="), "Grüße!");
    }

    #[test]
    fn hostile_values_take_linear_time() {
        for unit in
            ["=?", "=?a?q?", "=?utf-8?b?", "=?utf-8?q?=", " =?a?q?b?=", "?=", "\r\n ", "=?a"]
        {
            let value = unit.repeat(250_000 / unit.len());
            assert!(decode_text(value.as_bytes()).len() <= value.len(), "{unit}");
        }
    }
}
