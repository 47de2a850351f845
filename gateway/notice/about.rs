//! How a notice names a message without telling what is in it.

/// What may be said of a message.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// When the gateway took it, in words: `Monday 2 March 2026 at 09:00`.
    pub sent: &'a str,
    /// How many recipients the notice is about.
    pub recipients: usize,
    /// Their domains, each once.
    pub domains: &'a [String],
    /// How many files are attached.
    pub attachments: usize,
}

/// So many domains are named; of more, the notice gives the number.
const NAMED: usize = 5;

impl About<'_> {
    /// `of Monday … at 09:00 to 2 recipients at a.example (1 attachment)`.
    pub(super) fn words(&self) -> String {
        let to = count(self.recipients, "recipient", "recipients");
        let at = match self.domains {
            [] => String::new(),
            domains if domains.len() <= NAMED => format!(" at {}", listed(domains)),
            domains => format!(" at {} domains", domains.len()),
        };
        let with = match self.attachments {
            0 => "no attachments".to_owned(),
            number => count(number, "attachment", "attachments"),
        };
        format!("of {} to {to}{at} ({with})", self.sent)
    }
}

/// `1 file`, `2 files`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `a, b and c`.
pub(super) fn listed<T: AsRef<str>>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [front @ .., last] => {
            let front: Vec<&str> = front.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", front.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_a_message_by_its_outside_only() {
        let domains = ["home.example", "mail.example"].map(str::to_owned);
        let mut about = About { sent: "Monday", recipients: 3, domains: &domains, attachments: 1 };
        let expected = "of Monday to 3 recipients at home.example and mail.example (1 attachment)";
        assert_eq!(about.words(), expected);
        let many: Vec<String> = (0..6).map(|number| format!("d{number}.example")).collect();
        about = About { sent: "Monday", recipients: 1, domains: &many, attachments: 0 };
        assert_eq!(about.words(), "of Monday to 1 recipient at 6 domains (no attachments)");
    }
}
