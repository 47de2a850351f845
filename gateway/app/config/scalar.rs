//! The single values of the configuration: each reads its text, or says what it should be.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use schemars::json_schema;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error as _;

use crate::mail::Address;

/// The longest time the configuration may name, in seconds: ten years.
const LONGEST: u64 = 10 * 366 * 24 * 3600;

/// Declares a type that is written as one YAML scalar and read by [`FromStr`].
macro_rules! scalar {
    ($name:ident, $words:literal, $pattern:literal) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(D::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $words, "pattern": $pattern })
            }
        }
    };
}

/// A time: a whole number and `s`, `m`, `h` or `d`, such as `20s` or `5d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

scalar!(Duration, "time", "^[0-9]+(s|m|h|d)$");

impl Duration {
    pub(super) const fn seconds(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    pub(super) const fn hours(hours: u64) -> Self {
        Self::seconds(hours * 3600)
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time; write a number and s, m, h or d, such as 20s");
        let (number, unit) = split_number(text).ok_or_else(wrong)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 24 * 3600,
            _ => return Err(wrong()),
        };
        match number.checked_mul(unit) {
            Some(seconds) if seconds <= LONGEST => Ok(Self::seconds(seconds)),
            _ => Err(format!("`{text}` is longer than ten years")),
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(24 * 3600, 'd'), (3600, 'h'), (60, 'm')];
        match units.into_iter().find(|(size, _)| seconds > 0 && seconds.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{}{unit}", seconds / size),
            None => write!(f, "{seconds}s"),
        }
    }
}

/// A size: a whole number and `KiB`, `MiB` or `GiB`, such as `35MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Octets(pub u64);

scalar!(Octets, "size", "^[0-9]+(KiB|MiB|GiB)$");

impl Octets {
    pub(super) const fn mebibytes(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }
}

impl FromStr for Octets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no size; write a number and KiB, MiB or GiB: 35MiB");
        let (number, unit) = split_number(text).ok_or_else(wrong)?;
        let unit = match unit {
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB")];
        match units.into_iter().find(|(size, _)| self.0 > 0 && self.0.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}KiB", self.0 >> 10),
        }
    }
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

/// A domain or host name, `school.example`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(pub String);

scalar!(DomainName, "domain", "^[^@ ]+$");

