//! The fields the gateway puts on top of a message.
//!
//! Nothing here names a recipient, and nothing that came from outside is written unfiltered: a
//! HELO name is the peer's to choose.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::request::{DisclaimerOutcome, Monitor, Retention, Trace, Unrewritable};

/// Every field of ours begins so; on entry all such fields are forged and go.
pub(super) const OWN_PREFIX: &str = "X-Schoolgate-";
/// The field that recognises our own product.
pub(super) const LOOP_FIELD: &str = "X-Schoolgate-Loop";
/// The field that says why there is no disclaimer.
const DISCLAIMER_FIELD: &str = "X-Schoolgate-Disclaimer";
/// The retention stamp.
const RETENTION_FIELD: &str = "X-Schoolgate-Retention";

/// What all copies of one message have in common.
pub(super) struct Stamps<'a> {
    pub(super) trace: &'a Trace<'a>,
    pub(super) loop_mark: &'a str,
    pub(super) disclaimer: DisclaimerOutcome,
    pub(super) monitor: Option<Monitor<'a>>,
}

impl Stamps<'_> {
    /// The block of fields with the given retention stamp, and how many fields it holds.
    pub(super) fn block(&self, retention: &Retention<'_>) -> Result<(String, usize), Unrewritable> {
        let mut block = received(self.trace);
        let class = word(retention.class);
        line(&mut block, RETENTION_FIELD, &format!("class={class}; until={}", retention.until));
        line(&mut block, LOOP_FIELD, &format!("v1;\r\n\t{}", word(self.loop_mark)));
        let mut fields = 3;
        if let DisclaimerOutcome::Omitted(reason) = self.disclaimer {
            line(&mut block, DISCLAIMER_FIELD, &format!("omitted; reason={}", reason.word()));
            fields += 1;
        }
        if let Some(monitor) = self.monitor {
            if !is_field_name(monitor.name) {
                return Err(Unrewritable::FieldName);
            }
            let rules: Vec<String> = monitor.rules.iter().map(|rule| word(rule)).collect();
            line(&mut block, monitor.name, &rules.join(",\r\n\t"));
            fields += 1;
        }
        Ok((block, fields))
    }
}

fn line(block: &mut String, name: &str, value: &str) {
    block.push_str(name);
    block.push_str(": ");
    block.push_str(value);
    block.push_str("\r\n");
}

fn received(trace: &Trace<'_>) -> String {
    let peer = match trace.peer {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("IPv6:{address}"),
    };
    let mut block = String::new();
    let (helo, by) = (word(trace.helo), word(trace.by));
    let (protocol, id) = (word(trace.protocol), word(trace.id));
    let date: String = trace.date.chars().filter(|c| (' '..='~').contains(c)).collect();
    // Writing to a String can't fail; the result says so only because the trait is general.
    let written = write!(
        block,
        "Received: from {helo} ([{peer}])\r\n\tby {by} with {protocol} id {id};\r\n\t{date}\r\n"
    );
    debug_assert!(written.is_ok());
    block
}

/// A value without anything that could end a line, open a comment or start another token.
fn word(text: &str) -> String {
    let keep = |c: char| if c.is_ascii_graphic() && !"();,<>\\\"".contains(c) { c } else { '?' };
    let word: String = text.chars().take(255).map(keep).collect();
    if word.is_empty() { "unknown".to_owned() } else { word }
}

fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':')
}

#[cfg(test)]
mod tests {
    use super::super::request::OmitReason;
    use super::*;

    fn trace(helo: &str) -> Trace<'_> {
        Trace {
            helo,
            peer: IpAddr::from([192, 0, 2, 7]),
            by: "gate.school.example",
            protocol: "ESMTPS",
            id: "0192",
            date: "Mon, 2 Mar 2026 09:00:00 +0000",
        }
    }

    #[test]
    fn writes_the_block_in_its_order() {
        let rules = ["pupil-name".to_owned(), "upn".to_owned()];
        let stamps = Stamps {
            trace: &trace("mail.school.example"),
            loop_mark: "abc",
            disclaimer: DisclaimerOutcome::Omitted(OmitReason::Signed),
            monitor: Some(Monitor { name: "X-DLP-Hit", rules: &rules }),
        };
        let retention = Retention { class: "standard", until: jiff::civil::date(2029, 3, 2) };
        let expected = "Received: from mail.school.example ([192.0.2.7])\r\n\
            \tby gate.school.example with ESMTPS id 0192;\r\n\
            \tMon, 2 Mar 2026 09:00:00 +0000\r\n\
            X-Schoolgate-Retention: class=standard; until=2029-03-02\r\n\
            X-Schoolgate-Loop: v1;\r\n\tabc\r\n\
            X-Schoolgate-Disclaimer: omitted; reason=signed\r\n\
            X-DLP-Hit: pupil-name,\r\n\tupn\r\n";
        assert_eq!(stamps.block(&retention), Ok((expected.to_owned(), 5)));
    }

    #[test]
    fn a_helo_name_cannot_write_a_header() {
        let block = received(&trace("a\r\nBcc: x@y.example (z"));
        assert!(block.starts_with("Received: from a??Bcc:?x@y.example??z ([192.0.2.7])\r\n\tby"));
    }

    #[test]
    fn a_bad_monitor_name_is_refused() {
        let stamps = Stamps {
            trace: &trace("a"),
            loop_mark: "abc",
            disclaimer: DisclaimerOutcome::NotAsked,
            monitor: Some(Monitor { name: "X Bad:", rules: &[] }),
        };
        let retention = Retention { class: "standard", until: jiff::civil::date(2029, 3, 2) };
        assert_eq!(stamps.block(&retention), Err(Unrewritable::FieldName));
    }
}
