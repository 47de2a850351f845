//! Findings, recipients and attachments in, one verdict out. Same input, same verdict.

mod facts;
mod verdict;

pub use facts::{Attachment, Facts, Protection};
pub use verdict::{Action, Outcome, Reason, Verdict};
