//! Properties of the rewriter over random MIME trees.
//!
//! The messages are read by mail-parser itself and not by our own walk, so that one mistake can't
//! hide another.

use std::net::IpAddr;

use base64::Engine as _;
use bytes::Bytes;
use jiff::civil::date;
use mail_parser::{MessageParser, MimeHeaders as _, PartType};
use proptest::prelude::*;
use schoolgate::mail::rewrite::{
    Disclaimer, DisclaimerOutcome, OmitReason, Plan, Request, Retention, Trace, Unrewritable, plan,
};
use schoolgate::mail::{Address, Limits, Message, apply, visible_recipients};

const DISCLAIMERS: [&str; 2] =
    ["For the addressee only.", "F\u{fc}r den Adressaten \u{2013} \u{0141}, only."];

/// A random MIME tree.
#[derive(Debug, Clone)]
enum Tree {
    Text { html: bool, charset: &'static str, encoding: &'static str, words: String },
    File { octets: Vec<u8>, binary_name: bool },
    Nested(Box<Tree>),
    Group { kind: &'static str, children: Vec<Tree> },
}

fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => "[a-zA-Z=.-]{1,12}",
        1 => Just("\u{a3}5".to_owned()),
        1 => Just("\r\n".to_owned()),
        1 => Just("a very long run of words that goes on past the seventy-sixth column, no end".to_owned()),
        1 => Just("=3D".to_owned()),
        1 => Just("--".to_owned()),
        1 => Just("For the addressee only.".to_owned()),
    ];
    prop::collection::vec(word, 0..12).prop_map(|words| words.join(" "))
}

fn leaf() -> impl Strategy<Value = Tree> {
    let charset =
        prop::sample::select(vec!["us-ascii", "iso-8859-1", "windows-1252", "utf-8", "utf-16le"]);
    let encoding = prop::sample::select(vec!["7bit", "8bit", "quoted-printable", "base64"]);
    let text =
        (any::<bool>(), charset, encoding, words()).prop_map(|(html, charset, encoding, words)| {
            let words = if html && words.len() % 3 > 0 {
                format!("<html><body><p>{words}</p><!-- </body> --></body>\r\n</html>\r\n")
            } else {
                words
            };
            Tree::Text { html, charset, encoding, words }
        });
    let file = (prop::collection::vec(any::<u8>(), 0..200), any::<bool>())
        .prop_map(|(octets, binary_name)| Tree::File { octets, binary_name });
    prop_oneof![3 => text, 1 => file]
}

fn tree() -> impl Strategy<Value = Tree> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        let kind = prop::sample::select(vec!["mixed", "alternative", "related"]);
        let group = (kind, prop::collection::vec(inner.clone(), 1..4))
            .prop_map(|(kind, children)| Tree::Group { kind, children });
        // A message directly inside a message trips an assertion of mail-parser.
        let nested = inner.prop_map(|tree| match tree {
            Tree::Nested(inner) => Tree::Nested(inner),
            other => Tree::Nested(Box::new(other)),
        });
        prop_oneof![4 => group, 1 => nested]
    })
}

/// Writes an entity: its MIME fields, the empty line, the body.
fn write(tree: &Tree, path: &str, out: &mut Vec<u8>) {
    match tree {
        Tree::Text { html, charset, encoding, words } => {
            let (encoding, octets) = encoded(charset, encoding, words);
            let kind = if *html { "html" } else { "plain" };
            out.extend(format!("Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n").bytes());
            out.extend(octets);
        }
        Tree::File { octets, binary_name } => {
            let name = if *binary_name { "a.bin" } else { "a.txt" };
            out.extend(format!("Content-Type: application/octet-stream; name={name}\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n").bytes());
            out.extend(base64(octets));
        }
        Tree::Nested(inner) => {
            out.extend(
                b"Content-Type: message/rfc822\r\n\r\nFrom: a@x.example\r\nMIME-Version: 1.0\r\n",
            );
            write(inner, &format!("{path}.n"), out);
        }
        Tree::Group { kind, children } => {
            out.extend(
                format!(
                    "Content-Type: multipart/{kind};\r\n\tboundary=\"=_{path}_\"\r\n\r\npreamble\r\n"
                )
                .bytes(),
            );
            for (index, child) in children.iter().enumerate() {
                out.extend(format!("--=_{path}_\r\n").bytes());
                write(child, &format!("{path}.{index}"), out);
                out.extend(b"\r\n");
            }
            out.extend(format!("--=_{path}_--\r\n").bytes());
        }
    }
}

