//! What several tests need: a queue in memory, a next hop that keeps what arrives, waiting for a
//! state with a deadline.

pub(crate) mod certificates;
pub(crate) mod queue;
pub(crate) mod room;
pub(crate) mod wait;
