//! The attendees of an invitation (RFC 5545 section 3.8.4.1).

use crate::mail::Address;

/// The `mailto:` addresses of all ATTENDEE lines of an unfolded calendar.
pub(super) fn attendees(unfolded: &str) -> impl Iterator<Item = Address> {
    unfolded.lines().filter_map(|line| {
        let parameters = line.get(..8).filter(|name| name.eq_ignore_ascii_case("ATTENDEE"))?;
        let rest = line.get(parameters.len()..)?;
        let at = rest.to_ascii_lowercase().rfind("mailto:")?;
        Address::parse(rest.get(at + "mailto:".len()..)?.trim()).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attendees_are_read_and_organisers_are_not() {
        let calendar = "BEGIN:VEVENT\nORGANIZER:mailto:head@school.example\nATTENDEE;CN=\"Ann: x\";RSVP=TRUE:MAILTO:ann@home.example\nattendee:mailto:b@home.example\nEND:VEVENT";
        let all: Vec<_> = attendees(calendar).map(|a| a.as_str().to_owned()).collect();
        assert_eq!(all, ["ann@home.example", "b@home.example"]);
    }
}
