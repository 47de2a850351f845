//! Which bodies carry the disclaimer, and which messages none.
//!
//! Nothing is decided by looking for the disclaimer's own words: an older one in the quoted text
//! changes nothing.

use super::fields::{has_empty_line, parameter};
use super::request::OmitReason;
use crate::mail::{Content, Defect, Disposition, Message, Part, PartId, TransferEncoding};

/// The disclaimer's two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclaimer {
    /// Lines with CRLF, the last one ended.
    pub(super) text: String,
    /// Likewise, to stand before `</body>`.
    pub(super) html: String,
}

impl Disclaimer {
    /// A disclaimer from its text and, where the school wrote one, its HTML form; without one the
    /// text is escaped into a paragraph.
    pub fn new(text: &str, html: Option<&str>) -> Self {
        let html = html.map_or_else(|| paragraph_of(text), str::to_owned);
        Self { text: with_crlf(text), html: with_crlf(&html) }
    }
}

/// The two kinds of body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// text/plain.
    Plain,
    /// text/html.
    Html,
}

/// The bodies of the message proper, in order, or why none is touched.
pub(super) fn bodies(message: &Message) -> Result<Vec<(PartId, Kind)>, OmitReason> {
    if message.defects().iter().any(|defect| touches_structure(*defect)) {
        return Err(OmitReason::Malformed);
    }
    if message.parts().iter().any(is_tnef) {
        return Err(OmitReason::Tnef);
    }
    let mut found = Vec::new();
    walk(message, 0, &mut found)?;
    if found.is_empty() { Err(OmitReason::NoTextBody) } else { Ok(found) }
}

fn walk(message: &Message, id: PartId, found: &mut Vec<(PartId, Kind)>) -> Result<(), OmitReason> {
    let Some(part) = message.parts().get(id) else { return Ok(()) };
    if let Some(reason) = untouchable(message, part) {
        return Err(reason);
    }
    match &part.content {
        Content::Multipart(children) => walk_children(message, part, children, found),
        Content::Text(text) if !is_attached(part) => {
            if let Some(reason) = inline_pgp(text.expose()) {
                return Err(reason);
            }
            let kind = match part.media_type.as_str() {
                // Text can only be appended behind a header section that has ended.
                _ if !has_empty_line(message, part) => None,
                "text/plain" => Some(Kind::Plain),
                "text/html" => Some(Kind::Html),
                _ => None,
            };
            found.extend(kind.map(|kind| (id, kind)));
            Ok(())
        }
        _ => Ok(()),
    }
}

fn walk_children(
    message: &Message,
    part: &Part,
    children: &[PartId],
    found: &mut Vec<(PartId, Kind)>,
) -> Result<(), OmitReason> {
    if !matches!(
        part.encoding,
        TransferEncoding::SevenBit | TransferEncoding::EightBit | TransferEncoding::Binary
    ) {
        return Err(OmitReason::Malformed);
    }
    match part.media_type.as_str() {
        // Only the root of a related group is a body; the rest are its resources.
        "multipart/related" => {
            let root = related_root(message, part, children);
            root.map_or(Ok(()), |id| walk(message, id, found))
        }
        // Its parts are messages by default (RFC 2046 section 5.1.5).
        "multipart/digest" => Ok(()),
        _ => children.iter().try_for_each(|&id| walk(message, id, found)),
    }
}

fn related_root(message: &Message, part: &Part, children: &[PartId]) -> Option<PartId> {
    let start = parameter(message, part, "start");
    let named = start.and_then(|start| {
        children.iter().copied().find(|&id| {
            message.parts().get(id).is_some_and(|child| content_id(message, child) == start)
        })
    });
    named.or_else(|| children.first().copied())
}

fn content_id(message: &Message, part: &Part) -> String {
    let named = part.fields.iter().find(|f| message.name(f).eq_ignore_ascii_case("content-id"));
    named.map_or_else(String::new, |field| {
        String::from_utf8_lossy(message.raw_value(field).trim_ascii()).into_owned()
    })
}

/// Why this part's whole message stays as it is, if it must.
fn untouchable(message: &Message, part: &Part) -> Option<OmitReason> {
    match part.media_type.as_str() {
        "multipart/signed" => Some(OmitReason::Signed),
        "multipart/encrypted" => Some(OmitReason::Encrypted),
        "multipart/report" | "message/delivery-status" | "message/disposition-notification" => {
            Some(OmitReason::Report)
        }
        "text/calendar" if !is_attached(part) => Some(OmitReason::Calendar),
        "application/pkcs7-mime" | "application/x-pkcs7-mime" if part.parent.is_none() => {
            let kind = parameter(message, part, "smime-type").unwrap_or_default();
            let signed = kind.eq_ignore_ascii_case("signed-data");
            Some(if signed { OmitReason::Signed } else { OmitReason::Encrypted })
        }
        _ => None,
    }
}

fn inline_pgp(text: &str) -> Option<OmitReason> {
    text.lines().find_map(|line| match line.trim_end() {
        "-----BEGIN PGP SIGNED MESSAGE-----" => Some(OmitReason::Signed),
        "-----BEGIN PGP MESSAGE-----" => Some(OmitReason::Encrypted),
        _ => None,
    })
}

fn is_attached(part: &Part) -> bool {
    part.disposition == Some(Disposition::Attachment) || part.filename.is_some()
}

fn is_tnef(part: &Part) -> bool {
    let named = part
        .filename
        .as_ref()
        .is_some_and(|name| name.expose().eq_ignore_ascii_case("winmail.dat"));
    named || matches!(part.media_type.as_str(), "application/ms-tnef" | "application/vnd.ms-tnef")
}

fn touches_structure(defect: Defect) -> bool {
    let harmless = matches!(
        defect,
        Defect::DuplicateField
            | Defect::BadHeader
            | Defect::BadAddress
            | Defect::BadCharset
            | Defect::ElsewhereContent
    );
    !harmless
}

fn with_crlf(text: &str) -> String {
    let lines: Vec<&str> = text.trim_matches(['\r', '\n']).lines().map(str::trim_end).collect();
    lines.join("\r\n") + "\r\n"
}

fn paragraph_of(text: &str) -> String {
    let escaped = text
        .trim()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;");
    let lines: Vec<&str> = escaped.lines().map(str::trim_end).collect();
    format!("<p>{}</p>", lines.join("<br>\n"))
}
