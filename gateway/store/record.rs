//! What is remembered of a judgement, sealed: subject, findings, reasons, and how the copies that
//! leave differ from the bytes received.
//!
//! The form on disk is a decision of its own and follows no type of another layer: one octet of
//! version, four octets of length, JSON of that length, then the bytes of all splices in a row.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use super::error::StoreError;
use crate::mail::Sensitive;
use crate::mail::Splice;

const VERSION: u8 = 1;
const DAMAGED: StoreError = StoreError::Row("a record");

/// The sealed part of a judgement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The decoded subject.
    pub subject: Option<Sensitive<String>>,
    /// What was found.
    pub findings: Vec<RecordedFinding>,
    /// Why the verdict is what it is.
    pub reasons: Vec<RecordedReason>,
    /// What was attached.
    pub attachments: Vec<RecordedAttachment>,
    /// The splices of copies for recipients outside the school's own domains.
    pub outside: Vec<Splice>,
    /// The splices of copies for the school's own domains.
    pub own: Vec<Splice>,
}

/// A finding as it is remembered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFinding {
    /// The category's id.
    pub category: String,
    /// The id of the rule that found it.
    pub rule: String,
    /// `low`, `medium`, `high`.
    pub confidence: String,
    /// Where it stood, as `mail::Place` writes it; it may name a file.
    #[serde(with = "sensitive")]
    pub place: Sensitive<String>,
    /// The words themselves.
    #[serde(with = "sensitive")]
    pub evidence: Sensitive<String>,
    /// The form without a character of the original.
    pub masked: String,
}

/// A reason as it is remembered; it holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedReason {
    /// The rule's id.
    pub rule: String,
    /// The clause it serves, `P03`.
    pub clause: String,
    /// The sentence a teacher reads.
    pub text: String,
}

/// An attachment as it is remembered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedAttachment {
    /// The file name.
    #[serde(with = "sensitive")]
    pub name: Sensitive<String>,
    /// The media type by which it was read.
    pub media_type: String,
    /// The id of its protection.
    pub protection: String,
    /// Why it counts as so protected.
    pub evidence: String,
}

impl Record {
    /// The plain form that is then sealed.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let splices = |splices: &[Splice]| splices.iter().map(SpliceOnDisk::of).collect();
        let head = OnDisk {
            subject: self.subject.as_ref().map(|subject| subject.expose().clone()),
            findings: self.findings.clone(),
            reasons: self.reasons.clone(),
            attachments: self.attachments.clone(),
            outside: splices(&self.outside),
            own: splices(&self.own),
        };
        let head = serde_json::to_vec(&head).map_err(|_shape| DAMAGED)?;
        let length = u32::try_from(head.len()).map_err(|_too_long| DAMAGED)?;
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&head);
        for splice in self.outside.iter().chain(&self.own) {
            bytes.extend_from_slice(&splice.with);
        }
        Ok(bytes)
    }

    /// The way back of [`Record::to_bytes`].
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        let (&version, rest) = bytes.split_first().ok_or(DAMAGED)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(DAMAGED)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_range| DAMAGED)?;
        let (head, mut tail) = rest.split_at_checked(length).ok_or(DAMAGED)?;
        if version != VERSION {
            return Err(DAMAGED);
        }
        let head: OnDisk = serde_json::from_slice(head).map_err(|_shape| DAMAGED)?;
        let outside = take_splices(head.outside, &mut tail)?;
        let own = take_splices(head.own, &mut tail)?;
        Ok(Self {
            subject: head.subject.map(Sensitive::new),
            findings: head.findings,
            reasons: head.reasons,
            attachments: head.attachments,
            outside,
            own,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    subject: Option<String>,
    findings: Vec<RecordedFinding>,
    reasons: Vec<RecordedReason>,
    attachments: Vec<RecordedAttachment>,
    outside: Vec<SpliceOnDisk>,
    own: Vec<SpliceOnDisk>,
}

/// Start, end and the number of octets in the tail.
#[derive(Serialize, Deserialize)]
struct SpliceOnDisk(usize, usize, usize);

impl SpliceOnDisk {
    fn of(splice: &Splice) -> Self {
        Self(splice.at.start, splice.at.end, splice.with.len())
    }
}

fn take_splices(list: Vec<SpliceOnDisk>, tail: &mut &[u8]) -> Result<Vec<Splice>, StoreError> {
    let take = |SpliceOnDisk(start, end, length)| {
        let (with, rest) = tail.split_at_checked(length).ok_or(DAMAGED)?;
        *tail = rest;
        Ok(Splice { at: start..end, with: with.to_vec() })
    };
    list.into_iter().map(take).collect()
}

impl fmt::Debug for RecordedFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.masked, self.rule)
    }
}

impl fmt::Debug for RecordedAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.media_type, self.protection)
    }
}

/// Personal data is written here on purpose: the result is sealed at once.
mod sensitive {
    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serializer;

    use crate::mail::Sensitive;

    pub(super) fn serialize<S: Serializer>(
        value: &Sensitive<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Sensitive<String>, D::Error> {
        String::deserialize(deserializer).map(Sensitive::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            subject: Some(Sensitive::new("Tom Brown".to_owned())),
            findings: vec![RecordedFinding {
                category: "pupil_name".to_owned(),
                rule: "pupil-name".to_owned(),
                confidence: "high".to_owned(),
                place: Sensitive::new("subject".to_owned()),
                evidence: Sensitive::new("Tom Brown".to_owned()),
                masked: "[pupil name, 2 words]".to_owned(),
            }],
            outside: vec![
                Splice { at: 0..0, with: b"X: \xff\r\n".to_vec() },
                Splice { at: 5..9, with: Vec::new() },
            ],
            own: vec![Splice { at: 1..2, with: b"abc".to_vec() }],
            ..Record::default()
        }
    }

    #[test]
    fn reads_back_what_it_wrote_and_refuses_the_cut() {
        let bytes = record().to_bytes().unwrap();
        assert_eq!(Record::from_bytes(&bytes).unwrap(), record());
        for cut in 0..bytes.len() {
            assert!(Record::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn debug_shows_no_words() {
        assert!(!format!("{:?}", record()).contains("Brown"));
    }
}
