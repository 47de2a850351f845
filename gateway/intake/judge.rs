//! The judgement of one message: parse, look for a loop, inspect, rewrite, say who gets it.
//!
//! Pure but for the keys: the same message at the same time gives the same judgement. It runs on
//! the blocking pool, since a large message keeps a processor busy for a while.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::door::Arrival;
use super::holding;
use super::record;
use crate::approval::Approver;
use crate::calendar::SchoolCalendar;
use crate::inspect::Inspection;
use crate::inspect::Inspector;
use crate::mail::Address;
use crate::mail::Audience;
use crate::mail::Condition;
use crate::mail::Limits;
use crate::mail::Message;
use crate::mail::Reply;
use crate::mail::rewrite;
use crate::mail::rewrite::Disclaimer;
use crate::mail::rewrite::LoopMark;
use crate::mail::rewrite::Plan;
use crate::policy::Action;
use crate::policy::Outcome;
use crate::policy::School;
use crate::store::DutyKind;
use crate::store::Judgement;
use crate::store::Keys;
use crate::store::MessageId;
use crate::store::NewDuty;
use crate::store::Retention;

/// The rule id of a message that can't be rewritten and so can't be released either.
pub const NOT_REWRITABLE: &str = "not-rewritable";
/// The rule id of a message whose inspection fails again and again.
pub const NOT_JUDGED: &str = "inspection-failed";

/// What a judgement depends on beside the message and the inspector.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The gateway's own host name, for `Received:`.
    pub hostname: String,
    /// `Received:` fields from which on a message counts as looping (RFC 5321 section 6.3).
    pub hops: usize,
    /// Bounds of parsing.
    pub limits: Limits,
    /// Whose mail it is.
    pub school: Arc<School>,
    /// What stands in an emptied `To:`; `None` means the From address.
    pub bulk_to: Option<Address>,
    /// `None` where another system appends it.
    pub disclaimer: Option<Disclaimer>,
    /// The monitor field's name where it is switched on.
    pub monitor_header: Option<String>,
    /// The standard retention class and its calendar years (P09).
    pub retention: (String, u16),
    /// Where the school's clock hangs.
    pub time_zone: TimeZone,
    /// Own recipients of a held message get it at once.
    pub internal_at_once: bool,
    /// School hours until the next circle is told of a hold.
    pub escalate_after: u16,
    /// School days until an undecided hold is closed.
    pub close_after: u16,
    /// School hours and days.
    pub calendar: SchoolCalendar,
    /// Who may decide.
    pub approvers: Vec<Approver>,
    /// Mailboxes that get a copy of every message that leaves, in the envelope only.
    pub journal: Vec<Address>,
}

/// Everything a judgement needs; immutable, swapped whole.
#[derive(Debug)]
pub struct Judge {
    /// The rules, the roll and the school.
    pub inspector: Inspector,
    /// The rest.
    pub settings: Settings,
    /// For the loop mark and the merge key.
    pub keys: Keys,
}

/// What became of a message.
#[derive(Debug)]
pub enum Judged {
    /// It is to be kept: delivered, or held.
    Accepted(Box<Judgement>),
    /// It is refused with this reply, for these rules.
    Refused {
        /// What the client, or the report, says.
        reply: Reply,
        /// The ids of the rules; `loop` and `hops` are the gateway's own.
        rules: Vec<String>,
    },
}

impl Judge {
    /// Judges a message under the id it will have in the store.
    pub fn judge(&self, arrival: &Arrival, id: MessageId, accepted_at: Timestamp) -> Judged {
        let message = Message::parse(arrival.raw.clone(), &self.settings.limits);
        if let Some(rule) = self.loops(&message) {
            let rules = vec![rule.to_owned()];
            return Judged::Refused { reply: Condition::Loop.reply(), rules };
        }
        let inspection = self.inspector.inspect(&arrival.envelope, &message);
        if inspection.verdict.outcome == Outcome::Reject {
            return refused(&inspection);
        }
        let plan = self.plan(arrival, &message, &inspection, id, accepted_at);
        if let Err(why) = &plan {
            tracing::warn!(id = %id, %why, "the message can't be rewritten");
        }
        let judgement = self.judgement(arrival, &message, &inspection, plan.ok(), accepted_at);
        Judged::Accepted(Box::new(judgement))
    }

    /// The retention of a message accepted now: calendar years on from today (P09).
    pub fn retention(&self, accepted_at: Timestamp) -> Retention {
        let (class, years) = &self.settings.retention;
        Retention { class: class.clone(), until: years_on(self.today(accepted_at), *years) }
    }

    fn today(&self, now: Timestamp) -> Date {
        now.to_zoned(self.settings.time_zone.clone()).date()
    }

