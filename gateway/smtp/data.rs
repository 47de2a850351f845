//! The decoder of the DATA phase (RFC 5321 section 4.5.2): un-stuffs dots and finds the end.
//!
//! The end is CRLF.CRLF and nothing else, in both modes. A bare CR, a bare LF or a NUL never ends
//! anything; they are noted, so that the message can be refused after its end, or the bare line
//! endings become CRLF where the listener says so. The CRLF of the DATA command itself counts as
//! the first one, so that a lone dot ends an empty message.

/// What a bare CR or LF becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareEndings {
    /// They stay, noted as a fault.
    Fault,
    /// CRLF each, and no fault.
    BecomeCrlf,
}

/// How far one piece of input went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All of it is message, and there is more to come.
    More,
    /// The end of data; so many octets of the input belong to it, the rest are commands.
    End(usize),
}

/// Where the decoder stands between two octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    LineStart,
    Inside,
    AfterCr,
    /// A dot began the line; it is held back.
    AfterDot,
    /// A dot and a CR are held back.
    AfterDotCr,
}

/// The decoder; one for each message.
#[derive(Debug)]
pub struct DataDecoder {
    at: At,
    bare_endings: BareEndings,
    fault: bool,
}

impl DataDecoder {
    /// A decoder that stands behind the CRLF of the DATA command.
    pub fn new(bare_endings: BareEndings) -> Self {
        Self { at: At::LineStart, bare_endings, fault: false }
    }

    /// The message so far has an octet sequence for which it must be refused.
    pub fn has_fault(&self) -> bool {
        self.fault
    }

    /// Decodes the next octets, in whatever pieces they come, and hands the message to `out` in
    /// runs as long as can be, because each run is a copy.
    pub fn feed(&mut self, input: &[u8], mut out: impl FnMut(&[u8])) -> Progress {
        let mut scan = Scan { input, next: 0, copied: 0 };
        while let Some(octet) = scan.peek() {
            match self.at {
                At::LineStart => self.line_start(octet, &mut scan, &mut out),
                At::Inside => self.inside(&mut scan, &mut out),
                At::AfterCr => self.after_cr(octet, &mut scan, &mut out),
                At::AfterDot => self.after_dot(octet, &mut scan),
                At::AfterDotCr if octet == b'\n' => return Progress::End(scan.next + 1),
                At::AfterDotCr => self.after_dot_cr(&mut scan, &mut out),
            }
        }
        scan.flush(&mut out);
        Progress::More
    }

    fn line_start(&mut self, octet: u8, scan: &mut Scan<'_>, out: &mut impl FnMut(&[u8])) {
        if octet == b'.' {
            scan.flush(out);
            scan.skip();
            self.at = At::AfterDot;
        } else {
            self.at = At::Inside;
        }
    }

    fn inside(&mut self, scan: &mut Scan<'_>, out: &mut impl FnMut(&[u8])) {
        match scan.next_special() {
            None => {}
            Some(b'\r') => {
                scan.next += 1;
                self.at = At::AfterCr;
            }
            Some(b'\n') => self.bare_lf(scan, out),
            Some(_) => {
                self.fault = true;
                scan.next += 1;
            }
        }
    }

    fn after_cr(&mut self, octet: u8, scan: &mut Scan<'_>, out: &mut impl FnMut(&[u8])) {
        if octet == b'\n' {
            scan.next += 1;
            self.at = At::LineStart;
        } else {
            self.bare_cr(scan, out);
        }
    }

    fn after_dot(&mut self, octet: u8, scan: &mut Scan<'_>) {
        if octet == b'\r' {
            scan.skip();
            self.at = At::AfterDotCr;
        } else {
            self.at = At::Inside;
        }
    }

    /// The dot was stuffing after all, and the CR behind it is a bare one.
    fn after_dot_cr(&mut self, scan: &mut Scan<'_>, out: &mut impl FnMut(&[u8])) {
        out(b"\r");
        self.bare_cr(scan, out);
    }

