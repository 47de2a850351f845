//! From settings to a running gateway: the only place that knows every part.

mod doors;
mod gateway;
mod hops;
mod judge;

pub use gateway::Gateway;
pub use judge::{inspector, judge, read_rules};
