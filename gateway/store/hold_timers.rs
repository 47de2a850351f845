//! What time does to a hold: it is brought to the deputies, closed as not sent, and let go. A hold
//! never releases itself.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::audit;
use super::audit::AuditEvent;
use super::duties;
use super::duties::DutyKind;
use super::duties::DutyRow;
use super::error::StoreError;
use super::id::HoldId;
use super::id::MessageId;
use super::keys::Keys;
use super::open::Store;
use super::sweep;
use super::writer::Act;

/// How long a hold that nobody decided can still be re-opened, in milliseconds: 30 days.
const NOT_SENT_KEPT: i64 = 30 * 24 * 60 * 60 * 1000;

impl Store {
    /// Brings holds that have waited too long to the deputies, each once. Returns which.
    ///
    /// # Errors
    /// What the database says.
    pub async fn escalate_due(&self, now: Timestamp) -> Result<Vec<HoldId>, StoreError> {
        self.inner.writer.run(self.timer(Step::Escalate, now)).await.map(|done| done.holds)
    }

    /// Closes holds that nobody has decided as not sent. Returns which.
    ///
    /// # Errors
    /// What the database says.
    pub async fn close_due(&self, now: Timestamp) -> Result<Vec<HoldId>, StoreError> {
        self.inner.writer.run(self.timer(Step::Close, now)).await.map(|done| done.holds)
    }

    /// Lets the bytes of holds go that were closed as not sent 30 days ago. Returns which.
    ///
    /// # Errors
    /// What the database says.
    pub async fn purge_due(&self, now: Timestamp) -> Result<Vec<HoldId>, StoreError> {
        let done = self.inner.writer.run(self.timer(Step::Purge, now)).await?;
        self.discard(done.gone);
        Ok(done.holds)
    }

    fn timer(&self, step: Step, now: Timestamp) -> Timer {
        Timer { step, keys: self.keys_of(), now: now.as_millisecond() }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Escalate,
    Close,
    Purge,
}

struct Timer {
    step: Step,
    keys: Keys,
    now: i64,
}

struct Done {
    holds: Vec<HoldId>,
    gone: Vec<MessageId>,
}

impl Act for Timer {
    type Output = Done;
    const WAKES: bool = true;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Done, StoreError> {
        let sql = match self.step {
            Step::Escalate => {
                "UPDATE holds SET escalated = 1 WHERE state = 'open' AND escalated = 0 \
                 AND escalate_at <= ?1 AND close_at > ?1 RETURNING id"
            }
            Step::Close => {
                "UPDATE holds SET state = 'not_sent', purge_at = ?1 + ?2 \
                 WHERE state = 'open' AND close_at <= ?1 RETURNING id"
            }
            Step::Purge => {
                "UPDATE holds SET purged = 1 \
                 WHERE state = 'not_sent' AND purged = 0 AND purge_at <= ?1 RETURNING id"
            }
        };
        let changed: Vec<(String,)> =
            sqlx::query_as(sql).bind(self.now).bind(NOT_SENT_KEPT).fetch_all(&mut *db).await?;
        let mut done = Done { holds: Vec::new(), gone: Vec::new() };
        for (id,) in changed {
            let hold = HoldId::read(&id)?;
            self.tell(db, hold).await?;
            let messages = sweep::messages_of(db, &id).await?;
            done.gone.extend(sweep::finish(db, &messages).await?);
            done.holds.push(hold);
        }
        Ok(done)
    }
}

impl Timer {
    async fn tell(&self, db: &mut SqliteConnection, hold: HoldId) -> Result<(), StoreError> {
        let (owed, action) = match self.step {
            Step::Escalate => (Some(DutyKind::HoldEscalated), "hold-escalated"),
            Step::Close => (Some(DutyKind::HoldClosed), "hold-not-sent"),
            Step::Purge => (None, "hold-purged"),
        };
        if let Some(kind) = owed {
            duties::insert(db, &[DutyRow::plain(kind, self.now)], None, Some(hold)).await?;
        }
        audit::append(db, &self.keys, self.now, &AuditEvent::by_gateway(action, hold)).await
    }
}
