//! One connection to a next hop: what arrives, and what each recipient is told to have come of it.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use schoolgate::mail::Address;
use schoolgate::smtp::client::Answer;
use schoolgate::smtp::client::Body;
use schoolgate::smtp::client::ClientCertificate;
use schoolgate::smtp::client::Link;
use schoolgate::smtp::client::NextHop;
use schoolgate::smtp::client::Outcome;
use schoolgate::smtp::client::Parcel;
use schoolgate::smtp::client::Sent;
use schoolgate::smtp::client::SmtpHost;
use schoolgate::smtp::client::State;
use schoolgate::smtp::client::Timeouts;
use schoolgate::smtp::client::TlsMode;
use schoolgate::smtp::client::TlsPolicy;
use schoolgate::smtp::sink::How;
use schoolgate::smtp::sink::Manners;
use schoolgate::smtp::sink::Sink;
use schoolgate::smtp::sink::Step;

use crate::support::certificates::Authority;

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const MESSAGE: &[u8] = b"Subject: trip\r\n\r\n.dot\r\n..\r\nend\r\n";

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn host(sink: &Sink, tls: TlsPolicy, limit: Duration) -> SmtpHost {
    SmtpHost {
        host: sink.address().ip().to_string(),
        port: sink.address().port(),
        hello: "gate.school.example".to_owned(),
        tls,
        timeouts: Timeouts::all(limit),
    }
}

fn clear(sink: &Sink) -> SmtpHost {
    let tls = TlsPolicy::new(TlsMode::Off, "127.0.0.1", None, None).unwrap();
    host(sink, tls, Duration::from_secs(10))
}

async fn send<L: Link>(link: &mut L, to: &[&str], message: &[u8]) -> Sent {
    let recipients: Vec<Address> = to.iter().map(|text| address(text)).collect();
    let sender = address("office@school.example");
    let body = Body::check(vec![message]).unwrap();
    let parcel = Parcel {
        reverse_path: Some(&sender),
        recipients: &recipients,
        body: &body,
        smtp_utf8: false,
    };
    link.send(&parcel).await
}

fn code(outcome: Outcome) -> (&'static str, Option<u16>) {
    match outcome {
        Outcome::Delivered(answer) => ("delivered", answer.code),
        Outcome::Later(answer) => ("later", answer.code),
        Outcome::HostTrouble(answer) => ("trouble", answer.code),
        Outcome::Refused(answer) => ("refused", answer.code),
    }
}

#[tokio::test]
async fn the_octets_arrive_as_they_were_and_one_connection_carries_many() {
    let sink = Sink::start(LOCAL, Manners::default()).await.unwrap();
    let mut link = clear(&sink).connect().await.unwrap();
    let large = [b"Subject: x\r\n\r\n".as_slice(), &b"..0123456789\r\n".repeat(60_000)].concat();
    let messages: [&[u8]; 5] = [
        MESSAGE,
        b"\r\n",
        "Subject: gr\u{fc}n\r\n\r\n\u{1f600}\r\n".as_bytes(),
        b"a: b\r\n",
        &large,
    ];
    for message in messages {
        let sent = send(&mut link, &["parent@mail.example"], message).await;
        assert_eq!(sent.state, State::Ready);
    }
    link.close().await;
    let received = sink.received();
    assert!(received.iter().map(|r| r.octets.as_slice()).eq(messages));
    assert_eq!(sink.connections(), 1);
    assert_eq!(received[0].mail, "<office@school.example>");
    assert_eq!(received[2].mail, "<office@school.example> BODY=8BITMIME");
}

#[tokio::test]
async fn each_recipient_has_an_outcome_of_its_own() {
    for pipelining in [true, false] {
        let manners = Manners { pipelining, ..Manners::default() };
        let say = |words: &[u8]| How::Say(words.to_vec());
        manners.add(Step::Rcpt("gone@x.example".to_owned()), say(b"550 5.1.1 who?\r\n"), 1);
        manners.add(
            Step::Rcpt("full@x.example".to_owned()),
            say(b"452-4.2.2 full\r\n452 4.2.2 x\r\n"),
            1,
        );
        let sink = Sink::start(LOCAL, manners).await.unwrap();
        let mut link = clear(&sink).connect().await.unwrap();
        let to = ["a@x.example", "gone@x.example", "full@x.example", "\"b b\"@x.example"];
        let sent = send(&mut link, &to, MESSAGE).await;
        let codes: Vec<_> = sent.outcomes.iter().copied().map(code).collect();
        let expected = [
            ("delivered", Some(250)),
            ("refused", Some(550)),
            ("later", Some(452)),
            ("delivered", Some(250)),
        ];
        assert_eq!(codes, expected);
        let Outcome::Refused(answer) = sent.outcomes[1] else { panic!() };
        assert_eq!(answer.status, (5, 1, 1));
        assert_eq!(sink.received()[0].recipients, ["a@x.example", "\"b b\"@x.example"]);
    }
}

