//! One dialogue of the sink.

use std::future::pending;
use std::io;
use std::mem;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::AsyncBufRead;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::manners::How;
use super::manners::Manners;
use super::manners::Step;
use super::server::Memory;
use super::server::Received;

/// What a session ends in.
enum End {
    /// QUIT, or the client is gone.
    Over,
    /// STARTTLS was answered; the handshake is next.
    Handshake(Arc<ServerConfig>),
}

struct Session<S> {
    stream: BufReader<S>,
    manners: Manners,
    memory: Arc<Memory>,
    tls: bool,
    client_certificate: bool,
    mail: String,
    recipients: Vec<String>,
}

/// Serves one connection to its end.
pub(super) async fn run(
    stream: TcpStream,
    manners: Manners,
    memory: Arc<Memory>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut plain = Session::new(stream, manners.clone(), Arc::clone(&memory));
    plain.say(&Step::Greeting, b"220 sink.example ESMTP sink\r\n").await?;
    let End::Handshake(config) = plain.dialogue().await? else { return Ok(()) };
    let stream = TlsAcceptor::from(config).accept(plain.stream.into_inner()).await?;
    let client_certificate = stream.get_ref().1.peer_certificates().is_some();
    let mut encrypted = Session::new(stream, manners, memory);
    (encrypted.tls, encrypted.client_certificate) = (true, client_certificate);
    encrypted.dialogue().await.map(|_end| ())
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    fn new(stream: S, manners: Manners, memory: Arc<Memory>) -> Self {
        Self {
            stream: BufReader::new(stream),
            manners,
            memory,
            tls: false,
            client_certificate: false,
            mail: String::new(),
            recipients: Vec::new(),
        }
    }

    async fn dialogue(&mut self) -> io::Result<End> {
        loop {
            let line = read_line(&mut self.stream).await?;
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => {
                    self.say(&Step::Ehlo, &self.offers()).await?;
                }
                "MAIL" => self.mail(line).await?,
                "RCPT" => self.rcpt(line).await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    self.forget();
                    self.write(b"250 2.0.0 reset\r\n").await?;
                }
                "STARTTLS" => match self.manners.starttls.clone() {
                    Some(config) if !self.tls => {
                        let reply = [b"220 2.0.0 go on\r\n", self.manners.injected].concat();
                        self.write(&reply).await?;
                        return Ok(End::Handshake(config));
                    }
                    _ => self.write(b"502 5.5.1 not offered\r\n").await?,
                },
                "QUIT" => {
                    self.write(b"221 2.0.0 bye\r\n").await?;
                    return Ok(End::Over);
                }
                _ => self.write(b"502 5.5.1 unknown\r\n").await?,
            }
        }
    }

    fn offers(&self) -> Vec<u8> {
        let manners = &self.manners;
        let mut text = String::from("250-sink.example\r\n");
        for (offered, line) in [
            (manners.pipelining, "250-PIPELINING\r\n"),
            (manners.eight_bit, "250-8BITMIME\r\n"),
            (manners.smtp_utf8, "250-SMTPUTF8\r\n"),
            (manners.starttls.is_some() && !self.tls, "250-STARTTLS\r\n"),
        ] {
            text.push_str(if offered { line } else { "" });
        }
        if let Some(size) = manners.size {
            text.push_str(&format!("250-SIZE {size}\r\n"));
        }
        text.push_str("250 ENHANCEDSTATUSCODES\r\n");
        text.into_bytes()
    }

    async fn mail(&mut self, line: &str) -> io::Result<()> {
        self.forget();
        let argument = line.get("MAIL FROM:".len()..).unwrap_or_default().to_owned();
        if self.say(&Step::Mail, b"250 2.1.0 sender\r\n").await? {
            self.mail = argument;
        }
        Ok(())
    }

    async fn rcpt(&mut self, line: &str) -> io::Result<()> {
        let path = line.get("RCPT TO:".len()..).unwrap_or_default();
        let path = path.trim().trim_start_matches('<').trim_end_matches('>').to_owned();
        if self.mail.is_empty() {
            return self.write(b"503 5.5.1 MAIL first\r\n").await;
        }
        if self.say(&Step::Rcpt(path.clone()), b"250 2.1.5 recipient\r\n").await? {
            self.recipients.push(path);
        }
        Ok(())
    }

    async fn data(&mut self) -> io::Result<()> {
        if self.recipients.is_empty() {
            return self.write(b"503 5.5.1 RCPT first\r\n").await;
        }
        if !self.say(&Step::Data, b"354 go on\r\n").await? {
            return Ok(());
        }
        let octets = self.body().await?;
        if self.manners.size.is_some_and(|limit| octets.len() as u64 > limit) {
            return self.write(b"552 5.3.4 too large\r\n").await;
        }
        if let Some(how) = self.manners.fault(&Step::End) {
            self.forget();
            return self.misbehave(how).await;
        }
        self.memory.keep(Received {
            mail: mem::take(&mut self.mail),
            recipients: mem::take(&mut self.recipients),
            octets,
            tls: self.tls,
            client_certificate: self.client_certificate,
        });
        self.say(&Step::Kept, b"250 2.0.0 kept\r\n").await.map(|_usual| ())
    }

    async fn body(&mut self) -> io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        let mut whole_line_before = true;
        loop {
            let line = read_line(&mut self.stream).await?;
            if whole_line_before && line == b".\r\n" {
                return Ok(octets);
            }
            let stuffed = whole_line_before && line.starts_with(b".");
            octets.extend_from_slice(line.get(usize::from(stuffed)..).unwrap_or_default());
            whole_line_before = line.ends_with(b"\r\n");
            if let Some(how) = self.manners.fault(&Step::Body) {
                self.misbehave(how).await?;
            }
        }
    }

    /// Says the usual reply, or what a fault wants; `true` for the usual.
    async fn say(&mut self, at: &Step, usual: &[u8]) -> io::Result<bool> {
        match self.manners.fault(at) {
            None => self.write(usual).await.map(|()| true),
            Some(how) => self.misbehave(how).await.map(|()| false),
        }
    }

    async fn misbehave(&mut self, how: How) -> io::Result<()> {
        match how {
            How::Hang => pending().await,
            How::Close => Err(io::ErrorKind::ConnectionAborted.into()),
            How::Say(words) => self.write(&words).await,
        }
    }

    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(octets).await?;
        self.stream.get_mut().flush().await
    }

    fn forget(&mut self) {
        self.mail.clear();
        self.recipients.clear();
    }
}

async fn read_line<R: AsyncBufRead + Unpin>(stream: &mut R) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    match stream.read_until(b'\n', &mut line).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}
