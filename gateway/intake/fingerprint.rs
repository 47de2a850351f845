//! What makes two transactions the same message: Exchange splits one message by recipients, and
//! its parts must meet in one hold.

use crate::mail::fields_of;

/// Header fields that the sender wrote. Trace and transport fields differ between the parts of a
/// split message and stay out.
const WRITTEN: &[&str] = &["message-id", "date", "from", "to", "cc", "subject"];

/// The keyed hash of Message-ID and content: the fields the sender wrote and the body's octets.
/// `mac` must tell its pieces apart, so that moving an octet between two of them changes the hash.
pub fn merge_key(raw: &[u8], mac: &dyn Fn(&[&[u8]]) -> [u8; 32]) -> [u8; 32] {
    let (fields, body) = fields_of(raw, 0, raw.len());
    let mut pieces: Vec<&[u8]> = Vec::new();
    for name in WRITTEN {
        pieces.push(name.as_bytes());
        let named = fields.iter().filter(|field| {
            raw.get(field.name.clone()).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()))
        });
        pieces.extend(named.map(|field| raw.get(field.value.clone()).unwrap_or_default()));
    }
    pieces.push(raw.get(body..).unwrap_or_default());
    mac(&pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(raw: &str) -> [u8; 32] {
        merge_key(raw.as_bytes(), &|pieces| {
            let digest = ring::digest::digest(&ring::digest::SHA256, &pieces.join(&b"\0"[..]));
            digest.as_ref().try_into().expect("32 octets")
        })
    }

    #[test]
    fn parts_of_a_split_message_are_equal_whatever_their_trace_says() {
        let one = key("Received: by a\r\nSubject: x\r\nTo: a@b.example\r\n\r\nbody");
        let two = key("Received: by b\r\nX-Queue: 7\r\nSubject: x\r\nTo: a@b.example\r\n\r\nbody");
        assert_eq!(one, two);
    }

    #[test]
    fn another_subject_or_body_is_another_message() {
        let one = key("Subject: x\r\n\r\nbody");
        assert_ne!(one, key("Subject: y\r\n\r\nbody"));
        assert_ne!(one, key("Subject: x\r\n\r\nbody!"));
    }
}
