//! The only writer of disk: sealed messages, the queue, holds, duties and the audit.
//!
//! A message is one `age` file in the spool and rows in SQLite, written in that order, so that a
//! crash leaves a file without a row (swept at the next start) and never a row without a file.
//! Every change goes through one writer task, which commits many of them at once.

mod accept;
mod audit;
mod disk;
mod duties;
mod error;
mod hold_decision;
mod hold_list;
mod hold_timers;
mod holds;
mod id;
mod keys;
mod open;
mod queue;
mod record;
mod roll_file;
mod rows;
mod seal;
mod spool;
mod sweep;
mod trace;
mod waiting;
mod writer;

pub use accept::{Acceptance, Committed, Judgement, Origin, Retention};
pub use audit::{AuditError, AuditEvent};
pub use disk::{Disk, How};
pub use duties::{DueDuty, DutyKind, DutyOutcome, FailedRecipient, NewDuty};
pub use error::StoreError;
pub use hold_decision::{Decision, DecisionOutcome, Ruling};
pub use holds::{Hold, HoldFilter, HoldRecipient, HoldState, NewHold};
pub use id::{HoldId, MessageId};
pub use keys::{KeyError, Keys};
pub use open::Store;
pub use queue::{DueMessage, DueRecipient, Fate, Loaded};
pub use record::{Record, RecordedAttachment, RecordedFinding, RecordedReason};
pub use roll_file::StoredRoll;
pub use seal::Sealing;
pub use sweep::Swept;
pub use trace::{Delivery, DeliveryState, MessageState, MessageTrace, Status};
