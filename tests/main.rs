//! The tests of the whole program, one module a subject; this file is their table of contents.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test may panic, and prints what it measured"
)]

mod client;
mod crash;
mod decisions;
mod docs;
mod end_to_end;
mod golden;
mod holds;
mod kill;
mod postfix;
mod properties;
mod relay;
mod relay_store;
mod store;
mod support;
mod tidy;
