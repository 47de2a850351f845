//! The queue runner: takes what the store has due to the next hops, and notes what became of it.
//!
//! Each next hop has a lane of its own with its own connections, limits and back-off, so that one
//! slow destination never blocks another. Nothing is forgotten here: whatever the relay drops,
//! the store still has, and polling finds it.

mod source;

pub use source::{Due, Fate, Letter, Note, Recipient, Source, SourceError};
