//! The command line as typed. What each command does stands elsewhere; here are only its words.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::Parser;
use clap::Subcommand;

use crate::mail::Address;

/// Where `run` looks for its configuration if it is not told.
const CONFIG: &str = "/etc/schoolgate/schoolgate.yaml";

/// How a command ended; the numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done,
    /// It ran, and the answer is no: an expectation not met, a decision refused.
    Refused,
    /// The arguments, the configuration or the rules are wrong. systemd does not restart on it.
    Usage,
    /// A fault: disk, network, database.
    Fault,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Refused => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::Fault => Self::from(3),
        }
    }
}

/// The gate through which a school's outgoing mail leaves.
#[derive(Debug, Parser)]
#[command(
    name = "schoolgate",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done; 1 the answer is no; 2 wrong arguments, configuration or \
                  rules; 3 a fault of disk, network or database.\n\n\
                  Try it: schoolgate demo"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway until it is told to stop (SIGTERM, Ctrl-C).
    Run(Config),
    /// Show what the gateway does, with demonstration mail, in a temporary folder.
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(Demo),
    /// Read the configuration and every file it names, and say what is wrong.
    CheckConfig(Config),
    /// Say what would become of messages, without sending anything.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// See and decide held messages, when no other way is left: everything here is audited and
    /// told to the approvers.
    #[command(subcommand, after_help = HELD_EXAMPLES)]
    Held(Held),
    /// The pupil roll.
    #[command(subcommand)]
    Roll(Roll),
    /// The rules.
    #[command(subcommand)]
    Rules(Rules),
    /// The keys that seal and sign.
    #[command(subcommand)]
    Keys(Keys),
    /// The audit trail.
    #[command(subcommand)]
    Audit(Audit),
}

const DEMO_EXAMPLES: &str = "Examples:
  schoolgate demo          show the table, then stay up for your own messages until Ctrl-C
  schoolgate demo --once   show the table and end; exit 0 only if all ended as expected";

