//! The conformance suite of the store: messages, files, fates, the audit and the roll.

use std::time::Instant;

use jiff::SignedDuration;
use jiff::civil::date;
use schoolgate::mail::Condition;
use schoolgate::mail::Sensitive;
use schoolgate::store::AuditError;
use schoolgate::store::AuditEvent;
use schoolgate::store::Decision;
use schoolgate::store::DecisionOutcome;
use schoolgate::store::DeliveryState;
use schoolgate::store::Disk;
use schoolgate::store::DutyKind;
use schoolgate::store::FailedRecipient;
use schoolgate::store::Fate;
use schoolgate::store::Judgement;
use schoolgate::store::MessageId;
use schoolgate::store::MessageState;
use schoolgate::store::NewDuty;
use schoolgate::store::Origin;
use schoolgate::store::Ruling;
use schoolgate::store::Store;
use schoolgate::store::StoreError;
use sqlx::Connection;

use crate::support::room::BODY;
use crate::support::room::Room;
use crate::support::room::SUBJECT;
use crate::support::room::acceptance;
use crate::support::room::address;
use crate::support::room::corrupt;
use crate::support::room::decision;
use crate::support::room::files;
use crate::support::room::held;
use crate::support::room::judgement;
use crate::support::room::raw;
use crate::support::room::start;
use crate::support::wait::wait_until;

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
    wait_until("a sealed file", || files(&room.data()).iter().any(|name| name.ends_with(".age")))
        .await;
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
