//! MAIL and RCPT, written by ourselves.
//!
//! lettre's `Address` refuses mailboxes that RFC 5321 allows (`"a b"@x`, dots in a row of old
//! mobile operators), and then the mail could not be sent on; its `command()` takes any `Display`.

use std::fmt;

use crate::mail::Address;

/// `MAIL FROM` with the parameters that apply.
#[derive(Debug)]
pub(super) struct Mail<'a> {
    pub(super) reverse_path: Option<&'a Address>,
    /// RFC 1870, where the host offers SIZE.
    pub(super) size: Option<u64>,
    /// RFC 6152.
    pub(super) eight_bit: bool,
    /// RFC 6531.
    pub(super) smtp_utf8: bool,
}

impl fmt::Display for Mail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MAIL FROM:<{}>", self.reverse_path.map_or("", Address::as_str))?;
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        if self.eight_bit {
            f.write_str(" BODY=8BITMIME")?;
        }
        if self.smtp_utf8 {
            f.write_str(" SMTPUTF8")?;
        }
        f.write_str("\r\n")
    }
}

/// `RCPT TO`.
#[derive(Debug)]
pub(super) struct Rcpt<'a>(pub(super) &'a Address);

impl fmt::Display for Rcpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RCPT TO:<{}>\r\n", self.0.as_str())
    }
}

/// MAIL and all RCPTs in one write, for a host that offers PIPELINING (RFC 2920). DATA is not
/// among them: were every recipient refused, a 354 would oblige us to send an empty message.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) mail: Mail<'a>,
    pub(super) recipients: &'a [Address],
}

impl fmt::Display for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mail.fmt(f)?;
        self.recipients.iter().try_for_each(|recipient| Rcpt(recipient).fmt(f))
    }
}

/// `RSET`.
#[derive(Debug)]
pub(super) struct Rset;

impl fmt::Display for Rset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RSET\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_lettre_refuses() {
        let odd = Address::parse("\"a b\"@x.example").unwrap();
        let mail =
            Mail { reverse_path: Some(&odd), size: Some(7), eight_bit: true, smtp_utf8: true };
        assert_eq!(
            mail.to_string(),
            "MAIL FROM:<\"a b\"@x.example> SIZE=7 BODY=8BITMIME SMTPUTF8\r\n"
        );
    }

    #[test]
    fn an_envelope_is_one_text() {
        let to = [Address::parse("a@x.example").unwrap(), Address::parse("b@x.example").unwrap()];
        let mail = Mail { reverse_path: None, size: None, eight_bit: false, smtp_utf8: false };
        assert_eq!(
            Envelope { mail, recipients: &to }.to_string(),
            "MAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\nRCPT TO:<b@x.example>\r\n"
        );
    }
}
