//! The SMTP client: one connection to one next hop, and the seam behind which it can be swapped.
//!
//! What it does not do: choose a next hop, retry, or remember anything; that is [`super::relay`].

mod body;
mod command;
mod connection;
mod host;
mod next_hop;
mod reading;
mod timeouts;
mod tls;
mod wire;

pub use body::{BareLineEnding, Body};
pub use connection::Connection;
pub use host::SmtpHost;
pub use next_hop::{Answer, Link, NextHop, Outcome, Parcel, Sent, State, Status, Unreachable};
pub use timeouts::Timeouts;
pub use tls::{ClientCertificate, TlsError, TlsMode, TlsPolicy};
