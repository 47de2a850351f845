//! Duties: the notices and reports the gateway owes, each made exactly once.
//!
//! A duty is written in the transaction that causes it, and marked done in the transaction that
//! accepts the mail made for it. So a crash repeats the making, never the mail.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::accept::Acceptance;
use super::accept::Committed;
use super::accept::MessageRow;
use super::audit;
use super::audit::AuditEvent;
use super::error::StoreError;
use super::id::HoldId;
use super::id::MessageId;
use super::keys::Keys;
use super::open::Store;
use super::rows;
use super::seal;
use super::seal::SealedFile;
use super::seal::Sealing;
use super::seal::Unopened;
use super::sweep;
use super::writer::Act;
use crate::mail::Address;
use crate::mail::Sensitive;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $id:literal;)+) => {
        /// What is owed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum DutyKind {
            $($(#[doc = $doc])* $name,)+
        }

        impl DutyKind {
            /// The name in the database and in logs.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)+ }
            }

            fn read(id: &str) -> Result<Self, StoreError> {
                match id { $($id => Ok(Self::$name),)+ _ => Err(StoreError::Row("a duty")) }
            }
        }
    };
}

kinds! {
    /// The sender is told that the message waits for a decision.
    HeldToSender = "held-to-sender";
    /// The approver is told that a message waits.
    HeldToApprover = "held-to-approver";
    /// The deputies are told of a hold that nobody has decided.
    HoldEscalated = "hold-escalated";
    /// The sender is told that the hold was closed undecided, with the remedies.
    HoldClosed = "hold-closed";
    /// The sender is told that the message was released.
    HoldReleased = "hold-released";
    /// The sender is told that the message was refused.
    HoldRefused = "hold-refused";
    /// The approvers are told of a decision made on the command line.
    BreakGlass = "break-glass";
    /// The sender is told that visible addresses were moved to Bcc.
    BulkForced = "bulk-forced";
    /// A report of failed delivery to the reverse path; the payload is a list of
    /// [`FailedRecipient`].
    DeliveryFailed = "delivery-failed";
    /// A report of a rejection decided after the 250.
    Refused = "refused";
    /// The administrator is told of trouble with this message.
    Incident = "incident";
}

/// A duty to be written with what causes it.
#[derive(Clone, PartialEq, Eq)]
pub struct NewDuty {
    /// What is owed.
    pub kind: DutyKind,
    /// What its maker needs beside message and hold; kept sealed. Empty for nothing.
    pub payload: Vec<u8>,
    /// Not before this time.
    pub due_at: Timestamp,
}

impl NewDuty {
    /// A duty that needs nothing beside its message or hold.
    pub fn new(kind: DutyKind, due_at: Timestamp) -> Self {
        Self { kind, payload: Vec::new(), due_at }
    }
}

impl fmt::Debug for NewDuty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewDuty({}, {} octets)", self.kind.id(), self.payload.len())
    }
}

/// A duty whose time has come.
#[derive(Clone, PartialEq, Eq)]
pub struct DueDuty {
    /// Its number.
    pub id: i64,
    /// What is owed.
    pub kind: DutyKind,
    /// The message it is about.
    pub message: Option<MessageId>,
    /// The hold it is about.
    pub hold: Option<HoldId>,
    /// What was written with it.
    pub payload: Vec<u8>,
}

impl fmt::Debug for DueDuty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DueDuty({}, {})", self.id, self.kind.id())
    }
}

/// What became of an attempt to fulfil a duty.
#[derive(Debug)]
pub enum DutyOutcome {
    /// The mail is accepted and the duty done.
    Done(Committed),
    /// Somebody was faster; this mail was not taken and left no trace.
    AlreadyDone,
}

/// A recipient that did not get its copy: the payload of [`DutyKind::DeliveryFailed`], and of the
/// [`DutyKind::Incident`] that stands for it where the reverse path is null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRecipient {
    /// The recipient.
    pub address: Address,
    /// The last reply's code.
    pub code: Option<u16>,
    /// The enhanced status of RFC 3463.
    pub status: (u8, u16, u16),
    /// What the next hop said.
    pub diagnostic: Option<Sensitive<String>>,
}

#[derive(Serialize, Deserialize)]
struct FailedOnDisk(String, Option<u16>, (u8, u16, u16), Option<String>);

