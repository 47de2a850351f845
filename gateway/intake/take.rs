//! The order of acceptance: seal and judge side by side, commit, answer.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio::task::JoinHandle;

use super::door::Arrival;
use super::door::Door;
use super::fingerprint::merge_key;
use super::judge::Judge;
use super::judge::Judged;
use super::outlet::Fresh;
use super::outlet::Outlet;
use crate::clock::Clock;
use crate::mail::Reply;
use crate::store::Acceptance;
use crate::store::AuditEvent;
use crate::store::Committed;
use crate::store::Judgement;
use crate::store::MessageId;
use crate::store::Origin;
use crate::store::Sealing;
use crate::store::Store;
use crate::store::StoreError;

/// The intake; a clone is another handle on the same.
#[derive(Clone)]
pub struct Intake {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) judge: ArcSwap<Judge>,
    pub(super) outlet: Box<dyn Outlet>,
    pub(super) clock: Clock,
    pub(super) deadline: std::time::Duration,
    /// As many judgements at a time as there are processors: more would only cost memory.
    pub(super) processors: Arc<Semaphore>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}

impl Intake {
    /// An intake before a store; `deadline` is how long a client waits for a verdict.
    pub fn new(
        store: Store,
        judge: Judge,
        outlet: Box<dyn Outlet>,
        clock: Clock,
        deadline: std::time::Duration,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let processors = Arc::new(Semaphore::new(processors));
        let judge = ArcSwap::from_pointee(judge);
        Self { inner: Arc::new(Inner { store, judge, outlet, clock, deadline, processors }) }
    }

    /// Puts another judge in place; messages under way keep the one they began with.
    pub fn set_judge(&self, judge: Judge) {
        self.inner.judge.store(Arc::new(judge));
    }

    async fn take_or_fault(&self, arrival: Arrival) -> Result<Reply, StoreError> {
        let now = self.inner.clock.now();
        let sealing = self.inner.store.receive(arrival.raw.clone());
        // No time at all means just that, however fast the judge would have been.
        if self.inner.deadline.is_zero() {
            return self.keep_unjudged(arrival, sealing, now, None).await;
        }
        let judging = self.start_judging(arrival.clone(), sealing.id(), now);
        match tokio::time::timeout(self.inner.deadline, judging).await {
            Ok(Ok((Judged::Accepted(judgement), key))) => {
                self.keep(arrival, sealing, *judgement, key, now).await
            }
            Ok(Ok((Judged::Refused { reply, rules }, _))) => {
                self.refuse(&sealing, &rules).await?;
                Ok(reply)
            }
            Ok(Err(panicked)) => self.keep_unjudged(arrival, sealing, now, Some(panicked)).await,
            Err(_elapsed) => self.keep_unjudged(arrival, sealing, now, None).await,
        }
    }

    /// Judges on the blocking pool, under a permit, so that a burst of large messages does not
    /// hold every decoded attachment in memory at once.
    pub(super) fn start_judging(
        &self,
        arrival: Arrival,
        id: MessageId,
        now: Timestamp,
    ) -> JoinHandle<(Judged, [u8; 32])> {
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            let permit = Arc::clone(&inner.processors).acquire_owned().await;
            let judging = tokio::task::spawn_blocking(move || {
                let judge = inner.judge.load_full();
                let judged = judge.judge(&arrival, id, now);
                let key = merge_key(&arrival.raw, &|pieces| judge.keys.mac("merge", pieces));
                drop(permit);
                (judged, key)
            });
            match judging.await {
                Ok(judged) => judged,
                Err(error) => std::panic::resume_unwind(panic_of(error)),
            }
        })
    }

    async fn keep(
        &self,
        arrival: Arrival,
        sealing: Sealing,
        judgement: Judgement,
        merge_key: [u8; 32],
        now: Timestamp,
    ) -> Result<Reply, StoreError> {
        let fresh = fresh(&arrival, sealing.id(), &judgement, now);
        log(sealing.id(), &arrival, &judgement);
        let acceptance = self.acceptance(arrival, merge_key, now, Some(judgement));
        let committed = self.inner.store.commit(sealing, acceptance).await?;
        if let Some(fresh) = fresh {
            self.inner.outlet.offer(fresh);
        }
        Ok(committed.reply())
    }

    async fn keep_unjudged(
        &self,
        arrival: Arrival,
        sealing: Sealing,
        now: Timestamp,
        panicked: Option<JoinError>,
    ) -> Result<Reply, StoreError> {
        let id = sealing.id();
        let failed = panicked.is_some();
        tracing::warn!(%id, failed, "accepted unjudged; it is judged from the store");
        let keys = self.inner.store.keys().clone();
        let raw = arrival.raw.clone();
        let key = merge_key(&raw, &|pieces| keys.mac("merge", pieces));
        let acceptance = self.acceptance(arrival, key, now, None);
        let committed: Committed = self.inner.store.commit(sealing, acceptance).await?;
        Ok(committed.reply())
    }

    fn acceptance(
        &self,
        arrival: Arrival,
        merge_key: [u8; 32],
        now: Timestamp,
        judgement: Option<Judgement>,
    ) -> Acceptance {
        Acceptance {
            envelope: arrival.envelope,
            origin: Origin::Door(arrival.listener),
            accepted_at: now,
            merge_key,
            retention: self.inner.judge.load().retention(now),
            judgement,
        }
    }

    /// A refusal leaves no message, only its story.
    async fn refuse(&self, sealing: &Sealing, rules: &[String]) -> Result<(), StoreError> {
        let id = sealing.id();
        tracing::info!(%id, ?rules, "refused");
        let event = AuditEvent::by_gateway("refused", id).with_detail(&rules.join(" "));
        self.inner.store.audit(event).await
    }
}

impl Door for Intake {
    async fn take(&self, arrival: Arrival) -> Reply {
        match self.take_or_fault(arrival).await {
            Ok(reply) => reply,
            Err(error) => {
                tracing::error!(%error, "the message was not taken");
                error.condition().reply()
            }
        }
    }
}

fn panic_of(error: JoinError) -> Box<dyn std::any::Any + Send> {
    error.try_into_panic().unwrap_or_else(|_cancelled| Box::new("cancelled"))
}

fn fresh(arrival: &Arrival, id: MessageId, judgement: &Judgement, now: Timestamp) -> Option<Fresh> {
    (!judgement.deliver.is_empty()).then(|| Fresh {
        id,
        accepted_at: now,
        reverse_path: arrival.envelope.reverse_path.clone(),
        smtp_utf8: arrival.envelope.smtp_utf8,
        recipients: judgement.deliver.clone(),
        raw: arrival.raw.clone(),
        outside: judgement.record.outside.as_slice().into(),
        own: judgement.record.own.as_slice().into(),
    })
}

/// One line a message for the operator: ids, counts and rules, no personal data (P11, P27).
fn log(id: MessageId, arrival: &Arrival, judgement: &Judgement) {
    tracing::info!(
        %id,
        listener = %arrival.listener,
        octets = arrival.raw.len(),
        recipients = arrival.envelope.recipients.len(),
        outcome = ?judgement.outcome,
        rules = ?judgement.rules,
        would_hold = ?judgement.would_hold,
        "judged"
    );
}
