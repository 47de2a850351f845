//! `schoolgate held`: the break-glass way to see and decide held messages.
//!
//! Everything is audited under the system user's name, in the name of an approver who may see the
//! hold, and the approvers are told.

use anyhow::Context;
use anyhow::bail;
use serde_json::json;

use super::cli;
use super::cli::Exit;
use super::cli::Held;
use super::commands;
use super::config::Settings;
use super::out;
use crate::approval;
use crate::approval::Approver;
use crate::intake::NOT_JUDGED;
use crate::intake::NOT_REWRITABLE;
use crate::mail::Sensitive;
use crate::notice;
use crate::store::AuditEvent;
use crate::store::Decision;
use crate::store::DecisionOutcome;
use crate::store::Hold;
use crate::store::HoldFilter;
use crate::store::HoldState;
use crate::store::Loaded;
use crate::store::Ruling;
use crate::store::Store;

/// Executes one `held` command.
///
/// # Errors
/// The configuration, the store or the named hold is at fault.
pub async fn run(command: Held) -> anyhow::Result<Exit> {
    match command {
        Held::List(list) => {
            let store = commands::beside(&Settings::load(&list.config.config)?).await?;
            for hold in store.list_holds(&HoldFilter::default()).await? {
                out::line(&if list.json { to_json(&hold).to_string() } else { to_text(&hold) });
            }
            Ok(Exit::Done)
        }
        Held::Show(show) => see(&show).await,
        Held::Release(decision) => decide(&decision.target, Ruling::Release).await,
        Held::Refuse(decision) => decide(&decision.target, Ruling::Refuse).await,
    }
}

/// A hold whose approver has been checked.
struct Opened {
    store: Store,
    hold: Hold,
    first: Loaded,
}

async fn open(target: &cli::HeldTarget) -> anyhow::Result<Opened> {
    let settings = Settings::load(&target.config.config)?;
    let store = commands::beside(&settings).await?;
    let hold = find(&store, &target.id).await?;
    let message = *hold.messages.first().context("the hold has no message")?;
    let first = store.load(message).await?;
    check_approver(&settings, target, &hold, &first)?;
    Ok(Opened { store, hold, first })
}

/// How the hold was decided before. Its message may be gone by now, so it can't be asked for.
async fn decided(target: &cli::HeldTarget) -> anyhow::Result<Option<HoldState>> {
    let store = commands::beside(&Settings::load(&target.config.config)?).await?;
    let state = find(&store, &target.id).await?.state;
    Ok(matches!(state, HoldState::Released | HoldState::Refused).then_some(state))
}

/// By its whole id, or by a beginning that no other open hold shares.
async fn find(store: &Store, id: &str) -> anyhow::Result<Hold> {
    if let Ok(whole) = id.parse() {
        return Ok(store.hold(whole).await?);
    }
    let holds = store.list_holds(&HoldFilter { limit: 10_000, ..HoldFilter::default() }).await?;
    let mut fitting = holds.into_iter().filter(|hold| hold.id.to_string().starts_with(id));
    match (fitting.next(), fitting.next()) {
        (Some(hold), None) => Ok(hold),
        (None, _) => bail!("no hold begins with {id}: see schoolgate held list"),
        (Some(_), Some(_)) => bail!("several holds begin with {id}: write more of it"),
    }
}

/// The approver must be configured, and must not be sender, recipient or named in it.
fn check_approver(
    settings: &Settings,
    target: &cli::HeldTarget,
    hold: &Hold,
    first: &Loaded,
) -> anyhow::Result<()> {
    let folded = target.approver.folded();
    let approver: &Approver = settings
        .approvers
        .iter()
        .find(|approver| approver.address.folded() == folded)
        .context("--for names nobody who is an approver in the configuration")?;
    let stakes = notice::stakes_of(hold, first, &|address| settings.school.is_protected(address));
    if !approval::may_see(approver, &stakes) {
        bail!("this approver is the sender, a recipient or named in it, and may not decide it");
    }
    Ok(())
}

