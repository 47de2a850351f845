//! One SMTP listener: it accepts connections, counts them, and stops them in good order.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::intake::Door;
use crate::mail::Condition;

use super::connection::Connection;
use super::connections::{Connections, Seat};

pub use super::settings::{LineEndings, Settings};

/// How long to wait before accepting again after the system refused, mostly for want of files.
const BREATHER: Duration = Duration::from_millis(100);
/// For the 421 to a client that is one too many.
const PARTING: Duration = Duration::from_secs(5);

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
    pub source: io::Error,
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

    /// Serves until the token is cancelled and the sessions have ended. Those that wait for a
    /// command end with 421 at once; one that is in the midst of a message, or waits for the
    /// intake, has [`stop_time`](super::limits::Limits::stop_time) to finish and is cut off then.
    pub async fn run(self, stop: CancellationToken) {
        let sessions = Sessions {
            connections: Connections::new(&self.settings.limits),
            settings: self.settings,
            door: self.door,
            tasks: TaskTracker::new(),
            stop,
            cut_off: CancellationToken::new(),
        };
        sessions.accept(self.listener).await;
        sessions.end().await;
    }
}

/// The running sessions of a listener.
struct Sessions<D> {
    connections: Connections,
    settings: Arc<Settings>,
    door: Arc<D>,
    tasks: TaskTracker,
    stop: CancellationToken,
    cut_off: CancellationToken,
}

impl<D: Door> Sessions<D> {
    async fn accept(&self, listener: TcpListener) {
        for id in 1.. {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer.ip().to_canonical(), id),
                Err(error) => self.rest(&error).await,
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: IpAddr, id: u64) {
        match self.connections.seat(peer) {
            Some(seat) => self.begin(stream, peer, id, seat),
            None => {
                info!(listener = self.settings.name, %peer, "too many connections");
                self.tasks.spawn(turn_away(stream));
            }
        }
    }

    fn begin(&self, stream: TcpStream, peer: IpAddr, id: u64, seat: Seat) {
        let connection = Connection {
            settings: Arc::clone(&self.settings),
            door: Arc::clone(&self.door),
            peer,
            id,
            stop: self.stop.clone(),
        };
        let cut_off = self.cut_off.clone();
        self.tasks.spawn(async move {
            let _seat = seat;
            cut_off.run_until_cancelled(connection.serve(stream)).await
        });
    }

    async fn rest(&self, error: &io::Error) {
        warn!(listener = self.settings.name, kind = ?error.kind(), "cannot accept a connection");
        sleep(BREATHER).await;
    }

    async fn end(self) {
        self.tasks.close();
        if timeout(self.settings.limits.stop_time, self.tasks.wait()).await.is_err() {
            warn!(listener = self.settings.name, sessions = self.tasks.len(), "sessions cut off");
            self.cut_off.cancel();
            self.tasks.wait().await;
        }
    }
}

async fn turn_away(mut stream: TcpStream) {
    let words = format!("{}\r\n", Condition::TooManyConnections.reply());
    let say = async {
        stream.write_all(words.as_bytes()).await?;
        stream.shutdown().await
    };
    // The client has been told, or is gone; either way it is turned away.
    let _said = timeout(PARTING, say).await;
}
