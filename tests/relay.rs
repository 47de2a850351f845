//! The queue runner, against next hops that behave and that don't.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use schoolgate::clock::Clock;
use schoolgate::mail::Address;
use schoolgate::mail::Audience;
use schoolgate::mail::Splice;
use schoolgate::smtp::client::SmtpHost;
use schoolgate::smtp::client::Timeouts;
use schoolgate::smtp::client::TlsMode;
use schoolgate::smtp::client::TlsPolicy;
use schoolgate::smtp::relay::Due;
use schoolgate::smtp::relay::Fate;
use schoolgate::smtp::relay::Fresh;
use schoolgate::smtp::relay::LaneSettings;
use schoolgate::smtp::relay::Recipient;
use schoolgate::smtp::relay::RelayHandle;
use schoolgate::smtp::relay::Routing;
use schoolgate::smtp::relay::Schedule;
use schoolgate::smtp::relay::Settings;
use schoolgate::smtp::relay::start;
use schoolgate::smtp::sink::How;
use schoolgate::smtp::sink::Manners;
use schoolgate::smtp::sink::Sink;
use schoolgate::smtp::sink::Step;
use schoolgate::store::MessageId;

use crate::support::queue::Queue;
use crate::support::queue::letter;
use crate::support::wait::DEADLINE;
use crate::support::wait::wait_until;

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const GRACE: Duration = Duration::from_secs(5);

fn lane(name: &str, to: SocketAddr) -> LaneSettings<SmtpHost> {
    let hop = SmtpHost {
        host: to.ip().to_string(),
        port: to.port(),
        hello: "gate.school.example".to_owned(),
        tls: TlsPolicy::new(TlsMode::Off, "127.0.0.1", None, None).unwrap(),
        timeouts: Timeouts::all(Duration::from_secs(10)),
    };
    LaneSettings::new(name, hop)
}

/// Retries after some milliseconds, and polls as quickly.
fn quick() -> Settings {
    let delays = vec![Duration::from_millis(20)];
    Settings {
        schedule: Schedule { delays, max_age: Duration::from_secs(3600) },
        poll_every: Duration::from_millis(10),
        batch: 10,
        offer_window: Duration::ZERO,
    }
}

fn message(accepted: Timestamp, to: &[(&str, Audience)], raw: &[u8]) -> Fresh {
    let recipient = |(address, audience): &(&str, Audience)| Recipient {
        address: Address::parse(address).unwrap(),
        audience: *audience,
        attempts: 0,
    };
    let recipients = to.iter().map(recipient).collect();
    Fresh { due: Due { id: MessageId::new(accepted), accepted, recipients }, letter: letter(raw) }
}

fn to_one(address: &str, raw: &[u8]) -> Fresh {
    message(Clock::default().now(), &[(address, Audience::External)], raw)
}

fn run(queue: &Arc<Queue>, routing: Routing<SmtpHost>) -> RelayHandle {
    start(Arc::clone(queue), Clock::default(), routing, quick())
}

#[tokio::test]
async fn own_and_outside_copies_get_their_own_edits_and_each_recipient_one() {
    let sink = Sink::start(LOCAL, Manners::default()).await.unwrap();
    let queue = Arc::new(Queue::default());
    let to = [
        ("head@school.example", Audience::Own),
        ("parent@mail.example", Audience::External),
        ("social@council.example", Audience::Partner),
    ];
    let mut fresh = message(Clock::default().now(), &to, b"Subject: x\r\n\r\nhello\r\n");
    fresh.letter.outside = Arc::new([
        Splice { at: 0..0, with: b"X-Stamp: outside\r\n".to_vec() },
        Splice { at: 19..19, with: b"\r\n.disclaimer".to_vec() },
    ]);
    fresh.letter.own = Arc::new([Splice { at: 0..0, with: b"X-Stamp: own\r\n".to_vec() }]);
    queue.put(&fresh);
    let relay = run(&queue, Routing::new(lane("all", sink.address())));
    relay.offer(fresh);
    wait_until("all delivered", || queue.waiting() == 0).await;
    relay.stop(GRACE).await;
    let mut received = sink.received();
    received.sort_by_key(|one| one.recipients.len());
    let arrived: Vec<_> = received.iter().map(|r| (&r.recipients, r.octets.as_slice())).collect();
    let own = vec!["head@school.example".to_owned()];
    let outside = vec!["parent@mail.example".to_owned(), "social@council.example".to_owned()];
    assert_eq!(
        arrived,
        [
            (&own, b"X-Stamp: own\r\nSubject: x\r\n\r\nhello\r\n".as_slice()),
            (&outside, b"X-Stamp: outside\r\nSubject: x\r\n\r\nhello\r\n.disclaimer\r\n"),
        ]
    );
}

