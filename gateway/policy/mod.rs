//! Findings, recipients and attachments in, one verdict out. Same input, same verdict.

mod facts;
mod verdict;

pub use crate::mail::{Attachment, Protection};
pub use facts::Facts;
pub use verdict::{Action, Outcome, Reason, Verdict};
