//! The queue runner with the real store: from the commit to the last note.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::civil::date;
use schoolgate::clock::Clock;
use schoolgate::mail::Address;
use schoolgate::mail::Audience;
use schoolgate::mail::Envelope;
use schoolgate::mail::Splice;
use schoolgate::policy::Outcome;
use schoolgate::smtp::client::SmtpHost;
use schoolgate::smtp::client::Timeouts;
use schoolgate::smtp::client::TlsMode;
use schoolgate::smtp::client::TlsPolicy;
use schoolgate::smtp::relay;
use schoolgate::smtp::sink::How;
use schoolgate::smtp::sink::Manners;
use schoolgate::smtp::sink::Sink;
use schoolgate::smtp::sink::Step;
use schoolgate::store::Acceptance;
use schoolgate::store::Delivery;
use schoolgate::store::DeliveryState;
use schoolgate::store::Disk;
use schoolgate::store::DutyKind;
use schoolgate::store::Judgement;
use schoolgate::store::Keys;
use schoolgate::store::MessageId;
use schoolgate::store::Origin;
use schoolgate::store::Record;
use schoolgate::store::Retention;
use schoolgate::store::Store;

use crate::support::wait::DEADLINE;

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const RAW: &[u8] = b"Subject: x\r\n\r\nhello\r\n";

fn acceptance(clock: &Clock, to: &[(&str, Audience)]) -> Acceptance {
    let deliver: Vec<_> =
        to.iter().map(|(text, audience)| (Address::parse(text).unwrap(), *audience)).collect();
    let splice = |text: &str| vec![Splice { at: 0..0, with: text.as_bytes().to_vec() }];
    let record = Record {
        outside: splice("X: outside\r\n"),
        own: splice("X: own\r\n"),
        ..Record::default()
    };
    Acceptance {
        envelope: Envelope {
            reverse_path: Some(Address::parse("office@school.example").unwrap()),
            recipients: deliver.iter().map(|(address, _)| address.clone()).collect(),
            eight_bit: false,
            smtp_utf8: false,
        },
        origin: Origin::Door("lan".to_owned()),
        accepted_at: clock.now(),
        merge_key: [0; 32],
        retention: Retention { class: "standard".to_owned(), until: date(2029, 11, 24) },
        judgement: Some(Judgement {
            outcome: Outcome::Deliver,
            rules: Vec::new(),
            categories: Vec::new(),
            would_hold: Vec::new(),
            record,
            deliver,
            hold: None,
            duties: Vec::new(),
        }),
    }
}

fn hop(sink: &Sink) -> SmtpHost {
    SmtpHost {
        host: sink.address().ip().to_string(),
        port: sink.address().port(),
        hello: "gate.school.example".to_owned(),
        tls: TlsPolicy::new(TlsMode::Off, "127.0.0.1", None, None).unwrap(),
        timeouts: Timeouts::all(Duration::from_secs(10)),
    }
}

async fn deliveries(store: &Store, id: MessageId, settled: usize) -> Vec<Delivery> {
    let began = std::time::Instant::now();
    loop {
        let deliveries = store.message(id).await.unwrap().unwrap().deliveries;
        let done = deliveries.iter().filter(|one| one.attempts > 0 && one.code.is_some()).count();
        if done >= settled {
            return deliveries;
        }
        assert!(began.elapsed() < DEADLINE, "waited in vain for {settled} outcomes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_was_committed_is_delivered_noted_and_reported() {
    let manners = Manners::default();
    for (recipient, reply) in
        [("gone@x.example", "550 5.1.1 gone\r\n"), ("busy@x.example", "450 4.2.1 busy\r\n")]
    {
        manners.add(Step::Rcpt(recipient.to_owned()), How::Say(reply.as_bytes().to_vec()), 1);
    }
    let sink = Sink::start(LOCAL, manners).await.unwrap();
    let room = tempfile::tempdir().unwrap();
    let keys = Keys::create(&room.path().join("keys")).unwrap();
    let clock = Clock::at("2026-11-24T09:00:00Z".parse().unwrap());
    let store =
        Store::open(&room.path().join("data"), keys, clock.clone(), Disk::Real).await.unwrap();
    let store = Arc::new(store);
    let to = [
        ("head@school.example", Audience::Own),
        ("gone@x.example", Audience::External),
        ("busy@x.example", Audience::External),
        ("here@x.example", Audience::Partner),
    ];
    let sealing = store.receive(Bytes::from_static(RAW));
    let id = store.commit(sealing, acceptance(&clock, &to)).await.unwrap().id();
    let settings = relay::Settings {
        poll_every: Duration::from_millis(10),
        offer_window: Duration::ZERO,
        ..relay::Settings::default()
    };
    let routing = relay::Routing::new(relay::LaneSettings::new("all", hop(&sink)));
    let running = relay::start(Arc::clone(&store), clock.clone(), routing, settings);

    let first = deliveries(&store, id, 4).await;
    let state = |all: &[Delivery], who: &str| {
        let one = all.iter().find(|one| one.recipient.as_str() == who).unwrap();
        (one.state, one.code)
    };
    assert_eq!(state(&first, "head@school.example"), (DeliveryState::Delivered, Some(250)));
    assert_eq!(state(&first, "here@x.example"), (DeliveryState::Delivered, Some(250)));
    assert_eq!(state(&first, "gone@x.example"), (DeliveryState::Failed, Some(550)));
    assert_eq!(state(&first, "busy@x.example"), (DeliveryState::Queued, Some(450)));
    let duties = store.due_duties(clock.now(), 10).await.unwrap();
    assert!(duties.iter().any(|duty| duty.kind == DutyKind::DeliveryFailed));

    clock.advance(jiff::SignedDuration::from_secs(70));
    assert_eq!(sink.wait_for(3, DEADLINE).await.len(), 3);
    running.stop(Duration::from_secs(5)).await;
    let last = store.message(id).await.unwrap().unwrap().deliveries;
    assert_eq!(state(&last, "busy@x.example"), (DeliveryState::Delivered, Some(250)));
    let mut arrived: Vec<_> =
        sink.received().into_iter().map(|r| (r.octets, r.recipients)).collect();
    arrived.sort();
    let copy = |first: &str, to: &str| ([first.as_bytes(), RAW].concat(), vec![to.to_owned()]);
    assert_eq!(
        arrived,
        [
            copy("X: outside\r\n", "busy@x.example"),
            copy("X: outside\r\n", "here@x.example"),
            copy("X: own\r\n", "head@school.example"),
        ]
    );
}
