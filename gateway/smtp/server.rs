//! One SMTP listener: it accepts connections, counts them, and stops them in good order.

use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::intake::Door;

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

/// The listener can't be opened.
#[derive(Debug, Error)]
#[error(
    "cannot listen on {address} for SMTP; is another program on that port, or may the gateway not open it?"
)]
pub struct BindError {
    /// As configured.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

/// A bound listener.
#[derive(Debug)]
pub struct Server<D> {
    listener: TcpListener,
    address: SocketAddr,
    settings: Arc<Settings>,
    door: Arc<D>,
}

impl<D: Door> Server<D> {
    /// Opens the port.
    ///
    /// # Errors
    /// [`BindError`] where the system refuses.
    pub async fn bind(settings: Settings, door: Arc<D>) -> Result<Self, BindError> {
        let wrong = |source| BindError { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        Ok(Self { listener, address, settings: Arc::new(settings), door })
    }

    /// Where it listens, the port being known.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the token is cancelled and the sessions have ended, or their grace is over.
    pub async fn run(self, stop: CancellationToken) {
        let _ = (&self.listener, &self.settings, &self.door);
        stop.cancelled().await;
    }
}
