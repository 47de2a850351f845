//! The real program between real clients and a next hop: what is taken, refused and delivered.
//! Holds and their decisions stand in `decisions.rs`.

use schoolgate::smtp::sink::How;
use schoolgate::smtp::sink::Manners;
use schoolgate::smtp::sink::Step;
use tokio::process::Command;

use crate::support::arrivals::arrives;
use crate::support::arrivals::count;
use crate::support::arrivals::next_hop;
use crate::support::gateway::COPIERS;
use crate::support::gateway::Gateway;
use crate::support::gateway::OFFICE;
use crate::support::smtp::Dialogue;
use crate::support::smtp::letter;

const SENDER: &str = "office@oakfield.example";
const PARENT: &str = "parent@family.example";
const DISCLAIMER: &str = "meant for its addressee only";

/// A rule that refuses, as a school may write it.
const REFUSING: &str = "
find:
  - id: raffle
    title: The raffle
    clause: P16
    category: conduct
    confidence: high
    terms: [grand raffle]
    examples: { match: [the grand raffle] }
decide:
  - id: no-raffles
    title: No raffles
    clause: P12
    when: { findings: { rules: [raffle] } }
    then: { outcome: reject, text: Raffles are announced on paper only. }
    examples: { match: [{ findings: [conduct], by: raffle }] }
";

