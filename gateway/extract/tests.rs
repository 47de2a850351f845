//! Whole messages through parse and extraction: what real mail programs write has no defects, and
//! what they hold is found where it stands.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::mail;
use crate::mail::Content;
use crate::mail::Protection;

fn parsed(raw: &str) -> Message {
    let raw = raw.replace("\r\n", "\n").replace('\n', "\r\n");
    Message::parse(Bytes::from(raw), &mail::Limits::default())
}

fn extracted(raw: &str) -> Extraction {
    extract(&parsed(raw), &Limits::default())
}

/// Each text as `place: view`.
fn texts(extraction: &Extraction) -> Vec<String> {
    let shown = |text: &Text| format!("{}: {}", text.place, text.view().trim());
    extraction.texts.iter().map(shown).collect()
}

fn attachments(extraction: &Extraction) -> Vec<(String, Protection)> {
    let shown = |one: &Attachment| (one.path.expose().clone(), one.protection);
    extraction.attachments.iter().map(shown).collect()
}

const OUTLOOK: &str = r#"From: "Hall, Priya" <p.hall@school.example>
To: "'parent@home.example'" <parent@home.example>, Ann Lee
	<ann.lee@home.example>
Subject: =?iso-8859-1?Q?Zo=EB_and_the_trip?=
Thread-Topic: =?iso-8859-1?Q?Zo=EB_and_the_trip?=
Thread-Index: AdnQ4l3vY2m0Q9cXSkWJ0m3v2J5r2A==
Date: Mon, 7 Sep 2026 08:11:12 +0000
Message-ID: <LO2P265MB0001.GBRP265.PROD.OUTLOOK.COM@school.example>
Accept-Language: en-GB, en-US
Content-Language: en-GB
X-MS-Has-Attach: yes
X-MS-TNEF-Correlator:
Content-Type: multipart/related;
	boundary="_004_LO2P265MB0001_"; type="multipart/alternative"
MIME-Version: 1.0

--_004_LO2P265MB0001_
Content-Type: multipart/alternative;
	boundary="_000_LO2P265MB0001_"

--_000_LO2P265MB0001_
Content-Type: text/plain; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

Zo=EB Br=
own comes too.

--_000_LO2P265MB0001_
Content-Type: text/html; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

<html xmlns:o=3D"urn:schemas-microsoft-com:office:office">
<head><meta http-equiv=3D"Content-Type" content=3D"text/html; charset=3Diso-8859-1">
<style><!-- p.MsoNormal {margin:0cm;} --></style></head>
<body><p class=3D"MsoNormal">Zo=EB <b>Br</b>own comes too.<o:p></o:p></p>
<img src=3D"cid:image001.png@01D9E0A1" alt=3D"crest"></body></html>

--_000_LO2P265MB0001_--

--_004_LO2P265MB0001_
Content-Type: image/png; name="image001.png"
Content-Description: image001.png
Content-Disposition: inline; filename="image001.png"; size=33;
	creation-date="Mon, 07 Sep 2026 08:11:11 GMT"
Content-ID: <image001.png@01D9E0A1>
Content-Transfer-Encoding: base64

iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ

--_004_LO2P265MB0001_--
"#;

const APPLE: &str = r#"From: Sam Reed <s.reed@school.example>
Content-Type: multipart/mixed;
	boundary="Apple-Mail=_0C1B2A3D-1111-4222-8333-444455556666"
Mime-Version: 1.0 (Mac OS X Mail 16.0 \(3731.700.6\))
Subject: list
Message-Id: <0C1B2A3D@school.example>
Date: Mon, 7 Sep 2026 09:00:00 +0100
To: office@partner.example
X-Mailer: Apple Mail (2.3731.700.6)


--Apple-Mail=_0C1B2A3D-1111-4222-8333-444455556666
Content-Transfer-Encoding: 7bit
Content-Type: text/plain;
	charset=us-ascii

Here it is.


--Apple-Mail=_0C1B2A3D-1111-4222-8333-444455556666
Content-Disposition: attachment;
	filename*0="a very long name of a list of pupils for the summer ";
	filename*1="term.csv"
Content-Type: text/csv;
	x-unix-mode=0644;
	name="a very long name of a list of pupils for the summer term.csv"
Content-Transfer-Encoding: base64

U3VybmFtZSxGb3JlbmFtZQ0KQnJvd24sVG9tDQo=