fn base64(octets: &[u8]) -> Vec<u8> {
    let coded = base64::engine::general_purpose::STANDARD.encode(octets);
    coded.as_bytes().chunks(60).flat_map(|line| [line, b"\r\n"].concat()).collect()
}

/// The words in their charset and a transfer encoding that can carry them.
fn encoded(charset: &str, encoding: &'static str, words: &str) -> (&'static str, Vec<u8>) {
    let octets: Vec<u8> = match charset {
        "us-ascii" => words.chars().filter(char::is_ascii).map(|c| c as u8).collect(),
        "utf-8" => words.as_bytes().to_vec(),
        "utf-16le" => words.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        _ => words.chars().map(|c| c as u8).collect(),
    };
    match encoding {
        "base64" => ("base64", base64(&octets)),
        _ if charset == "utf-16le" => ("base64", base64(&octets)),
        "7bit" if octets.is_ascii() => ("7bit", octets),
        "7bit" | "8bit" => ("8bit", octets),
        _ => ("quoted-printable", quoted(&octets)),
    }
}

/// A careless but right quoted-printable writer: breaks wherever it likes.
fn quoted(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, octet) in octets.iter().enumerate() {
        match octet {
            b'\r' | b'\n' => out.push(*octet),
            b'a'..=b'z' | b'A'..=b'Z' | b'<' | b'>' | b'/' => out.push(*octet),
            _ => out.extend(format!("={octet:02X}").bytes()),
        }
        if index % 20 == 19 && *octet != b'\r' {
            out.extend(b"=\r\n");
        }
    }
    out
}

/// What stands in the way of octets that are overwritten: line ends, blanks, marks, anything.
fn damage() -> impl Strategy<Value = Vec<u8>> {
    let marks: Vec<&[u8]> = vec![
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b"--=_b_",
        b"\"",
        b"(",
        b"<",
        b",",
        b":",
        b";",
        b"=",
        b"=\r\n",
        b"\0",
        b"\r\nBcc: z@x.example\r\n",
        b"\r\nCc: z@x.example\r\n",
        b"\r\nContent-Type: text/plain\r\n",
    ];
    prop_oneof![
        3 => prop::sample::select(marks).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ]
}

fn message_of(tree: &Tree) -> Vec<u8> {
    let mut raw = b"From: office@school.example\r\nTo: a@school.example,\r\n b@x.example\r\nBcc: c@x.example\r\nMessage-ID: <1@school.example>\r\nMIME-Version: 1.0\r\n".to_vec();
    write(tree, "b", &mut raw);
    if !raw.ends_with(b"\r\n") {
        raw.extend(b"\r\n");
    }
    raw
}

fn planned(
    message: &Message,
    disclaimer: &Disclaimer,
    force_bcc: bool,
) -> Result<Plan, Unrewritable> {
    let is_own = |address: &Address| address.domain() == "school.example";
    let request = Request {
        force_bcc,
        append_disclaimer: true,
        null_sender: false,
        disclaimer,
        bulk_to: None,
        is_own: &is_own,
        trace: Trace {
            helo: "a",
            peer: IpAddr::from([192, 0, 2, 7]),
            by: "b",
            protocol: "SMTP",
            id: "1",
            date: "Mon, 2 Mar 2026 09:00:00 +0000",
        },
        outside: Retention { class: "standard", until: date(2029, 3, 2) },
        own: Retention { class: "standard", until: date(2029, 3, 2) },
        monitor: None,
        seal: &|pieces| pieces.len().to_string(),
    };
    plan(message, &request)
}

