//! What the policy must know of the school itself: its domains, its partners, and the recipients
//! whose mail passes the headteacher by.

use thiserror::Error;

use crate::mail::Address;
use crate::mail::Audience;

/// One domain (`school.example`) or everything below one (`*.school.example`, not the domain
/// itself), compared in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainPattern {
    domain: String,
    below: bool,
}

/// A text that names no domain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is no domain: write school.example, or *.school.example for all below it")]
pub struct BadDomain(String);

impl DomainPattern {
    /// Reads `school.example` or `*.school.example`.
    ///
    /// # Errors
    /// [`BadDomain`] where the text is neither.
    pub fn parse(text: &str) -> Result<Self, BadDomain> {
        let (domain, below) = match text.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let Ok(probe) = Address::parse(&format!("a@{domain}")) else {
            return Err(BadDomain(text.into()));
        };
        let labels = probe.domain().split('.').count();
        if labels < 2 && probe.domain() != "localhost" {
            return Err(BadDomain(text.into()));
        }
        Ok(Self { domain: probe.domain().to_owned(), below })
    }

    /// Whether a lower-case domain falls under the pattern.
    pub fn matches(&self, domain: &str) -> bool {
        match domain.strip_suffix(self.domain.as_str()) {
            Some("") => !self.below,
            Some(rest) => self.below && rest.ends_with('.') && rest.len() > 1,
            None => false,
        }
    }
}

/// Whom an entry of the school's lists means: one mailbox, `lado@council.example`, or everybody
/// under a [`DomainPattern`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientPattern {
    /// One mailbox, folded as [`Address::folded`].
    Mailbox(String),
    /// Every mailbox of a domain, or of those below it.
    Domain(DomainPattern),
}

impl RecipientPattern {
    /// Reads a mailbox, a domain, or `*.` and a domain.
    ///
    /// # Errors
    /// [`BadDomain`] where the text is none of them.
    pub fn parse(text: &str) -> Result<Self, BadDomain> {
        match Address::parse(text) {
            Ok(mailbox) => Ok(Self::Mailbox(mailbox.folded())),
            Err(_) => DomainPattern::parse(text).map(Self::Domain),
        }
    }

    /// Whether the address is meant.
    pub fn matches(&self, address: &Address) -> bool {
        match self {
            Self::Mailbox(mailbox) => *mailbox == address.folded(),
            Self::Domain(domain) => domain.matches(address.domain()),
        }
    }
}

/// The school as the policy sees it; immutable, swapped whole.
#[derive(Debug, Clone, Default)]
pub struct School {
    /// The school's own domains.
    pub own: Vec<DomainPattern>,
    /// Whom the school trusts: still external for every shipped rule but bulk mail.
    pub partners: Vec<RecipientPattern>,
    /// A hold of mail to these is not the headteacher's to decide but the safeguarding lead's or
    /// the chair's (the designated officer, Ofsted, unions, whistle-blowing lines).
    pub protected: Vec<RecipientPattern>,
    /// The school's own LAESTAB numbers, seven digits: LA code and establishment.
    pub laestabs: Vec<String>,
}

impl School {
    /// How far outside the school an address stands. A domain in both lists is the school's own.
    pub fn audience_of(&self, address: &Address) -> Audience {
        if self.own.iter().any(|one| one.matches(address.domain())) {
            Audience::Own
        } else if self.partners.iter().any(|one| one.matches(address)) {
            Audience::Partner
        } else {
            Audience::External
        }
    }

    /// Whether a hold of mail to this address passes the headteacher by.
    pub fn is_protected(&self, address: &Address) -> bool {
        self.protected.iter().any(|one| one.matches(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn school() -> School {
        School {
            own: ["school.example", "*.school.example"]
                .map(|d| DomainPattern::parse(d).unwrap())
                .into(),
            partners: vec![RecipientPattern::parse("council.example").unwrap()],
            protected: vec![RecipientPattern::parse("lado@council.example").unwrap()],
            laestabs: Vec::new(),
        }
    }

    #[test]
    fn audience_is_by_whole_labels() {
        for (address, audience) in [
            ("head@school.example", Audience::Own),
            ("head@SCHOOL.example", Audience::Own),
            ("tom@pupils.school.example", Audience::Own),
            ("x@oldschool.example", Audience::External),
            ("x@school.example.evil.example", Audience::External),
            ("x@council.example", Audience::Partner),
            ("x@sub.council.example", Audience::External),
        ] {
            assert_eq!(
                school().audience_of(&Address::parse(address).unwrap()),
                audience,
                "{address}"
            );
        }
        assert!(school().is_protected(&Address::parse("LADO@council.example").unwrap()));
    }

    #[test]
    fn a_pattern_below_excludes_the_domain_itself() {
        let pattern = DomainPattern::parse("*.trust.example").unwrap();
        assert!(pattern.matches("a.trust.example") && pattern.matches("a.b.trust.example"));
        assert!(!pattern.matches("trust.example") && !pattern.matches(".trust.example"));
        for bad in ["", "*", "example", "*.*.example", "a b.example", "x@y.example", "*.example "] {
            assert!(DomainPattern::parse(bad).is_err(), "{bad}");
        }
    }
}
