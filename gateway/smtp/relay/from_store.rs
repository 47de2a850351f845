//! The store as the relay's [`Source`].

use std::sync::Arc;

use jiff::Timestamp;

use super::source::Due;
use super::source::Fate;
use super::source::Letter;
use super::source::Note;
use super::source::Recipient;
use super::source::Source;
use super::source::SourceError;
use crate::store;
use crate::store::DueMessage;
use crate::store::DueRecipient;
use crate::store::Loaded;
use crate::store::MessageId;
use crate::store::Record;
use crate::store::Store;
use crate::store::StoreError;

impl Source for Store {
    /// Messages in flight are not skipped in the question: another lane's recipients of the same
    /// message must not wait for a lane that hangs.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, SourceError> {
        let due = Self::due(self, now, limit, &[]).await.map_err(fault)?;
        Ok(due.into_iter().map(Due::from).collect())
    }

    async fn load(&self, id: MessageId) -> Result<Option<Letter>, SourceError> {
        match Self::load(self, id).await {
            Ok(loaded) => Ok(letter(id, loaded)),
            Err(StoreError::UnknownMessage(_)) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    async fn note(&self, id: MessageId, notes: Vec<Note>) -> Result<(), SourceError> {
        let fates = notes.into_iter().map(|note| (note.recipient, note.fate.into())).collect();
        Self::note(self, id, fates).await.map_err(fault)
    }
}

impl From<DueMessage> for Due {
    fn from(due: DueMessage) -> Self {
        let recipients = due.recipients.into_iter().map(Recipient::from).collect();
        Self { id: due.id, accepted: due.accepted_at, recipients }
    }
}

impl From<DueRecipient> for Recipient {
    fn from(due: DueRecipient) -> Self {
        Self { address: due.address, audience: due.audience, attempts: due.attempts }
    }
}

/// The words of a host are not kept, so there is no diagnostic: hosts quote addresses and content.
impl From<Fate> for store::Fate {
    fn from(fate: Fate) -> Self {
        match fate {
            // Whoever delivered was a host with a code; 250 is the only guess there is.
            Fate::Delivered(answer) => Self::Delivered { code: answer.code.unwrap_or(250) },
            Fate::Deferred { answer, until, counted: true } => {
                Self::Retry { at: until, code: answer.code }
            }
            Fate::Deferred { answer, until, counted: false } => {
                Self::PutOff { at: until, code: answer.code }
            }
            Fate::Failed(answer) => {
                Self::Failed { code: answer.code, status: answer.status, diagnostic: None }
            }
        }
    }
}

/// A message without a record has not been judged, and what was not judged never leaves.
fn letter(id: MessageId, loaded: Loaded) -> Option<Letter> {
    let Some(Record { outside, own, .. }) = loaded.record else {
        tracing::error!(%id, "a message is in the queue without a judgement, and stays there");
        return None;
    };
    Some(Letter {
        reverse_path: loaded.envelope.reverse_path,
        smtp_utf8: loaded.envelope.smtp_utf8,
        raw: loaded.raw,
        outside: Arc::from(outside),
        own: Arc::from(own),
    })
}

fn fault(error: StoreError) -> SourceError {
    SourceError::from(Box::from(error))
}
