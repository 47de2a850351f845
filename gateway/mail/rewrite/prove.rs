//! The proof that an edit did what it should, without reading megabytes again.
//!
//! The header section is scanned once more, and each edited text is parsed on its own; attachments
//! lie outside every splice, so they need no proof.

use bytes::Bytes;

use super::append::Appended;
use super::bulk::{is_visible, shows_nobody_outside};
use super::fields::must_go;
use super::request::{Request, Unrewritable};
use super::stamp::OWN_PREFIX;
use crate::mail::{
    Content, Field, Limits, Message, PartId, Splice, apply, fields_of, visible_recipients,
};

/// The rewritten header section: our fields on top, then the original ones in their order, without
/// those that must go, and nobody outside in sight where Bcc is forced.
pub(super) fn header(
    message: &Message,
    request: &Request<'_>,
    splices: &[Splice],
    stamps: usize,
) -> Result<(), Unrewritable> {
    let end = message.parts().first().map_or(0, |root| root.header.end);
    let original = message.raw().get(..end).ok_or(Unrewritable::Overlap)?;
    let inside: Vec<Splice> =
        splices.iter().filter(|s| s.at.end <= end && s.at.start < end).cloned().collect();
    let edited = apply(original, &inside).ok_or(Unrewritable::Overlap)?;
    let (fields, body) = fields_of(&edited, 0, edited.len());
    let names = |raw: &[u8], field: &Field| {
        String::from_utf8_lossy(raw.get(field.name.clone()).unwrap_or_default()).into_owned()
    };
    let clean = fields.iter().skip(stamps).all(|field| {
        let name = names(&edited, field);
        let value = edited.get(field.value.clone()).unwrap_or_default();
        let hidden =
            !request.force_bcc || !is_visible(&name) || shows_nobody_outside(value, request.is_own);
        !must_go(&name, request) && hidden
    });
    let ours = fields.iter().take(stamps).skip(1).all(|field| {
        let name = names(&edited, field);
        name.starts_with(OWN_PREFIX) || request.monitor.is_some_and(|m| m.name == name)
    });
    let hidden = !request.force_bcc || nobody_outside(&edited, request);
    let kept = in_order(message, &edited, fields.get(stamps..).unwrap_or_default());
    if body == edited.len() && clean && ours && kept && hidden {
        Ok(())
    } else {
        Err(Unrewritable::HeaderProof)
    }
}

/// The same question asked of the other address reader, which guesses as mail programs do.
fn nobody_outside(edited: &[u8], request: &Request<'_>) -> bool {
    let header = Message::parse(Bytes::copy_from_slice(edited), &Limits::default());
    visible_recipients(&header).iter().all(|mailbox| (request.is_own)(&mailbox.address))
}

/// Whether the fields are those of the original in their order, some left out and none added but
/// the MIME fields of a part that had to change its encoding.
fn in_order(message: &Message, edited: &[u8], fields: &[Field]) -> bool {
    let mut originals = message.fields().iter();
    fields.iter().all(|field| {
        let name = edited.get(field.name.clone()).unwrap_or_default();
        let mime = name.to_ascii_lowercase().starts_with(b"content-")
            || name.eq_ignore_ascii_case(b"mime-version");
        mime || originals.any(|original| message.name(original).as_bytes() == name)
    })
}

/// The edited part, parsed on its own, decodes to the original with the addition at its place.
pub(super) fn text(message: &Message, id: PartId, appended: &Appended) -> Result<(), Unrewritable> {
    let part = message.parts().get(id).ok_or(Unrewritable::TextProof)?;
    let Content::Text(original) = &part.content else { return Err(Unrewritable::TextProof) };
    let start = part.header.start;
    let slice = message.raw().get(start..part.body.end).ok_or(Unrewritable::Overlap)?;
    let moved: Option<Vec<Splice>> =
        appended.splices.iter().map(|splice| moved(splice, start)).collect();
    let edited = moved.and_then(|splices| apply(slice, &splices)).ok_or(Unrewritable::Overlap)?;
    // A part without a header of its own begins with the empty line, which is no message.
    let buffer = [b"X-Part: 1\r\n".as_slice(), &edited].concat();
    let again = Message::parse(Bytes::from(buffer), &Limits::default());
    match again.parts().first().map(|part| &part.content) {
        Some(Content::Text(text)) if holds(original.expose(), text.expose(), &appended.text) => {
            Ok(())
        }
        _ => Err(Unrewritable::TextProof),
    }
}

fn moved(splice: &Splice, start: usize) -> Option<Splice> {
    let at = splice.at.start.checked_sub(start)?..splice.at.end.checked_sub(start)?;
    Some(Splice { at, with: splice.with.clone() })
}

/// Whether `edited` is `original` with `addition` at one place.
fn holds(original: &str, edited: &str, addition: &str) -> bool {
    let (original, edited, addition) =
        (original.as_bytes(), edited.as_bytes(), addition.as_bytes());
    if edited.len() != original.len() + addition.len() {
        return false;
    }
    let same = |(a, b): &(&u8, &u8)| a == b;
    let front = original.iter().zip(edited).take_while(same).count();
    let back = original.iter().rev().zip(edited.iter().rev()).take_while(same).count();
    // Both ends agree up to the place; where they overlap, several places would do.
    (original.len() - back..=front).any(|at| edited.get(at..at + addition.len()) == Some(addition))
}

/// No line of what is inserted begins like a boundary of the message.
pub(super) fn no_boundary(message: &Message, splices: &[Splice]) -> Result<(), Unrewritable> {
    let boundaries: Vec<Vec<u8>> = message
        .parts()
        .iter()
        .filter(|part| matches!(part.content, Content::Multipart(_)))
        .filter_map(|part| super::fields::parameter(message, part, "boundary"))
        .map(|boundary| [b"--", boundary.as_bytes()].concat())
        .collect();
    let collides = |line: &[u8]| boundaries.iter().any(|boundary| line.starts_with(boundary));
    let any = splices.iter().any(|splice| splice.with.split(|&c| c == b'\n').any(collides));
    if any { Err(Unrewritable::Boundary) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_copy_of_the_addition_does_not_confuse_the_proof() {
        assert!(holds("a D b", "a D D b", "D "));
        assert!(holds("a", "aD", "D"));
        assert!(!holds("a", "bD", "D"));
        assert!(!holds("ab", "aD", "D"));
    }
}
