//! What was typed on the command line and in the configuration, and how the parts are wired.

pub mod check;
pub mod check_report;
pub mod cli;
pub mod commands;
pub mod config;
pub mod demo;
mod demo_mail;
pub mod harden;
pub mod held;
pub mod log;
pub mod notify;
pub mod out;
pub mod run;
pub mod shutdown;
pub mod wire;
