//! How long each step of an SMTP dialogue may take.

use std::time::Duration;

/// One limit for each step; the defaults are those of RFC 5321 section 4.5.3.2. lettre's own
/// timeout ends with the TCP connection, so every step is wrapped in one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// Resolving the name and opening TCP; the RFC gives none, 30 s is Postfix's.
    pub connect: Duration,
    /// The 220 greeting (4.5.3.2.1).
    pub greeting: Duration,
    /// EHLO; the RFC gives none, so the value of MAIL.
    pub ehlo: Duration,
    /// STARTTLS and the handshake.
    pub tls: Duration,
    /// MAIL (4.5.3.2.2), and RSET.
    pub mail: Duration,
    /// Each RCPT (4.5.3.2.3).
    pub rcpt: Duration,
    /// DATA until 354 (4.5.3.2.4).
    pub data: Duration,
    /// The body, before its size is counted (4.5.3.2.5).
    pub body: Duration,
    /// The slowest line on which a body still makes progress, octets a second.
    pub body_rate: u64,
    /// The reply to the end of data (4.5.3.2.6). Shorter values duplicate mail: the host may
    /// have taken the message and still be scanning it.
    pub end_of_data: Duration,
    /// QUIT; nobody waits for it.
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            greeting: Duration::from_secs(300),
            ehlo: Duration::from_secs(300),
            tls: Duration::from_secs(60),
            mail: Duration::from_secs(300),
            rcpt: Duration::from_secs(300),
            data: Duration::from_secs(120),
            body: Duration::from_secs(180),
            body_rate: 10_000,
            end_of_data: Duration::from_secs(600),
            quit: Duration::from_secs(5),
        }
    }
}

impl Timeouts {
    /// The same limit for every step, for tests and impatient demos.
    pub fn all(limit: Duration) -> Self {
        Self {
            connect: limit,
            greeting: limit,
            ehlo: limit,
            tls: limit,
            mail: limit,
            rcpt: limit,
            data: limit,
            body: limit,
            body_rate: 10_000,
            end_of_data: limit,
            quit: limit,
        }
    }

    /// How long writing a body of this many octets may take.
    pub fn body_of(&self, octets: u64) -> Duration {
        self.body + Duration::from_secs(octets / self.body_rate.max(1))
    }
}
