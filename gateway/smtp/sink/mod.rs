//! A small next hop that keeps in memory what arrives, for the demo and for tests.
//!
//! It is no mail server: it checks nothing and forgets everything when it is dropped. What it is
//! strict about is the end of data, CRLF dot CRLF and nothing else, so that it shows exactly what
//! a message looks like to a strict host. [`Manners`] make it misbehave on purpose.

mod manners;
mod server;
mod session;

pub use manners::{Fault, Faults, How, Manners, Step};
pub use server::{Received, Sink};
