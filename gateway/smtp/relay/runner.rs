//! The desk where work comes in, the workers of each lane, and the poll of the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::courier::Attempt;
use super::courier::deliver;
use super::in_flight::InFlight;
use super::in_flight::Key;
use super::lane::Job;
use super::lane::Lane;
use super::routing::Routing;
use super::routing::Table;
use super::schedule::Schedule;
use super::schedule::later;
use super::schedule::spread;
use super::source::Due;
use super::source::Fate;
use super::source::Letter;
use super::source::Note;
use super::source::Recipient;
use super::source::Source;
use crate::clock::Clock;
use crate::mail::Audience;
use crate::smtp::client::Answer;
use crate::smtp::client::Link;
use crate::smtp::client::NextHop;
use crate::smtp::client::Outcome;

/// The least time between two polls: a wake for each note of a busy hour would have the store
/// asked hundreds of times a second.
const POLL_GAP: Duration = Duration::from_millis(50);
/// How long a delivery is put off whose lane is full and stuck.
const LANE_STUCK: Duration = Duration::from_secs(60);
/// The wait before a note is written again that the store refused.
const NOTE_AGAIN: Duration = Duration::from_secs(1);

/// How the relay goes about its work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Retries and the end of them.
    pub schedule: Schedule,
    /// How often the store is asked what is due.
    pub poll_every: Duration,
    /// How many messages one answer may hold.
    pub batch: usize,
    /// A message younger than this is left to the hot path, which will offer it any moment.
    pub offer_window: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            poll_every: Duration::from_secs(1),
            batch: 500,
            offer_window: Duration::from_secs(3),
        }
    }
}

/// A message that has just been committed, with all that is needed to send it.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// The message and its recipients.
    pub due: Due,
    /// Its bytes and edits.
    pub letter: Letter,
}

/// The running relay. Dropping it leaves the relay running; only [`RelayHandle::stop`] ends it.
#[derive(Clone)]
pub struct RelayHandle {
    desk: Arc<dyn Desk>,
    wake: Arc<Notify>,
    stop: CancellationToken,
    kill: CancellationToken,
    tasks: TaskTracker,
}

impl std::fmt::Debug for RelayHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RelayHandle")
    }
}

/// The hot path's side of the relay, without its type parameters.
trait Desk: Send + Sync {
    fn offer(&self, fresh: Fresh);
}

impl RelayHandle {
    /// Hands a committed message over without touching the disk again. Never waits and never
    /// fails: what finds no room is found in the store by polling.
    pub fn offer(&self, fresh: Fresh) {
        self.desk.offer(fresh);
    }

    /// Something has become due: a release, a notice, a report.
    pub fn notify(&self) {
        self.wake.notify_one();
    }

