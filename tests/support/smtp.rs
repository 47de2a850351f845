//! A client that says to the gateway exactly what a test wants said.

use std::io;

use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpStream;

/// One connection, greeted.
pub(crate) struct Dialogue {
    stream: BufReader<TcpStream>,
}

impl Dialogue {
    /// Connects to a port of this machine and says EHLO.
    pub(crate) async fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut dialogue = Self { stream: BufReader::new(stream) };
        dialogue.reply().await?;
        dialogue.say(b"EHLO client.oakfield.example\r\n").await?;
        Ok(dialogue)
    }

    /// Says octets as they are, and returns the reply.
    pub(crate) async fn say(&mut self, octets: &[u8]) -> io::Result<String> {
        self.stream.write_all(octets).await?;
        self.reply().await
    }

    /// One transaction; returns the first refusal, or the reply to the data.
    pub(crate) async fn send(
        &mut self,
        from: &str,
        to: &[&str],
        message: &[u8],
    ) -> io::Result<String> {
        let mut reply = self.say(format!("MAIL FROM:<{from}>\r\n").as_bytes()).await?;
        for one in to {
            if reply.starts_with('2') {
                reply = self.say(format!("RCPT TO:<{one}>\r\n").as_bytes()).await?;
            }
        }
        if reply.starts_with('2') {
            reply = self.say(b"DATA\r\n").await?;
        }
        if !reply.starts_with('3') {
            return Ok(reply);
        }
        self.say(&[message, b".\r\n"].concat()).await
    }

    async fn reply(&mut self) -> io::Result<String> {
        let mut reply = String::new();
        loop {
            let begin = reply.len();
            if self.stream.read_line(&mut reply).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if reply.as_bytes().get(begin + 3) == Some(&b' ') {
                return Ok(reply);
            }
        }
    }
}

/// A plain message with these words, from the school's office.
pub(crate) fn letter(id: &str, to: &str, subject: &str, words: &str) -> Vec<u8> {
    format!(
        "From: Office <office@oakfield.example>\r\nTo: {to}\r\nSubject: {subject}\r\n\
         Date: Mon, 05 Oct 2026 09:12:00 +0100\r\nMessage-ID: <{id}@oakfield.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n{words}\r\n"
    )
    .into_bytes()
}
