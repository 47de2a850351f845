//! A new hold out of an inspection: who waits, who decides, and when it goes on without them.

use jiff::Timestamp;

use super::door::Arrival;
use super::judge::Settings;
use crate::approval;
use crate::approval::Role;
use crate::approval::Stakes;
use crate::inspect::Inspection;
use crate::mail::Address;
use crate::mail::Audience;
use crate::policy::Approver;
use crate::store::DutyKind;
use crate::store::NewDuty;
use crate::store::NewHold;

/// The hold for these recipients. `technical` marks trouble that only the admin can mend.
pub(super) fn new_hold(
    settings: &Settings,
    arrival: &Arrival,
    inspection: &Inspection,
    recipients: Vec<(Address, Audience)>,
    technical: bool,
    now: Timestamp,
) -> NewHold {
    let stakes = stakes(settings, arrival, inspection, technical);
    let route = approval::first_circle(&settings.approvers, &stakes)
        .first()
        .map_or(Role::Headteacher, |approver| approver.role);
    let mut duties = vec![NewDuty::new(DutyKind::HeldToApprover, now)];
    if arrival.envelope.reverse_path.is_some() {
        duties.push(NewDuty::new(DutyKind::HeldToSender, now));
    }
    NewHold {
        recipients,
        visible: inspection.visible.iter().map(|(address, _)| address.folded()).collect(),
        route: route.id().to_owned(),
        escalate_at: settings.calendar.add_school_hours(now, settings.escalate_after),
        close_at: settings.calendar.add_school_days(now, settings.close_after),
        duties,
    }
}

fn stakes(
    settings: &Settings,
    arrival: &Arrival,
    inspection: &Inspection,
    technical: bool,
) -> Stakes {
    let about = inspection.findings.iter().filter(|f| approval::is_about_colleagues(f.category));
    let addresses = inspection.audiences.iter().chain(&inspection.visible);
    Stakes {
        sender: arrival.envelope.reverse_path.clone(),
        addresses: addresses.map(|(address, _)| address.folded()).collect(),
        about_colleagues: about.map(|finding| finding.evidence.clone()).collect(),
        protected: inspection.verdict.approver() == Approver::SafeguardingLead
            || inspection.audiences.iter().any(|(one, _)| settings.school.is_protected(one)),
        technical: technical || inspection.verdict.approver() == Approver::Admin,
    }
}
