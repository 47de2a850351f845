//! Unique Pupil Number: a check letter, the local authority (3 digits), the establishment (4), the
//! year (2) and a serial of 3 digits, or of 2 digits and a letter while it is temporary.
//!
//! One in 23 random numbers passes the check, so the check alone is never `High`: the school's own
//! establishment, the roll or the word "UPN" nearby makes it so, and an authority nobody knows
//! makes it `Low` (new authorities come, so it is never refused for that).
//! Source: DfE, Unique pupil numbers guide; GDSC UniquePupilNumber 2.0.

use std::ops::RangeInclusive;

/// The letters of a UPN by their value; I, O and S are never used.
const LETTERS: &str = "ABCDEFGHJKLMNPQRTUVWXYZ";
/// Characters of a UPN.
const LENGTH: usize = 13;

/// Local authority codes in use or once in use, pseudo codes among them.
const AUTHORITIES: &[RangeInclusive<u16>] = &[
    1..=5,
    201..=213,
    301..=320,
    330..=336,
    340..=344,
    350..=359,
    370..=373,
    380..=384,
    390..=394,
    420..=420,
    660..=681,
    701..=708,
    800..=803,
    805..=808,
    810..=813,
    815..=816,
    820..=823,
    825..=826,
    830..=831,
    835..=841,
    845..=846,
    850..=852,
    855..=857,
    860..=861,
    865..=896,
    908..=909,
    916..=916,
    919..=919,
    921..=921,
    925..=926,
    928..=929,
    931..=931,
    933..=933,
    935..=938,
    940..=943,
];

/// The first two characters of every possible UPN, folded: what a search can anchor on.
pub(super) fn anchors() -> impl Iterator<Item = String> {
    LETTERS.chars().flat_map(|letter| {
        let letter = letter.to_ascii_lowercase();
        (0..10).flat_map(move |digit| {
            ["", " ", "-"].into_iter().map(move |gap| format!("{letter}{gap}{digit}"))
        })
    })
}

/// Reads a UPN at the start of a text: 13 characters in either case, with at most one blank or
/// hyphen between any two. Gives it in upper case without them, and the octets it took.
pub(super) fn read(text: &str) -> Option<(String, usize)> {
    let mut upn = String::with_capacity(LENGTH);
    let mut gap = true;
    for (at, char) in text.char_indices() {
        if char.is_ascii_alphanumeric() {
            upn.push(char.to_ascii_uppercase());
            gap = false;
        } else if !gap && (char == ' ' || char == '-') {
            gap = true;
            continue;
        } else {
            return None;
        }
        if upn.len() == LENGTH {
            return is_valid(&upn).then_some((upn, at + 1));
        }
    }
    None
}

/// Whether 13 characters in upper case are a UPN by shape and check letter.
pub(super) fn is_valid(upn: &str) -> bool {
    let mut values = upn.chars().map(|char| match char.to_digit(10) {
        Some(digit) => Some((true, digit)),
        None => LETTERS.find(char).and_then(|at| u32::try_from(at).ok()).map(|at| (false, at)),
    });
    let Some(Some((false, check))) = values.next() else { return false };
    let mut sum = 0;
    let mut place = 1;
    for value in values {
        place += 1;
        match value {
            Some((is_digit, value)) if is_digit || place == 13 => sum += value * place,
            _ => return false,
        }
    }
    place == 13 && sum % 23 == check
}

/// Whether the local authority of a valid UPN is one we know.
pub(super) fn authority_is_known(upn: &str) -> bool {
    let code = upn.get(1..4).and_then(|digits| digits.parse().ok());
    code.is_some_and(|code| AUTHORITIES.iter().any(|range| range.contains(&code)))
}

/// LA code and establishment of a valid UPN, seven digits.
pub(super) fn laestab(upn: &str) -> &str {
    upn.get(1..8).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors() {
        for upn in ["B801200005001", "M80120000500A", "E82320000512B", "R674123101121"] {
            assert!(is_valid(upn) && authority_is_known(upn), "{upn}");
        }
        // The help pages of two MIS vendors say Q for this one; they added up wrongly.
        assert!(is_valid("P207000016049") && !is_valid("Q207000016049"));
        for upn in [
            "A801200005001",
            "I801200005001",
            "B80120000500",
            "B8012000050011",
            "B80120A005001",
            "8801200005001",
            "M80120000500O",
            "",
            "ÄB80120000500",
        ] {
            assert!(!is_valid(upn), "{upn}");
        }
    }

    #[test]
    fn reads_it_as_people_write_it() {
        for text in
            ["B801200005001", "b801 2000 05 001", "B-801-2000-05-001 and", "b 801200005001,"]
        {
            assert_eq!(read(text).map(|(upn, _)| upn).as_deref(), Some("B801200005001"), "{text}");
        }
        for text in
            ["B801  200005001", "B801.200005001", "B80120000500", "-B801200005001", "B80120000500é"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("B801200005001 x").map(|(_, octets)| octets), Some(13));
    }
}
