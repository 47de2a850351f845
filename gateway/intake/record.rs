//! The sealed record of a judgement, out of the inspection and the plan.

use crate::inspect::Inspection;
use crate::mail::Message;
use crate::mail::Sensitive;
use crate::mail::rewrite::Plan;
use crate::policy::Reason;
use crate::store::Record;
use crate::store::RecordedAttachment;
use crate::store::RecordedFinding;
use crate::store::RecordedReason;

/// What is remembered of this message, to be sealed.
pub(super) fn of(message: &Message, inspection: &Inspection, plan: Option<&Plan>) -> Record {
    let verdict = &inspection.verdict;
    let reasons = verdict.reasons.iter().chain(&verdict.would_hold);
    Record {
        subject: message.first_text("subject"),
        findings: inspection.findings.iter().map(finding).collect(),
        reasons: reasons.map(reason).collect(),
        attachments: inspection.attachments.iter().map(attachment).collect(),
        outside: plan.map_or_else(Vec::new, |plan| plan.outside.clone()),
        own: plan.map_or_else(Vec::new, |plan| plan.own.clone()),
    }
}

fn finding(finding: &crate::detect::Finding) -> RecordedFinding {
    RecordedFinding {
        category: finding.category.id().to_owned(),
        rule: finding.rule.to_string(),
        confidence: finding.confidence.id().to_owned(),
        place: Sensitive::new(finding.place.to_string()),
        evidence: finding.evidence.clone(),
        masked: finding.masked(),
    }
}

fn reason(reason: &Reason) -> RecordedReason {
    RecordedReason {
        rule: reason.rule.to_string(),
        clause: reason.clause.clone(),
        text: reason.text.clone(),
    }
}

fn attachment(attachment: &crate::mail::Attachment) -> RecordedAttachment {
    RecordedAttachment {
        name: attachment.path.clone(),
        media_type: attachment.media_type.clone(),
        protection: attachment.protection.id().to_owned(),
        evidence: attachment.evidence.clone(),
    }
}
