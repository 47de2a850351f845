//! What one SMTP listener is told.

use std::net::SocketAddr;

use super::clients::{Clients, OwnDomains};
use super::limits::{Limits, Memory};
use super::tls::Tls;

/// What to do with a message whose lines end in a bare CR or a bare LF. A NUL is refused always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEndings {
    /// 554 after the end of data: RFC 5321 section 2.3.8, and the one safe answer to smuggling.
    #[default]
    Strict,
    /// Each becomes CRLF, for copiers that can't do better. What ends the data stays CRLF.CRLF.
    Normalise,
}

/// One listener as configured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name, for logs and for the [`Arrival`](crate::intake::Arrival).
    pub name: String,
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The gateway's host name, in the greeting and in EHLO.
    pub hostname: String,
    /// The school's own domains.
    pub own_domains: OwnDomains,
    /// Who may send.
    pub clients: Clients,
    /// What STARTTLS needs; without it, it is not offered.
    pub tls: Option<Tls>,
    /// MAIL waits for TLS: 530.
    pub tls_required: bool,
    /// Strict, or forgiving to copiers.
    pub line_endings: LineEndings,
    /// Bounds.
    pub limits: Limits,
    /// The budget, shared by all listeners.
    pub memory: Memory,
}
