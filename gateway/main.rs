//! The command line of Schoolgate: it reads the arguments and hands over to [`schoolgate::app`].

use std::process::ExitCode;

use clap::Parser;
use schoolgate::app::cli::Cli;
use schoolgate::app::commands;

fn main() -> ExitCode {
    commands::execute(Cli::parse()).into()
}
