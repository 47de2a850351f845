//! One message inspected: texts out of its parts, findings in the texts, a verdict on the findings.
//!
//! This is the only place that knows the order. It is pure: the same message, rules, roll and
//! school give the same inspection. Rewriting, storing and answering are the caller's.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::detect::Category;
use crate::detect::Detectors;
use crate::detect::Finding;
use crate::detect::Roll;
use crate::detect::TooLarge;
use crate::extract::Extraction;
use crate::extract::TextSource;
use crate::mail;
use crate::mail::Address;
use crate::mail::Attachment;
use crate::mail::Audience;
use crate::mail::Defect;
use crate::mail::Envelope;
use crate::mail::Mailbox;
use crate::mail::Message;
use crate::policy::Facts;
use crate::policy::Mode;
use crate::policy::Ruleset;
use crate::policy::School;
use crate::policy::Verdict;

/// Everything a judgement needs; immutable, so that a change of rules or roll makes a new one and
/// no message is judged half by each.
pub struct Inspector {
    rules: Arc<Ruleset>,
    detectors: Detectors,
    school: Arc<School>,
    mode: Mode,
    source: Arc<dyn TextSource>,
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// What was seen in one message, and what shall become of it.
#[derive(Debug)]
pub struct Inspection {
    /// The envelope's recipients and how far outside they stand, in envelope order.
    pub audiences: Vec<(Address, Audience)>,
    /// Distinct addresses that the header shows to every reader, with how far outside they stand,
    /// sorted.
    pub visible: Vec<(Address, Audience)>,
    /// What was found, in the order of the texts.
    pub findings: Vec<Finding>,
    /// What is attached.
    pub attachments: Vec<Attachment>,
    /// What is ambiguous or broken, each kind once.
    pub defects: Vec<Defect>,
    /// What becomes of the message, and why.
    pub verdict: Verdict,
}

impl Inspector {
    /// Builds the one automaton over all rules and the roll.
    ///
    /// # Errors
    /// [`TooLarge`] where rules and roll together are too large to build.
    pub fn new(
        rules: Arc<Ruleset>,
        roll: &Roll,
        school: Arc<School>,
        mode: Mode,
        source: Arc<dyn TextSource>,
    ) -> Result<Self, TooLarge> {
        let detectors = Detectors::new(rules.finders(), roll, &school.laestabs)?;
        Ok(Self { rules, detectors, school, mode, source })
    }

    /// Inspects one message.
    pub fn inspect(&self, envelope: &Envelope, message: &Message) -> Inspection {
        let Extraction { texts, attachments, defects, calendar_attendees } =
            self.source.texts(message);
        let mut findings = self.detectors.scan(&texts);
        forget_name_of_only_reader(&mut findings, envelope, message);
        let audiences = self.with_audience(envelope.recipients.iter().cloned());
        let visible =
            self.distinct(mail::visible_recipients(message).into_iter().map(|m| m.address));
        let attendees = self.distinct(calendar_attendees.into_iter());
        let mut all_defects = message.defects().to_vec();
        all_defects.extend(defects);
        all_defects.sort_unstable();
        all_defects.dedup();
        let facts = Facts {
            sender: envelope.reverse_path.as_ref(),
            recipients: &audiences,
            visible_outside: count(&visible, |audience| audience != Audience::Own),
            visible_untrusted: count(&visible, |audience| audience == Audience::External),
            calendar_attendees_outside: count(&attendees, |audience| audience != Audience::Own),
            findings: &findings,
            attachments: &attachments,
            defects: &all_defects,
        };
        let verdict = self.rules.decide(&facts, self.mode);
        Inspection { audiences, visible, findings, attachments, defects: all_defects, verdict }
    }

    fn with_audience(&self, addresses: impl Iterator<Item = Address>) -> Vec<(Address, Audience)> {
        addresses
            .map(|address| {
                let audience = self.school.audience_of(&address);
                (address, audience)
            })
            .collect()
    }

