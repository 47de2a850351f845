//! Texts in, findings out: where personal and sensitive data stands, and how sure we are.

mod category;
mod finding;
mod roll;

pub use category::Category;
pub use finding::{Confidence, Finding};
pub use roll::{Pupil, Roll, RollError, RollStatus};
