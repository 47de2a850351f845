//! Messages that were accepted before they could be judged, and are judged from the store.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::accept::Judgement;
use super::accept::JudgementRow;
use super::error::StoreError;
use super::id::MessageId;
use super::keys::Keys;
use super::open::Store;
use super::sweep;
use super::writer::Act;

impl Store {
    /// Messages that wait for a judgement and whose time has come, the oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn waiting(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<MessageId>, StoreError> {
        let found: Vec<(String,)> = sqlx::query_as(
            "SELECT id FROM messages WHERE state = 'waiting' AND judge_at <= ? \
             ORDER BY judge_at, id LIMIT ?",
        )
        .bind(now.as_millisecond())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.inner.readers)
        .await?;
        found.iter().map(|(id,)| MessageId::read(id)).collect()
    }

    /// Applies a late judgement with all that follows from it, both or neither. Returns whether
    /// the message still waited; a second judgement changes nothing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn judge(&self, id: MessageId, judgement: &Judgement) -> Result<bool, StoreError> {
        let keys = self.keys_of();
        let row = JudgementRow::new(judgement, &keys)?;
        let now = self.inner.clock.now().as_millisecond();
        let judged = self.inner.writer.run(Judge { id, row, keys, now }).await?;
        self.discard(judged.gone);
        Ok(judged.applied)
    }

    /// Counts a failed try to judge and puts the next one off. Returns how many have failed, so
    /// that the caller can tell a passing fault from a lasting one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn judging_failed(
        &self,
        id: MessageId,
        again_at: Timestamp,
    ) -> Result<u32, StoreError> {
        self.inner.writer.run(JudgingFailed { id, again_at: again_at.as_millisecond() }).await
    }
}

struct Judge {
    id: MessageId,
    row: JudgementRow,
    keys: Keys,
    now: i64,
}

#[derive(Default)]
struct Judged {
    applied: bool,
    gone: Vec<MessageId>,
}

impl Act for Judge {
    type Output = Judged;
    const WAKES: bool = true;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Judged, StoreError> {
        let waited: Option<(Vec<u8>,)> = sqlx::query_as(
            "UPDATE messages SET state = 'judged', outcome = ?2, rules = ?3, categories = ?4, \
             would_hold = ?5 WHERE id = ?1 AND state = 'waiting' RETURNING merge_key",
        )
        .bind(self.id.to_string())
        .bind(self.row.outcome)
        .bind(self.row.rules.clone())
        .bind(self.row.categories.clone())
        .bind(self.row.would_hold.clone())
        .fetch_optional(&mut *db)
        .await?;
        let Some((merge_key,)) = waited else { return Ok(Judged::default()) };
        let merge_key: [u8; 32] =
            merge_key.try_into().map_err(|_length| StoreError::Row("a merge key"))?;
        self.row.follow(db, &self.keys, self.id, &merge_key, self.now).await?;
        let gone = sweep::finish(db, &[self.id]).await?;
        Ok(Judged { applied: true, gone })
    }
}

struct JudgingFailed {
    id: MessageId,
    again_at: i64,
}

impl Act for JudgingFailed {
    type Output = u32;

    async fn run(&self, db: &mut SqliteConnection) -> Result<u32, StoreError> {
        let attempts: Option<(u32,)> = sqlx::query_as(
            "UPDATE messages SET attempts = attempts + 1, judge_at = ? \
             WHERE id = ? AND state = 'waiting' RETURNING attempts",
        )
        .bind(self.again_at)
        .bind(self.id.to_string())
        .fetch_optional(db)
        .await?;
        attempts.map(|(count,)| count).ok_or(StoreError::UnknownMessage(self.id))
    }
}
