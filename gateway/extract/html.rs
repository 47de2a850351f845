//! HTML to a view: what a reader sees, then attributes and hidden text, which leave the school too.
//!
//! One pass over the octets, without a tree and without recursion, in time that grows with the
//! length only: 120,000 nested elements or 300,000 unclosed tags are plain text like any other.
//! Tags within a line join what they separate (`A12<b>34</b>` is one word); blocks do not.

use std::ops::Range;

use super::html_text::{reference, show_run, show_value};
use super::html_words::{BLOCKS, LAYOUT};
use super::view::View;

/// How tags that are no HTML are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Only known blocks separate.
    Html,
    /// Every tag separates.
    Xml,
}

/// Shows a whole document.
pub(super) fn html(source: &str, dialect: Dialect, view: &mut View) {
    let mut scanner = Scanner::new(source, dialect);
    scanner.scan(0..source.len(), view);
    let (values, hidden) = (scanner.values, scanner.hidden);
    for (range, is_link) in values {
        view.separate('\n', range.start);
        let value = source.get(range.clone()).unwrap_or_default();
        show_value(value, range.start, is_link, view);
    }
    for range in hidden {
        view.separate('\n', range.start);
        // Comments of Word hold markup of their own; what they hide in turn stays as it is.
        let mut inner = Scanner::new(source, dialect);
        inner.is_hidden = true;
        inner.scan(range, view);
    }
}

struct Scanner<'a> {
    source: &'a str,
    dialect: Dialect,
    /// Within a comment: neither comments nor scripts are looked for again.
    is_hidden: bool,
    values: Vec<(Range<usize>, bool)>,
    hidden: Vec<Range<usize>>,
    /// From here on no `-->` comes any more.
    no_comment_end: bool,
    /// From here on no `>` comes any more.
    no_tag_end: bool,
    /// A quote did not end: from here on quotes do not protect a `>`.
    quotes_broken: bool,
}

/// A tag: its name in lower case, the octets of its attributes, and where it ends.
struct Tag {
    name: String,
    is_end: bool,
    attributes: Range<usize>,
    end: usize,
}

impl<'a> Scanner<'a> {
    fn new(source: &'a str, dialect: Dialect) -> Self {
        Self {
            source,
            dialect,
            is_hidden: false,
            values: Vec::new(),
            hidden: Vec::new(),
            no_comment_end: false,
            no_tag_end: false,
            quotes_broken: false,
        }
    }

    fn scan(&mut self, range: Range<usize>, view: &mut View) {
        let mut at = range.start;
        while at < range.end {
            let rest = self.source.get(at..range.end).unwrap_or_default();
            let run = rest.find(['<', '&']).unwrap_or(rest.len());
            show_run(rest.get(..run).unwrap_or_default(), at, view);
            at += run;
            let rest = rest.get(run..).unwrap_or_default();
            at = match rest.as_bytes().first() {
                Some(b'&') => reference(rest, at, view),
                Some(_) => self.markup(at, range.end, view),
                None => at,
            };
        }
    }

    /// What begins with a `<` at `at`; returns where the scan goes on.
    fn markup(&mut self, at: usize, end: usize, view: &mut View) -> usize {
        let rest = self.source.get(at..end).unwrap_or_default();
        let after = match rest.as_bytes().get(1) {
            Some(b'!') if rest.starts_with("<!--") && !self.is_hidden => self.comment(at, end),
            Some(b'!' | b'?') => self.declaration(at, end),
            Some(b'/') => self.tag(at, end, view),
            Some(octet) if octet.is_ascii_alphabetic() => self.tag(at, end, view),
            _ => None,
        };
        after.unwrap_or_else(|| {
            view.push_char('<', at);
            at + 1
        })
    }

    fn comment(&mut self, at: usize, end: usize) -> Option<usize> {
        let inside = at + "<!--".len();
        let found = match self.no_comment_end {
            true => None,
            false => self.source.get(inside..end)?.find("-->"),
        };
        self.no_comment_end = found.is_none();
        // A comment that does not end hides the rest of the document.
        let stop = found.map_or(end, |length| inside + length);
        self.hidden.push(inside..stop);
        Some((stop + "-->".len()).min(end))
    }

    fn declaration(&mut self, at: usize, end: usize) -> Option<usize> {
        let stop = self.tag_end(at, end)?;
        let inside = at + 2..stop.saturating_sub(1);
        let is_doctype = self.source.get(inside.clone())?.get(..7);
        if !is_doctype.is_some_and(|word| word.eq_ignore_ascii_case("doctype")) && !self.is_hidden {
            self.hidden.push(inside);
        }
        Some(stop)
    }

