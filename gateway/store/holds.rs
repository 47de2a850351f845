//! Holds: recipients that wait for a person's decision, and how split transactions share one.
//!
//! Exchange splits one message into several transactions. They have one merge key, so within 24
//! hours the later ones join the hold that is open, or follow the decision that was made, for
//! recipients which the approver saw. Any other recipient opens a hold of its own.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::audit;
use super::audit::AuditEvent;
use super::duties;
use super::duties::DutyRow;
use super::duties::NewDuty;
use super::error::StoreError;
use super::id::HoldId;
use super::id::MessageId;
use super::keys::Keys;
use super::queue;
use super::rows;
use crate::mail::Address;
use crate::mail::Audience;

/// How long the parts of a split transaction find each other, in milliseconds.
const SIBLINGS: i64 = 24 * 60 * 60 * 1000;

/// A hold to be opened, unless the message is a sibling of one that stands.
#[derive(Debug, Clone)]
pub struct NewHold {
    /// The recipients that wait.
    pub recipients: Vec<(Address, Audience)>,
    /// The addresses the header shows, folded: the approver sees them too.
    pub visible: Vec<String>,
    /// The role that decides.
    pub route: String,
    /// When the deputies are told too.
    pub escalate_at: Timestamp,
    /// When it is closed as not sent.
    pub close_at: Timestamp,
    /// What is owed for a new hold; a sibling that joins or follows brings no second notice.
    pub duties: Vec<NewDuty>,
}

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldState {
    /// It waits for a decision.
    Open,
    /// It was released, and its messages went into the queue.
    Released,
    /// It was refused.
    Refused,
    /// Nobody decided in time; it may be re-opened for 30 days.
    NotSent,
}

impl HoldState {
    /// The name in the database.
    pub fn id(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Released => "released",
            Self::Refused => "refused",
            Self::NotSent => "not_sent",
        }
    }

    pub(super) fn read(id: &str) -> Result<Self, StoreError> {
        [Self::Open, Self::Released, Self::Refused, Self::NotSent]
            .into_iter()
            .find(|state| state.id() == id)
            .ok_or(StoreError::Row("a hold's state"))
    }
}

/// A hold as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Where it stands.
    pub state: HoldState,
    /// The role that decides.
    pub route: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When the deputies are told too.
    pub escalate_at: Timestamp,
    /// They have been.
    pub escalated: bool,
    /// When it is closed as not sent.
    pub close_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// For which approver.
    pub decided_for: Option<String>,
    /// The messages in it, the first one first.
    pub messages: Vec<MessageId>,
    /// The recipients that wait, or waited.
    pub recipients: Vec<HoldRecipient>,
}

/// A recipient of a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRecipient {
    /// The message that carries this recipient's copy.
    pub message: MessageId,
    /// The address.
    pub address: Address,
    /// Which copy it would get.
    pub audience: Audience,
}

/// Which holds a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HoldFilter {
    /// Only in this state.
    pub state: Option<HoldState>,
    /// Only on this route.
    pub route: Option<String>,
    /// At most so many; 0 means 100.
    pub limit: usize,
}

/// A new hold as the columns want it.
#[derive(Debug, Clone)]
pub(super) struct HoldRow {
    recipients: Vec<HeldRow>,
    visible: String,
    route: String,
    escalate_at: i64,
    close_at: i64,
    duties: Vec<DutyRow>,
}

#[derive(Debug, Clone)]
struct HeldRow {
    folded: String,
    address: String,
    audience: &'static str,
}

impl HoldRow {
    pub(super) fn new(hold: &NewHold, keys: &Keys) -> Result<Self, StoreError> {
        let held = |(address, audience): &(Address, Audience)| HeldRow {
            folded: address.folded(),
            address: address.as_str().to_owned(),
            audience: rows::audience_id(*audience),
        };
        Ok(Self {
            recipients: hold.recipients.iter().map(held).collect(),
            visible: rows::list(&hold.visible),
            route: hold.route.clone(),
            escalate_at: hold.escalate_at.as_millisecond(),
            close_at: hold.close_at.as_millisecond(),
            duties: duties::rows_of(&hold.duties, keys)?,
        })
    }
}

/// A hold with the same merge key.
struct Sibling {
    id: HoldId,
    state: HoldState,
    seen: BTreeSet<String>,
}

