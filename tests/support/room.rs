//! A store in a room of its own, and messages to put into it.

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::date;
use schoolgate::clock::Clock;
use schoolgate::detect::Category;
use schoolgate::mail::Address;
use schoolgate::mail::Audience;
use schoolgate::mail::Envelope;
use schoolgate::mail::Sensitive;
use schoolgate::mail::Splice;
use schoolgate::policy::Outcome;
use schoolgate::store::Acceptance;
use schoolgate::store::Committed;
use schoolgate::store::Decision;
use schoolgate::store::DecisionOutcome;
use schoolgate::store::Disk;
use schoolgate::store::DutyKind;
use schoolgate::store::Fate;
use schoolgate::store::HoldId;
use schoolgate::store::Judgement;
use schoolgate::store::Keys;
use schoolgate::store::MessageId;
use schoolgate::store::NewDuty;
use schoolgate::store::NewHold;
use schoolgate::store::Origin;
use schoolgate::store::Record;
use schoolgate::store::RecordedFinding;
use schoolgate::store::Retention;
use schoolgate::store::Ruling;
use schoolgate::store::Store;
use schoolgate::store::StoreError;
use tempfile::TempDir;

use crate::support::wait::DEADLINE;
use crate::support::wait::wait_until;

/// A subject and a body that must be found nowhere on the disk.
pub(crate) const SUBJECT: &str = "Swimming-badge-of-Tom-Brown";
pub(crate) const BODY: &str = "MARKER-the-content-of-the-letter-MARKER";

pub(crate) fn raw() -> Bytes {
    let text = format!("Subject: {SUBJECT}\r\n\r\n{BODY}\r\n");
    Bytes::from(text.into_bytes().repeat(40))
}

