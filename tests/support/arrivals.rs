//! What arrives at the next hop, and waiting for some of it.

use schoolgate::smtp::sink::Manners;
use schoolgate::smtp::sink::Received;
use schoolgate::smtp::sink::Sink;

use super::wait::wait_until;

/// A next hop that keeps what arrives.
pub(crate) async fn next_hop(manners: Manners) -> Sink {
    Sink::start(([127, 0, 0, 1], 0).into(), manners).await.unwrap()
}

/// The message as text.
pub(crate) fn text(received: &Received) -> String {
    String::from_utf8(received.octets.clone()).unwrap()
}

/// What has arrived so far for this recipient.
pub(crate) fn to(sink: &Sink, recipient: &str) -> Vec<Received> {
    let is_to = |one: &Received| one.recipients.iter().any(|to| to == recipient);
    sink.received().into_iter().filter(is_to).collect()
}

/// The first message for this recipient that holds these words, as soon as it has arrived.
pub(crate) async fn arrives(sink: &Sink, recipient: &str, words: &str) -> String {
    let fitting = || to(sink, recipient).iter().map(text).find(|text| text.contains(words));
    wait_until(&format!("{words} for {recipient}"), || fitting().is_some()).await;
    fitting().unwrap()
}

/// How many messages with these words have arrived.
pub(crate) fn count(sink: &Sink, words: &str) -> usize {
    sink.received().iter().filter(|one| text(one).contains(words)).count()
}