/// Puts a message into its hold: into the one whose decision it follows, the open one it joins, or
/// a new one. Returns the hold in which it now stands (the last of these where there are several).
pub(super) async fn place(
    db: &mut SqliteConnection,
    keys: &Keys,
    message: MessageId,
    merge_key: &[u8; 32],
    hold: &HoldRow,
    now: i64,
) -> Result<HoldId, StoreError> {
    let siblings = siblings(db, merge_key, now).await?;
    let mut rest: Vec<&HeldRow> = hold.recipients.iter().collect();
    let mut placed = None;
    for sibling in siblings.iter().filter(|it| is_decided(it.state)) {
        let (known, unknown): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|it| sibling.seen.contains(&it.folded));
        rest = unknown;
        if !known.is_empty() {
            follow(db, keys, message, sibling, &known, now).await?;
            placed = Some(sibling.id);
        }
    }
    let open = siblings.iter().find(|it| it.state == HoldState::Open);
    match (open, placed) {
        (_, Some(followed)) if rest.is_empty() => Ok(followed),
        (Some(open), _) => {
            attach(db, open.id, message, &rest).await?;
            audit::append(db, keys, now, &event("hold-joined", open.id, message)).await?;
            Ok(open.id)
        }
        (None, _) => open_new(db, keys, message, merge_key, hold, &rest, now).await,
    }
}

fn is_decided(state: HoldState) -> bool {
    matches!(state, HoldState::Released | HoldState::Refused)
}

fn event(action: &'static str, hold: HoldId, message: MessageId) -> AuditEvent {
    AuditEvent::by_gateway(action, hold).with_detail(&format!("message {message}"))
}

async fn siblings(
    db: &mut SqliteConnection,
    merge_key: &[u8; 32],
    now: i64,
) -> Result<Vec<Sibling>, StoreError> {
    let found: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT id, state, visible FROM holds WHERE merge_key = ? AND opened_at > ? \
         ORDER BY opened_at, id",
    )
    .bind(merge_key.to_vec())
    .bind(now.saturating_sub(SIBLINGS))
    .fetch_all(&mut *db)
    .await?;
    let mut siblings = Vec::with_capacity(found.len());
    for (id, state, visible) in found {
        let recipients: Vec<(String,)> =
            sqlx::query_as("SELECT folded FROM hold_recipients WHERE hold = ?")
                .bind(id.clone())
                .fetch_all(&mut *db)
                .await?;
        let mut seen: BTreeSet<String> = rows::read_list(&visible)?.into_iter().collect();
        seen.extend(recipients.into_iter().map(|(folded,)| folded));
        siblings.push(Sibling { id: HoldId::read(&id)?, state: HoldState::read(&state)?, seen });
    }
    Ok(siblings)
}

/// The sibling of a decided hold: what was released goes out too, but nobody gets a second copy;
/// what was refused stays refused.
async fn follow(
    db: &mut SqliteConnection,
    keys: &Keys,
    message: MessageId,
    sibling: &Sibling,
    known: &[&HeldRow],
    now: i64,
) -> Result<(), StoreError> {
    let added = attach(db, sibling.id, message, known).await?;
    if sibling.state == HoldState::Released {
        let list: Vec<serde_json::Value> =
            added.iter().map(|it| serde_json::json!([it.address, it.audience])).collect();
        queue::enqueue(db, message, &serde_json::Value::Array(list).to_string(), now).await?;
    }
    audit::append(db, keys, now, &event("hold-followed", sibling.id, message)).await
}

/// Adds a message and its recipients to a hold; returns the recipients that were not in it yet.
async fn attach<'a>(
    db: &mut SqliteConnection,
    hold: HoldId,
    message: MessageId,
    recipients: &[&'a HeldRow],
) -> Result<Vec<&'a HeldRow>, StoreError> {
    sqlx::query("INSERT OR IGNORE INTO hold_messages (hold, message) VALUES (?, ?)")
        .bind(hold.to_string())
        .bind(message.to_string())
        .execute(&mut *db)
        .await?;
    let mut added = Vec::new();
    for held in recipients {
        let inserted = sqlx::query(
            "INSERT OR IGNORE INTO hold_recipients (hold, folded, message, recipient, audience) \
             VALUES (?, ?, ?, ?, ?)",
        )
        .bind(hold.to_string())
        .bind(held.folded.clone())
        .bind(message.to_string())
        .bind(held.address.clone())
        .bind(held.audience)
        .execute(&mut *db)
        .await?;
        if inserted.rows_affected() > 0 {
            added.push(*held);
        }
    }
    Ok(added)
}

async fn open_new(
    db: &mut SqliteConnection,
    keys: &Keys,
    message: MessageId,
    merge_key: &[u8; 32],
    hold: &HoldRow,
    recipients: &[&HeldRow],
    now: i64,
) -> Result<HoldId, StoreError> {
    let id = HoldId::new(rows::timestamp(now)?);
    sqlx::query(
        "INSERT INTO holds (id, merge_key, state, route, visible, opened_at, escalate_at, \
         close_at) VALUES (?, ?, 'open', ?, ?, ?, ?, ?)",
    )
    .bind(id.to_string())
    .bind(merge_key.to_vec())
    .bind(hold.route.clone())
    .bind(hold.visible.clone())
    .bind(now)
    .bind(hold.escalate_at)
    .bind(hold.close_at)
    .execute(&mut *db)
    .await?;
    attach(db, id, message, recipients).await?;
    duties::insert(db, &hold.duties, None, Some(id)).await?;
    audit::append(db, keys, now, &event("hold-opened", id, message)).await?;
    Ok(id)
}