pub(crate) fn start() -> Timestamp {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn outside(text: &str) -> (Address, Audience) {
    (address(text), Audience::External)
}

pub(crate) fn judgement(deliver: &[&str]) -> Judgement {
    Judgement {
        outcome: Outcome::Deliver,
        rules: vec!["disclaimer".to_owned()],
        categories: vec![Category::PupilName],
        would_hold: vec!["shadow-rule".to_owned()],
        record: Record {
            subject: Some(Sensitive::new(SUBJECT.to_owned())),
            findings: vec![RecordedFinding {
                category: "pupil_name".to_owned(),
                rule: "pupil-name".to_owned(),
                confidence: "high".to_owned(),
                place: Sensitive::new("subject".to_owned()),
                evidence: Sensitive::new(SUBJECT.to_owned()),
                masked: "[pupil name, 2 words]".to_owned(),
            }],
            outside: vec![Splice { at: 0..0, with: BODY.as_bytes().to_vec() }],
            ..Record::default()
        },
        deliver: deliver.iter().map(|it| outside(it)).collect(),
        hold: None,
        duties: Vec::new(),
    }
}

pub(crate) fn held(recipients: &[&str], visible: &[&str]) -> Judgement {
    let at = |hours| start() + SignedDuration::from_hours(hours);
    Judgement {
        outcome: Outcome::Hold,
        hold: Some(NewHold {
            recipients: recipients.iter().map(|it| outside(it)).collect(),
            visible: visible.iter().map(|it| (*it).to_owned()).collect(),
            route: "head".to_owned(),
            escalate_at: at(4),
            close_at: at(120),
            duties: vec![
                NewDuty::new(DutyKind::HeldToSender, start()),
                NewDuty::new(DutyKind::HeldToApprover, start()),
            ],
        }),
        ..judgement(&[])
    }
}

pub(crate) fn acceptance(judgement: Option<Judgement>) -> Acceptance {
    let mut recipients: Vec<Address> = Vec::new();
    if let Some(it) = &judgement {
        recipients.extend(it.deliver.iter().map(|(address, _)| address.clone()));
        let held = it.hold.iter().flat_map(|hold| &hold.recipients);
        recipients.extend(held.map(|(address, _)| address.clone()));
    }
    Acceptance {
        envelope: Envelope {
            reverse_path: Some(address("office@school.example")),
            recipients,
            eight_bit: true,
            smtp_utf8: false,
        },
        origin: Origin::Door("exchange".to_owned()),
        accepted_at: start(),
        merge_key: [7; 32],
        retention: Retention { class: "standard".to_owned(), until: date(2029, 11, 24) },
        judgement,
    }
}

pub(crate) struct Room {
    pub(crate) folder: TempDir,
    pub(crate) keys: Keys,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
}

impl Room {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(&folder.path().join("keys")).unwrap();
        let clock = Clock::at(start());
        let store = open(&folder.path().join("data"), &keys, &clock).await;
        Self { folder, keys, clock, store }
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) async fn reopen(&mut self) {
        let elsewhere = tempfile::tempdir().unwrap();
        // The old store must be gone before the lock can be had again.
        self.store = open(elsewhere.path(), &self.keys, &self.clock).await;
        self.store = open(&self.data(), &self.keys, &self.clock).await;
    }

    pub(crate) async fn accept(&self, judgement: Judgement) -> Committed {
        self.accept_at(judgement, self.clock.now()).await
    }

    pub(crate) async fn accept_at(&self, judgement: Judgement, at: Timestamp) -> Committed {
        let acceptance = Acceptance { accepted_at: at, ..acceptance(Some(judgement)) };
        self.store.commit(self.store.receive(raw()), acceptance).await.unwrap()
    }

    pub(crate) async fn decide(&self, hold: HoldId, ruling: Ruling) -> DecisionOutcome {
        self.store.decide(hold, decision(ruling)).await.unwrap()
    }

    pub(crate) async fn due(&self) -> Vec<(MessageId, Vec<String>)> {
        let due = self.store.due(self.clock.now(), 100, &[]).await.unwrap();
        let texts = |it: schoolgate::store::DueMessage| {
            let texts = it.recipients.iter().map(|to| to.address.as_str().to_owned()).collect();
            (it.id, texts)
        };
        due.into_iter().map(texts).collect()
    }

    pub(crate) async fn deliver(&self, id: MessageId, to: &str) {
        let fate = Fate::Delivered { code: 250 };
        self.store.note(id, vec![(address(to), fate)]).await.unwrap();
    }

    pub(crate) async fn duties(&self) -> Vec<DutyKind> {
        let due = self.store.due_duties(self.clock.now(), 100).await.unwrap();
        due.iter().map(|duty| duty.kind).collect()
    }

    pub(crate) async fn drop_duties(&self) {
        for duty in self.store.due_duties(self.clock.now(), 100).await.unwrap() {
            self.store.drop_duty(duty.id, "test").await.unwrap();
        }
    }

    pub(crate) async fn wait_for_files(&self, count: usize) {
        wait_until("the files of the spool", || files(&self.data()).len() == count).await;
    }
}

pub(crate) fn decision(ruling: Ruling) -> Decision {
    Decision {
        ruling,
        by: "root".to_owned(),
        for_approver: "head".to_owned(),
        reason: Sensitive::new(format!("agreed by telephone about {SUBJECT}")),
        break_glass: false,
    }
}

pub(crate) async fn open(folder: &Path, keys: &Keys, clock: &Clock) -> Store {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match Store::open(folder, keys.clone(), clock.clone(), Disk::Real).await {
            Err(StoreError::Locked) if Instant::now() < deadline => tokio::task::yield_now().await,
            other => return other.unwrap(),
        }
    }
}

/// The files of the spool, by name.
pub(crate) fn files(data: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for shelf in std::fs::read_dir(data.join("spool")).unwrap() {
        for entry in std::fs::read_dir(shelf.unwrap().path()).unwrap() {
            names.push(entry.unwrap().file_name().into_string().unwrap());
        }
    }
    names
}

pub(crate) fn corrupt(data: &Path, id: MessageId) {
    for shelf in std::fs::read_dir(data.join("spool")).unwrap() {
        let path = shelf.unwrap().path().join(format!("{id}.age"));
        if let Ok(mut bytes) = std::fs::read(&path) {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
}
