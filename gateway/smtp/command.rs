//! The grammar of SMTP commands (RFC 5321 section 4.1, RFC 1870, RFC 6152, RFC 6531).
//!
//! Strict where programs could read a line differently, which is where gateways get fooled: no
//! control characters, paths in angle brackets, quotes kept. It knows no state; what may follow
//! what is the session's.

use crate::mail::{Address, Condition};

/// The longest client name kept of EHLO, in octets, as for a domain (RFC 5321 section 4.5.3.1.2).
const MAX_HELO: usize = 255;

/// One command, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// EHLO with the client's name.
    Ehlo(String),
    /// HELO with the client's name.
    Helo(String),
    /// STARTTLS.
    StartTls,
    /// MAIL with its path, `None` for `<>`, and its parameters.
    Mail(Option<Address>, MailParameters),
    /// RCPT.
    Rcpt(Recipient),
    /// DATA.
    Data,
    /// RSET.
    Rset,
    /// NOOP, whatever its argument.
    Noop,
    /// VRFY, whatever its argument.
    Vrfy,
    /// HELP, whatever its argument.
    Help,
    /// QUIT.
    Quit,
    /// The first line of another protocol, or BDAT: what follows is content, and reading it as
    /// commands would let whoever wrote the content command us.
    Foreign,
}

/// A forward path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// A mailbox.
    Address(Address),
    /// `<Postmaster>` without a domain, RFC 5321 section 4.5.1.
    Postmaster,
}

/// The parameters of MAIL that are offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// SIZE in octets; a number beyond `u64` is `u64::MAX`.
    pub size: Option<u64>,
    /// BODY=8BITMIME.
    pub eight_bit: bool,
    /// SMTPUTF8.
    pub smtp_utf8: bool,
}

impl Command {
    /// Reads a line without its CRLF.
    ///
    /// # Errors
    /// The [`Condition`] whose reply says what is wrong.
    pub fn parse(line: &[u8]) -> Result<Self, Condition> {
        let text = std::str::from_utf8(line).map_err(|_not_utf8| verbless_fault(line))?;
        if text.chars().any(char::is_control) {
            return Err(verbless_fault(line));
        }
        let text = text.trim_end_matches(' ');
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let argument = rest.trim_start_matches(' ');
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => client_name(argument).map(Self::Ehlo),
            "HELO" => client_name(argument).map(Self::Helo),
            "MAIL" => mail(argument),
            "RCPT" => rcpt(argument),
            "DATA" => alone(Self::Data, argument),
            "RSET" => alone(Self::Rset, argument),
            "QUIT" => alone(Self::Quit, argument),
            "STARTTLS" => alone(Self::StartTls, argument),
            "NOOP" => Ok(Self::Noop),
            "VRFY" => Ok(Self::Vrfy),
            "HELP" => Ok(Self::Help),
            "BDAT" | "GET" | "POST" | "PUT" | "HEAD" | "OPTIONS" | "CONNECT" => Ok(Self::Foreign),
            "AUTH" | "EXPN" | "ETRN" | "TURN" | "SEND" | "SOML" | "SAML" => {
                Err(Condition::NotImplemented)
            }
            _ => Err(Condition::UnknownCommand),
        }
    }
}

/// What is wrong with a line that has octets no command may have.
fn verbless_fault(line: &[u8]) -> Condition {
    match line.get(..4).map(<[u8]>::to_ascii_uppercase).as_deref() {
        Some(b"MAIL") => Condition::BadSender,
        Some(b"RCPT") => Condition::BadRecipient,
        _ => Condition::BadArguments,
    }
}

fn alone(command: Command, argument: &str) -> Result<Command, Condition> {
    match argument.is_empty() {
        true => Ok(command),
        false => Err(Condition::BadArguments),
    }
}

/// Any one word: clients give all sorts of names, and none is believed.
fn client_name(argument: &str) -> Result<String, Condition> {
    let fits = !argument.is_empty() && argument.len() <= MAX_HELO && !argument.contains(' ');
    fits.then(|| argument.to_owned()).ok_or(Condition::BadArguments)
}

fn mail(argument: &str) -> Result<Command, Condition> {
    let rest = after_keyword(argument, "FROM:").ok_or(Condition::BadArguments)?;
    let (path, rest) = cut_path(rest).ok_or(Condition::BadSender)?;
    let parameters = mail_parameters(rest)?;
    let sender = match path {
        "" => None,
        path => Some(mailbox(path).ok_or(Condition::BadSender)?),
    };
    match is_beyond_ascii(path) && !parameters.smtp_utf8 {
        true => Err(Condition::BadSender),
        false => Ok(Command::Mail(sender, parameters)),
    }
}