impl FailedRecipient {
    pub(super) fn to_payload(failed: &[Self]) -> Result<Vec<u8>, StoreError> {
        let row = |it: &Self| {
            let diagnostic = it.diagnostic.as_ref().map(|text| text.expose().clone());
            FailedOnDisk(it.address.as_str().to_owned(), it.code, it.status, diagnostic)
        };
        let list: Vec<FailedOnDisk> = failed.iter().map(row).collect();
        serde_json::to_vec(&list).map_err(|_shape| StoreError::Row("a report"))
    }

    /// Reads the payload back.
    ///
    /// # Errors
    /// [`StoreError::Row`] where it is none.
    pub fn from_payload(payload: &[u8]) -> Result<Vec<Self>, StoreError> {
        let list: Vec<FailedOnDisk> =
            serde_json::from_slice(payload).map_err(|_shape| StoreError::Row("a report"))?;
        let read = |FailedOnDisk(address, code, status, diagnostic)| {
            let diagnostic = diagnostic.map(Sensitive::new);
            Ok(Self { address: rows::address(&address)?, code, status, diagnostic })
        };
        list.into_iter().map(read).collect()
    }
}

/// A duty as the columns want it.
#[derive(Debug, Clone)]
pub(super) struct DutyRow {
    kind: DutyKind,
    payload: Option<Vec<u8>>,
    due_at: i64,
}

impl DutyRow {
    pub(super) fn new(duty: &NewDuty, keys: &Keys) -> Result<Self, StoreError> {
        let payload = match duty.payload.as_slice() {
            [] => None,
            payload => Some(seal::seal(keys, payload)?),
        };
        Ok(Self { kind: duty.kind, payload, due_at: duty.due_at.as_millisecond() })
    }

    pub(super) fn plain(kind: DutyKind, due_at: i64) -> Self {
        Self { kind, payload: None, due_at }
    }

    /// With a payload that is sealed already.
    pub(super) fn sealed(kind: DutyKind, payload: Vec<u8>, due_at: i64) -> Self {
        Self { kind, payload: Some(payload), due_at }
    }

    pub(super) fn of_kind(&self, kind: DutyKind) -> Self {
        Self { kind, ..self.clone() }
    }
}

pub(super) fn rows_of(duties: &[NewDuty], keys: &Keys) -> Result<Vec<DutyRow>, StoreError> {
    duties.iter().map(|duty| DutyRow::new(duty, keys)).collect()
}

