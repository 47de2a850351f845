//! The SMTP doors: the server that takes mail in and the relay that passes it on.

mod body;
pub mod client;
pub mod clients;
pub mod command;
mod connection;
mod connections;
pub mod data;
pub mod framing;
pub mod limits;
pub mod protocol;
pub mod relay;
pub mod server;
pub mod session;
mod settings;
pub mod sink;
pub mod tenant;
pub mod tls;
