//! The gateway's own post: it makes what is owed, notice by notice, and moves holds on in time.
//!
//! A duty is marked done in the transaction that accepts its mail, so that each is sent once. A
//! fault puts the duty off; it is never forgotten.

use std::time::Duration;

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::about::About;
use super::admin::Incident;
use super::admin::admin_incident;
use super::approver;
use super::approver::Decision;
use super::letter::Frame;
use super::letter::Unwritable;
use super::sender;
use super::subject;
use crate::approval;
use crate::approval::Approver;
use crate::approval::Role;
use crate::approval::Stakes;
use crate::clock::Clock;
use crate::mail::Address;
use crate::mail::Audience;
use crate::mail::Envelope;
use crate::mail::Limits;
use crate::mail::Message;
use crate::mail::Reply;
use crate::mail::dsn;
use crate::policy::Outcome;
use crate::policy::School;
use crate::store::Acceptance;
use crate::store::DueDuty;
use crate::store::DutyKind;
use crate::store::DutyOutcome;
use crate::store::FailedRecipient;
use crate::store::Hold;
use crate::store::Judgement;
use crate::store::Loaded;
use crate::store::Origin;
use crate::store::Record;
use crate::store::Retention;
use crate::store::Store;
use crate::store::StoreError;

/// How often the clock is looked at where nothing has woken us.
const POLL: Duration = Duration::from_secs(2);
/// The wait after a duty that could not be done.
const AGAIN: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);
/// Duties done at a time.
const BATCH: usize = 50;

/// What the post must know of the school.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `From:` of notices.
    pub from: Address,
    /// The gateway's own host name.
    pub hostname: String,
    /// Whose clock tells the times in notices.
    pub time_zone: TimeZone,
    /// Its protected recipients.
    pub school: School,
    /// Who decides.
    pub approvers: Vec<Approver>,
    /// The class of the gateway's own mail and its years.
    pub retention: (String, u16),
    /// Days a closed hold can be opened again.
    pub reopen_days: u16,
}

/// The post.
#[derive(Debug)]
pub struct Post {
    store: Store,
    clock: Clock,
    settings: Settings,
}

#[derive(Debug, Error)]
enum PostError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

/// A mail to be sent; `None` where there is nobody to send it to.
type Made = Option<(Vec<Address>, Vec<u8>)>;

/// What a duty is about.
struct Subject {
    hold: Option<Hold>,
    first: Loaded,
}

impl Post {
    /// A post for this store.
    pub fn new(store: Store, clock: Clock, settings: Settings) -> Self {
        Self { store, clock, settings }
    }

