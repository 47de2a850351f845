//! The one table of SMTP replies: condition, code (RFC 5321), status (RFC 3463), words.
//!
//! What has no row here is 451 4.3.0: unknown trouble counts as passing, so that the client
//! keeps the message and tries again.

use std::fmt;

/// An SMTP reply. The text is for the peer: no configuration, no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits, RFC 5321 section 4.2.
    pub code: u16,
    /// The enhanced status code of RFC 3463, absent on 220, 221-greeting lines, EHLO and 354.
    pub status: Option<(u8, u16, u16)>,
    /// The words, one line.
    pub text: String,
}

macro_rules! conditions {
    ($($(#[$doc:meta])* $name:ident => $code:literal, $status:expr, $text:literal;)+) => {
        /// Everything the gateway may have to say on SMTP, each with its row in the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Condition {
            $($(#[$doc])* $name,)+
        }

        impl Condition {
            /// Every row, in the order of the table; the documentation is made from it.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The row's reply.
            pub fn reply(self) -> Reply {
                let (code, status, text): (u16, Option<(u8, u16, u16)>, &str) = match self {
                    $(Self::$name => ($code, $status, $text),)+
                };
                Reply { code, status, text: text.to_owned() }
            }
        }
    };
}

conditions! {
    /// Reset, no-op and every other plain success.
    Ok => 250, Some((2, 0, 0)), "ok";
    /// MAIL accepted.
    SenderOk => 250, Some((2, 1, 0)), "sender ok";
    /// RCPT accepted.
    RecipientOk => 250, Some((2, 1, 5)), "recipient ok";
    /// DATA may begin.
    StartData => 354, None, "end the message with a line that holds a dot alone";
    /// STARTTLS may begin.
    StartTls => 220, Some((2, 0, 0)), "begin TLS now";
    /// QUIT.
    Bye => 221, Some((2, 0, 0)), "goodbye";
    /// VRFY never tells.
    CannotVerify => 252, Some((2, 1, 5)), "send the message and see";
    /// HELP.
    Help => 214, Some((2, 0, 0)), "see RFC 5321";
    /// The gateway is stopping.
    ShuttingDown => 421, Some((4, 3, 2)), "the gateway is stopping, try again soon";
    /// Too many connections, in all or from this address.
    TooManyConnections => 421, Some((4, 7, 0)), "too many connections, try again soon";
    /// A command, or the whole session, took too long.
    Timeout => 421, Some((4, 4, 2)), "this took too long, connect again";
    /// Too many errors in one session.
    TooManyErrors => 421, Some((4, 7, 0)), "too many errors, connect again";
    /// A passing local fault: disk full, database or scanner away.
    LocalFault => 451, Some((4, 3, 0)), "the gateway has a passing fault and has not taken the message, try again";
    /// The disk or the memory set aside for mail is full.
    NoRoom => 452, Some((4, 3, 1)), "no room at the moment and the message has not been taken, try again";
    /// More recipients than one transaction may have.
    TooManyRecipients => 452, Some((4, 5, 3)), "too many recipients, send the rest in another transaction";
    /// A command line that is too long.
    LineTooLong => 500, Some((5, 5, 2)), "line too long";
    /// Not a command.
    UnknownCommand => 500, Some((5, 5, 1)), "command not known";
    /// The arguments don't fit.
    BadArguments => 501, Some((5, 5, 4)), "the arguments do not fit the command";
    /// A command of the standard that this gateway does not offer.
    NotImplemented => 502, Some((5, 5, 1)), "command not offered";
    /// A command out of its place.
    BadSequence => 503, Some((5, 5, 1)), "command out of sequence";
    /// An ESMTP parameter that isn't offered.
    BadParameter => 555, Some((5, 5, 4)), "parameter not offered";
    /// The reverse path is no address.
    BadSender => 501, Some((5, 1, 7)), "the sender is not an address";
    /// The forward path is no address.
    BadRecipient => 501, Some((5, 1, 3)), "the recipient is not an address";
    /// Bytes behind STARTTLS: an injection.
    TlsInjection => 554, Some((5, 5, 1)), "nothing may follow STARTTLS before the handshake";
    /// This listener wants TLS first.
    TlsRequired => 530, Some((5, 7, 0)), "use STARTTLS first";
    /// The message is larger than the gateway takes.
    TooLarge => 552, Some((5, 3, 4)), "the message is larger than this gateway takes";
    /// A bare CR, bare LF or NUL in the message (RFC 5321 section 2.3.8).
    BareLineEnding => 554, Some((5, 6, 0)), "the message has a bare CR, bare LF or NUL; lines must end in CRLF";
    /// The client is none of those that may use this gateway.
    ClientNotAllowed => 550, Some((5, 7, 1)), "this client may not send through this gateway";
    /// The sender's domain is not the school's.
    SenderNotAllowed => 550, Some((5, 7, 1)), "this sender may not send through this gateway";
    /// The tenant check failed: the message is another tenant's.
    NotOurTenant => 550, Some((5, 7, 1)), "this message does not come from the school's tenant";
    /// Our own product has come back, or the message has passed too many hosts.
    Loop => 554, Some((5, 4, 6)), "mail loop: this message has been here before";
    /// Policy refuses the message; the words come from the rule.
    Refused => 554, Some((5, 7, 1)), "the school's mail policy refuses this message";
}

impl Reply {
    /// The 220 greeting, which carries no status (RFC 2034 section 4).
    pub fn greeting(hostname: &str) -> Self {
        Self { code: 220, status: None, text: format!("{hostname} ESMTP Schoolgate") }
    }

    /// The same reply with other words; line breaks and control characters become spaces, so
    /// that a rule's text can't write protocol.
    pub fn with_text(mut self, text: &str) -> Self {
        self.text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self
    }

    /// 2xx or 3xx.
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// 5xx.
    pub fn is_permanent(&self) -> bool {
        self.code >= 500
    }
}

/// The reply as it goes on the wire, without CRLF.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some((class, subject, detail)) => {
                write!(f, "{} {class}.{subject}.{detail} {}", self.code, self.text)
            }
            None => write!(f, "{} {}", self.code, self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_of_code_and_status_agree_in_every_row() {
        for condition in Condition::ALL {
            let reply = condition.reply();
            if let Some((class, _, _)) = reply.status {
                assert_eq!(u16::from(class), reply.code / 100, "{condition:?}");
            }
        }
    }

    #[test]
    fn words_of_a_rule_cannot_write_protocol() {
        let reply = Condition::Refused.reply().with_text("no\r\n250 yes");
        assert_eq!(reply.to_string(), "554 5.7.1 no  250 yes");
    }
}
