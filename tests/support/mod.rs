//! What several tests need: a queue in memory, a next hop that keeps what arrives, the program
//! itself and a client of it, waiting for a state with a deadline.

pub(crate) mod arrivals;
pub(crate) mod certificates;
pub(crate) mod gateway;
pub(crate) mod postfix;
pub(crate) mod queue;
pub(crate) mod room;
pub(crate) mod smtp;
pub(crate) mod wait;
