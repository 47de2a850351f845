//! The only place that writes to the terminal, so that nothing else prints by accident.

use std::io;
use std::io::Write;

/// One line on standard output. A closed pipe is no error of ours.
pub fn line(text: &str) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// One line on standard error.
pub fn complain(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}
