//! Bytes of a part in, visible text out.
//!
//! [`extract`] is a pure function of a parsed message. What it can't read is an attachment with
//! [`Protection::Unknown`](crate::mail::Protection), never silently clean. Callers reach it
//! through [`TextSource`], so that a child process may take its place.

mod calendar;
mod collect;
mod fields;
mod html;
mod html_text;
mod html_words;
mod plain;
mod sniff;
mod view;

use collect::Collector;

use crate::mail::Address;
use crate::mail::Attachment;
use crate::mail::Defect;
use crate::mail::Message;
use crate::mail::Text;

/// Bounds on what is read out of one message; what lies beyond is reported as not inspectable.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Octets of text in all views together.
    pub text_octets: usize,
    /// Messages inside each other.
    pub depth: usize,
    /// Attachments, those of nested messages counted.
    pub attachments: usize,
    /// Bounds on each nested message.
    pub nested: crate::mail::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_octets: 32 * 1024 * 1024,
            depth: 8,
            attachments: 1_000,
            nested: crate::mail::Limits::default(),
        }
    }
}

/// Everything that was read out of one message.
#[derive(Debug, Clone, Default)]
pub struct Extraction {
    /// All texts, in the order of the message.
    pub texts: Vec<Text>,
    /// All attachments, nested ones after the one that holds them.
    pub attachments: Vec<Attachment>,
    /// Defects met on the way, those of nested messages included; each kind once. The defects of
    /// the message itself are in [`Message::defects`] and are not repeated.
    pub defects: Vec<Defect>,
    /// The attendees of calendar invitations in the message, each once.
    pub calendar_attendees: Vec<Address>,
}

/// Where the texts of a message come from: this process, or a child that may die.
pub trait TextSource: Send + Sync {
    /// Reads a message. A source that fails reports its attachments as unknown.
    fn texts(&self, message: &Message) -> Extraction;
}

/// The source that reads in this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess {
    /// Its bounds.
    pub limits: Limits,
}

impl TextSource for InProcess {
    fn texts(&self, message: &Message) -> Extraction {
        extract(message, &self.limits)
    }
}

/// Reads every text out of a message, and says of every attachment whether it could be read.
pub fn extract(message: &Message, limits: &Limits) -> Extraction {
    Collector::new(limits).collect(message)
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a test may panic")]
mod tests;