    /// Our own product come back, or a message that has passed too many hosts. A forged mark is
    /// simply replaced: a valid one only ever refuses, so there is nothing to gain by forging.
    fn loops(&self, message: &Message) -> Option<&'static str> {
        if message.fields_named("received").count() > self.settings.hops {
            return Some("hops");
        }
        (rewrite::loop_mark(message, &|pieces| self.seal(pieces)) == LoopMark::Valid)
            .then_some("loop")
    }

    fn seal(&self, pieces: &[&[u8]]) -> String {
        hex::encode(self.keys.mac("loop", pieces))
    }

    fn plan(
        &self,
        arrival: &Arrival,
        message: &Message,
        inspection: &Inspection,
        id: MessageId,
        accepted_at: Timestamp,
    ) -> Result<Plan, rewrite::Unrewritable> {
        let settings = &self.settings;
        let verdict = &inspection.verdict;
        let retention = self.retention(accepted_at);
        let stamp = rewrite::Retention { class: &retention.class, until: retention.until };
        let would_hold: Vec<String> =
            verdict.would_hold.iter().map(|reason| reason.rule.to_string()).collect();
        let monitor = settings.monitor_header.as_deref().filter(|_| !would_hold.is_empty());
        let date = accepted_at.to_zoned(settings.time_zone.clone());
        let none = Disclaimer::new("", None);
        rewrite::plan(
            message,
            &rewrite::Request {
                force_bcc: verdict.actions.contains(&Action::ForceBcc),
                append_disclaimer: verdict.actions.contains(&Action::AppendDisclaimer)
                    && settings.disclaimer.is_some(),
                null_sender: arrival.envelope.reverse_path.is_none(),
                disclaimer: settings.disclaimer.as_ref().unwrap_or(&none),
                bulk_to: settings.bulk_to.as_ref(),
                is_own: &|address| settings.school.audience_of(address) == Audience::Own,
                trace: rewrite::Trace {
                    helo: &arrival.helo,
                    peer: arrival.peer,
                    by: &settings.hostname,
                    protocol: protocol(arrival),
                    id: &id.to_string(),
                    date: &date.strftime("%a, %d %b %Y %H:%M:%S %z").to_string(),
                },
                outside: stamp,
                own: stamp,
                monitor: monitor.map(|name| rewrite::Monitor { name, rules: &would_hold }),
                seal: &|pieces| self.seal(pieces),
            },
        )
    }

    fn judgement(
        &self,
        arrival: &Arrival,
        message: &Message,
        inspection: &Inspection,
        plan: Option<Plan>,
        now: Timestamp,
    ) -> Judgement {
        let verdict = &inspection.verdict;
        let held = plan.is_none() || verdict.outcome == Outcome::Hold;
        let record = record::of(message, inspection, plan.as_ref());
        let (deliver, wait) = self.split(inspection, held, plan.is_some());
        let mut rules: Vec<String> = verdict.reasons.iter().map(|r| r.rule.to_string()).collect();
        if plan.is_none() {
            rules.push(NOT_REWRITABLE.to_owned());
        }
        let hold = held.then(|| {
            holding::new_hold(&self.settings, arrival, inspection, wait, plan.is_none(), now)
        });
        let bulk = !held && verdict.actions.contains(&Action::ForceBcc);
        let duties = match bulk && arrival.envelope.reverse_path.is_some() {
            true => vec![NewDuty::new(DutyKind::BulkForced, now)],
            false => Vec::new(),
        };
        let mut categories: Vec<_> = inspection.findings.iter().map(|f| f.category).collect();
        categories.sort_unstable();
        categories.dedup();
        Judgement {
            outcome: if held { Outcome::Hold } else { Outcome::Deliver },
            rules,
            categories,
            would_hold: verdict.would_hold.iter().map(|r| r.rule.to_string()).collect(),
            record,
            deliver,
            hold,
            duties,
        }
    }

    /// Who gets the message now, and who waits. Own recipients need not wait for a decision about
    /// what leaves; a message that can't be rewritten goes to nobody, since `Bcc:` would leak.
    fn split(&self, inspection: &Inspection, held: bool, rewritable: bool) -> (Copies, Copies) {
        let at_once = rewritable && (!held || self.settings.internal_at_once);
        let (mut now, mut wait): (Copies, Copies) = inspection
            .audiences
            .iter()
            .cloned()
            .partition(|(_, audience)| !held || (at_once && *audience == Audience::Own));
        let copies = if wait.is_empty() { &mut now } else { &mut wait };
        for journal in &self.settings.journal {
            if !copies.iter().any(|(address, _)| address == journal) {
                copies.push((journal.clone(), self.settings.school.audience_of(journal)));
            }
        }
        (now, wait)
    }
}

/// Recipients, each with the copy it gets.
type Copies = Vec<(Address, Audience)>;

/// RFC 3848's names for `Received: … with`.
fn protocol(arrival: &Arrival) -> &'static str {
    match (arrival.extended, arrival.tls) {
        (true, true) => "ESMTPS",
        (true, false) => "ESMTP",
        (false, _) => "SMTP",
    }
}

fn refused(inspection: &Inspection) -> Judged {
    let reasons: Vec<_> = inspection.verdict.decisive().collect();
    let text = reasons.first().map(|reason| reason.text.as_str());
    let reply = Condition::Refused.reply();
    Judged::Refused {
        reply: text.map_or_else(|| reply.clone(), |text| reply.clone().with_text(text)),
        rules: reasons.iter().map(|reason| reason.rule.to_string()).collect(),
    }
}

/// Calendar years on; 29 February becomes the 28th where there is none.
fn years_on(date: Date, years: u16) -> Date {
    date.checked_add(i32::from(years).years()).unwrap_or(Date::MAX)
}
