//! Builds the view of a text: NFKC, without invisible characters, with the way back to the source.
//!
//! What a detector reads must be what a person sees: a soft hyphen inside a number or a full-width
//! digit may not hide it.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::mail::Place;
use crate::mail::Text;

/// The longest run of combining marks that is composed as one, so that no run costs more than its
/// length.
const LONGEST_CLUSTER: usize = 64;

/// A view in the making. What is pushed must name the octet of the source where it begins.
#[derive(Debug)]
pub(super) struct View {
    text: String,
    steps: Vec<(usize, usize)>,
    /// A base character and its marks, not yet composed.
    cluster: String,
    cluster_source: usize,
    /// Where the source goes on, if the last piece was of another length than its source.
    resume: Option<usize>,
    room: usize,
    is_cut: bool,
}

impl View {
    /// An empty view that takes at most `room` octets.
    pub(super) fn new(room: usize) -> Self {
        Self {
            text: String::new(),
            steps: Vec::new(),
            cluster: String::new(),
            cluster_source: 0,
            resume: None,
            room,
            is_cut: false,
        }
    }

    /// Pushes a piece of the source that begins at `source`.
    pub(super) fn push(&mut self, piece: &str, source: usize) {
        let mut at = 0;
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            let plain = rest.bytes().position(|octet| !is_plain(octet)).unwrap_or(rest.len());
            // The last plain character waits, since a combining mark may follow it.
            if plain > 1 {
                self.flush();
                self.append(rest.get(..plain - 1).unwrap_or_default(), source + at);
                at += plain - 1;
                continue;
            }
            let Some(char) = rest.chars().next() else { break };
            self.push_char(char, source + at);
            at += char.len_utf8();
        }
    }

    /// Pushes one character that stands for the octets at `source`.
    pub(super) fn push_char(&mut self, char: char, source: usize) {
        if is_invisible(char) {
            return;
        }
        if is_combining_mark(char) && self.cluster.len() < LONGEST_CLUSTER {
            if self.cluster.is_empty() {
                self.cluster_source = source;
            }
            self.cluster.push(char);
            return;
        }
        self.flush();
        self.cluster.push(char);
        self.cluster_source = source;
    }

    /// Pushes a separator unless the view already ends in one that separates as much.
    pub(super) fn separate(&mut self, separator: char, source: usize) {
        self.flush();
        let strength = |char: char| match char {
            '\n' => 3,
            '\t' => 2,
            ' ' => 1,
            _ => 0,
        };
        match self.text.chars().next_back() {
            None => {}
            Some(last) if strength(last) >= strength(separator) => {}
            Some(last) => {
                if strength(last) > 0 {
                    self.text.pop();
                }
                self.append(separator.encode_utf8(&mut [0; 4]), source);
            }
        }
    }

    /// The finished text, and whether the room sufficed for all of it.
    pub(super) fn finish(mut self, place: Place) -> (Text, bool) {
        self.flush();
        if let Some(source) = self.resume {
            self.steps.push((self.text.len(), source));
        }
        (Text::new(place, self.text, self.steps), !self.is_cut)
    }

    fn flush(&mut self) {
        if self.cluster.is_empty() {
            return;
        }
        let cluster = std::mem::take(&mut self.cluster);
        let source = self.cluster_source;
        match cluster.as_bytes() {
            [octet] if is_plain(*octet) => self.append(&cluster, source),
            _ => {
                let composed: String = cluster.nfkc().filter_map(shown).collect();
                if composed == cluster {
                    self.append(&composed, source);
                } else {
                    self.append_apart(&composed, source);
                    self.resume = Some(source + cluster.len());
                }
            }
        }
        self.cluster = cluster;
        self.cluster.clear();
    }

    /// Appends text that is the source's, octet for octet.
    fn append(&mut self, piece: &str, source: usize) {
        if self.text.len() + piece.len() > self.room {
            self.is_cut = true;
            return;
        }
        self.resume = None;
        let in_step = match self.steps.last() {
            Some(&(view, from)) => from + (self.text.len() - view) == source,
            None => self.text.len() == source,
        };
        if !in_step {
            self.steps.push((self.text.len(), source));
        }
        self.text.push_str(piece);
    }

    /// Appends text of another length than its source: each of its characters came from there.
    fn append_apart(&mut self, piece: &str, source: usize) {
        let mut buffer = [0; 4];
        for char in piece.chars() {
            self.append(char.encode_utf8(&mut buffer), source);
        }
    }
}

/// Characters that stand for themselves, whatever follows but a combining mark.
fn is_plain(octet: u8) -> bool {
    matches!(octet, b' '..=b'~' | b'\n' | b'\t')
}

/// What NFKC leaves to be done: every blank is a space, every line end a newline.
fn shown(char: char) -> Option<char> {
    match char {
        '\n' | '\t' => Some(char),
        '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{b}' | '\u{c}' => Some('\n'),
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{a0}' => {
            Some(' ')
        }
        _ if is_invisible(char) => None,
        _ => Some(char),
    }
}

/// Characters that nobody sees: controls, soft hyphen, zero-width and directional characters,
/// fillers, variation selectors and tags.
fn is_invisible(char: char) -> bool {
    match char {
        '\n' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' => false,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => {
            true
        }
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => true,
        '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a test may panic")]
mod tests {
    use super::*;

    fn view(source: &str) -> Text {
        let mut view = View::new(usize::MAX);
        view.push(source, 0);
        view.finish(Place::Subject).0
    }

    #[test]
    fn a_reader_s_text_comes_out() {
        for (source, expected) in [
            ("A1\u{ad}2\u{200b}3\u{2066}4", "A1234"),
            ("Ｂ８０１", "B801"),
            ("Zoe\u{308} Lo\u{301}pez", "Zoë López"),
            ("Tom\u{a0}Brown\u{2003}x", "Tom Brown x"),
            ("ﬁle № ½", "file No 1⁄2"),
            ("a\r\nb\tc\0", "a\nb\tc"),
            ("n\u{200d}\u{303}o", "ño"),
        ] {
            assert_eq!(view(source).view(), expected);
        }
    }

    #[test]
    fn spans_lead_back_to_the_source() {
        let source = "x\u{ad}y Zoe\u{308} ﬁn\u{200b}ch, １２";
        let text = view(source);
        for (word, origin) in [("Zoë", "Zoe\u{308}"), ("finch", "ﬁn\u{200b}ch"), ("12", "１２")]
        {
            let at = text.view().find(word).unwrap_or_else(|| panic!("{word}"));
            let span = text.source_span(at..at + word.len());
            assert!(source[span.start..].starts_with(origin), "{word}");
            assert!(span.end >= span.start + origin.len(), "{word} {span:?}");
        }
    }

    #[test]
    fn the_room_is_kept() {
        let fill = |piece: &str| {
            let mut view = View::new(3);
            view.push(piece, 0);
            let (text, is_whole) = view.finish(Place::Subject);
            (text.view().to_owned(), is_whole)
        };
        assert_eq!(fill("abc"), ("abc".to_owned(), true));
        assert_eq!(fill("dé"), ("dé".to_owned(), true));
        assert!(!fill("déf").1);
    }

    #[test]
    fn a_million_marks_cost_no_more_than_their_length() {
        let marks = format!("a{}", "\u{301}".repeat(500_000));
        assert!(view(&marks).view().len() <= marks.len());
    }
}
