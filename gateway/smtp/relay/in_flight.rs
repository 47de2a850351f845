//! The guard against sending twice: what is in a lane's hands is in nobody else's.
//!
//! Work comes in from two sides, the hot path and polling, and both may see one message. Three
//! races are closed here. While it is in flight, it can't be claimed. What ended between the
//! poll's question and its answer can't be claimed by that poll, since the answer is stale. What
//! a poll took for its first attempt can't be claimed by an offer that comes late.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crate::mail::Audience;
use crate::store::MessageId;

/// How late an offer may come after the commit of its message.
const LATE_OFFER: Duration = Duration::from_secs(60);

/// The recipients of one message that travel together: the same lane, the same copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) id: MessageId,
    pub(super) lane: usize,
    pub(super) audience: Audience,
}

#[derive(Debug, Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<Sets>>);

#[derive(Debug)]
struct Sets {
    flying: HashSet<Key>,
    /// `Some` while a poll waits for its answer.
    landed_in_poll: Option<HashSet<Key>>,
    /// First attempts that polls took, in the current and the last period.
    polled: [HashSet<Key>; 2],
    period_began: Instant,
}

impl Default for Sets {
    fn default() -> Self {
        Self {
            flying: HashSet::new(),
            landed_in_poll: None,
            polled: [HashSet::new(), HashSet::new()],
            period_began: Instant::now(),
        }
    }
}

/// The right to send; it ends when this is dropped, which is after the outcome is noted.
#[derive(Debug)]
pub(super) struct Claim {
    key: Key,
    home: InFlight,
}

impl InFlight {
    /// A claim of the hot path.
    pub(super) fn claim_fresh(&self, key: Key) -> Option<Claim> {
        let mut sets = self.sets();
        let taken = sets.polled.iter().any(|polled| polled.contains(&key));
        (!taken && sets.flying.insert(key)).then(|| Claim { key, home: self.clone() })
    }

    /// A poll is about to ask.
    pub(super) fn poll_begins(&self) {
        let mut sets = self.sets();
        sets.landed_in_poll = Some(HashSet::new());
        if sets.period_began.elapsed() > LATE_OFFER {
            let [current, last] = &mut sets.polled;
            *last = mem::take(current);
            sets.period_began = Instant::now();
        }
    }

    /// A claim of the poll that began last.
    pub(super) fn claim_polled(&self, key: Key, first_attempt: bool) -> Option<Claim> {
        let mut sets = self.sets();
        let stale = sets.landed_in_poll.as_ref().is_some_and(|landed| landed.contains(&key));
        if stale || !sets.flying.insert(key) {
            return None;
        }
        if first_attempt {
            let [current, _last] = &mut sets.polled;
            current.insert(key);
        }
        Some(Claim { key, home: self.clone() })
    }

    /// The poll has made its last claim.
    pub(super) fn poll_ends(&self) {
        self.sets().landed_in_poll = None;
    }

    pub(super) fn len(&self) -> usize {
        self.sets().flying.len()
    }

    /// Every change is one call on a set, so a poisoned lock holds sound data.
    fn sets(&self) -> MutexGuard<'_, Sets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut sets = self.home.sets();
        sets.flying.remove(&self.key);
        if let Some(landed) = &mut sets.landed_in_poll {
            landed.insert(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        let id = "00000000-0000-7000-8000-000000000001".parse().unwrap();
        Key { id, lane: 0, audience: Audience::External }
    }

    #[test]
    fn one_at_a_time() {
        let flights = InFlight::default();
        let claim = flights.claim_fresh(key());
        assert!(claim.is_some());
        assert!(flights.claim_fresh(key()).is_none());
        flights.poll_begins();
        assert!(flights.claim_polled(key(), true).is_none());
        flights.poll_ends();
        drop(claim);
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn a_stale_answer_claims_nothing() {
        let flights = InFlight::default();
        let before = flights.claim_fresh(key());
        flights.poll_begins();
        drop(before);
        assert!(flights.claim_polled(key(), false).is_none());
        flights.poll_begins();
        assert!(flights.claim_polled(key(), false).is_some());
    }

    #[test]
    fn an_offer_after_the_poll_claims_nothing() {
        let flights = InFlight::default();
        flights.poll_begins();
        drop(flights.claim_polled(key(), true));
        assert!(flights.claim_fresh(key()).is_none());
    }
}
