//! What the administrator is told when the gateway can't go on by itself.

use super::letter::{Frame, Letter, Unwritable};

/// One incident: a fault that has lasted, said once.
#[derive(Debug, Clone, Copy)]
pub struct Incident<'a> {
    /// What is wrong, one sentence without personal data.
    pub what: &'a str,
    /// Since when, in words.
    pub since: &'a str,
    /// How many messages wait because of it.
    pub waiting: usize,
    /// The first thing to look at.
    pub remedy: &'a str,
}

/// A fault has lasted.
///
/// # Errors
/// [`Unwritable`], a fault of ours.
pub fn admin_incident(frame: &Frame<'_>, incident: &Incident<'_>) -> Result<Vec<u8>, Unwritable> {
    let waiting = match incident.waiting {
        0 => "No message waits because of it.".to_owned(),
        1 => "1 message waits because of it; it is safe and is tried again by itself.".to_owned(),
        many => format!(
            "{many} messages wait because of it; they are safe and are tried again by themselves."
        ),
    };
    Letter::default()
        .say(format!("Since {}: {}", incident.since, incident.what))
        .say(waiting)
        .say(format!("What to do: {}", incident.remedy))
        .say(format!("Incident {}. You are told once, until it is over.", frame.id))
        .write(frame, "The mail gateway needs attention")
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::read;
    use super::*;

    #[test]
    fn an_incident_says_what_since_when_and_what_to_do() {
        let (subject, text, _) = read(|frame| {
            admin_incident(
                frame,
                &Incident {
                    what: "the next hop refuses every connection.",
                    since: "Monday at 09:00",
                    waiting: 4,
                    remedy: "check the relay section of the configuration.",
                },
            )
        });
        assert_eq!(subject, "The mail gateway needs attention");
        assert_eq!(
            text,
            "Since Monday at 09:00: the next hop refuses every connection.\n\
             \n\
             4 messages wait because of it; they are safe and are tried again by\n\
             themselves.\n\
             \n\
             What to do: check the relay section of the configuration.\n\
             \n\
             Incident 01960000. You are told once, until it is over.\n"
        );
    }
}
