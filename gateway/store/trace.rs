//! Tracing a message, and the counts for a status page: ids, states and categories only.

use jiff::Timestamp;
use jiff::civil::Date;

use super::error::StoreError;
use super::id::MessageId;
use super::open::Store;
use super::rows;
use crate::mail::Address;
use crate::policy::Outcome;

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageState {
    /// Accepted, not judged yet.
    Waiting,
    /// Judged.
    Judged,
    /// Its file or record can't be read; it is set aside.
    Corrupt,
}

/// Where one delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It will be tried, perhaps again.
    Queued,
    /// The next hop has it.
    Delivered,
    /// Given up.
    Failed,
    /// Taken out of the queue by a person.
    Cancelled,
}

/// One recipient's delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The recipient.
    pub recipient: Address,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// The code of the last reply.
    pub code: Option<u16>,
}

/// What is on record of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageTrace {
    /// The message.
    pub id: MessageId,
    /// Where it stands.
    pub state: MessageState,
    /// Its bytes are still there.
    pub sealed: bool,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Its size as received, in octets.
    pub size: u64,
    /// The id of its retention class.
    pub class: String,
    /// The last day of its record.
    pub retain_until: Date,
    /// The verdict, once there is one.
    pub outcome: Option<Outcome>,
    /// The ids of the rules behind it.
    pub rules: Vec<String>,
    /// The ids of the categories found.
    pub categories: Vec<String>,
    /// The ids of the rules that would have held it.
    pub would_hold: Vec<String>,
    /// Recipient by recipient, those that wait in a hold excepted.
    pub deliveries: Vec<Delivery>,
}

/// The counts of a status page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Messages that wait for a judgement.
    pub waiting: u64,
    /// Messages that are set aside.
    pub corrupt: u64,
    /// Recipients in the queue.
    pub queued: u64,
    /// Holds that are open.
    pub open_holds: u64,
    /// Notices that are owed.
    pub duties: u64,
}

#[derive(sqlx::FromRow)]
struct TraceColumns {
    state: String,
    body: String,
    accepted_at: i64,
    size: i64,
    class: String,
    retain_until: String,
    outcome: Option<String>,
    rules: Option<String>,
    categories: Option<String>,
    would_hold: Option<String>,
}

impl Store {
    /// What is on record of a message; `None` where there is nothing (any more).
    ///
    /// # Errors
    /// What the database says.
    pub async fn message(&self, id: MessageId) -> Result<Option<MessageTrace>, StoreError> {
        let columns: Option<TraceColumns> = sqlx::query_as(
            "SELECT state, body, accepted_at, size, class, retain_until, outcome, rules, \
             categories, would_hold FROM messages WHERE id = ?",
        )
        .bind(id.to_string())
        .fetch_optional(&self.inner.readers)
        .await?;
        let Some(columns) = columns else { return Ok(None) };
        let list = |text: Option<String>| text.as_deref().map_or(Ok(Vec::new()), rows::read_list);
        Ok(Some(MessageTrace {
            id,
            state: state(&columns.state)?,
            sealed: columns.body == "sealed",
            accepted_at: rows::timestamp(columns.accepted_at)?,
            size: u64::try_from(columns.size).unwrap_or_default(),
            class: columns.class,
            retain_until: columns
                .retain_until
                .parse()
                .map_err(|_shape| StoreError::Row("a date"))?,
            outcome: columns.outcome.as_deref().map(rows::outcome).transpose()?,
            rules: list(columns.rules)?,
            categories: list(columns.categories)?,
            would_hold: list(columns.would_hold)?,
            deliveries: self.deliveries_of(id).await?,
        }))
    }

    /// The counts of a status page.
    ///
    /// # Errors
    /// What the database says.
    pub async fn status(&self) -> Result<Status, StoreError> {
        let (waiting, corrupt, queued, open_holds, duties): (i64, i64, i64, i64, i64) =
            sqlx::query_as(
                "SELECT (SELECT COUNT(*) FROM messages WHERE state = 'waiting'), \
                 (SELECT COUNT(*) FROM messages WHERE state = 'corrupt'), \
                 (SELECT COUNT(*) FROM deliveries WHERE state = 'queued'), \
                 (SELECT COUNT(*) FROM holds WHERE state = 'open'), \
                 (SELECT COUNT(*) FROM duties WHERE done_at IS NULL)",
            )
            .fetch_one(&self.inner.readers)
            .await?;
        let count = |number| u64::try_from(number).unwrap_or_default();
        Ok(Status {
            waiting: count(waiting),
            corrupt: count(corrupt),
            queued: count(queued),
            open_holds: count(open_holds),
            duties: count(duties),
        })
    }

    async fn deliveries_of(&self, id: MessageId) -> Result<Vec<Delivery>, StoreError> {
        let found: Vec<(String, String, u32, Option<u16>)> = sqlx::query_as(
            "SELECT recipient, state, attempts, code FROM deliveries WHERE message = ? \
             ORDER BY recipient",
        )
        .bind(id.to_string())
        .fetch_all(&self.inner.readers)
        .await?;
        let read = |(recipient, state, attempts, code): (String, String, u32, Option<u16>)| {
            let state = delivery_state(&state)?;
            Ok(Delivery { recipient: rows::address(&recipient)?, state, attempts, code })
        };
        found.into_iter().map(read).collect()
    }
}

fn state(id: &str) -> Result<MessageState, StoreError> {
    match id {
        "waiting" => Ok(MessageState::Waiting),
        "judged" => Ok(MessageState::Judged),
        "corrupt" => Ok(MessageState::Corrupt),
        _ => Err(StoreError::Row("a message's state")),
    }
}

fn delivery_state(id: &str) -> Result<DeliveryState, StoreError> {
    match id {
        "queued" => Ok(DeliveryState::Queued),
        "delivered" => Ok(DeliveryState::Delivered),
        "failed" => Ok(DeliveryState::Failed),
        "cancelled" => Ok(DeliveryState::Cancelled),
        _ => Err(StoreError::Row("a delivery's state")),
    }
}