    /// The CR is in the message already, the octet behind it not yet looked at.
    fn bare_cr(&mut self, scan: &mut Scan<'_>, out: &mut impl FnMut(&[u8])) {
        match self.bare_endings {
            BareEndings::Fault => self.fault = true,
            BareEndings::BecomeCrlf => {
                scan.flush(out);
                out(b"\n");
            }
        }
        self.at = At::Inside;
    }

    fn bare_lf(&mut self, scan: &mut Scan<'_>, out: &mut impl FnMut(&[u8])) {
        match self.bare_endings {
            BareEndings::Fault => {
                self.fault = true;
                scan.next += 1;
            }
            BareEndings::BecomeCrlf => {
                scan.flush(out);
                out(b"\r\n");
                scan.skip();
            }
        }
    }
}

/// One piece of input: what lies between `copied` and `next` is message not yet handed on.
struct Scan<'a> {
    input: &'a [u8],
    next: usize,
    copied: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.input.get(self.next).copied()
    }

    /// Moves on to the next CR, LF or NUL, or to the end.
    fn next_special(&mut self) -> Option<u8> {
        let rest = self.input.get(self.next..).unwrap_or_default();
        self.next += memchr::memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
        self.peek()
    }

    fn flush(&mut self, out: &mut impl FnMut(&[u8])) {
        let run = self.input.get(self.copied..self.next).unwrap_or_default();
        if !run.is_empty() {
            out(run);
        }
        self.copied = self.next;
    }

    /// Leaves one octet out of the message; all before it must be flushed.
    fn skip(&mut self) {
        self.next += 1;
        self.copied = self.next;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Decoded {
        message: Vec<u8>,
        fault: bool,
        rest: Option<Vec<u8>>,
    }

    fn decode(chunks: &[&[u8]], mode: BareEndings) -> Decoded {
        let mut decoder = DataDecoder::new(mode);
        let mut message = Vec::new();
        let mut chunks = chunks.iter();
        while let Some(chunk) = chunks.next() {
            if let Progress::End(used) = decoder.feed(chunk, |run| message.extend_from_slice(run)) {
                let mut rest = chunk[used..].to_vec();
                chunks.for_each(|chunk| rest.extend_from_slice(chunk));
                return Decoded { message, fault: decoder.has_fault(), rest: Some(rest) };
            }
        }
        Decoded { message, fault: decoder.has_fault(), rest: None }
    }

    fn strict(wire: &str) -> Decoded {
        decode(&[wire.as_bytes()], BareEndings::Fault)
    }

    fn normal(wire: &str) -> (String, bool) {
        let decoded = decode(&[wire.as_bytes()], BareEndings::BecomeCrlf);
        assert_eq!(decoded.rest.as_deref(), Some(&b"NEXT"[..]), "{wire:?}");
        (String::from_utf8(decoded.message).unwrap(), decoded.fault)
    }

    #[test]
    fn unstuffs_dots_and_leaves_the_rest_to_the_commands() {
        let decoded = strict("..a\r\nb.\r\n...\r\n.c\r\n.\r\nQUIT\r\n");
        assert_eq!(decoded.message, b".a\r\nb.\r\n..\r\nc\r\n");
        assert_eq!(decoded.rest.as_deref(), Some(&b"QUIT\r\n"[..]));
        assert!(!decoded.fault);
    }

    #[test]
    fn a_lone_dot_ends_an_empty_message() {
        assert_eq!(
            strict(".\r\n"),
            Decoded { message: Vec::new(), fault: false, rest: Some(Vec::new()) }
        );
    }

    #[test]
    fn nothing_but_crlf_dot_crlf_ends_the_data() {
        for wire in [
            "a\n.\nb",
            "a\n.\r\nb",
            "a\r\n.\nb",
            "a\r.\rb",
            "a\r.\r\nb",
            "a\r\n.\rb",
            "a\r\n.\r\r\nb",
            "a\r\r\n.\nb",
            "a\n\r.\n\rb",
            "a\0\n.\r\nb",
            "a\r\n\0.\r\nb",
            ".\n",
            ".\r.\r\n",
        ] {
            let decoded = strict(wire);
            assert_eq!(decoded.rest, None, "{wire:?} ended");
            assert!(decoded.fault, "{wire:?} has no fault");
            assert_eq!(decode(&[wire.as_bytes()], BareEndings::BecomeCrlf).rest, None);
        }
    }

    #[test]
    fn normalises_each_bare_ending_and_forgives_no_nul() {
        for (wire, message) in [
            ("a\nb\r\n.\r\nNEXT", "a\r\nb\r\n"),
            ("a\rb\r\n.\r\nNEXT", "a\r\nb\r\n"),
            ("a\r\r\n.\r\nNEXT", "a\r\n\r\n"),
            ("a\n\nb\r\n.\r\nNEXT", "a\r\n\r\nb\r\n"),
            ("a\n.\nb\r\n.\r\nNEXT", "a\r\n.\r\nb\r\n"),
            ("a\r\n.\nb\r\n.\r\nNEXT", "a\r\n\r\nb\r\n"),
            ("a\r\n.\rb\r\n.\r\nNEXT", "a\r\n\r\nb\r\n"),
            (".\r.\r\n.\r\nNEXT", "\r\n.\r\n"),
        ] {
            assert_eq!(normal(wire), (message.to_owned(), false), "{wire:?}");
        }
        assert!(normal("a\0b\r\n.\r\nNEXT").1);
    }

    fn chunks<'a>(octets: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (octets.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(octets.len());
        let mut from = 0;
        cuts.into_iter().map(|cut| &octets[std::mem::replace(&mut from, cut)..cut]).collect()
    }

    /// The standard's own words: the message is what stands before the first CRLF.CRLF, less the
    /// first dot of every line.
    fn by_the_book(wire: &str) -> Option<(String, String)> {
        let framed = format!("\r\n{wire}");
        let (message, rest) = framed.split_once("\r\n.\r\n")?;
        let message = format!("{message}\r\n").replace("\r\n.", "\r\n");
        Some((message.strip_prefix("\r\n")?.to_owned(), rest.to_owned()))
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(
            wire in "[a.\r\n\0]{0,60}",
            cuts in proptest::collection::vec(0usize..60, 0..10),
        ) {
            for mode in [BareEndings::Fault, BareEndings::BecomeCrlf] {
                let whole = decode(&[wire.as_bytes()], mode);
                prop_assert_eq!(&whole, &decode(&chunks(wire.as_bytes(), &cuts), mode));
                let octets: Vec<&[u8]> = wire.as_bytes().chunks(1).collect();
                prop_assert_eq!(&whole, &decode(&octets, mode));
            }
        }

        #[test]
        fn well_framed_data_decodes_as_the_standard_says(lines in "(\\.{0,3}[ab]{0,3}\r\n){0,12}") {
            let wire = format!("{lines}.\r\nQUIT\r\n");
            let (message, rest) = by_the_book(&wire).unwrap();
            let decoded = strict(&wire);
            prop_assert_eq!(String::from_utf8(decoded.message).unwrap(), message);
            prop_assert_eq!(decoded.rest, Some(rest.into_bytes()));
            prop_assert!(!decoded.fault);
        }

        #[test]
        fn normalised_messages_have_no_bare_ending(wire in "[a.\r\n]{0,60}") {
            let decoded = decode(&[wire.as_bytes()], BareEndings::BecomeCrlf);
            if decoded.rest.is_some() {
                let text = String::from_utf8(decoded.message).unwrap().replace("\r\n", "");
                prop_assert!(!text.contains(['\r', '\n']), "{:?}", text);
            }
        }
    }
}