async fn see(show: &cli::HeldShow) -> anyhow::Result<Exit> {
    let Opened { store, hold, first } = open(&show.target).await?;
    let action = if show.reveal { "held-revealed" } else { "held-shown" };
    store.audit(event(&show.target, action, &hold)).await?;
    let record = first.record.unwrap_or_default();
    let finding = |finding: &crate::store::RecordedFinding| {
        let text = if show.reveal { finding.evidence.expose() } else { &finding.masked };
        json!({"category": finding.category, "rule": finding.rule,
               "confidence": finding.confidence, "text": text})
    };
    let mut shown = to_json(&hold);
    if let Some(fields) = shown.as_object_mut() {
        let findings: Vec<_> = record.findings.iter().map(finding).collect();
        fields.insert("findings".to_owned(), findings.into());
        let reasons = record.reasons.iter();
        let reasons: Vec<_> =
            reasons.map(|r| json!({"rule": r.rule, "clause": r.clause, "text": r.text})).collect();
        fields.insert("reasons".to_owned(), reasons.into());
        if show.reveal {
            let subject = record.subject.as_ref().map(|subject| subject.expose().clone());
            fields.insert("subject".to_owned(), subject.into());
            let sender = first.envelope.reverse_path.as_ref().map(|path| path.as_str().to_owned());
            fields.insert("sender".to_owned(), sender.into());
            let to: Vec<_> = hold.recipients.iter().map(|r| r.address.as_str()).collect();
            fields.insert("recipients".to_owned(), to.into());
            let message = String::from_utf8_lossy(&first.raw).into_owned();
            fields.insert("message".to_owned(), message.into());
        }
    }
    out::line(&if show.json { shown.to_string() } else { serde_json::to_string_pretty(&shown)? });
    Ok(Exit::Done)
}

async fn decide(target: &cli::HeldTarget, ruling: Ruling) -> anyhow::Result<Exit> {
    if let Some(state) = decided(target).await? {
        out::complain(&format!("{} is already decided: {}", target.id, state.id()));
        return Ok(Exit::Refused);
    }
    let Opened { store, hold, first } = open(target).await?;
    if ruling == Ruling::Release && !can_leave(&first) {
        out::complain(
            "this message can't be rewritten or judged, so it can't be released; refuse it and ask \
             the sender to write it again",
        );
        return Ok(Exit::Refused);
    }
    let decision = Decision {
        ruling,
        by: system_user(),
        for_approver: target.approver.as_str().to_owned(),
        reason: Sensitive::new(target.reason.clone()),
        break_glass: true,
    };
    Ok(match store.decide(hold.id, decision).await? {
        DecisionOutcome::Decided { queued } => {
            let what = match ruling {
                Ruling::Release => format!("released to {queued} recipients"),
                Ruling::Refuse => "refused; the sender is told".to_owned(),
            };
            out::line(&format!("{} {what}", hold.id));
            Exit::Done
        }
        DecisionOutcome::AlreadyDecided { state, .. } => {
            out::complain(&format!("{} is already decided: {}", hold.id, state.id()));
            Exit::Refused
        }
        DecisionOutcome::TooLate => {
            out::complain(&format!("{} was closed too long ago; its message is gone", hold.id));
            Exit::Refused
        }
    })
}

/// What could not be rewritten or judged must not leave as it came.
fn can_leave(message: &Loaded) -> bool {
    message.record.as_ref().is_some_and(|record| {
        let stops = |rule: &str| rule == NOT_REWRITABLE || rule == NOT_JUDGED;
        !record.outside.is_empty() && !record.reasons.iter().any(|reason| stops(&reason.rule))
    })
}

fn event(target: &cli::HeldTarget, action: &str, hold: &Hold) -> AuditEvent {
    AuditEvent {
        actor: format!("{} for {}", system_user(), target.approver.as_str()),
        action: action.to_owned(),
        object: hold.id.to_string(),
        detail: String::new(),
    }
}

/// Who sits at the terminal: sudo tells, else the number of the user.
fn system_user() -> String {
    std::env::var("SUDO_USER")
        .unwrap_or_else(|_none| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// Ids, times, counts and domains, nothing of the message (P27).
fn to_json(hold: &Hold) -> serde_json::Value {
    let mut domains: Vec<&str> = hold.recipients.iter().map(|r| r.address.domain()).collect();
    domains.sort_unstable();
    domains.dedup();
    json!({
        "id": hold.id.to_string(),
        "state": hold.state.id(),
        "decides": hold.route,
        "opened": hold.opened_at.to_string(),
        "closes": hold.close_at.to_string(),
        "escalated": hold.escalated,
        "recipient_count": hold.recipients.len(),
        "domains": domains,
    })
}

fn to_text(hold: &Hold) -> String {
    let mut domains: Vec<&str> = hold.recipients.iter().map(|r| r.address.domain()).collect();
    domains.sort_unstable();
    domains.dedup();
    format!(
        "{}  {:<8}  {}  {} to {}  decides: {}",
        hold.id,
        hold.state.id(),
        hold.opened_at.strftime("%Y-%m-%d %H:%M"),
        hold.recipients.len(),
        domains.join(", "),
        hold.route
    )
}
