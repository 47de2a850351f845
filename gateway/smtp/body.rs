//! The octets of one message while it comes in: one buffer, within the size limit and within the
//! memory that all sessions share.
//!
//! What does not fit is let go of at once; the rest of the message is then only read past.

use bytes::Bytes;

use crate::mail::Condition;

use super::limits::{Memory, Share};

/// The first buffer, and the most that a declared size may claim before a byte has come.
const FIRST: std::ops::Range<usize> = 8 * 1024..1024 * 1024;

/// A growing message.
#[derive(Debug)]
pub(super) struct Body {
    held: Held,
    limit: usize,
    trouble: Option<Condition>,
}

/// Octets and their share of the memory; they go together, however long the inspection and its
/// slices keep them.
#[derive(Debug)]
struct Held {
    octets: Vec<u8>,
    share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

impl Body {
    /// An empty message of at most `limit` octets, with the size the client has `declared`.
    pub(super) fn new(memory: &Memory, limit: usize, declared: Option<usize>) -> Self {
        let held = Held { octets: Vec::new(), share: memory.share() };
        let mut body = Self { held, limit, trouble: None };
        body.grow(declared.unwrap_or(0).clamp(FIRST.start, FIRST.end));
        body
    }

    /// Appends a run of octets, or notes why that can't be.
    pub(super) fn push(&mut self, run: &[u8]) {
        if self.trouble.is_some() {
            return;
        }
        let needed = self.held.octets.len() + run.len();
        if needed > self.limit {
            return self.give_up(Condition::TooLarge);
        }
        if needed > self.held.octets.capacity() {
            self.grow(needed.max(self.held.octets.capacity() * 2));
        }
        if self.trouble.is_none() {
            self.held.octets.extend_from_slice(run);
        }
    }

    /// The message, or why there is none.
    pub(super) fn finish(mut self) -> Result<Bytes, Condition> {
        match self.trouble {
            Some(condition) => Err(condition),
            None => {
                self.trim();
                Ok(Bytes::from_owner(self.held))
            }
        }
    }

    fn grow(&mut self, capacity: usize) {
        let capacity = capacity.min(self.limit);
        if self.held.share.resize(capacity) {
            self.held.octets.reserve_exact(capacity - self.held.octets.len());
        } else {
            self.give_up(Condition::NoRoom);
        }
    }

    fn give_up(&mut self, condition: Condition) {
        self.trouble = Some(condition);
        self.held.octets = Vec::new();
        // Shrinking a share always succeeds.
        let _shrunk = self.held.share.resize(0);
    }

    /// A message may wait long for its judgement, and should not hold what it does not need.
    fn trim(&mut self) {
        if self.held.octets.capacity() - self.held.octets.len() > self.held.octets.len() / 8 {
            self.held.octets.shrink_to_fit();
        }
        let _shrunk = self.held.share.resize(self.held.octets.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_held_until_the_last_slice_is_gone() {
        let memory = Memory::new(100_000);
        let mut body = Body::new(&memory, 50_000, Some(20_000));
        assert_eq!(memory.free(), 80_000);
        body.push(&[b'a'; 30_000]);
        assert_eq!(memory.free(), 60_000);
        let bytes = body.finish().unwrap();
        assert_eq!((bytes.len(), memory.free()), (30_000, 70_000));
        let slice = bytes.slice(3..5);
        drop(bytes);
        assert_eq!(memory.free(), 70_000);
        drop(slice);
        assert_eq!(memory.free(), 100_000);
    }

    #[test]
    fn what_does_not_fit_is_let_go_of() {
        let memory = Memory::new(20_000);
        let mut large = Body::new(&memory, 10_000, None);
        large.push(&[b'a'; 9_000]);
        large.push(&[b'a'; 1_001]);
        assert_eq!(memory.free(), 20_000);
        large.push(b"a");
        assert_eq!(large.finish(), Err(Condition::TooLarge));
        let mut homeless = Body::new(&memory, 50_000, None);
        homeless.push(&[b'a'; 20_001]);
        assert_eq!(homeless.finish(), Err(Condition::NoRoom));
        assert_eq!(memory.free(), 20_000);
    }

    #[test]
    fn a_message_of_just_the_limit_passes() {
        let mut body = Body::new(&Memory::new(10_000), 10_000, Some(usize::MAX));
        (0..10).for_each(|_| body.push(&[b'a'; 1_000]));
        assert_eq!(body.finish().map(|bytes| bytes.len()), Ok(10_000));
    }
}
