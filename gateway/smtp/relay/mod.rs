//! The queue runner: takes what the store has due to the next hops, and notes what became of it.
//!
//! Each next hop has a lane of its own with its own connections, limits and back-off, so that one
//! slow destination never blocks another. Nothing is forgotten here: whatever the relay drops,
//! the store still has, and polling finds it. The one window in which a message may arrive twice
//! is a crash between the next hop's 250 and the store's note of it.

mod courier;
mod from_store;
mod in_flight;
mod lane;
mod routing;
mod runner;
mod schedule;
mod source;

pub use routing::{LaneSettings, Routing};
pub use runner::{Fresh, RelayHandle, Settings, start};
pub use schedule::Schedule;
pub use source::{Due, Fate, Letter, Note, Recipient, Source, SourceError};
