//! The SMTP doors: the server that takes mail in and the relay that passes it on.

pub mod client;
pub mod relay;
pub mod sink;
