//! What can go wrong in the store, and what the client of SMTP is told about it.

use std::io;

use thiserror::Error;

use super::id::HoldId;
use super::id::MessageId;
use super::keys::KeyError;
use crate::mail::Condition;

/// SQLite's result codes for a full disk (SQLITE_FULL, SQLITE_IOERR_WRITE is not among them).
const SQLITE_FULL: &str = "13";

/// A fault of the store. None of the texts holds personal data: ids, steps and codes only.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another gateway works on this data folder.
    #[error("another gateway holds the lock of this data folder")]
    Locked,
    /// The disk, or the quota on it, is full.
    #[error("the disk is full")]
    NoRoom,
    /// A file operation failed.
    #[error("the store could not {step}")]
    Disk {
        /// What was being done.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The database refused, and nothing of the change is there.
    #[error("the database refused the change")]
    Database(#[source] sqlx::Error),
    /// The commit itself failed, so that after a crash the change may be there or not: whole or
    /// absent, never half.
    #[error("the commit failed and its outcome shows at the next start")]
    CommitUnsure(#[source] sqlx::Error),
    /// The database has a newer layout than this program knows.
    #[error("the database has layout {found}, this program knows up to {known}")]
    TooNew {
        /// The layout found.
        found: i64,
        /// The newest known.
        known: i64,
    },
    /// A message could not be encrypted or decrypted for another reason than its bytes.
    #[error("sealing failed: {0}")]
    Seal(&'static str),
    /// The sealed file of a message is missing or damaged; the message has been set aside.
    #[error("message {0} can't be read back and has been set aside")]
    Corrupt(MessageId),
    /// There is no such message.
    #[error("there is no message {0}")]
    UnknownMessage(MessageId),
    /// There is no such hold.
    #[error("there is no hold {0}")]
    UnknownHold(HoldId),
    /// A column holds what it must not.
    #[error("the database holds an unreadable value of {0}")]
    Row(&'static str),
    /// The keys are missing or damaged.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// What the SMTP client is told: always a 4xx, the client keeps the message.
    pub fn condition(&self) -> Condition {
        match self {
            Self::NoRoom => Condition::NoRoom,
            _ => Condition::LocalFault,
        }
    }

    /// A failed file operation; a full disk is told apart from every other trouble.
    pub(super) fn disk(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoRoom,
            _ => Self::Disk { step, source },
        }
    }

    /// Whether a sealed file of this message must stay, because its row may yet appear.
    pub(super) fn is_unsure(&self) -> bool {
        matches!(self, Self::CommitUnsure(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let full = error
            .as_database_error()
            .and_then(|inner| inner.code().map(|code| code == SQLITE_FULL))
            .unwrap_or(false);
        if full { Self::NoRoom } else { Self::Database(error) }
    }
}