    /// Takes no new work, lets running transactions end within `grace`, and then cuts them. What
    /// is cut is still in the store.
    pub async fn stop(&self, grace: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!("transactions were cut at the end of the grace period");
            self.kill.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Starts the relay on the current runtime.
pub fn start<S: Source, H: NextHop>(
    source: Arc<S>,
    clock: Clock,
    routing: Routing<H>,
    settings: Settings,
) -> RelayHandle {
    let (lanes, table) = routing.split();
    let lanes = lanes.into_iter().map(|settings| Arc::new(Lane::new(settings))).collect();
    let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
    let tasks = TaskTracker::new();
    let relay = Arc::new(Relay {
        source,
        clock,
        settings,
        table,
        lanes,
        in_flight: InFlight::default(),
        tasks: tasks.clone(),
        stop: stop.clone(),
        kill: kill.clone(),
    });
    let wake = Arc::new(Notify::new());
    for lane in &relay.lanes {
        for _worker in 0..lane.settings.concurrency.max(1) {
            tasks.spawn(Arc::clone(&relay).work(Arc::clone(lane)));
        }
    }
    tasks.spawn(Arc::clone(&relay).poll(Arc::clone(&wake)));
    RelayHandle { desk: relay, wake, stop, kill, tasks }
}

struct Relay<S, H: NextHop> {
    source: Arc<S>,
    clock: Clock,
    settings: Settings,
    table: Table,
    lanes: Vec<Arc<Lane<H>>>,
    in_flight: InFlight,
    tasks: TaskTracker,
    stop: CancellationToken,
    kill: CancellationToken,
}

impl<S: Source, H: NextHop> Desk for Relay<S, H> {
    fn offer(&self, fresh: Fresh) {
        for (key, due) in self.groups(fresh.due) {
            let Some(lane) = self.lanes.get(key.lane) else { continue };
            let Some(memory) = lane.reserve(fresh.letter.raw.len()) else { continue };
            let Some(claim) = self.in_flight.claim_fresh(key) else { continue };
            let letter = Some(fresh.letter.clone());
            // A full lane gives the job back; dropping it here ends the claim.
            drop(lane.push(Job { due, letter, claim, memory: Some(memory) }));
        }
    }
}

impl<S: Source, H: NextHop> Relay<S, H> {
    /// One worker of one lane.
    async fn work(self: Arc<Self>, lane: Arc<Lane<H>>) {
        loop {
            let job = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                job = lane.next() => job,
            };
            let Some(job) = job else { return };
            tokio::select! {
                biased;
                () = self.kill.cancelled() => return,
                () = self.run(&lane, job) => {}
            }
        }
    }

    async fn run(self: &Arc<Self>, lane: &Lane<H>, mut job: Job) {
        let letter = match job.letter.take() {
            Some(letter) => letter,
            None => match self.source.load(job.due.id).await {
                Ok(Some(letter)) => letter,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(id = %job.due.id, cause = %error.0, "a due message could not be read");
                    return;
                }
            },
        };
        let attempts = deliver(lane, &job, &letter).await;
        lane.moved();
        drop(letter);
        job.memory = None;
        self.note(lane, job, &attempts);
    }

    /// Writes the outcomes down, beside the next transaction. The claim is held until they stand,
    /// however often the store refuses.
    fn note(self: &Arc<Self>, lane: &Lane<H>, job: Job, attempts: &[Attempt]) {
        let notes: Vec<Note> = job
            .due
            .recipients
            .iter()
            .zip(attempts)
            .map(|(recipient, attempt)| self.judge(&job.due, recipient, *attempt))
            .collect();
        log(&lane.settings.name, &job.due, &notes);
        let (relay, id, claim) = (Arc::clone(self), job.due.id, job.claim);
        self.tasks.spawn(async move {
            while let Err(error) = relay.source.note(id, notes.clone()).await {
                tracing::error!(%id, cause = %error.0, "an outcome could not be noted");
                tokio::select! {
                    () = relay.kill.cancelled() => return,
                    () = sleep(NOTE_AGAIN) => {}
                }
            }
            drop(claim);
        });
    }

    fn judge(&self, due: &Due, recipient: &Recipient, attempt: Attempt) -> Note {
        let fate = match attempt.outcome {
            Outcome::Delivered(answer) => Fate::Delivered(answer),
            Outcome::Refused(answer) => Fate::Failed(answer),
            Outcome::Later(answer) | Outcome::HostTrouble(answer) => {
                self.put_off(due, recipient.attempts, answer, attempt)
            }
        };
        Note { recipient: recipient.address.clone(), fate }
    }

    fn put_off(&self, due: &Due, attempts: u32, answer: Answer, attempt: Attempt) -> Fate {
        let (schedule, now) = (&self.settings.schedule, self.clock.now());
        // Once the message is old, a host that stays away counts too, or it would never end.
        let counted = attempt.counted || schedule.is_old(now, due.accepted);
        let attempts = attempts.saturating_add(u32::from(counted));
        if counted && schedule.is_expired(now, due.accepted, attempts) {
            return Fate::Failed(Answer { code: answer.code, ..Answer::EXPIRED });
        }
        let host = later(now, spread(attempt.wait, due.id, attempts));
        let until = if counted { schedule.next(now, due.id, attempts).max(host) } else { host };
        Fate::Deferred { answer, until, counted }
    }