#[tokio::test]
async fn where_all_are_refused_no_data_is_sent_and_the_connection_lives() {
    for pipelining in [true, false] {
        let manners = Manners { pipelining, ..Manners::default() };
        let no = How::Say(b"550 5.1.1 no\r\n".to_vec());
        manners.add(Step::Rcpt("gone@x.example".to_owned()), no.clone(), 1);
        manners.add(Step::Data, How::Say(b"451 4.0.0 DATA was sent\r\n".to_vec()), 1);
        let sink = Sink::start(LOCAL, manners.clone()).await.unwrap();
        let mut link = clear(&sink).connect().await.unwrap();
        let sent = send(&mut link, &["gone@x.example"], MESSAGE).await;
        assert_eq!(code(sent.outcomes[0]), ("refused", Some(550)));
        let sent = send(&mut link, &["here@x.example"], MESSAGE).await;
        assert_eq!(code(sent.outcomes[0]), ("later", Some(451)));
        manners.add(Step::Mail, no, 1);
        let sent = send(&mut link, &["here@x.example", "b@x.example"], MESSAGE).await;
        assert_eq!(code(sent.outcomes[1]), ("refused", Some(550)));
        let sent = send(&mut link, &["here@x.example"], MESSAGE).await;
        assert_eq!(code(sent.outcomes[0]), ("delivered", Some(250)));
        assert_eq!((sink.connections(), sink.received().len()), (1, 1));
    }
}

#[tokio::test]
async fn a_host_that_falls_silent_is_left_in_time_at_every_step() {
    let rcpt = Step::Rcpt("a@x.example".to_owned());
    for step in [Step::Greeting, Step::Ehlo, Step::Mail, rcpt, Step::Data, Step::Body, Step::Kept] {
        for how in [How::Hang, How::Close] {
            let manners = Manners::default();
            manners.add(step.clone(), how.clone(), 1);
            let sink = Sink::start(LOCAL, manners).await.unwrap();
            let mut host = clear(&sink);
            host.timeouts = Timeouts::all(Duration::from_millis(150));
            let began = Instant::now();
            match host.connect().await {
                Err(error) => assert_eq!(error.answer.status.0, 4, "{step:?}"),
                Ok(mut link) => {
                    let sent = send(&mut link, &["a@x.example"], MESSAGE).await;
                    assert_eq!(code(sent.outcomes[0]).0, "trouble", "{step:?} {how:?}");
                    let seen = matches!(step, Step::Body | Step::Kept);
                    let state = if seen { State::Dead } else { State::DeadBeforeBody };
                    assert_eq!(sent.state, state, "{step:?} {how:?}");
                }
            }
            assert!(began.elapsed() < Duration::from_secs(5), "{step:?} {how:?}");
        }
    }
}

#[tokio::test]
async fn a_reply_in_latin_1_or_without_words_is_a_reply() {
    for reply in [b"250 2.0.0 gespeichert f\xfcr Sie\r\n".as_slice(), b"250\r\n"] {
        let manners = Manners::default();
        manners.add(Step::Kept, How::Say(reply.to_vec()), 1);
        let sink = Sink::start(LOCAL, manners).await.unwrap();
        let mut link = clear(&sink).connect().await.unwrap();
        let sent = send(&mut link, &["a@x.example"], MESSAGE).await;
        assert_eq!(code(sent.outcomes[0]), ("delivered", Some(250)));
        assert_eq!(sent.state, State::Ready);
    }
}

#[tokio::test]
async fn a_reply_that_is_none_is_passing_trouble() {
    let manners = Manners::default();
    manners.add(Step::End, How::Say(b"550-split\r\n250 codes\r\n".to_vec()), 1);
    let sink = Sink::start(LOCAL, manners).await.unwrap();
    let mut link = clear(&sink).connect().await.unwrap();
    let sent = send(&mut link, &["a@x.example"], MESSAGE).await;
    assert_eq!(sent.outcomes[0], Outcome::HostTrouble(Answer::NOT_SMTP));
}