    /// Works until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let mut changes = self.store.changes();
        while !stop.is_cancelled() {
            if let Err(error) = self.work().await {
                tracing::error!(%error, "the post could not work");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _ = changes.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Moves holds on whose time has come, and does every duty that is due; returns how many.
    ///
    /// # Errors
    /// What the store says.
    pub async fn work(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        self.store.escalate_due(now).await?;
        self.store.close_due(now).await?;
        self.store.purge_due(now).await?;
        let duties = self.store.due_duties(now, BATCH).await?;
        let count = duties.len();
        for duty in duties {
            if let Err(error) = self.fulfil(&duty, now).await {
                tracing::warn!(kind = duty.kind.id(), %error, "a notice is put off");
                let later = now.checked_add(AGAIN).unwrap_or(now);
                self.store.postpone_duty(duty.id, later).await?;
            }
        }
        Ok(count)
    }

    async fn fulfil(&self, duty: &DueDuty, now: Timestamp) -> Result<(), PostError> {
        let subject = match self.subject(duty).await {
            Ok(Some(subject)) => subject,
            Ok(None) | Err(StoreError::Corrupt(_) | StoreError::UnknownMessage(_)) => {
                return Ok(self.store.drop_duty(duty.id, "subject-gone").await?);
            }
            Err(error) => return Err(error.into()),
        };
        let Some((to, raw)) = self.make(duty, &subject, now)? else {
            return Ok(self.store.drop_duty(duty.id, "nobody-to-tell").await?);
        };
        let sealing = self.store.receive(raw.into());
        let acceptance = self.acceptance(duty, to, now);
        let done = self.store.fulfil(duty.id, sealing, acceptance).await?;
        if let DutyOutcome::Done(committed) = done {
            tracing::info!(kind = duty.kind.id(), id = %committed.id(), "a notice is on its way");
        }
        Ok(())
    }

    async fn subject(&self, duty: &DueDuty) -> Result<Option<Subject>, StoreError> {
        let hold = match duty.hold {
            Some(id) => Some(self.store.hold(id).await?),
            None => None,
        };
        let in_hold = hold.as_ref().and_then(|hold| hold.messages.first().copied());
        let Some(message) = duty.message.or(in_hold) else { return Ok(None) };
        Ok(Some(Subject { hold, first: self.store.load(message).await? }))
    }

    fn make(&self, duty: &DueDuty, subject: &Subject, now: Timestamp) -> Result<Made, PostError> {
        let writing = Writing { post: self, duty, subject, now };
        Ok(match duty.kind {
            DutyKind::HeldToSender
            | DutyKind::HoldClosed
            | DutyKind::HoldReleased
            | DutyKind::HoldRefused
            | DutyKind::BulkForced => writing.to_sender()?,
            DutyKind::HeldToApprover | DutyKind::HoldEscalated | DutyKind::BreakGlass => {
                writing.to_approvers()?
            }
            DutyKind::DeliveryFailed | DutyKind::Refused => writing.report(),
            DutyKind::Incident => writing.incident()?,
        })
    }

    fn acceptance(&self, duty: &DueDuty, to: Vec<Address>, now: Timestamp) -> Acceptance {
        let (class, years) = &self.settings.retention;
        let today = now.to_zoned(self.settings.time_zone.clone()).date();
        let until = today.checked_add(i32::from(*years).years()).unwrap_or(today);
        let judgement = Judgement {
            outcome: Outcome::Deliver,
            rules: Vec::new(),
            categories: Vec::new(),
            would_hold: Vec::new(),
            record: Record::default(),
            deliver: to.iter().map(|address| (address.clone(), Audience::Own)).collect(),
            hold: None,
            duties: Vec::new(),
        };
        Acceptance {
            envelope: Envelope {
                reverse_path: None,
                recipients: to,
                eight_bit: false,
                smtp_utf8: false,
            },
            origin: Origin::Gateway,
            accepted_at: now,
            merge_key: self.store.keys().mac("notice", &[&duty.id.to_be_bytes()]),
            retention: Retention { class: class.clone(), until },
            judgement: Some(judgement),
        }
    }
}

/// One duty being written.
struct Writing<'a> {
    post: &'a Post,
    duty: &'a DueDuty,
    subject: &'a Subject,
    now: Timestamp,
}

impl Writing<'_> {
    fn settings(&self) -> &Settings {
        &self.post.settings
    }

    fn words(&self, moment: Timestamp) -> String {
        let local = moment.to_zoned(self.settings().time_zone.clone());
        local.strftime("%A %-d %B %Y at %H:%M").to_string()
    }

    /// The id by which the notice names its subject: the hold's, else the message's.
    fn id(&self) -> String {
        let hold = self.duty.hold.map(|hold| hold.to_string());
        hold.or_else(|| self.duty.message.map(|id| id.to_string())).unwrap_or_default()
    }

    fn message_id(&self) -> String {
        format!("duty-{}.{}@{}", self.duty.id, self.now.as_second(), self.settings().hostname)
    }

    /// The recipients that the notice is about: those that wait, or all of the envelope.
    fn recipients(&self) -> Vec<&Address> {
        match &self.subject.hold {
            Some(hold) => hold.recipients.iter().map(|one| &one.address).collect(),
            None => self.subject.first.envelope.recipients.iter().collect(),
        }
    }

    fn reasons(&self) -> Vec<&str> {
        let reasons = self.subject.first.record.iter().flat_map(|record| &record.reasons);
        reasons.map(|reason| reason.text.as_str()).collect()
    }

