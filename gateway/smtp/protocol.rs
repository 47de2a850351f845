//! One SMTP session as a pure machine: octets in, octets out, and what it needs next.
//!
//! It joins line reader, session and data decoder, and does no I/O, so that the transcripts in
//! `fixtures/dialogs` and the fuzzer drive the very code that serves a socket.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::intake::Arrival;
use crate::mail::{Condition, Reply};

use super::body::Body;
use super::data::{BareEndings, DataDecoder, Progress};
use super::framing::LineReader;
use super::limits::COMMAND_LINE;
use super::session::{Session, Step};
use super::settings::{LineEndings, Settings};

/// What the machine needs to go on.
#[derive(Debug)]
pub enum Need {
    /// More octets from the client.
    Input,
    /// The output written, then a TLS handshake, then [`Protocol::tls_started`].
    Handshake,
    /// The intake's reply to this message, for [`Protocol::answer`].
    Answer(Box<Arrival>),
    /// The output written, then the end of the connection.
    Close,
}

/// What the machine waits for when it needs input; each has its own deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The next command.
    Command,
    /// The end of a message.
    Data,
}

/// The machine.
#[derive(Debug)]
pub struct Protocol {
    settings: Arc<Settings>,
    session: Session,
    reader: LineReader,
    receiving: Option<Receiving>,
    steps: u64,
}

/// A message on its way in.
#[derive(Debug)]
struct Receiving {
    decoder: DataDecoder,
    body: Body,
    on_the_wire: usize,
}

impl Protocol {
    /// A session that has just begun.
    pub fn new(settings: Arc<Settings>, peer: IpAddr) -> Self {
        let session = Session::new(Arc::clone(&settings), peer);
        let reader = LineReader::new(COMMAND_LINE);
        Self { settings, session, reader, receiving: None, steps: 0 }
    }

    /// Says the greeting.
    pub fn greet(&self, output: &mut Vec<u8>) {
        write(output, &Reply::greeting(&self.settings.hostname));
    }

    /// Says a last reply, for what happens outside the protocol: a deadline, a stop.
    pub fn say(&self, condition: Condition, output: &mut Vec<u8>) {
        write(output, &condition.reply());
    }

    /// Works through the input until something else is needed. What is left in `input` is the
    /// beginning of what comes next.
    pub fn advance(&mut self, input: &mut BytesMut, output: &mut Vec<u8>) -> Need {
        loop {
            let need = match self.receiving.take() {
                Some(receiving) => self.receive(receiving, input, output),
                None => match self.reader.next(input) {
                    Some(line) => {
                        self.steps += 1;
                        let step = self.session.line(&line);
                        self.take(step, input, output)
                    }
                    None => Some(Need::Input),
                },
            };
            if let Some(need) = need {
                return need;
            }
        }
    }

    /// Tells the client what the intake said.
    pub fn answer(&mut self, reply: &Reply, output: &mut Vec<u8>) {
        self.steps += 1;
        write(output, reply);
    }

    /// Begins anew after the handshake, in which the client showed these certificates.
    pub fn tls_started(&mut self, chain: &[CertificateDer<'_>], now: UnixTime) {
        self.steps += 1;
        self.session.tls_started(chain, now);
    }

    /// What it waits for.
    pub fn phase(&self) -> Phase {
        match self.receiving {
            Some(_) => Phase::Data,
            None => Phase::Command,
        }
    }

    /// Grows with every whole command and every answer, and with nothing less: a client that
    /// trickles octets does not move it.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The session's state, for the log.
    pub fn session(&self) -> &Session {
        &self.session
    }

    fn take(&mut self, step: Step, input: &BytesMut, output: &mut Vec<u8>) -> Option<Need> {
        match step {
            Step::Say(reply) => write(output, &reply),
            Step::SayAll(lines) => write_lines(output, &lines),
            Step::Receive(reply, declared) => {
                write(output, &reply);
                self.receiving = Some(Receiving::new(&self.settings, declared));
            }
            Step::StartTls(reply) => return Some(start_tls(&reply, input, output)),
            Step::Close(reply) => {
                write(output, &reply);
                return Some(Need::Close);
            }
        }
        None
    }

    fn receive(
        &mut self,
        mut receiving: Receiving,
        input: &mut BytesMut,
        output: &mut Vec<u8>,
    ) -> Option<Need> {
        match receiving.feed(input) {
            Progress::End(_) => self.end_of_data(receiving, output),
            Progress::More if receiving.on_the_wire > self.settings.limits.drained_octets() => {
                write(output, &Condition::TooLarge.reply());
                Some(Need::Close)
            }
            Progress::More => {
                self.receiving = Some(receiving);
                Some(Need::Input)
            }
        }
    }

    fn end_of_data(&mut self, receiving: Receiving, output: &mut Vec<u8>) -> Option<Need> {
        self.steps += 1;
        match self.session.received(receiving.finish()) {
            Ok(arrival) => Some(Need::Answer(Box::new(arrival))),
            Err(reply) => {
                write(output, &reply);
                None
            }
        }
    }
}

impl Receiving {
    fn new(settings: &Settings, declared: Option<usize>) -> Self {
        let bare_endings = match settings.line_endings {
            LineEndings::Strict => BareEndings::Fault,
            LineEndings::Normalise => BareEndings::BecomeCrlf,
        };
        Self {
            decoder: DataDecoder::new(bare_endings),
            body: Body::new(&settings.memory, settings.limits.message_octets, declared),
            on_the_wire: 0,
        }
    }

    fn feed(&mut self, input: &mut BytesMut) -> Progress {
        let progress = self.decoder.feed(input, |run| self.body.push(run));
        let used = match progress {
            Progress::End(used) => used,
            Progress::More => input.len(),
        };
        input.advance(used);
        self.on_the_wire = self.on_the_wire.saturating_add(used);
        progress
    }

    /// A lasting fault comes before a passing one: the client should not try it again.
    fn finish(self) -> Result<bytes::Bytes, Condition> {
        let fault = self.decoder.has_fault();
        match self.body.finish() {
            Err(Condition::TooLarge) => Err(Condition::TooLarge),
            _ if fault => Err(Condition::BareLineEnding),
            result => result,
        }
    }
}

/// Octets behind STARTTLS were sent in clear text, by the client or by somebody between, and
/// would be taken for commands of the encrypted session (CVE-2011-0411).
fn start_tls(reply: &Reply, input: &BytesMut, output: &mut Vec<u8>) -> Need {
    match input.is_empty() {
        true => {
            write(output, reply);
            Need::Handshake
        }
        false => {
            write(output, &Condition::TlsInjection.reply());
            Need::Close
        }
    }
}

fn write(output: &mut Vec<u8>, reply: &Reply) {
    output.extend_from_slice(reply.to_string().as_bytes());
    output.extend_from_slice(b"\r\n");
}

/// RFC 5321 section 4.2.1: every line but the last has a hyphen behind the code.
fn write_lines(output: &mut Vec<u8>, lines: &[String]) {
    for (index, line) in lines.iter().enumerate() {
        let mark = if index + 1 == lines.len() { ' ' } else { '-' };
        output.extend_from_slice(format!("250{mark}{line}\r\n").as_bytes());
    }
}
