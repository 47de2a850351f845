//! The seam between the doors and the intake.

use std::future::Future;
use std::net::IpAddr;

use bytes::Bytes;

use crate::mail::Envelope;
use crate::mail::Reply;

/// A message that has come through a door, whole and framed, not yet judged.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The envelope of the transaction.
    pub envelope: Envelope,
    /// The message as received, header and body with CRLF line endings, dots un-stuffed.
    pub raw: Bytes,
    /// The name of the listener, from the configuration.
    pub listener: String,
    /// The peer's address.
    pub peer: IpAddr,
    /// What the peer said in EHLO or HELO.
    pub helo: String,
    /// The session was encrypted.
    pub tls: bool,
    /// The session began with EHLO (it is `ESMTP`, not `SMTP`, in the trace).
    pub extended: bool,
}

/// Where a door hands its messages over. The reply is what the client must be told, and a 2xx
/// can only come out of the store's proof that the message is safe.
pub trait Door: Send + Sync + 'static {
    /// Takes a message in, or says why not. Must not panic; a fault is a 4xx reply.
    fn take(&self, arrival: Arrival) -> impl Future<Output = Reply> + Send;
}