    fn tag(&mut self, at: usize, end: usize, view: &mut View) -> Option<usize> {
        let tag = self.read_tag(at, end)?;
        if self.dialect == Dialect::Xml || BLOCKS.binary_search(&tag.name.as_str()).is_ok() {
            view.separate('\n', at);
        } else if matches!(tag.name.as_str(), "td" | "th") {
            view.separate('\t', at);
        }
        if !tag.is_end {
            self.attributes(tag.attributes.clone());
            if matches!(tag.name.as_str(), "script" | "style") && !self.is_hidden {
                return Some(self.raw_text(&tag, end));
            }
        }
        Some(tag.end)
    }

    fn read_tag(&mut self, at: usize, end: usize) -> Option<Tag> {
        let stop = self.tag_end(at, end)?;
        let is_end = self.source.as_bytes().get(at + 1) == Some(&b'/');
        let name_start = at + 1 + usize::from(is_end);
        let inside = self.source.get(name_start..stop - 1)?;
        let length = inside
            .find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>')
            .unwrap_or(inside.len());
        Some(Tag {
            name: inside.get(..length)?.to_ascii_lowercase(),
            is_end,
            attributes: name_start + length..stop - 1,
            end: stop,
        })
    }

    /// Behind the `>` that ends the tag at `at`. Quotes protect a `>`, until one does not end.
    fn tag_end(&mut self, at: usize, end: usize) -> Option<usize> {
        if self.no_tag_end {
            return None;
        }
        let octets = self.source.as_bytes().get(at..end)?;
        if !self.quotes_broken {
            let mut quote = None;
            for (index, &octet) in octets.iter().enumerate() {
                match (quote, octet) {
                    (None, b'>') => return Some(at + index + 1),
                    (None, b'"' | b'\'') if follows_equals(octets, index) => quote = Some(octet),
                    (Some(open), octet) if open == octet => quote = None,
                    _ => {}
                }
            }
            self.quotes_broken = true;
        }
        let found = octets.iter().position(|&octet| octet == b'>');
        self.no_tag_end = found.is_none();
        found.map(|index| at + index + 1)
    }

    /// Remembers the values of attributes that hold words.
    fn attributes(&mut self, range: Range<usize>) {
        let octets = self.source.as_bytes();
        let mut at = range.start;
        while at < range.end {
            let skip = |octet: &u8| !octet.is_ascii_whitespace() && *octet != b'/';
            let Some(start) = position(octets, at..range.end, skip) else { return };
            let name_end = position(octets, start..range.end, |octet| {
                octet.is_ascii_whitespace() || *octet == b'='
            })
            .unwrap_or(range.end);
            let name = self.source.get(start..name_end).unwrap_or_default().to_ascii_lowercase();
            let solid = |octet: &u8| !octet.is_ascii_whitespace();
            let equals = position(octets, name_end..range.end, solid);
            let Some(equals) = equals.filter(|&index| octets.get(index) == Some(&b'=')) else {
                at = name_end.max(start + 1);
                continue;
            };
            let Some(from) = position(octets, equals + 1..range.end, solid) else { return };
            let value = value_range(octets, from, range.end);
            at = value.end.max(from + 1);
            self.remember(&name, value);
        }
    }

    fn remember(&mut self, name: &str, value: Range<usize>) {
        let text = self.source.get(value.clone()).unwrap_or_default();
        let is_picture = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("data:"));
        let is_name_space = name.starts_with("xmlns");
        if text.trim().is_empty() || is_picture || is_name_space {
            return;
        }
        if LAYOUT.binary_search(&name).is_err() {
            self.values.push((value, matches!(name, "href" | "src" | "action" | "cite")));
        }
    }

    /// The content of a script or style element, which ends at its own end tag only.
    fn raw_text(&mut self, tag: &Tag, end: usize) -> usize {
        let rest = self.source.get(tag.end..end).unwrap_or_default();
        let mut from = 0;
        let stop = loop {
            let Some(found) = rest.get(from..).and_then(|tail| tail.find("</")) else {
                break rest.len();
            };
            let name = from + found + 2;
            let candidate = rest.get(name..name + tag.name.len());
            if candidate.is_some_and(|word| word.eq_ignore_ascii_case(&tag.name)) {
                break from + found;
            }
            from = name;
        };
        let content = rest.get(..stop).unwrap_or_default();
        // A style sheet holds no words; what calls itself one and has no rules is no style sheet.
        if tag.name != "style" || !content.contains('{') {
            self.hidden.push(tag.end..tag.end + stop);
        }
        tag.end + stop
    }
}

