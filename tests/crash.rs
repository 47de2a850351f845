//! Crashes: the same story with a fault at its first file operation, its second, and so on, until
//! a run gets through. After each the store is opened again and must hold what was acknowledged,
//! once and whole; what was not acknowledged is there whole or not at all.

use std::collections::BTreeSet;
use std::path::Path;

use schoolgate::clock::Clock;
use schoolgate::mail::Condition;
use schoolgate::store::Disk;
use schoolgate::store::DueRecipient;
use schoolgate::store::Fate;
use schoolgate::store::How;
use schoolgate::store::Keys;
use schoolgate::store::MessageId;
use schoolgate::store::Store;

use crate::support::room::acceptance;
use crate::support::room::address;
use crate::support::room::files;
use crate::support::room::judgement;
use crate::support::room::open;
use crate::support::room::raw;
use crate::support::room::start;

/// The most operations a story can take; more means that the loop does not end.
const BOUND: usize = 400;
const FIRST: &str = "first@x.example";
const SECOND: &str = "second@x.example";
const THIRD: &str = "third@x.example";

#[tokio::test(flavor = "multi_thread")]
async fn the_power_fails_at_every_step() {
    every_step(How::PowerCut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_torn_at_every_step() {
    every_step(How::Torn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_fails_once_at_every_step() {
    every_step(How::Error).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full_once_at_every_step() {
    every_step(How::NoRoom).await;
}

async fn every_step(how: How) {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::create(&folder.path().join("keys")).unwrap();
    let data = folder.path().join("data");
    // The folders of the spool are made beforehand, else they would be most of the steps.
    drop(open(&data, &keys, &Clock::at(start())).await);
    for fail_at in 1..BOUND {
        let disk = Disk::faulty(fail_at, how);
        let acknowledged = story(&data, &keys, &disk).await;
        check(&data, &keys, &acknowledged, fail_at).await;
        if !disk.tripped() {
            assert_eq!(acknowledged.len(), 3);
            assert!(fail_at > 20, "a story of {fail_at} steps is not the one that was meant");
            return;
        }
    }
    panic!("the story never got through");
}

/// What the gateway told its clients.
#[derive(Default)]
struct Acknowledged(BTreeSet<(MessageId, &'static str)>, BTreeSet<MessageId>);

impl Acknowledged {
    fn len(&self) -> usize {
        self.0.len()
    }
}

async fn story(data: &Path, keys: &Keys, disk: &Disk) -> Acknowledged {
    let mut said = Acknowledged::default();
    let clock = Clock::at(start());
    let Ok(store) = Store::open(data, keys.clone(), clock, disk.clone()).await else {
        return said;
    };
    // Two at once, to share a batch; then one alone; then the first is delivered.
    let (first, second) = tokio::join!(accept(&store, FIRST), accept(&store, SECOND));
    let third = accept(&store, THIRD).await;
    for (id, to) in [(first, FIRST), (second, SECOND), (third, THIRD)] {
        said.0.extend(id.map(|id| (id, to)));
    }
    if let Some(id) = first {
        let delivered = vec![(address(FIRST), Fate::Delivered { code: 250 })];
        match store.note(id, delivered).await {
            Ok(()) => drop(said.1.insert(id)),
            Err(error) => assert!(!error.condition().reply().is_positive()),
        }
    }
    said
}

async fn accept(store: &Store, to: &str) -> Option<MessageId> {
    let sealing = store.receive(raw());
    match store.commit(sealing, acceptance(Some(judgement(&[to])))).await {
        Ok(committed) => Some(committed.id()),
        Err(error) => {
            let condition = error.condition();
            assert!(matches!(condition, Condition::NoRoom | Condition::LocalFault), "{error}");
            None
        }
    }
}

async fn check(data: &Path, keys: &Keys, said: &Acknowledged, step: usize) {
    let store = open(data, keys, &Clock::at(start())).await;
    let due = store.due(start(), 100, &[]).await.unwrap();
    let queued: BTreeSet<MessageId> = due.iter().map(|it| it.id).collect();
    assert_eq!(due.len(), queued.len(), "step {step}: each once");
    assert!(due.len() <= 3, "step {step}");
    for (id, to) in &said.0 {
        let delivered = said.1.contains(id);
        if delivered {
            assert!(!queued.contains(id), "step {step}: delivered and noted, not again");
            continue;
        }
        // A note that failed may stand after all; then the message is finished.
        let trace = store.message(*id).await.unwrap();
        assert!(trace.is_some(), "step {step}: acknowledged and lost");
        assert!(queued.contains(id) || *to == FIRST, "step {step}: acknowledged, not queued");
    }
    for message in &due {
        assert_eq!(store.load(message.id).await.unwrap().raw, raw(), "step {step}: whole");
    }
    let names: BTreeSet<String> = files(data).into_iter().collect();
    let wanted: BTreeSet<String> = queued.iter().map(|id| format!("{id}.age")).collect();
    assert_eq!(names, wanted, "step {step}: no file is left over");
    // The next run begins with an empty queue.
    for message in due {
        let delivered = |to: &DueRecipient| (to.address.clone(), Fate::Delivered { code: 250 });
        store.note(message.id, message.recipients.iter().map(delivered).collect()).await.unwrap();
    }
}
