//! Texts in, findings out: where personal and sensitive data stands, and how sure we are.

mod category;
mod detectors;
mod finding;
mod fold;
mod hits;
mod names;
mod near;
mod ordinary;
mod roll;
mod roll_csv;
mod rule;
mod upn;

pub use category::Category;
pub use detectors::{Detectors, TooLarge, term_forms};
pub use finding::{Confidence, Finding};
pub use roll::{Pupil, Roll, RollError, RollStatus};
pub use roll_csv::{Column, Import, ImportError, import_csv};
pub use rule::{Find, Near, Rule, Terms};
