//! Which header fields hold words. The names and addresses of correspondents are none: they are
//! in every message, and no finding in themselves.

/// Fields of correspondents, dates, identifiers, trace and transport, in lower case, sorted.
const WORDLESS: &[&str] = &[
    "accept-language",
    "authentication-results",
    "auto-submitted",
    "autocrypt",
    "bcc",
    "cc",
    "content-class",
    "content-disposition",
    "content-id",
    "content-language",
    "content-length",
    "content-transfer-encoding",
    "content-type",
    "date",
    "delivered-to",
    "disposition-notification-to",
    "dkim-signature",
    "domainkey-signature",
    "errors-to",
    "feedback-id",
    "from",
    "importance",
    "in-reply-to",
    "lines",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "message-id",
    "mime-version",
    "msip_labels",
    "precedence",
    "priority",
    "received",
    "received-spf",
    "references",
    "reply-to",
    "return-path",
    "return-receipt-to",
    "sender",
    "sensitivity",
    "spamdiagnosticmetadata",
    "spamdiagnosticoutput",
    "status",
    "thread-index",
    "to",
    "user-agent",
    "x-apple-base-url",
    "x-apple-mail-remote-attachments",
    "x-auto-response-suppress",
    "x-eopattributedmessage",
    "x-has-attach",
    "x-ld-processed",
    "x-mailer",
    "x-mimeole",
    "x-mozilla-draft-info",
    "x-mozilla-status",
    "x-mozilla-status2",
    "x-msmail-priority",
    "x-originating-ip",
    "x-originatororg",
    "x-priority",
    "x-received",
    "x-tmn",
    "x-uniform-type-identifier",
    "x-universally-unique-identifier",
    "x-unsent",
];

/// Families of such fields.
const WORDLESS_FAMILIES: &[&str] =
    &["arc-", "list-", "resent-", "x-forefront-", "x-gm-", "x-google-", "x-microsoft-", "x-ms-"];

/// Whether the value of a field of that name may hold words.
pub(super) fn holds_words(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WORDLESS.binary_search(&name.as_str()).is_err()
        && !WORDLESS_FAMILIES.iter().any(|family| name.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_looked_for_where_people_write_them() {
        assert!(WORDLESS.is_sorted());
        for name in ["Subject", "Thread-Topic", "Comments", "Keywords", "Organization", "X-Pupil"] {
            assert!(holds_words(name), "{name}");
        }
        for name in ["From", "ARC-Seal", "X-MS-Has-Attach", "Received", "content-type"] {
            assert!(!holds_words(name), "{name}");
        }
    }
}
