//! Plain text to a view: lines kept, flowed lines (RFC 3676) joined, folded ones (vCard,
//! iCalendar) unfolded, tables with one row a line.

use super::view::View;
use crate::mail::Flow;

/// Text as it stands.
pub(super) fn plain(source: &str, flow: Flow, view: &mut View) {
    let Flow::Flowed { delete_space } = flow else {
        view.push(source, 0);
        return;
    };
    let mut at = 0;
    let mut last: Option<Line<'_>> = None;
    for raw_line in source.split_inclusive('\n') {
        let line = Line::new(raw_line, at);
        at += raw_line.len();
        match last.take() {
            // RFC 3676 section 4.5: lines of different quote depth never join.
            Some(before) if before.flows && before.depth == line.depth && !line.is_signature => {
                view.push(line.text(delete_space), line.start);
            }
            Some(before) => {
                view.push_char('\n', before.end);
                line.show_whole(delete_space, view);
            }
            None => line.show_whole(delete_space, view),
        }
        last = Some(line);
    }
}

struct Line<'a> {
    quotes: &'a str,
    quotes_start: usize,
    content: &'a str,
    start: usize,
    /// Where its line ending stands.
    end: usize,
    depth: usize,
    flows: bool,
    is_signature: bool,
}

impl<'a> Line<'a> {
    fn new(raw: &'a str, at: usize) -> Self {
        let line = raw.strip_suffix('\n').unwrap_or(raw);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let content = line.trim_start_matches('>');
        let depth = line.len() - content.len();
        let (quotes, _) = line.split_at(depth);
        // A leading space is stuffing (section 4.4), not text.
        let content = content.strip_prefix(' ').unwrap_or(content);
        let is_signature = content == "-- ";
        Self {
            quotes,
            quotes_start: at,
            content,
            start: at + line.len() - content.len(),
            end: at + line.len(),
            depth,
            flows: content.ends_with(' ') && !is_signature && raw.ends_with('\n'),
            is_signature,
        }
    }

    fn text(&self, delete_space: bool) -> &'a str {
        match self.flows && delete_space {
            true => self.content.strip_suffix(' ').unwrap_or(self.content),
            false => self.content,
        }
    }

    fn show_whole(&self, delete_space: bool, view: &mut View) {
        if self.depth > 0 {
            view.push(self.quotes, self.quotes_start);
            view.push_char(' ', self.start);
        }
        view.push(self.text(delete_space), self.start);
    }
}

/// vCard and iCalendar: a line that begins with a blank continues the one before (RFC 5545
/// section 3.1, RFC 6350 section 3.2), the blank not counted.
pub(super) fn unfolded(source: &str, view: &mut View) {
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        let content = line.strip_suffix('\n').unwrap_or(line);
        let content = content.strip_suffix('\r').unwrap_or(content);
        match content.strip_prefix([' ', '\t']) {
            Some(rest) => view.push(rest, at + 1),
            None => {
                if at > 0 {
                    view.push_char('\n', at);
                }
                view.push(content, at);
            }
        }
        at += line.len();
    }
}

/// Comma, semicolon or tab separated values: a row a line, cells apart by tabs, quotes gone.
pub(super) fn table(source: &str, view: &mut View) {
    let separator = separator_of(source);
    let mut in_quotes = false;
    let mut run = 0;
    let mut at = 0;
    let octets = source.as_bytes();
    while let Some(&octet) = octets.get(at) {
        let is_break = octet == b'"'
            || (octet == separator && !in_quotes)
            || (in_quotes && matches!(octet, b'\r' | b'\n'));
        if !is_break {
            at += 1;
            continue;
        }
        view.push(source.get(run..at).unwrap_or_default(), run);
        match octet {
            b'"' if in_quotes && octets.get(at + 1) == Some(&b'"') => {
                view.push_char('"', at);
                at += 1;
            }
            b'"' => in_quotes = !in_quotes,
            b'\r' => {}
            b'\n' => view.push_char(' ', at),
            _ => view.push_char('\t', at),
        }
        at += 1;
        run = at;
    }
    view.push(source.get(run..).unwrap_or_default(), run);
}

/// The separator that stands most often in the first line.
fn separator_of(source: &str) -> u8 {
    let first = source.lines().next().unwrap_or_default();
    let count = |separator: &u8| first.bytes().filter(|octet| octet == separator).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(count).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Place;

    fn view(fill: impl FnOnce(&mut View)) -> String {
        let mut view = View::new(usize::MAX);
        fill(&mut view);
        view.finish(Place::BodyText).0.view().to_owned()
    }

    #[test]
    fn flowed_lines_join_and_quotes_stay() {
        let flowed = |delete_space| Flow::Flowed { delete_space };
        let source = "UPN of Tom \r\nBrown\r\n>> quoted \r\n>> on\r\n> less\r\n-- \r\n stuffed\r\n";
        assert_eq!(
            view(|v| plain(source, flowed(false), v)),
            "UPN of Tom Brown\n>> quoted on\n> less\n-- \nstuffed"
        );
        assert_eq!(view(|v| plain("A12 \r\n34\r\n", flowed(true), v)), "A1234");
        assert_eq!(view(|v| plain("a \r\nb\r\n", Flow::Fixed, v)), "a \nb\n");
    }

    #[test]
    fn tables_keep_a_row_on_a_line() {
        let source =
            "Surname;Forename;Note\r\nBrown;Tom;\"two\r\nlines; \"\"x\"\"\"\r\nGrün;Zoë;\r\n";
        assert_eq!(
            view(|v| table(source, v)),
            "Surname\tForename\tNote\nBrown\tTom\ttwo lines; \"x\"\nGrün\tZoë\t\n"
        );
        assert_eq!(view(|v| table("a,b;c\n1,2", v)), "a\tb;c\n1\t2");
    }

    #[test]
    fn folded_lines_unfold() {
        assert_eq!(
            view(|v| unfolded("SUMMARY:Tom Br\r\n own\r\nX:y\r\n", v)),
            "SUMMARY:Tom Brown\nX:y"
        );
    }
}