--Apple-Mail=_0C1B2A3D-1111-4222-8333-444455556666
Content-Transfer-Encoding: 7bit
Content-Type: text/plain;
	charset=us-ascii



Sam

--Apple-Mail=_0C1B2A3D-1111-4222-8333-444455556666--
"#;

const GMAIL: &str = r#"MIME-Version: 1.0
Date: Mon, 7 Sep 2026 09:00:00 +0100
Message-ID: <CAF0abc@mail.gmail.example>
Subject: Re: trip
From: Kit Moss <kit@school.example>
To: undisclosed-recipients:;
Cc: =?UTF-8?B?Wm/Dqw==?= <zoe@home.example>, "T. (Tom) Brown" <tom@home.example>
Content-Type: multipart/alternative; boundary="000000000000d1e2f30609abcdef"

--000000000000d1e2f30609abcdef
Content-Type: text/plain; charset="UTF-8"
Content-Transfer-Encoding: base64

Wm/DqyBCcm93bg==
--000000000000d1e2f30609abcdef
Content-Type: text/html; charset="UTF-8"
Content-Transfer-Encoding: quoted-printable

<div dir=3D"ltr">Zo=C3=AB<span>=C2=A0</span>Brown<br></div>

--000000000000d1e2f30609abcdef--
"#;

const THUNDERBIRD: &str = r#"Message-ID: <5a6b@school.example>
Date: Mon, 7 Sep 2026 09:00:00 +0100
MIME-Version: 1.0
User-Agent: Mozilla Thunderbird
Content-Language: en-GB
To: a@partner.example
From: Lou Fox <l.fox@school.example>
Subject: signed
Content-Type: multipart/signed; protocol="application/pgp-signature";
 micalg=pgp-sha256; boundary="------------F0g1h2"

This is an OpenPGP/MIME signed message (RFC 4880 and 3156)
--------------F0g1h2
Content-Type: multipart/mixed; boundary="------------A1b2c3";
 protected-headers="v1"
From: Lou Fox <l.fox@school.example>
To: a@partner.example
Subject: signed

--------------A1b2c3
Content-Type: text/plain; charset=UTF-8; format=flowed
Content-Transfer-Encoding: 7bit

Tom 
Brown was here.
--------------A1b2c3--

--------------F0g1h2
Content-Type: application/pgp-signature; name="OpenPGP_signature.asc"
Content-Description: OpenPGP digital signature
Content-Disposition: attachment; filename="OpenPGP_signature.asc"

-----BEGIN PGP SIGNATURE-----

wsB5BAABCAAjFiEE
=abcd
-----END PGP SIGNATURE-----

--------------F0g1h2--
"#;

const FORWARD: &str = r#"From: a@school.example
To: b@partner.example
Subject: see
Content-Type: multipart/mixed; boundary=outer

--outer

look
--outer
Content-Type: message/rfc822; name="forwarded.eml"
Content-Disposition: attachment; filename="forwarded.eml"

From: c@home.example
Subject: inner subject
Content-Type: multipart/mixed; boundary=inner

--inner

inner body
--inner
Content-Type: application/octet-stream; name="list.csv"

Brown;Tom
--inner
Content-Type: application/pdf
Content-Transfer-Encoding: base64

JVBERi0xLjcKAA==
--inner--
--outer
Content-Type: application/octet-stream; name=deep.eml

Subject: by name
To: x@home.example

text by name
--outer--
"#;

#[test]
fn mail_programs_write_no_defects() {
    for raw in [OUTLOOK, APPLE, GMAIL, THUNDERBIRD, FORWARD] {
        assert_eq!(parsed(raw).defects(), [], "{raw}");
        assert_eq!(extracted(raw).defects, [], "{raw}");
    }
}

#[test]
fn outlook_is_read() {
    let found = extracted(OUTLOOK);
    assert_eq!(
        texts(&found),
        [
            "subject: Zoë and the trip",
            "header:Thread-Topic: Zoë and the trip",
            "body-text: Zoë Brown comes too.",
            "body-html: Zoë Brown comes too.\ntext/html; charset=iso-8859-1\ncid:image001.png@01D9E0A1\ncrest",
            "header:Content-Description: image001.png",
            "attachment-name:image001.png: image001.png",
        ]
    );
    assert_eq!(attachments(&found), [("image001.png".to_owned(), Protection::None)]);
}

