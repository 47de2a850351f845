//! Goes through the parts of a message and of the messages in it, and collects what they hold.

use bytes::Bytes;

use super::calendar::attendees;
use super::fields::holds_words;
use super::html::{Dialect, html};
use super::plain::{plain, table, unfolded};
use super::sniff::{Form, Kind, form, sniff, wrapped};
use super::view::View;
use super::{Extraction, Limits};
use crate::mail::Attachment;
use crate::mail::Defect;
use crate::mail::Message;
use crate::mail::Place;
use crate::mail::Protection;
use crate::mail::Sensitive;
use crate::mail::fields_of;
use crate::mail::{Content, Disposition, Field, Flow, Part, PartId};

/// The largest signature that is taken for one; a bigger file may hold a message.
const LARGEST_SIGNATURE: usize = 32 * 1024;

/// Defects of a message inside another that change nothing in what a reader sees.
const HARMLESS_INSIDE: [Defect; 2] = [Defect::BadAddress, Defect::DuplicateField];

/// Defects that a report's returned message has by its nature: it may be cut after its header.
const HARMLESS_IN_REPORTS: [Defect; 2] = [Defect::BoundaryMissing, Defect::Unclosed];

/// Collects under the limits of one extraction.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    limits: &'a Limits,
    room: usize,
    found: Extraction,
}

/// Where a message stands: nowhere, or within another by a path.
#[derive(Debug, Clone, Copy)]
struct Scope<'a> {
    within: Option<&'a str>,
    depth: usize,
}

impl Scope<'_> {
    fn path(&self, name: &str) -> String {
        match self.within {
            Some(outer) => format!("{outer}/{name}"),
            None => name.to_owned(),
        }
    }

    fn place(&self, proper: Place) -> Place {
        self.within.map_or(proper, |path| Place::Attachment(path.to_owned()))
    }
}

