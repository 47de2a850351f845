//! One connection: moves octets between the socket and the [`Protocol`], and keeps the deadlines.
//!
//! A deadline belongs to a command or to a whole DATA phase, never to a single read, so that a
//! client can't stay for ever by sending an octet now and then.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls_pki_types::UnixTime;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::intake::Door;
use crate::mail::Condition;

use super::protocol::{Need, Phase, Protocol};
use super::settings::Settings;

/// Octets read at once while commands come in, and while a message does.
const COMMAND_CHUNK: usize = 4 * 1024;
const DATA_CHUNK: usize = 64 * 1024;
/// For a last reply to a client that may no longer listen.
const PARTING: Duration = Duration::from_secs(5);

/// Why a session ended, as the log says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The session closed it: QUIT, or too much of something.
    Closed,
    /// The client went away without QUIT, or the network did.
    Gone,
    /// A deadline passed.
    Late,
    /// The gateway is stopping.
    Stopped,
    /// The TLS handshake failed.
    Handshake,
}

/// How a conversation over one stream ended.
enum Outcome {
    End(End),
    StartTls,
}

/// What a connection works with.
pub(super) struct Connection<D> {
    pub(super) settings: Arc<Settings>,
    pub(super) door: Arc<D>,
    pub(super) peer: IpAddr,
    /// Names the session in the log.
    pub(super) id: u64,
    pub(super) stop: CancellationToken,
}

impl<D: Door> Connection<D> {
    /// Serves the client until one of the two has had enough.
    pub(super) async fn serve(self, stream: TcpStream) {
        let mut protocol = Protocol::new(Arc::clone(&self.settings), self.peer);
        let end = self.converse_in_clear(stream, &mut protocol).await;
        let session = protocol.session();
        info!(
            listener = self.settings.name,
            peer = %self.peer,
            session = self.id,
            end = ?end,
            tls = session.is_encrypted(),
            messages = session.messages(),
            errors = session.errors(),
            "session ended"
        );
    }

    async fn converse_in_clear(&self, stream: TcpStream, protocol: &mut Protocol) -> End {
        // Replies are written whole, so there is nothing to gain from waiting for more.
        if stream.set_nodelay(true).is_err() {
            return End::Gone;
        }
        let ends = Instant::now() + self.settings.limits.session_time;
        let mut wire = Wire::new(stream);
        protocol.greet(&mut wire.output);
        match self.converse(&mut wire, protocol, ends).await {
            Outcome::End(end) => end,
            Outcome::StartTls => match self.handshake(wire.stream).await {
                Some(stream) => Box::pin(self.converse_in_secret(stream, protocol, ends)).await,
                None => End::Handshake,
            },
        }
    }

    async fn converse_in_secret(
        &self,
        stream: TlsStream<TcpStream>,
        protocol: &mut Protocol,
        ends: Instant,
    ) -> End {
        let (_, tls) = stream.get_ref();
        protocol.tls_started(tls.peer_certificates().unwrap_or_default(), UnixTime::now());
        match self.converse(&mut Wire::new(stream), protocol, ends).await {
            Outcome::End(end) => end,
            Outcome::StartTls => End::Closed,
        }
    }

