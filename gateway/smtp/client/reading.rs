//! What a next hop's replies mean: EHLO's keywords, and the class and status of an answer.

use std::error::Error as _;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::response::Response;

use super::next_hop::Answer;
use super::next_hop::Status;

/// What the host offers, from its reply to EHLO.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) pipelining: bool,
    pub(super) eight_bit: bool,
    pub(super) smtp_utf8: bool,
    pub(super) starttls: bool,
    /// RFC 1870; `Some(0)` is an offer without a limit.
    pub(super) size: Option<u64>,
}

impl Offers {
    /// Reads the greeting and the EHLO reply as they came over the wire. Keywords are compared
    /// without case (RFC 5321 section 2.4), which lettre doesn't do.
    pub(super) fn read(heard: &[u8]) -> Self {
        let text = String::from_utf8_lossy(heard);
        let mut offers = Self::default();
        for line in text.lines().filter_map(|line| line.strip_prefix("250")) {
            offers.add(line.get(1..).unwrap_or_default());
        }
        offers
    }

    fn add(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        match keyword.as_str() {
            "PIPELINING" => self.pipelining = true,
            "8BITMIME" => self.eight_bit = true,
            "SMTPUTF8" => self.smtp_utf8 = true,
            "STARTTLS" => self.starttls = true,
            "SIZE" => self.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0)),
            _ => {}
        }
    }
}

/// One reply, as far as a client must tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// 2xx.
    Done(Answer),
    /// 3xx.
    GoOn,
    /// 421: the host will close.
    Closing(Answer),
    /// Any other 4xx.
    Later(Answer),
    /// 5xx.
    Never(Answer),
    /// No reply, or nothing that is one.
    Lost(Answer),
}

impl Reading {
    /// Sorts what lettre returned. Its errors carry the code, and the words as their source.
    pub(super) fn of(reply: Result<Response, Error>) -> Self {
        match reply {
            Ok(response) => {
                let code = u16::from(response.code());
                let words = response.first_line().unwrap_or_default();
                if code < 300 { Self::Done(answer(code, words)) } else { Self::GoOn }
            }
            Err(error) => Self::of_error(&error),
        }
    }

    pub(super) fn of_error(error: &Error) -> Self {
        let Some(code) = error.status().map(u16::from) else {
            let answer = if error.is_response() { Answer::NOT_SMTP } else { Answer::LOST };
            return Self::Lost(answer);
        };
        let words = error.source().map(ToString::to_string).unwrap_or_default();
        let answer = answer(code, &words);
        match code {
            421 => Self::Closing(answer),
            400..500 => Self::Later(answer),
            _ => Self::Never(answer),
        }
    }
}

impl Reading {
    /// What to note about it.
    pub(super) fn answer(self) -> Answer {
        match self {
            Self::Done(answer)
            | Self::Closing(answer)
            | Self::Later(answer)
            | Self::Never(answer)
            | Self::Lost(answer) => answer,
            Self::GoOn => Answer::NOT_SMTP,
        }
    }
}

/// The code with the enhanced status its words begin with, or, where they have none or one of
/// another class (RFC 2034 section 4), the undefined status of the code's class.
fn answer(code: u16, words: &str) -> Answer {
    let class = u8::try_from(code / 100).unwrap_or(4);
    let status = words
        .split_whitespace()
        .next()
        .and_then(read_status)
        .filter(|status| status.0 == class)
        .unwrap_or((class, 0, 0));
    Answer { code: Some(code), status }
}

fn read_status(word: &str) -> Option<Status> {
    let mut parts = word.split('.');
    let class = parts.next()?.parse().ok()?;
    let subject = parts.next()?.parse().ok().filter(|n| *n < 1000)?;
    let detail = parts.next()?.parse().ok().filter(|n| *n < 1000)?;
    parts.next().is_none().then_some((class, subject, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ehlo_keywords_without_case_and_past_the_first_line() {
        let heard =
            b"220 mx.example 250 ESMTP\r\n250-mx.example\r\n250-size 1000\r\n250 Pipelining\r\n";
        let expected = Offers { pipelining: true, size: Some(1000), ..Offers::default() };
        assert_eq!(Offers::read(heard), expected);
        assert_eq!(Offers::read(b"250-mx\r\n250 SIZE\r\n").size, Some(0));
    }

    #[test]
    fn a_status_must_fit_its_code() {
        assert_eq!(answer(550, "5.1.1 no such user").status, (5, 1, 1));
        assert_eq!(answer(550, "4.1.1 odd").status, (5, 0, 0));
        assert_eq!(answer(450, "come back").status, (4, 0, 0));
        assert_eq!(answer(250, "2.0.0 Ok").status, (2, 0, 0));
        assert_eq!(answer(550, "5.1.1.1 odd").status, (5, 0, 0));
    }
}