    fn stakes(&self) -> Stakes {
        let protected = |address: &Address| self.settings().school.is_protected(address);
        match &self.subject.hold {
            Some(hold) => subject::stakes_of(hold, &self.subject.first, &protected),
            None => Stakes::default(),
        }
    }

    /// Calls a builder with the frame and the words that name the message.
    fn write(
        &self,
        to: &Address,
        build: impl FnOnce(&Frame<'_>, &About<'_>) -> Result<Vec<u8>, Unwritable>,
    ) -> Result<Vec<u8>, Unwritable> {
        let recipients = self.recipients();
        let domains = subject::domains(recipients.iter().copied());
        let sent = self.words(self.subject.first.accepted_at);
        let record = self.subject.first.record.as_ref();
        let about = About {
            sent: &sent,
            recipients: recipients.len(),
            domains: &domains,
            attachments: record.map_or(0, |record| record.attachments.len()),
        };
        let (message_id, id) = (self.message_id(), self.id());
        let frame = Frame {
            from: &self.settings().from,
            to,
            message_id: &message_id,
            date: self.now.as_second(),
            id: &id,
        };
        build(&frame, &about)
    }

    fn to_sender(&self) -> Result<Made, Unwritable> {
        let Some(sender) = &self.subject.first.envelope.reverse_path else { return Ok(None) };
        let raw = self.write(sender, |frame, about| match self.duty.kind {
            DutyKind::HeldToSender => self.held(frame, about),
            DutyKind::HoldClosed => {
                sender::expired_to_sender(frame, about, self.settings().reopen_days)
            }
            DutyKind::HoldRefused => {
                let reason = String::from_utf8_lossy(&self.duty.payload);
                sender::refused_to_sender(frame, about, &reason)
            }
            DutyKind::HoldReleased => sender::released_to_sender(frame, about),
            _ => sender::bcc_forced_to_sender(frame, about, self.hidden()),
        })?;
        Ok(Some((vec![sender.clone()], raw)))
    }

    /// How many outside addresses were taken out of sight.
    fn hidden(&self) -> usize {
        let outside =
            |address: &&Address| self.settings().school.audience_of(address) != Audience::Own;
        self.subject.first.envelope.recipients.iter().filter(outside).count()
    }

    fn held(&self, frame: &Frame<'_>, about: &About<'_>) -> Result<Vec<u8>, Unwritable> {
        let first = &self.subject.first;
        let findings = first.record.as_ref().map_or(&[][..], |record| &record.findings);
        let hold = self.subject.hold.as_ref();
        let lapses = hold.map(|hold| self.words(hold.close_at)).unwrap_or_default();
        let all = first.envelope.recipients.len();
        sender::hold_to_sender(
            frame,
            &sender::Held {
                about,
                reasons: &self.reasons(),
                found: &subject::found(findings),
                advice: &[],
                decider: decider(hold.map_or("", |hold| hold.route.as_str())),
                lapses: &lapses,
                delivered_inside: all.saturating_sub(self.recipients().len()),
            },
        )
    }

    fn to_approvers(&self) -> Result<Made, Unwritable> {
        let (stakes, approvers) = (self.stakes(), &self.settings().approvers);
        let people = match self.duty.kind {
            DutyKind::HeldToApprover => approval::first_circle(approvers, &stakes),
            DutyKind::HoldEscalated => approval::second_circle(approvers, &stakes),
            _ => approvers.iter().filter(|one| approval::may_see(one, &stakes)).collect(),
        };
        let to: Vec<Address> = people.iter().map(|approver| approver.address.clone()).collect();
        let Some(first) = to.first() else { return Ok(None) };
        let raw = self.write(first, |frame, about| match self.duty.kind {
            DutyKind::BreakGlass => approver::decided_at_terminal(frame, about, self.decided()),
            DutyKind::HoldEscalated => {
                self.decision(about, |it| approver::escalated_to_deputy(frame, it))
            }
            _ => self.decision(about, |it| approver::hold_to_approver(frame, it)),
        })?;
        Ok(Some((to, raw)))
    }