fn rcpt(argument: &str) -> Result<Command, Condition> {
    let rest = after_keyword(argument, "TO:").ok_or(Condition::BadArguments)?;
    let (path, rest) = cut_path(rest).ok_or(Condition::BadRecipient)?;
    if !rest.is_empty() {
        return Err(Condition::BadParameter);
    }
    if path.eq_ignore_ascii_case("postmaster") {
        return Ok(Command::Rcpt(Recipient::Postmaster));
    }
    let address = mailbox(path).ok_or(Condition::BadRecipient)?;
    Ok(Command::Rcpt(Recipient::Address(address)))
}

/// Blanks behind the colon are no grammar, but old copiers write them, and nobody reads them
/// differently.
fn after_keyword<'a>(argument: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, rest) = argument.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| rest.trim_start_matches(' '))
}

/// The inside of `<…>` and what follows it, which must be nothing or begin with a blank. A `>`
/// inside a quoted string does not end the path.
fn cut_path(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('<')?;
    let end = find_unquoted(inside, '>')?;
    let (path, rest) = inside.split_at_checked(end)?;
    let rest = rest.strip_prefix('>')?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| (path, rest.trim_start_matches(' ')))
}

fn find_unquoted(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if char == wanted && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// A mailbox; a source route `@a,@b:` before it is taken off, RFC 5321 appendix C.
fn mailbox(path: &str) -> Option<Address> {
    let mailbox = match path.starts_with('@') {
        true => {
            let (route, mailbox) = path.split_once(':')?;
            route.split(',').all(is_hop).then_some(mailbox)?
        }
        false => path,
    };
    Address::parse(mailbox).ok()
}

/// `@host` of a source route; the host must be one as it would be in a mailbox.
fn is_hop(hop: &str) -> bool {
    hop.starts_with('@') && Address::parse(&format!("route{hop}")).is_ok()
}

fn is_beyond_ascii(path: &str) -> bool {
    !path.is_ascii()
}

fn mail_parameters(text: &str) -> Result<MailParameters, Condition> {
    let mut seen: Vec<String> = Vec::new();
    let mut parameters = MailParameters::default();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (key, value) = word.split_once('=').map_or((word, None), |(k, v)| (k, Some(v)));
        let key = key.to_ascii_uppercase();
        set_parameter(&mut parameters, &key, value)?;
        if seen.contains(&key) {
            return Err(Condition::BadArguments);
        }
        seen.push(key);
    }
    Ok(parameters)
}

fn set_parameter(
    parameters: &mut MailParameters,
    key: &str,
    value: Option<&str>,
) -> Result<(), Condition> {
    match (key, value) {
        ("SIZE", Some(digits)) => parameters.size = Some(size(digits)?),
        ("BODY", Some(body)) => parameters.eight_bit = eight_bit(body)?,
        ("SMTPUTF8", None) => parameters.smtp_utf8 = true,
        ("SIZE" | "BODY", None) | ("SMTPUTF8", Some(_)) => return Err(Condition::BadArguments),
        _ => return Err(Condition::BadParameter),
    }
    Ok(())
}

/// RFC 1870 allows 20 digits, one more than `u64` can always hold.
fn size(digits: &str) -> Result<u64, Condition> {
    let fits = (1..=20).contains(&digits.len()) && digits.bytes().all(|d| d.is_ascii_digit());
    fits.then(|| digits.parse().unwrap_or(u64::MAX)).ok_or(Condition::BadArguments)
}

