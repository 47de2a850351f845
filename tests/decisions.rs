//! Holds of the real program: what waits, who is told what, and what a decision does.

use schoolgate::smtp::sink::Manners;
use schoolgate::smtp::sink::Sink;

use crate::support::arrivals::arrives;
use crate::support::arrivals::count;
use crate::support::arrivals::next_hop;
use crate::support::arrivals::to;
use crate::support::gateway::Gateway;
use crate::support::smtp::letter;

const SENDER: &str = "office@oakfield.example";
const HEAD: &str = "head@oakfield.example";
const OUTSIDE: &str = "admissions@academy.example";
const UPN: &str = "B801200005001";
const WORDS: &str = "The number you asked for is";

struct Held {
    sink: Sink,
    gateway: Gateway,
    id: String,
}

/// A gateway that holds one message with a pupil's number for these recipients.
async fn held(recipients: &[&str]) -> Held {
    let sink = next_hop(Manners::default()).await;
    let gateway = Gateway::start(sink.address().port(), "").await;
    assert!(gateway.send(SENDER, recipients, &message()).await.starts_with("250 "));
    let id = only_hold(&gateway).await;
    Held { sink, gateway, id }
}

fn message() -> Vec<u8> {
    letter("held", OUTSIDE, "Unspoken title", &format!("{WORDS} {UPN}."))
}

async fn only_hold(gateway: &Gateway) -> String {
    let holds = gateway.held().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    holds[0]["id"].as_str().unwrap().to_owned()
}

fn assert_masked(text: &str) {
    for secret in [UPN, &UPN[..4], &UPN[5..], "Unspoken", WORDS] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_told_masked_and_released_once_by_the_head_only() {
    let Held { sink, gateway, id } = held(&[OUTSIDE]).await;
    assert_masked(&arrives(&sink, SENDER, "waits for approval").await);
    assert_masked(&arrives(&sink, HEAD, &id).await);
    assert_masked(&gateway.done(&["held", "list", "--json", "--config"]).await);
    assert_masked(&gateway.done(&["held", "list", "--config"]).await);
    let shown = gateway.hold(&["show", "--json"], &id, HEAD).await;
    assert_eq!(shown.code, 0, "{}", shown.complaint);
    assert_masked(&shown.out);
    let revealed = gateway.hold(&["show", "--json", "--reveal"], &id, HEAD).await;
    assert!(revealed.out.contains(UPN) && revealed.out.contains("Unspoken"), "{}", revealed.out);

    assert_ne!(gateway.hold(&["release"], &id, SENDER).await.code, 0);
    assert!(to(&sink, OUTSIDE).is_empty());
    let released = gateway.hold(&["release"], &id, HEAD).await;
    assert_eq!(released.code, 0, "{}", released.complaint);
    let arrived = arrives(&sink, OUTSIDE, UPN).await;
    assert!(arrived.contains("X-Schoolgate-Retention: "), "{arrived}");
    assert!(arrived.contains("meant for its addressee only"), "{arrived}");
    assert!(arrived.contains(&format!("{WORDS} {UPN}.\r\n")), "{arrived}");
    let again = gateway.hold(&["release"], &id, HEAD).await;
    assert_eq!(again.code, 1, "{}", again.complaint);
    arrives(&sink, SENDER, "was approved").await;
    assert_eq!(count(&sink, WORDS), 1);
    gateway.done(&["audit", "verify", "--config"]).await;
    assert_masked(&gateway.log().join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_tells_the_sender_the_reason() {
    let Held { sink, gateway, id } = held(&[OUTSIDE]).await;
    let refused = gateway.hold(&["refuse"], &id, HEAD).await;
    assert_eq!(refused.code, 0, "{}", refused.complaint);
    let told = arrives(&sink, SENDER, "was not approved").await;
    assert!(told.contains("the test asks"), "{told}");
    assert_masked(&told);
    let again = gateway.hold(&["release"], &id, HEAD).await;
    assert_eq!(again.code, 1, "{}", again.complaint);
    assert!(to(&sink, OUTSIDE).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn own_recipients_of_a_held_message_get_it_at_once() {
    let colleague = "senco@oakfield.example";
    let Held { sink, gateway, id } = held(&[colleague, OUTSIDE]).await;
    arrives(&sink, colleague, UPN).await;
    arrives(&sink, SENDER, "within the school got it at once").await;
    assert!(to(&sink, OUTSIDE).is_empty());
    assert_eq!(gateway.hold(&["release"], &id, HEAD).await.code, 0);
    arrives(&sink, OUTSIDE, UPN).await;
    assert_eq!(to(&sink, colleague).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_split_by_its_client_is_one_hold_and_one_release() {
    let Held { sink, gateway, id } = held(&[OUTSIDE]).await;
    let second = "trust@academy.example";
    assert!(gateway.send(SENDER, &[second], &message()).await.starts_with("250 "));
    assert_eq!(only_hold(&gateway).await, id);
    arrives(&sink, SENDER, "waits for approval").await;
    assert_eq!(gateway.hold(&["release"], &id, HEAD).await.code, 0);
    arrives(&sink, OUTSIDE, UPN).await;
    arrives(&sink, second, UPN).await;
    arrives(&sink, SENDER, "was approved").await;
    assert_eq!(to(&sink, OUTSIDE).len(), 1);
    assert_eq!(to(&sink, second).len(), 1);
    assert_eq!(count(&sink, "Subject: Your message waits for approval"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_does_not_decide_about_mail_of_their_own() {
    let sink = next_hop(Manners::default()).await;
    let gateway = Gateway::start(sink.address().port(), "").await;
    assert!(gateway.send(HEAD, &[OUTSIDE], &message()).await.starts_with("250 "));
    let id = only_hold(&gateway).await;
    for verb in [&["release"][..], &["refuse"], &["show", "--reveal"]] {
        let refused = gateway.hold(verb, &id, HEAD).await;
        assert_ne!(refused.code, 0, "{verb:?}");
        assert_masked(&refused.out);
        assert!(refused.complaint.contains("is the sender"), "{}", refused.complaint);
    }
    assert_eq!(only_hold(&gateway).await, id);
    assert!(to(&sink, OUTSIDE).is_empty());
}
