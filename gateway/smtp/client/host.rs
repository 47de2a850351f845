//! A smart host as a [`NextHop`]: TCP, greeting, EHLO and, where due, STARTTLS.

use std::future::Future;

use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Starttls;
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::connection::Connection;
use super::next_hop::Answer;
use super::next_hop::NextHop;
use super::next_hop::Unreachable;
use super::reading::Offers;
use super::reading::Reading;
use super::timeouts::Timeouts;
use super::tls::TlsMode;
use super::tls::TlsPolicy;
use super::wire::Wire;

/// One smart host, by name and port.
#[derive(Debug, Clone)]
pub struct SmtpHost {
    /// Host name or IP address.
    pub host: String,
    /// 25 as a rule.
    pub port: u16,
    /// What we say in EHLO: the gateway's own host name.
    pub hello: String,
    /// TLS towards it.
    pub tls: TlsPolicy,
    /// The limit of each step.
    pub timeouts: Timeouts,
}

impl NextHop for SmtpHost {
    type Link = Connection;

    fn connect(&self) -> impl Future<Output = Result<Connection, Unreachable>> + Send {
        self.open()
    }
}

impl SmtpHost {
    async fn open(&self) -> Result<Connection, Unreachable> {
        let stream = self.tcp().await?;
        let peer = stream.peer_addr().map_err(|_gone| lost("connect"))?;
        let wire = Wire::plain(stream, peer);
        let (mut smtp, offers) = self.hello(&wire).await?;
        if self.tls.mode == TlsMode::Off {
            return Ok(Connection::new(smtp, wire, offers, self.timeouts.clone()));
        }
        if !offers.starttls {
            return match self.tls.mode {
                TlsMode::Required => Err(unreachable("starttls", Answer::NO_TLS)),
                TlsMode::Off | TlsMode::Opportunistic => {
                    Ok(Connection::new(smtp, wire, offers, self.timeouts.clone()))
                }
            };
        }
        self.starttls(&mut smtp).await?;
        drop(smtp);
        let wire = self.handshake(wire).await?;
        let (smtp, offers) = self.hello(&wire).await?;
        Ok(Connection::new(smtp, wire, offers, self.timeouts.clone()))
    }

    async fn tcp(&self) -> Result<TcpStream, Unreachable> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = timeout(self.timeouts.connect, connecting)
            .await
            .map_err(|_elapsed| unreachable("connect", Answer::NO_ANSWER))?
            .map_err(|_refused| unreachable("connect", Answer::NO_ANSWER))?;
        // Without it the last, short segment of a message waits for the peer's delayed ACK.
        stream.set_nodelay(true).map_err(|_gone| lost("connect"))?;
        timeout(self.timeouts.greeting, stream.readable())
            .await
            .map_err(|_elapsed| lost("greeting"))?
            .map_err(|_gone| lost("greeting"))?;
        Ok(stream)
    }

    /// Greeting and EHLO. A host that refuses here, even with 5xx, refuses us and no message,
    /// so nothing but time passes.
    async fn hello(&self, wire: &Wire) -> Result<(AsyncSmtpConnection, Offers), Unreachable> {
        let id = ClientId::Domain(self.hello.clone());
        let connecting = AsyncSmtpConnection::connect_with_transport(Box::new(wire.clone()), &id);
        let smtp = timeout(self.timeouts.ehlo, connecting)
            .await
            .map_err(|_elapsed| lost("ehlo"))?
            .map_err(|error| unreachable("ehlo", Reading::of_error(&error).answer()))?;
        Ok((smtp, Offers::read(&wire.overheard())))
    }

    async fn starttls(&self, smtp: &mut AsyncSmtpConnection) -> Result<(), Unreachable> {
        let reply = timeout(self.timeouts.tls, smtp.command(Starttls))
            .await
            .map_err(|_elapsed| lost("starttls"))?;
        match Reading::of(reply) {
            Reading::Done(_) => Ok(()),
            other => Err(unreachable("starttls", other.answer())),
        }
    }

    async fn handshake(&self, wire: Wire) -> Result<Wire, Unreachable> {
        let failed = || unreachable("tls", Answer::NO_TLS);
        let stream = wire.into_tcp().ok_or_else(failed)?;
        let peer = stream.peer_addr().map_err(|_gone| failed())?;
        let connector = TlsConnector::from(self.tls.config.clone());
        let shaking = connector.connect(self.tls.name.clone(), stream);
        let stream = timeout(self.timeouts.tls, shaking)
            .await
            .map_err(|_elapsed| failed())?
            .map_err(|_error| failed())?;
        Ok(Wire::encrypted(stream, peer))
    }
}

fn lost(step: &'static str) -> Unreachable {
    unreachable(step, Answer::LOST)
}

fn unreachable(step: &'static str, answer: Answer) -> Unreachable {
    Unreachable { step, answer }
}