const CHECK_EXAMPLES: &str = "Examples:
  schoolgate check letter.eml
  schoolgate check --config school.yaml --json mail/*.eml
  schoolgate check --envelopes envelopes.jsonl --json mail/

Each line of --envelopes is {\"file\": …, \"mail_from\": …, \"rcpt_to\": […]}.";

const HELD_EXAMPLES: &str = "Examples:
  schoolgate held list
  schoolgate held show 019375a2 --for dsl@school.example --reason 'asked by the head'
  schoolgate held release 019375a2 --for head@school.example --reason 'parent has consented'";

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// End after the table; exit 0 only if each message met its expected end.
    #[arg(long)]
    pub once: bool,
}

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The configuration; without it a demonstration school and the shipped rules.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Envelopes, one JSON object a line; without it they are taken from the header.
    #[arg(long, value_name = "FILE.jsonl")]
    pub envelopes: Option<PathBuf>,
    /// Show what was found in the clear. The output then holds personal data.
    #[arg(long)]
    pub reveal: bool,
    /// One JSON object a line for each file.
    #[arg(long)]
    pub json: bool,
    /// Messages (.eml), or folders of them.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// `held`.
#[derive(Debug, Subcommand)]
pub enum Held {
    /// List the held messages, masked.
    List(HeldList),
    /// Show one, masked.
    Show(HeldShow),
    /// Send exactly the held bytes, with the due rewriting, once.
    Release(HeldDecision),
    /// Close it as not sent; its sender is told.
    Refuse(HeldDecision),
}

/// `held list`.
#[derive(Debug, Args)]
pub struct HeldList {
    /// Which gateway.
    #[command(flatten)]
    pub config: Config,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// `held show`.
#[derive(Debug, Args)]
pub struct HeldShow {
    /// Which message, for whom, and why.
    #[command(flatten)]
    pub target: HeldTarget,
    /// Show the message in the clear. The approvers are told that it was.
    #[arg(long)]
    pub reveal: bool,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `held release` and `held refuse`.
#[derive(Debug, Args)]
pub struct HeldDecision {
    /// Which message, for whom, and why.
    #[command(flatten)]
    pub target: HeldTarget,
}

/// Which message, for whom, and why.
#[derive(Debug, Args)]
pub struct HeldTarget {
    /// The message's id, or its beginning if that is enough.
    #[arg(value_name = "ID")]
    pub id: String,
    /// The approver on whose behalf this is done, by address. Never the sender of the message.
    #[arg(long = "for", value_name = "APPROVER", value_parser = Address::parse)]
    pub approver: Address,
    /// Why; it goes on record.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    /// Which gateway.
    #[command(flatten)]
    pub config: Config,
}

/// A reason is one line with something in it.
fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("say why in a few words; it goes on record".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("write the reason on one line".to_owned());
    }
    Ok(text.to_owned())
}

/// `roll`.
#[derive(Debug, Subcommand)]
pub enum Roll {
    /// Replace the roll by a CSV export of the school's information system.
    Import(RollImport),
}

/// `roll import`.
#[derive(Debug, Args)]
pub struct RollImport {
    /// The CSV file, with a line of headings.
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,
    /// Only say how the columns are understood and how many pupils there are.
    #[arg(long)]
    pub preview: bool,
    /// Which gateway.
    #[command(flatten)]
    pub config: Config,
}

/// `rules`.
#[derive(Debug, Subcommand)]
pub enum Rules {
    /// Load a folder of rules and run their examples; without a folder, the shipped ones.
    Check {
        /// The folder.
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

/// `keys`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make the keys in a folder that must not hold any yet.
    Create {
        /// The folder.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// `audit`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check that no entry was changed or removed.
    Verify(Config),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_has_a_default_configuration() {
        let Ok(Command::Run(config)) = parse("schoolgate run") else { panic!("run") };
        assert_eq!(config.config, PathBuf::from(CONFIG));
        let Ok(Command::CheckConfig(config)) = parse("schoolgate check-config --config a.yaml")
        else {
            panic!("check-config")
        };
        assert_eq!(config.config, PathBuf::from("a.yaml"));
    }

    #[test]
    fn check_takes_paths_and_its_switches_in_any_order() {
        let line = "schoolgate check a.eml --json --envelopes e.jsonl b --reveal";
        let Ok(Command::Check(check)) = parse(line) else { panic!("check") };
        assert_eq!(check.paths, [PathBuf::from("a.eml"), PathBuf::from("b")]);
        assert!(check.json && check.reveal && check.config.is_none());
        assert_eq!(check.envelopes, Some(PathBuf::from("e.jsonl")));
        assert!(parse("schoolgate check --json").is_err());
    }

    #[test]
    fn a_decision_names_its_approver_and_its_reason() {
        let line = "schoolgate held release 0193 --for head@school.example --reason consented";
        let Ok(Command::Held(Held::Release(decision))) = parse(line) else { panic!("release") };
        assert_eq!(decision.target.approver.domain(), "school.example");
        assert_eq!(decision.target.reason, "consented");
        assert!(parse("schoolgate held release 0193 --for head@school.example").is_err());
        assert!(parse("schoolgate held refuse 0193 --reason why").is_err());
        assert!(parse("schoolgate held release 0193 --for head --reason why").is_err());
    }

    #[test]
    fn a_reason_is_one_line_with_something_in_it() {
        assert_eq!(reason(" asked by the parent "), Ok("asked by the parent".to_owned()));
        assert!(reason("  ").is_err());
        assert!(reason("a\nb").is_err());
    }

    #[test]
    fn the_other_commands_read() {
        for line in [
            "schoolgate demo --once",
            "schoolgate held list --json",
            "schoolgate held show 0193 --for a@b.example --reason why --reveal",
            "schoolgate roll import pupils.csv --preview",
            "schoolgate rules check",
            "schoolgate rules check rules",
            "schoolgate keys create keys",
            "schoolgate audit verify",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn exit_codes_are_what_the_help_says() {
        for (exit, code) in
            [(Exit::Done, 0), (Exit::Refused, 1), (Exit::Usage, 2), (Exit::Fault, 3)]
        {
            assert_eq!(
                format!("{:?}", ExitCode::from(exit)),
                format!("{:?}", ExitCode::from(code))
            );
        }
    }
}
