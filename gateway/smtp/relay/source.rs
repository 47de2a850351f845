//! What the relay asks of the store: which deliveries are due, their bytes, and a place to note
//! what became of them.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use thiserror::Error;

use crate::mail::Address;
use crate::mail::Audience;
use crate::mail::Splice;
use crate::smtp::client::Answer;
use crate::store::MessageId;

/// A message with the recipients that are to be tried now.
#[derive(Debug, Clone)]
pub struct Due {
    /// The queue id.
    pub id: MessageId,
    /// When the message was accepted; the maximum age counts from here.
    pub accepted: Timestamp,
    /// Only those that are due.
    pub recipients: Vec<Recipient>,
}

/// One recipient of a message in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Where to.
    pub address: Address,
    /// Which of the two copies.
    pub audience: Audience,
    /// How often it was tried and put off.
    pub attempts: u32,
}

/// What is sent: the original and the two lists of splices.
#[derive(Debug, Clone)]
pub struct Letter {
    /// `None` is `<>`.
    pub reverse_path: Option<Address>,
    /// The client declared SMTPUTF8.
    pub smtp_utf8: bool,
    /// The message as it was accepted.
    pub raw: Bytes,
    /// The edits of copies that leave the school.
    pub outside: Arc<[Splice]>,
    /// The edits of copies for the school's own domains.
    pub own: Arc<[Splice]>,
}

/// What to note about one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Which.
    pub recipient: Address,
    /// What became of it.
    pub fate: Fate,
}

/// What became of one recipient in one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Done: the next hop has it.
    Delivered(Answer),
    /// To be tried again.
    Deferred {
        /// Why.
        answer: Answer,
        /// Not before.
        until: Timestamp,
        /// It counts as an attempt; not so where the host as a whole was away or busy.
        counted: bool,
    },
    /// Never to be tried again; the sender is owed a report (RFC 3464).
    Failed(Answer),
}

/// The store could not answer; it will be asked again.
#[derive(Debug, Error)]
#[error("the store could not answer the relay")]
pub struct SourceError(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// The store, as the relay sees it.
pub trait Source: Send + Sync + 'static {
    /// Messages with deliveries due at `now`, the oldest due first, at most `limit` messages.
    fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Due>, SourceError>> + Send;

    /// The bytes of one message; `None` where there is none any more.
    fn load(
        &self,
        id: MessageId,
    ) -> impl Future<Output = Result<Option<Letter>, SourceError>> + Send;

    /// Writes down what became of some recipients, all or nothing.
    fn note(
        &self,
        id: MessageId,
        notes: Vec<Note>,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;
}
