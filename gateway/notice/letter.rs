//! A letter of a few paragraphs and lists, as text and simple HTML.

use mail_builder::MessageBuilder;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;
use thiserror::Error;

use crate::mail::Address;

/// The column at which the text form is wrapped.
const COLUMN: usize = 72;

/// Who writes to whom, and when.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The gateway's address, of the school's own domain.
    pub from: &'a Address,
    /// To whom.
    pub to: &'a Address,
    /// Without angle brackets, and unlike any other.
    pub message_id: &'a str,
    /// Now, in seconds since 1970.
    pub date: i64,
    /// The message's id in the store; it also names the boundary.
    pub id: &'a str,
}

/// The letter could not be written: a fault of ours.
#[derive(Debug, Error)]
#[error("the notice could not be written")]
pub struct Unwritable(#[source] std::io::Error);

/// A letter while it is put together.
#[derive(Debug, Default)]
pub(super) struct Letter {
    blocks: Vec<Block>,
}

#[derive(Debug)]
enum Block {
    Paragraph(String),
    List(Vec<String>),
    Commands(Vec<String>),
}

impl Letter {
    /// Adds a paragraph.
    pub(super) fn say(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Paragraph(text.into()));
        self
    }

    /// Adds a list, with its heading; nothing at all where it is empty.
    pub(super) fn list<T: Into<String>>(
        mut self,
        heading: &str,
        items: impl IntoIterator<Item = T>,
    ) -> Self {
        let items: Vec<String> = items.into_iter().map(Into::into).collect();
        if !items.is_empty() {
            self.blocks.push(Block::Paragraph(heading.to_owned()));
            self.blocks.push(Block::List(items));
        }
        self
    }

    /// Adds lines to type, never wrapped.
    pub(super) fn commands(mut self, lines: Vec<String>) -> Self {
        self.blocks.push(Block::Commands(lines));
        self
    }

    /// The whole message.
    pub(super) fn write(self, frame: &Frame<'_>, subject: &str) -> Result<Vec<u8>, Unwritable> {
        let boundary = format!("=_notice_{}", word(frame.id));
        let kind = ContentType::new("multipart/alternative").attribute("boundary", boundary);
        let text = MimePart::new("text/plain", self.text());
        let html = MimePart::new("text/html", self.html());
        MessageBuilder::new()
            .from(("Schoolgate", frame.from.as_str()))
            .to(frame.to.as_str())
            .subject(subject)
            .date(frame.date)
            .message_id(frame.message_id)
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .body(MimePart::new(kind, vec![text, html]))
            .write_to_vec()
            .map_err(Unwritable)
    }

    fn text(&self) -> String {
        let block = |block: &Block| match block {
            Block::Paragraph(text) => wrapped(text, "", ""),
            Block::List(items) => items.iter().map(|item| wrapped(item, "- ", "  ")).collect(),
            Block::Commands(lines) => lines.iter().map(|line| format!("    {line}\r\n")).collect(),
        };
        let blocks: Vec<String> = self.blocks.iter().map(block).collect();
        blocks.join("\r\n")
    }

    fn html(&self) -> String {
        let block = |block: &Block| match block {
            Block::Paragraph(text) => format!("<p>{}</p>\r\n", escaped(text)),
            Block::List(items) => {
                let items: String =
                    items.iter().map(|item| format!("<li>{}</li>\r\n", escaped(item))).collect();
                format!("<ul>\r\n{items}</ul>\r\n")
            }
            Block::Commands(lines) => format!("<pre>{}</pre>\r\n", escaped(&lines.join("\r\n"))),
        };
        let blocks: String = self.blocks.iter().map(block).collect();
        format!("<!DOCTYPE html>\r\n<html lang=\"en-GB\"><body>\r\n{blocks}</body></html>\r\n")
    }
}

fn wrapped(text: &str, first: &str, next: &str) -> String {
    let mut lines = String::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > COLUMN {
            lines.push_str(&line);
            lines.push_str("\r\n");
            line = next.to_owned();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines + &line + "\r\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::Bytes;
    use mail_parser::MessageParser;

    use super::*;
    use crate::mail::{Limits, Message};

    /// A letter built for the test and read again: subject, text form, HTML form.
    pub(in super::super) fn read(
        build: impl FnOnce(&Frame<'_>) -> Result<Vec<u8>, Unwritable>,
    ) -> (String, String, String) {
        let from = Address::parse("schoolgate@school.example").unwrap();
        let to = Address::parse("office@school.example").unwrap();
        let frame = Frame {
            from: &from,
            to: &to,
            message_id: "n1@gate.school.example",
            date: 1_772_442_000,
            id: "01960000",
        };
        let raw = build(&frame).unwrap();
        let defects = Message::parse(Bytes::from(raw.clone()), &Limits::default());
        assert_eq!(defects.defects(), []);
        let read = MessageParser::new().parse(&raw).unwrap();
        let field = |name: &str| read.header_raw(name.to_owned()).unwrap().trim().to_owned();
        assert_eq!(field("Auto-Submitted"), "auto-generated");
        assert_eq!(field("Message-ID"), "<n1@gate.school.example>");
        assert_eq!(field("Date"), "Mon, 2 Mar 2026 09:00:00 +0000");
        let text = read.body_text(0).unwrap().replace("\r\n", "\n");
        let html = read.body_html(0).unwrap().replace("\r\n", "\n");
        (read.subject().unwrap().to_owned(), text, html)
    }

    #[test]
    fn writes_both_forms() {
        let letter = || {
            Letter::default()
                .say("One & two.")
                .list("Three:", ["a <b>", "c"])
                .list("None:", [""; 0])
        };
        let (subject, text, html) = read(|frame| letter().write(frame, "S"));
        assert_eq!(subject, "S");
        assert_eq!(text, "One & two.\n\nThree:\n\n- a <b>\n- c\n");
        assert_eq!(
            html,
            "<!DOCTYPE html>\n<html lang=\"en-GB\"><body>\n<p>One &amp; two.</p>\n<p>Three:</p>\n\
             <ul>\n<li>a &lt;b&gt;</li>\n<li>c</li>\n</ul>\n</body></html>\n"
        );
    }

    #[test]
    fn wraps_at_the_column() {
        let text = wrapped(&"word ".repeat(30), "- ", "  ");
        assert!(text.lines().all(|line| line.len() <= COLUMN));
        assert!(text.lines().skip(1).all(|line| line.starts_with("  word")));
    }
}
