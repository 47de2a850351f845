//! The queue: who still has to get which message, when to try next, and how it ended.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::accept::Origin;
use super::audit;
use super::audit::AuditEvent;
use super::duties;
use super::duties::DutyKind;
use super::duties::DutyRow;
use super::duties::FailedRecipient;
use super::duties::NewDuty;
use super::error::StoreError;
use super::id::MessageId;
use super::keys::Keys;
use super::open::Store;
use super::record::Record;
use super::rows;
use super::seal;
use super::seal::Unopened;
use super::sweep;
use super::writer::Act;
use crate::mail::Address;
use crate::mail::Audience;
use crate::mail::Envelope;
use crate::mail::Sensitive;

/// A message with recipients that are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueMessage {
    /// The message.
    pub id: MessageId,
    /// The reverse path; `None` is `<>`.
    pub reverse_path: Option<Address>,
    /// It came with `BODY=8BITMIME`.
    pub eight_bit: bool,
    /// It came with `SMTPUTF8`.
    pub smtp_utf8: bool,
    /// When it was accepted, from which its age counts.
    pub accepted_at: Timestamp,
    /// At least one.
    pub recipients: Vec<DueRecipient>,
}

/// A recipient that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRecipient {
    /// The address, exactly as the envelope had it.
    pub address: Address,
    /// Which copy it gets.
    pub audience: Audience,
    /// How often it was tried already.
    pub attempts: u32,
}

/// What became of one attempt for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The next hop has taken it.
    Delivered {
        /// The reply's code.
        code: u16,
    },
    /// It is tried again.
    Retry {
        /// Not before this time.
        at: Timestamp,
        /// The reply's code, if there was a reply.
        code: Option<u16>,
    },
    /// It is tried again, and this does not count as an attempt: the host as a whole was away.
    PutOff {
        /// Not before this time.
        at: Timestamp,
        /// The reply's code, if there was a reply.
        code: Option<u16>,
    },
    /// It is given up; the sender is told.
    Failed {
        /// The reply's code, if there was a reply.
        code: Option<u16>,
        /// The enhanced status of RFC 3463 for the report.
        status: (u8, u16, u16),
        /// What the next hop said, for the report; it is kept sealed.
        diagnostic: Option<Sensitive<String>>,
    },
}

/// A message as it lies in the store.
#[derive(Clone)]
pub struct Loaded {
    /// The bytes as received.
    pub raw: Bytes,
    /// The envelope.
    pub envelope: Envelope,
    /// Where it came from.
    pub origin: Origin,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The sealed part of its judgement; `None` while it waits for one.
    pub record: Option<Record>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Loaded({} octets)", self.raw.len())
    }
}

type MessageColumns =
    (Option<String>, i64, Option<String>, String, bool, bool, String, Option<Vec<u8>>);
type DueColumns = (String, Option<String>, bool, bool, i64, String, String, u32);

