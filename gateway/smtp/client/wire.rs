//! The octets beneath lettre: one TCP or TLS stream, shared by lettre and by the body's writer.
//!
//! lettre is given one handle and we keep another; they are used in turn, never at once. Three
//! things happen here that lettre can't do: replies are brought into a form it understands (one
//! in Latin-1, or of a code alone, would look like a broken connection, and after the end of data
//! that means a second copy), the capabilities of EHLO are overheard (lettre keeps four of them and not SIZE), and TLS is ours, so that the
//! certificate chain is sent whole and nothing injected before the handshake survives it.

use std::fmt;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Longer than any EHLO reply; what lies beyond is not overheard.
const MAX_HEARD: usize = 16 * 1024;

/// How much is read at once; replies are short.
const READ: usize = 1024;

/// A handle to the stream.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Inner>>);

struct Inner {
    stream: Stream,
    peer: SocketAddr,
    /// What lettre is to read before the stream's own octets.
    prelude: &'static [u8],
    /// Where in a line of a reply the next octet stands.
    column: usize,
    /// What has been read, while somebody wants to know.
    heard: Option<Vec<u8>>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Gone,
}

impl Wire {
    pub(super) fn plain(stream: TcpStream, peer: SocketAddr) -> Self {
        Self::new(Stream::Plain(stream), peer, b"")
    }

    /// A stream on which the handshake is done. lettre waits for a greeting, and after STARTTLS
    /// there is none (RFC 3207 section 4.2), so it is told one of ours.
    pub(super) fn encrypted(stream: TlsStream<TcpStream>, peer: SocketAddr) -> Self {
        Self::new(Stream::Tls(Box::new(stream)), peer, b"220 encrypted\r\n")
    }

    fn new(stream: Stream, peer: SocketAddr, prelude: &'static [u8]) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            stream,
            peer,
            prelude,
            column: 0,
            heard: Some(Vec::new()),
        })))
    }

    /// What has been read so far; from now on nothing is kept.
    pub(super) fn overheard(&self) -> Vec<u8> {
        self.inner().heard.take().unwrap_or_default()
    }

    /// Takes the TCP stream out, for a handshake. Octets that a peer sent ahead of it stay
    /// behind in lettre's buffer and are gone with it.
    pub(super) fn into_tcp(self) -> Option<TcpStream> {
        match mem::replace(&mut self.inner().stream, Stream::Gone) {
            Stream::Plain(stream) => Some(stream),
            Stream::Tls(_) | Stream::Gone => None,
        }
    }

    /// A poisoned lock is taken all the same: the stream is at worst broken, and says so.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.inner().peer)
    }
}

impl Inner {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.prelude.is_empty() {
            let (now, later) = self.prelude.split_at(self.prelude.len().min(buf.remaining()));
            buf.put_slice(now);
            self.prelude = later;
            return Poll::Ready(Ok(()));
        }
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Makes a reply ASCII, and gives a code without a text (`250` CRLF, which RFC 5321 section
    /// 4.2 asks clients to bear) the space that lettre wants behind it.
    fn tidy(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut tidy = Vec::with_capacity(octets.len() * 2);
        for octet in octets {
            if self.column == 3 && *octet == b'\r' {
                tidy.push(b' ');
            }
            self.column = if *octet == b'\n' { 0 } else { self.column + 1 };
            tidy.push(if octet.is_ascii() { *octet } else { b'?' });
        }
        tidy
    }

    fn hear(&mut self, octets: &[u8]) {
        if let Some(heard) = &mut self.heard
            && heard.len() + octets.len() <= MAX_HEARD
        {
            heard.extend_from_slice(octets);
        }
    }

    fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        plain: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
        tls: impl FnOnce(Pin<&mut TlsStream<TcpStream>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.stream {
            Stream::Plain(stream) => plain(Pin::new(stream), cx),
            Stream::Tls(stream) => tls(Pin::new(stream.as_mut()), cx),
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // An octet may become two.
        let room = (buf.remaining() / 2).min(READ);
        let mut octets = [0; READ];
        let mut read = ReadBuf::new(octets.get_mut(..room).unwrap_or_default());
        let mut inner = self.inner();
        let polled = inner.poll_read(cx, &mut read);
        let tidy = inner.tidy(read.filled());
        inner.hear(&tidy);
        buf.put_slice(&tidy);
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_with(cx, |s, cx| s.poll_write(cx, buf), |s, cx| s.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_with(cx, |s, cx| s.poll_flush(cx), |s, cx| s.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_with(cx, |s, cx| s.poll_shutdown(cx), |s, cx| s.poll_shutdown(cx))
    }
}
