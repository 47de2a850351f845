//! One next hop: its waiting transactions, its connections, and how long it is left alone when
//! it can't be reached.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use super::in_flight::Claim;
use super::routing::LaneSettings;
use super::source::Due;
use super::source::Letter;
use crate::smtp::client::NextHop;

/// The unit in which memory is counted; a semaphore's permits are 32 bit.
const KIB: usize = 1024;
/// The first wait after a host could not be reached; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// A lane that has ended a transaction within this time is busy, not stuck.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// The recipients of one message that travel together, and the right to send to them.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) due: Due,
    /// At hand on the hot path, else it is loaded when its turn comes.
    pub(super) letter: Option<Letter>,
    pub(super) claim: Claim,
    /// The memory that `letter` takes of the lane's budget.
    pub(super) memory: Option<OwnedSemaphorePermit>,
}

/// A next hop at work.
pub(super) struct Lane<H: NextHop> {
    pub(super) settings: LaneSettings<H>,
    waiting: Mutex<VecDeque<Job>>,
    /// One permit for each waiting job.
    arrivals: Semaphore,
    memory: Arc<Semaphore>,
    idle: Mutex<Vec<Idle<H::Link>>>,
    health: Mutex<Health>,
}

/// A connection, and how many messages it has carried.
pub(super) struct Idle<L> {
    pub(super) link: L,
    pub(super) used: u32,
    since: Instant,
}

#[derive(Debug)]
struct Health {
    blocked_until: Option<Instant>,
    failures: u32,
    last_end: Instant,
}

impl<H: NextHop> Lane<H> {
    pub(super) fn new(settings: LaneSettings<H>) -> Self {
        let memory = Arc::new(Semaphore::new(settings.memory / KIB));
        Self {
            settings,
            waiting: Mutex::default(),
            arrivals: Semaphore::new(0),
            memory,
            idle: Mutex::new(Vec::new()),
            health: Mutex::new(Health {
                blocked_until: None,
                failures: 0,
                last_end: Instant::now(),
            }),
        }
    }

    /// A part of the memory budget, or `None` where there is no more.
    pub(super) fn reserve(&self, octets: usize) -> Option<OwnedSemaphorePermit> {
        let permits = u32::try_from(octets.div_ceil(KIB)).ok()?;
        Arc::clone(&self.memory).try_acquire_many_owned(permits).ok()
    }

    /// Puts a job behind the others.
    ///
    /// # Errors
    /// Gives it back where too many wait already; boxed, since it seldom happens.
    pub(super) fn push(&self, job: Job) -> Result<(), Box<Job>> {
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= self.settings.waiting {
            return Err(Box::new(job));
        }
        waiting.push_back(job);
        drop(waiting);
        self.arrivals.add_permits(1);
        Ok(())
    }

    /// The next job, once there is one.
    pub(super) async fn next(&self) -> Option<Job> {
        self.arrivals.acquire().await.ok()?.forget();
        lock(&self.waiting).pop_front()
    }

    /// The connection used last, if it is still worth a try.
    pub(super) fn take_idle(&self) -> Option<Idle<H::Link>> {
        let mut idle = lock(&self.idle);
        let last = idle.pop()?;
        // The last is the youngest: if it is too old, all are, and the next sweep closes them.
        if last.since.elapsed() < self.settings.idle {
            return Some(last);
        }
        idle.push(last);
        None
    }

    /// Keeps a connection for the next message, or gives it back to be closed.
    pub(super) fn keep(&self, link: H::Link, used: u32) -> Option<H::Link> {
        if used >= self.settings.per_connection {
            return Some(link);
        }
        lock(&self.idle).push(Idle { link, used, since: Instant::now() });
        None
    }

    /// Connections that nobody has used for a while, to be closed.
    pub(super) fn take_stale(&self) -> Vec<H::Link> {
        self.take_older(self.settings.idle)
    }

    /// All idle connections, to be closed.
    pub(super) fn take_all(&self) -> Vec<H::Link> {
        self.take_older(Duration::ZERO)
    }

    fn take_older(&self, age: Duration) -> Vec<H::Link> {
        let mut idle = lock(&self.idle);
        let (stale, fresh): (Vec<_>, Vec<_>) =
            mem::take(&mut *idle).into_iter().partition(|one| one.since.elapsed() >= age);
        *idle = fresh;
        stale.into_iter().map(|one| one.link).collect()
    }

    /// How long the host is still to be left alone.
    pub(super) fn blocked_for(&self) -> Option<Duration> {
        let until = lock(&self.health).blocked_until?;
        until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// The host can't be reached or wants to be left alone; says for how long it will be.
    pub(super) fn block(&self) -> Duration {
        let mut health = lock(&self.health);
        let now = Instant::now();
        // Several workers find out at once; that is one failure.
        if let Some(left) = health.blocked_until.and_then(|until| until.checked_duration_since(now))
        {
            return left;
        }
        let wait = FIRST_WAIT.saturating_mul(1 << health.failures.min(10)).min(LONGEST_WAIT);
        health.failures = health.failures.saturating_add(1);
        health.blocked_until = Some(now + wait);
        wait
    }

    /// The host has answered.
    pub(super) fn unblock(&self) {
        let mut health = lock(&self.health);
        health.blocked_until = None;
        health.failures = 0;
    }

    /// A transaction has ended, whichever way.
    pub(super) fn moved(&self) {
        lock(&self.health).last_end = Instant::now();
    }

    /// Jobs wait and none has ended for a while.
    pub(super) fn is_stuck(&self) -> bool {
        lock(&self.health).last_end.elapsed() > STUCK_AFTER
    }
}

/// Every change under these locks is a single step, so a poisoned lock holds sound data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
