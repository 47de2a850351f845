//! Letting go: files nothing needs any more, what a crash has left, rows whose date has passed.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::civil::Date;
use sqlx::SqliteConnection;

use super::audit;
use super::audit::AuditEvent;
use super::error::StoreError;
use super::id::MessageId;
use super::keys::Keys;
use super::open::Store;
use super::spool::Spool;
use super::writer::Act;

/// Rows that one transaction of a purge deletes.
const PURGE_BATCH: i64 = 500;

/// What a sweep has removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Files without a row, finished or not.
    pub orphans: usize,
    /// Files of messages that nothing needs any more.
    pub finished: usize,
}

impl Store {
    /// Removes what a crash has left. Only for the single instance, before it takes any message.
    pub(super) async fn sweep(&self) -> Result<Swept, StoreError> {
        let finished = self.inner.writer.run(FinishAll).await?.len();
        let needed: Vec<(String,)> =
            sqlx::query_as("SELECT id FROM messages WHERE body = 'sealed'")
                .fetch_all(&self.inner.readers)
                .await?;
        let needed: HashSet<MessageId> =
            needed.iter().map(|(id,)| MessageId::read(id)).collect::<Result<_, _>>()?;
        let spool = Arc::clone(&self.inner.spool);
        let removed = tokio::task::spawn_blocking(move || remove_unneeded(&spool, &needed))
            .await
            .map_err(|_join| StoreError::Seal("the sweep was cut off"))??;
        Ok(Swept { orphans: removed.saturating_sub(finished), finished })
    }

    /// Deletes the records whose last day lies before `today`, with what is left of their
    /// messages. What still waits, is queued, held or owed stays, whatever its date. Returns the
    /// number of records.
    ///
    /// # Errors
    /// What the database says; batches before the error are done.
    pub async fn purge(&self, today: Date) -> Result<u64, StoreError> {
        let mut count = 0;
        loop {
            let now = self.inner.clock.now().as_millisecond();
            let act = Purge { today: today.to_string(), keys: self.keys_of(), now };
            let purged = self.inner.writer.run(act).await?;
            if purged.is_empty() {
                return Ok(count);
            }
            count += purged.len() as u64;
            self.discard(purged);
        }
    }
}

fn remove_unneeded(spool: &Spool, needed: &HashSet<MessageId>) -> Result<usize, StoreError> {
    let mut removed = 0;
    for (path, id) in spool.files().map_err(StoreError::disk("list the spool"))? {
        if id.is_none_or(|id| !needed.contains(&id)) {
            spool.remove(&path).map_err(StoreError::disk("sweep the spool"))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Of these messages, marks those finished that nothing needs any more: judged, nothing queued,
/// not in a hold that is open or can be re-opened, and nothing owed about them. Their records go
/// with the commit; the caller removes the files after it.
pub(super) async fn finish(
    db: &mut SqliteConnection,
    messages: &[MessageId],
) -> Result<Vec<MessageId>, StoreError> {
    let mut gone = Vec::new();
    for message in messages {
        let finished = sqlx::query(
            "UPDATE messages SET body = 'gone' \
             WHERE id = ?1 AND state = 'judged' AND body = 'sealed' \
             AND NOT EXISTS (SELECT 1 FROM deliveries WHERE message = ?1 AND state = 'queued') \
             AND NOT EXISTS (SELECT 1 FROM duties WHERE message = ?1 AND done_at IS NULL) \
             AND NOT EXISTS (SELECT 1 FROM hold_messages hm JOIN holds h ON h.id = hm.hold \
              WHERE hm.message = ?1 AND (h.state = 'open' \
               OR (h.state = 'not_sent' AND h.purged = 0) \
               OR EXISTS (SELECT 1 FROM duties o WHERE o.hold = h.id AND o.done_at IS NULL)))",
        )
        .bind(message.to_string())
        .execute(&mut *db)
        .await?;
        if finished.rows_affected() > 0 {
            sqlx::query("DELETE FROM records WHERE message = ?")
                .bind(message.to_string())
                .execute(&mut *db)
                .await?;
            gone.push(*message);
        }
    }
    Ok(gone)
}

/// The messages of a hold.
pub(super) async fn messages_of(
    db: &mut SqliteConnection,
    hold: &str,
) -> Result<Vec<MessageId>, StoreError> {
    let found: Vec<(String,)> = sqlx::query_as("SELECT message FROM hold_messages WHERE hold = ?")
        .bind(hold.to_owned())
        .fetch_all(db)
        .await?;
    found.iter().map(|(id,)| MessageId::read(id)).collect()
}

/// Finishes whatever can be; the transactions do it as they go, this is the safety net.
struct FinishAll;

impl Act for FinishAll {
    type Output = Vec<MessageId>;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Vec<MessageId>, StoreError> {
        let found: Vec<(String,)> = sqlx::query_as(
            "SELECT id FROM messages m WHERE state = 'judged' AND body = 'sealed' \
             AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message = m.id \
              AND d.state = 'queued')",
        )
        .fetch_all(&mut *db)
        .await?;
        let messages: Vec<MessageId> =
            found.iter().map(|(id,)| MessageId::read(id)).collect::<Result<_, _>>()?;
        finish(db, &messages).await
    }
}

struct Purge {
    today: String,
    keys: Keys,
    now: i64,
}

impl Act for Purge {
    type Output = Vec<MessageId>;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Vec<MessageId>, StoreError> {
        let deleted: Vec<(String,)> = sqlx::query_as(
            "DELETE FROM messages WHERE id IN (SELECT m.id FROM messages m \
             WHERE m.retain_until < ?1 AND (m.body = 'gone' OR m.state = 'corrupt') \
             AND NOT EXISTS (SELECT 1 FROM duties WHERE message = m.id AND done_at IS NULL) \
             AND NOT EXISTS (SELECT 1 FROM hold_messages hm JOIN holds h ON h.id = hm.hold \
              WHERE hm.message = m.id AND (h.state = 'open' \
               OR (h.state = 'not_sent' AND h.purged = 0))) LIMIT ?2) RETURNING id",
        )
        .bind(self.today.clone())
        .bind(PURGE_BATCH)
        .fetch_all(&mut *db)
        .await?;
        if deleted.is_empty() {
            return Ok(Vec::new());
        }
        sqlx::query(
            "DELETE FROM holds WHERE state != 'open' \
             AND NOT EXISTS (SELECT 1 FROM hold_messages WHERE hold = holds.id)",
        )
        .execute(&mut *db)
        .await?;
        let event = AuditEvent::by_gateway("records-purged", &self.today)
            .with_detail(&format!("{} records", deleted.len()));
        audit::append(db, &self.keys, self.now, &event).await?;
        deleted.iter().map(|(id,)| MessageId::read(id)).collect()
    }
}
