//! A mailbox as RFC 5321 section 4.1.2 writes it, with RFC 6531's UTF-8.

use std::fmt;

use thiserror::Error;

/// The longest path RFC 5321 section 4.5.3.1.3 allows, without the angle brackets, in octets.
const MAX_LENGTH: usize = 254;
/// The longest local part, RFC 5321 section 4.5.3.1.1, in octets.
const MAX_LOCAL: usize = 64;

/// A mailbox `local-part@domain`. The local part stands as it came, quotes included, because only
/// the receiving host may interpret it; the domain is folded to lower case.
///
/// `Debug` shows the domain only, so an address can't slip into a log.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    text: String,
    at: usize,
}

/// Why a text is no mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AddressError {
    /// There is no `@`, or nothing on one side of it.
    #[error("an address needs a local part, an @ and a domain")]
    Incomplete,
    /// Longer than RFC 5321 allows.
    #[error("the address is longer than 254 octets, or its local part than 64")]
    TooLong,
    /// A character that RFC 5321 forbids, or a quoted string that does not end.
    #[error("the local part has a character that RFC 5321 does not allow there")]
    BadLocalPart,
    /// Not a domain name and not an address literal.
    #[error("the domain is neither a host name nor an address literal")]
    BadDomain,
}

impl Address {
    /// Reads one mailbox, without angle brackets and without a source route.
    ///
    /// # Errors
    /// [`AddressError`] says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let at = text.rfind('@').ok_or(AddressError::Incomplete)?;
        let (local, rest) = text.split_at(at);
        let domain = rest.trim_start_matches('@');
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Incomplete);
        }
        if text.len() > MAX_LENGTH || local.len() > MAX_LOCAL {
            return Err(AddressError::TooLong);
        }
        if !is_local_part(local) {
            return Err(AddressError::BadLocalPart);
        }
        if rest.len() != domain.len() + 1 || !is_domain(domain) {
            return Err(AddressError::BadDomain);
        }
        Ok(Self { text: format!("{local}@{}", domain.to_lowercase()), at })
    }

    /// The whole mailbox, `local-part@domain`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the last `@`, quotes included.
    pub fn local_part(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// The domain in lower case, or an address literal with its brackets.
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }

    /// The form in which two spellings of one mailbox are equal: all lower case. No host that a
    /// school meets tells local parts apart by case.
    pub fn folded(&self) -> String {
        self.text.to_lowercase()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[…@{}]", self.domain())
    }
}

fn is_local_part(local: &str) -> bool {
    match local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => local.len() > 1 && is_quoted_content(inner),
        None => local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext)),
    }
}

/// RFC 5321's qtextSMTP and quoted-pairSMTP.
fn is_quoted_content(inner: &str) -> bool {
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        let fits = match char {
            '\\' => chars.next().is_some_and(|next| (' '..='~').contains(&next)),
            '"' => false,
            other => !other.is_control(),
        };
        if !fits {
            return false;
        }
    }
    true
}

fn is_atext(char: char) -> bool {
    char.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(char) || is_beyond_ascii(char)
}

fn is_beyond_ascii(char: char) -> bool {
    !char.is_ascii() && !char.is_control() && !char.is_whitespace()
}

fn is_domain(domain: &str) -> bool {
    match domain.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(is_literal),
        None => domain.split('.').all(is_label),
    }
}

fn is_literal(inner: &str) -> bool {
    !inner.is_empty() && inner.chars().all(|c| c.is_ascii_alphanumeric() || ".:-".contains(c))
}

fn is_label(label: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || is_beyond_ascii(c);
    !label.is_empty()
        && label.len() <= 63
        && label.chars().all(inside)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_rfc_5321_allows_and_folds_the_domain() {
        for (text, domain) in [
            ("office@School.Example", "school.example"),
            ("\"a b@c\"@x.example", "x.example"),
            ("o'neil+trip@x.example", "x.example"),
            ("a@[192.0.2.7]", "[192.0.2.7]"),
            ("grüße@schüle.example", "schüle.example"),
        ] {
            assert_eq!(Address::parse(text).map(|a| a.domain().to_owned()), Ok(domain.to_owned()));
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in
            ["", "@", "a@", "@b", "a b@c", "a..b@c", ".a@c", "a@b..c", "a@-b", "a\r@b", "\"a@b"]
        {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(
            Address::parse(&format!("{}@b.example", "a".repeat(65))),
            Err(AddressError::TooLong)
        );
    }

    #[test]
    fn debug_hides_the_local_part() {
        let address = Address::parse("tom.brown@home.example").map(|a| format!("{a:?}"));
        assert_eq!(address, Ok("[…@home.example]".to_owned()));
    }
}
