//! What a duty is about, read back from the store in the words notices may use.

use crate::approval::Stakes;
use crate::approval::is_about_colleagues;
use crate::detect::Category;
use crate::mail::Address;
use crate::mail::Sensitive;
use crate::store::Hold;
use crate::store::Loaded;
use crate::store::RecordedFinding;

use super::found::Found;

/// The stakes of a hold as it lies in the store.
pub fn stakes_of(hold: &Hold, first: &Loaded, is_protected: &dyn Fn(&Address) -> bool) -> Stakes {
    let findings = first.record.iter().flat_map(|record| &record.findings);
    let about = findings.filter(|f| category(f).is_some_and(is_about_colleagues));
    let recipients = first.envelope.recipients.iter();
    let recipients = recipients.chain(hold.recipients.iter().map(|one| &one.address));
    Stakes {
        sender: first.envelope.reverse_path.clone(),
        addresses: recipients.clone().map(Address::folded).collect(),
        about_colleagues: about.map(|finding| finding.evidence.clone()).collect(),
        protected: recipients.clone().any(is_protected),
        technical: hold.route == "admin",
    }
}

/// Each domain of the recipients once.
pub(super) fn domains<'a>(recipients: impl Iterator<Item = &'a Address>) -> Vec<String> {
    let mut domains: Vec<String> = recipients.map(|one| one.domain().to_owned()).collect();
    domains.sort_unstable();
    domains.dedup();
    domains
}

/// The recorded findings counted by category and kind of place.
pub(super) fn found(findings: &[RecordedFinding]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for finding in findings {
        let Some(category) = category(finding) else { continue };
        let place = place_kind(&finding.place);
        match all.iter_mut().find(|one| one.category == category && one.place == place) {
            Some(one) => one.count += 1,
            None => all.push(Found { category, place, count: 1 }),
        }
    }
    all.sort_unstable();
    all
}

fn category(finding: &RecordedFinding) -> Option<Category> {
    Category::ALL.iter().copied().find(|category| category.id() == finding.category)
}

/// [`Place::kind`](crate::mail::Place::kind) of a recorded place, whose names stay unsaid.
fn place_kind(place: &Sensitive<String>) -> &'static str {
    match place.expose().split(':').next() {
        Some("subject") => "the subject line",
        Some("header") => "a header field",
        Some("attachment") => "an attachment",
        Some("attachment-name") => "the name of an attachment",
        _ => "the text of the message",
    }
}
