//! What the policy may know of a message.

use crate::detect::Finding;
use crate::mail::{Address, Attachment, Audience, Defect};

/// Everything a verdict may depend on.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The reverse path; `None` is `<>`.
    pub sender: Option<&'a Address>,
    /// The envelope's recipients with how far outside they stand, in envelope order.
    pub recipients: &'a [(Address, Audience)],
    /// Distinct addresses outside the school's own domains that the header shows (To, Cc,
    /// Resent-To, Resent-Cc, Reply-To), and how many of them are not trusted partners.
    pub visible_outside: usize,
    /// How many of `visible_outside` are no trusted partners.
    pub visible_untrusted: usize,
    /// Distinct outside attendees of a calendar invitation in the message.
    pub calendar_attendees_outside: usize,
    /// What was found.
    pub findings: &'a [Finding],
    /// What is attached.
    pub attachments: &'a [Attachment],
    /// What is ambiguous or broken; not empty means suspicious.
    pub defects: &'a [Defect],
}

impl Facts<'_> {
    /// Whether any recipient stands outside the school's own domains.
    pub fn goes_outside(&self) -> bool {
        self.recipients.iter().any(|(_, audience)| *audience != Audience::Own)
    }
}