fn position(octets: &[u8], range: Range<usize>, is: impl Fn(&u8) -> bool) -> Option<usize> {
    let start = range.start;
    octets.get(range)?.iter().position(is).map(|index| start + index)
}

/// A quote opens a value only behind `=`; elsewhere it is an ordinary character.
fn follows_equals(octets: &[u8], index: usize) -> bool {
    let before = octets.get(index.saturating_sub(16)..index).unwrap_or_default();
    before.trim_ascii_end().last() == Some(&b'=')
}

fn value_range(octets: &[u8], from: usize, end: usize) -> Range<usize> {
    match octets.get(from) {
        Some(&quote @ (b'"' | b'\'')) => {
            let stop = position(octets, from + 1..end, |octet| *octet == quote).unwrap_or(end);
            from + 1..stop
        }
        _ => from..position(octets, from..end, u8::is_ascii_whitespace).unwrap_or(end),
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::mail::Place;
    use crate::mail::Text;

    fn text(source: &str, dialect: Dialect) -> Text {
        let mut view = View::new(usize::MAX);
        html(source, dialect, &mut view);
        view.finish(Place::BodyHtml).0
    }

    fn shown(source: &str) -> String {
        text(source, Dialect::Html).view().to_owned()
    }

    #[test]
    fn a_reader_s_text_comes_out() {
        for (source, expected) in [
            ("A1234<b>5678</b>90", "A1234567890"),
            ("<p>Tom\r\n  <i>Br</i>own</p><p>Year 3</p>", "Tom Brown\nYear 3\n"),
            ("<tr><td>Tom</td><td>Brown</td></tr><tr><td>x", "Tom\tBrown\nx"),
            ("a<br>b<BR/>c", "a\nb\nc"),
            ("Zo&euml; &amp; L&#xf3;pez&nbsp;x &copy &nosuch; &", "Zoë & López x © &nosuch; &"),
            ("Zo&shy;&#8203;e", "Zoe"),
            ("a < b and c > d, 1<2", "a < b and c > d, 1<2"),
            ("<div style='display:none'>hidden</div>", "hidden\n"),
            ("<p title=\"a>b\">c</p>", "c\na>b"),
            ("<head><title>T</title><style>p{color:red}</style></head>x", "T\nx"),
            ("x<style>Tom Brown</style>", "x\nTom Brown"),
            ("x<!-- Tom -->y", "xy\nTom"),
            (
                "<a href=\"mailto:t%40x.example?subject=Tom%20Brown\">w</a>",
                "w\nmailto:t@x.example?subject=Tom Brown",
            ),
            (
                "<img alt='Tom &amp; Ann' width=5 src=\"cid:x\"><input value=v>",
                "Tom & Ann\ncid:x\nv",
            ),
            ("<!DOCTYPE html>x<!-- open", "x\nopen"),
        ] {
            assert_eq!(shown(source).trim_end_matches(' '), expected, "{source}");
        }
    }

    #[test]
    fn every_tag_of_xml_separates() {
        let source = "<?xml version=\"1.0\"?><Pupil><UPN>A1</UPN><Name>Tom</Name></Pupil>";
        assert!(text(source, Dialect::Xml).view().starts_with("A1\nTom\n"));
    }

    #[test]
    fn spans_lead_back_to_the_source() {
        let source = "<p>x&amp;y <b>To</b>m Zo&euml;</p><a title='Ann &lt;'>";
        let text = text(source, Dialect::Html);
        for (word, first, last) in
            [("Tom", "To</b>", "m Zo"), ("Zoë", "Zo&", "</p>"), ("Ann", "Ann", " &lt")]
        {
            let at = text.view().find(word).unwrap_or_else(|| panic!("{word}"));
            let span = text.source_span(at..at + word.len());
            assert!(source[span.start..].starts_with(first), "{word}");
            assert!(span.end <= source.find(last).unwrap() + last.len(), "{word}");
            assert!(span.end > span.start, "{word}");
        }
    }

    #[test]
    fn hostile_documents_take_linear_time() {
        for unit in [
            "<div>",
            "<",
            "<a ",
            "<a \"",
            "<a b=\"",
            "<!--",
            "<!",
            "&",
            "&#",
            "<style>",
            "</",
            "<a b='c' ",
            "a=b ",
            "<a b",
        ] {
            let source = unit.repeat(900_000 / unit.len());
            assert!(shown(&source).len() <= source.len(), "{unit}");
        }
    }
}