/// Every leaf as an independent reader sees it: type, and the octets or the text.
fn leaves(raw: &[u8]) -> Vec<(String, Result<String, Vec<u8>>)> {
    let parsed = MessageParser::new().parse(raw).expect("readable");
    let kind = |part: &mail_parser::MessagePart<'_>| {
        part.content_type()
            .map_or(String::new(), |t| format!("{}/{}", t.ctype(), t.subtype().unwrap_or("")))
    };
    let leaf = |part: &mail_parser::MessagePart<'_>| match &part.body {
        PartType::Text(text) | PartType::Html(text) => Some((kind(part), Ok(text.to_string()))),
        PartType::Binary(octets) | PartType::InlineBinary(octets) => {
            Some((kind(part), Err(octets.to_vec())))
        }
        PartType::Message(_) => {
            let range = part.raw_body_offset() as usize..part.raw_end_offset() as usize;
            Some((kind(part), Err(raw[range].to_vec())))
        }
        PartType::Multipart(_) => None,
    };
    parsed.parts.iter().filter_map(leaf).collect()
}

/// Whether `after` is `before` with the disclaimer somewhere, and nothing else.
fn gained(before: &str, after: &str) -> bool {
    let grown = after.len().checked_sub(before.len());
    let front = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
    let inserted = grown.and_then(|grown| {
        let start = (0..=front).rev().find(|&at| {
            after.is_char_boundary(at)
                && after.is_char_boundary(at + grown)
                && after[at + grown..] == before[at.min(before.len())..]
        })?;
        Some(&after[start..start + grown])
    });
    inserted.is_some_and(|text| text.contains("only."))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_gain_the_disclaimer_and_the_rest_keeps_its_octets(
        tree in tree(),
        disclaimer in prop::sample::select(DISCLAIMERS.to_vec()),
        force_bcc in any::<bool>(),
    ) {
        let raw = message_of(&tree);
        let message = Message::parse(Bytes::from(raw.clone()), &Limits::default());
        prop_assert!(message.defects().is_empty(), "{:?}", message.defects());
        let plan = planned(&message, &Disclaimer::new(disclaimer, None), force_bcc);
        let plan = plan.expect("a sound message can be rewritten");
        let out = apply(&raw, &plan.outside).expect("the splices fit");
        let (before, after) = (leaves(&raw), leaves(&out));
        prop_assert_eq!(before.len(), after.len());
        let mut gains = 0;
        for ((kind, old), (new_kind, new)) in before.iter().zip(&after) {
            prop_assert_eq!(kind, new_kind);
            match (old, new) {
                (Ok(old), Ok(new)) if old != new => {
                    prop_assert!(gained(old, new), "{:?}\n{:?}", old, new);
                    gains += 1;
                }
                _ => prop_assert_eq!(old, new),
            }
        }
        match plan.disclaimer {
            DisclaimerOutcome::Appended { parts } => prop_assert_eq!(parts, gains),
            DisclaimerOutcome::Omitted(reason) => {
                prop_assert_eq!(reason, OmitReason::NoTextBody);
                prop_assert_eq!(gains, 0);
            }
            DisclaimerOutcome::NotAsked => prop_assert!(false, "it was asked for"),
        }
        prop_assert!(!out.windows(5).any(|w| w.eq_ignore_ascii_case(b"\nBcc:")));
        prop_assert_eq!(force_bcc, !String::from_utf8_lossy(&out).contains("b@x.example"));
        prop_assert!(out.split(|c| *c == b'\n').all(|line| line.len() <= 999));
    }

    #[test]
    fn a_damaged_message_is_rewritten_within_bounds_or_not_at_all(
        tree in tree(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), damage()), 1..6),
        disclaimer in prop::sample::select(DISCLAIMERS.to_vec()),
    ) {
        let mut raw = message_of(&tree);
        for (place, octets) in damage {
            let at = place.index(raw.len());
            let end = (at + octets.len() / 2).min(raw.len());
            raw.splice(at..end, octets);
        }
        let message = Message::parse(Bytes::from(raw.clone()), &Limits::default());
        if let Ok(plan) = planned(&message, &Disclaimer::new(disclaimer, None), true) {
            let out = apply(&raw, &plan.outside).expect("the splices fit");
            prop_assert_eq!(plan.own.len(), plan.outside.len());
            let again = Message::parse(Bytes::from(out), &Limits::default());
            for mailbox in visible_recipients(&again) {
                prop_assert_eq!(mailbox.address.domain(), "school.example");
            }
            prop_assert_eq!(again.fields_named("Bcc").count(), 0);
            prop_assert_eq!(again.parts().len(), message.parts().len());
        }
    }
}
