//! Delivery status notifications (RFC 3464), built from plain data.
//!
//! They return Message-ID and Date of the original and nothing else: never its subject, never a
//! character of its content. Sending one (with the null reverse path) is the caller's.

use super::address::Address;
use super::reply::Reply;

/// Why a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The next hop, or the school's policy after acceptance, said no for good.
    Refused,
    /// It was tried until it became too old.
    Expired,
}

/// One recipient that failed.
#[derive(Debug, Clone, Copy)]
pub struct Failed<'a> {
    /// The envelope recipient.
    pub recipient: &'a Address,
    /// The reply that decided: the next hop's last one, or ours.
    pub reply: &'a Reply,
    /// The host that said it; `None` where the gateway itself did.
    pub remote: Option<&'a str>,
}

/// Everything one report says.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The address the report comes from, of the school's own domain.
    pub from: &'a Address,
    /// The reverse path of the original.
    pub to: &'a Address,
    /// Our own host name.
    pub reporting_mta: &'a str,
    /// A Message-ID for the report, with its angle brackets.
    pub message_id: &'a str,
    /// Now, in the form of RFC 5322 section 3.3.
    pub date: &'a str,
    /// When the original was accepted, in the same form.
    pub arrived: &'a str,
    /// The id of the original in our store.
    pub id: &'a str,
    /// The original's Message-ID field, as it stands.
    pub original_message_id: Option<&'a str>,
    /// The original's Date field, as it stands.
    pub original_date: Option<&'a str>,
    /// Why.
    pub cause: Cause,
    /// At least one.
    pub failed: &'a [Failed<'a>],
}

/// The whole report, with CRLF line endings, all ASCII unless an address is not.
pub fn build(report: &Report<'_>) -> Vec<u8> {
    let boundary = format!("=_schoolgate_{}", word(report.id));
    let mut lines = header(report, &boundary);
    lines.extend([format!("--{boundary}"), "Content-Type: text/plain; charset=utf-8".to_owned()]);
    lines.extend(["Content-Transfer-Encoding: 8bit".to_owned(), String::new()]);
    lines.extend(words(report));
    lines.extend([String::new(), format!("--{boundary}")]);
    lines.extend(["Content-Type: message/delivery-status".to_owned(), String::new()]);
    lines.extend(status(report));
    lines.extend([String::new(), format!("--{boundary}")]);
    lines.extend(["Content-Type: text/rfc822-headers".to_owned(), String::new()]);
    lines.extend(report.original_message_id.map(|id| format!("Message-ID: {}", one_line(id))));
    lines.extend(report.original_date.map(|date| format!("Date: {}", one_line(date))));
    lines.extend([String::new(), format!("--{boundary}--"), String::new()]);
    lines.join("\r\n").into_bytes()
}

fn header(report: &Report<'_>, boundary: &str) -> Vec<String> {
    vec![
        format!("From: Schoolgate <{}>", report.from.as_str()),
        format!("To: <{}>", report.to.as_str()),
        format!("Date: {}", one_line(report.date)),
        format!("Message-ID: {}", one_line(report.message_id)),
        "Subject: Your message was not delivered".to_owned(),
        "Auto-Submitted: auto-replied".to_owned(),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: multipart/report; report-type=delivery-status;".to_owned(),
        format!("\tboundary=\"{boundary}\""),
        String::new(),
    ]
}

fn words(report: &Report<'_>) -> Vec<String> {
    let why = match report.cause {
        Cause::Refused => "It was refused and will not be tried again.",
        Cause::Expired => "It was tried for as long as the school allows, without success.",
    };
    let mut lines = vec![
        format!("Your message of {}", one_line(report.arrived)),
        "did not reach the recipients named below.".to_owned(),
        why.to_owned(),
        String::new(),
    ];
    for failed in report.failed {
        lines.push(format!("<{}>", failed.recipient.as_str()));
        lines.push(format!("    {}", one_line(&failed.reply.text)));
    }
    lines.extend([String::new(), "The message itself is not attached.".to_owned()]);
    lines
}

/// RFC 3464 sections 2.2 and 2.3.
fn status(report: &Report<'_>) -> Vec<String> {
    let mut lines = vec![
        format!("Reporting-MTA: dns; {}", word(report.reporting_mta)),
        format!("Arrival-Date: {}", one_line(report.arrived)),
    ];
    for failed in report.failed {
        let recipient = failed.recipient.as_str();
        // RFC 6533 section 3: an address beyond ASCII has a type of its own.
        let kind = if recipient.is_ascii() { "rfc822" } else { "utf-8" };
        lines.push(String::new());
        lines.push(format!("Final-Recipient: {kind}; {recipient}"));
        lines.push("Action: failed".to_owned());
        lines.push(format!("Status: {}", enhanced(failed.reply, report.cause)));
        lines.extend(failed.remote.map(|host| format!("Remote-MTA: dns; {}", word(host))));
        if failed.remote.is_some() || report.cause == Cause::Refused {
            lines.push(format!("Diagnostic-Code: smtp; {}", one_line(&failed.reply.to_string())));
        }
        lines.push(format!("Last-Attempt-Date: {}", one_line(report.date)));
    }
    lines
}

