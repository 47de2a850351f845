//! One pass over the octets of a message: where its parts begin and end (RFC 2046 section 5.1).
//!
//! mail-parser would do this too, but it takes a boundary for one anywhere in a line, knows no
//! limits, and can't say what was ambiguous. So the lines are walked here, strictly, without
//! recursion, and mail-parser reads the values of fields and the encodings.

use std::ops::Range;

use bytes::Bytes;

use super::charset;
use super::defects::{Defect, Defects, check_header_octets, check_message_header};
use super::header::fields_of;
use super::message::Disposition;
use super::message::{Content, Limits, Part, PartId, TransferEncoding};
use super::mime::{self, Declared};
use super::sensitive::Sensitive;

/// What the walk found.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) parts: Vec<Part>,
    /// Octets of multiparts outside every part: preambles and epilogues.
    pub(super) asides: Vec<Range<usize>>,
    pub(super) defects: Vec<Defect>,
}

/// Walks a whole message.
pub(super) fn walk(raw: &Bytes, limits: &Limits) -> Walked {
    let mut walker = Walker {
        raw,
        limits,
        parts: Vec::new(),
        open: Vec::new(),
        asides: Vec::new(),
        reach: 0,
        defects: Defects::default(),
    };
    let mut next = Some(0);
    while let Some(start) = next {
        next = match walker.parts.len() < limits.parts {
            true => walker.part(start),
            false => {
                walker.defects.add(Defect::OverLimit);
                None
            }
        };
    }
    walker.close_down_to(0, raw.len());
    Walked { parts: walker.parts, asides: walker.asides, defects: walker.defects.into_vec() }
}

/// A multipart whose end has not come yet.
struct Open {
    id: PartId,
    boundary: Vec<u8>,
    is_digest: bool,
}

/// A line that separates parts.
struct Delimiter {
    /// Index in [`Walker::open`].
    level: usize,
    /// It ends the multipart.
    closes: bool,
    line: Range<usize>,
}

struct Walker<'a> {
    raw: &'a Bytes,
    limits: &'a Limits,
    parts: Vec<Part>,
    open: Vec<Open>,
    asides: Vec<Range<usize>>,
    /// Where the last finished part ends; what encloses it can't end before.
    reach: usize,
    defects: Defects,
}

