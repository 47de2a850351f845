//! What a sender is told. They are a teacher in a hurry: what was found, what happens next, and
//! how to do it right, in words without clauses or codes.

use super::about::{About, count};
use super::found::Found;
use super::letter::{Frame, Letter, Unwritable};

/// The ways that need nobody's approval.
const REMEDIES: [&str; 3] = [
    "Take out what the recipient does not need, and send the message again.",
    "Or put it into a file that is locked with a password, and tell the password by telephone, \
     never by email.",
    "If you are not sure, ask the school office.",
];

/// A hold as its sender may know it.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// The message.
    pub about: &'a About<'a>,
    /// Why, one sentence each, as the rules word it.
    pub reasons: &'a [&'a str],
    /// What was found, masked.
    pub found: &'a [Found],
    /// What the rules advise, beyond the usual ways.
    pub advice: &'a [&'a str],
    /// Who decides: `the headteacher`.
    pub decider: &'a str,
    /// When it lapses, in words.
    pub lapses: &'a str,
    /// How many recipients within the school have it already.
    pub delivered_inside: usize,
}

/// The message waits for a decision.
///
/// # Errors
/// [`Unwritable`], a fault of ours.
pub fn hold_to_sender(frame: &Frame<'_>, held: &Held<'_>) -> Result<Vec<u8>, Unwritable> {
    let mut letter = Letter::default()
        .say(format!("Your message {} has not left the school yet.", held.about.words()))
        .list("Why it waits:", held.reasons.iter().copied())
        .list("What was found in it:", held.found.iter().map(Found::words))
        .say(format!(
            "What happens next: {} decides. If nobody has decided by {}, the message is not sent, \
             and you are told.",
            held.decider, held.lapses
        ));
    if held.delivered_inside > 0 {
        let who = count(held.delivered_inside, "recipient", "recipients");
        letter = letter.say(format!("{who} within the school got it at once."));
    }
    letter
        .list("You need not wait:", held.advice.iter().chain(&REMEDIES).copied())
        .say(reference(frame))
        .write(frame, "Your message waits for approval")
}

/// The approver has said no, with a reason.
///
/// # Errors
/// [`Unwritable`], a fault of ours.
pub fn refused_to_sender(
    frame: &Frame<'_>,
    about: &About<'_>,
    reason: &str,
) -> Result<Vec<u8>, Unwritable> {
    Letter::default()
        .say(format!("Your message {} was not approved and has not been sent.", about.words()))
        .say(format!("The reason given: {reason}"))
        .list("What you can do:", REMEDIES)
        .say(reference(frame))
        .write(frame, "Your message was not approved")
}

/// Nobody decided in time.
///
/// # Errors
/// [`Unwritable`], a fault of ours.
pub fn expired_to_sender(
    frame: &Frame<'_>,
    about: &About<'_>,
    reopen_days: u16,
) -> Result<Vec<u8>, Unwritable> {
    Letter::default()
        .say(format!(
            "Your message {} was not sent: nobody decided about it in time.",
            about.words()
        ))
        .list("What you can do:", REMEDIES)
        .say(format!(
            "The message is kept for {reopen_days} more days. Until then the school can still \
             take it up again."
        ))
        .say(reference(frame))
        .write(frame, "Your message was not sent")
}

/// The approver has said yes.
///
/// # Errors
/// [`Unwritable`], a fault of ours.
pub fn released_to_sender(frame: &Frame<'_>, about: &About<'_>) -> Result<Vec<u8>, Unwritable> {
    Letter::default()
        .say(format!("Your message {} was approved and is on its way.", about.words()))
        .say("There is nothing you need to do.")
        .say(reference(frame))
        .write(frame, "Your message was approved")
}

/// The visible recipients were moved to Bcc.
///
/// # Errors
/// [`Unwritable`], a fault of ours.
pub fn bcc_forced_to_sender(
    frame: &Frame<'_>,
    about: &About<'_>,
    hidden: usize,
) -> Result<Vec<u8>, Unwritable> {
    let addresses = count(hidden, "outside address", "outside addresses");
    Letter::default()
        .say(format!(
            "Your message {} was sent. It showed {addresses} to everybody who got it, so the \
             addresses were moved to Bcc: each recipient got the message, and none sees the others.",
            about.words()
        ))
        .say(
            "Next time, put your own address into To and everybody outside the school into Bcc. \
             If a reply to all is needed, send to fewer people at a time.",
        )
        .say(reference(frame))
        .write(frame, "Your message was sent with hidden recipients")
}

