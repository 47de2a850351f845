//! The vocabulary of mail: addresses, envelopes, parsed messages, texts, edits and replies.
//!
//! Everything here is a pure function of its arguments: no I/O, no clock, no randomness. Parsing
//! never fails; it yields [`Defect`]s, and what is ambiguous is suspicious, never clean.

mod address;
mod addresses;
mod attachment;
mod charset;
mod defects;
pub mod dsn;
mod edit;
mod envelope;
mod header;
mod message;
mod mime;
mod reply;
pub mod rewrite;
mod sensitive;
mod text;
mod walk;

pub use address::{Address, AddressError};
pub use addresses::{AddressList, Mailbox, addresses, addresses_in, visible_recipients};
pub use attachment::{Attachment, Protection};
pub use defects::Defect;
pub use edit::{Splice, apply, pieces};
pub use envelope::{Audience, Envelope};
pub use header::{Field, fields_of};
pub use message::{Content, Disposition, Flow, Limits, Message, Part, PartId, TransferEncoding};
pub use reply::{Condition, Reply};
pub use sensitive::Sensitive;
pub use text::{Place, Text};