impl Walker<'_> {
    /// Reads the part that begins at `start`, and says where the next one begins.
    fn part(&mut self, start: usize) -> Option<usize> {
        let (declared, header, fields) = self.header(start);
        let id = self.parts.len();
        let parent = self.open.last().map(|open| open.id);
        if let Some(Content::Multipart(children)) =
            parent.and_then(|parent| self.parts.get_mut(parent)).map(|part| &mut part.content)
        {
            children.push(id);
        }
        let boundary = self.boundary_of(&declared);
        let body = header.end..self.raw.len();
        self.parts.push(Part {
            parent,
            media_type: declared.media_type,
            charset: declared.charset,
            flow: declared.flow,
            disposition: declared.disposition,
            filename: declared.filename,
            other_name: declared.other_name,
            encoding: declared.encoding,
            header,
            body: body.clone(),
            fields,
            content: Content::Multipart(Vec::new()),
        });
        match boundary {
            Some(boundary) => self.multipart(id, boundary, body.start),
            None => {
                let delimiter = self.delimiter(body.start);
                let end = self.content_end(body.start, delimiter.as_ref());
                self.leaf(id, body.start..end);
                self.after(delimiter)
            }
        }
    }

    fn header(&mut self, start: usize) -> (Declared, Range<usize>, Vec<super::header::Field>) {
        let limit = self.header_limit(start);
        let (fields, end) = fields_of(self.raw, start, limit);
        let header = self.raw.get(start..end).unwrap_or_default();
        check_header_octets(header, &mut self.defects);
        let ends_with_empty_line = header.ends_with(b"\n\r\n") || header.ends_with(b"\n\n");
        let is_only_empty_line = matches!(header, b"\r\n" | b"\n");
        let complete = ends_with_empty_line || is_only_empty_line || end == self.raw.len();
        if !complete {
            self.defects.add(Defect::BadHeader);
        }
        if fields.len() > self.limits.fields {
            self.defects.add(Defect::OverLimit);
        }
        if start == 0 {
            check_message_header(self.raw, &fields, &mut self.defects);
        }
        let default_type = match self.open.last() {
            Some(open) if open.is_digest => "message/rfc822",
            _ => "text/plain",
        };
        let declared = mime::declared(self.raw, &fields, default_type, &mut self.defects);
        (declared, start..end, fields)
    }

    /// A header ends at the latest where a delimiter of an open multipart or the limit stands.
    fn header_limit(&mut self, start: usize) -> usize {
        let cap = start.saturating_add(self.limits.header_octets).min(self.raw.len());
        let mut at = start;
        while at < cap {
            let line = at..self.line_end(at);
            let octets = self.raw.get(line.clone()).unwrap_or_default();
            if matches!(octets, b"\r\n" | b"\n") {
                return line.end;
            }
            if octets.starts_with(b"--") && self.delimiter_on(line.clone()).is_some() {
                return at;
            }
            at = line.end;
        }
        if cap < self.raw.len() {
            self.defects.add(Defect::OverLimit);
        }
        cap
    }

    fn boundary_of(&mut self, declared: &Declared) -> Option<Vec<u8>> {
        if matches!(declared.media_type.as_str(), "message/partial" | "message/external-body") {
            self.defects.add(Defect::ElsewhereContent);
        }
        let is_encoded = matches!(
            declared.encoding,
            TransferEncoding::Base64 | TransferEncoding::QuotedPrintable
        );
        let is_multipart = declared.media_type.starts_with("multipart/");
        if is_encoded && (is_multipart || is_message(&declared.media_type)) {
            self.defects.add(Defect::EncodedComposite);
        }
        if !is_multipart {
            return None;
        }
        if self.open.len() >= self.limits.depth {
            self.defects.add(Defect::OverLimit);
            return None;
        }
        let boundary = declared.boundary.clone().filter(|boundary| !boundary.is_empty());
        if boundary.is_none() {
            self.defects.add(Defect::BoundaryMissing);
        }
        boundary
    }

    fn multipart(&mut self, id: PartId, boundary: Vec<u8>, body: usize) -> Option<usize> {
        let related = |open: &Open| {
            open.boundary.starts_with(&boundary) || boundary.starts_with(&open.boundary)
        };
        if self.open.iter().any(related) {
            self.defects.add(Defect::BoundaryAmbiguous);
        }
        let is_digest = self.parts.get(id).is_some_and(|p| p.media_type == "multipart/digest");
        self.open.push(Open { id, boundary, is_digest });
        let delimiter = self.delimiter(body);
        let level = self.open.len() - 1;
        match delimiter {
            Some(found) if found.level == level && !found.closes => {
                self.aside(body..found.line.start);
                Some(found.line.end)
            }
            other => {
                self.defects.add(Defect::BoundaryMissing);
                let end = self.content_end(body, other.as_ref());
                self.open.pop();
                self.leaf(id, body..end);
                match other {
                    // An empty multipart: what follows its end stands in the enclosing one.
                    Some(found) if found.level == level => {
                        let next = self.delimiter(found.line.end);
                        let end = self.content_end(found.line.end, next.as_ref());
                        self.aside(found.line.end..end);
                        self.after(next)
                    }
                    other => self.after(other),
                }
            }
        }
    }

    /// Goes on behind a delimiter: closes what it ends, and finds the next part.
    fn after(&mut self, mut delimiter: Option<Delimiter>) -> Option<usize> {
        loop {
            let found = delimiter?;
            self.close_down_to(found.level + 1, found.line.start);
            if !found.closes {
                return Some(found.line.end);
            }
            let closed = self.open.pop()?;
            delimiter = self.delimiter(found.line.end);
            let from = self.without_line_ending(found.line.end);
            let end = self.content_end(from, delimiter.as_ref());
            self.aside(found.line.end.min(end)..end);
            self.end_part(closed.id, end);
        }
    }

    /// Multiparts deeper than `level` end here without their own last delimiter.
    fn close_down_to(&mut self, level: usize, at: usize) {
        while self.open.len() > level {
            self.defects.add(Defect::Unclosed);
            let Some(open) = self.open.pop() else { return };
            self.end_part(open.id, self.without_line_ending(at));
        }
    }

    fn end_part(&mut self, id: PartId, end: usize) {
        if let Some(part) = self.parts.get_mut(id) {
            part.body.end = end.max(part.body.start).max(self.reach);
            self.reach = part.body.end;
        }
    }

    fn leaf(&mut self, id: PartId, body: Range<usize>) {
        let Some(part) = self.parts.get_mut(id) else { return };
        part.body = body;
        self.reach = part.body.end;
        part.content = content(self.raw, part, &mut self.defects);
    }

    fn aside(&mut self, range: Range<usize>) {
        let octets = self.raw.get(range.clone()).unwrap_or_default();
        if !octets.trim_ascii().is_empty() {
            self.asides.push(range);
        }
    }

    /// The next line that separates parts of an open multipart.
    fn delimiter(&mut self, from: usize) -> Option<Delimiter> {
        if self.open.is_empty() {
            return None;
        }
        let mut at = from;
        while at < self.raw.len() {
            let line = at..self.line_end(at);
            at = line.end;
            if self.raw.get(line.clone()).is_some_and(|octets| octets.starts_with(b"--"))
                && let Some(delimiter) = self.delimiter_on(line)
            {
                return Some(delimiter);
            }
        }
        None
    }

    fn delimiter_on(&mut self, line: Range<usize>) -> Option<Delimiter> {
        let octets = self.raw.get(line.clone())?.strip_prefix(b"--")?;
        let mut is_longer = false;
        for (level, open) in self.open.iter().enumerate().rev() {
            let Some(rest) = octets.strip_prefix(open.boundary.as_slice()) else { continue };
            let (rest, closes) = match rest.strip_prefix(b"--") {
                Some(rest) => (rest, true),
                None => (rest, false),
            };
            if rest.trim_ascii().is_empty() {
                return Some(Delimiter { level, closes, line });
            }
            is_longer = true;
        }
        if is_longer {
            self.defects.add(Defect::BoundaryAmbiguous);
        }
        None
    }

    fn content_end(&self, from: usize, delimiter: Option<&Delimiter>) -> usize {
        let end =
            delimiter.map_or(self.raw.len(), |found| self.without_line_ending(found.line.start));
        end.max(from)
    }

    /// The line ending before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1).
    fn without_line_ending(&self, at: usize) -> usize {
        let before = self.raw.get(..at).unwrap_or_default();
        if at == self.raw.len() {
            return at;
        }
        let before = before.strip_suffix(b"\n").unwrap_or(before);
        before.strip_suffix(b"\r").unwrap_or(before).len()
    }

    fn line_end(&self, at: usize) -> usize {
        let rest = self.raw.get(at..).unwrap_or_default();
        rest.iter().position(|&octet| octet == b'\n').map_or(self.raw.len(), |i| at + i + 1)
    }
}

