//! The bounds of the SMTP door: sizes, counts and times, and the memory that all sessions share.
//!
//! Hops (RFC 5321 section 6.3) are counted by the intake, which parses the header anyway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The longest command line with its CRLF, in octets: RFC 5321 section 4.5.3.1.4 asks for 512,
/// the extensions offered here add to that, and 2048 leaves room for SMTPUTF8 addresses.
pub const COMMAND_LINE: usize = 2048;

/// The slowest client that still gets its message through, in octets a second.
const SLOWEST: usize = 16 * 1024;

/// What one listener grants its clients. There is no bound on the length of a data line: real
/// clients exceed the standard's 998 octets, and the size of the message bounds it anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Octets of one message as it will be kept, SIZE of RFC 1870. Beyond: 552.
    pub message_octets: usize,
    /// Recipients of one transaction; RFC 5321 section 4.5.3.1.8 asks for 100. Beyond: 452.
    pub recipients: usize,
    /// Refused commands in one session. The one after the last gets 421.
    pub errors: usize,
    /// Messages in one session. Beyond: 421.
    pub messages: usize,
    /// Connections at once. Beyond: 421 in place of the greeting.
    pub connections: usize,
    /// Connections at once from one address. Beyond: 421 in place of the greeting.
    pub connections_per_address: usize,
    /// For one command to arrive whole, and for one reply to leave; RFC 5321 section 4.5.3.2.7.
    pub command_time: Duration,
    /// For a DATA phase, on top of what a message of the largest size takes at 16 KiB/s.
    pub data_time: Duration,
    /// For a TLS handshake.
    pub handshake_time: Duration,
    /// For a whole session.
    pub session_time: Duration,
    /// For sessions to end once the gateway stops.
    pub stop_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_octets: 50 * 1024 * 1024,
            recipients: 500,
            errors: 20,
            messages: 1_000,
            connections: 256,
            connections_per_address: 64,
            command_time: Duration::from_secs(300),
            data_time: Duration::from_secs(180),
            handshake_time: Duration::from_secs(30),
            session_time: Duration::from_secs(2 * 3600),
            stop_time: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// The deadline of a whole DATA phase: from the 354 to the end of data.
    pub fn whole_data_time(&self) -> Duration {
        let transfer = u64::try_from(self.message_octets / SLOWEST).unwrap_or(u64::MAX);
        self.data_time.saturating_add(Duration::from_secs(transfer))
    }

    /// Octets on the wire after which a message that is too large is no longer drained, but cut
    /// off: twice the size, which leaves room for stuffed dots.
    pub fn drained_octets(&self) -> usize {
        self.message_octets.saturating_mul(2).saturating_add(64 * 1024)
    }
}

/// The memory that messages may take while they are received and inspected, in all sessions of
/// all listeners together. Clones share one budget.
#[derive(Debug, Clone)]
pub struct Memory {
    free: Arc<AtomicUsize>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(256 * 1024 * 1024)
    }
}

impl Memory {
    /// A budget of so many octets.
    pub fn new(octets: usize) -> Self {
        Self { free: Arc::new(AtomicUsize::new(octets)) }
    }

    /// Octets nobody holds.
    pub fn free(&self) -> usize {
        self.free.load(Ordering::Acquire)
    }

    /// A share that holds nothing yet.
    pub fn share(&self) -> Share {
        Share { memory: self.clone(), octets: 0 }
    }

    fn take(&self, octets: usize) -> bool {
        let take = |free: usize| free.checked_sub(octets);
        self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok()
    }
}

/// One message's part of the [`Memory`]; dropping it gives the octets back.
#[derive(Debug)]
pub struct Share {
    memory: Memory,
    octets: usize,
}

impl Share {
    /// Makes the share so many octets large. `false` where there is no room: the share stays as
    /// it was, and the message must be refused for now.
    #[must_use]
    pub fn resize(&mut self, octets: usize) -> bool {
        if octets > self.octets && !self.memory.take(octets - self.octets) {
            return false;
        }
        if octets < self.octets {
            self.memory.free.fetch_add(self.octets - octets, Ordering::AcqRel);
        }
        self.octets = octets;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.free.fetch_add(self.octets, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_exceed_the_budget_and_come_back() {
        let memory = Memory::new(100);
        let mut one = memory.share();
        let mut two = memory.share();
        assert!(one.resize(60));
        assert!(!two.resize(41));
        assert!(two.resize(40));
        assert_eq!(memory.free(), 0);
        assert!(one.resize(10));
        assert_eq!(memory.free(), 50);
        drop((one, two));
        assert_eq!(memory.free(), 100);
    }

    #[test]
    fn the_data_phase_is_scaled_to_the_size() {
        let small = Limits { message_octets: 16 * 1024, ..Limits::default() };
        assert_eq!(small.whole_data_time(), Duration::from_secs(181));
    }
}
