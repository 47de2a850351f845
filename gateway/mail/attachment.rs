//! An attachment as extraction reports it and the policy reads it.

use super::sensitive::Sensitive;

/// How an attachment is protected, folded over everything inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protection {
    /// Readable, and it was read: what it holds is among the findings.
    None,
    /// Truly encrypted.
    Strong,
    /// Encrypted in a way that can be broken.
    Weak,
    /// Partly encrypted.
    Partial,
    /// Not inspectable: it could carry text and could not be read. Never clean.
    Unknown,
}

impl Protection {
    /// The name in reports and in the store.
    pub fn id(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Strong => "strong",
            Self::Weak => "weak",
            Self::Partial => "partial",
            Self::Unknown => "unknown",
        }
    }
}

/// One attachment: what it is called, what it is, and whether it could be read.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// File name, through nested messages and archives with `/`; `part-3` where there is none.
    pub path: Sensitive<String>,
    /// The media type by which it was read.
    pub media_type: String,
    /// Its protection.
    pub protection: Protection,
    /// Why, in words for a report: "not a type this gateway can read".
    pub evidence: String,
}