/// The line by which the office finds the message.
pub(super) fn reference(frame: &Frame<'_>) -> String {
    format!("If you ask about this message, please give its number: {}", frame.id)
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::read;
    use super::*;
    use crate::detect::Category;

    fn with_about<T>(test: impl FnOnce(&About<'_>) -> T) -> T {
        let domains = ["home.example".to_owned()];
        test(&About {
            sent: "Monday 2 March 2026 at 09:00",
            recipients: 2,
            domains: &domains,
            attachments: 1,
        })
    }

    #[test]
    fn a_hold_tells_why_what_next_and_how_to_do_it_right() {
        let (subject, text, html) = with_about(|about| {
            read(|frame| {
                hold_to_sender(
                    frame,
                    &Held {
                        about,
                        reasons: &["Health data of a pupil goes to somebody outside the school."],
                        found: &[
                            Found {
                                category: Category::PupilName,
                                place: "the subject line",
                                count: 1,
                            },
                            Found { category: Category::Health, place: "an attachment", count: 3 },
                        ],
                        advice: &["Send one message to each family."],
                        decider: "the headteacher",
                        lapses: "Monday 9 March 2026 at 09:00",
                        delivered_inside: 1,
                    },
                )
            })
        });
        assert_eq!(subject, "Your message waits for approval");
        assert_eq!(
            text,
            "Your message of Monday 2 March 2026 at 09:00 to 2 recipients at\n\
             home.example (1 attachment) has not left the school yet.\n\
             \n\
             Why it waits:\n\
             \n\
             - Health data of a pupil goes to somebody outside the school.\n\
             \n\
             What was found in it:\n\
             \n\
             - pupil name: 1 in the subject line\n\
             - health: 3 in an attachment\n\
             \n\
             What happens next: the headteacher decides. If nobody has decided by\n\
             Monday 9 March 2026 at 09:00, the message is not sent, and you are told.\n\
             \n\
             1 recipient within the school got it at once.\n\
             \n\
             You need not wait:\n\
             \n\
             - Send one message to each family.\n\
             - Take out what the recipient does not need, and send the message again.\n\
             - Or put it into a file that is locked with a password, and tell the\n\
             \x20 password by telephone, never by email.\n\
             - If you are not sure, ask the school office.\n\
             \n\
             If you ask about this message, please give its number: 01960000\n"
        );
        assert!(html.contains("<li>pupil name: 1 in the subject line</li>"));
    }

    #[test]
    fn a_refusal_gives_the_reason() {
        let (subject, text, _) =
            with_about(|about| read(|frame| refused_to_sender(frame, about, "Please telephone.")));
        assert_eq!(subject, "Your message was not approved");
        assert_eq!(
            text,
            "Your message of Monday 2 March 2026 at 09:00 to 2 recipients at\n\
             home.example (1 attachment) was not approved and has not been sent.\n\
             \n\
             The reason given: Please telephone.\n\
             \n\
             What you can do:\n\
             \n\
             - Take out what the recipient does not need, and send the message again.\n\
             - Or put it into a file that is locked with a password, and tell the\n\
             \x20 password by telephone, never by email.\n\
             - If you are not sure, ask the school office.\n\
             \n\
             If you ask about this message, please give its number: 01960000\n"
        );
    }

    #[test]
    fn an_expired_hold_was_not_sent() {
        let (subject, text, _) =
            with_about(|about| read(|frame| expired_to_sender(frame, about, 30)));
        assert_eq!(subject, "Your message was not sent");
        assert_eq!(
            text,
            "Your message of Monday 2 March 2026 at 09:00 to 2 recipients at\n\
             home.example (1 attachment) was not sent: nobody decided about it in\n\
             time.\n\
             \n\
             What you can do:\n\
             \n\
             - Take out what the recipient does not need, and send the message again.\n\
             - Or put it into a file that is locked with a password, and tell the\n\
             \x20 password by telephone, never by email.\n\
             - If you are not sure, ask the school office.\n\
             \n\
             The message is kept for 30 more days. Until then the school can still\n\
             take it up again.\n\
             \n\
             If you ask about this message, please give its number: 01960000\n"
        );
    }

    #[test]
    fn a_release_is_told_in_two_sentences() {
        let (subject, text, _) = with_about(|about| read(|frame| released_to_sender(frame, about)));
        assert_eq!(subject, "Your message was approved");
        assert_eq!(
            text,
            "Your message of Monday 2 March 2026 at 09:00 to 2 recipients at\n\
             home.example (1 attachment) was approved and is on its way.\n\
             \n\
             There is nothing you need to do.\n\
             \n\
             If you ask about this message, please give its number: 01960000\n"
        );
    }

    #[test]
    fn a_forced_bcc_says_what_was_done_and_how_to_do_it() {
        let (subject, text, _) =
            with_about(|about| read(|frame| bcc_forced_to_sender(frame, about, 12)));
        assert_eq!(subject, "Your message was sent with hidden recipients");
        assert_eq!(
            text,
            "Your message of Monday 2 March 2026 at 09:00 to 2 recipients at\n\
             home.example (1 attachment) was sent. It showed 12 outside addresses to\n\
             everybody who got it, so the addresses were moved to Bcc: each recipient\n\
             got the message, and none sees the others.\n\
             \n\
             Next time, put your own address into To and everybody outside the school\n\
             into Bcc. If a reply to all is needed, send to fewer people at a time.\n\
             \n\
             If you ask about this message, please give its number: 01960000\n"
        );
    }
}