/// A failed recipient's status is of class 5, or 4.4.7 where time ran out (RFC 3463 section 3.5).
fn enhanced(reply: &Reply, cause: Cause) -> String {
    match (cause, reply.status) {
        (Cause::Expired, _) => "4.4.7".to_owned(),
        (Cause::Refused, Some((5, subject, detail))) => format!("5.{subject}.{detail}"),
        (Cause::Refused, _) => "5.0.0".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    let bare = text.trim();
    bare.chars()
        .filter(|c| !matches!(c, '\r' | '\n'))
        .map(|c| if c.is_ascii() && !c.is_control() { c } else { '?' })
        .collect()
}

fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "._-:[]".contains(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Condition;

    fn report(cause: Cause, remote: Option<&str>, reply: &Reply) -> String {
        let address = |text| Address::parse(text).unwrap();
        let (from, to) = (address("schoolgate@school.example"), address("office@school.example"));
        let recipient = address("parent@mail.example");
        let failed = [Failed { recipient: &recipient, reply, remote }];
        let built = build(&Report {
            from: &from,
            to: &to,
            reporting_mta: "gate.school.example",
            message_id: "<r1@gate.school.example>",
            date: "Mon, 2 Mar 2026 10:00:00 +0000",
            arrived: "Mon, 2 Mar 2026 09:00:00 +0000",
            id: "0192",
            original_message_id: Some(" <m1@school.example>\r\nBcc: evil@x.example"),
            original_date: Some("Mon, 2 Mar 2026 08:59:00 +0000"),
            cause,
            failed: &failed,
        });
        String::from_utf8(built).unwrap()
    }

    #[test]
    fn a_late_reject_says_the_sentence_of_the_smtp_reply() {
        let reply = Condition::Refused.reply().with_text("The message holds a virus.");
        let expected = "From: Schoolgate <schoolgate@school.example>\r\n\
            To: <office@school.example>\r\n\
            Date: Mon, 2 Mar 2026 10:00:00 +0000\r\n\
            Message-ID: <r1@gate.school.example>\r\n\
            Subject: Your message was not delivered\r\n\
            Auto-Submitted: auto-replied\r\n\
            MIME-Version: 1.0\r\n\
            Content-Type: multipart/report; report-type=delivery-status;\r\n\
            \tboundary=\"=_schoolgate_0192\"\r\n\
            \r\n\
            --=_schoolgate_0192\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: 8bit\r\n\
            \r\n\
            Your message of Mon, 2 Mar 2026 09:00:00 +0000\r\n\
            did not reach the recipients named below.\r\n\
            It was refused and will not be tried again.\r\n\
            \r\n\
            <parent@mail.example>\r\n\
            \x20   The message holds a virus.\r\n\
            \r\n\
            The message itself is not attached.\r\n\
            \r\n\
            --=_schoolgate_0192\r\n\
            Content-Type: message/delivery-status\r\n\
            \r\n\
            Reporting-MTA: dns; gate.school.example\r\n\
            Arrival-Date: Mon, 2 Mar 2026 09:00:00 +0000\r\n\
            \r\n\
            Final-Recipient: rfc822; parent@mail.example\r\n\
            Action: failed\r\n\
            Status: 5.7.1\r\n\
            Diagnostic-Code: smtp; 554 5.7.1 The message holds a virus.\r\n\
            Last-Attempt-Date: Mon, 2 Mar 2026 10:00:00 +0000\r\n\
            \r\n\
            --=_schoolgate_0192\r\n\
            Content-Type: text/rfc822-headers\r\n\
            \r\n\
            Message-ID: <m1@school.example>Bcc: evil@x.example\r\n\
            Date: Mon, 2 Mar 2026 08:59:00 +0000\r\n\
            \r\n\
            --=_schoolgate_0192--\r\n";
        assert_eq!(report(Cause::Refused, None, &reply), expected);
    }

    #[test]
    fn expiry_is_4_4_7_with_what_the_next_hop_said_last() {
        let text = report(Cause::Expired, Some("mx.mail.example"), &Condition::NoRoom.reply());
        assert!(text.contains("\r\nStatus: 4.4.7\r\nRemote-MTA: dns; mx.mail.example\r\n"));
        assert!(text.contains("Diagnostic-Code: smtp; 452 4.3.1 no room"));
        assert!(text.contains("tried for as long as the school allows"));
    }

    #[test]
    fn a_refusal_without_a_status_is_5_0_0() {
        let reply = Reply { code: 550, status: None, text: "no such user".to_owned() };
        let text = report(Cause::Refused, Some("mx.mail.example"), &reply);
        assert!(text.contains("\r\nStatus: 5.0.0\r\n"));
        assert!(text.contains("Diagnostic-Code: smtp; 550 no such user\r\n"));
    }
}
