//! What octets are, decided by the octets: names and declared types are the sender's claims.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How much of the beginning is looked at for the form of a text, in octets.
const HEAD: usize = 4096;

/// What some octets are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, as UTF-8.
    Text(String),
    /// A picture, a sound or a film: the name says which. Text in it is not read.
    Media(&'static str),
    /// A type that is recognised, but can't be read: the name says which.
    Closed(&'static str),
    /// Not recognised at all.
    Unknown,
}

/// Decides what some octets are; a declared charset counts where the octets leave it open.
pub(super) fn sniff(octets: &[u8], charset: Option<&str>) -> Kind {
    if let Some(name) = closed(octets) {
        return Kind::Closed(name);
    }
    if let Some(name) = media(octets) {
        return Kind::Media(name);
    }
    text(octets, charset).map_or(Kind::Unknown, Kind::Text)
}

/// Types that can carry text and need a reader of their own.
fn closed(octets: &[u8]) -> Option<&'static str> {
    const STARTS: &[(&[u8], &str)] = &[
        (b"PK\x03\x04", "a ZIP archive or Office document"),
        (b"PK\x05\x06", "an empty ZIP archive"),
        (b"PK\x07\x08", "a divided ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document or Outlook message"),
        (b"{\\rtf", "a rich text document"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        (b"\x1f\x8b", "a gzip file"),
        (b"BZh", "a bzip2 file"),
        (b"\xfd7zXZ\x00", "an xz file"),
        (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
        (b"MSCF", "a cabinet archive"),
        (b"\x78\x9f\x3e\x22", "a winmail.dat"),
        (b"%!PS", "a PostScript document"),
        (b"MZ", "a Windows program"),
        (b"\x7fELF", "a program"),
        (b"SQLite format 3\x00", "a database"),
        (b"\x00\x01\x00\x00Standard", "an Access database"),
        (b"age-encryption.org/v1\n", "an age file"),
        (b"-----BEGIN PGP MESSAGE-----", "a PGP message"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----", "an age file"),
        (b"-----BEGIN PKCS7-----", "an S/MIME message"),
        (b"-----BEGIN CMS-----", "an S/MIME message"),
        (b"Salted__", "a file encrypted by OpenSSL"),
        (b"\x76\xe8\x04\x60\xc4\x11\xe3\x86", "a rights-protected message"),
        (b"II*\x00", "a TIFF scan"),
        (b"MM\x00*", "a TIFF scan"),
        (b"II+\x00", "a TIFF scan"),
        (b"MM\x00+", "a TIFF scan"),
    ];
    let start = octets.trim_ascii_start();
    // A PDF may begin anywhere in the first kilobyte.
    let head = octets.get(..octets.len().min(1024)).unwrap_or_default();
    if head.windows(5).any(|window| window == b"%PDF-") {
        return Some("a PDF document");
    }
    let tar = octets.get(257..262) == Some(b"ustar");
    let known =
        |&(magic, _): &&(&[u8], &str)| octets.starts_with(magic) || start.starts_with(magic);
    match STARTS.iter().find(known) {
        // A text may begin with these letters; the programs and archives have controls soon.
        Some((b"MZ" | b"BZh" | b"MSCF", _)) if !has_controls(head) => None,
        Some((_, name)) => Some(name),
        None => tar.then_some("a tar archive"),
    }
}

fn media(octets: &[u8]) -> Option<&'static str> {
    // Each of these has zeros in its head; a text that only begins like one is read as text.
    octets.get(..octets.len().min(1024))?.iter().find(|&&octet| octet == 0)?;
    let at = |offset: usize, magic: &[u8]| {
        octets.get(offset..).is_some_and(|rest| rest.starts_with(magic))
    };
    let brand = octets.get(8..12).filter(|_| at(4, b"ftyp"));
    let is_picture = at(0, b"\xff\xd8\xff")
        || at(0, b"\x89PNG\r\n\x1a\n")
        || at(0, b"GIF87a")
        || at(0, b"GIF89a")
        || (at(0, b"RIFF") && at(8, b"WEBP"))
        || (at(0, b"BM") && at(6, b"\0\0\0\0"))
        || at(0, b"\x00\x00\x01\x00")
        || brand.is_some_and(|brand| {
            [b"heic", b"heix", b"mif1", b"msf1", b"avif", b"hevc"].iter().any(|own| brand == *own)
        });
    let is_recording = (at(0, b"RIFF") && (at(8, b"WAVE") || at(8, b"AVI ")))
        || at(0, b"ID3")
        || at(0, b"\xff\xfb")
        || at(0, b"\xff\xf3")
        || at(0, b"\xff\xf1")
        || at(0, b"OggS")
        || at(0, b"fLaC")
        || at(0, b"\x1a\x45\xdf\xa3")
        || brand.is_some();
    match (is_picture, is_recording) {
        (true, _) => Some("a picture, text in it is not read"),
        (false, true) => Some("a recording, words in it are not read"),
        (false, false) => None,
    }
}

/// Text by byte order mark, UTF-16 by where its zeros stand, UTF-8, the declared charset, or the
/// best guess, in this order; `None` where no reading makes it a text.
fn text(octets: &[u8], charset: Option<&str>) -> Option<String> {
    if let Some((encoding, length)) = Encoding::for_bom(octets) {
        let (text, misfit) = encoding.decode_without_bom_handling(octets.get(length..)?);
        return (!misfit).then(|| text.into_owned());
    }
    if octets.contains(&0) {
        let (text, misfit) = wide_encoding(octets)?.decode_without_bom_handling(octets);
        return (!misfit && !has_controls(text.as_bytes())).then(|| text.into_owned());
    }
    if has_controls(octets) {
        return None;
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        return Some(text.to_owned());
    }
    let declared = charset.and_then(|label| Encoding::for_label(label.as_bytes()));
    let encoding = declared.filter(|encoding| *encoding != UTF_8).unwrap_or_else(|| {
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        detector.feed(octets.get(..octets.len().min(64 * 1024)).unwrap_or_default(), true);
        detector.guess(None, Utf8Detection::Deny)
    });
    let (text, _, misfit) = encoding.decode(octets);
    (!misfit).then(|| text.into_owned())
}

/// UTF-16 of European text has its zeros at one parity; binary data has them at both.
fn wide_encoding(octets: &[u8]) -> Option<&'static Encoding> {
    let head = octets.get(..octets.len().min(HEAD)).unwrap_or_default();
    let zeros = |parity: usize| head.iter().skip(parity).step_by(2).filter(|&&o| o == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let pairs = head.len() / 2;
    match (even * 50 < pairs, odd * 50 < pairs) {
        (true, false) if odd * 3 > pairs => Some(UTF_16LE),
        (false, true) if even * 3 > pairs => Some(UTF_16BE),
        _ => None,
    }
}

/// Control characters that no text has: one in 200 is too many.
fn has_controls(octets: &[u8]) -> bool {
    let is_control = |octet: &&u8| **octet < 0x20 && !b"\t\n\r\x0b\x0c\x1b".contains(octet);
    octets.iter().filter(is_control).count() * 200 > octets.len()
}

/// The form of a text, by its beginning and, where that leaves it open, by its claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Lines of text.
    Plain,
    /// HTML.
    Html,
    /// XML of any kind, SVG among it.
    Xml,
    /// Comma, semicolon or tab separated values.
    Table,
    /// vCard or iCalendar.
    Folded,
    /// A message.
    Message,
}

/// Decides the form of a text.
pub(super) fn form(text: &str, media_type: &str, extension: &str) -> Form {
    let head = text.trim_start();
    let begins =
        |word: &str| head.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    match (extension, media_type) {
        _ if begins("BEGIN:VCARD") || begins("BEGIN:VCALENDAR") => Form::Folded,
        _ if begins("<!doctype html") || begins("<html") => Form::Html,
        _ if begins("<?xml") || begins("<svg") => Form::Xml,
        ("eml" | "mht" | "mhtml", _) | (_, "message/rfc822" | "message/global") => Form::Message,
        ("htm" | "html", _) | (_, "text/html") => Form::Html,
        ("xml" | "svg", _) | (_, "text/xml" | "application/xml") => Form::Xml,
        ("csv" | "tsv" | "tab", _) | (_, "text/csv" | "text/tab-separated-values") => Form::Table,
        _ => Form::Plain,
    }
}

/// What a text wraps that mail programs unpack or decrypt, and this gateway can't: a file in
/// uuencode or yEnc, or a PGP or S/MIME message, between lines of its own.
pub(super) fn wrapped(text: &str) -> Option<&'static str> {
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim_start_matches(['>', ' ']);
        if line.starts_with("-----BEGIN PGP MESSAGE-----") {
            return Some("a PGP message");
        }
        if line.starts_with("-----BEGIN PKCS7-----") || line.starts_with("-----BEGIN CMS-----") {
            return Some("an S/MIME message");
        }
        if line.starts_with("=ybegin ") || (begins_uuencode(line) && full_line(lines.peek())) {
            return Some("a file wrapped in text lines");
        }
    }
    None
}

