//! What an approver is told: enough to know that a decision is due and where to take it, never
//! enough to take it from the mail itself.

use super::about::About;
use super::found::Found;
use super::letter::{Frame, Letter, Unwritable};
use crate::mail::Address;

/// A decision that is due.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// The message.
    pub about: &'a About<'a>,
    /// Who sent it; `None` for the null path.
    pub sender: Option<&'a Address>,
    /// Why it waits, one sentence each.
    pub reasons: &'a [&'a str],
    /// What was found, masked.
    pub found: &'a [Found],
    /// When it lapses, in words.
    pub lapses: &'a str,
}

/// A message waits for this approver.
///
/// # Errors
/// [`Unwritable`], a fault of ours.
pub fn hold_to_approver(frame: &Frame<'_>, decision: &Decision<'_>) -> Result<Vec<u8>, Unwritable> {
    let opening = format!("{} waits for your decision.", named(decision));
    write(frame, decision, opening, "A message waits for your decision")
}

/// The first circle has not decided within its hours.
///
/// # Errors
/// [`Unwritable`], a fault of ours.
pub fn escalated_to_deputy(
    frame: &Frame<'_>,
    decision: &Decision<'_>,
) -> Result<Vec<u8>, Unwritable> {
    let opening = format!(
        "{} has waited without a decision, so it now comes to you as well. The first decision counts.",
        named(decision)
    );
    write(frame, decision, opening, "A message still waits for a decision")
}

/// Somebody has decided at the terminal, in an approver's name.
///
/// # Errors
/// [`Unwritable`], a fault of ours.
pub fn decided_at_terminal(
    frame: &Frame<'_>,
    about: &About<'_>,
    what: &str,
) -> Result<Vec<u8>, Unwritable> {
    Letter::default()
        .say(format!("The message {} was {what} at the gateway's terminal.", about.words()))
        .say("If you know nothing of this, ask the administrator: the audit names the person.")
        .write(frame, "A held message was decided at the terminal")
}

fn named(decision: &Decision<'_>) -> String {
    let from = match decision.sender {
        Some(sender) => format!("from {} ", sender.as_str()),
        None => "without a sender (an automatic message) ".to_owned(),
    };
    format!("The message {from}{}", decision.about.words())
}

fn write(
    frame: &Frame<'_>,
    decision: &Decision<'_>,
    opening: String,
    subject: &str,
) -> Result<Vec<u8>, Unwritable> {
    let how = format!("--for {} --reason \"...\"", frame.to.as_str());
    Letter::default()
        .say(opening)
        .list("Why it waits:", decision.reasons.iter().copied())
        .list("What was found in it:", decision.found.iter().map(Found::words))
        .say(format!("If nobody decides by {}, it is not sent.", decision.lapses))
        .say("To decide, ask the administrator to run on the gateway:")
        .commands(vec![
            format!("schoolgate held show {}", frame.id),
            format!("schoolgate held release {} {how}", frame.id),
            format!("schoolgate held refuse {} {how}", frame.id),
        ])
        .say("Replying to this mail decides nothing.")
        .write(frame, subject)
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::read;
    use super::*;
    use crate::detect::Category;

    type Build = fn(&Frame<'_>, &Decision<'_>) -> Result<Vec<u8>, Unwritable>;

    fn letter(build: Build) -> (String, String) {
        let domains = ["home.example".to_owned()];
        let sender = Address::parse("teacher@school.example").unwrap();
        let about =
            About { sent: "Monday at 09:00", recipients: 1, domains: &domains, attachments: 0 };
        let decision = Decision {
            about: &about,
            sender: Some(&sender),
            reasons: &["Health data goes outside."],
            found: &[Found {
                category: Category::Health,
                place: "the text of the message",
                count: 2,
            }],
            lapses: "Friday at 09:00",
        };
        let (subject, text, _) = read(|frame| build(frame, &decision));
        (subject, text)
    }

    const REST: &str = "\n\
        Why it waits:\n\
        \n\
        - Health data goes outside.\n\
        \n\
        What was found in it:\n\
        \n\
        - health: 2 in the text of the message\n\
        \n\
        If nobody decides by Friday at 09:00, it is not sent.\n\
        \n\
        To decide, ask the administrator to run on the gateway:\n\
        \n\
        \x20   schoolgate held show 01960000\n\
        \x20   schoolgate held release 01960000 --for office@school.example --reason \"...\"\n\
        \x20   schoolgate held refuse 01960000 --for office@school.example --reason \"...\"\n\
        \n\
        Replying to this mail decides nothing.\n";

    #[test]
    fn the_approver_learns_what_waits_and_how_to_decide() {
        let (subject, text) = letter(hold_to_approver);
        assert_eq!(subject, "A message waits for your decision");
        let opening = "The message from teacher@school.example of Monday at 09:00 to 1\n\
            recipient at home.example (no attachments) waits for your decision.\n";
        assert_eq!(text, format!("{opening}{REST}"));
    }

    #[test]
    fn the_deputy_learns_that_it_has_waited() {
        let (subject, text) = letter(escalated_to_deputy);
        assert_eq!(subject, "A message still waits for a decision");
        let opening = "The message from teacher@school.example of Monday at 09:00 to 1\n\
            recipient at home.example (no attachments) has waited without a\n\
            decision, so it now comes to you as well. The first decision counts.\n";
        assert_eq!(text, format!("{opening}{REST}"));
    }
}