impl Store {
    /// Messages with recipients whose time has come, the longest waiting first; those in `skip`
    /// are under way already.
    ///
    /// # Errors
    /// What the database says.
    pub async fn due(
        &self,
        now: Timestamp,
        limit: usize,
        skip: &[MessageId],
    ) -> Result<Vec<DueMessage>, StoreError> {
        let found: Vec<DueColumns> = sqlx::query_as(
            "SELECT m.id, m.reverse_path, m.eight_bit, m.smtp_utf8, m.accepted_at, \
             d.recipient, d.audience, d.attempts FROM \
             (SELECT message, MIN(next_at) AS first FROM deliveries \
              WHERE state = 'queued' AND next_at <= ?1 \
              AND message NOT IN (SELECT value FROM json_each(?2)) \
              AND NOT EXISTS (SELECT 1 FROM messages c WHERE c.id = message AND c.state = 'corrupt') \
              GROUP BY message ORDER BY first, message LIMIT ?3) AS next \
             JOIN messages m ON m.id = next.message \
             JOIN deliveries d ON d.message = m.id AND d.state = 'queued' AND d.next_at <= ?1 \
             ORDER BY next.first, m.id, d.recipient",
        )
        .bind(now.as_millisecond())
        .bind(rows::list(skip.iter().map(MessageId::to_string)))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.inner.readers)
        .await?;
        let mut due: Vec<DueMessage> = Vec::new();
        for (id, reverse_path, eight_bit, smtp_utf8, accepted_at, recipient, audience, attempts) in
            found
        {
            let id = MessageId::read(&id)?;
            let audience = rows::audience(&audience)?;
            let recipient =
                DueRecipient { address: rows::address(&recipient)?, audience, attempts };
            match due.last_mut().filter(|last| last.id == id) {
                Some(last) => last.recipients.push(recipient),
                None => due.push(DueMessage {
                    id,
                    reverse_path: reverse_path.as_deref().map(rows::address).transpose()?,
                    eight_bit,
                    smtp_utf8,
                    accepted_at: rows::timestamp(accepted_at)?,
                    recipients: vec![recipient],
                }),
            }
        }
        Ok(due)
    }

    /// When the next queued recipient becomes due; `None` with an empty queue.
    ///
    /// # Errors
    /// What the database says.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let (next,): (Option<i64>,) =
            sqlx::query_as("SELECT MIN(next_at) FROM deliveries WHERE state = 'queued'")
                .fetch_one(&self.inner.readers)
                .await?;
        rows::optional_timestamp(next)
    }

    /// Opens a message: its bytes, its envelope and its record.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where file or record are missing or damaged: the message is then
    /// set aside with one incident, and nothing else stops. Passing trouble of the disk is
    /// [`StoreError::Disk`] and worth another try.
    pub async fn load(&self, id: MessageId) -> Result<Loaded, StoreError> {
        let columns: Option<MessageColumns> = sqlx::query_as(
            "SELECT m.listener, m.accepted_at, m.reverse_path, m.recipients, m.eight_bit, \
             m.smtp_utf8, m.state, r.sealed \
             FROM messages m LEFT JOIN records r ON r.message = m.id WHERE m.id = ?",
        )
        .bind(id.to_string())
        .fetch_optional(&self.inner.readers)
        .await?;
        let columns = columns.ok_or(StoreError::UnknownMessage(id))?;
        let (spool, keys) = (Arc::clone(&self.inner.spool), self.keys_of());
        let opened = tokio::task::spawn_blocking(move || {
            let raw = spool.read(id)?;
            open_columns(raw, columns, &keys)
        })
        .await
        .map_err(|_join| StoreError::Seal("the opening was cut off"))?;
        match opened {
            Ok(loaded) => Ok(loaded),
            Err(Unopened::Disk(source)) => Err(StoreError::disk("read a sealed file")(source)),
            Err(Unopened::Damaged) => {
                let now = self.inner.clock.now().as_millisecond();
                self.inner.writer.run(SetAside { id, now, keys: self.keys_of() }).await?;
                Err(StoreError::Corrupt(id))
            }
        }
    }

    /// Records what became of an attempt, recipient by recipient, and lets the file go when
    /// nothing needs it any more. Recipients that were final already stay as they are.
    ///
    /// # Errors
    /// What the database says; then nothing of it is recorded.
    pub async fn note(&self, id: MessageId, fates: Vec<(Address, Fate)>) -> Result<(), StoreError> {
        let keys = self.keys_of();
        let failed = failed_of(&fates);
        let report = match failed.is_empty() {
            true => None,
            false => Some(DutyRow::new(&report_duty(&failed, self.inner.clock.now())?, &keys)?),
        };
        let gone = self.inner.writer.run(Note { id, fates, report }).await?;
        self.discard(gone);
        Ok(())
    }

    /// Removes the files of finished messages; what a crash leaves here is swept at the start.
    pub(super) fn discard(&self, gone: Vec<MessageId>) {
        if gone.is_empty() {
            return;
        }
        let spool = Arc::clone(&self.inner.spool);
        drop(tokio::task::spawn_blocking(move || gone.iter().for_each(|id| spool.discard(*id))));
    }
}

