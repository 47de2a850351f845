//! The body on its way out: checked for bare line endings, then written with its dots stuffed.
//!
//! lettre's `message()` copies octet by octet, always adds a CRLF, and passes bare CR and LF
//! through, so that a `LF . CR LF` inside a message could end it and smuggle another one behind.
//! Here a [`Body`] can only be made of text whose every line ends in CRLF, it is written from the
//! slices it was made of, without a copy, and what arrives is octet for octet what was given.

use std::io;

use thiserror::Error;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::BufWriter;

/// Small slices are gathered up to this many octets; larger ones go out as they are.
const GATHER: usize = 16 * 1024;

/// A message in slices that follow one another, checked.
#[derive(Debug)]
pub struct Body<'a> {
    pieces: Vec<&'a [u8]>,
    octets: u64,
    eight_bit: bool,
    /// A line begins with a dot, so the writer must look at every line.
    dotted: bool,
    ends_in_crlf: bool,
}

/// The message holds a CR or LF that is no part of a CRLF: sending it would let it smuggle
/// (RFC 5321 section 2.3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the message has a bare CR or LF and must not be sent")]
pub struct BareLineEnding;

impl<'a> Body<'a> {
    /// Checks the slices as one text.
    ///
    /// # Errors
    /// [`BareLineEnding`], also where the CR and the LF stand in slices that do not touch.
    pub fn check(pieces: Vec<&'a [u8]>) -> Result<Self, BareLineEnding> {
        let mut pairs = Pairs::default();
        let mut previous = b'\n';
        let mut before = b'\r';
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
            pairs.look(previous, *first);
            pairs.look_through(piece);
            before =
                piece.len().checked_sub(2).and_then(|at| piece.get(at)).map_or(previous, |b| *b);
            previous = *last;
        }
        // A CR at the very end has no LF; a message must not end in half a line ending.
        if pairs.bare != 0 || previous == b'\r' {
            return Err(BareLineEnding);
        }
        let octets = pieces.iter().map(|piece| piece.len() as u64).sum();
        let eight_bit = pieces.iter().any(|piece| !piece.is_ascii());
        let ends_in_crlf = before == b'\r' && previous == b'\n';
        Ok(Self { pieces, octets, eight_bit, dotted: pairs.dotted != 0, ends_in_crlf })
    }

    /// How many octets the message has, as SIZE counts them (RFC 1870 section 5: CRLFs count,
    /// stuffed dots and the final dot don't).
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// It has an octet above 127.
    pub fn is_eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// Its header, up to the empty line, has an octet above 127.
    pub fn has_eight_bit_header(&self) -> bool {
        let mut tail = [0_u8; 4];
        for byte in self.pieces.iter().copied().flatten() {
            if *byte > 127 {
                return true;
            }
            tail = [tail[1], tail[2], tail[3], *byte];
            if &tail == b"\r\n\r\n" {
                return false;
            }
        }
        false
    }

    /// Writes the message and the end of data. A last line without an ending gets one, since
    /// SMTP can't carry it otherwise; our own framing never makes such a message.
    ///
    /// # Errors
    /// Those of the stream.
    pub async fn write<W: AsyncWrite + Unpin>(&self, stream: W) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(GATHER, stream);
        if self.dotted {
            self.write_stuffed(&mut out).await?;
        } else {
            for piece in &self.pieces {
                out.write_all(piece).await?;
            }
        }
        if !self.ends_in_crlf {
            out.write_all(b"\r\n").await?;
        }
        out.write_all(b".\r\n").await?;
        out.flush().await
    }

    async fn write_stuffed<W: AsyncWrite + Unpin>(&self, out: &mut W) -> io::Result<()> {
        let mut at_line_start = true;
        for line in self.pieces.iter().flat_map(|piece| piece.split_inclusive(|b| *b == b'\n')) {
            if at_line_start && line.first() == Some(&b'.') {
                out.write_all(b".").await?;
            }
            out.write_all(line).await?;
            at_line_start = line.last() == Some(&b'\n');
        }
        Ok(())
    }
}

/// What the neighbouring octets of a text tell. Without branches, so that the compiler makes
/// vector code of it: every octet that leaves the gateway passes here.
#[derive(Debug, Default)]
struct Pairs {
    bare: u8,
    dotted: u8,
}

impl Pairs {
    /// Two neighbours: within a slice, or across the seam of two. The start of a message is the
    /// start of a line, so its first octet has an LF before it.
    fn look(&mut self, this: u8, next: u8) {
        self.bare |= u8::from(this == b'\r') ^ u8::from(next == b'\n');
        self.dotted |= u8::from(this == b'\n') & u8::from(next == b'.');
    }

    fn look_through(&mut self, piece: &[u8]) {
        let next = piece.get(1..).unwrap_or_default();
        for (this, next) in piece.iter().zip(next) {
            self.look(*this, *next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn written(pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        Body::check(pieces.to_vec()).unwrap().write(&mut out).await.unwrap();
        out
    }

    /// The plainest way to do the same, as the oracle.
    fn stuffed(message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for line in message.split_inclusive(|b| *b == b'\n') {
            if line.starts_with(b".") {
                out.push(b'.');
            }
            out.extend_from_slice(line);
        }
        if !message.is_empty() && !message.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
        out
    }

    #[tokio::test]
    async fn any_cut_gives_the_same_octets() {
        for message in [
            &b".a\r\n..b\r\n\r\n.\r\nc.\r\n"[..],
            b"plain\r\n",
            b"no end",
            b"",
            b"\r\n",
            b".",
            b"x\r\n.y",
        ] {
            for one in 0..=message.len() {
                for two in one..=message.len() {
                    let cut = [&message[..one], &message[one..two], &message[two..]];
                    assert_eq!(written(&cut).await, stuffed(message), "{message:?} {one} {two}");
                }
            }
        }
    }

    #[test]
    fn bare_line_endings_are_found_across_any_cut() {
        let smuggle: &[u8] = b"x\n.\r\nMAIL FROM:<evil@x.example>\r\n";
        for message in [smuggle, b"a\rb\r\n", b"a\r\r\n", b"a\r\n\n", b"\n", b"\r", b"a\r"] {
            for cut in 0..=message.len() {
                let pieces = vec![&message[..cut], &message[cut..]];
                assert_eq!(
                    Body::check(pieces).map(|_| ()),
                    Err(BareLineEnding),
                    "{message:?} {cut}"
                );
            }
        }
    }

    #[test]
    fn tells_size_and_charset_of_the_whole() {
        let body = Body::check(vec![b"Subject: x\r\n\r\n", "gr\u{fc}n\r\n".as_bytes()]).unwrap();
        assert_eq!(body.octets(), 21);
        assert!(body.is_eight_bit());
        assert!(!body.has_eight_bit_header());
        assert!(
            Body::check(vec!["Subject: \u{fc}\r\n".as_bytes()]).unwrap().has_eight_bit_header()
        );
    }
}
