//! The demonstration's school, its messages, and what is expected of each.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpStream;

use super::wire::Gateway;
use crate::smtp::sink::Received;
use crate::smtp::sink::Sink;
use crate::store::Record;

/// The demonstration's pupils.
pub(super) const ROLL: &str = include_str!("../../fixtures/demo/roll.csv");

/// One message of the demonstration.
pub(super) struct Specimen {
    title: &'static str,
    raw: &'static str,
    from: &'static str,
    to: &'static [&'static str],
    expected: Expected,
}

/// What must become of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// So many recipients get it, and these words are in what arrives.
    Arrives(usize, &'static str),
    /// It waits; so many recipients within the school have it already.
    Waits(usize),
    /// The door refuses it.
    Refused,
}

/// What became of it, as the table shows it.
pub(super) struct Seen {
    /// As expected.
    pub(super) met: bool,
    /// The table's line.
    pub(super) line: String,
}

const OFFICE: &str = "office@oakfield.example";
const TEACHER: &str = "r.marsh@oakfield.example";

macro_rules! specimen {
    ($title:literal, $file:literal, $from:expr, $to:expr, $expected:expr) => {
        Specimen {
            title: $title,
            raw: include_str!(concat!("../../fixtures/demo/", $file, ".eml")),
            from: $from,
            to: $to,
            expected: $expected,
        }
    };
}

/// The messages in the order of the table.
pub(super) const SPECIMENS: &[Specimen] = &[
    specimen!(
        "a trip letter",
        "01-trip-letter",
        OFFICE,
        &["parent@family.example"],
        Expected::Arrives(1, "X-Schoolgate-Retention:")
    ),
    specimen!(
        "a UPN in the text",
        "02-upn-in-the-text",
        OFFICE,
        &["admissions@academy.example"],
        Expected::Waits(0)
    ),
    specimen!(
        "health, split by markup",
        "03-health-split-by-markup",
        TEACHER,
        &["club@sports.example"],
        Expected::Waits(0)
    ),
    specimen!(
        "a newsletter to many",
        "04-newsletter-to-many",
        OFFICE,
        &[
            "governors@oakfield.example",
            "parent1@family1.example",
            "parent2@family2.example",
            "parent3@family3.example",
            "parent4@family4.example",
            "parent5@family5.example",
            "parent6@family6.example",
            "parent7@family7.example",
            "parent8@family8.example",
            "parent9@family9.example",
            "parent10@family10.example",
            "parent11@family11.example",
            "parent12@family12.example",
        ],
        Expected::Arrives(13, "To: \"Governors\" <governors@oakfield.example>\r\n")
    ),
    specimen!(
        "health, between colleagues",
        "05-between-colleagues",
        TEACHER,
        &["nurse@oakfield.example"],
        Expected::Arrives(1, "X-Schoolgate-Retention:")
    ),
    specimen!(
        "a class list attached",
        "06-class-list-attached",
        OFFICE,
        &["coach@transport.example"],
        Expected::Waits(0)
    ),
    specimen!(
        "a report as PDF",
        "07-report-as-pdf",
        TEACHER,
        &["parent@family.example"],
        Expected::Waits(0)
    ),
    specimen!(
        "to a colleague and outside",
        "08-colleague-and-outsider",
        TEACHER,
        &["senco@oakfield.example", "therapist@clinic.example"],
        Expected::Waits(1)
    ),
    specimen!(
        "somebody else's mail",
        "09-another-sender",
        "somebody@elsewhere.example",
        &["parent@family.example"],
        Expected::Refused
    ),
];

/// The demonstration's configuration; the gateway listens on a free port of this machine.
pub(super) fn config(next_hop: SocketAddr) -> String {
    let template = include_str!("../../fixtures/demo/demo.yaml");
    template.replace("NEXT_HOP_PORT", &next_hop.port().to_string())
}

impl Specimen {
    /// The table's first line.
    pub(super) fn heading() -> String {
        row("message", "found", "done", "arrived")
    }

