//! Deciding a hold: the first decision wins, and its deliveries stand in the same commit.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::audit;
use super::audit::AuditEvent;
use super::duties;
use super::duties::DutyKind;
use super::duties::DutyRow;
use super::error::StoreError;
use super::holds::HoldState;
use super::id::HoldId;
use super::keys::Keys;
use super::open::Store;
use super::rows;
use super::seal;
use super::writer::Act;
use crate::mail::Sensitive;

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// The recipients get exactly the bytes that were held, once.
    Release,
    /// They don't.
    Refuse,
}

/// A decision, with who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What is decided.
    pub ruling: Ruling,
    /// The system user or signed-in person.
    pub by: String,
    /// The approver in whose name; whether this one may decide is the caller's to check.
    pub for_approver: String,
    /// Why; kept sealed.
    pub reason: Sensitive<String>,
    /// Made on the command line: the approvers are told.
    pub break_glass: bool,
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionOutcome {
    /// It stands. After a release so many deliveries went into the queue.
    Decided {
        /// Recipients that get a copy now.
        queued: u64,
    },
    /// Somebody was faster; nothing was changed.
    AlreadyDecided {
        /// What was decided.
        state: HoldState,
        /// When.
        at: Option<Timestamp>,
        /// For which approver.
        for_approver: Option<String>,
    },
    /// Closed as not sent more than 30 days ago: the bytes are gone.
    TooLate,
}

impl Store {
    /// Decides a hold. It may be open, or closed as not sent for less than 30 days.
    ///
    /// # Errors
    /// [`StoreError::UnknownHold`], or what the database says; then nothing was decided.
    pub async fn decide(
        &self,
        id: HoldId,
        decision: Decision,
    ) -> Result<DecisionOutcome, StoreError> {
        let keys = self.keys_of();
        let reason = seal::seal(&keys, decision.reason.expose().as_bytes())?;
        let now = self.inner.clock.now().as_millisecond();
        self.inner.writer.run(Decide { id, decision, reason, keys, now }).await
    }
}

struct Decide {
    id: HoldId,
    decision: Decision,
    reason: Vec<u8>,
    keys: Keys,
    now: i64,
}

impl Act for Decide {
    type Output = DecisionOutcome;
    const WAKES: bool = true;

    async fn run(&self, db: &mut SqliteConnection) -> Result<DecisionOutcome, StoreError> {
        let state = match self.decision.ruling {
            Ruling::Release => HoldState::Released,
            Ruling::Refuse => HoldState::Refused,
        };
        let decided = sqlx::query(
            "UPDATE holds SET state = ?2, decided_at = ?3, decided_for = ?4, decided_by = ?5, \
             reason = ?6 WHERE id = ?1 AND \
             (state = 'open' OR (state = 'not_sent' AND purged = 0 AND purge_at > ?3))",
        )
        .bind(self.id.to_string())
        .bind(state.id())
        .bind(self.now)
        .bind(self.decision.for_approver.clone())
        .bind(self.decision.by.clone())
        .bind(self.reason.clone())
        .execute(&mut *db)
        .await?;
        if decided.rows_affected() == 0 {
            return self.why_not(db).await;
        }
        let queued = match state {
            HoldState::Released => self.release(db).await?,
            HoldState::Open | HoldState::Refused | HoldState::NotSent => 0,
        };
        self.tell(db, state).await?;
        Ok(DecisionOutcome::Decided { queued })
    }
}

impl Decide {
    /// Who was faster, or that it is too late.
    async fn why_not(&self, db: &mut SqliteConnection) -> Result<DecisionOutcome, StoreError> {
        let found: Option<(String, Option<i64>, Option<String>)> =
            sqlx::query_as("SELECT state, decided_at, decided_for FROM holds WHERE id = ?")
                .bind(self.id.to_string())
                .fetch_optional(db)
                .await?;
        let (state, at, for_approver) = found.ok_or(StoreError::UnknownHold(self.id))?;
        match HoldState::read(&state)? {
            HoldState::Open | HoldState::NotSent => Ok(DecisionOutcome::TooLate),
            state => {
                let at = rows::optional_timestamp(at)?;
                Ok(DecisionOutcome::AlreadyDecided { state, at, for_approver })
            }
        }
    }

    async fn release(&self, db: &mut SqliteConnection) -> Result<u64, StoreError> {
        let queued = sqlx::query(
            "INSERT OR IGNORE INTO deliveries (message, recipient, audience, state, next_at) \
             SELECT message, recipient, audience, 'queued', ?2 FROM hold_recipients WHERE hold = ?1",
        )
        .bind(self.id.to_string())
        .bind(self.now)
        .execute(db)
        .await?;
        Ok(queued.rows_affected())
    }

    async fn tell(&self, db: &mut SqliteConnection, state: HoldState) -> Result<(), StoreError> {
        let (kind, action) = match state {
            HoldState::Released => (DutyKind::HoldReleased, "hold-released"),
            _ => (DutyKind::HoldRefused, "hold-refused"),
        };
        let mut owed = vec![DutyRow::sealed(kind, self.reason.clone(), self.now)];
        if self.decision.break_glass {
            owed.push(DutyRow::plain(DutyKind::BreakGlass, self.now));
        }
        duties::insert(db, &owed, None, Some(self.id)).await?;
        let event = AuditEvent {
            actor: self.decision.by.clone(),
            action: action.to_owned(),
            object: self.id.to_string(),
            detail: format!("for {}", self.decision.for_approver),
        };
        audit::append(db, &self.keys, self.now, &event).await
    }
}
