//! What each command does: the short ones here, the others in files of their own.

use std::path::Path;

use anyhow::Context;

use super::check;
use super::cli;
use super::cli::Cli;
use super::cli::Command;
use super::cli::Exit;
use super::config::ConfigError;
use super::config::Settings;
use super::demo;
use super::harden;
use super::held;
use super::log;
use super::out;
use super::run;
use super::wire;
use crate::clock::Clock;
use crate::detect::Roll;
use crate::detect::import_csv;
use crate::policy::RuleErrors;
use crate::store::Disk;
use crate::store::Keys;
use crate::store::Store;

/// Executes a command; what went wrong is on standard error.
pub fn execute(cli: Cli) -> Exit {
    harden::harden();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(cli.command)),
        Err(error) => Err(error.into()),
    };
    result.unwrap_or_else(|error| {
        out::complain(&format!("schoolgate: {error:#}"));
        exit_of(&error)
    })
}

/// Wrong words in a file are the writer's to mend; everything else is a fault.
fn exit_of(error: &anyhow::Error) -> Exit {
    let wrong = error.is::<ConfigError>() || error.is::<RuleErrors>();
    if wrong { Exit::Usage } else { Exit::Fault }
}

async fn dispatch(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run(config) => {
            let settings = Settings::load(&config.config)?;
            log::start(&settings.log)?;
            run::run(settings).await.map(|()| Exit::Done)
        }
        Command::Demo(demo) => demo::run(demo.once).await,
        Command::CheckConfig(config) => check_config(&config.config),
        Command::Check(arguments) => check::run(&arguments).await,
        Command::Held(command) => held::run(command).await,
        Command::Roll(cli::Roll::Import(import)) => import_roll(&import).await,
        Command::Rules(cli::Rules::Check { folder }) => check_rules(folder.as_deref()),
        Command::Keys(cli::Keys::Create { folder }) => create_keys(&folder),
        Command::Audit(cli::Audit::Verify(config)) => verify_audit(&config.config).await,
    }
}

fn check_config(path: &Path) -> anyhow::Result<Exit> {
    let settings = Settings::load(path)?;
    drop(wire::inspector(&settings, &Roll::default())?);
    out::line(&format!("{} is sound", path.display()));
    Ok(Exit::Done)
}

fn check_rules(folder: Option<&Path>) -> anyhow::Result<Exit> {
    let rules = wire::read_rules(folder)?;
    let whose = folder.map_or("the shipped rules".to_owned(), |f| f.display().to_string());
    out::line(&format!("{whose}: {} rules that find, all examples hold", rules.finders().len()));
    Ok(Exit::Done)
}

fn create_keys(folder: &Path) -> anyhow::Result<Exit> {
    let _made = Keys::create(folder)?;
    out::line(&format!(
        "keys made in {}; keep a copy in the school's safe: without them held mail is lost",
        folder.display()
    ));
    Ok(Exit::Done)
}

async fn verify_audit(config: &Path) -> anyhow::Result<Exit> {
    let store = beside(&Settings::load(config)?).await?;
    match store.verify_audit().await {
        Ok(count) => {
            out::line(&format!("the audit is whole: {count} entries"));
            Ok(Exit::Done)
        }
        Err(error) => {
            out::complain(&error.to_string());
            Ok(Exit::Refused)
        }
    }
}

async fn import_roll(import: &cli::RollImport) -> anyhow::Result<Exit> {
    let settings = Settings::load(&import.config.config)?;
    let text = std::fs::read_to_string(&import.file)
        .with_context(|| format!("{} cannot be read as UTF-8 text", import.file.display()))?;
    let today = Clock::default().now().to_zoned(settings.school.time_zone.clone()).date();
    let read = import_csv(&text, today)?;
    for (column, heading) in &read.mapping {
        out::line(&format!("{} is read from the column {heading}", column.words()));
    }
    if !read.unused.is_empty() {
        out::line(&format!("not read: {}", read.unused.join(", ")));
    }
    for (line, why) in &read.refused {
        out::line(&format!("line {line} is left out: {why}"));
    }
    out::line(&format!("{} pupils", read.roll.pupils().len()));
    if !import.preview {
        let store = beside(&settings).await?;
        store.store_roll(read.roll.to_bytes()?).await?;
        out::line("the roll is sealed; a running gateway takes it on SIGHUP");
    }
    Ok(Exit::Done)
}

/// The store beside a gateway that may be running.
pub(super) async fn beside(settings: &Settings) -> anyhow::Result<Store> {
    let keys = Keys::read(&settings.keys)?;
    let (clock, disk) = (Clock::default(), Disk::Real);
    Ok(Store::open_beside(&settings.store, keys, clock, disk).await?)
}