impl FromStr for DomainName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The grammar of domains lives in one place; a mailbox in the domain proves it.
        match Address::parse(&format!("postmaster@{text}")) {
            Ok(address) if !text.starts_with('[') => Ok(Self(address.domain().to_owned())),
            _ => Err(format!("`{text}` is no domain; write it like school.example")),
        }
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A mail address, `office@school.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox(pub Address);

scalar!(Mailbox, "mail address", "^.+@.+$");

impl FromStr for Mailbox {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Address::parse(text).map(Self).map_err(|why| format!("`{text}` is no mail address: {why}"))
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// Whom an entry means: `a@council.example`, `council.example`, or `*.council.example` for every
/// domain below it (and not itself).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// One mailbox.
    Mailbox(Address),
    /// Every mailbox of exactly this domain.
    Domain(String),
    /// Every mailbox of the domains below this one.
    Below(String),
}

scalar!(Pattern, "mail address, domain, or *.domain", "^.+$");

impl Pattern {
    /// Whether the address is meant.
    pub fn fits(&self, address: &Address) -> bool {
        match self {
            Self::Mailbox(mailbox) => mailbox.folded() == address.folded(),
            Self::Domain(domain) => address.domain() == domain,
            Self::Below(domain) => address
                .domain()
                .strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        }
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(domain) = text.strip_prefix("*.") {
            return domain.parse::<DomainName>().map(|name| Self::Below(name.0));
        }
        if text.contains('@') {
            return text.parse::<Mailbox>().map(|mailbox| Self::Mailbox(mailbox.0));
        }
        text.parse::<DomainName>().map(|name| Self::Domain(name.0))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(mailbox) => f.write_str(mailbox.as_str()),
            Self::Domain(domain) => f.write_str(domain),
            Self::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

/// The name of a header field, RFC 5322 section 3.6.8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderName(pub String);

scalar!(HeaderName, "header field name", "^[!-9;-~]+$");

impl FromStr for HeaderName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_graphic() && c != ':';
        match !text.is_empty() && text.len() <= 76 && text.chars().all(fits) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("`{text}` is no header field name; write it like X-Mail-Policy")),
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The school's LAESTAB (DfE number): three digits of the local authority, a slash, four digits
/// of the establishment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laestab(pub String);

scalar!(Laestab, "LAESTAB", "^[0-9]{3}/?[0-9]{4}$");

impl FromStr for Laestab {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits: String = text.chars().filter(|c| *c != '/').collect();
        match digits.len() == 7 && digits.chars().all(|c| c.is_ascii_digit()) {
            true => Ok(Self(digits)),
            false => Err(format!("`{text}` is no LAESTAB; write seven digits like 123/4567")),
        }
    }
}

impl fmt::Display for Laestab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (authority, establishment) = self.0.split_at_checked(3).unwrap_or_default();
        write!(f, "{authority}/{establishment}")
    }
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneName(pub String);

scalar!(ZoneName, "time zone", "^.+$");

impl FromStr for ZoneName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match zone(text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(format!("`{text}` is no time zone known here; write Europe/London")),
        }
    }
}

impl ZoneName {
    /// The zone itself; `None` if the machine has lost its time zone database since the name was
    /// read.
    pub fn zone(&self) -> Option<TimeZone> {
        zone(&self.0)
    }
}

/// British clocks are known even on a machine without a time zone database.
fn zone(name: &str) -> Option<TimeZone> {
    match TimeZone::get(name) {
        Ok(zone) => Some(zone),
        Err(_) if name == "Europe/London" => TimeZone::posix("GMT0BST,M3.5.0/1,M10.5.0").ok(),
        Err(_) => None,
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_read_back_as_written() {
        for text in ["20s", "5m", "4h", "365d", "90s", "0s"] {
            assert_eq!(text.parse::<Duration>().map(|d| d.to_string()), Ok(text.to_owned()));
        }
        for text in ["35MiB", "1GiB", "512KiB"] {
            assert_eq!(text.parse::<Octets>().map(|o| o.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("120s".parse::<Duration>().map(|d| d.to_string()), Ok("2m".to_owned()));
    }

    #[test]
    fn a_wrong_value_says_what_it_should_be() {
        let words = "20".parse::<Duration>().unwrap_err();
        assert_eq!(words, "`20` is no time; write a number and s, m, h or d, such as 20s");
        assert!("99999999999999999999d".parse::<Duration>().is_err());
        assert!("9999999d".parse::<Duration>().unwrap_err().contains("ten years"));
        assert!("35 MB".parse::<Octets>().unwrap_err().contains("35MiB"));
        assert!("a b".parse::<DomainName>().is_err());
        assert!("[192.0.2.1]".parse::<DomainName>().is_err());
        assert!("X-Bad: yes".parse::<HeaderName>().is_err());
        assert!("12/34567".parse::<Laestab>().is_ok_and(|code| code.to_string() == "123/4567"));
        assert!("Mars/Olympus".parse::<ZoneName>().is_err());
    }

    #[test]
    fn a_pattern_means_a_mailbox_a_domain_or_the_domains_below() {
        let fits = |pattern: &str, address: &str| {
            pattern.parse::<Pattern>().unwrap().fits(&Address::parse(address).unwrap())
        };
        assert!(fits("lado@council.example", "LADO@Council.Example"));
        assert!(!fits("lado@council.example", "other@council.example"));
        assert!(fits("council.example", "any@council.example"));
        assert!(!fits("council.example", "any@sub.council.example"));
        assert!(fits("*.council.example", "any@sub.council.example"));
        assert!(!fits("*.council.example", "any@council.example"));
        assert!(!fits("*.council.example", "any@badcouncil.example"));
    }
}