/// Puts recipients into the queue, due at once; those that are there already stay as they are.
pub(super) async fn enqueue(
    db: &mut SqliteConnection,
    message: MessageId,
    recipients: &str,
    now: i64,
) -> Result<(), StoreError> {
    if recipients == "[]" {
        return Ok(());
    }
    sqlx::query(
        "INSERT OR IGNORE INTO deliveries (message, recipient, audience, state, next_at) \
         SELECT ?1, value ->> 0, value ->> 1, 'queued', ?3 FROM json_each(?2)",
    )
    .bind(message.to_string())
    .bind(recipients.to_owned())
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

fn open_columns(raw: Vec<u8>, columns: MessageColumns, keys: &Keys) -> Result<Loaded, Unopened> {
    let (listener, accepted_at, reverse_path, recipients, eight_bit, smtp_utf8, _, sealed) =
        columns;
    let damaged = |_error: StoreError| Unopened::Damaged;
    let record = match sealed {
        None => None,
        Some(sealed) => {
            let plain = seal::open(keys, sealed.as_slice())?;
            Some(Record::from_bytes(&plain).map_err(damaged)?)
        }
    };
    let recipients: Result<Vec<Address>, StoreError> =
        rows::read_list(&recipients).map_err(damaged)?.iter().map(|it| rows::address(it)).collect();
    Ok(Loaded {
        raw: raw.into(),
        envelope: Envelope {
            reverse_path: reverse_path
                .as_deref()
                .map(rows::address)
                .transpose()
                .map_err(damaged)?,
            recipients: recipients.map_err(damaged)?,
            eight_bit,
            smtp_utf8,
        },
        origin: listener.map_or(Origin::Gateway, Origin::Door),
        accepted_at: rows::timestamp(accepted_at).map_err(damaged)?,
        record,
    })
}

fn failed_of(fates: &[(Address, Fate)]) -> Vec<FailedRecipient> {
    let failed = |(address, fate): &(Address, Fate)| match fate {
        Fate::Failed { code, status, diagnostic } => Some(FailedRecipient {
            address: address.clone(),
            code: *code,
            status: *status,
            diagnostic: diagnostic.clone(),
        }),
        Fate::Delivered { .. } | Fate::Retry { .. } | Fate::PutOff { .. } => None,
    };
    fates.iter().filter_map(failed).collect()
}

fn report_duty(failed: &[FailedRecipient], now: Timestamp) -> Result<NewDuty, StoreError> {
    let payload = FailedRecipient::to_payload(failed)?;
    Ok(NewDuty { kind: DutyKind::DeliveryFailed, payload, due_at: now })
}

struct Note {
    id: MessageId,
    fates: Vec<(Address, Fate)>,
    report: Option<DutyRow>,
}

impl Act for Note {
    /// The messages whose files may go.
    type Output = Vec<MessageId>;
    const WAKES: bool = true;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Vec<MessageId>, StoreError> {
        let mut given_up = false;
        for (recipient, fate) in &self.fates {
            let (state, code, next_at) = match fate {
                Fate::Delivered { code } => ("delivered", Some(*code), None),
                Fate::Retry { at, code } | Fate::PutOff { at, code } => {
                    ("queued", *code, Some(at.as_millisecond()))
                }
                Fate::Failed { code, .. } => ("failed", *code, None),
            };
            let counted = !matches!(fate, Fate::PutOff { .. });
            let changed = sqlx::query(
                "UPDATE deliveries SET state = ?3, code = ?4, attempts = attempts + ?6, \
                 next_at = COALESCE(?5, next_at) \
                 WHERE message = ?1 AND recipient = ?2 AND state = 'queued'",
            )
            .bind(self.id.to_string())
            .bind(recipient.as_str().to_owned())
            .bind(state)
            .bind(code)
            .bind(next_at)
            .bind(u32::from(counted))
            .execute(&mut *db)
            .await?;
            given_up |= state == "failed" && changed.rows_affected() > 0;
        }
        if let Some(report) = self.report.as_ref().filter(|_report| given_up) {
            owe_report(db, self.id, report).await?;
        }
        sweep::finish(db, &[self.id]).await
    }
}

/// A report goes to the reverse path; where that is null (RFC 5321 section 6.1 forbids a report
/// about a report) the administrator gets an incident instead, so that nothing is lost silently.
async fn owe_report(
    db: &mut SqliteConnection,
    id: MessageId,
    report: &DutyRow,
) -> Result<(), StoreError> {
    let null_path: Option<(bool,)> =
        sqlx::query_as("SELECT reverse_path IS NULL FROM messages WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&mut *db)
            .await?;
    let kind = match null_path {
        Some((true,)) => DutyKind::Incident,
        _ => DutyKind::DeliveryFailed,
    };
    duties::insert(db, &[report.of_kind(kind)], Some(id), None).await
}

struct SetAside {
    id: MessageId,
    now: i64,
    keys: Keys,
}

impl Act for SetAside {
    type Output = ();
    const WAKES: bool = true;

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let changed = sqlx::query(
            "UPDATE messages SET state = 'corrupt' \
             WHERE id = ? AND state != 'corrupt' AND body = 'sealed'",
        )
        .bind(self.id.to_string())
        .execute(&mut *db)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(());
        }
        let incident = DutyRow::plain(DutyKind::Incident, self.now);
        duties::insert(db, &[incident], Some(self.id), None).await?;
        let event = AuditEvent::by_gateway("message-corrupt", self.id);
        audit::append(db, &self.keys, self.now, &event).await
    }
}
