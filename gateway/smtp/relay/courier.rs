//! One job from its bytes to its outcomes: the right copy, the right connection, one transaction
//! for each hundred recipients.

use std::time::Duration;

use super::lane::Job;
use super::lane::Lane;
use super::source::Letter;
use super::source::Recipient;
use crate::mail::Address;
use crate::mail::Audience;
use crate::mail::pieces;
use crate::smtp::client::Answer;
use crate::smtp::client::Body;
use crate::smtp::client::Link;
use crate::smtp::client::NextHop;
use crate::smtp::client::Outcome;
use crate::smtp::client::Parcel;
use crate::smtp::client::Sent;
use crate::smtp::client::State;

/// Every host must take a hundred recipients (RFC 5321 section 4.5.3.1.8).
const MAX_RECIPIENTS: usize = 100;
/// How long a message waits after a 421. Longer than the lane itself does, in case it is this
/// message that the host can't bear.
const SENT_AWAY: Duration = Duration::from_secs(60);

/// How one recipient came off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) outcome: Outcome,
    /// `false` where the host as a whole was to blame.
    pub(super) counted: bool,
    /// Not to be tried before this much time has passed, whatever the schedule says.
    pub(super) wait: Duration,
}

impl Attempt {
    fn counted(outcome: Outcome) -> Self {
        Self { outcome, counted: true, wait: Duration::ZERO }
    }

    /// The host is away or busy.
    pub(super) fn put_off(answer: Answer, wait: Duration) -> Self {
        Self { outcome: Outcome::HostTrouble(answer), counted: false, wait }
    }
}

/// Sends to all recipients of the job; one attempt for each, in their order.
pub(super) async fn deliver<H: NextHop>(
    lane: &Lane<H>,
    job: &Job,
    letter: &Letter,
) -> Vec<Attempt> {
    let all = |outcome| vec![Attempt::counted(outcome); job.due.recipients.len()];
    let Some(pieces) = pieces(&letter.raw, splices(letter, &job.due.recipients)) else {
        tracing::error!(id = %job.due.id, "the edits of this message do not fit it");
        return all(Outcome::Refused(Answer::UNSAFE_LINES));
    };
    let Ok(body) = Body::check(pieces) else {
        tracing::error!(id = %job.due.id, "this message has bare line endings and is not sent");
        return all(Outcome::Refused(Answer::UNSAFE_LINES));
    };
    let mut attempts = Vec::with_capacity(job.due.recipients.len());
    for recipients in job.due.recipients.chunks(MAX_RECIPIENTS) {
        let addresses: Vec<Address> = recipients.iter().map(|r| r.address.clone()).collect();
        let parcel = Parcel {
            reverse_path: letter.reverse_path.as_ref(),
            recipients: &addresses,
            body: &body,
            smtp_utf8: letter.smtp_utf8,
        };
        attempts.extend(transact(lane, job, &parcel).await);
    }
    attempts
}

/// All recipients of a job share one audience, and so one list.
fn splices<'a>(letter: &'a Letter, recipients: &[Recipient]) -> &'a [crate::mail::Splice] {
    match recipients.first().map(|recipient| recipient.audience) {
        Some(Audience::Own) => &letter.own,
        Some(Audience::Partner | Audience::External) | None => &letter.outside,
    }
}

/// One transaction, on a used connection if there is one. A used connection may be dead without
/// our knowing; as long as the message had not begun, a fresh one is tried at once.
async fn transact<H: NextHop>(lane: &Lane<H>, job: &Job, parcel: &Parcel<'_>) -> Vec<Attempt> {
    if let Some(idle) = lane.take_idle() {
        let (mut link, used) = (idle.link, idle.used);
        let sent = link.send(parcel).await;
        if sent.state != State::DeadBeforeBody {
            return finish(lane, link, used, sent).await;
        }
    }
    if let Some(left) = lane.blocked_for() {
        return vec![Attempt::put_off(Answer::NO_ANSWER, left); parcel.recipients.len()];
    }
    match lane.settings.hop.connect().await {
        Ok(mut link) => {
            let sent = link.send(parcel).await;
            finish(lane, link, 0, sent).await
        }
        Err(error) => {
            let wait = lane.block();
            let (lane, step, seconds) = (&lane.settings.name, error.step, wait.as_secs());
            tracing::warn!(id = %job.due.id, lane, step, answer = %error.answer, seconds, "next hop away");
            vec![Attempt::put_off(error.answer, wait); parcel.recipients.len()]
        }
    }
}

/// Sorts the outcomes and keeps or drops the connection.
async fn finish<H: NextHop>(lane: &Lane<H>, link: H::Link, used: u32, sent: Sent) -> Vec<Attempt> {
    if sent.outcomes.iter().any(is_sent_away) {
        lane.block();
    } else {
        lane.unblock();
    }
    if sent.state == State::Ready
        && let Some(worn_out) = lane.keep(link, used + 1)
    {
        worn_out.close().await;
    }
    let attempt = |outcome| match outcome {
        Outcome::HostTrouble(answer) if is_sent_away(&outcome) => {
            Attempt::put_off(answer, SENT_AWAY)
        }
        other => Attempt::counted(other),
    };
    sent.outcomes.into_iter().map(attempt).collect()
}

/// 421, at whatever step: the host doesn't want us now, and no recipient is to blame. A connection
/// that just breaks or falls silent does count as an attempt, since it may be this very message
/// that breaks it.
fn is_sent_away(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::HostTrouble(Answer { code: Some(421), .. }))
}
