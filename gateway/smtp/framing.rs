//! The line reader of the command phase: a line ends in CRLF and in nothing else.
//!
//! A bare LF or CR does not end a line; it stays in it, and the grammar refuses it there. So no
//! two programs on the way can disagree on where a command begins.

use bytes::{Buf, Bytes, BytesMut};

/// What the reader found at the front of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A line, without its CRLF.
    Whole(Bytes),
    /// A line longer than the limit; its octets are gone.
    TooLong,
}

/// Cuts lines out of the input, however it is chunked.
#[derive(Debug)]
pub struct LineReader {
    limit: usize,
    discarding: bool,
}

impl LineReader {
    /// A reader of lines of at most `limit` octets, CRLF included.
    pub fn new(limit: usize) -> Self {
        Self { limit, discarding: false }
    }

    /// Takes the next line away from the front of `input`. `None` asks for more input; what is
    /// left in `input` then is less than the limit, also in a line that never ends.
    pub fn next(&mut self, input: &mut BytesMut) -> Option<Line> {
        match find_crlf(input) {
            Some(end) => Some(self.cut(input, end)),
            None => {
                self.discard_overflow(input);
                None
            }
        }
    }

    fn cut(&mut self, input: &mut BytesMut, end: usize) -> Line {
        let too_long = self.discarding || end + 2 > self.limit;
        self.discarding = false;
        let line = input.split_to(end);
        input.advance(2);
        match too_long {
            true => Line::TooLong,
            false => Line::Whole(line.freeze()),
        }
    }

    /// A last CR stays, because its LF may be on the way.
    fn discard_overflow(&mut self, input: &mut BytesMut) {
        self.discarding |= input.len() >= self.limit;
        if self.discarding {
            let kept = usize::from(input.last() == Some(&b'\r'));
            input.advance(input.len() - kept);
        }
    }
}

fn find_crlf(input: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', input)
        .find_map(|at| at.checked_sub(1).filter(|&before| input.get(before) == Some(&b'\r')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]], limit: usize) -> (Vec<Line>, usize) {
        let mut reader = LineReader::new(limit);
        let mut input = BytesMut::new();
        let mut lines = Vec::new();
        for chunk in chunks {
            input.extend_from_slice(chunk);
            while let Some(line) = reader.next(&mut input) {
                lines.push(line);
            }
            assert!(input.len() < limit, "the reader hoards");
        }
        (lines, input.len())
    }

    fn whole(text: &'static str) -> Line {
        Line::Whole(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn only_crlf_ends_a_line() {
        let (lines, left) = read(&[b"NOOP\r\na\nb\rc\r\r\n\r\nrest"], 64);
        assert_eq!(lines, [whole("NOOP"), whole("a\nb\rc\r"), whole("")]);
        assert_eq!(left, 4);
    }

    #[test]
    fn a_line_at_the_limit_passes_and_one_beyond_is_told_once() {
        let (lines, _) = read(&[b"12345678\r\n", b"123456789\r\n", b"NOOP\r\n"], 10);
        assert_eq!(lines, [whole("12345678"), Line::TooLong, whole("NOOP")]);
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(
            octets in "[a\r\n]{0,80}",
            cuts in proptest::collection::vec(0usize..80, 0..8),
        ) {
            let octets = octets.into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(octets.len())).collect();
            cuts.sort_unstable();
            cuts.push(octets.len());
            let mut from = 0;
            let mut chunks = Vec::new();
            for cut in cuts {
                chunks.push(&octets[from..cut]);
                from = cut;
            }
            prop_assert_eq!(read(&chunks, 100), read(&[&octets], 100));
            let (short, _) = read(&chunks, 12);
            prop_assert_eq!(short, read(&[&octets], 12).0);
        }
    }
}
