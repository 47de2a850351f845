//! Edits as data: a rewritten message is the original and a list of splices, nothing else.

use std::ops::Range;

/// One change: these bytes of the original give way to those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splice {
    /// Octets of the original message; empty for an insertion.
    pub at: Range<usize>,
    /// What stands there instead; empty for a removal.
    pub with: Vec<u8>,
}

/// The original with the splices applied. They must be sorted by start and must not overlap;
/// two insertions at one place keep their order.
///
/// Returns `None` where they overlap or reach beyond the end, which is an error of ours: the
/// caller must treat the message as one that could not be rewritten.
pub fn apply(original: &[u8], splices: &[Splice]) -> Option<Vec<u8>> {
    Some(pieces(original, splices)?.concat())
}

/// What [`apply`] would return, as slices of the original and of the splices, uncopied. `None` as
/// there.
pub fn pieces<'a>(original: &'a [u8], splices: &'a [Splice]) -> Option<Vec<&'a [u8]>> {
    let mut pieces = Vec::with_capacity(splices.len() * 2 + 1);
    let mut copied = 0;
    for splice in splices {
        pieces.push(original.get(copied..splice.at.start)?);
        pieces.push(splice.with.as_slice());
        copied = splice.at.end.max(splice.at.start);
    }
    pieces.push(original.get(copied..)?);
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splice(at: Range<usize>, with: &str) -> Splice {
        Splice { at, with: with.as_bytes().to_vec() }
    }

    #[test]
    fn splices_and_keeps_the_rest() {
        let edits = [splice(0..0, "A"), splice(0..0, "B"), splice(2..4, ""), splice(6..6, "Z")];
        assert_eq!(apply(b"012345", &edits), Some(b"AB0145Z".to_vec()));
    }

    #[test]
    fn refuses_overlap_and_overrun() {
        assert_eq!(apply(b"0123", &[splice(0..3, ""), splice(2..4, "")]), None);
        assert_eq!(apply(b"0123", &[splice(3..9, "")]), None);
    }
}