pub(super) async fn insert(
    db: &mut SqliteConnection,
    duties: &[DutyRow],
    message: Option<MessageId>,
    hold: Option<HoldId>,
) -> Result<(), StoreError> {
    for duty in duties {
        sqlx::query(
            "INSERT INTO duties (kind, message, hold, payload, due_at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(duty.kind.id())
        .bind(message.map(|id| id.to_string()))
        .bind(hold.map(|id| id.to_string()))
        .bind(duty.payload.clone())
        .bind(duty.due_at)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

type DutyColumns = (i64, String, Option<String>, Option<String>, Option<Vec<u8>>);

impl Store {
    /// Duties whose time has come, the oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn due_duties(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueDuty>, StoreError> {
        let found: Vec<DutyColumns> = sqlx::query_as(
            "SELECT id, kind, message, hold, payload FROM duties \
             WHERE done_at IS NULL AND due_at <= ? ORDER BY due_at, id LIMIT ?",
        )
        .bind(now.as_millisecond())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.inner.readers)
        .await?;
        found.into_iter().map(|columns| read_duty(columns, &self.inner.keys)).collect()
    }

    /// Accepts the mail made for a duty and marks the duty done, both or neither.
    ///
    /// # Errors
    /// As [`Store::commit`]; then the duty is still due.
    pub async fn fulfil(
        &self,
        duty: i64,
        sealing: Sealing,
        acceptance: Acceptance,
    ) -> Result<DutyOutcome, StoreError> {
        let keys = self.keys_of();
        let row = MessageRow::new(&sealing, &acceptance, &keys)?;
        let file = sealing.sealed().await?;
        let now = self.inner.clock.now().as_millisecond();
        let (outcome, gone) = self.inner.writer.run(Fulfil { duty, row, file, keys, now }).await?;
        self.discard(gone);
        Ok(outcome)
    }

    /// Lets a duty go without a mail, for instance where there is nobody to tell. The reason is an
    /// id such as `no-address`, without personal data.
    ///
    /// # Errors
    /// What the database says.
    pub async fn drop_duty(&self, duty: i64, reason: &str) -> Result<(), StoreError> {
        let now = self.inner.clock.now().as_millisecond();
        let (reason, keys) = (reason.to_owned(), self.keys_of());
        let gone = self.inner.writer.run(DropDuty { duty, reason, keys, now }).await?;
        self.discard(gone);
        Ok(())
    }

    /// Puts a duty off, after trouble that may pass.
    ///
    /// # Errors
    /// What the database says.
    pub async fn postpone_duty(&self, duty: i64, until: Timestamp) -> Result<(), StoreError> {
        self.inner.writer.run(Postpone { duty, until: until.as_millisecond() }).await
    }
}

fn read_duty(columns: DutyColumns, keys: &Keys) -> Result<DueDuty, StoreError> {
    let (id, kind, message, hold, payload) = columns;
    let payload = match payload {
        None => Vec::new(),
        Some(sealed) => seal::open(keys, sealed.as_slice()).map_err(|error| match error {
            Unopened::Damaged => StoreError::Row("a duty's payload"),
            Unopened::Disk(source) => StoreError::disk("open a duty's payload")(source),
        })?,
    };
    Ok(DueDuty {
        id,
        kind: DutyKind::read(&kind)?,
        message: message.as_deref().map(MessageId::read).transpose()?,
        hold: hold.as_deref().map(HoldId::read).transpose()?,
        payload,
    })
}

/// Marks a duty done; `None` where it was so already. The answer is the messages whose files may
/// go, since nothing is owed about them any more.
async fn close(
    db: &mut SqliteConnection,
    duty: i64,
    now: i64,
    dropped: Option<&str>,
) -> Result<Option<Vec<MessageId>>, StoreError> {
    let subject: Option<(Option<String>, Option<String>)> = sqlx::query_as(
        "UPDATE duties SET done_at = ?2, dropped = ?3, payload = NULL \
         WHERE id = ?1 AND done_at IS NULL RETURNING message, hold",
    )
    .bind(duty)
    .bind(now)
    .bind(dropped.map(str::to_owned))
    .fetch_optional(&mut *db)
    .await?;
    let Some((message, hold)) = subject else { return Ok(None) };
    let mut about = Vec::new();
    if let Some(message) = message {
        about.push(MessageId::read(&message)?);
    }
    if let Some(hold) = hold {
        about.extend(sweep::messages_of(db, &hold).await?);
    }
    sweep::finish(db, &about).await.map(Some)
}

struct Fulfil {
    duty: i64,
    row: MessageRow,
    file: SealedFile,
    keys: Keys,
    now: i64,
}

impl Act for Fulfil {
    type Output = (DutyOutcome, Vec<MessageId>);
    const WAKES: bool = true;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Self::Output, StoreError> {
        let Some(gone) = close(db, self.duty, self.now, None).await? else {
            return Ok((DutyOutcome::AlreadyDone, vec![self.row.id]));
        };
        let hold = self.row.insert(db, &self.keys).await?;
        Ok((DutyOutcome::Done(Committed::of(self.row.id, hold)), gone))
    }

    fn settled(&self) {
        self.file.keep();
    }
}

struct DropDuty {
    duty: i64,
    reason: String,
    keys: Keys,
    now: i64,
}

impl Act for DropDuty {
    type Output = Vec<MessageId>;

    async fn run(&self, db: &mut SqliteConnection) -> Result<Vec<MessageId>, StoreError> {
        let Some(gone) = close(db, self.duty, self.now, Some(&self.reason)).await? else {
            return Ok(Vec::new());
        };
        let event = AuditEvent::by_gateway("duty-dropped", self.duty).with_detail(&self.reason);
        audit::append(db, &self.keys, self.now, &event).await?;
        Ok(gone)
    }
}

struct Postpone {
    duty: i64,
    until: i64,
}

impl Act for Postpone {
    type Output = ();

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        sqlx::query("UPDATE duties SET due_at = ? WHERE id = ? AND done_at IS NULL")
            .bind(self.until)
            .bind(self.duty)
            .execute(db)
            .await?;
        Ok(())
    }
}
