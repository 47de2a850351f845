//! The SMTP doors: the server that takes mail in and the relay that passes it on.

pub mod client;
pub mod clients;
pub mod command;
pub mod data;
pub mod framing;
pub mod limits;
pub mod relay;
pub mod server;
pub mod sink;
pub mod tls;
