//! One transaction after another over one connection, each recipient with its own outcome.

use std::fmt::Display;
use std::time::Duration;

use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Data;
use tokio::time::timeout;

use super::command::Envelope;
use super::command::Mail;
use super::command::Rcpt;
use super::command::Rset;
use super::next_hop::Answer;
use super::next_hop::Link;
use super::next_hop::Outcome;
use super::next_hop::Parcel;
use super::next_hop::Sent;
use super::next_hop::State;
use super::reading::Offers;
use super::reading::Reading;
use super::timeouts::Timeouts;
use super::wire::Wire;

/// An open connection to a smart host. lettre sends the commands and reads the replies; the body
/// goes over our own handle of the same stream.
pub struct Connection {
    smtp: AsyncSmtpConnection,
    wire: Wire,
    offers: Offers,
    timeouts: Timeouts,
    /// A transaction was begun and not ended, so RSET is due before the next.
    unfinished: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("offers", &self.offers).finish_non_exhaustive()
    }
}

/// Why a transaction can't go on.
enum Stop {
    /// This outcome for everyone who has none yet; the connection lives.
    All(Outcome),
    /// The connection is of no more use.
    Dead(Answer),
}

impl Link for Connection {
    async fn send(&mut self, parcel: &Parcel<'_>) -> Sent {
        let mut outcomes = vec![None; parcel.recipients.len()];
        let (rest, state) = match self.transact(parcel, &mut outcomes).await {
            Ok(answer) => (Outcome::Delivered(answer), State::Ready),
            Err((Stop::All(outcome), _)) => (outcome, State::Ready),
            Err((Stop::Dead(answer), state)) => (Outcome::HostTrouble(answer), state),
        };
        let outcomes = outcomes.into_iter().map(|outcome| outcome.unwrap_or(rest)).collect();
        Sent { outcomes, state }
    }

    async fn close(mut self) {
        // Whether the host says goodbye is of no interest.
        drop(timeout(self.timeouts.quit, self.smtp.quit()).await);
    }
}

impl Connection {
    pub(super) fn new(
        smtp: AsyncSmtpConnection,
        wire: Wire,
        offers: Offers,
        timeouts: Timeouts,
    ) -> Self {
        Self { smtp, wire, offers, timeouts, unfinished: false }
    }

    /// Fills in the recipients that the host refuses; the result is that of all others.
    async fn transact(
        &mut self,
        parcel: &Parcel<'_>,
        outcomes: &mut [Option<Outcome>],
    ) -> Result<Answer, (Stop, State)> {
        let before = |stop| (stop, State::DeadBeforeBody);
        let mail =
            self.mail(parcel).map_err(|answer| before(Stop::All(Outcome::Refused(answer))))?;
        self.reset().await.map_err(before)?;
        self.envelope(mail, parcel.recipients, outcomes).await.map_err(before)?;
        if outcomes.iter().all(Option::is_some) {
            return Err(before(Stop::All(Outcome::Later(Answer::NOT_SMTP))));
        }
        self.data().await.map_err(before)?;
        self.body(parcel).await.map_err(|stop| (stop, State::Dead))
    }

