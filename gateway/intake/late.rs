//! Messages that were accepted unjudged are judged from the store, at leisure but not for ever.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::door::Arrival;
use super::judge::Judge;
use super::judge::Judged;
use super::judge::NOT_JUDGED;
use super::take::Intake;
use crate::approval::Role;
use crate::mail::Address;
use crate::mail::Audience;
use crate::mail::Reply;
use crate::policy::Outcome;
use crate::store::DutyKind;
use crate::store::Judgement;
use crate::store::Loaded;
use crate::store::MessageId;
use crate::store::NewDuty;
use crate::store::NewHold;
use crate::store::Origin;
use crate::store::Record;
use crate::store::StoreError;

/// How often the store is asked where nothing has woken us.
const POLL: Duration = Duration::from_secs(2);
/// The wait before the same octets are tried again.
const AGAIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);
/// So many failures on the same octets are a lasting fault: a person must look.
const LASTING: u32 = 2;

impl Intake {
    /// Judges what waits in the store until told to stop.
    pub async fn run_late(&self, stop: CancellationToken) {
        let mut changes = self.inner.store.changes();
        while !stop.is_cancelled() {
            if let Err(error) = self.judge_waiting().await {
                tracing::error!(%error, "waiting messages could not be judged");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _ = changes.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Judges each message that waits now; returns how many were judged.
    ///
    /// # Errors
    /// What the store says; the rest still waits.
    pub async fn judge_waiting(&self) -> Result<usize, StoreError> {
        let mut judged = 0;
        for id in self.inner.store.waiting(self.inner.clock.now(), 100).await? {
            match self.judge_one(id).await {
                Ok(()) => judged += 1,
                // The store has set it aside and told the admin; the others go on.
                Err(StoreError::Corrupt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(judged)
    }

    async fn judge_one(&self, id: MessageId) -> Result<(), StoreError> {
        let loaded = self.inner.store.load(id).await?;
        let accepted_at = loaded.accepted_at;
        let judging = self.start_judging(arrival_of(&loaded), id, accepted_at);
        let judge = self.inner.judge.load_full();
        let now = self.inner.clock.now();
        let judgement = match judging.await {
            Ok((Judged::Accepted(judgement), _)) => *judgement,
            Ok((Judged::Refused { reply, rules }, _)) => {
                refused_late(&judge, &loaded, &reply, rules, now)
            }
            Err(_panicked) => {
                let again = now.checked_add(AGAIN).unwrap_or(now);
                if self.inner.store.judging_failed(id, again).await? < LASTING {
                    return Ok(());
                }
                held_for_admin(&judge, &loaded, NOT_JUDGED, now)
            }
        };
        self.inner.store.judge(id, &judgement).await?;
        tracing::info!(%id, outcome = ?judgement.outcome, rules = ?judgement.rules, "judged late");
        Ok(())
    }
}

/// The session is long over; what its trace said is not kept, so the trace says so.
fn arrival_of(loaded: &Loaded) -> Arrival {
    let listener = match &loaded.origin {
        Origin::Door(name) => name.clone(),
        Origin::Gateway => "gateway".to_owned(),
    };
    Arrival {
        envelope: loaded.envelope.clone(),
        raw: loaded.raw.clone(),
        listener,
        peer: std::net::Ipv4Addr::UNSPECIFIED.into(),
        helo: "unknown".to_owned(),
        tls: false,
        extended: true,
    }
}

/// A refusal after the 250: the reverse path gets a report with the same sentence; where it is
/// null there is nobody to tell, and the admin must look.
fn refused_late(
    judge: &Judge,
    loaded: &Loaded,
    reply: &Reply,
    rules: Vec<String>,
    now: Timestamp,
) -> Judgement {
    if loaded.envelope.reverse_path.is_none() {
        let rule = rules.first().map_or(NOT_JUDGED, String::as_str).to_owned();
        return held_for_admin(judge, loaded, &rule, now);
    }
    let payload = reply.to_string().into_bytes();
    Judgement {
        outcome: Outcome::Reject,
        rules,
        categories: Vec::new(),
        would_hold: Vec::new(),
        record: Record::default(),
        deliver: Vec::new(),
        hold: None,
        duties: vec![NewDuty { kind: DutyKind::Refused, payload, due_at: now }],
    }
}

/// Everybody waits until the admin has looked; nothing is known of the content.
fn held_for_admin(judge: &Judge, loaded: &Loaded, rule: &str, now: Timestamp) -> Judgement {
    let settings = &judge.settings;
    let audience = |address: &Address| settings.school.audience_of(address);
    let recipients: Vec<(Address, Audience)> =
        loaded.envelope.recipients.iter().map(|one| (one.clone(), audience(one))).collect();
    let hold = NewHold {
        recipients,
        visible: Vec::new(),
        route: Role::Admin.id().to_owned(),
        escalate_at: settings.calendar.add_school_hours(now, settings.escalate_after),
        close_at: settings.calendar.add_school_days(now, settings.close_after),
        duties: vec![NewDuty::new(DutyKind::HeldToApprover, now)],
    };
    Judgement {
        outcome: Outcome::Hold,
        rules: vec![rule.to_owned()],
        categories: Vec::new(),
        would_hold: Vec::new(),
        record: Record::default(),
        deliver: Vec::new(),
        hold: Some(hold),
        duties: Vec::new(),
    }
}
