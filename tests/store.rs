//! The conformance suite of the store, over its public API.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::date;
use schoolgate::clock::Clock;
use schoolgate::detect::Category;
use schoolgate::mail::Address;
use schoolgate::mail::Audience;
use schoolgate::mail::Condition;
use schoolgate::mail::Envelope;
use schoolgate::mail::Sensitive;
use schoolgate::mail::Splice;
use schoolgate::policy::Outcome;
use schoolgate::store::Acceptance;
use schoolgate::store::AuditError;
use schoolgate::store::AuditEvent;
use schoolgate::store::Committed;
use schoolgate::store::Decision;
use schoolgate::store::DecisionOutcome;
use schoolgate::store::DeliveryState;
use schoolgate::store::Disk;
use schoolgate::store::DutyKind;
use schoolgate::store::DutyOutcome;
use schoolgate::store::FailedRecipient;
use schoolgate::store::Fate;
use schoolgate::store::HoldFilter;
use schoolgate::store::HoldId;
use schoolgate::store::HoldState;
use schoolgate::store::Judgement;
use schoolgate::store::Keys;
use schoolgate::store::MessageId;
use schoolgate::store::MessageState;
use schoolgate::store::NewDuty;
use schoolgate::store::NewHold;
use schoolgate::store::Origin;
use schoolgate::store::Record;
use schoolgate::store::RecordedFinding;
use schoolgate::store::Retention;
use schoolgate::store::Ruling;
use schoolgate::store::Store;
use schoolgate::store::StoreError;
use sqlx::Connection;
use tempfile::TempDir;

/// A subject and a body that must be found nowhere on the disk.
const SUBJECT: &str = "Swimming-badge-of-Tom-Brown";
const BODY: &str = "MARKER-the-content-of-the-letter-MARKER";

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

