//! The state of one SMTP session (RFC 5321 section 4.1.4): which command may follow which, and
//! who may do what. No I/O, no clock; lines in, steps out.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::intake::Arrival;
use crate::mail::{Address, Condition, Envelope, Reply};

use super::clients::Admission;
use super::command::{Command, MailParameters, Recipient};
use super::framing::Line;
use super::settings::Settings;
use super::tenant;

/// What the session wants done after a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Say this and read on.
    Say(Reply),
    /// Say these lines, the answer to EHLO, and read on.
    SayAll(Vec<String>),
    /// Say this and read the message; the client has declared so many octets.
    Receive(Reply, Option<usize>),
    /// Say this and begin TLS, provided that nothing has been read behind the command.
    StartTls(Reply),
    /// Say this and close.
    Close(Reply),
}

/// One session.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    peer: IpAddr,
    admission: Admission,
    tls: bool,
    client: Option<ClientName>,
    transaction: Option<Transaction>,
    errors: usize,
    messages: usize,
}

#[derive(Debug)]
struct ClientName {
    name: String,
    extended: bool,
}

#[derive(Debug)]
struct Transaction {
    envelope: Envelope,
    declared: Option<usize>,
}

impl Session {
    /// A session that has just begun, without TLS.
    pub fn new(settings: Arc<Settings>, peer: IpAddr) -> Self {
        let admission = settings.clients.admit_plain(peer);
        let (client, transaction) = (None, None);
        Self { settings, peer, admission, tls: false, client, transaction, errors: 0, messages: 0 }
    }

    /// Begins anew after the handshake: nothing said in clear text counts (RFC 3207 section 4.2).
    /// `chain` is what the client has shown of itself, leaf first.
    pub fn tls_started(&mut self, chain: &[CertificateDer<'_>], now: UnixTime) {
        self.admission = self.settings.clients.admit_tls(self.peer, chain, now);
        self.tls = true;
        self.client = None;
        self.transaction = None;
    }

    /// Messages begun so far.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// Commands refused so far.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// The session is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls
    }

    /// What to do about a line.
    pub fn line(&mut self, line: &Line) -> Step {
        let step = match line {
            Line::Whole(line) => Command::parse(line),
            Line::TooLong => Err(Condition::LineTooLong),
        };
        match step.and_then(|command| self.command(command)) {
            Ok(step) => step,
            Err(condition) => self.refuse(condition.reply()),
        }
    }

    /// Ends the transaction: from the message, or from why there is none, to what goes to the
    /// intake, or to the reply that refuses it.
    ///
    /// # Errors
    /// The reply for the client.
    pub fn received(&mut self, message: Result<Bytes, Condition>) -> Result<Arrival, Reply> {
        let transaction = self.transaction.take();
        let raw = message.map_err(Condition::reply)?;
        let envelope = transaction.ok_or_else(|| Condition::BadSequence.reply())?.envelope;
        self.check_tenant(&envelope, &raw).map_err(Condition::reply)?;
        Ok(Arrival {
            envelope,
            raw,
            listener: self.settings.name.clone(),
            peer: self.peer,
            helo: self.client.as_ref().map(|client| client.name.clone()).unwrap_or_default(),
            tls: self.tls,
            extended: self.client.as_ref().is_some_and(|client| client.extended),
        })
    }

    fn command(&mut self, command: Command) -> Result<Step, Condition> {
        match command {
            Command::Ehlo(name) => Ok(self.ehlo(name)),
            Command::Helo(name) => Ok(self.helo(name)),
            Command::StartTls => self.start_tls(),
            Command::Mail(path, parameters) => self.mail(path, parameters),
            Command::Rcpt(recipient) => self.rcpt(recipient),
            Command::Data => self.data(),
            Command::Rset => {
                self.transaction = None;
                say(Condition::Ok)
            }
            Command::Noop => say(Condition::Ok),
            Command::Vrfy => say(Condition::CannotVerify),
            Command::Help => say(Condition::Help),
            Command::Quit => Ok(Step::Close(Condition::Bye.reply())),
            Command::Foreign => Ok(Step::Close(Condition::NotImplemented.reply())),
        }
    }

    /// Only what is refused for good counts: a client may be told 452 for every recipient of a
    /// long list, and still has a message to send.
    fn refuse(&mut self, reply: Reply) -> Step {
        self.errors += usize::from(reply.is_permanent());
        match self.errors > self.settings.limits.errors {
            true => Step::Close(Condition::TooManyErrors.reply()),
            false => Step::Say(reply),
        }
    }