    /// Each mailbox once, however it is spelled.
    fn distinct(&self, addresses: impl Iterator<Item = Address>) -> Vec<(Address, Audience)> {
        let once: HashMap<String, Address> = addresses.map(|one| (one.folded(), one)).collect();
        let mut list = self.with_audience(once.into_values());
        list.sort_unstable_by_key(|(address, _)| address.folded());
        list
    }
}

fn count(addresses: &[(Address, Audience)], which: impl Fn(Audience) -> bool) -> usize {
    addresses.iter().filter(|(_, audience)| which(*audience)).count()
}

/// A person's name is no news to that person: where one recipient is the only reader, findings of
/// the very name that the header gives that recipient are dropped. Health and the rest stay.
fn forget_name_of_only_reader(findings: &mut Vec<Finding>, envelope: &Envelope, message: &Message) {
    let visible = mail::visible_recipients(message);
    let [recipient] = envelope.recipients.as_slice() else { return };
    let is_recipient = |mailbox: &Mailbox| mailbox.address.folded() == recipient.folded();
    if !visible.iter().all(is_recipient) {
        return;
    }
    let names: Vec<Vec<String>> = visible
        .iter()
        .filter_map(|mailbox| mailbox.display_name.as_ref())
        .map(|name| words(name.expose()))
        .collect();
    findings.retain(|finding| {
        finding.category != Category::PupilName
            || !names.contains(&words(finding.evidence.expose()))
    });
}

/// The words of a name in one order, however it is written.
fn words(name: &str) -> Vec<String> {
    let parts = name.split(|char: char| !char.is_alphanumeric()).filter(|part| !part.is_empty());
    let mut words: Vec<String> = parts.map(str::to_lowercase).collect();
    words.sort_unstable();
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Pupil;
    use crate::extract::InProcess;
    use crate::mail::Limits;
    use crate::policy::Action;
    use crate::policy::DomainPattern;
    use crate::policy::Outcome;
    use crate::policy::RecipientPattern;

    fn inspector(mode: Mode) -> Inspector {
        let pupil = |forename: &str, surname: &str| Pupil {
            forename: forename.into(),
            surname: surname.into(),
            ..Pupil::default()
        };
        let pupils = vec![pupil("Tom", "Brown"), pupil("Amira", "Khan")];
        let roll = Roll::new(pupils, jiff::civil::date(2026, 9, 1));
        let school = School {
            own: vec![DomainPattern::parse("school.example").unwrap()],
            partners: vec![RecipientPattern::parse("council.example").unwrap()],
            protected: vec![RecipientPattern::parse("lado@council.example").unwrap()],
            laestabs: Vec::new(),
        };
        let rules = Arc::new(Ruleset::shipped().unwrap());
        Inspector::new(rules, &roll, Arc::new(school), mode, Arc::new(InProcess::default()))
            .unwrap()
    }

    fn inspect(mode: Mode, to: &[&str], header: &str, body: &str) -> Inspection {
        let envelope = Envelope {
            reverse_path: Address::parse("office@school.example").ok(),
            recipients: to.iter().map(|to| Address::parse(to).unwrap()).collect(),
            eight_bit: false,
            smtp_utf8: false,
        };
        let raw = format!("From: office@school.example\r\n{header}\r\n\r\n{body}\r\n");
        let message = Message::parse(raw.into_bytes().into(), &Limits::default());
        inspector(mode).inspect(&envelope, &message)
    }

    fn rules(inspection: &Inspection) -> Vec<&str> {
        inspection.findings.iter().map(|finding| &*finding.rule).collect()
    }

    const PARENT: &str = "parent@mail.example";

    #[test]
    fn what_stands_in_a_body_is_found_placed_and_held() {
        let body = "Tom\r\nBrown has asthma, UPN B801200005001.";
        let seen = inspect(Mode::Enforce, &[PARENT], "To: parent@mail.example\r\nSubject: x", body);
        assert_eq!(rules(&seen), ["pupil-name", "health-of-person", "upn"]);
        assert_eq!(seen.verdict.outcome, Outcome::Hold);
        let seen = inspect(Mode::Monitor, &[PARENT], "To: parent@mail.example\r\nSubject: x", body);
        assert_eq!(seen.verdict.outcome, Outcome::Deliver);
        assert_eq!(&*seen.verdict.would_hold[0].rule, "data-outside");
        let own = ["head@school.example"];
        let seen = inspect(Mode::Enforce, &own, "To: head@school.example\r\nSubject: x", body);
        assert_eq!((seen.verdict.outcome, seen.findings.len()), (Outcome::Deliver, 3));
    }

    #[test]
    fn a_name_in_an_encoded_subject_is_held_by_the_clause_of_subjects() {
        let header = "To: parent@mail.example\r\nSubject: =?utf-8?q?Amira_Khan?=";
        let seen = inspect(Mode::Enforce, &[PARENT], header, "Hello");
        assert_eq!(seen.verdict.reasons[0].clause, "P05");
    }

    #[test]
    fn many_visible_strangers_are_hidden_and_partners_alone_are_not() {
        let list = |domain: &str| {
            let all: Vec<String> = (0..11).map(|n| format!("p{n}@{domain}")).collect();
            format!("To: {}, P0@{domain}\r\nSubject: x", all.join(",\r\n "))
        };
        let seen = inspect(Mode::Enforce, &[PARENT], &list("mail.example"), "Hello");
        assert_eq!(seen.visible.len(), 11);
        assert_eq!(seen.verdict.actions, [Action::ForceBcc, Action::AppendDisclaimer]);
        let seen = inspect(Mode::Enforce, &[PARENT], &list("council.example"), "Hello");
        assert_eq!(seen.verdict.actions, [Action::AppendDisclaimer]);
    }

    #[test]
    fn a_readers_own_name_is_no_finding_in_mail_to_that_reader_alone() {
        let alone = "To: \"Brown, Tom\" <parent@mail.example>\r\nSubject: x";
        let seen = inspect(Mode::Enforce, &[PARENT], alone, "Dear Tom Brown,");
        assert_eq!((rules(&seen), seen.verdict.outcome), (vec![], Outcome::Deliver));
        let seen = inspect(Mode::Enforce, &[PARENT], alone, "Dear Tom Brown, Amira Khan is ill");
        assert_eq!(rules(&seen), ["pupil-name"]);
        let seen = inspect(Mode::Enforce, &[PARENT], alone, "Tom Brown has asthma");
        assert_eq!(rules(&seen), ["health-of-person"]);
        let two = format!("{alone}\r\nCc: other@mail.example");
        let seen = inspect(Mode::Enforce, &[PARENT], &two, "Dear Tom Brown,");
        assert_eq!(rules(&seen), ["pupil-name"]);
    }

    #[test]
    fn mail_to_a_protected_recipient_is_judged_like_any_other() {
        let header = "To: lado@council.example\r\nSubject: Tom Brown";
        let seen = inspect(Mode::Enforce, &["LADO@council.example"], header, "asthma");
        assert_eq!(seen.verdict.outcome, Outcome::Hold);
    }

    #[test]
    fn markup_inside_a_word_hides_nothing_and_a_bare_term_holds_nothing() {
        let header = "To: parent@mail.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n\
            Content-Type: text/html; charset=utf-8";
        let body = "<p>Tom Br<b>own</b> needs his <i>Epi</i><span>Pen</span>.</p>";
        let seen = inspect(Mode::Enforce, &[PARENT], header, body);
        assert_eq!(rules(&seen), ["pupil-name", "health-of-person"]);
        assert!(seen.findings.iter().all(|one| one.place.to_string() == "body-html"));
        assert_eq!(seen.verdict.outcome, Outcome::Hold);
        let seen = inspect(Mode::Enforce, &[PARENT], header, "<p>An EpiPen is in the office.</p>");
        assert_eq!(rules(&seen), ["health-terms"]);
        assert_eq!(seen.verdict.outcome, Outcome::Deliver);
    }

    fn with_file(mode: Mode, to: &str, media_type: &str, name: &str, data: &str) -> Inspection {
        let header = format!(
            "To: {to}\r\nSubject: x\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed; boundary=b"
        );
        let body = format!(
            "--b\r\nContent-Type: text/plain\r\n\r\nPlease see the file.\r\n\
             --b\r\nContent-Type: {media_type}\r\n\
             Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n{data}\r\n--b--"
        );
        inspect(mode, &[to], &header, &body)
    }

    fn held_by(inspection: &Inspection) -> Vec<&str> {
        let holds = inspection.verdict.reasons.iter().filter(|r| r.outcome == Outcome::Hold);
        holds.map(|reason| &*reason.rule).collect()
    }

    #[test]
    fn a_list_in_an_attachment_is_read_and_held() {
        let csv = "surname,forename,note\r\nKhan,Amira,asthma";
        let seen = with_file(Mode::Enforce, PARENT, "text/csv", "class.csv", csv);
        assert_eq!(held_by(&seen), ["data-outside"]);
        assert_eq!(rules(&seen), ["pupil-name", "health-of-person"]);
        assert!(seen.findings.iter().all(|f| f.place.to_string() == "attachment:class.csv"));
    }

    #[test]
    fn what_cannot_be_read_is_held_outside_and_delivered_inside() {
        let send = |mode, to| with_file(mode, to, "application/pdf", "report.pdf", "%PDF-1.7");
        let seen = send(Mode::Enforce, PARENT);
        assert_eq!(seen.attachments[0].protection, crate::policy::Protection::Unknown);
        assert_eq!(held_by(&seen), ["not-inspectable"]);
        assert_eq!(held_by(&send(Mode::Enforce, "x@council.example")), ["not-inspectable"]);
        let seen = send(Mode::Enforce, "head@school.example");
        assert_eq!(seen.verdict.outcome, Outcome::Deliver);
        let seen = send(Mode::Monitor, PARENT);
        assert_eq!(seen.verdict.outcome, Outcome::Deliver);
        assert_eq!(&*seen.verdict.would_hold[0].rule, "not-inspectable");
    }

    #[test]
    fn personal_data_to_many_is_held_and_still_hidden_on_release() {
        let all: Vec<String> = (0..11).map(|n| format!("p{n}@mail.example")).collect();
        let header = format!("To: {}\r\nSubject: x", all.join(",\r\n "));
        let seen = inspect(Mode::Enforce, &[PARENT], &header, "Tom Brown has asthma.");
        assert_eq!(held_by(&seen), ["data-outside", "bulk-sensitive"]);
        assert_eq!(seen.verdict.actions, [Action::ForceBcc, Action::AppendDisclaimer]);
        let ten = format!("To: {}\r\nSubject: x", all[..10].join(",\r\n "));
        let seen = inspect(Mode::Enforce, &[PARENT], &ten, "Hello");
        assert_eq!(seen.verdict.actions, [Action::AppendDisclaimer]);
    }

    /// Through the whole way: a school's own words with their own confidence, a refused file
    /// ending, and a hold that monitor mode keeps.
    #[test]
    fn rules_of_ones_own_work_end_to_end() {
        let own = r"
find:
  - { id: club, title: Club, clause: P16, category: conduct, confidence: high, terms: [secret club], examples: { match: [the secret club] } }
decide:
  - id: keep-club
    title: Keep
    clause: P16
    when: { findings: { rules: [club], confidence: high } }
    then: { outcome: hold, monitor: keep, text: It names the club. }
    examples: { match: [{ findings: [conduct], by: club }] }
  - id: no-xyz
    title: No xyz
    clause: P12
    when: { attachments: { extensions: [xyz] } }
    then: { outcome: reject, text: No such files. }
    examples: { match: [{ attachment: a.xyz }] }
";
        let mut files = Ruleset::shipped_files();
        files.push(("own.yaml".to_owned(), own.to_owned()));
        let rules = Arc::new(Ruleset::load(&files).unwrap());
        let judge = |name: &str, data: &str| {
            let shipped = inspector(Mode::Monitor);
            let source = Arc::new(InProcess::default());
            let roll = Roll::default();
            let own =
                Inspector::new(Arc::clone(&rules), &roll, shipped.school, Mode::Monitor, source);
            let raw = format!(
                "From: office@school.example\r\nTo: {PARENT}\r\nMIME-Version: 1.0\r\n\
                 Content-Type: text/plain\r\nContent-Disposition: attachment; \
                 filename=\"{name}\"\r\n\r\n{data}\r\n"
            );
            let envelope = Envelope {
                reverse_path: None,
                recipients: vec![Address::parse(PARENT).unwrap()],
                eight_bit: false,
                smtp_utf8: false,
            };
            let message = Message::parse(raw.into_bytes().into(), &Limits::default());
            own.unwrap().inspect(&envelope, &message).verdict
        };
        let verdict = judge("a.txt", "Join the Secret Club");
        assert_eq!((verdict.outcome, &*verdict.reasons[0].rule), (Outcome::Hold, "keep-club"));
        let verdict = judge("a.XYZ", "Hello");
        assert_eq!((verdict.outcome, &*verdict.reasons[0].rule), (Outcome::Reject, "no-xyz"));
        assert_eq!(judge("a.txt", "Hello").outcome, Outcome::Deliver);
    }
}
