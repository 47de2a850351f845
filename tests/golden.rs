//! Golden pairs: `fixtures/mail/NNN-slug/` holds `in.eml`, what the verdict asks in `case.yaml`,
//! and the copies for recipients outside (`out.eml`) and inside (`out-own.eml`).
//!
//! `UPDATE_GOLDEN=1` writes the outputs anew; the diff is then the review.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::civil::date;
use schoolgate::mail::rewrite::{
    Disclaimer, DisclaimerOutcome, LoopMark, Monitor, Request, Retention, Trace, loop_mark, plan,
};
use schoolgate::mail::{Address, Limits, Message, apply};
use serde::Deserialize;

const TEXT: &str = "This email is meant for the addressee only and may be confidential.\n\
    Views are not necessarily those of the school.";
const TEXT_BEYOND_ASCII: &str =
    "This email \u{2013} and any file with it \u{2013} is meant for the addressee only. \u{0141}.";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    why: String,
    expect: String,
    #[serde(default)]
    force_bcc: bool,
    #[serde(default)]
    null_sender: bool,
    #[serde(default)]
    no_disclaimer: bool,
    #[serde(default)]
    beyond_ascii: bool,
    #[serde(default)]
    bulk_to: Option<String>,
    #[serde(default)]
    monitor: Option<Vec<String>>,
}

#[test]
fn every_pair_comes_out_as_it_should() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mail");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.retain(|path| path.join("case.yaml").exists());
    assert!(folders.len() >= 25, "fixtures/mail holds {} cases only", folders.len());
    let failures: Vec<String> = folders.iter().filter_map(|folder| check(folder).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(folder: &Path) -> Result<(), String> {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let yaml = fs::read_to_string(folder.join("case.yaml")).unwrap();
    assert!(yaml.starts_with("why: "), "{name}: case.yaml begins with why");
    let case: Case = serde_saphyr::from_str(&yaml).map_err(|error| format!("{name}: {error}"))?;
    assert!(case.why.ends_with('.'), "{name}: why is a sentence");
    let raw = fs::read(folder.join("in.eml")).unwrap();
    let message = Message::parse(Bytes::from(raw), &Limits::default());
    let (outcome, outside, own) = rewritten(&case, &message);
    if outcome != case.expect {
        return Err(format!("{name}: {outcome}, expected {}", case.expect));
    }
    compare(&folder.join("out.eml"), outside.as_deref())?;
    let differing = own.filter(|own| Some(own) != outside.as_ref());
    compare(&folder.join("out-own.eml"), differing.as_deref())?;
    outside.map_or(Ok(()), |out| comes_back_known(&name, out))
}

/// What the gateway sent is known again, also after a host on the way has put fields on top, and
/// a mark on another message is not.
fn comes_back_known(name: &str, out: Vec<u8>) -> Result<(), String> {
    let travelled = [b"Received: from hop.example\r\n".as_slice(), &out, b"\r\n"].concat();
    let mark =
        |raw: Vec<u8>| loop_mark(&Message::parse(Bytes::from(raw), &Limits::default()), &seal);
    let altered = String::from_utf8_lossy(&out).replace("Message-ID: <", "Message-ID: <x");
    assert_eq!(mark(altered.into_bytes()), LoopMark::Forged, "{name}");
    match mark(travelled) {
        LoopMark::Valid => Ok(()),
        other => Err(format!("{name}: the loop mark is {other:?} on its way back")),
    }
}

fn rewritten(case: &Case, message: &Message) -> (String, Option<Vec<u8>>, Option<Vec<u8>>) {
    let text = if case.beyond_ascii { TEXT_BEYOND_ASCII } else { TEXT };
    let disclaimer = Disclaimer::new(text, None);
    let bulk_to = case.bulk_to.as_deref().map(|text| Address::parse(text).unwrap());
    let is_own = |address: &Address| address.domain() == "school.example";
    let request = Request {
        force_bcc: case.force_bcc,
        append_disclaimer: !case.no_disclaimer,
        null_sender: case.null_sender,
        disclaimer: &disclaimer,
        bulk_to: bulk_to.as_ref(),
        is_own: &is_own,
        trace: Trace {
            helo: "mail.school.example",
            peer: IpAddr::from([192, 0, 2, 7]),
            by: "gate.school.example",
            protocol: "ESMTPS",
            id: "01960000",
            date: "Mon, 2 Mar 2026 09:00:00 +0000",
        },
        outside: Retention { class: "standard", until: date(2029, 3, 2) },
        own: Retention { class: "pupil", until: date(2051, 3, 2) },
        monitor: case.monitor.as_deref().map(|rules| Monitor { name: "X-DLP-Hit", rules }),
        seal: &seal,
    };
    match plan(message, &request) {
        Ok(plan) => {
            let outcome = match plan.disclaimer {
                DisclaimerOutcome::NotAsked => "not asked".to_owned(),
                DisclaimerOutcome::Appended { parts } => format!("appended {parts}"),
                DisclaimerOutcome::Omitted(reason) => format!("omitted {}", reason.word()),
            };
            let applied = |splices| Some(apply(message.raw(), splices).expect("splices fit"));
            (outcome, applied(&plan.outside), applied(&plan.own))
        }
        Err(error) => (format!("unrewritable: {error}"), None, None),
    }
}

/// A stand-in for the keyed HMAC: what it is given decides what it says.
fn seal(pieces: &[&[u8]]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for piece in pieces {
        context.update(&u64::try_from(piece.len()).unwrap().to_be_bytes());
        context.update(piece);
    }
    hex::encode(&context.finish().as_ref()[..16])
}

fn compare(path: &Path, got: Option<&[u8]>) -> Result<(), String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        match got {
            Some(got) => fs::write(path, got).unwrap(),
            None => drop(fs::remove_file(path)),
        }
        return Ok(());
    }
    let expected = fs::read(path).ok();
    if expected.as_deref() == got {
        return Ok(());
    }
    let text = |octets: Option<&[u8]>| {
        octets.map_or("nothing".to_owned(), |octets| String::from_utf8_lossy(octets).into_owned())
    };
    Err(format!(
        "{} is\n{}\nbut the gateway makes\n{}",
        path.display(),
        text(expected.as_deref()),
        text(got)
    ))
}