/// `begin 644 name`, the mode in octal digits.
fn begins_uuencode(line: &str) -> bool {
    let Some((mode, name)) = line.strip_prefix("begin ").and_then(|rest| rest.split_once(' '))
    else {
        return false;
    };
    matches!(mode.len(), 3 | 4)
        && mode.bytes().all(|octet| (b'0'..=b'7').contains(&octet))
        && !name.trim().is_empty()
}

/// A line of uuencode has its length as its first character, and no lower-case letter.
fn full_line(line: Option<&&str>) -> bool {
    line.and_then(|line| line.as_bytes().split_first()).is_some_and(|(&length, rest)| {
        let octets = usize::from(length.wrapping_sub(32) & 63);
        let is_coded = rest.iter().all(|octet| (b' '..=b'`').contains(octet));
        is_coded && rest.len() >= octets.div_ceil(3) * 4 && octets > 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(octets: &[u8]) -> Option<String> {
        match sniff(octets, None) {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn text_is_text_in_any_charset() {
        let wide: Vec<u8> = "Tom Brown, Zoë".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(text_of(&wide).as_deref(), Some("Tom Brown, Zoë"));
        assert_eq!(text_of(&[&b"\xff\xfe"[..], &wide].concat()).as_deref(), Some("Tom Brown, Zoë"));
        assert_eq!(text_of(b"Zo\xeb Brown, caf\xe9").as_deref(), Some("Zoë Brown, café"));
        assert_eq!(text_of("\u{feff}Zoë".as_bytes()).as_deref(), Some("Zoë"));
        assert_eq!(text_of(b"MZ is no program"), Some("MZ is no program".to_owned()));
        assert_eq!(text_of(b"GIF89a Tom Brown"), Some("GIF89a Tom Brown".to_owned()));
        assert_eq!(text_of(b""), Some(String::new()));
    }

    #[test]
    fn other_things_are_told_by_their_octets() {
        assert_eq!(sniff(b"\n\n%PDF-1.7", None), Kind::Closed("a PDF document"));
        assert_eq!(sniff(b"PK\x03\x04abc", None), Kind::Closed("a ZIP archive or Office document"));
        assert_eq!(sniff(b"{\\rtf1 Tom}", None), Kind::Closed("a rich text document"));
        assert!(matches!(sniff(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", None), Kind::Media(_)));
        assert!(matches!(sniff(b"\0\0\0\x18ftypheic", None), Kind::Media(_)));
        let noise: Vec<u8> = (0..=255).cycle().take(4000).collect();
        assert_eq!(sniff(&noise, None), Kind::Unknown);
    }

    #[test]
    fn wrapped_files_are_told_from_words() {
        assert_eq!(
            wrapped("see\nbegin 644 a.txt\n#5&]M\n`\nend"),
            Some("a file wrapped in text lines")
        );
        assert_eq!(wrapped("> -----BEGIN PGP MESSAGE-----\n"), Some("a PGP message"));
        assert_eq!(wrapped("begin 644 words of a letter\nthat goes on"), None);
        assert_eq!(wrapped("we begin 9 May"), None);
    }

    #[test]
    fn forms_are_told_by_beginning_then_by_claim() {
        assert_eq!(form("<html>", "text/plain", "txt"), Form::Html);
        assert_eq!(form("BEGIN:VCARD\r\n", "text/plain", ""), Form::Folded);
        assert_eq!(form("a,b", "text/csv", ""), Form::Table);
        assert_eq!(form("a,b", "application/octet-stream", "csv"), Form::Table);
        assert_eq!(form("From: a\r\n", "application/octet-stream", "eml"), Form::Message);
        assert_eq!(form("x", "text/plain", "md"), Form::Plain);
    }
}
