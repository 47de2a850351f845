//! Whose message it is: what only the header can tell of a message from Exchange Online.
//!
//! Microsoft's certificate is the same for all its customers, so the tenant is told by a header
//! field that Exchange Online itself writes. A forger can add one more, hide it behind a line
//! that some readers take for the end of the header, or put it in a nested part; so it must stand
//! exactly once, in a header section without a broken line, and that of the message itself.

use bytes::Bytes;

use crate::mail::{Field, Limits, Message, addresses, fields_of};

use super::clients::{OwnDomains, Tenant};

/// The message shows the tenant's id, once and nobody else's.
pub fn is_of_tenant(raw: &[u8], tenant: &Tenant) -> bool {
    let Some(header) = Header::read(raw) else { return false };
    let mut named = header.named(&tenant.header);
    let (Some(field), None) = (named.next(), named.next()) else { return false };
    header.value(field).eq_ignore_ascii_case(tenant.id.as_bytes())
}

/// There is one From field, and every mailbox in it is the school's. This stands in for the
/// sender's domain where the reverse path is null.
pub fn is_from_own_domain(raw: &Bytes, own: &OwnDomains) -> bool {
    let Some(header) = Header::read(raw) else { return false };
    if header.named("From").count() != 1 {
        return false;
    }
    let message = Message::parse(raw.slice(..header.end), &Limits::default());
    let from = addresses(&message, "From");
    from.unreadable == 0
        && !from.mailboxes.is_empty()
        && from.mailboxes.iter().all(|mailbox| own.hold(&mailbox.address))
}

/// The header section of the message itself.
struct Header<'a> {
    raw: &'a [u8],
    fields: Vec<Field>,
    end: usize,
}

impl<'a> Header<'a> {
    /// `None` where a line is neither a field nor the continuation of one: readers disagree on
    /// whether the header ends there.
    fn read(raw: &'a [u8]) -> Option<Self> {
        let (fields, end) = fields_of(raw, 0, raw.len());
        let whole = end == raw.len() || raw.get(..end)?.ends_with(b"\r\n\r\n");
        whole.then_some(Self { raw, fields, end })
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Field> {
        let is_it = move |field: &&Field| {
            self.raw
                .get(field.name.clone())
                .is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()))
        };
        self.fields.iter().filter(is_it)
    }

    fn value(&self, field: &Field) -> &[u8] {
        self.raw.get(field.value.clone()).unwrap_or_default().trim_ascii()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "11111111-2222-3333-4444-555555555555";
    const THEIRS: &str = "99999999-2222-3333-4444-555555555555";

    fn ours(header: &str) -> bool {
        let raw = format!("{header}Subject: x\r\n\r\nbody\r\n");
        is_of_tenant(raw.as_bytes(), &Tenant::new(&OURS.to_uppercase()))
    }

    #[test]
    fn the_school_s_own_message_passes() {
        assert!(ours(&format!("X-MS-Exchange-CrossTenant-Id: {OURS}\r\n")));
        assert!(ours(&format!(
            "From: a@b.example\r\nX-MS-EXCHANGE-CROSSTENANT-ID:\r\n {OURS}\r\n"
        )));
    }

    #[test]
    fn forgeries_do_not() {
        let field = "X-MS-Exchange-CrossTenant-Id";
        for header in [
            String::new(),
            format!("{field}: {THEIRS}\r\n"),
            format!("{field}: {OURS}\r\n{field}: {OURS}\r\n"),
            format!("{field}: {OURS}\r\n{field}: {THEIRS}\r\n"),
            format!("{field}: {THEIRS}\r\nx-ms-exchange-crosstenant-ID : {OURS}\r\n"),
            format!("{field}: {OURS}\r\n {THEIRS}\r\n"),
            format!("{field}: {OURS}\r\n , {OURS}\r\n"),
            format!("{field}: {OURS} {THEIRS}\r\n"),
            format!("{field}: ({THEIRS}) {OURS}\r\n"),
            format!("{field}: {OURS}\r\nno field at all\r\n{field}: {THEIRS}\r\n"),
            format!("{field}:: {OURS}\r\n"),
            format!("X-{field}: {OURS}\r\n"),
            format!("Subject: x\r\n {field}: {OURS}\r\n"),
            format!("Subject: x\r\n\r\n{field}: {OURS}\r\n"),
            format!(
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{field}: {OURS}\r\n\r\n"
            ),
            format!(" {field}: {OURS}\r\n"),
        ] {
            assert!(!ours(&header), "{header:?}");
        }
    }

    #[test]
    fn the_from_field_speaks_for_the_null_path() {
        let own = OwnDomains::new(&["school.example"]);
        let is_own = |header: &str| {
            is_from_own_domain(&Bytes::from(format!("{header}\r\n\r\nFrom: x@evil.example")), &own)
        };
        assert!(is_own("From: Office <office@School.example>"));
        assert!(is_own("From: a@school.example, b@school.example\r\nSubject: x"));
        for header in [
            "Subject: x",
            "From: office@evil.example",
            "From: a@school.example\r\nFrom: a@school.example",
            "From: a@school.example, b@evil.example",
            "From: office@sub.school.example",
            "From: \"office@school.example\" <a@evil.example>",
            "From: <a@school.example",
            "From:",
            "broken\r\nFrom: a@school.example",
        ] {
            assert!(!is_own(header), "{header:?}");
        }
    }
}
