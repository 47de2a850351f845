//! `schoolgate check`: what would become of messages, without sending anything.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use anyhow::anyhow;
use serde::Deserialize;

use super::check_report::CheckReport;
use super::check_report::Show;
use super::cli;
use super::cli::Exit;
use super::commands;
use super::config::Settings;
use super::out;
use super::wire;
use crate::detect::Roll;
use crate::extract::InProcess;
use crate::inspect::Inspection;
use crate::inspect::Inspector;
use crate::mail;
use crate::mail::Address;
use crate::mail::Envelope;
use crate::mail::Limits;
use crate::mail::Message;
use crate::policy::DomainPattern;
use crate::policy::Mode;
use crate::policy::Ruleset;
use crate::policy::School;

/// One line of `--envelopes`.
#[derive(Debug, Deserialize)]
struct Line {
    file: String,
    mail_from: Option<String>,
    rcpt_to: Vec<String>,
}

/// Where the inspector of a message comes from: one of the configuration, or, without one, one
/// for each sender's domain, taken as the school's own.
enum Source {
    Configured(Box<Inspector>, Limits),
    BySender { rules: Arc<Ruleset>, made: HashMap<String, Inspector> },
}

/// Inspects every message and prints one line each.
///
/// # Errors
/// The configuration, the envelopes or a message can't be read.
pub async fn run(arguments: &cli::Check) -> anyhow::Result<Exit> {
    let envelopes = read_envelopes(arguments.envelopes.as_deref())?;
    let mut source = source(arguments.config.as_deref()).await?;
    for path in messages(&arguments.paths)? {
        let raw = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
        let started = std::time::Instant::now();
        let message = Message::parse(with_crlf(raw).into(), &source.limits());
        let envelope = match envelope_of(&envelopes, &path) {
            Some(line) => from_line(line)?,
            None => from_header(&message),
        };
        let inspection = source.inspector(&envelope)?.inspect(&envelope, &message);
        let took = started.elapsed();
        let show = if arguments.reveal { Show::Revealed } else { Show::Masked };
        let file = path.display().to_string();
        out::line(&match arguments.json {
            true => CheckReport::new(&file, &inspection, took, show).to_json()?,
            false => in_words(&file, &inspection, show),
        });
    }
    Ok(Exit::Done)
}

/// For a terminal: the outcome, and then a line for each reason and each finding.
fn in_words(file: &str, inspection: &Inspection, show: Show) -> String {
    let mut lines = vec![format!("{file}: {:?}", inspection.verdict.outcome).to_lowercase()];
    let reasons = inspection.verdict.reasons.iter();
    lines.extend(
        reasons.map(|reason| format!("  {} ({}): {}", reason.rule, reason.clause, reason.text)),
    );
    lines.extend(inspection.findings.iter().map(|finding| {
        let text = match show {
            Show::Masked => finding.masked(),
            Show::Revealed => finding.evidence.expose().clone(),
        };
        format!("  {} {} in {}", finding.confidence.id(), text, finding.place)
    }));
    lines.join("\n")
}

async fn source(config: Option<&Path>) -> anyhow::Result<Source> {
    let Some(path) = config else {
        let rules = Arc::new(Ruleset::shipped()?);
        return Ok(Source::BySender { rules, made: HashMap::new() });
    };
    let settings = Settings::load(path)?;
    let inspector = wire::inspector(&settings, &roll(&settings).await?)?;
    Ok(Source::Configured(Box::new(inspector), settings.inspection.limits))
}

/// The roll of the store, where there is a store already: a dry run makes none.
async fn roll(settings: &Settings) -> anyhow::Result<Roll> {
    let stored = match settings.store.join("gateway.db").exists() {
        true => commands::beside(settings).await?.load_roll().await?,
        false => None,
    };
    if let Some(stored) = stored {
        return Ok(Roll::from_bytes(&stored.bytes)?);
    }
    out::complain("schoolgate: there is no roll, so pupils' names are not found");
    Ok(Roll::default())
}

impl Source {
    fn limits(&self) -> Limits {
        match self {
            Self::Configured(_, limits) => *limits,
            Self::BySender { .. } => Limits::default(),
        }
    }

    fn inspector(&mut self, envelope: &Envelope) -> anyhow::Result<&Inspector> {
        match self {
            Self::Configured(inspector, _) => Ok(inspector),
            Self::BySender { rules, made } => {
                let sender = envelope.reverse_path.as_ref().map_or("", Address::domain).to_owned();
                if !made.contains_key(&sender) {
                    made.insert(sender.clone(), inspector_of(rules, &sender)?);
                }
                made.get(&sender).ok_or_else(|| anyhow!("no inspector"))
            }
        }
    }
}

fn inspector_of(rules: &Arc<Ruleset>, domain: &str) -> anyhow::Result<Inspector> {
    let own = DomainPattern::parse(domain).into_iter().collect();
    let school = Arc::new(School { own, ..School::default() });
    let (rules, roll) = (Arc::clone(rules), Roll::default());
    Ok(Inspector::new(rules, &roll, school, Mode::Enforce, Arc::new(InProcess::default()))?)
}

/// The files as named, folders opened, sorted.
fn messages(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let unreadable = || format!("the folder {} cannot be read", path.display());
            let inside: Result<Vec<PathBuf>, _> = std::fs::read_dir(path)
                .with_context(unreadable)?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect();
            let inside = inside.with_context(unreadable)?;
            files.extend(
                inside.into_iter().filter(|file| file.extension().is_some_and(|e| e == "eml")),
            );
        } else {
            files.push(path.clone());
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn read_envelopes(path: Option<&Path>) -> anyhow::Result<Vec<Line>> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("{}: line {}", path.display(), number + 1))
        })
        .collect()
}

/// A line means a file by its path as given, or by its name alone.
fn envelope_of<'a>(lines: &'a [Line], path: &Path) -> Option<&'a Line> {
    let exact = lines.iter().find(|line| Path::new(&line.file) == path);
    exact
        .or_else(|| lines.iter().find(|line| path.file_name() == Path::new(&line.file).file_name()))
}

fn from_line(line: &Line) -> anyhow::Result<Envelope> {
    let address = |text: &str| {
        Address::parse(text.trim_matches(['<', '>']))
            .with_context(|| format!("the envelope of {}", line.file))
    };
    let sender = line.mail_from.as_deref().filter(|text| !matches!(*text, "" | "<>"));
    Ok(Envelope {
        reverse_path: sender.map(address).transpose()?,
        recipients: line.rcpt_to.iter().map(|text| address(text)).collect::<Result<_, _>>()?,
        eight_bit: true,
        smtp_utf8: false,
    })
}

/// Without an envelope, the header's From and all its recipients stand for it.
fn from_header(message: &Message) -> Envelope {
    let all = |name: &str| mail::addresses(message, name).mailboxes.into_iter().map(|m| m.address);
    let mut recipients: Vec<Address> = all("to").chain(all("cc")).chain(all("bcc")).collect();
    recipients.dedup();
    Envelope { reverse_path: all("from").next(), recipients, eight_bit: true, smtp_utf8: false }
}

/// Files saved on other systems end their lines in LF alone; on SMTP they would end in CRLF.
fn with_crlf(raw: Vec<u8>) -> Vec<u8> {
    if raw.windows(2).any(|pair| pair == b"\r\n") || !raw.contains(&b'\n') {
        return raw;
    }
    raw.split(|octet| *octet == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..])
}
