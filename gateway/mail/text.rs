//! Visible text of one place in a message, normalised for matching, with the way back.

use std::fmt;
use std::ops::Range;

use super::sensitive::Sensitive;

/// Where a text or a finding stands. `Display` gives the form of the reports: `subject`,
/// `body-text`, `body-html`, `header:NAME`, `attachment:PATH`, `attachment-name:PATH`. Paths may
/// hold personal data (a file can be named after a child), so notices use [`Place::kind`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// The Subject field, decoded.
    Subject,
    /// A text/plain body of the message proper.
    BodyText,
    /// A text/html body of the message proper.
    BodyHtml,
    /// Another header field, by its name.
    Header(String),
    /// Inside an attachment; the path goes through archives and nested messages with `/`.
    Attachment(String),
    /// The name of an attachment itself.
    AttachmentName(String),
}

impl Place {
    /// The kind of place in words for a notice, without any name out of the message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Subject => "the subject line",
            Self::BodyText | Self::BodyHtml => "the text of the message",
            Self::Header(_) => "a header field",
            Self::Attachment(_) => "an attachment",
            Self::AttachmentName(_) => "the name of an attachment",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject => f.write_str("subject"),
            Self::BodyText => f.write_str("body-text"),
            Self::BodyHtml => f.write_str("body-html"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Attachment(path) => write!(f, "attachment:{path}"),
            Self::AttachmentName(path) => write!(f, "attachment-name:{path}"),
        }
    }
}

/// The visible text of one place: what a reader sees, without tags, entities, zero-width
/// characters and soft hyphens, in Unicode's NFKC form.
#[derive(Debug, Clone)]
pub struct Text {
    /// Where it stands.
    pub place: Place,
    view: Sensitive<String>,
    /// Pairs (octet in the view, octet in the source), ascending in the first: from a pair on,
    /// both sides run in step until the next pair.
    steps: Vec<(usize, usize)>,
}

impl Text {
    /// A text whose view came from a source by the given steps; no steps means view = source.
    pub fn new(place: Place, view: String, steps: Vec<(usize, usize)>) -> Self {
        Self { place, view: Sensitive::new(view), steps }
    }

    /// The normalised text that detectors read.
    pub fn view(&self) -> &str {
        self.view.expose()
    }

    /// The octets of the source (the part decoded from its transfer encoding and charset, as
    /// UTF-8) from which an extent of the view came.
    pub fn source_span(&self, span: Range<usize>) -> Range<usize> {
        self.source_of(span.start)..self.source_of(span.end)
    }

    fn source_of(&self, offset: usize) -> usize {
        let next = self.steps.partition_point(|&(view, _)| view <= offset);
        match next.checked_sub(1).and_then(|index| self.steps.get(index)) {
            Some(&(view, source)) => source + (offset - view),
            None => offset,
        }
    }
}
