//! Acceptance: the file is on the disk, the rows are committed, and only then is there a 250.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::SqliteConnection;

use super::duties;
use super::duties::DutyRow;
use super::duties::NewDuty;
use super::error::StoreError;
use super::holds;
use super::holds::HoldRow;
use super::holds::NewHold;
use super::id::HoldId;
use super::id::MessageId;
use super::keys::Keys;
use super::open::Store;
use super::queue;
use super::record::Record;
use super::rows;
use super::seal;
use super::seal::SealedFile;
use super::seal::Sealing;
use super::writer::Act;
use crate::detect::Category;
use crate::mail::Address;
use crate::mail::Audience;
use crate::mail::Envelope;
use crate::mail::Reply;
use crate::policy::Outcome;

/// Everything that is committed with a message.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// The envelope.
    pub envelope: Envelope,
    /// Where it came from.
    pub origin: Origin,
    /// When; retention counts from here.
    pub accepted_at: Timestamp,
    /// The keyed hash of Message-ID and content: equal for the parts of a split transaction.
    pub merge_key: [u8; 32],
    /// How long the record is kept.
    pub retention: Retention,
    /// `None`: it is safe but not yet judged, and waits for [`Store::judge`].
    pub judgement: Option<Judgement>,
}

/// Where a message came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Through a door: the listener's name in the configuration.
    Door(String),
    /// Made by the gateway: a notice or a report.
    Gateway,
}

/// How long the record of a message is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// The id of the class.
    pub class: String,
    /// The last day on which it is kept, by the school's calendar.
    pub until: Date,
}

/// What was decided about a message, and what follows from it.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// What becomes of it.
    pub outcome: Outcome,
    /// The ids of the rules that made it so.
    pub rules: Vec<String>,
    /// The categories found, each once.
    pub categories: Vec<Category>,
    /// The ids of the rules that would have held it, but were relaxed or in shadow.
    pub would_hold: Vec<String>,
    /// The part that is sealed.
    pub record: Record,
    /// Who gets it at once.
    pub deliver: Vec<(Address, Audience)>,
    /// Who waits for a decision.
    pub hold: Option<NewHold>,
    /// The notices the gateway owes for it.
    pub duties: Vec<NewDuty>,
}

/// The proof that a message is safe: file and folder synced, rows committed.
#[derive(Debug)]
pub struct Committed {
    id: MessageId,
    hold: Option<HoldId>,
}

impl Committed {
    /// Made by the acts that insert a message, and seen only if their transaction committed.
    pub(super) fn of(id: MessageId, hold: Option<HoldId>) -> Self {
        Self { id, hold }
    }

    /// The message.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// The hold it stands in, whether it opened one, joined one or followed a decided one.
    pub fn hold(&self) -> Option<HoldId> {
        self.hold
    }

    /// The 250 after the end of data. Nothing else makes one.
    pub fn reply(&self) -> Reply {
        let text = format!("queued as {}", self.id);
        Reply { code: 250, status: Some((2, 0, 0)), text }
    }
}

impl Store {
    /// Takes responsibility for a message (RFC 5321 section 6.1): waits for its file, commits its
    /// rows, and returns the proof.
    ///
    /// # Errors
    /// On every error the message has not been taken and the caller answers
    /// [`StoreError::condition`].
    pub async fn commit(
        &self,
        sealing: Sealing,
        acceptance: Acceptance,
    ) -> Result<Committed, StoreError> {
        let row = MessageRow::new(&sealing, &acceptance, &self.inner.keys)?;
        let file = sealing.sealed().await?;
        self.inner.writer.run(Accept { row, file, keys: self.inner.keys.clone() }).await
    }

    pub(super) fn keys_of(&self) -> Keys {
        self.inner.keys.clone()
    }
}

struct Accept {
    row: MessageRow,
    file: SealedFile,
    keys: Keys,
}

impl Act for Accept {
    type Output = Committed;
    const WAKES: bool = true;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Committed, StoreError> {
        let hold = self.row.insert(db, &self.keys).await?;
        Ok(Committed::of(self.row.id, hold))
    }

    fn settled(&self) {
        self.file.keep();
    }
}

/// The rows of one message, ready for the writer.
#[derive(Debug)]
pub(super) struct MessageRow {
    pub(super) id: MessageId,
    origin: Origin,
    accepted_at: i64,
    reverse_path: Option<String>,
    recipients: String,
    eight_bit: bool,
    smtp_utf8: bool,
    merge_key: [u8; 32],
    size: i64,
    class: String,
    retain_until: String,
    judgement: Option<JudgementRow>,
}

