//! The roll: who the school's pupils are. Plain only in memory; the store seals the bytes.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version of the sealed form, raised when an older reader could misread a newer one.
const VERSION: u32 = 1;
/// A roll older than this many months is stale: a school year changes every name on a list.
const STALE_AFTER_MONTHS: i64 = 12;

/// One pupil. There is no `Debug` of the names.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pupil {
    /// Legal or chosen forename, as the export has it.
    pub forename: String,
    /// Surname, as the export has it.
    pub surname: String,
    /// The name the child is called by, where it differs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub preferred_forename: String,
    /// The surname the child goes by, where it differs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub preferred_surname: String,
    /// Unique Pupil Number, upper case and without separators; empty where the export has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub upn: String,
    /// Year group as the export writes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub year: String,
    /// Registration form or class as the export writes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub form: String,
    /// Date of birth as the export writes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub born: String,
}

impl fmt::Debug for Pupil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[pupil]")
    }
}

/// All pupils, and of what day the list is; immutable, swapped whole.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roll {
    pupils: Vec<Pupil>,
    taken: Option<Date>,
}

impl fmt::Debug for Roll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[roll of {} pupils]", self.pupils.len())
    }
}

/// Whether there is a roll that can be trusted. No roll and an old one are never silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollStatus {
    /// No pupil is known: no name can be found.
    Missing,
    /// The list is of that day, more than a year ago, or of an unknown day.
    Stale(Option<Date>),
    /// The list is of that day.
    Fresh(Date),
}

/// Sealed bytes that are no roll.
#[derive(Debug, Error)]
pub enum RollError {
    /// Not what [`Roll::to_bytes`] writes.
    #[error("the stored roll can't be read; import it again")]
    Unreadable(#[source] serde_json::Error),
    /// Written by a newer gateway.
    #[error("the stored roll has version {0}, this gateway reads {VERSION}; import it again")]
    Version(u32),
}

#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    roll: Roll,
}

impl Roll {
    /// A roll of these pupils as of that day. Equal entries are kept once.
    pub fn new(mut pupils: Vec<Pupil>, taken: Date) -> Self {
        pupils.sort_unstable();
        pupils.dedup();
        Self { pupils, taken: Some(taken) }
    }

    /// The pupils, sorted.
    pub fn pupils(&self) -> &[Pupil] {
        &self.pupils
    }

    /// Whether the list is of a day before `date`, or of an unknown day.
    pub fn is_older_than(&self, date: Date) -> bool {
        self.taken.is_none_or(|taken| taken < date)
    }

    /// How far the roll can be trusted today.
    pub fn status(&self, today: Date) -> RollStatus {
        let limit = today.saturating_sub(jiff::Span::new().months(STALE_AFTER_MONTHS));
        match self.taken {
            _ if self.pupils.is_empty() => RollStatus::Missing,
            Some(taken) if !self.is_older_than(limit) => RollStatus::Fresh(taken),
            taken => RollStatus::Stale(taken),
        }
    }

    /// The bytes that the store seals.
    ///
    /// # Errors
    /// [`RollError::Unreadable`] if it can't be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RollError> {
        let record = Record { version: VERSION, roll: self.clone() };
        serde_json::to_vec(&record).map_err(RollError::Unreadable)
    }

    /// The roll from bytes that the store has opened.
    ///
    /// # Errors
    /// [`RollError`] says whether the bytes are no roll or a newer one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RollError> {
        let record: Record = serde_json::from_slice(bytes).map_err(RollError::Unreadable)?;
        match record.version {
            VERSION => Ok(record.roll),
            other => Err(RollError::Version(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn roll() -> Roll {
        let tom = Pupil { forename: "Tom".into(), surname: "Brown".into(), ..Pupil::default() };
        Roll::new(vec![tom.clone(), tom], date(2026, 9, 1))
    }

    #[test]
    fn bytes_come_back_and_debug_is_silent() {
        let bytes = roll().to_bytes().unwrap();
        assert_eq!(Roll::from_bytes(&bytes).unwrap(), roll());
        assert_eq!(format!("{:?} {:?}", roll(), roll().pupils()[0]), "[roll of 1 pupils] [pupil]");
        assert!(matches!(Roll::from_bytes(b"{}"), Err(RollError::Unreadable(_))));
        let newer = br#"{"version":2,"roll":{"pupils":[],"taken":null}}"#;
        assert!(matches!(Roll::from_bytes(newer), Err(RollError::Version(2))));
    }

    #[test]
    fn status_is_missing_fresh_or_stale() {
        assert_eq!(Roll::default().status(date(2026, 9, 1)), RollStatus::Missing);
        assert_eq!(roll().status(date(2027, 9, 1)), RollStatus::Fresh(date(2026, 9, 1)));
        assert_eq!(roll().status(date(2027, 9, 2)), RollStatus::Stale(Some(date(2026, 9, 1))));
        assert!(roll().is_older_than(date(2026, 9, 2)) && !roll().is_older_than(date(2026, 9, 1)));
    }
}