#[test]
fn apple_and_gmail_and_thunderbird_are_read() {
    let found = extracted(APPLE);
    let name = "a very long name of a list of pupils for the summer term.csv";
    assert_eq!(
        texts(&found),
        [
            "subject: list".to_owned(),
            "body-text: Here it is.".to_owned(),
            format!("attachment-name:{name}: {name}"),
            format!("attachment:{name}: Surname\tForename\nBrown\tTom"),
            "body-text: Sam".to_owned(),
        ]
    );
    assert_eq!(
        texts(&extracted(GMAIL)),
        ["subject: Re: trip", "body-text: Zoë Brown", "body-html: Zoë Brown"]
    );
    let found = texts(&extracted(THUNDERBIRD));
    assert!(found.contains(&"body-text: Tom Brown was here.".to_owned()), "{found:?}");
}

#[test]
fn messages_in_messages_are_read_by_path() {
    let found = extracted(FORWARD);
    assert_eq!(
        attachments(&found),
        [
            ("forwarded.eml".to_owned(), Protection::None),
            ("forwarded.eml/list.csv".to_owned(), Protection::None),
            ("forwarded.eml/part-3".to_owned(), Protection::Unknown),
            ("deep.eml".to_owned(), Protection::None),
        ]
    );
    assert_eq!(
        texts(&found),
        [
            "subject: see",
            "body-text: look",
            "attachment-name:forwarded.eml: forwarded.eml",
            "attachment:forwarded.eml: inner subject",
            "attachment:forwarded.eml: inner body",
            "attachment-name:forwarded.eml/list.csv: list.csv",
            "attachment:forwarded.eml/list.csv: Brown\tTom",
            "attachment-name:deep.eml: deep.eml",
            "attachment:deep.eml: by name",
            "attachment:deep.eml: text by name",
        ]
    );
    let pdf = &found.attachments[2];
    assert_eq!(pdf.evidence, "a PDF document, which this gateway cannot read");
}

#[test]
fn wrapped_and_renamed_files_are_not_missed() {
    let found = extracted("Subject: x\n\nsee\nbegin 644 a.txt\n#5&]M\n`\nend\n");
    assert_eq!(attachments(&found), [("part-0".to_owned(), Protection::Unknown)]);
    let found = extracted(
        "Content-Type: text/plain; name=notes.txt\n\nMIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nVG9tIEJyb3du\n",
    );
    assert!(texts(&found).contains(&"attachment:notes.txt: Tom Brown".to_owned()));
}

