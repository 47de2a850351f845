//! The mark by which the gateway knows its own product when it comes back.
//!
//! The HMAC covers Message-ID, Date and a hash of the rewritten body. Fields that hosts on the way
//! add or reorder don't matter, nor do folds or empty lines at the end; a copied mark on another
//! message is forged.

use ring::digest::{Context, SHA256};

use super::stamp::LOOP_FIELD;
use crate::mail::{Message, Splice};

/// What the loop fields of a message say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopMark {
    /// There is none.
    Absent,
    /// At least one is ours and fits this message: it has been here before.
    Valid,
    /// There is one, and none fits.
    Forged,
}

/// Reads the loop fields of a message as it came in. `seal` is the keyed HMAC with which
/// [`plan`](super::plan()) made them.
pub fn loop_mark(message: &Message, seal: &dyn Fn(&[&[u8]]) -> String) -> LoopMark {
    let mut marks = message.fields_named(LOOP_FIELD).peekable();
    if marks.peek().is_none() {
        return LoopMark::Absent;
    }
    let expected = format!("v1;{}", mark(message, &[], seal));
    let fits = |value: &[u8]| {
        let bare: Vec<u8> = value.iter().copied().filter(|c| !c.is_ascii_whitespace()).collect();
        // Sealed again on both sides, so that the time a comparison takes teaches nothing.
        seal(&[b"compare", &bare]) == seal(&[b"compare", expected.as_bytes()])
    };
    if marks.any(|field| fits(message.raw_value(field))) {
        LoopMark::Valid
    } else {
        LoopMark::Forged
    }
}

/// The mark of a message whose body is edited by `splices` (sorted, absolute).
pub(super) fn mark(
    message: &Message,
    splices: &[Splice],
    seal: &dyn Fn(&[&[u8]]) -> String,
) -> String {
    let body = body_hash(message, splices);
    seal(&[b"loop v1", &first_value(message, "Message-ID"), &first_value(message, "Date"), &body])
}

fn first_value(message: &Message, name: &str) -> Vec<u8> {
    let value = message.fields_named(name).next().map(|field| message.raw_value(field));
    value.unwrap_or_default().iter().copied().filter(|c| !c.is_ascii_whitespace()).collect()
}

/// SHA-256 of the edited body without its last line endings, never copied whole: an attachment of
/// many megabytes is hashed where it lies.
fn body_hash(message: &Message, splices: &[Splice]) -> Vec<u8> {
    let raw: &[u8] = message.raw();
    let start = message.parts().first().map_or(0, |root| root.header.end).min(raw.len());
    let mut pieces: Vec<&[u8]> = Vec::with_capacity(splices.len() * 2 + 1);
    let mut copied = start;
    for splice in splices.iter().filter(|splice| splice.at.start >= start) {
        pieces.push(raw.get(copied..splice.at.start).unwrap_or_default());
        pieces.push(&splice.with);
        copied = splice.at.end;
    }
    pieces.push(raw.get(copied..).unwrap_or_default());
    while let Some(last) = pieces.pop() {
        let end = last.iter().rposition(|octet| !matches!(octet, b'\r' | b'\n'));
        if let Some(end) = end {
            pieces.push(last.get(..=end).unwrap_or_default());
            break;
        }
    }
    let mut context = Context::new(&SHA256);
    pieces.iter().for_each(|piece| context.update(piece));
    context.finish().as_ref().to_vec()
}