fn is_message(media_type: &str) -> bool {
    matches!(media_type, "message/rfc822" | "message/global")
}

fn content(raw: &Bytes, part: &Part, defects: &mut Defects) -> Content {
    let body = raw.slice(part.body.clone());
    let decoded = mime::decode(&body, part.encoding).unwrap_or_else(|as_it_stands| {
        defects.add(Defect::BadEncoding);
        as_it_stands
    });
    let is_body = matches!(part.media_type.as_str(), "text/plain" | "text/html")
        && part.disposition != Some(Disposition::Attachment)
        && part.filename.is_none();
    if is_body {
        let text = charset::decode(&decoded, part.charset.as_deref());
        if text.misfit {
            defects.add(Defect::BadCharset);
        }
        return Content::Text(Sensitive::new(text.text));
    }
    let octets = match decoded {
        std::borrow::Cow::Borrowed(_) => body.clone(),
        std::borrow::Cow::Owned(octets) => Bytes::from(octets),
    };
    match is_message(&part.media_type) {
        true => Content::Message(octets),
        false => Content::Octets(octets),
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a test may panic")]
mod tests {
    use super::super::message::Message;
    use super::*;

    fn parse(raw: &str) -> Message {
        Message::parse(Bytes::copy_from_slice(raw.as_bytes()), &Limits::default())
    }

    fn bodies(raw: &str) -> Vec<String> {
        parse(raw).parts().iter().map(|part| raw[part.body.clone()].to_owned()).collect()
    }

    const NESTED: &str = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\npre\r\n--x\r\nContent-Type: multipart/alternative; boundary=\"y z\"\r\n\r\n--y z\r\n\r\none\r\n\r\n--y z  \r\nContent-Type: text/html\r\n\r\n<p>two\r\n--y z--\r\n\r\n--x\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--x--\r\nepi\r\n";

    #[test]
    fn bodies_are_exact() {
        let all = bodies(NESTED);
        assert!(all[0].starts_with("pre\r\n--x\r\n") && all[0].ends_with("--x--\r\nepi\r\n"));
        assert!(all[1].starts_with("--y z\r\n") && all[1].ends_with("--y z--\r\n"));
        assert_eq!(all[2..], ["one\r\n", "<p>two", "AAAA"]);
        let message = parse(NESTED);
        let parents: Vec<_> = message.parts().iter().map(|part| part.parent).collect();
        assert_eq!(parents, [None, Some(0), Some(1), Some(1), Some(0)]);
        assert!(
            matches!(&message.parts()[0].content, Content::Multipart(all) if all[..] == [1, 4])
        );
        let asides: Vec<_> = message.asides().iter().map(|range| &NESTED[range.clone()]).collect();
        assert_eq!(asides, ["pre\r\n", "epi\r\n"]);
        assert_eq!(message.defects(), []);
    }

    #[test]
    fn a_part_never_ends_beyond_what_encloses_it() {
        let outer = "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n";
        let inner = "Content-Type: multipart/mixed; boundary=yy\r\n\r\n--yy\r\n";
        for rest in ["A: b\r\n--x--", "\r\n\r\n--yy--\r\n--x--\r\n", "\r\n--yy--\r\n--x", ""] {
            let raw = format!("{outer}{inner}{rest}");
            let message = parse(&raw);
            for part in message.parts() {
                let Some(parent) = part.parent.map(|id| &message.parts()[id]) else { continue };
                assert!(part.body.end <= parent.body.end, "{rest:?}");
            }
        }
        let closed = format!("{outer}{inner}\r\none\r\n--yy--\r\n--x--\r\n");
        assert!(bodies(&closed)[1].ends_with("one\r\n--yy--"));
    }

    #[test]
    fn a_message_without_mime_is_one_text() {
        let message = parse("Subject: x\r\n\r\nhello\r\n");
        assert!(
            matches!(&message.parts()[0].content, Content::Text(t) if t.expose() == "hello\r\n")
        );
        assert_eq!(message.defects(), []);
        assert_eq!(parse("Subject: x\r\n").defects(), []);
    }

    #[test]
    fn each_ambiguity_is_its_own_defect() {
        use Defect::{
            BadAddress, BadCharset, BadEncoding, BadHeader, BoundaryAmbiguous, BoundaryMissing,
            DuplicateField, DuplicateMimeField, ElsewhereContent, EncodedComposite, Unclosed,
            Unparsable,
        };
        let mixed = |rest: &str| format!("Content-Type: multipart/mixed; boundary=x\r\n{rest}");
        for (raw, expected) in [
            (String::new(), Unparsable),
            ("\r\nbody".to_owned(), Unparsable),
            (
                "Content-Type: text/plain\r\ncontent-type: text/html\r\n\r\n".into(),
                DuplicateMimeField,
            ),
            (
                "Content-Type: text/plain; charset=utf-8; charset=utf-7\r\n\r\n".into(),
                DuplicateMimeField,
            ),
            ("Subject: a\r\nSubject: b\r\n\r\n".into(), DuplicateField),
            ("Content-Type: multipart/mixed\r\n\r\n".into(), BoundaryMissing),
            ("Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n".into(), BoundaryMissing),
            (mixed("\r\nno boundary"), BoundaryMissing),
            (mixed("\r\n--x\r\n\r\nbody"), Unclosed),
            (mixed("\r\n--x\r\n\r\n--xy\r\n--x--"), BoundaryAmbiguous),
            ("Content-Transfer-Encoding: base64\r\n\r\n*".into(), BadEncoding),
            ("Content-Transfer-Encoding: quoted-printable\r\n\r\n=zz".into(), BadEncoding),
            ("Content-Transfer-Encoding: x-uuencode\r\n\r\n".into(), BadEncoding),
            ("Content-Type: text/plain; charset=x-none\r\n\r\n".into(), BadCharset),
            ("Subject: a\r\ngarbage\r\nTo: a@b.example\r\n\r\n".into(), BadHeader),
            ("Subject: a\rBcc: x\r\n\r\n".into(), BadHeader),
            ("Subject: a\0\r\n\r\n".into(), BadHeader),
            (mixed("Content-Transfer-Encoding: base64\r\n\r\n--x\r\n\r\n--x--"), EncodedComposite),
            ("Content-Type: message/partial\r\n\r\n".into(), ElsewhereContent),
            ("To: Tom Brown\r\n\r\n".into(), BadAddress),
        ] {
            assert_eq!(parse(&raw).defects(), [expected], "{raw}");
        }
        let nested_prefix = mixed(
            "\r\n--x\r\nContent-Type: multipart/mixed; boundary=xy\r\n\r\n--xy\r\n\r\n--xy--\r\n--x--",
        );
        assert_eq!(parse(&nested_prefix).defects(), [BoundaryAmbiguous]);
        let latin =
            Message::parse(Bytes::from_static(b"Subject: \xeb\r\n\r\n"), &Limits::default());
        assert_eq!(latin.defects(), [BadHeader]);
        assert_eq!(parse("Subject: Zoë\r\n\r\n").defects(), []);
    }

    #[test]
    fn limits_stop_the_walk() {
        let parts = format!(
            "Content-Type: multipart/mixed; boundary=x\r\n\r\n{}--x--",
            "--x\r\n\r\n\r\n".repeat(200_000)
        );
        let message = parse(&parts);
        assert_eq!(message.parts().len(), Limits::default().parts);
        assert!(message.defects().contains(&Defect::OverLimit));
        let deep: String = (0..50_000)
            .map(|i| format!("Content-Type: multipart/mixed; boundary=b{i}z\r\n\r\n--b{i}z\r\n"))
            .collect();
        let message = parse(&deep);
        assert!(message.parts().len() <= Limits::default().depth + 1);
        assert!(message.defects().contains(&Defect::OverLimit));
        let header = "a:\r\n".repeat(500_000);
        assert!(parse(&header).defects().contains(&Defect::OverLimit));
    }
}