/// mail-parser is the second opinion where nothing is ambiguous.
#[test]
fn mail_parser_sees_the_same_leaves() {
    for raw in [OUTLOOK, APPLE, GMAIL, THUNDERBIRD] {
        let message = parsed(raw);
        let other = mail_parser::MessageParser::default().parse(&message.raw()[..]).unwrap();
        let bodies = |part: &mail_parser::MessagePart<'_>| {
            let is_leaf = !matches!(part.body, mail_parser::PartType::Multipart(_));
            is_leaf.then_some(part.offset_body as usize..part.offset_end as usize)
        };
        let expected: Vec<_> = other.parts.iter().map(bodies).collect();
        let own = |part: &mail::Part| {
            (!matches!(part.content, Content::Multipart(_))).then(|| part.body.clone())
        };
        assert_eq!(message.parts().iter().map(own).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn nesting_ends_at_the_limit() {
    let mut raw = "Subject: innermost\n\nx".to_owned();
    for _ in 0..40 {
        raw = format!("Subject: s\nContent-Type: message/rfc822\n\n{raw}");
    }
    let found = extracted(&raw);
    assert_eq!(found.attachments.len(), Limits::default().depth + 1);
    assert_eq!(found.attachments.last().map(|a| a.protection), Some(Protection::Unknown));
    assert_eq!(found.defects, [Defect::OverLimit]);
}

#[test]
fn budgets_end_in_a_hold_never_in_silence() {
    let csv = format!("Content-Type: text/csv; name=a.csv\n\n{}", "Tom,Brown\n".repeat(1000));
    let limits = Limits { text_octets: 100, ..Limits::default() };
    let found = extract(&parsed(&csv), &limits);
    assert_eq!(attachments(&found), [("a.csv".to_owned(), Protection::Unknown)]);
    assert_eq!(found.defects, [Defect::OverLimit]);
    let none = Limits { attachments: 0, ..Limits::default() };
    assert_eq!(extract(&parsed(&csv), &none).defects, [Defect::OverLimit]);
}

#[test]
fn an_invitation_is_a_body_with_attendees() {
    let found = extracted(
        "Subject: x\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\n\nBEGIN:VCALENDAR\nATTENDEE;CN=Ann:mailto:ann@ho\n me.example\nSUMMARY:Review of Tom\n  Brown\nEND:VCALENDAR\n",
    );
    assert_eq!(found.calendar_attendees.len(), 1);
    assert_eq!(found.calendar_attendees[0].as_str(), "ann@home.example");
    assert!(found.attachments.is_empty());
    assert!(found.texts[1].view().contains("SUMMARY:Review of Tom Brown\n"));
}

#[test]
fn what_no_reader_shows_is_read_too() {
    let found = extracted(
        "Subject: x\nX-Note: Tom Brown\nContent-Type: multipart/mixed; boundary=b\n\nhidden before\n--b\n\nbody\n--b--\nhidden after\n",
    );
    assert_eq!(
        texts(&found),
        [
            "subject: x",
            "header:X-Note: Tom Brown",
            "body-text: body",
            "body-text: hidden before",
            "body-text: hidden after",
        ]
    );
}

#[test]
fn two_names_of_one_attachment_are_both_read() {
    let found = extracted(
        "Content-Type: text/plain; name=\"Tom Brown.txt\"\nContent-Disposition: attachment; filename=\"../a.txt\"\n\nx",
    );
    assert_eq!(
        texts(&found),
        [
            "attachment-name:.._a.txt: ../a.txt",
            "attachment-name:.._a.txt: Tom Brown.txt",
            "attachment:.._a.txt: x"
        ]
    );
}

const SAMPLES: [&str; 5] = [OUTLOOK, APPLE, GMAIL, THUNDERBIRD, FORWARD];

proptest! {
    #[test]
    fn mutated_messages_parse_within_their_octets(
        sample in 0..SAMPLES.len(),
        cuts in prop::collection::vec((0..4000_usize, 0..40_usize, prop::collection::vec(any::<u8>(), 0..6)), 0..6),
    ) {
        let mut raw = SAMPLES[sample].replace('\n', "\r\n").into_bytes();
        for (at, length, with) in cuts {
            let at = at % (raw.len() + 1);
            let end = (at + length).min(raw.len());
            raw.splice(at..end, with);
        }
        let message = Message::parse(Bytes::from(raw.clone()), &mail::Limits::default());
        for (id, part) in message.parts().iter().enumerate() {
            prop_assert!(part.header.start <= part.header.end && part.header.end <= part.body.start);
            prop_assert!(part.body.start <= part.body.end && part.body.end <= raw.len());
            if let Some(parent) = part.parent {
                let outer = &message.parts()[parent].body;
                prop_assert!(parent < id && outer.start <= part.header.start && part.body.end <= outer.end);
            }
            if let Content::Multipart(children) = &part.content {
                prop_assert!(children.iter().all(|&child| message.parts()[child].parent == Some(id)));
            }
        }
        let found = extract(&message, &Limits::default());
        for text in &found.texts {
            let view = text.view();
            for (at, _) in view.char_indices() {
                let span = text.source_span(at..view.len());
                prop_assert!(span.start <= 100_000);
            }
        }
    }

    #[test]
    fn words_of_html_lead_back_to_themselves(words in prop::collection::vec("[A-Z][a-zë]{2,8}", 1..20)) {
        let source: String = words.iter().enumerate().map(|(i, word)| match i % 4 {
            0 => format!("<td>{word}</td>\r\n"),
            1 => format!("<p title='x'>&amp; {word}"),
            2 => format!("e\u{301}\u{ad} {word} <!-- c -->"),
            _ => format!("<b> {word}</b>"),
        }).collect();
        let raw = format!("Content-Type: text/html; charset=utf-8\r\n\r\n{source}");
        let found = extract(&Message::parse(Bytes::from(raw), &mail::Limits::default()), &Limits::default());
        let view = found.texts[0].view();
        let mut from = 0;
        for word in &words {
            let at = from + view[from..].find(word.as_str()).unwrap();
            let span = found.texts[0].source_span(at..at + word.len());
            prop_assert!(source[span.start..].starts_with(word.as_str()));
            from = at + word.len();
        }
    }
}
