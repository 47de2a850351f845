//! What the rewriter is told, and what it answers.

use std::net::IpAddr;

use jiff::civil::Date;
use thiserror::Error;

use super::disclaimer::Disclaimer;
use crate::mail::{Address, Splice};

/// Everything a rewriting depends on beside the message itself.
pub struct Request<'a> {
    /// Every external address leaves the visible fields (P02).
    pub force_bcc: bool,
    /// The disclaimer is appended (P01).
    pub append_disclaimer: bool,
    /// The reverse path is `<>`: the body stays as it is.
    pub null_sender: bool,
    /// The disclaimer's two forms.
    pub disclaimer: &'a Disclaimer,
    /// What an emptied `To:` shows, of an own domain; the From address where there is none.
    pub bulk_to: Option<&'a Address>,
    /// Whether an address is of the school's own domains.
    pub is_own: &'a dyn Fn(&Address) -> bool,
    /// What our Received field says.
    pub trace: Trace<'a>,
    /// The stamp on copies for recipients outside: the standard class, whatever the true one.
    pub outside: Retention<'a>,
    /// The true stamp, on copies that stay within the school.
    pub own: Retention<'a>,
    /// The monitor field, only where it is switched on and a rule would have held the message.
    pub monitor: Option<Monitor<'a>>,
    /// A keyed HMAC over the pieces, each told apart from its neighbours, as text without blanks.
    pub seal: &'a dyn Fn(&[&[u8]]) -> String,
}

/// The values of our Received field (RFC 5321 section 4.4), all from the session. There is no
/// `for` clause: a header never lists envelope recipients.
#[derive(Debug, Clone, Copy)]
pub struct Trace<'a> {
    /// What the peer said in EHLO or HELO.
    pub helo: &'a str,
    /// The peer's address.
    pub peer: IpAddr,
    /// Our own host name.
    pub by: &'a str,
    /// `ESMTPS`, `ESMTP` or `SMTP` (RFC 3848).
    pub protocol: &'a str,
    /// The message's id in our store.
    pub id: &'a str,
    /// The date of acceptance in the form of RFC 5322 section 3.3.
    pub date: &'a str,
}

/// One retention stamp (P09).
#[derive(Debug, Clone, Copy)]
pub struct Retention<'a> {
    /// The class's id, a word.
    pub class: &'a str,
    /// The last day on which it is kept.
    pub until: Date,
}

/// The monitor field.
#[derive(Debug, Clone, Copy)]
pub struct Monitor<'a> {
    /// The field's name, from the configuration.
    pub name: &'a str,
    /// The ids of the rules that would have held the message.
    pub rules: &'a [String],
}

/// The edits of one message. The two lists differ in the retention stamp only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// For recipients outside the school's own domains.
    pub outside: Vec<Splice>,
    /// For recipients of the school's own domains.
    pub own: Vec<Splice>,
    /// What became of the disclaimer.
    pub disclaimer: DisclaimerOutcome,
}

/// What became of the disclaimer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisclaimerOutcome {
    /// It was not asked for.
    NotAsked,
    /// It stands at the end of so many text and HTML bodies.
    Appended {
        /// How many.
        parts: usize,
    },
    /// The body stays as it came.
    Omitted(OmitReason),
}

/// Why a message leaves without the disclaimer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OmitReason {
    /// A signature would break.
    Signed,
    /// There is nothing readable to append to.
    Encrypted,
    /// An invitation: calendars choke on added text.
    Calendar,
    /// A delivery report or a disposition notification.
    Report,
    /// The reverse path is `<>`.
    NullSender,
    /// The body is in winmail.dat.
    Tnef,
    /// There is no text or HTML body at all.
    NoTextBody,
    /// The structure is broken or ambiguous, so that an edit could change what readers see.
    Malformed,
}

impl OmitReason {
    /// The word in `X-Schoolgate-Disclaimer: omitted; reason=…`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Encrypted => "encrypted",
            Self::Calendar => "calendar",
            Self::Report => "report",
            Self::NullSender => "null-sender",
            Self::Tnef => "tnef",
            Self::NoTextBody => "no-text-body",
            Self::Malformed => "malformed",
        }
    }
}

/// Why a message can't be rewritten; the caller holds it. No variant carries any of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unrewritable {
    /// A line of the header section is no field: readers disagree on where the body begins.
    #[error("the header section holds a line that is no field")]
    Header,
    /// `To:` is emptied, and there is neither a configured address nor a readable From.
    #[error("no address can stand in the emptied To field")]
    NoBulkAddress,
    /// The configured name of the monitor field is no field name.
    #[error("the monitor field's name is no field name")]
    FieldName,
    /// The edited text would contain a boundary line of the message.
    #[error("an edited line would read as a boundary of the message")]
    Boundary,
    /// The splices overlap: an error of ours.
    #[error("the edits of the message overlap")]
    Overlap,
    /// The rewritten header section, read again, is not the expected one.
    #[error("the rewritten header section is not the expected one")]
    HeaderProof,
    /// A rewritten text, read again, is not the original with the disclaimer.
    #[error("a rewritten text does not decode to the original with the disclaimer")]
    TextProof,
}