    /// Sends the message, waits for its end, and says what was seen.
    pub(super) async fn send(
        &self,
        gateway: &Gateway,
        sink: &Sink,
        address: SocketAddr,
        patience: Duration,
    ) -> anyhow::Result<Seen> {
        let before = sink.received().len();
        let reply = self.dialogue(address).await?;
        let Some(id) = reply.split("queued as ").nth(1) else {
            let met = self.expected == Expected::Refused;
            let done = format!("refused: {}", reply.trim_end());
            return Ok(Seen { met, line: row(self.title, "-", &done, "nothing") });
        };
        let loaded = gateway.store().load(id.trim().parse()?).await.ok();
        let record = loaded.and_then(|loaded| loaded.record);
        let arrived = self.arrivals(sink, before, patience).await;
        Ok(self.seen(record.as_ref(), &arrived))
    }

    /// Waits for the copies that must arrive: notices of the gateway's own come in between, so
    /// only this message's Message-ID counts.
    async fn arrivals(&self, sink: &Sink, before: usize, patience: Duration) -> Vec<Received> {
        let wanted = match self.expected {
            Expected::Arrives(recipients, _) | Expected::Waits(recipients) => recipients,
            Expected::Refused => 0,
        };
        let until = tokio::time::Instant::now() + patience;
        let mut count = before;
        loop {
            let ours: Vec<Received> =
                sink.received().into_iter().skip(before).filter(|one| self.is_ours(one)).collect();
            let reached: usize = ours.iter().map(|one| one.recipients.len()).sum();
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            if reached >= wanted || left.is_zero() {
                return ours;
            }
            count = sink.wait_for(count + 1, left).await.len();
        }
    }

    fn is_ours(&self, received: &Received) -> bool {
        let id = self.raw.lines().find(|line| line.starts_with("Message-ID:")).unwrap_or("-");
        String::from_utf8_lossy(&received.octets).contains(id)
    }

    fn seen(&self, record: Option<&Record>, arrived: &[Received]) -> Seen {
        let reached: usize = arrived.iter().map(|one| one.recipients.len()).sum();
        let contains = |words: &str| {
            arrived.iter().all(|one| String::from_utf8_lossy(&one.octets).contains(words))
        };
        let met = match self.expected {
            Expected::Arrives(recipients, words) => reached == recipients && contains(words),
            Expected::Waits(inside) => reached == inside,
            Expected::Refused => false,
        };
        let done = if reached == self.to.len() { "delivered" } else { "held" };
        let arrived = match reached {
            0 => "nothing".to_owned(),
            reached => format!("{reached} of {} recipients", self.to.len()),
        };
        Seen { met, line: row(self.title, &found(record), done, &arrived) }
    }

    /// The SMTP dialogue; returns the last reply.
    async fn dialogue(&self, address: SocketAddr) -> anyhow::Result<String> {
        let mut stream = BufReader::new(TcpStream::connect(address).await?);
        let mut reply = read(&mut stream).await?;
        let mut lines = vec!["EHLO demo.oakfield.example".to_owned()];
        lines.push(format!("MAIL FROM:<{}> BODY=8BITMIME", self.from));
        lines.extend(self.to.iter().map(|to| format!("RCPT TO:<{to}>")));
        lines.push("DATA".to_owned());
        lines.push(format!("{}.", self.raw.replace("\r\n.", "\r\n..")));
        for line in lines {
            if !reply.starts_with(['2', '3']) {
                return Ok(reply);
            }
            stream.write_all(format!("{line}\r\n").as_bytes()).await?;
            reply = read(&mut stream).await?;
        }
        Ok(reply)
    }
}

/// One reply, its last line.
async fn read(stream: &mut BufReader<TcpStream>) -> anyhow::Result<String> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            anyhow::bail!("the gateway closed the connection");
        }
        if line.as_bytes().get(3).context("a reply too short")? == &b' ' {
            return Ok(line);
        }
    }
}

/// What was found, masked, each kind once.
fn found(record: Option<&Record>) -> String {
    let Some(record) = record else { return "-".to_owned() };
    let mut masked: Vec<&str> = record.findings.iter().map(|one| one.masked.as_str()).collect();
    masked.sort_unstable();
    masked.dedup();
    let unread = record.attachments.iter().filter(|one| one.protection == "unknown").count();
    let unread = (unread > 0).then(|| format!("[not inspectable, {unread} attachment]"));
    let all: Vec<&str> = masked.into_iter().chain(unread.as_deref()).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(" ") }
}

fn row(message: &str, found: &str, done: &str, arrived: &str) -> String {
    format!("{message:<28} {done:<10} {arrived:<20} {found}")
}
