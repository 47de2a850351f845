//! The line of JSON that `schoolgate check` prints for a file. Pure: an inspection in, text out.
//!
//! Findings are masked unless the caller reveals them; paths of attachments stand as they are,
//! because without them the report could not say which attachment it means.

use std::time::Duration;

use serde::Serialize;

use crate::detect::Category;
use crate::detect::Confidence;
use crate::detect::Finding;
use crate::inspect::Inspection;
use crate::policy::Action;
use crate::policy::Attachment;
use crate::policy::Outcome;
use crate::policy::Protection;
use crate::policy::Reason;

/// Whether a report shows what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Category and size only.
    Masked,
    /// The words themselves.
    Revealed,
}

/// What is reported of one file.
#[derive(Debug, Serialize)]
pub struct CheckReport<'a> {
    file: &'a str,
    outcome: Outcome,
    actions: &'a [Action],
    reasons: Vec<ReasonLine<'a>>,
    /// Rules that would have held it but for monitor mode or shadow; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    would_hold: Vec<ReasonLine<'a>>,
    findings: Vec<FindingLine<'a>>,
    attachments: Vec<AttachmentLine<'a>>,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct ReasonLine<'a> {
    rule: &'a str,
    clause: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct FindingLine<'a> {
    category: Category,
    rule: &'a str,
    confidence: Confidence,
    text: String,
    #[serde(rename = "where")]
    place: String,
}

// A revealed report holds personal data, so its Debug says nothing of it.
impl std::fmt::Debug for FindingLine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[finding of {}]", self.rule)
    }
}

#[derive(Serialize)]
struct AttachmentLine<'a> {
    path: &'a str,
    r#type: &'a str,
    protection: &'static str,
}

impl std::fmt::Debug for AttachmentLine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[attachment of {}]", self.r#type)
    }
}

impl<'a> CheckReport<'a> {
    /// The report on the file of that name, inspected within that time.
    pub fn new(file: &'a str, inspection: &'a Inspection, took: Duration, show: Show) -> Self {
        let verdict = &inspection.verdict;
        Self {
            file,
            outcome: verdict.outcome,
            actions: &verdict.actions,
            reasons: verdict.reasons.iter().map(reason).collect(),
            would_hold: verdict.would_hold.iter().map(reason).collect(),
            findings: inspection.findings.iter().map(|one| finding(one, show)).collect(),
            attachments: inspection.attachments.iter().map(attachment).collect(),
            seconds: took.as_secs_f64(),
        }
    }

    /// One line, without its line ending.
    ///
    /// # Errors
    /// Where serde_json can't write it, which no value of these types brings about.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

fn reason(reason: &Reason) -> ReasonLine<'_> {
    ReasonLine { rule: &reason.rule, clause: &reason.clause, text: &reason.text }
}

fn finding(finding: &Finding, show: Show) -> FindingLine<'_> {
    FindingLine {
        category: finding.category,
        rule: &finding.rule,
        confidence: finding.confidence,
        text: match show {
            Show::Masked => finding.masked(),
            Show::Revealed => finding.evidence.expose().clone(),
        },
        place: finding.place.to_string(),
    }
}

fn attachment(attachment: &Attachment) -> AttachmentLine<'_> {
    AttachmentLine {
        path: attachment.path.expose(),
        r#type: &attachment.media_type,
        protection: match attachment.protection {
            Protection::None => "none",
            Protection::Strong => "strong",
            Protection::Weak => "weak",
            Protection::Partial => "partial",
            Protection::Unknown => "unknown",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Place;
    use crate::mail::Sensitive;
    use crate::policy::Approver;
    use crate::policy::Verdict;

    fn inspection() -> Inspection {
        let reason = Reason {
            rule: "data-outside".into(),
            clause: "P03".to_owned(),
            text: "It holds a pupil name.".to_owned(),
            advice: None,
            outcome: Outcome::Hold,
            approver: Approver::Head,
        };
        Inspection {
            audiences: Vec::new(),
            visible: Vec::new(),
            findings: vec![Finding {
                category: Category::PupilName,
                rule: "pupil-name".into(),
                confidence: Confidence::High,
                place: Place::Attachment("a.zip/list.csv".to_owned()),
                span: 0..9,
                evidence: Sensitive::new("Tom Brown".to_owned()),
            }],
            attachments: vec![Attachment {
                path: Sensitive::new("a.zip".to_owned()),
                media_type: "application/zip".to_owned(),
                protection: Protection::Unknown,
                evidence: String::new(),
            }],
            defects: Vec::new(),
            verdict: Verdict {
                outcome: Outcome::Hold,
                actions: vec![Action::ForceBcc],
                reasons: vec![reason],
                would_hold: Vec::new(),
            },
        }
    }

    #[test]
    fn the_line_is_what_the_manual_says_and_masked() {
        let inspection = inspection();
        let report =
            |show| CheckReport::new("x.eml", &inspection, Duration::from_millis(250), show);
        assert_eq!(
            report(Show::Masked).to_json().unwrap(),
            concat!(
                r#"{"file":"x.eml","outcome":"hold","actions":["force_bcc"],"#,
                r#""reasons":[{"rule":"data-outside","clause":"P03","text":"It holds a pupil name."}],"#,
                r#""findings":[{"category":"pupil_name","rule":"pupil-name","confidence":"high","#,
                r#""text":"[pupil name, 2 words]","where":"attachment:a.zip/list.csv"}],"#,
                r#""attachments":[{"path":"a.zip","type":"application/zip","protection":"unknown"}],"#,
                r#""seconds":0.25}"#
            )
        );
        let revealed = report(Show::Revealed);
        assert!(revealed.to_json().unwrap().contains(r#""text":"Tom Brown""#));
        assert!(!format!("{revealed:?}").contains("Tom"));
    }
}
