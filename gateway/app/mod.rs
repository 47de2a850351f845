//! What was typed on the command line and in the configuration, and how the parts are wired.

pub mod check_report;
pub mod cli;
pub mod config;
pub mod harden;
pub mod log;
pub mod notify;
pub mod shutdown;
