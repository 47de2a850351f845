//! A real mail system in front of the program: Postfix hands over, the next hop gets.

use schoolgate::smtp::sink::Manners;

use crate::support::arrivals::arrives;
use crate::support::arrivals::next_hop;
use crate::support::arrivals::to;
use crate::support::gateway::Gateway;
use crate::support::gateway::OFFICE;
use crate::support::postfix::Postfix;

const LETTER: &str = "From: office@oakfield.example\nTo: parent@family.example\n\
    Bcc: other@family.example\nSubject: Trip\nDate: Mon, 05 Oct 2026 09:12:00 +0100\n\
    Message-ID: <postfix.1@oakfield.example>\n\nThe coach leaves at nine.\n";

#[tokio::test(flavor = "multi_thread")]
async fn mail_handed_over_by_postfix_arrives_once_for_each_recipient() {
    let sink = next_hop(Manners::default()).await;
    let gateway = Gateway::start(sink.address().port(), "").await;
    let postfix = Postfix::start(gateway.port(OFFICE));
    let file = gateway.folder().join("letter.eml");
    std::fs::write(&file, LETTER).unwrap();
    let recipients = ["parent@family.example", "other@family.example"];
    postfix.submit("office@oakfield.example", &recipients, &file);
    for recipient in recipients {
        let message = arrives(&sink, recipient, "The coach leaves at nine.\r\n").await;
        let (header, body) = message.split_once("\r\n\r\n").unwrap();
        for field in ["X-Schoolgate-Retention: ", "X-Schoolgate-Loop: "] {
            assert_eq!(header.matches(field).count(), 1, "{field}: {header}");
        }
        assert!(header.contains("by gate.oakfield.example"), "{header}");
        assert!(header.contains("by exchange.oakfield.example"), "{header}");
        assert!(!header.to_ascii_lowercase().contains("\r\nbcc:"), "{header}");
        assert_eq!(body.matches("meant for its addressee only").count(), 1, "{body}");
        assert_eq!(to(&sink, recipient).len(), 1);
    }
}
