//! The sink's listener and its memory.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;

use super::manners::Manners;
use super::session;

/// One message as it arrived.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// The argument of `MAIL FROM:`, parameters included.
    pub mail: String,
    /// The paths of the accepted `RCPT TO:`, without brackets.
    pub recipients: Vec<String>,
    /// The message, dots un-stuffed.
    pub octets: Vec<u8>,
    /// It came over TLS.
    pub tls: bool,
    /// The client showed a certificate.
    pub client_certificate: bool,
}

/// Counts only: what arrives is somebody's mail.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received({} recipients, {} octets)", self.recipients.len(), self.octets.len())
    }
}

/// A running sink; dropping it closes the listener and all connections.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    memory: Arc<Memory>,
    _running: DropGuard,
}

/// What the sink has seen.
#[derive(Debug, Default)]
pub(super) struct Memory {
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    changed: Notify,
}

impl Sink {
    /// Listens on `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// Those of binding.
    pub async fn start(address: SocketAddr, manners: Manners) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let memory = Arc::new(Memory::default());
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, manners, Arc::clone(&memory), stop.clone()));
        Ok(Self { address, memory, _running: stop.drop_guard() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has arrived so far, in the order of arrival.
    pub fn received(&self) -> Vec<Received> {
        self.memory.received().clone()
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.memory.connections.load(Ordering::SeqCst)
    }

    /// What has arrived, as soon as it is `count` messages, or at the deadline whatever there is.
    pub async fn wait_for(&self, count: usize, deadline: Duration) -> Vec<Received> {
        let enough = async {
            loop {
                let changed = self.memory.changed.notified();
                if self.memory.received().len() >= count {
                    return;
                }
                changed.await;
            }
        };
        // The caller sees by the count whether the deadline was met.
        drop(timeout(deadline, enough).await);
        self.received()
    }
}

impl Memory {
    pub(super) fn keep(&self, received: Received) {
        self.received().push(received);
        self.changed.notify_waiters();
    }

    fn received(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(
    listener: TcpListener,
    manners: Manners,
    memory: Arc<Memory>,
    stop: CancellationToken,
) {
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _peer)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the sink can't accept a connection");
                    continue;
                }
            },
        };
        memory.connections.fetch_add(1, Ordering::SeqCst);
        let (manners, memory, stop) = (manners.clone(), Arc::clone(&memory), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                // A client that goes away is no concern of a sink's.
                _ended = session::run(stream, manners, memory) => {}
            }
        });
    }
}