    fn ehlo(&mut self, name: String) -> Step {
        self.client = Some(ClientName { name, extended: true });
        self.transaction = None;
        let mut lines = vec![
            self.settings.hostname.clone(),
            "PIPELINING".to_owned(),
            format!("SIZE {}", self.settings.limits.message_octets),
            "8BITMIME".to_owned(),
            "ENHANCEDSTATUSCODES".to_owned(),
            "SMTPUTF8".to_owned(),
        ];
        if self.settings.tls.is_some() && !self.tls {
            lines.push("STARTTLS".to_owned());
        }
        Step::SayAll(lines)
    }

    fn helo(&mut self, name: String) -> Step {
        self.client = Some(ClientName { name, extended: false });
        self.transaction = None;
        Step::Say(Reply { code: 250, status: None, text: self.settings.hostname.clone() })
    }

    fn start_tls(&self) -> Result<Step, Condition> {
        match (&self.settings.tls, self.tls) {
            (None, _) => Err(Condition::NotImplemented),
            (Some(_), true) => Err(Condition::BadSequence),
            (Some(_), false) => Ok(Step::StartTls(Condition::StartTls.reply())),
        }
    }

    fn mail(
        &mut self,
        path: Option<Address>,
        parameters: MailParameters,
    ) -> Result<Step, Condition> {
        if self.client.is_none() || self.transaction.is_some() {
            return Err(Condition::BadSequence);
        }
        self.check_client()?;
        self.check_sender(path.as_ref())?;
        let declared = self.check_size(parameters.size)?;
        if self.messages >= self.settings.limits.messages {
            return Ok(Step::Close(enough_messages()));
        }
        let envelope = Envelope {
            reverse_path: path,
            recipients: Vec::new(),
            eight_bit: parameters.eight_bit,
            smtp_utf8: parameters.smtp_utf8,
        };
        self.transaction = Some(Transaction { envelope, declared });
        say(Condition::SenderOk)
    }

    fn check_client(&self) -> Result<(), Condition> {
        match self.admission {
            Admission::NeedsTls => Err(Condition::TlsRequired),
            _ if self.settings.tls_required && !self.tls => Err(Condition::TlsRequired),
            Admission::Refused => Err(Condition::ClientNotAllowed),
            Admission::Admitted | Admission::Tenant(_) => Ok(()),
        }
    }

    fn check_sender(&self, path: Option<&Address>) -> Result<(), Condition> {
        match path {
            Some(address) if !self.settings.own_domains.hold(address) => {
                Err(Condition::SenderNotAllowed)
            }
            _ => Ok(()),
        }
    }

    fn check_size(&self, declared: Option<u64>) -> Result<Option<usize>, Condition> {
        let declared = declared.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        match declared.is_some_and(|size| size > self.settings.limits.message_octets) {
            true => Err(Condition::TooLarge),
            false => Ok(declared),
        }
    }

    fn rcpt(&mut self, recipient: Recipient) -> Result<Step, Condition> {
        let transaction = self.transaction.as_mut().ok_or(Condition::BadSequence)?;
        let address = match recipient {
            Recipient::Address(address) => address,
            Recipient::Postmaster => postmaster(&self.settings)?,
        };
        let envelope = &mut transaction.envelope;
        if !address.as_str().is_ascii() && !envelope.smtp_utf8 {
            return Err(Condition::BadRecipient);
        }
        if !envelope.recipients.contains(&address) {
            if envelope.recipients.len() >= self.settings.limits.recipients {
                return Err(Condition::TooManyRecipients);
            }
            envelope.recipients.push(address);
        }
        say(Condition::RecipientOk)
    }

    fn data(&mut self) -> Result<Step, Condition> {
        match &self.transaction {
            Some(transaction) if !transaction.envelope.recipients.is_empty() => {
                self.messages += 1;
                Ok(Step::Receive(Condition::StartData.reply(), transaction.declared))
            }
            _ => Err(Condition::BadSequence),
        }
    }

    /// The sender's domain was checked at MAIL; for the null path the From field stands in.
    fn check_tenant(&self, envelope: &Envelope, raw: &Bytes) -> Result<(), Condition> {
        let Admission::Tenant(ours) = &self.admission else { return Ok(()) };
        if !tenant::is_of_tenant(raw, ours) {
            return Err(Condition::NotOurTenant);
        }
        let own = &self.settings.own_domains;
        match envelope.reverse_path.is_some() || tenant::is_from_own_domain(raw, own) {
            true => Ok(()),
            false => Err(Condition::SenderNotAllowed),
        }
    }
}

fn say(condition: Condition) -> Result<Step, Condition> {
    Ok(Step::Say(condition.reply()))
}

fn postmaster(settings: &Settings) -> Result<Address, Condition> {
    let domain = settings.own_domains.first().unwrap_or_default();
    Address::parse(&format!("postmaster@{domain}")).map_err(|_no_domain| Condition::BadRecipient)
}

fn enough_messages() -> Reply {
    Condition::TooManyConnections
        .reply()
        .with_text("enough messages for one session, connect again")
}
