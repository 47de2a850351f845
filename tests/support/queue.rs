//! A store in memory, as the relay sees it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

use jiff::Timestamp;
use schoolgate::mail::Address;
use schoolgate::smtp::relay::Due;
use schoolgate::smtp::relay::Fate;
use schoolgate::smtp::relay::Fresh;
use schoolgate::smtp::relay::Letter;
use schoolgate::smtp::relay::Note;
use schoolgate::smtp::relay::Recipient;
use schoolgate::smtp::relay::Source;
use schoolgate::smtp::relay::SourceError;
use schoolgate::store::MessageId;

/// The queue.
#[derive(Default)]
pub(crate) struct Queue {
    messages: Mutex<BTreeMap<MessageId, Message>>,
}

struct Message {
    accepted: Timestamp,
    letter: Letter,
    recipients: Vec<Line>,
}

struct Line {
    recipient: Recipient,
    due: Option<Timestamp>,
    fates: Vec<Fate>,
}

impl Queue {
    /// Puts a message in, due at once.
    pub(crate) fn put(&self, fresh: &Fresh) {
        let line = |recipient: &Recipient| Line {
            recipient: recipient.clone(),
            due: Some(fresh.due.accepted),
            fates: Vec::new(),
        };
        let message = Message {
            accepted: fresh.due.accepted,
            letter: fresh.letter.clone(),
            recipients: fresh.due.recipients.iter().map(line).collect(),
        };
        self.messages.lock().unwrap().insert(fresh.due.id, message);
    }

    /// All that was noted about one recipient, in order.
    pub(crate) fn fates(&self, id: MessageId, recipient: &str) -> Vec<Fate> {
        let messages = self.messages.lock().unwrap();
        let lines = &messages[&id].recipients;
        lines.iter().find(|l| l.recipient.address.as_str() == recipient).unwrap().fates.clone()
    }

    /// How many recipients still wait.
    pub(crate) fn waiting(&self) -> usize {
        let messages = self.messages.lock().unwrap();
        messages.values().flat_map(|m| &m.recipients).filter(|line| line.due.is_some()).count()
    }
}

impl Message {
    fn note(&mut self, address: &Address, fate: Fate) {
        let mut lines = self.recipients.iter_mut();
        let line = lines.find(|line| line.recipient.address == *address).unwrap();
        assert!(line.due.is_some(), "noted twice: it must have been sent twice");
        line.fates.push(fate);
        line.due = match fate {
            Fate::Delivered(_) | Fate::Failed(_) => None,
            Fate::Deferred { until, counted, .. } => {
                line.recipient.attempts += u32::from(counted);
                Some(until)
            }
        };
    }
}

impl Source for Queue {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, SourceError> {
        let messages = self.messages.lock().unwrap();
        let due = messages.iter().filter_map(|(id, message)| {
            let lines = message.recipients.iter().filter(|l| l.due.is_some_and(|due| due <= now));
            let recipients: Vec<_> = lines.map(|line| line.recipient.clone()).collect();
            (!recipients.is_empty()).then_some(Due {
                id: *id,
                accepted: message.accepted,
                recipients,
            })
        });
        Ok(due.take(limit).collect())
    }

    async fn load(&self, id: MessageId) -> Result<Option<Letter>, SourceError> {
        Ok(self.messages.lock().unwrap().get(&id).map(|message| message.letter.clone()))
    }

    async fn note(&self, id: MessageId, notes: Vec<Note>) -> Result<(), SourceError> {
        let mut messages = self.messages.lock().unwrap();
        let message = messages.get_mut(&id).unwrap();
        for note in notes {
            message.note(&note.recipient, note.fate);
        }
        Ok(())
    }
}

/// A letter without edits.
pub(crate) fn letter(raw: &[u8]) -> Letter {
    Letter {
        reverse_path: Some(Address::parse("office@school.example").unwrap()),
        smtp_utf8: false,
        raw: raw.to_vec().into(),
        outside: Arc::new([]),
        own: Arc::new([]),
    }
}
