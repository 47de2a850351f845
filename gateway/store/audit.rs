//! The audit: an append-only chain, written in the transaction of the act it tells.
//!
//! Each row carries the keyed hash of itself and the row before, so a change without the key
//! shows. Cutting off the end does not; for that the head must be known elsewhere, which is why
//! [`Store::audit_head`] is there to be logged.

use sqlx::SqliteConnection;
use thiserror::Error;

use super::error::StoreError;
use super::keys::Keys;
use super::open::Store;
use super::writer::Act;

const CONTEXT: &str = "audit";
/// The hash before the first row.
const START: [u8; 32] = [0; 32];
/// Rows read at once when verifying.
const PAGE: i64 = 1000;

/// Something that happened, in ids and categories only: the audit outlives every message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Who: `gateway`, a system user, an approver.
    pub actor: String,
    /// What, such as `hold-released` or `evidence-revealed`.
    pub action: String,
    /// To what: an id.
    pub object: String,
    /// What else: ids, categories, counts.
    pub detail: String,
}

impl AuditEvent {
    /// An act of the gateway itself.
    pub fn by_gateway(action: &'static str, object: impl ToString) -> Self {
        Self {
            actor: "gateway".to_owned(),
            action: action.to_owned(),
            object: object.to_string(),
            detail: String::new(),
        }
    }

    /// With ids, categories or counts; never personal data.
    #[must_use]
    pub fn with_detail(mut self, detail: &str) -> Self {
        detail.clone_into(&mut self.detail);
        self
    }
}

/// Why the audit does not verify.
#[derive(Debug, Error)]
pub enum AuditError {
    /// This row was changed, or one before it is missing.
    #[error("the audit is broken at row {seq}")]
    Broken {
        /// The first row that does not fit.
        seq: i64,
    },
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    at: i64,
    actor: String,
    action: String,
    object: String,
    detail: String,
    prev: Vec<u8>,
    mac: Vec<u8>,
}

impl Store {
    /// Writes an event that is no change of the store, such as a look at evidence.
    ///
    /// # Errors
    /// What the database says; then the look must not be granted.
    pub async fn audit(&self, event: AuditEvent) -> Result<(), StoreError> {
        let now = self.inner.clock.now().as_millisecond();
        self.inner.writer.run(Append { event, keys: self.keys_of(), now }).await
    }

    /// The number and the hash of the last row, to be kept in another place.
    ///
    /// # Errors
    /// What the database says.
    pub async fn audit_head(&self) -> Result<Option<(i64, String)>, StoreError> {
        let head: Option<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1")
                .fetch_optional(&self.inner.readers)
                .await?;
        Ok(head.map(|(seq, mac)| (seq, hex::encode(mac))))
    }

    /// Recomputes the whole chain and returns the number of rows.
    ///
    /// # Errors
    /// [`AuditError::Broken`] names the first row that does not fit.
    pub async fn verify_audit(&self) -> Result<u64, AuditError> {
        let (mut count, mut last, mut prev) = (0, 0, START.to_vec());
        loop {
            let page: Vec<Row> = sqlx::query_as(
                "SELECT seq, at, actor, action, object, detail, prev, mac FROM audit \
                 WHERE seq > ? ORDER BY seq LIMIT ?",
            )
            .bind(last)
            .bind(PAGE)
            .fetch_all(&self.inner.readers)
            .await
            .map_err(StoreError::from)?;
            if page.is_empty() {
                return Ok(count);
            }
            for row in page {
                let mac = mac_of(&self.inner.keys, &row);
                if row.seq != last + 1 || row.prev != prev || row.mac != mac {
                    return Err(AuditError::Broken { seq: row.seq });
                }
                (count, last, prev) = (count + 1, row.seq, row.mac);
            }
        }
    }
}

/// Appends an event within the transaction of the act.
pub(super) async fn append(
    db: &mut SqliteConnection,
    keys: &Keys,
    now: i64,
    event: &AuditEvent,
) -> Result<(), StoreError> {
    let head: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut *db)
            .await?;
    let (seq, prev) = head.map_or((1, START.to_vec()), |(seq, mac)| (seq + 1, mac));
    let AuditEvent { actor, action, object, detail } = event.clone();
    let mut row = Row { seq, at: now, actor, action, object, detail, prev, mac: Vec::new() };
    row.mac = mac_of(keys, &row).to_vec();
    sqlx::query(
        "INSERT INTO audit (seq, at, actor, action, object, detail, prev, mac) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.seq)
    .bind(row.at)
    .bind(row.actor)
    .bind(row.action)
    .bind(row.object)
    .bind(row.detail)
    .bind(row.prev)
    .bind(row.mac)
    .execute(db)
    .await?;
    Ok(())
}

fn mac_of(keys: &Keys, row: &Row) -> [u8; 32] {
    keys.mac(
        CONTEXT,
        &[
            &row.seq.to_be_bytes(),
            &row.at.to_be_bytes(),
            row.actor.as_bytes(),
            row.action.as_bytes(),
            row.object.as_bytes(),
            row.detail.as_bytes(),
            &row.prev,
        ],
    )
}

struct Append {
    event: AuditEvent,
    keys: Keys,
    now: i64,
}

impl Act for Append {
    type Output = ();

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        append(db, &self.keys, self.now, &self.event).await
    }
}
