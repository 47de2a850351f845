//! The way out: whoever delivers may take a message over from memory, right after its commit.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::mail::Address;
use crate::mail::Audience;
use crate::mail::Splice;
use crate::store::MessageId;

/// A message just committed, with all that its delivery needs.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// Its id in the store.
    pub id: MessageId,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The reverse path; `None` is `<>`.
    pub reverse_path: Option<Address>,
    /// The client declared SMTPUTF8.
    pub smtp_utf8: bool,
    /// Those that get it now.
    pub recipients: Vec<(Address, Audience)>,
    /// The octets as received.
    pub raw: Bytes,
    /// The edits of copies that leave the school.
    pub outside: Arc<[Splice]>,
    /// The edits of copies for the school's own domains.
    pub own: Arc<[Splice]>,
}

/// Takes fresh messages over, or not: what it drops lies in the store and is found there.
pub trait Outlet: Send + Sync + 'static {
    /// Must neither block nor fail.
    fn offer(&self, fresh: Fresh);
}
