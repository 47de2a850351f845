//! What the sink offers, and how it misbehaves.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use rustls::ServerConfig;

/// A moment in a dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Before the greeting.
    Greeting,
    /// At EHLO.
    Ehlo,
    /// At MAIL.
    Mail,
    /// At RCPT for this recipient.
    Rcpt(String),
    /// At DATA.
    Data,
    /// After the first line of the body.
    Body,
    /// After the end of data, the message not kept.
    End,
    /// After the end of data, the message kept.
    Kept,
}

/// What happens then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Nothing any more; the connection stays open.
    Hang,
    /// The connection is closed.
    Close,
    /// This is said instead of the usual reply, octet for octet, and the dialogue goes on.
    Say(Vec<u8>),
}

/// One misbehaviour.
#[derive(Debug, Clone)]
pub struct Fault {
    /// When.
    pub at: Step,
    /// What.
    pub how: How,
    /// How often, counted over all connections; then the sink behaves.
    pub times: usize,
}

/// What the sink offers in EHLO, and its faults.
#[derive(Debug, Clone)]
pub struct Manners {
    /// PIPELINING.
    pub pipelining: bool,
    /// 8BITMIME.
    pub eight_bit: bool,
    /// SMTPUTF8.
    pub smtp_utf8: bool,
    /// SIZE, in octets; nothing larger is kept.
    pub size: Option<u64>,
    /// STARTTLS.
    pub starttls: Option<Arc<ServerConfig>>,
    /// Said in clear text behind the 220 of STARTTLS, as an injecting attacker would.
    pub injected: &'static [u8],
    /// Its misbehaviours; clones share them.
    pub faults: Faults,
}

/// Misbehaviours, shared between the test that adds them and the sessions that commit them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<Fault>>>);

impl Default for Manners {
    fn default() -> Self {
        Self {
            pipelining: true,
            eight_bit: true,
            smtp_utf8: true,
            size: None,
            starttls: None,
            injected: b"",
            faults: Faults::default(),
        }
    }
}

impl Manners {
    /// One more misbehaviour. It may be added while the sink runs.
    pub fn add(&self, at: Step, how: How, times: usize) {
        let mut faults = self.faults.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push(Fault { at, how, times });
    }

    /// The misbehaviour for this moment, counted.
    pub(super) fn fault(&self, at: &Step) -> Option<How> {
        let mut faults = self.faults.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = faults.iter_mut().find(|fault| fault.at == *at && fault.times > 0)?;
        fault.times -= 1;
        Some(fault.how.clone())
    }
}