    fn decided(&self) -> &'static str {
        match self.subject.hold.as_ref().map(|hold| hold.state.id()) {
            Some("released") => "released",
            _ => "refused",
        }
    }

    fn decision(
        &self,
        about: &About<'_>,
        build: impl FnOnce(&Decision<'_>) -> Result<Vec<u8>, Unwritable>,
    ) -> Result<Vec<u8>, Unwritable> {
        let first = &self.subject.first;
        let findings = first.record.as_ref().map_or(&[][..], |record| &record.findings);
        let hold = self.subject.hold.as_ref();
        let lapses = hold.map(|hold| self.words(hold.close_at)).unwrap_or_default();
        build(&Decision {
            about,
            sender: first.envelope.reverse_path.as_ref(),
            reasons: &self.reasons(),
            found: &subject::found(findings),
            lapses: &lapses,
        })
    }

    /// RFC 3464, with Message-ID and Date of the original and nothing else of it.
    fn report(&self) -> Made {
        let first = &self.subject.first;
        let to = first.envelope.reverse_path.as_ref()?;
        let failed = self.failed();
        let list: Vec<dsn::Failed<'_>> = failed
            .iter()
            .map(|(recipient, reply)| dsn::Failed { recipient, reply, remote: None })
            .collect();
        let message = Message::parse(first.raw.clone(), &Limits::default());
        let original = |name: &str| message.first_text(name).map(|text| text.expose().clone());
        let date = |moment: Timestamp| {
            let local = moment.to_zoned(self.settings().time_zone.clone());
            local.strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
        };
        let expired = failed.iter().any(|(_, reply)| reply.status == Some((4, 4, 7)));
        let raw = dsn::build(&dsn::Report {
            from: &self.settings().from,
            to,
            reporting_mta: &self.settings().hostname,
            message_id: &format!("<{}>", self.message_id()),
            date: &date(self.now),
            arrived: &date(first.accepted_at),
            id: &self.id(),
            original_message_id: original("message-id").as_deref(),
            original_date: original("date").as_deref(),
            cause: if expired { dsn::Cause::Expired } else { dsn::Cause::Refused },
            failed: &list,
        });
        Some((vec![to.clone()], raw))
    }

    /// Who did not get it, and what was said: by the next hop, or by our own late refusal.
    fn failed(&self) -> Vec<(Address, Reply)> {
        if self.duty.kind == DutyKind::Refused {
            let text = String::from_utf8_lossy(&self.duty.payload);
            let text = text.splitn(3, ' ').nth(2).unwrap_or("refused").to_owned();
            let reply = Reply { code: 554, status: Some((5, 7, 1)), text };
            let all = self.subject.first.envelope.recipients.iter();
            return all.map(|one| (one.clone(), reply.clone())).collect();
        }
        let failed = FailedRecipient::from_payload(&self.duty.payload).unwrap_or_default();
        let reply = |one: FailedRecipient| {
            let code = one.code.unwrap_or(if one.status.0 == 5 { 550 } else { 450 });
            let text = "the receiving host did not take it".to_owned();
            (one.address, Reply { code, status: Some(one.status), text })
        };
        failed.into_iter().map(reply).collect()
    }

    fn incident(&self) -> Result<Made, Unwritable> {
        let admins = self.settings().approvers.iter().filter(|one| one.role == Role::Admin);
        let to: Vec<Address> = admins.map(|admin| admin.address.clone()).collect();
        let Some(first) = to.first() else { return Ok(None) };
        let since = self.words(self.subject.first.accepted_at);
        let incident = Incident {
            what: "a message could not be delivered and nobody could be told.",
            since: &since,
            waiting: 0,
            remedy: "look for its id in the log, and at the next hop.",
        };
        let raw = self.write(first, |frame, _| admin_incident(frame, &incident))?;
        Ok(Some((to, raw)))
    }
}

fn decider(route: &str) -> &'static str {
    match route {
        "safeguarding_lead" => "the safeguarding lead",
        "chair_of_governors" => "the chair of governors",
        "admin" => "the administrator",
        "deputy" => "a deputy headteacher",
        _ => "the headteacher",
    }
}
