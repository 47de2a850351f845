//! Findings, recipients and attachments in, one verdict out. Same input, same verdict.

mod decide;
mod errors;
mod examples;
mod facts;
mod load;
mod ruleset;
pub mod schema;
mod school;
mod verdict;

pub use crate::mail::{Attachment, Protection};
pub use errors::{RuleError, RuleErrors};
pub use facts::Facts;
pub use ruleset::Ruleset;
pub use school::{BadDomain, DomainPattern, RecipientPattern, School};
pub use verdict::{Action, Approver, Mode, Outcome, Reason, Verdict};