fn refusing_rules(folder: &std::path::Path) {
    let rules = folder.join("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join("own.yaml"), REFUSING).unwrap();
}

/// What every message that leaves must bear, and must not.
fn assert_rewritten(message: &str) {
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    for field in ["Received: from ", "X-Schoolgate-Retention: ", "X-Schoolgate-Loop: "] {
        assert_eq!(header.matches(field).count(), 1, "{field}: {header}");
    }
    assert!(!header.to_ascii_lowercase().contains("\r\nbcc:"), "{header}");
    assert_eq!(body.matches(DISCLAIMER).count(), 1, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_meets_every_expectation() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_schoolgate"));
    let output = demo.args(["demo", "--once"]).output().await.unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{out}");
    for title in [
        "a trip letter",
        "a UPN in the text",
        "health, split by markup",
        "a newsletter to many",
        "health, between colleagues",
        "a class list attached",
        "a report as PDF",
        "to a colleague and outside",
        "somebody else's mail",
    ] {
        assert_eq!(out.lines().filter(|line| line.starts_with(title)).count(), 1, "{title}: {out}");
    }
    assert!(out.contains("Every message met its expected end."), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_of_pythons_client_arrives_rewritten_and_without_bcc() {
    let sink = next_hop(Manners::default()).await;
    let gateway = Gateway::start(sink.address().port(), "").await;
    let script = format!(
        "import smtplib\n\
         c = smtplib.SMTP('127.0.0.1', {})\n\
         c.sendmail('{SENDER}', ['{PARENT}', 'other@family.example'],\n  \
         'From: {SENDER}\\r\\nTo: {PARENT}\\r\\nBcc: other@family.example\\r\\n'\n  \
         'Subject: Trip\\r\\n\\r\\nThe coach leaves at nine.\\r\\n.hidden dot\\r\\n')\n\
         c.quit()\n",
        gateway.port(OFFICE)
    );
    let output = Command::new("python3").args(["-c", &script]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let message = arrives(&sink, PARENT, "The coach leaves").await;
    assert_rewritten(&message);
    assert!(message.contains("\r\n.hidden dot\r\n"), "{message}");
    assert_rewritten(&arrives(&sink, "other@family.example", "The coach leaves").await);
    let log = gateway.log().join("\n");
    assert!(!log.contains(PARENT) && !log.contains("Trip"), "personal data in the log: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attachment_sent_by_swaks_arrives_whole() {
    let sink = next_hop(Manners::default()).await;
    let gateway = Gateway::start(sink.address().port(), "").await;
    let file = gateway.folder().join("menu.txt");
    std::fs::write(&file, "Monday: soup\nTuesday: pie\n").unwrap();
    let server = format!("127.0.0.1:{}", gateway.port(OFFICE));
    let attach = format!("@{}", file.display());
    let output = Command::new("swaks")
        .args(["--server", &server, "--from", SENDER, "--to", PARENT, "--body", "The menu."])
        .args(["--attach-type", "text/plain", "--attach", &attach])
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let message = arrives(&sink, PARENT, "The menu.").await;
    assert_rewritten(&message);
    // Base64 of the file, as swaks writes it.
    assert!(message.contains("TW9uZGF5OiBzb3VwClR1ZXNkYXk6IHBpZQo="), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_deadline_a_message_is_taken_and_judged_from_the_store() {
    let sink = next_hop(Manners::default()).await;
    let more = "inspection: { deadline: 0s }\nrules: { folder: rules }\n";
    let gateway = Gateway::start_with(sink.address().port(), more, refusing_rules).await;
    let good = letter("late.1", PARENT, "Trip", "The coach leaves at nine.");
    assert!(gateway.send(SENDER, &[PARENT], &good).await.starts_with("250 "));
    arrives(&sink, PARENT, "The coach leaves").await;
    gateway.logged("judged late").await;

    let bad = letter("late.2", PARENT, "Secret draw", "Come to the grand raffle!");
    assert!(gateway.send(SENDER, &[PARENT], &bad).await.starts_with("250 "));
    let report = arrives(&sink, SENDER, "multipart/report").await;
    assert!(report.contains("Raffles are announced on paper only."), "{report}");
    assert!(!report.contains("Secret draw"), "{report}");
    assert_eq!(count(&sink, "Come to the grand raffle!"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_in_time_is_told_to_the_client_in_the_rules_words() {
    let sink = next_hop(Manners::default()).await;
    let more = "rules: { folder: rules }\n";
    let gateway = Gateway::start_with(sink.address().port(), more, refusing_rules).await;
    let bad = letter("refused", PARENT, "Draw", "Come to the grand raffle!");
    let reply = gateway.send(SENDER, &[PARENT], &bad).await;
    assert!(reply.starts_with("554 "), "{reply}");
    assert!(reply.contains("Raffles are announced on paper only."), "{reply}");
    gateway.done(&["audit", "verify", "--config"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_monitor_mode_what_would_be_held_is_delivered_and_marked() {
    let sink = next_hop(Manners::default()).await;
    let more = "mode: monitor\nmonitor_header: { name: X-DLP-Hit }\n";
    let gateway = Gateway::start(sink.address().port(), more).await;
    let held = letter("monitor", PARENT, "Transfer", "The number is B801200005001.");
    assert!(gateway.send(SENDER, &[PARENT], &held).await.starts_with("250 "));
    let message = arrives(&sink, PARENT, "The number is").await;
    assert_rewritten(&message);
    assert!(message.contains("\r\nX-DLP-Hit: "), "{message}");
    assert!(gateway.held().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_refused_by_the_next_hop_is_reported_to_the_sender() {
    let manners = Manners::default();
    let gone = "gone@family.example";
    manners.add(Step::Rcpt(gone.to_owned()), How::Say(b"550 5.1.1 no such\r\n".to_vec()), 99);
    let sink = next_hop(manners).await;
    let gateway = Gateway::start(sink.address().port(), "").await;
    let both = letter("gone", PARENT, "Quiet words", "The coach leaves at nine.");
    assert!(gateway.send(SENDER, &[PARENT, gone], &both).await.starts_with("250 "));
    arrives(&sink, PARENT, "The coach leaves").await;
    let report = arrives(&sink, SENDER, "multipart/report").await;
    assert!(report.contains("report-type=delivery-status"), "{report}");
    assert!(report.contains(&format!("Final-Recipient: rfc822; {gone}")), "{report}");
    assert!(report.contains("Status: 5.1.1"), "{report}");
    assert!(!report.contains("Quiet words"), "{report}");
    assert!(!report.contains(&format!("Final-Recipient: rfc822; {PARENT}")), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_and_what_is_not_the_schools_is_refused() {
    let sink = next_hop(Manners::default()).await;
    let gateway = Gateway::start(sink.address().port(), "").await;
    let sent = letter("loop", PARENT, "Trip", "The coach leaves at nine.");
    assert!(gateway.send(SENDER, &[PARENT], &sent).await.starts_with("250 "));
    let back = arrives(&sink, PARENT, "The coach leaves").await;
    let reply = gateway.send(SENDER, &[PARENT], back.as_bytes()).await;
    assert!(reply.starts_with("554 5.4.6 "), "{reply}");
    let reply = gateway.send("somebody@elsewhere.example", &[PARENT], &sent).await;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bare_line_feeds_are_refused_or_mended_as_the_listener_says() {
    let sink = next_hop(Manners::default()).await;
    let gateway = Gateway::start(sink.address().port(), "").await;
    let text = String::from_utf8(letter("lf", PARENT, "Scan", "From the copier.")).unwrap();
    let bare = text.replace("copier.\r\n", "copier.\nSecond line.\r\n").into_bytes();
    let reply = gateway.send(SENDER, &[PARENT], &bare).await;
    assert!(reply.starts_with("554 "), "{reply}");
    let mut copier = Dialogue::open(gateway.port(COPIERS)).await.unwrap();
    assert!(copier.send(SENDER, &[PARENT], &bare).await.unwrap().starts_with("250 "));
    let message = arrives(&sink, PARENT, "From the copier.").await;
    assert!(message.contains("copier.\r\nSecond line.\r\n"), "{message}");
    assert_eq!(sink.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_when_asked_and_goes_on_where_it_was() {
    let manners = Manners::default();
    manners.add(Step::Mail, How::Say(b"451 4.3.0 later\r\n".to_vec()), 1);
    let sink = next_hop(manners).await;
    let mut gateway = Gateway::start(sink.address().port(), "").await;
    for id in ["stop.1", "stop.2"] {
        let message = letter(id, PARENT, "Trip", "The coach leaves at nine.");
        assert!(gateway.send(SENDER, &[PARENT], &message).await.starts_with("250 "));
        gateway.stop().await;
        gateway.restart().await;
    }
    arrives(&sink, PARENT, "<stop.2@oakfield.example>").await;
}
