//! The conformance suite of the store: holds, siblings, late judgements and duties.

use jiff::SignedDuration;
use schoolgate::store::DecisionOutcome;
use schoolgate::store::DutyKind;
use schoolgate::store::DutyOutcome;
use schoolgate::store::HoldFilter;
use schoolgate::store::HoldState;
use schoolgate::store::Origin;
use schoolgate::store::Ruling;

use crate::support::room::Room;
use crate::support::room::acceptance;
use crate::support::room::decision;
use crate::support::room::files;
use crate::support::room::held;
use crate::support::room::judgement;
use crate::support::room::raw;
use crate::support::room::start;

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
