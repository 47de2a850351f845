//! Findings, recipients and attachments in, one verdict out. Same input, same verdict.

mod facts;
mod ruleset;
mod school;
mod verdict;

pub use crate::mail::{Attachment, Protection};
pub use facts::Facts;
pub use ruleset::{RuleErrors, Ruleset};
pub use school::{BadDomain, DomainPattern, School};
pub use verdict::{Action, Approver, Mode, Outcome, Reason, Verdict};
