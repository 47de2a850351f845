//! Looking at holds: the list of those that stand, and one with its messages and recipients.

use super::error::StoreError;
use super::holds::Hold;
use super::holds::HoldFilter;
use super::holds::HoldRecipient;
use super::holds::HoldState;
use super::id::HoldId;
use super::id::MessageId;
use super::open::Store;
use super::rows;

/// The length of a list for which no other was asked.
const DEFAULT_LIMIT: usize = 100;

type HoldColumns = (String, String, String, i64, i64, bool, i64, Option<i64>, Option<String>);

impl Store {
    /// The holds that fit the filter, the oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list_holds(&self, filter: &HoldFilter) -> Result<Vec<Hold>, StoreError> {
        let limit = if filter.limit == 0 { DEFAULT_LIMIT } else { filter.limit };
        let found: Vec<HoldColumns> = sqlx::query_as(
            "SELECT id, state, route, opened_at, escalate_at, escalated, close_at, decided_at, \
             decided_for FROM holds WHERE (?1 IS NULL OR state = ?1) \
             AND (?2 IS NULL OR route = ?2) ORDER BY opened_at, id LIMIT ?3",
        )
        .bind(filter.state.map(HoldState::id))
        .bind(filter.route.clone())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.inner.readers)
        .await?;
        let mut holds = Vec::with_capacity(found.len());
        for columns in found {
            holds.push(self.complete(columns).await?);
        }
        Ok(holds)
    }

    /// One hold.
    ///
    /// # Errors
    /// [`StoreError::UnknownHold`], or what the database says.
    pub async fn hold(&self, id: HoldId) -> Result<Hold, StoreError> {
        let columns: Option<HoldColumns> = sqlx::query_as(
            "SELECT id, state, route, opened_at, escalate_at, escalated, close_at, decided_at, \
             decided_for FROM holds WHERE id = ?",
        )
        .bind(id.to_string())
        .fetch_optional(&self.inner.readers)
        .await?;
        self.complete(columns.ok_or(StoreError::UnknownHold(id))?).await
    }

    async fn complete(&self, columns: HoldColumns) -> Result<Hold, StoreError> {
        let (
            id,
            state,
            route,
            opened_at,
            escalate_at,
            escalated,
            close_at,
            decided_at,
            decided_for,
        ) = columns;
        let messages: Vec<(String,)> =
            sqlx::query_as("SELECT message FROM hold_messages WHERE hold = ? ORDER BY message")
                .bind(id.clone())
                .fetch_all(&self.inner.readers)
                .await?;
        Ok(Hold {
            id: HoldId::read(&id)?,
            state: HoldState::read(&state)?,
            route,
            opened_at: rows::timestamp(opened_at)?,
            escalate_at: rows::timestamp(escalate_at)?,
            escalated,
            close_at: rows::timestamp(close_at)?,
            decided_at: rows::optional_timestamp(decided_at)?,
            decided_for,
            messages: messages.iter().map(|(id,)| MessageId::read(id)).collect::<Result<_, _>>()?,
            recipients: self.recipients_of(&id).await?,
        })
    }

    async fn recipients_of(&self, hold: &str) -> Result<Vec<HoldRecipient>, StoreError> {
        let found: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT message, recipient, audience FROM hold_recipients WHERE hold = ? \
             ORDER BY message, folded",
        )
        .bind(hold.to_owned())
        .fetch_all(&self.inner.readers)
        .await?;
        let read = |(message, address, audience): &(String, String, String)| {
            Ok(HoldRecipient {
                message: MessageId::read(message)?,
                address: rows::address(address)?,
                audience: rows::audience(audience)?,
            })
        };
        found.iter().map(read).collect()
    }
}