fn outside(text: &str) -> (Address, Audience) {
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

fn held(recipients: &[&str], visible: &[&str]) -> Judgement {
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

struct Room {
    folder: TempDir,
    keys: Keys,
    clock: Clock,
    store: Store,
}

impl Room {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::create(&folder.path().join("keys")).unwrap();
        let clock = Clock::at(start());
        let store = open(&folder.path().join("data"), &keys, &clock).await;
        Self { folder, keys, clock, store }
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    async fn reopen(&mut self) {
        let elsewhere = tempfile::tempdir().unwrap();
        // The old store must be gone before the lock can be had again.
        self.store = open(elsewhere.path(), &self.keys, &self.clock).await;
        self.store = open(&self.data(), &self.keys, &self.clock).await;
    }

    async fn accept(&self, judgement: Judgement) -> Committed {
        self.accept_at(judgement, self.clock.now()).await
    }

    async fn accept_at(&self, judgement: Judgement, at: Timestamp) -> Committed {
        let acceptance = Acceptance { accepted_at: at, ..acceptance(Some(judgement)) };
        self.store.commit(self.store.receive(raw()), acceptance).await.unwrap()
    }

    async fn decide(&self, hold: HoldId, ruling: Ruling) -> DecisionOutcome {
        self.store.decide(hold, decision(ruling)).await.unwrap()
    }

    async fn due(&self) -> Vec<(MessageId, Vec<String>)> {
        let due = self.store.due(self.clock.now(), 100, &[]).await.unwrap();
        let texts = |it: schoolgate::store::DueMessage| {
            let texts = it.recipients.iter().map(|to| to.address.as_str().to_owned()).collect();
            (it.id, texts)
        };
        due.into_iter().map(texts).collect()
    }

    async fn deliver(&self, id: MessageId, to: &str) {
        let fate = Fate::Delivered { code: 250 };
        self.store.note(id, vec![(address(to), fate)]).await.unwrap();
    }

    async fn duties(&self) -> Vec<DutyKind> {
        let due = self.store.due_duties(self.clock.now(), 100).await.unwrap();
        due.iter().map(|duty| duty.kind).collect()
    }

    async fn drop_duties(&self) {
        for duty in self.store.due_duties(self.clock.now(), 100).await.unwrap() {
            self.store.drop_duty(duty.id, "test").await.unwrap();
        }
    }

    async fn wait_for_files(&self, count: usize) {
        wait_until(|| files(&self.data()).len() == count).await;
    }
}

fn decision(ruling: Ruling) -> Decision {
    Decision {
        ruling,
        by: "root".to_owned(),
        for_approver: "head".to_owned(),
        reason: Sensitive::new(format!("agreed by telephone about {SUBJECT}")),
        break_glass: false,
    }
}

async fn open(folder: &Path, keys: &Keys, clock: &Clock) -> Store {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match Store::open(folder, keys.clone(), clock.clone(), Disk::Real).await {
            Err(StoreError::Locked) if Instant::now() < deadline => tokio::task::yield_now().await,
            other => return other.unwrap(),
        }
    }
}

async fn wait_until(mut state: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !state() {
        assert!(Instant::now() < deadline, "the state was not reached");
        tokio::task::yield_now().await;
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

fn corrupt(data: &Path, id: MessageId) {
    for shelf in std::fs::read_dir(data.join("spool")).unwrap() {
        let path = shelf.unwrap().path().join(format!("{id}.age"));
        if let Ok(mut bytes) = std::fs::read(&path) {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_commit_together_and_all_are_there() {
    let room = Room::open().await;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let store = room.store.clone();
            tokio::spawn(async move {
                let to = format!("parent{n}@home.example");
                let sealing = store.receive(raw());
                store.commit(sealing, acceptance(Some(judgement(&[&to])))).await.unwrap()
            })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        let committed = task.await.unwrap();
        let reply = committed.reply();
        assert_eq!(reply.to_string(), format!("250 2.0.0 queued as {}", committed.id()));
        ids.push(committed.id());
    }
    println!("64 messages in {:?}", begun.elapsed());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 64);
    assert_eq!(room.due().await.len(), 64);
    assert_eq!(files(&room.data()).len(), 64);
    for id in ids {
        let loaded = room.store.load(id).await.unwrap();
        assert_eq!(loaded.raw, raw());
        assert_eq!(loaded.origin, Origin::Door("exchange".to_owned()));
        assert_eq!(loaded.envelope.recipients.len(), 1);
        assert!(loaded.envelope.eight_bit);
        assert_eq!(loaded.record.unwrap(), judgement(&[]).record);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_message_leaves_no_trace() {
    let room = Room::open().await;
    drop(room.store.receive(raw()));
    let sealing = room.store.receive(raw());
    wait_until(|| files(&room.data()).iter().any(|name| name.ends_with(".age"))).await;
    drop(sealing);
    room.wait_for_files(0).await;
    assert_eq!(room.store.status().await.unwrap().queued, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_readable_lies_on_the_disk() {
    let room = Room::open().await;
    room.accept(judgement(&["a@home.example"])).await;
    let hold = room.accept(held(&["b@home.example"], &[])).await.hold().unwrap();
    room.decide(hold, Ruling::Release).await;
    let duty = NewDuty { payload: BODY.into(), ..NewDuty::new(DutyKind::Incident, start()) };
    room.accept(Judgement { duties: vec![duty], ..judgement(&[]) }).await;
    room.store.store_roll(format!("{SUBJECT},{BODY}").into_bytes()).await.unwrap();
    let mut looked_at = 0;
    let mut folders = vec![room.data()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            for marker in [SUBJECT, BODY, "Tom-Brown", "telephone"] {
                let found = bytes.windows(marker.len()).any(|it| it == marker.as_bytes());
                assert!(!found, "{marker} stands in {}", path.display());
            }
            looked_at += 1;
        }
    }
    assert!(looked_at >= 6, "database, WAL, lock, roll and three messages, saw {looked_at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_gateway_but_a_command_line_beside_it() {
    let room = Room::open().await;
    let again = Store::open(&room.data(), room.keys.clone(), room.clock.clone(), Disk::Real).await;
    assert!(matches!(again, Err(StoreError::Locked)));
    let hold = room.accept(held(&["b@home.example"], &[])).await.hold().unwrap();
    let beside =
        Store::open_beside(&room.data(), room.keys.clone(), room.clock.clone(), Disk::Real)
            .await
            .unwrap();
    let by_hand = Decision { break_glass: true, ..decision(Ruling::Release) };
    let outcome = beside.decide(hold, by_hand).await.unwrap();
    assert_eq!(outcome, DecisionOutcome::Decided { queued: 1 });
    assert_eq!(room.due().await.len(), 1, "the relay of the gateway sees it");
    assert!(room.duties().await.contains(&DutyKind::BreakGlass));
    room.store.audit(event()).await.unwrap();
    beside.audit(event()).await.unwrap();
    assert_eq!(room.store.verify_audit().await.unwrap(), 4);
}

fn event() -> AuditEvent {
    AuditEvent {
        actor: "head".to_owned(),
        action: "evidence-revealed".to_owned(),
        object: "a-message".to_owned(),
        detail: "pupil_name".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fates_are_noted_once_and_the_file_goes_at_the_end() {
    let room = Room::open().await;
    let id = room.accept(judgement(&["a@x.example", "b@x.example", "c@x.example"])).await.id();
    assert_eq!(room.store.due(start(), 10, &[id]).await.unwrap(), []);
    let later = start() + SignedDuration::from_mins(5);
    let failed = Fate::Failed {
        code: Some(550),
        status: (5, 1, 1),
        diagnostic: Some(Sensitive::new("no such user".to_owned())),
    };
    let fates = vec![
        (address("a@x.example"), Fate::Delivered { code: 250 }),
        (address("b@x.example"), Fate::Retry { at: later, code: Some(451) }),
        (address("c@x.example"), failed.clone()),
    ];
    room.store.note(id, fates.clone()).await.unwrap();
    assert_eq!(room.due().await, []);
    assert_eq!(room.store.next_due().await.unwrap(), Some(later));
    room.clock.advance(SignedDuration::from_mins(5));
    let due = room.store.due(room.clock.now(), 10, &[]).await.unwrap();
    assert_eq!(due[0].recipients.len(), 1);
    assert_eq!(due[0].recipients[0].attempts, 1);
    assert_eq!(due[0].accepted_at, start());

    room.store.note(id, vec![(address("c@x.example"), failed)]).await.unwrap();
    let duties = room.store.due_duties(room.clock.now(), 10).await.unwrap();
    assert_eq!(duties.len(), 1, "a second note of a final fate owes nothing");
    assert_eq!((duties[0].kind, duties[0].message), (DutyKind::DeliveryFailed, Some(id)));
    let report = FailedRecipient::from_payload(&duties[0].payload).unwrap();
    assert_eq!(report[0].address, address("c@x.example"));
    assert_eq!(report[0].status, (5, 1, 1));

    room.deliver(id, "b@x.example").await;
    let trace = room.store.message(id).await.unwrap().unwrap();
    assert!(trace.sealed, "the report still needs it");
    room.store.drop_duty(duties[0].id, "no-address").await.unwrap();
    room.wait_for_files(0).await;
    let trace = room.store.message(id).await.unwrap().unwrap();
    assert!(!trace.sealed);
    assert_eq!(trace.categories, ["pupil_name"]);
    assert_eq!(trace.would_hold, ["shadow-rule"]);
    let states: Vec<_> = trace.deliveries.iter().map(|it| (it.state, it.code)).collect();
    assert_eq!(states[0], (DeliveryState::Delivered, Some(250)));
    assert_eq!(states[2], (DeliveryState::Failed, Some(550)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_report_becomes_an_incident_not_a_report() {
    let room = Room::open().await;
    let mut report = acceptance(Some(judgement(&["office@school.example"])));
    report.envelope.reverse_path = None;
    let id = room.store.commit(room.store.receive(raw()), report).await.unwrap().id();
    let failed = Fate::Failed { code: None, status: (4, 4, 7), diagnostic: None };
    room.store.note(id, vec![(address("office@school.example"), failed)]).await.unwrap();
    assert_eq!(room.duties().await, [DutyKind::Incident]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_message_is_judged_once() {
    let room = Room::open().await;
    let sealing = room.store.receive(raw());
    let id = room.store.commit(sealing, acceptance(None)).await.unwrap().id();
    assert_eq!(room.store.waiting(start(), 10).await.unwrap(), [id]);
    assert_eq!(room.store.load(id).await.unwrap().record, None);
    let later = start() + SignedDuration::from_mins(1);
    assert_eq!(room.store.judging_failed(id, later).await.unwrap(), 1);
    assert_eq!(room.store.waiting(start(), 10).await.unwrap(), []);
    assert_eq!(room.store.judging_failed(id, later).await.unwrap(), 2);
    assert!(room.store.judge(id, &judgement(&["a@x.example"])).await.unwrap());
    assert!(!room.store.judge(id, &judgement(&["b@x.example"])).await.unwrap());
    assert_eq!(room.due().await, [(id, vec!["a@x.example".to_owned()])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_decisions_the_first_wins() {
    let room = Room::open().await;
    let hold = room.accept(held(&["a@x.example", "b@x.example"], &[])).await.hold().unwrap();
    assert_eq!(room.due().await, []);
    let race: Vec<_> = [Ruling::Release, Ruling::Refuse, Ruling::Release]
        .into_iter()
        .map(|ruling| {
            let store = room.store.clone();
            tokio::spawn(async move { store.decide(hold, decision(ruling)).await.unwrap() })
        })
        .collect();
    let mut won = Vec::new();
    for task in race {
        match task.await.unwrap() {
            DecisionOutcome::Decided { queued } => won.push(queued),
            DecisionOutcome::AlreadyDecided { at, for_approver, .. } => {
                assert_eq!((at, for_approver), (Some(start()), Some("head".to_owned())));
            }
            DecisionOutcome::TooLate => panic!("it is not too late"),
        }
    }
    assert_eq!(won.len(), 1);
    let state = room.store.hold(hold).await.unwrap().state;
    let queued = room.store.status().await.unwrap().queued;
    assert_eq!(queued, won[0]);
    assert_eq!(state == HoldState::Released, queued == 2);
    assert_eq!(room.store.verify_audit().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn siblings_share_one_hold_and_one_notice() {
    let room = Room::open().await;
    let first = room.accept(held(&["a@x.example"], &["b@x.example"])).await;
    let second = room.accept(held(&["B@x.example"], &[])).await;
    let copy = room.accept(held(&["a@x.example"], &[])).await;
    assert_eq!(first.hold(), second.hold());
    assert_eq!(first.hold(), copy.hold());
    assert_eq!(room.duties().await, [DutyKind::HeldToSender, DutyKind::HeldToApprover]);
    let hold = room.store.hold(first.hold().unwrap()).await.unwrap();
    assert_eq!((hold.messages.len(), hold.recipients.len()), (3, 2));
    room.decide(hold.id, Ruling::Release).await;
    let due = room.due().await;
    assert_eq!(due.len(), 2, "the copy for a sends nothing a second time");
    for (id, to) in due {
        room.deliver(id, &to[0]).await;
    }
    room.drop_duties().await;
    room.wait_for_files(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_sibling_follows_the_decision_unless_it_adds_recipients() {
    let room = Room::open().await;
    let hold = room.accept(held(&["a@x.example"], &["b@x.example"])).await.hold().unwrap();
    room.decide(hold, Ruling::Release).await;
    assert_eq!(room.due().await.len(), 1);
    let again = room.accept(held(&["a@x.example"], &[])).await;
    assert_eq!(room.due().await.len(), 1, "a has had its copy");
    let seen = room.accept(held(&["b@x.example"], &[])).await;
    assert_eq!((again.hold(), seen.hold()), (Some(hold), Some(hold)));
    assert!(room.due().await.contains(&(seen.id(), vec!["b@x.example".to_owned()])));
    let adds = room.accept(held(&["b@x.example", "c@x.example"], &[])).await;
    let new = room.store.hold(adds.hold().unwrap()).await.unwrap();
    assert_ne!(new.id, hold);
    assert_eq!(new.recipients.len(), 1, "only c waits, b has had its copy");
    assert_eq!(room.due().await.len(), 2);

    let next_day = start() + SignedDuration::from_hours(25);
    let late = room.accept_at(held(&["a@x.example"], &[]), next_day).await;
    assert_ne!(late.hold(), Some(hold), "after 24 hours it is a new matter");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_stays_refused() {
    let room = Room::open().await;
    let hold = room.accept(held(&["a@x.example"], &["b@x.example"])).await.hold().unwrap();
    room.decide(hold, Ruling::Refuse).await;
    let sibling = room.accept(held(&["b@x.example"], &[])).await;
    assert_eq!(sibling.hold(), Some(hold));
    assert_eq!(room.due().await, []);
    room.drop_duties().await;
    room.wait_for_files(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undecided_hold_escalates_closes_and_can_be_reopened_for_30_days() {
    let room = Room::open().await;
    let hold = room.accept(held(&["a@x.example"], &[])).await.hold().unwrap();
    let hours = |hours| start() + SignedDuration::from_hours(hours);
    assert_eq!(room.store.escalate_due(hours(3)).await.unwrap(), []);
    assert_eq!(room.store.escalate_due(hours(4)).await.unwrap(), [hold]);
    assert_eq!(room.store.escalate_due(hours(4)).await.unwrap(), []);
    assert_eq!(room.store.close_due(hours(119)).await.unwrap(), []);
    assert_eq!(room.store.close_due(hours(120)).await.unwrap(), [hold]);
    room.clock.advance(SignedDuration::from_hours(120));
    let duties = room.duties().await;
    assert!(duties.contains(&DutyKind::HoldEscalated) && duties.contains(&DutyKind::HoldClosed));
    assert_eq!(room.store.hold(hold).await.unwrap().state, HoldState::NotSent);
    room.drop_duties().await;
    assert_eq!(files(&room.data()).len(), 1, "it stays sealed for re-opening");
    assert_eq!(room.store.purge_due(hours(120 + 29 * 24)).await.unwrap(), []);
    room.clock.advance(SignedDuration::from_hours(29 * 24));
    assert_eq!(room.decide(hold, Ruling::Release).await, DecisionOutcome::Decided { queued: 1 });
    assert_eq!(room.due().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_30_days_a_closed_hold_is_gone() {
    let room = Room::open().await;
    let hold = room.accept(held(&["a@x.example"], &[])).await.hold().unwrap();
    let end = start() + SignedDuration::from_hours(120);
    room.store.close_due(end).await.unwrap();
    room.clock.advance(SignedDuration::from_hours(120 + 30 * 24));
    room.drop_duties().await;
    assert_eq!(room.decide(hold, Ruling::Release).await, DecisionOutcome::TooLate);
    assert_eq!(room.store.purge_due(room.clock.now()).await.unwrap(), [hold]);
    room.wait_for_files(0).await;
    let open = HoldFilter { state: Some(HoldState::NotSent), ..HoldFilter::default() };
    assert_eq!(room.store.list_holds(&open).await.unwrap().len(), 1, "the record stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duty_is_fulfilled_exactly_once() {
    let room = Room::open().await;
    room.accept(held(&["a@x.example"], &[])).await;
    let duty = room.store.due_duties(start(), 1).await.unwrap()[0].id;
    let race: Vec<_> = (0..4)
        .map(|_| {
            let store = room.store.clone();
            tokio::spawn(async move {
                let mut notice = acceptance(Some(judgement(&["office@school.example"])));
                notice.origin = Origin::Gateway;
                notice.envelope.reverse_path = None;
                store.fulfil(duty, store.receive(raw()), notice).await.unwrap()
            })
        })
        .collect();
    let mut made = Vec::new();
    for task in race {
        if let DutyOutcome::Done(committed) = task.await.unwrap() {
            made.push(committed.id());
        }
    }
    assert_eq!(made.len(), 1);
    assert_eq!(room.due().await, [(made[0], vec!["office@school.example".to_owned()])]);
    assert_eq!(room.store.load(made[0]).await.unwrap().origin, Origin::Gateway);
    assert_eq!(room.duties().await.len(), 1, "the other duty is still owed");
    room.wait_for_files(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_sets_its_message_aside_and_stops_nothing() {
    let room = Room::open().await;
    let bad = room.accept(judgement(&["a@x.example"])).await.id();
    let good = room.accept(judgement(&["b@x.example"])).await.id();
    corrupt(&room.data(), bad);
    for _ in 0..2 {
        assert!(matches!(room.store.load(bad).await, Err(StoreError::Corrupt(id)) if id == bad));
    }
    assert_eq!(room.duties().await, [DutyKind::Incident], "one incident, not one a try");
    assert_eq!(room.store.message(bad).await.unwrap().unwrap().state, MessageState::Corrupt);
    assert_eq!(room.due().await, [(good, vec!["b@x.example".to_owned()])]);
    assert!(room.store.load(good).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_sweeps_what_a_crash_left_and_nothing_else() {
    let mut room = Room::open().await;
    let id = room.accept(judgement(&["a@x.example"])).await.id();
    let shelf = room.data().join("spool/00");
    let orphan = MessageId::new(start());
    for name in [format!("{orphan}.age"), format!("{id}.tmp"), "stray".to_owned()] {
        std::fs::write(shelf.join(name), b"left over").unwrap();
    }
    room.reopen().await;
    assert_eq!(files(&room.data()), [format!("{id}.age")]);
    assert_eq!(room.store.load(id).await.unwrap().raw, raw());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_deleted_after_its_last_day_and_never_while_it_is_needed() {
    let room = Room::open().await;
    let sent = room.accept(judgement(&["a@x.example"])).await.id();
    room.deliver(sent, "a@x.example").await;
    let queued = room.accept(judgement(&["b@x.example"])).await.id();
    let waits = room.accept(held(&["c@x.example"], &[])).await.id();
    room.drop_duties().await;
    assert_eq!(room.store.purge(date(2029, 11, 24)).await.unwrap(), 0, "the last day is kept");
    assert_eq!(room.store.purge(date(2029, 11, 25)).await.unwrap(), 1);
    assert_eq!(room.store.message(sent).await.unwrap(), None);
    assert!(room.store.message(queued).await.unwrap().is_some());
    assert!(room.store.message(waits).await.unwrap().is_some());
    assert!(room.store.load(waits).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_append_only_and_shows_tampering() {
    let room = Room::open().await;
    for _ in 0..5 {
        room.store.audit(event()).await.unwrap();
    }
    assert_eq!(room.store.verify_audit().await.unwrap(), 5);
    assert_eq!(room.store.audit_head().await.unwrap().unwrap().0, 5);
    let path = format!("sqlite://{}", room.data().join("gateway.db").display());
    let mut db = sqlx::SqliteConnection::connect(&path).await.unwrap();
    for refused in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit WHERE seq = 3"] {
        assert!(sqlx::query(refused).execute(&mut db).await.is_err(), "{refused}");
    }
    sqlx::raw_sql("DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete;")
        .execute(&mut db)
        .await
        .unwrap();
    sqlx::query("UPDATE audit SET detail = 'health' WHERE seq = 3").execute(&mut db).await.unwrap();
    let broken = room.store.verify_audit().await;
    assert!(matches!(broken, Err(AuditError::Broken { seq: 3 })), "{broken:?}");
    sqlx::query("DELETE FROM audit WHERE seq = 3").execute(&mut db).await.unwrap();
    let broken = room.store.verify_audit().await;
    assert!(matches!(broken, Err(AuditError::Broken { seq: 4 })), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roll_is_replaced_whole() {
    let room = Room::open().await;
    assert_eq!(room.store.load_roll().await.unwrap(), None);
    room.store.store_roll(b"first".to_vec()).await.unwrap();
    room.clock.advance(SignedDuration::from_hours(1));
    room.store.store_roll(b"second".to_vec()).await.unwrap();
    let roll = room.store.load_roll().await.unwrap().unwrap();
    assert_eq!(roll.bytes, b"second");
    assert_eq!(roll.imported_at, start() + SignedDuration::from_hours(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_on_the_disk_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let room = Room::open().await;
    room.accept(judgement(&["a@x.example"])).await;
    let mut folders = vec![room.data()];
    while let Some(folder) = folders.pop() {
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o077, 0, "{folder:?}");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o077, 0, "{path:?}");
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
}

#[test]
fn the_client_is_told_to_come_again() {
    assert_eq!(StoreError::NoRoom.condition(), Condition::NoRoom);
    assert_eq!(StoreError::Closed.condition(), Condition::LocalFault);
}