impl<'a> Collector<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { limits, room: limits.text_octets, found: Extraction::default() }
    }

    /// Collects everything of the outermost message.
    pub(super) fn collect(mut self, message: &Message) -> Extraction {
        self.message(message, Scope { within: None, depth: 0 });
        self.found.defects.sort_unstable();
        self.found.defects.dedup();
        self.found.calendar_attendees.sort_unstable();
        self.found.calendar_attendees.dedup();
        self.found
    }

    /// Recursion is bounded by [`Limits::depth`].
    fn message(&mut self, message: &Message, scope: Scope<'_>) {
        for (id, part) in message.parts().iter().enumerate() {
            for field in &part.fields {
                self.field(message, field, scope);
            }
            self.part(message, id, part, scope);
        }
        for range in message.asides() {
            let octets = message.raw().get(range.clone()).unwrap_or_default();
            let text = String::from_utf8_lossy(octets);
            self.show(scope.place(Place::BodyText), |view| plain(&text, Flow::Fixed, view));
        }
    }

    fn field(&mut self, message: &Message, field: &Field, scope: Scope<'_>) {
        let name = message.name(field);
        if !holds_words(name) {
            return;
        }
        let place = match name.eq_ignore_ascii_case("subject") {
            true => Place::Subject,
            false => Place::Header(name.to_owned()),
        };
        let value = message.text_value(field);
        self.show(scope.place(place), |view| view.push(value.expose(), 0));
    }

    fn part(&mut self, message: &Message, id: PartId, part: &Part, scope: Scope<'_>) {
        match &part.content {
            Content::Multipart(_) => {}
            Content::Text(text) => self.body(text.expose(), id, part, scope),
            Content::Octets(octets) if is_invitation(part) => {
                self.invitation(octets, part, scope);
            }
            Content::Octets(octets) => self.attachment(octets, id, part, message, scope),
            Content::Message(octets) => {
                let path = self.named(id, part, "message.eml", scope);
                let in_report = is_in_report(message, part);
                self.nested(octets, path, &part.media_type, in_report, scope);
            }
        }
    }

    fn body(&mut self, text: &str, id: PartId, part: &Part, scope: Scope<'_>) {
        if part.media_type == "text/html" {
            let place = scope.place(Place::BodyHtml);
            return self.show(place, |view| html(text, Dialect::Html, view));
        }
        self.show(scope.place(Place::BodyText), |view| plain(text, part.flow, view));
        if let Some(name) = wrapped(text) {
            self.closed(scope.path(&format!("part-{id}")), &part.media_type, name);
        }
    }

    /// A calendar that stands for a body, as Outlook sends it.
    fn invitation(&mut self, octets: &Bytes, part: &Part, scope: Scope<'_>) {
        match sniff(octets, part.charset.as_deref()) {
            Kind::Text(text) => self.folded(scope.place(Place::BodyText), &text),
            _ => self.found.defects.push(Defect::BadCharset),
        }
    }

    fn attachment(
        &mut self,
        octets: &Bytes,
        id: PartId,
        part: &Part,
        message: &Message,
        scope: Scope<'_>,
    ) {
        let path = self.named(id, part, &format!("part-{id}"), scope);
        let media_type = part.media_type.as_str();
        if is_signature(media_type, octets) {
            return self.attached(path, media_type, Protection::None, "a signature".to_owned());
        }
        match sniff(octets, part.charset.as_deref()) {
            Kind::Text(text) => {
                let extension = extension(&path);
                let mut form = form(&text, media_type, &extension);
                if form == Form::Message || form == Form::Plain {
                    form = message_or_plain(form, octets);
                }
                match form {
                    Form::Message => {
                        let in_report = is_in_report(message, part);
                        self.nested(octets, path, media_type, in_report, scope);
                    }
                    form => self.text_file(path, media_type, &text, form),
                }
            }
            Kind::Media(name) => {
                self.attached(path, media_type, Protection::None, name.to_owned());
            }
            Kind::Closed(name) => self.closed(path, media_type, name),
            Kind::Unknown => match media_type {
                "application/pkcs7-mime" | "application/x-pkcs7-mime" => {
                    self.closed(path, media_type, "an S/MIME message");
                }
                _ => {
                    let evidence = "not a type this gateway can read".to_owned();
                    self.attached(path, media_type, Protection::Unknown, evidence);
                }
            },
        }
    }

    fn text_file(&mut self, path: String, media_type: &str, text: &str, form: Form) {
        let place = Place::Attachment(path.clone());
        let is_whole = match form {
            Form::Html => self.shown(place, |view| html(text, Dialect::Html, view)),
            Form::Xml => self.shown(place, |view| html(text, Dialect::Xml, view)),
            Form::Table => self.shown(place, |view| table(text, view)),
            Form::Folded => self.folded_whole(place, text),
            Form::Plain | Form::Message => self.shown(place, |view| plain(text, Flow::Fixed, view)),
        };
        if let Some(name) = wrapped(text) {
            return self.closed(path, media_type, name);
        }
        let (protection, evidence) = match is_whole {
            true => (Protection::None, "text, read"),
            false => (Protection::Unknown, "more text than can be inspected"),
        };
        self.attached(path, media_type, protection, evidence.to_owned());
    }

    fn nested(
        &mut self,
        octets: &Bytes,
        path: String,
        media_type: &str,
        in_report: bool,
        scope: Scope<'_>,
    ) {
        if scope.depth >= self.limits.depth {
            self.found.defects.push(Defect::OverLimit);
            let evidence = "a message deeper in messages than can be inspected".to_owned();
            return self.attached(path, media_type, Protection::Unknown, evidence);
        }
        let evidence = "a message, read".to_owned();
        self.attached(path.clone(), media_type, Protection::None, evidence);
        let inner = Message::parse(octets.clone(), &self.limits.nested);
        let counts = |defect: &&Defect| {
            let in_any = HARMLESS_INSIDE.contains(defect);
            let in_this = in_report && HARMLESS_IN_REPORTS.contains(defect);
            !in_any && !in_this
        };
        self.found.defects.extend(inner.defects().iter().filter(counts));
        self.message(&inner, Scope { within: Some(&path), depth: scope.depth + 1 });
    }

    /// The path of an attachment; its names become texts.
    fn named(&mut self, id: PartId, part: &Part, nameless: &str, scope: Scope<'_>) -> String {
        let name = part.filename.as_ref().map(Sensitive::expose);
        let shown = name.map(|name| as_path_segment(name)).filter(|name| !name.is_empty());
        let path = match shown {
            Some(name) => scope.path(&name),
            None if id == 0 && scope.within.is_none() => nameless.to_owned(),
            None => scope.path(nameless),
        };
        for name in [&part.filename, &part.other_name].into_iter().flatten() {
            let place = Place::AttachmentName(path.clone());
            self.show(place, |view| view.push(name.expose(), 0));
        }
        path
    }

    fn closed(&mut self, path: String, media_type: &str, name: &str) {
        let evidence = format!("{name}, which this gateway cannot read");
        self.attached(path, media_type, Protection::Unknown, evidence);
    }

    fn attached(
        &mut self,
        path: String,
        media_type: &str,
        protection: Protection,
        evidence: String,
    ) {
        if self.found.attachments.len() >= self.limits.attachments {
            self.found.defects.push(Defect::OverLimit);
            return;
        }
        let path = Sensitive::new(path);
        let media_type = media_type.to_owned();
        self.found.attachments.push(Attachment { path, media_type, protection, evidence });
    }

    fn folded(&mut self, place: Place, text: &str) {
        self.folded_whole(place, text);
    }

    fn folded_whole(&mut self, place: Place, text: &str) -> bool {
        let before = self.found.texts.len();
        let is_whole = self.shown(place, |view| unfolded(text, view));
        if let Some(text) = self.found.texts.get(before) {
            self.found.calendar_attendees.extend(attendees(text.view()));
        }
        is_whole
    }

    /// Adds a text; one that does not fit makes the message suspicious.
    fn show(&mut self, place: Place, fill: impl FnOnce(&mut View)) {
        self.shown(place, fill);
    }

    /// Adds a text, and says whether all of it fitted.
    fn shown(&mut self, place: Place, fill: impl FnOnce(&mut View)) -> bool {
        let mut view = View::new(self.room);
        fill(&mut view);
        let (text, is_whole) = view.finish(place);
        self.room = self.room.saturating_sub(text.view().len());
        if !is_whole {
            self.found.defects.push(Defect::OverLimit);
        }
        if !text.view().trim().is_empty() {
            self.found.texts.push(text);
        }
        is_whole
    }
}