    async fn handshake(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let tls = self.settings.tls.as_ref()?;
        let accept = TlsAcceptor::from(tls.config()).accept(stream);
        match timeout(self.settings.limits.handshake_time, accept).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                debug!(session = self.id, kind = ?error.kind(), "handshake failed");
                None
            }
            Err(_late) => None,
        }
    }

    async fn converse<S>(
        &self,
        wire: &mut Wire<S>,
        protocol: &mut Protocol,
        ends: Instant,
    ) -> Outcome
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.exchange(wire, protocol, ends).await {
            Ok(Outcome::StartTls) => Outcome::StartTls,
            Ok(Outcome::End(end)) | Err(end) => {
                self.part(wire, protocol, end).await;
                Outcome::End(end)
            }
        }
    }

    async fn exchange<S>(
        &self,
        wire: &mut Wire<S>,
        protocol: &mut Protocol,
        ends: Instant,
    ) -> Result<Outcome, End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut clock = StepClock::default();
        loop {
            match protocol.advance(&mut wire.input, &mut wire.output) {
                Need::Input => {
                    wire.flush(self.settings.limits.command_time).await?;
                    let deadline = clock.deadline(protocol, &self.settings).min(ends);
                    self.read(wire, protocol.phase(), deadline).await?;
                }
                Need::Answer(arrival) => {
                    let reply = self.door.take(*arrival).await;
                    info!(session = self.id, code = reply.code, "message answered");
                    protocol.answer(&reply, &mut wire.output);
                }
                Need::Handshake => {
                    wire.flush(self.settings.limits.command_time).await?;
                    return Ok(Outcome::StartTls);
                }
                Need::Close => return Ok(Outcome::End(End::Closed)),
            }
        }
    }

    /// A message that is on its way may still arrive while the gateway stops; a command not.
    async fn read<S>(&self, wire: &mut Wire<S>, phase: Phase, deadline: Instant) -> Result<(), End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match phase {
            Phase::Data => wire.fill(DATA_CHUNK, deadline).await,
            Phase::Command => tokio::select! {
                biased;
                () = self.stop.cancelled() => Err(End::Stopped),
                filled = wire.fill(COMMAND_CHUNK, deadline) => filled,
            },
        }
    }

    /// Says why, where there is somebody to hear it, and closes.
    async fn part<S>(&self, wire: &mut Wire<S>, protocol: &Protocol, end: End)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match end {
            End::Late => protocol.say(Condition::Timeout, &mut wire.output),
            End::Stopped => protocol.say(Condition::ShuttingDown, &mut wire.output),
            End::Closed => {}
            End::Gone | End::Handshake => return,
        }
        if wire.flush(PARTING).await.is_ok() {
            // The client may be gone already, which is as good as closed.
            let _closed = timeout(PARTING, wire.stream.shutdown()).await;
        }
    }
}

/// Keeps one deadline for each step of the protocol, from when we begin to wait for it.
#[derive(Default)]
struct StepClock {
    step: Option<u64>,
    deadline: Option<Instant>,
}

impl StepClock {
    fn deadline(&mut self, protocol: &Protocol, settings: &Settings) -> Instant {
        let step = Some(protocol.steps());
        match self.deadline {
            Some(deadline) if self.step == step => deadline,
            _ => {
                let deadline = Instant::now() + time_for(protocol.phase(), settings);
                (self.step, self.deadline) = (step, Some(deadline));
                deadline
            }
        }
    }
}

fn time_for(phase: Phase, settings: &Settings) -> Duration {
    match phase {
        Phase::Command => settings.limits.command_time,
        Phase::Data => settings.limits.whole_data_time(),
    }
}

/// A stream with what has been read and not yet used, and what has been said and not yet sent.
struct Wire<S> {
    stream: S,
    input: BytesMut,
    output: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    fn new(stream: S) -> Self {
        Self { stream, input: BytesMut::new(), output: Vec::new() }
    }

    /// Sends everything said since the last time, as one piece (RFC 2920 section 3.2).
    async fn flush(&mut self, time: Duration) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        let send = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        match timeout(time, send).await {
            Ok(Ok(())) => self.output.clear(),
            Ok(Err(_broken)) => return Err(End::Gone),
            Err(_late) => return Err(End::Gone),
        }
        Ok(())
    }

    async fn fill(&mut self, chunk: usize, deadline: Instant) -> Result<(), End> {
        self.input.reserve(chunk);
        match timeout_at(deadline, self.stream.read_buf(&mut self.input)).await {
            Ok(Ok(0)) | Ok(Err(_)) => Err(End::Gone),
            Ok(Ok(_)) => Ok(()),
            Err(_late) => Err(End::Late),
        }
    }
}
