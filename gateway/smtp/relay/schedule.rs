//! When a delivery is tried again, and when it is given up.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::store::MessageId;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The waiting times between attempts, and the age at which a message is too old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The wait after the first failed attempt, after the second, and so on; the last repeats.
    pub delays: Vec<Duration>,
    /// RFC 5321 section 4.5.4.1 asks for 4 to 5 days; a school rather hears after two that a
    /// letter has not arrived than after a week.
    pub max_age: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        let delays = [1, 5, 15, 30, 60, 120].map(|minutes| Duration::from_secs(minutes * MINUTE));
        Self { delays: delays.to_vec(), max_age: Duration::from_secs(48 * HOUR) }
    }
}

impl Schedule {
    /// When to try again after this many attempts, the one that has just failed included. Up to a
    /// tenth is added by the message's id, so that a thousand messages that failed together don't
    /// come back together; it is the same for the same message, so that tests can foresee it.
    pub fn next(&self, now: Timestamp, id: MessageId, attempts: u32) -> Timestamp {
        let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let delay = self.delays.get(index).or(self.delays.last()).copied().unwrap_or_default();
        later(now, spread(delay, id, attempts))
    }

    /// Too old, and tried often enough: a message released from a hold after a week is old from
    /// the start, and still gets every attempt of the list.
    pub fn is_expired(&self, now: Timestamp, accepted: Timestamp, attempts: u32) -> bool {
        let enough = usize::try_from(attempts).is_ok_and(|n| n >= self.delays.len());
        enough && self.is_old(now, accepted)
    }

    /// Older than the maximum age.
    pub fn is_old(&self, now: Timestamp, accepted: Timestamp) -> bool {
        now.duration_since(accepted) > signed(self.max_age)
    }
}

/// `now` and some time on.
pub(super) fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(signed(wait)).unwrap_or(Timestamp::MAX)
}

/// The delay and up to a tenth more, by the message.
pub(super) fn spread(delay: Duration, id: MessageId, attempts: u32) -> Duration {
    let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    let hash = id.to_string().as_bytes().iter().fold(0x811c_9dc5 ^ attempts, mix);
    delay + delay / 10 * (hash % 1000) / 1000
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> MessageId {
        format!("{number:032x}").parse().unwrap()
    }

    fn after(schedule: &Schedule, attempts: u32) -> i64 {
        schedule.next(Timestamp::UNIX_EPOCH, id(7), attempts).as_second()
    }

    #[test]
    fn waits_grow_and_the_last_repeats() {
        let schedule = Schedule::default();
        for (attempts, minutes) in [(1, 1), (2, 5), (3, 15), (6, 120), (7, 120), (4000, 120)] {
            let seconds = after(&schedule, attempts);
            assert!((minutes * 60..=minutes * 66).contains(&seconds), "{attempts}: {seconds}");
        }
    }

    #[test]
    fn messages_that_fail_together_part_ways() {
        let wait = Duration::from_secs(600);
        let spread: std::collections::HashSet<_> =
            (0..100).map(|n| spread(wait, id(n), 1)).collect();
        assert!(spread.len() > 80);
    }

    #[test]
    fn age_alone_does_not_expire_a_late_release() {
        let schedule = Schedule::default();
        let accepted = Timestamp::UNIX_EPOCH;
        let week = later(accepted, Duration::from_secs(7 * 24 * HOUR));
        assert!(!schedule.is_expired(week, accepted, 5));
        assert!(schedule.is_expired(week, accepted, 6));
        assert!(!schedule.is_expired(later(accepted, Duration::from_secs(HOUR)), accepted, 60));
    }
}
