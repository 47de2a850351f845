//! What was typed on the command line and in the configuration, and how the parts are wired.

pub mod config;
