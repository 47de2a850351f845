//! The program is killed at random moments while clients send. What it has answered with 250
//! arrives all the same; twice only where the kill fell between the next hop's 250 and the note
//! of it, which no relay can rule out (RFC 5321 section 4.5.4.1 and RFC 1047).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use schoolgate::smtp::sink::Manners;
use schoolgate::smtp::sink::Sink;
use tokio::time::sleep;

use crate::support::arrivals::next_hop;
use crate::support::arrivals::text;
use crate::support::gateway::Gateway;
use crate::support::gateway::OFFICE;
use crate::support::smtp::Dialogue;
use crate::support::smtp::letter;
use crate::support::wait::wait_until;

const KILLS: usize = 10;
const MESSAGES: usize = 200;
const CLIENTS: usize = 4;

/// What the clients share with the test.
#[derive(Default)]
struct Traffic {
    port: AtomicU16,
    over: AtomicBool,
    accepted: Mutex<Vec<String>>,
}

impl Traffic {
    fn accepted(&self) -> usize {
        self.accepted.lock().unwrap().len()
    }
}

/// Sends message upon message; whatever is not answered with 250 is nobody's promise, and the
/// client goes on with the next one.
async fn client(number: usize, traffic: Arc<Traffic>) {
    let mut sent = 0;
    while !traffic.over.load(Ordering::SeqCst) {
        let Ok(mut dialogue) = Dialogue::open(traffic.port.load(Ordering::SeqCst)).await else {
            tokio::task::yield_now().await;
            continue;
        };
        while !traffic.over.load(Ordering::SeqCst) {
            sent += 1;
            let id = format!("kill.{number}.{sent}");
            let to = format!("parent{number}@family.example");
            let message = letter(&id, &to, "Trip", "The coach leaves at nine.");
            match dialogue.send("office@oakfield.example", &[&to], &message).await {
                Ok(reply) if reply.starts_with("250 ") => {
                    traffic.accepted.lock().unwrap().push(id);
                }
                _no_promise => break,
            }
        }
    }
}

/// A small generator (xorshift), so that the moments of a failed run can be told.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis(self.0 % 400)
    }
}

/// How often each message has arrived.
fn arrivals(sink: &Sink) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in sink.received() {
        let text = text(&one);
        let id = text.split("Message-ID: <").nth(1).and_then(|rest| rest.split('@').next());
        *counts.entry(id.unwrap().to_owned()).or_default() += 1;
    }
    counts
}

/// Kills at the moments, each after some mail has been taken since the last; returns when enough
/// has been taken in all.
async fn kill_again_and_again(gateway: &mut Gateway, traffic: &Traffic, moments: &mut Moments) {
    for _kill in 0..KILLS {
        let enough = traffic.accepted() + 1;
        wait_until("some mail is taken", || traffic.accepted() >= enough).await;
        // The moment is the very thing under test; nothing is awaited by it.
        sleep(moments.next()).await;
        gateway.kill().await;
        gateway.restart().await;
        traffic.port.store(gateway.port(OFFICE), Ordering::SeqCst);
    }
    wait_until("enough mail is taken", || traffic.accepted() >= MESSAGES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_with_250_outlives_kills_at_any_moment() {
    let seed = u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()) | 1;
    println!("seed: {seed}");
    let sink = next_hop(Manners::default()).await;
    let mut gateway = Gateway::start(sink.address().port(), "").await;
    let traffic = Arc::new(Traffic::default());
    traffic.port.store(gateway.port(OFFICE), Ordering::SeqCst);
    let spawn = |number| tokio::spawn(client(number, Arc::clone(&traffic)));
    let clients: Vec<_> = (0..CLIENTS).map(spawn).collect();
    kill_again_and_again(&mut gateway, &traffic, &mut Moments(seed)).await;
    traffic.over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }

    let accepted = traffic.accepted.lock().unwrap().clone();
    wait_until("every message that was answered with 250", || {
        let arrived = arrivals(&sink);
        accepted.iter().all(|id| arrived.contains_key(id))
    })
    .await;
    // Copies may still be on their way until the gateway has ended.
    gateway.stop().await;
    let arrived = arrivals(&sink);
    let twice: usize = arrived.values().map(|count| count - 1).sum();
    println!("{} accepted, {} arrived, {twice} of them again", accepted.len(), arrived.len());
    // What was in flight at a kill is at most what the clients and the lanes had in hand.
    assert!(twice <= KILLS * CLIENTS * 5, "{twice} duplicates");
    assert!(twice * 5 <= accepted.len(), "{twice} duplicates of {}", accepted.len());
    gateway.done(&["audit", "verify", "--config"]).await;
}