#[tokio::test]
async fn a_passing_refusal_is_tried_again_and_a_lasting_one_is_not() {
    let manners = Manners::default();
    manners.add(
        Step::Rcpt("busy@x.example".to_owned()),
        How::Say(b"450 4.2.1 busy\r\n".to_vec()),
        2,
    );
    manners.add(
        Step::Rcpt("gone@x.example".to_owned()),
        How::Say(b"550 5.1.1 gone\r\n".to_vec()),
        9,
    );
    let sink = Sink::start(LOCAL, manners).await.unwrap();
    let queue = Arc::new(Queue::default());
    let to =
        ["busy@x.example", "gone@x.example", "here@x.example"].map(|a| (a, Audience::External));
    let fresh = message(Clock::default().now(), &to, b"a: b\r\n");
    let id = fresh.due.id;
    queue.put(&fresh);
    let relay = run(&queue, Routing::new(lane("all", sink.address())));
    wait_until("all settled", || queue.waiting() == 0).await;
    relay.stop(GRACE).await;
    let busy = queue.fates(id, "busy@x.example");
    assert!(matches!(
        busy[..],
        [
            Fate::Deferred { counted: true, .. },
            Fate::Deferred { counted: true, .. },
            Fate::Delivered(_)
        ]
    ));
    let gone = queue.fates(id, "gone@x.example");
    assert!(matches!(gone[..], [Fate::Failed(answer)] if answer.status == (5, 1, 1)));
    assert_eq!(queue.fates(id, "here@x.example").len(), 1);
    let arrived: Vec<_> = sink.received().into_iter().flat_map(|r| r.recipients).collect();
    assert_eq!(arrived, ["here@x.example", "busy@x.example"]);
}

#[tokio::test]
async fn what_is_too_old_fails_as_expired() {
    let manners = Manners::default();
    manners.add(Step::Data, How::Say(b"451 4.3.0 later\r\n".to_vec()), usize::MAX);
    let sink = Sink::start(LOCAL, manners).await.unwrap();
    let queue = Arc::new(Queue::default());
    let clock = Clock::at("2026-11-24T08:00:00Z".parse().unwrap());
    let fresh = message(clock.now(), &[("a@x.example", Audience::External)], b"a: b\r\n");
    let id = fresh.due.id;
    queue.put(&fresh);
    let settings = Settings { schedule: Schedule::default(), ..quick() };
    let routing = Routing::new(lane("all", sink.address()));
    let relay = start(Arc::clone(&queue), clock.clone(), routing, settings);
    let mut tries = 0;
    while queue.waiting() > 0 {
        tries += 1;
        let noted = || queue.fates(id, "a@x.example").len() >= tries;
        wait_until("another attempt", noted).await;
        clock.advance(SignedDuration::from_hours(3));
    }
    relay.stop(GRACE).await;
    let fates = queue.fates(id, "a@x.example");
    assert!(matches!(fates.last(), Some(Fate::Failed(a)) if a.status == (4, 4, 7)));
    // 48 hours in steps of three: after 0, 3, … 48, and the first beyond.
    assert_eq!(fates.len(), 18);
}

#[tokio::test]
async fn one_hung_destination_holds_up_nobody_else() {
    let manners = Manners::default();
    manners.add(Step::Mail, How::Hang, usize::MAX);
    let hung = Sink::start(LOCAL, manners).await.unwrap();
    let good = Sink::start(LOCAL, Manners::default()).await.unwrap();
    let queue = Arc::new(Queue::default());
    // More for the hung host than an answer of the store holds, and all of it older.
    for _ in 0..40 {
        queue.put(&to_one("a@hung.example", b"a: b\r\n"));
    }
    let both = [("b@hung.example", Audience::External), ("b@good.example", Audience::External)];
    queue.put(&message(Clock::default().now(), &both, b"a: b\r\n"));
    let mut hung_lane = lane("hung", hung.address());
    hung_lane.hop.timeouts = Timeouts::all(Duration::from_secs(600));
    let routing = Routing::new(lane("good", good.address())).with(["hung.example"], hung_lane);
    let relay = run(&queue, routing);
    for _ in 0..40 {
        let fresh = to_one("c@good.example", b"a: b\r\n");
        queue.put(&fresh);
        relay.offer(fresh);
    }
    assert_eq!(good.wait_for(41, DEADLINE).await.len(), 41);
    assert_eq!(hung.received().len(), 0);
    relay.stop(Duration::from_millis(50)).await;
    assert_eq!(queue.waiting(), 41);
}

#[tokio::test]
async fn a_message_cut_off_in_the_middle_is_sent_again() {
    let manners = Manners::default();
    manners.add(Step::Body, How::Close, 2);
    manners.add(Step::End, How::Close, 1);
    let sink = Sink::start(LOCAL, manners).await.unwrap();
    let queue = Arc::new(Queue::default());
    let raw = b"0123456789\r\n".repeat(30_000);
    let fresh = to_one("a@x.example", &raw);
    queue.put(&fresh);
    let relay = run(&queue, Routing::new(lane("all", sink.address())));
    relay.offer(fresh);
    wait_until("delivered", || queue.waiting() == 0).await;
    relay.stop(GRACE).await;
    let received = sink.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].octets, raw);
}