/// BINARYMIME needs CHUNKING (RFC 3030), which is not offered.
fn eight_bit(body: &str) -> Result<bool, Condition> {
    match body.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(false),
        "8BITMIME" => Ok(true),
        _ => Err(Condition::BadParameter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(line: &str) -> Result<Option<String>, Condition> {
        match Command::parse(line.as_bytes())? {
            Command::Mail(path, _) => Ok(path.map(|path| path.as_str().to_owned())),
            other => panic!("{other:?}"),
        }
    }

    fn recipient(line: &str) -> Result<String, Condition> {
        match Command::parse(line.as_bytes())? {
            Command::Rcpt(Recipient::Address(path)) => Ok(path.as_str().to_owned()),
            Command::Rcpt(Recipient::Postmaster) => Ok("Postmaster".to_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_paths_as_they_stand() {
        for (path, mailbox) in [
            ("<a@b.example>", "a@b.example"),
            (" <a@B.example>", "a@b.example"),
            ("<@x.example,@y.example:a@b.example>", "a@b.example"),
            ("<\"a b>@c\"@b.example>", "\"a b>@c\"@b.example"),
            ("<\"a\\\">b\"@b.example>", "\"a\\\">b\"@b.example"),
        ] {
            assert_eq!(recipient(&format!("rcpt to:{path}")).as_deref(), Ok(mailbox));
            assert_eq!(sender(&format!("MAIL FROM:{path}")), Ok(Some(mailbox.to_owned())));
        }
        assert_eq!(sender("MAIL FROM:<>"), Ok(None));
        assert_eq!(recipient("RCPT TO:<PostMaster>").as_deref(), Ok("Postmaster"));
    }

    #[test]
    fn refuses_paths_that_could_be_read_in_two_ways() {
        for path in [
            "a@b.example",
            "<a@b.example",
            "<a@b.example>x",
            "<<a@b.example>>",
            "< a@b.example>",
            "<a@b.example >",
            "<a>",
            "<@b.example>",
            "<@x.example>",
            "<x,@y.example:a@b.example>",
            "<a@b.example>,<c@d.example>",
            "<a\0@b.example>",
            "<a\r@b.example>",
            "<a\n@b.example>",
            "<\"a@b.example>",
            "",
        ] {
            assert_eq!(
                recipient(&format!("RCPT TO:{path}")),
                Err(Condition::BadRecipient),
                "{path:?}"
            );
            assert_eq!(sender(&format!("MAIL FROM:{path}")), Err(Condition::BadSender), "{path:?}");
        }
        assert_eq!(recipient("RCPT TO:<>"), Err(Condition::BadRecipient));
        assert_eq!(Command::parse(b"RCPT TO:<z\xff@b.example>"), Err(Condition::BadRecipient));
    }

    #[test]
    fn reads_the_parameters_of_mail_and_no_others() {
        let read = |parameters: &str| match Command::parse(
            format!("MAIL FROM:<> {parameters}").as_bytes(),
        ) {
            Ok(Command::Mail(None, parameters)) => Ok(parameters),
            Ok(other) => panic!("{other:?}"),
            Err(condition) => Err(condition),
        };
        assert_eq!(
            read("size=12 BODY=8bitmime SMTPUTF8"),
            Ok(MailParameters { size: Some(12), eight_bit: true, smtp_utf8: true })
        );
        let size = |text| read(text).map(|parameters| parameters.size);
        assert_eq!(size("SIZE=99999999999999999999"), Ok(Some(u64::MAX)));
        for text in ["SIZE=", "SIZE", "SIZE=-1", "SIZE=1 SIZE=1", "SMTPUTF8=1", "BODY", "SIZE=1x"] {
            assert_eq!(read(text), Err(Condition::BadArguments), "{text}");
        }
        for text in ["XFOO=bar", "AUTH=<>", "RET=FULL", "BODY=BINARYMIME"] {
            assert_eq!(read(text), Err(Condition::BadParameter), "{text}");
        }
        assert_eq!(
            Command::parse(b"RCPT TO:<a@b.example> NOTIFY=NEVER"),
            Err(Condition::BadParameter)
        );
    }

    #[test]
    fn utf8_in_the_sender_needs_smtputf8() {
        assert_eq!(sender("MAIL FROM:<grüße@b.example>"), Err(Condition::BadSender));
        assert!(sender("MAIL FROM:<grüße@b.example> SMTPUTF8").is_ok());
    }

    #[test]
    fn tells_other_lines_apart() {
        for (line, condition) in [
            (&b"EHLO"[..], Condition::BadArguments),
            (b"EHLO a b", Condition::BadArguments),
            (b"DATA now", Condition::BadArguments),
            (b"NOOP\n", Condition::BadArguments),
            (b"NO\0OP", Condition::BadArguments),
            (b"AUTH PLAIN AGEAYg==", Condition::NotImplemented),
            (b"XYZZY", Condition::UnknownCommand),
            (b"", Condition::UnknownCommand),
            (b"MAIL TO:<a@b.example>", Condition::BadArguments),
        ] {
            assert_eq!(Command::parse(line), Err(condition), "{line:?}");
        }
        assert_eq!(Command::parse(b"quit  "), Ok(Command::Quit));
        assert_eq!(Command::parse(b"GET / HTTP/1.1"), Ok(Command::Foreign));
        assert_eq!(Command::parse(b"BDAT 5 LAST"), Ok(Command::Foreign));
    }
}