impl MessageRow {
    pub(super) fn new(
        sealing: &Sealing,
        acceptance: &Acceptance,
        keys: &Keys,
    ) -> Result<Self, StoreError> {
        let Acceptance { envelope, origin, accepted_at, merge_key, retention, judgement } =
            acceptance;
        let judgement = judgement.as_ref().map(|it| JudgementRow::new(it, keys)).transpose()?;
        Ok(Self {
            id: sealing.id(),
            origin: origin.clone(),
            accepted_at: accepted_at.as_millisecond(),
            reverse_path: envelope.reverse_path.as_ref().map(|path| path.as_str().to_owned()),
            recipients: rows::list(envelope.recipients.iter().map(Address::as_str)),
            eight_bit: envelope.eight_bit,
            smtp_utf8: envelope.smtp_utf8,
            merge_key: *merge_key,
            size: i64::try_from(sealing.size()).unwrap_or(i64::MAX),
            class: retention.class.clone(),
            retain_until: retention.until.to_string(),
            judgement,
        })
    }

    /// Inserts the message and everything its judgement brings.
    pub(super) async fn insert(
        &self,
        db: &mut SqliteConnection,
        keys: &Keys,
    ) -> Result<Option<HoldId>, StoreError> {
        let judged = self.judgement.as_ref();
        sqlx::query(
            "INSERT INTO messages (id, state, body, listener, accepted_at, reverse_path, \
             recipients, eight_bit, smtp_utf8, merge_key, size, class, retain_until, outcome, \
             rules, categories, would_hold, judge_at) \
             VALUES (?, ?, 'sealed', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(self.id.to_string())
        .bind(if judged.is_some() { "judged" } else { "waiting" })
        .bind(match &self.origin {
            Origin::Door(listener) => Some(listener.clone()),
            Origin::Gateway => None,
        })
        .bind(self.accepted_at)
        .bind(self.reverse_path.clone())
        .bind(self.recipients.clone())
        .bind(self.eight_bit)
        .bind(self.smtp_utf8)
        .bind(self.merge_key.to_vec())
        .bind(self.size)
        .bind(self.class.clone())
        .bind(self.retain_until.clone())
        .bind(judged.map(|it| it.outcome))
        .bind(judged.map(|it| it.rules.clone()))
        .bind(judged.map(|it| it.categories.clone()))
        .bind(judged.map(|it| it.would_hold.clone()))
        .bind(self.accepted_at)
        .execute(&mut *db)
        .await?;
        match judged {
            Some(judgement) => {
                judgement.follow(db, keys, self.id, &self.merge_key, self.accepted_at).await
            }
            None => Ok(None),
        }
    }
}

/// A judgement as the columns want it, its record sealed. Shared, since a batch may run twice.
#[derive(Debug, Clone)]
pub(super) struct JudgementRow {
    pub(super) outcome: &'static str,
    pub(super) rules: String,
    pub(super) categories: String,
    pub(super) would_hold: String,
    record: Arc<Vec<u8>>,
    deliver: String,
    hold: Option<HoldRow>,
    duties: Vec<DutyRow>,
}

impl JudgementRow {
    pub(super) fn new(judgement: &Judgement, keys: &Keys) -> Result<Self, StoreError> {
        let record = seal::seal(keys, &judgement.record.to_bytes()?)?;
        Ok(Self {
            outcome: rows::outcome_id(judgement.outcome),
            rules: rows::list(&judgement.rules),
            categories: rows::list(judgement.categories.iter().map(|category| category.id())),
            would_hold: rows::list(&judgement.would_hold),
            record: Arc::new(record),
            deliver: rows::recipients(&judgement.deliver),
            hold: judgement.hold.as_ref().map(|hold| HoldRow::new(hold, keys)).transpose()?,
            duties: duties::rows_of(&judgement.duties, keys)?,
        })
    }

    /// Inserts what follows from the judgement: record, deliveries, hold, duties.
    pub(super) async fn follow(
        &self,
        db: &mut SqliteConnection,
        keys: &Keys,
        message: MessageId,
        merge_key: &[u8; 32],
        now: i64,
    ) -> Result<Option<HoldId>, StoreError> {
        sqlx::query("INSERT INTO records (message, sealed) VALUES (?, ?)")
            .bind(message.to_string())
            .bind(Arc::clone(&self.record))
            .execute(&mut *db)
            .await?;
        queue::enqueue(db, message, &self.deliver, now).await?;
        duties::insert(db, &self.duties, Some(message), None).await?;
        match &self.hold {
            Some(hold) => holds::place(db, keys, message, merge_key, hold, now).await.map(Some),
            None => Ok(None),
        }
    }
}
