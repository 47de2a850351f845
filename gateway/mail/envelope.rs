//! The SMTP envelope: who sends, who receives. Delivery follows it and nothing else.

use super::address::Address;

/// The envelope of one transaction (RFC 5321 section 2.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// `None` is the null reverse path `<>` of reports, RFC 5321 section 4.5.5.
    pub reverse_path: Option<Address>,
    /// At least one, in the order of their RCPT commands, each once.
    pub recipients: Vec<Address>,
    /// The client declared `BODY=8BITMIME` (RFC 6152).
    pub eight_bit: bool,
    /// The client declared `SMTPUTF8` (RFC 6531).
    pub smtp_utf8: bool,
}

/// How far outside the school a recipient stands; the order is from near to far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// One of the school's own domains.
    Own,
    /// A domain the school names as a trusted partner: still external for every default rule.
    Partner,
    /// Anybody else.
    External,
}