#[tokio::test]
async fn what_the_host_cannot_take_is_never_sent() {
    let manners =
        Manners { size: Some(20), eight_bit: false, smtp_utf8: false, ..Manners::default() };
    let sink = Sink::start(LOCAL, manners).await.unwrap();
    let mut link = clear(&sink).connect().await.unwrap();
    for (to, message, answer) in [
        ("a@x.example", MESSAGE, Answer::TOO_LARGE),
        ("a@x.example", "gr\u{fc}n\r\n".as_bytes(), Answer::NEEDS_8BITMIME),
        ("gr\u{fc}n@x.example", b"a: b\r\n", Answer::NEEDS_SMTPUTF8),
    ] {
        let sent = send(&mut link, &[to], message).await;
        assert_eq!(sent.outcomes, [Outcome::Refused(answer)]);
    }
    let sent = send(&mut link, &["a@x.example"], b"a: b\r\n").await;
    assert_eq!(code(sent.outcomes[0]), ("delivered", Some(250)));
    assert_eq!(sink.received()[0].mail, "<office@school.example> SIZE=6");
}

#[tokio::test]
async fn opportunistic_tls_takes_any_certificate_and_a_host_without() {
    let stranger = Authority::new();
    let policy = TlsPolicy::new(TlsMode::Opportunistic, "127.0.0.1", None, None).unwrap();
    for starttls in [Some(stranger.server("wrong.example")), None] {
        let encrypted = starttls.is_some();
        let sink = Sink::start(LOCAL, Manners { starttls, ..Manners::default() }).await.unwrap();
        let host = host(&sink, policy.clone(), Duration::from_secs(10));
        let mut link = host.connect().await.unwrap();
        send(&mut link, &["a@x.example"], MESSAGE).await;
        assert_eq!(sink.received()[0].tls, encrypted);
        assert_eq!(sink.received()[0].octets, MESSAGE);
    }
}

#[tokio::test]
async fn required_tls_shows_our_certificate_to_the_right_host_and_nothing_to_others() {
    let (ours, stranger) = (Authority::new(), Authority::new());
    let own = ours.certify("gate.school.example");
    let identity = ClientCertificate::from_pem(own.chain.as_bytes(), own.key.as_bytes()).unwrap();
    let roots = ours.pem();
    let policy =
        TlsPolicy::new(TlsMode::Required, "mx.example", Some(roots.as_bytes()), Some(identity));
    let policy = policy.unwrap();
    for (starttls, fits) in [
        (Some(ours.server("mx.example")), true),
        (Some(ours.server("other.example")), false),
        (Some(stranger.server("mx.example")), false),
        (None, false),
    ] {
        let sink = Sink::start(LOCAL, Manners { starttls, ..Manners::default() }).await.unwrap();
        let host = host(&sink, policy.clone(), Duration::from_secs(10));
        match host.connect().await {
            Ok(mut link) => {
                assert!(fits);
                send(&mut link, &["a@x.example"], MESSAGE).await;
                let received = &sink.received()[0];
                assert!(received.tls && received.client_certificate);
            }
            Err(error) => {
                assert!(!fits);
                assert_eq!(error.answer, Answer::NO_TLS);
            }
        }
    }
}

#[tokio::test]
async fn what_is_injected_before_the_handshake_is_not_believed() {
    let ours = Authority::new();
    let manners = Manners {
        starttls: Some(ours.server("mx.example")),
        // Were these kept, they would answer EHLO, MAIL and RCPT inside TLS.
        injected: b"250-evil.example\r\n250 SIZE 1\r\n250 yes\r\n250 yes\r\n",
        ..Manners::default()
    };
    let sink = Sink::start(LOCAL, manners).await.unwrap();
    let roots = ours.pem();
    let policy = TlsPolicy::new(TlsMode::Required, "mx.example", Some(roots.as_bytes()), None);
    let mut host = host(&sink, policy.unwrap(), Duration::from_secs(10));
    host.timeouts.tls = Duration::from_millis(500);
    // Either the handshake chokes on them or they are gone with lettre's buffer.
    if let Ok(mut link) = host.connect().await {
        let sent = send(&mut link, &["a@x.example"], MESSAGE).await;
        assert_eq!(code(sent.outcomes[0]), ("delivered", Some(250)));
        assert!(sink.received()[0].tls);
    }
}