    /// The MAIL command, or why this host can't have the message.
    fn mail<'a>(&self, parcel: &Parcel<'a>) -> Result<Mail<'a>, Answer> {
        let Offers { size, eight_bit, smtp_utf8, .. } = self.offers;
        let octets = parcel.body.octets();
        if size.is_some_and(|limit| limit > 0 && octets > limit) {
            return Err(Answer::TOO_LARGE);
        }
        let international = needs_smtp_utf8(parcel);
        if international && !smtp_utf8 {
            return Err(Answer::NEEDS_SMTPUTF8);
        }
        if parcel.body.is_eight_bit() && !eight_bit {
            return Err(Answer::NEEDS_8BITMIME);
        }
        Ok(Mail {
            reverse_path: parcel.reverse_path,
            size: size.map(|_limit| octets),
            eight_bit: parcel.body.is_eight_bit(),
            smtp_utf8: international,
        })
    }

    async fn reset(&mut self) -> Result<(), Stop> {
        if !self.unfinished {
            return Ok(());
        }
        match self.command(self.timeouts.mail, Rset).await {
            Reading::Done(_) => {
                self.unfinished = false;
                Ok(())
            }
            other => Err(Stop::Dead(other.answer())),
        }
    }

    /// MAIL and RCPTs, in one write where the host offers PIPELINING.
    async fn envelope(
        &mut self,
        mail: Mail<'_>,
        recipients: &[crate::mail::Address],
        outcomes: &mut [Option<Outcome>],
    ) -> Result<(), Stop> {
        self.unfinished = true;
        let pipelined = self.offers.pipelining;
        let first = if pipelined {
            self.command(self.timeouts.mail, Envelope { mail, recipients }).await
        } else {
            self.command(self.timeouts.mail, mail).await
        };
        let refused = refusal(first)?;
        if let (Some(outcome), false) = (refused, pipelined) {
            return Err(Stop::All(outcome));
        }
        for (recipient, outcome) in recipients.iter().zip(outcomes) {
            let reading = if pipelined {
                self.reply(self.timeouts.rcpt).await
            } else {
                self.command(self.timeouts.rcpt, Rcpt(recipient)).await
            };
            // After a refused MAIL the recipients are told 503, which says nothing about them.
            *outcome = refused.or(refusal(reading)?);
        }
        Ok(())
    }

    async fn data(&mut self) -> Result<(), Stop> {
        match self.command(self.timeouts.data, Data).await {
            Reading::GoOn => Ok(()),
            Reading::Done(_) => Err(Stop::Dead(Answer::NOT_SMTP)),
            other => Err(refusal(other)?.map_or(Stop::Dead(Answer::NOT_SMTP), Stop::All)),
        }
    }

    async fn body(&mut self, parcel: &Parcel<'_>) -> Result<Answer, Stop> {
        let limit = self.timeouts.body_of(parcel.body.octets());
        match timeout(limit, parcel.body.write(&mut self.wire)).await {
            Ok(Ok(())) => {}
            // A host that refuses in the midst of the body may have said why before it closed,
            // but what it said then can't be told from a reply that was cut short.
            Ok(Err(_)) | Err(_) => return Err(Stop::Dead(Answer::LOST)),
        }
        match self.reply(self.timeouts.end_of_data).await {
            Reading::Done(answer) => {
                self.unfinished = false;
                Ok(answer)
            }
            Reading::GoOn => Err(Stop::Dead(Answer::NOT_SMTP)),
            other => Err(refusal(other)?.map_or(Stop::Dead(Answer::NOT_SMTP), Stop::All)),
        }
    }

    async fn command(&mut self, limit: Duration, command: impl Display) -> Reading {
        match timeout(limit, self.smtp.command(command)).await {
            Ok(reply) => Reading::of(reply),
            Err(_elapsed) => Reading::Lost(Answer::LOST),
        }
    }

    async fn reply(&mut self, limit: Duration) -> Reading {
        match timeout(limit, self.smtp.read_response()).await {
            Ok(reply) => Reading::of(reply),
            Err(_elapsed) => Reading::Lost(Answer::LOST),
        }
    }
}

/// `None` where the host agreed, the outcome where it refused, and an end where it is gone.
fn refusal(reading: Reading) -> Result<Option<Outcome>, Stop> {
    match reading {
        Reading::Done(_) => Ok(None),
        Reading::Later(answer) => Ok(Some(Outcome::Later(answer))),
        Reading::Never(answer) => Ok(Some(Outcome::Refused(answer))),
        Reading::GoOn => Err(Stop::Dead(Answer::NOT_SMTP)),
        Reading::Closing(answer) | Reading::Lost(answer) => Err(Stop::Dead(answer)),
    }
}

/// RFC 6531 section 3.4: international addresses need it, and so does an international header
/// where the sender said it is one. A stray Latin-1 octet in a subject doesn't.
fn needs_smtp_utf8(parcel: &Parcel<'_>) -> bool {
    let addresses = parcel.reverse_path.into_iter().chain(parcel.recipients);
    let international = addresses.into_iter().any(|address| !address.as_str().is_ascii());
    international
        || (parcel.smtp_utf8 && parcel.body.is_eight_bit() && parcel.body.has_eight_bit_header())
}