    /// Asks the store again and again what is due.
    async fn poll(self: Arc<Self>, wake: Arc<Notify>) {
        let mut ticks = interval(self.settings.poll_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                _ = ticks.tick() => {}
                () = wake.notified() => {}
            }
            self.sweep(Lane::take_stale);
            while self.poll_once().await {}
            sleep(POLL_GAP.min(self.settings.poll_every)).await;
        }
        self.sweep(Lane::take_all);
    }

    /// Ends connections beside the work, since a host may be slow to say goodbye.
    fn sweep(&self, take: impl Fn(&Lane<H>) -> Vec<H::Link>) {
        for link in self.lanes.iter().flat_map(|lane| take(lane)) {
            self.tasks.spawn(link.close());
        }
    }

    /// One question and answer; true where there may be more to do at once.
    async fn poll_once(self: &Arc<Self>) -> bool {
        // What is in flight is still due, so without it the answer could hold nothing else.
        let limit = self.settings.batch + self.in_flight.len();
        self.in_flight.poll_begins();
        let began = Instant::now();
        let answer = self.source.due(self.clock.now(), limit).await;
        let (full, taken) = match answer {
            Ok(due) => (due.len() >= limit, due.into_iter().map(|due| self.take(due)).sum()),
            Err(error) => {
                tracing::error!(cause = %error.0, "the store could not say what is due");
                (false, 0_usize)
            }
        };
        self.in_flight.poll_ends();
        if taken > 0 {
            tracing::debug!(taken, milliseconds = began.elapsed().as_millis(), "polled");
        }
        full && taken > 0 && !self.stop.is_cancelled()
    }

    /// Puts one due message into its lanes; returns in how many.
    fn take(self: &Arc<Self>, due: Due) -> usize {
        let young = self.clock.now().duration_since(due.accepted)
            < jiff::SignedDuration::try_from(self.settings.offer_window).unwrap_or_default();
        let mut taken = 0;
        for (key, due) in self.groups(due) {
            let first = due.recipients.iter().all(|recipient| recipient.attempts == 0);
            let Some(lane) = self.lanes.get(key.lane) else { continue };
            if first && young {
                continue;
            }
            let Some(claim) = self.in_flight.claim_polled(key, first) else { continue };
            match lane.push(Job { due, letter: None, claim, memory: None }) {
                Ok(()) => taken += 1,
                Err(job) => self.turn_away(lane, *job),
            }
        }
        taken
    }

    /// A full lane that moves will have room soon. One that is stuck would fill every answer of
    /// the store with its messages and starve the other lanes, so they are put off.
    fn turn_away(self: &Arc<Self>, lane: &Lane<H>, job: Job) {
        if lane.is_stuck() {
            let attempt = Attempt::put_off(Answer::NO_ANSWER, LANE_STUCK);
            let attempts = vec![attempt; job.due.recipients.len()];
            self.note(lane, job, &attempts);
        }
    }

    /// The recipients that travel together.
    fn groups(&self, due: Due) -> impl Iterator<Item = (Key, Due)> {
        let mut groups: BTreeMap<(usize, Audience), Vec<Recipient>> = BTreeMap::new();
        for recipient in due.recipients {
            let copy = match recipient.audience {
                Audience::Own => Audience::Own,
                // Partners get the same copy as any outsider.
                Audience::Partner | Audience::External => Audience::External,
            };
            let group = (self.table.lane_of(&recipient.address), copy);
            groups.entry(group).or_default().push(recipient);
        }
        groups.into_iter().map(move |((lane, audience), recipients)| {
            let key = Key { id: due.id, lane, audience };
            (key, Due { id: due.id, accepted: due.accepted, recipients })
        })
    }
}

/// One line a transaction: ids, codes and counts, no address and no word of the host.
fn log(lane: &str, due: &Due, notes: &[Note]) {
    let (mut delivered, mut deferred, mut failed) = (0_u32, 0_u32, 0_u32);
    let mut last = None;
    for note in notes {
        match note.fate {
            Fate::Delivered(_) => delivered += 1,
            Fate::Deferred { answer, .. } => (deferred, last) = (deferred + 1, Some(answer)),
            Fate::Failed(answer) => (failed, last) = (failed + 1, Some(answer)),
        }
    }
    match last {
        None => tracing::info!(id = %due.id, lane, delivered, "sent"),
        Some(answer) => {
            tracing::info!(id = %due.id, lane, delivered, deferred, failed, %answer, "sent in part");
        }
    }
}
