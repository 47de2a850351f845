//! The seam to a next hop: what the relay asks of a connection, whatever library drives it.

use std::fmt;
use std::future::Future;

use thiserror::Error;

use super::body::Body;
use crate::mail::Address;

/// An enhanced status code, RFC 3463: class, subject, detail.
pub type Status = (u8, u16, u16);

/// What a next hop, or we in its place, said about a recipient or a message. The words of the
/// reply are left out on purpose: hosts quote addresses and content in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The reply code, RFC 5321 section 4.2; `None` where nobody answered.
    pub code: Option<u16>,
    /// The enhanced status, RFC 3463.
    pub status: Status,
}

impl Answer {
    /// The connection failed or fell silent (X.4.2, bad connection).
    pub const LOST: Self = Self::local((4, 4, 2));
    /// The host could not be reached (X.4.1, no answer from host).
    pub const NO_ANSWER: Self = Self::local((4, 4, 1));
    /// The host said something that is not SMTP (X.5.0).
    pub const NOT_SMTP: Self = Self::local((4, 5, 0));
    /// The host is to be reached over TLS only and that failed (X.7.4).
    pub const NO_TLS: Self = Self::local((4, 7, 4));
    /// The message is larger than the host takes (X.3.4).
    pub const TOO_LARGE: Self = Self::local((5, 3, 4));
    /// The body is 8-bit and the host takes 7-bit only (X.6.3, conversion required).
    pub const NEEDS_8BITMIME: Self = Self::local((5, 6, 3));
    /// Addresses or header need SMTPUTF8, which the host lacks (X.6.7, RFC 6531 section 3.5).
    pub const NEEDS_SMTPUTF8: Self = Self::local((5, 6, 7));
    /// Our own message has a bare CR or LF, and will never be sent (X.6.0, media error).
    pub const UNSAFE_LINES: Self = Self::local((5, 6, 0));
    /// Delivery time expired (X.4.7).
    pub const EXPIRED: Self = Self::local((4, 4, 7));

    const fn local(status: Status) -> Self {
        Self { code: None, status }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, subject, detail) = self.status;
        match self.code {
            Some(code) => write!(f, "{code} {class}.{subject}.{detail}"),
            None => write!(f, "local {class}.{subject}.{detail}"),
        }
    }
}

/// What became of one recipient in one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The next hop has taken responsibility (2xx after the end of data).
    Delivered(Answer),
    /// This recipient may succeed later (4xx, or no clear answer).
    Later(Answer),
    /// The whole host is unwell (421, lost, silent): no recipient is to blame.
    HostTrouble(Answer),
    /// It will never succeed (5xx).
    Refused(Answer),
}

/// In which state a transaction leaves its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Good for another transaction.
    Ready,
    /// It must be dropped, and the message had not begun: the host can't have taken it.
    DeadBeforeBody,
    /// It must be dropped, and the host has seen the message, or a part of it.
    Dead,
}

/// The end of one transaction.
#[derive(Debug)]
pub struct Sent {
    /// One for each recipient of the parcel, in its order.
    pub outcomes: Vec<Outcome>,
    /// Whether the connection can be used again.
    pub state: State,
}

/// One transaction: an envelope and a checked body. At most 100 recipients, which every host
/// must take (RFC 5321 section 4.5.3.1.8).
#[derive(Debug)]
pub struct Parcel<'a> {
    /// `None` is `<>`.
    pub reverse_path: Option<&'a Address>,
    /// Who gets it.
    pub recipients: &'a [Address],
    /// The message, already checked for bare line endings.
    pub body: &'a Body<'a>,
    /// The client that gave us the message declared SMTPUTF8 (RFC 6531).
    pub smtp_utf8: bool,
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no connection while at {step}: {answer}")]
pub struct Unreachable {
    /// The step that failed: `connect`, `greeting`, `ehlo`, `starttls` or `tls`.
    pub step: &'static str,
    /// What to note about it.
    pub answer: Answer,
}

/// A host to which messages can be passed on.
pub trait NextHop: Send + Sync + 'static {
    /// Its connections.
    type Link: Link;

    /// Opens a connection that is ready for a transaction, within bounded time.
    fn connect(&self) -> impl Future<Output = Result<Self::Link, Unreachable>> + Send;
}

/// One open connection to a next hop.
pub trait Link: Send + 'static {
    /// Runs one transaction, within bounded time. Never fails: every recipient has an outcome.
    fn send(&mut self, parcel: &Parcel<'_>) -> impl Future<Output = Sent> + Send;

    /// Ends the connection politely, within bounded time.
    fn close(self) -> impl Future<Output = ()> + Send;
}