#[tokio::test]
async fn each_message_arrives_once_while_connections_die_under_it() {
    let manners = Manners::default();
    manners.add(Step::Mail, How::Close, 25);
    manners.add(Step::Data, How::Say(b"421 4.3.2 closing\r\n".to_vec()), 1);
    let sink = Sink::start(LOCAL, manners).await.unwrap();
    let queue = Arc::new(Queue::default());
    let routing = Routing::new(LaneSettings { per_connection: 7, ..lane("all", sink.address()) });
    let relay = run(&queue, routing);
    let mut sent = Vec::new();
    for number in 0..300 {
        let fresh = to_one("a@x.example", format!("X-Number: {number}\r\n").as_bytes());
        sent.push(fresh.letter.raw.to_vec());
        queue.put(&fresh);
        // Some come by the hot path, some by polling alone, most race by both.
        if number % 5 > 0 {
            relay.offer(fresh);
        }
        if number % 20 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // The one that met the 421 waits for its minute.
    wait_until("nearly all delivered", || queue.waiting() <= 8).await;
    relay.stop(GRACE).await;
    let mut received: Vec<_> = sink.received().into_iter().map(|r| r.octets).collect();
    received.sort();
    let before = received.len();
    received.dedup();
    assert_eq!(received.len(), before, "a message came twice");
    assert_eq!(before, 300 - queue.waiting());
    assert!(received.iter().all(|one| sent.contains(one)));
    assert!(sink.connections() < 150, "{} connections", sink.connections());
}

#[tokio::test]
async fn a_host_that_is_away_costs_no_attempt() {
    let listener = std::net::TcpListener::bind(LOCAL).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let queue = Arc::new(Queue::default());
    let fresh = to_one("a@x.example", b"a: b\r\n");
    let id = fresh.due.id;
    queue.put(&fresh);
    let relay = run(&queue, Routing::new(lane("all", address)));
    wait_until("noted", || !queue.fates(id, "a@x.example").is_empty()).await;
    let sink = Sink::start(address, Manners::default()).await.unwrap();
    wait_until("delivered", || queue.waiting() == 0).await;
    relay.stop(GRACE).await;
    let fates = queue.fates(id, "a@x.example");
    let (last, before) = fates.split_last().unwrap();
    assert!(matches!(last, Fate::Delivered(_)));
    assert!(before.iter().all(|fate| matches!(fate, Fate::Deferred { counted: false, .. })));
    assert_eq!(sink.received().len(), 1);
}

#[tokio::test]
async fn bare_line_endings_never_leave() {
    let sink = Sink::start(LOCAL, Manners::default()).await.unwrap();
    let queue = Arc::new(Queue::default());
    let fresh = to_one("a@x.example", b"a: b\r\n\r\nx\n.\r\nMAIL FROM:<evil@x.example>\r\n");
    let id = fresh.due.id;
    queue.put(&fresh);
    let relay = run(&queue, Routing::new(lane("all", sink.address())));
    wait_until("settled", || queue.waiting() == 0).await;
    relay.stop(GRACE).await;
    let fates = queue.fates(id, "a@x.example");
    assert!(matches!(fates[..], [Fate::Failed(answer)] if answer.status == (5, 6, 0)));
    assert_eq!(sink.received().len(), 0);
}

/// Postfix's own sink writes each message to a file, headers of its own first.
#[tokio::test]
async fn postfix_receives_what_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind(LOCAL).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut sink = tokio::process::Command::new("/usr/sbin/smtp-sink")
        .args(["-u", "root", "-d", "message.", &address.to_string(), "100"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("smtp-sink of Debian's postfix package");
    wait_until("smtp-sink listens", || std::net::TcpStream::connect(address).is_ok()).await;
    let queue = Arc::new(Queue::default());
    let relay = run(&queue, Routing::new(lane("postfix", address)));
    let raw = [b"Subject: x\r\n\r\n".as_slice(), &b".line\r\n..\r\n.\r\n".repeat(5000)].concat();
    let mut fresh = to_one("a@x.example", &raw);
    fresh.letter.outside = Arc::new([Splice { at: 12..12, with: b"X-Stamp: yes\r\n".to_vec() }]);
    queue.put(&fresh);
    relay.offer(fresh);
    wait_until("delivered", || queue.waiting() == 0).await;
    relay.stop(GRACE).await;
    sink.kill().await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    let texts: Vec<_> = files.iter().map(|file| std::fs::read(file.path()).unwrap()).collect();
    let text = texts.iter().find(|text| !text.is_empty()).unwrap();
    let expected = String::from_utf8(raw).unwrap().replacen("\r\n", "\r\nX-Stamp: yes\r\n", 1);
    let arrived = String::from_utf8(text.clone()).unwrap();
    // It keeps lines with LF and adds one empty line behind a message.
    let expected = expected.replace("\r\n", "\n");
    let at = arrived.find("Subject: x").unwrap();
    assert_eq!(arrived[at..].trim_end_matches('\n'), expected.trim_end_matches('\n'));
    assert!(arrived[at..].starts_with("Subject: x\nX-Stamp: yes\n\n.line\n..\n.\n"));
}