fn is_invitation(part: &Part) -> bool {
    part.media_type == "text/calendar"
        && part.filename.is_none()
        && part.disposition != Some(Disposition::Attachment)
}

fn is_signature(media_type: &str, octets: &[u8]) -> bool {
    match media_type {
        "application/pkcs7-signature" | "application/x-pkcs7-signature" => {
            octets.first() == Some(&0x30) && octets.len() <= LARGEST_SIGNATURE
        }
        _ => false,
    }
}

fn is_in_report(message: &Message, part: &Part) -> bool {
    let parent = part.parent.and_then(|parent| message.parts().get(parent));
    parent.is_some_and(|parent| parent.media_type == "multipart/report")
}

/// A name may hold anything; a `/` in it would forge a path.
fn as_path_segment(name: &str) -> String {
    let safe = |c: char| if c == '/' || c == '\\' || c.is_control() { '_' } else { c };
    name.trim().chars().map(safe).collect()
}

fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.trim_end_matches(['.', ' ']);
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default()
}

/// A file that claims to be a message needs the beginning of one; a renamed one is known by its
/// MIME fields, since its text may be encoded.
fn message_or_plain(claimed: Form, octets: &[u8]) -> Form {
    let (fields, _) = fields_of(octets, 0, octets.len().min(64 * 1024));
    let has = |name: &str| {
        let named = |field: &Field| {
            octets.get(field.name.clone()).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()))
        };
        fields.iter().any(named)
    };
    let is_message = match claimed {
        Form::Message => fields.len() >= 2,
        _ => has("MIME-Version") && has("Content-Type"),
    };
    if is_message { Form::Message } else { Form::Plain }
}
