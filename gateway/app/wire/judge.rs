//! Settings, rules and roll become the judge.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use crate::app::config;
use crate::app::config::Settings;
use crate::clock::Clock;
use crate::detect::Roll;
use crate::detect::RollStatus;
use crate::extract;
use crate::extract::InProcess;
use crate::inspect::Inspector;
use crate::intake;
use crate::intake::Judge;
use crate::mail::rewrite::Disclaimer;
use crate::notice;
use crate::policy::DomainPattern;
use crate::policy::Mode;
use crate::policy::RecipientPattern;
use crate::policy::Ruleset;
use crate::policy::School;
use crate::store::Keys;
use crate::store::Store;

/// The rules of a folder, every file of it, or the shipped ones.
///
/// # Errors
/// A file can't be read, or the set has mistakes; every mistake is told.
pub fn read_rules(folder: Option<&Path>) -> anyhow::Result<Ruleset> {
    let Some(folder) = folder else { return Ok(Ruleset::shipped()?) };
    let unreadable = || format!("the rules folder {} cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.is_file() {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{} cannot be read as UTF-8 text", path.display()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, text));
        }
    }
    files.sort_unstable();
    Ok(Ruleset::load(&files)?)
}

/// The inspector of these settings, with a roll.
///
/// # Errors
/// The rules have mistakes, or a pattern of the settings is none.
pub fn inspector(settings: &Settings, roll: &Roll) -> anyhow::Result<Inspector> {
    let rules = Arc::new(read_rules(settings.rules.as_deref())?);
    let limits =
        extract::Limits { nested: settings.inspection.limits, ..extract::Limits::default() };
    let mode = match settings.mode {
        config::Mode::Enforce => Mode::Enforce,
        config::Mode::Monitor => Mode::Monitor,
    };
    let school = Arc::new(school(settings)?);
    Ok(Inspector::new(rules, roll, school, mode, Arc::new(InProcess { limits }))?)
}

/// The judge of these settings, with the roll that the store holds. A missing or old roll is said
/// in the log every time.
///
/// # Errors
/// As [`inspector`], or the roll can't be opened.
pub async fn judge(settings: &Settings, store: &Store, clock: &Clock) -> anyhow::Result<Judge> {
    let roll = match store.load_roll().await? {
        Some(stored) => Roll::from_bytes(&stored.bytes)?,
        None => Roll::default(),
    };
    warn_of_roll(settings, &roll, clock);
    Ok(Judge {
        inspector: inspector(settings, &roll)?,
        settings: intake_settings(settings)?,
        keys: Keys::clone(store.keys()),
    })
}

fn warn_of_roll(settings: &Settings, roll: &Roll, clock: &Clock) {
    let today = clock.now().to_zoned(settings.school.time_zone.clone()).date();
    let max_age = i64::try_from(settings.roll_max_age.as_secs()).unwrap_or(i64::MAX);
    let oldest = today.checked_sub(jiff::SignedDuration::from_secs(max_age)).unwrap_or(today);
    let trouble = match roll.status(today) {
        RollStatus::Missing => "there is no roll, so pupils' names are not found",
        _ if roll.is_older_than(oldest) => "the roll is old, so new pupils are not found",
        RollStatus::Fresh(_) | RollStatus::Stale(_) => return,
    };
    tracing::warn!(remedy = "schoolgate roll import", "{trouble}");
}

fn school(settings: &Settings) -> anyhow::Result<School> {
    let school = &settings.school;
    let own = school.domains.iter().map(|domain| DomainPattern::parse(domain));
    let pattern = |pattern: &config::Pattern| RecipientPattern::parse(&pattern.to_string());
    Ok(School {
        own: own.collect::<Result<_, _>>()?,
        partners: school.trusted_partners.iter().map(pattern).collect::<Result<_, _>>()?,
        protected: school.protected_recipients.iter().map(pattern).collect::<Result<_, _>>()?,
        laestabs: school.laestab.iter().cloned().collect(),
    })
}

fn intake_settings(settings: &Settings) -> anyhow::Result<intake::Settings> {
    let retention = &settings.retention;
    let years = retention.classes.get(&retention.standard).copied().unwrap_or(3);
    Ok(intake::Settings {
        hostname: settings.hostname.clone(),
        hops: settings.limits.hops,
        limits: settings.inspection.limits,
        school: Arc::new(school(settings)?),
        bulk_to: settings.bulk.to_address.clone(),
        disclaimer: settings
            .disclaimer
            .as_ref()
            .map(|it| Disclaimer::new(&it.text, Some(&it.html))),
        monitor_header: settings.monitor_header.clone(),
        retention: (retention.standard.clone(), years),
        time_zone: settings.school.time_zone.clone(),
        internal_at_once: settings.holds.internal_at_once,
        escalate_after: settings.holds.escalate_after_school_hours,
        close_after: settings.holds.close_after_school_days,
        calendar: settings.calendar.clone(),
        approvers: settings.approvers.clone(),
        journal: settings.journal.clone(),
    })
}

/// What the post must know.
pub(super) fn post_settings(settings: &Settings) -> anyhow::Result<notice::Settings> {
    let intake = intake_settings(settings)?;
    Ok(notice::Settings {
        from: settings.notices_from.clone(),
        hostname: intake.hostname,
        time_zone: intake.time_zone,
        school: school(settings)?,
        approvers: intake.approvers,
        retention: intake.retention,
        reopen_days: settings.holds.keep_closed_days,
    })
}
