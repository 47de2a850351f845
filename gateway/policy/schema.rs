//! A rule file as it is written: the YAML schema of everything a school can set about rules.
//!
//! The doc comments here are the reference that the JSON Schema and the documentation show.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::verdict::{Action, Approver, Outcome};
use crate::detect::Category;
use crate::detect::Confidence;

/// One file of rules. All files of a folder together are one set.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// What the file is about, for people.
    #[serde(default)]
    pub about: String,
    /// Invented pupils who are on the roll while the examples run, and at no other time.
    #[serde(default)]
    pub example_pupils: Vec<ExamplePupil>,
    /// Rules that find data.
    #[serde(default)]
    pub find: Vec<FindRule>,
    /// Rules that decide what becomes of a message.
    #[serde(default)]
    pub decide: Vec<DecideRule>,
}

/// An invented pupil for the examples.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExamplePupil {
    /// Forename.
    pub forename: String,
    /// Surname.
    pub surname: String,
    /// The name the child is called by, where it differs.
    #[serde(default)]
    pub preferred_forename: String,
    /// Unique Pupil Number.
    #[serde(default)]
    pub upn: String,
}

/// Whether a rule counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It counts.
    #[default]
    On,
    /// It is applied and recorded, but holds nothing.
    Shadow,
    /// It is not applied.
    Off,
}

/// A rule that finds data in the texts of a message. Exactly one of `detector`, `terms` (with
/// `capitals`, `terms_file`, `harmless`) and `near` says how.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindRule {
    /// Its name in reports: small letters, digits and hyphens; unique in the set.
    #[schemars(with = "String")]
    pub id: Spanned<String>,
    /// What it finds, in plain words.
    pub title: String,
    /// The clause it serves: P01 to P30.
    #[schemars(with = "String")]
    pub clause: Spanned<String>,
    /// Whether it counts.
    #[serde(default)]
    pub state: State,
    /// What its findings are about.
    pub category: Category,
    /// How sure a finding by `terms` or `near` is: low (recorded only), medium (counts) or high.
    /// Detectors tell it themselves.
    #[serde(default)]
    pub confidence: Option<Confidence>,
    /// A built-in detector.
    #[serde(default)]
    pub detector: Option<Detector>,
    /// Words and phrases in any case, as whole words. A hyphen also stands for a blank or for
    /// nothing (`epi-pen`); a `*` at the end allows any ending (`asthma*`).
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub terms: Vec<Spanned<String>>,
    /// Words that count in capitals only, such as abbreviations (`ASD`).
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub capitals: Vec<Spanned<String>>,
    /// A file of more terms in the same folder, one a line; `#` begins a comment.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub terms_file: Option<Spanned<String>>,
    /// Phrases in which a term is harmless (`asthma policy`).
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub harmless: Vec<Spanned<String>>,
    /// Findings of another rule that stand near a person become findings of this one.
    #[serde(default)]
    pub near: Option<NearPerson>,
    /// Texts that prove the rule; they run whenever the set is loaded.
    pub examples: Examples,
}

/// The built-in detectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// Unique Pupil Numbers with their check letter, temporary ones too.
    Upn,
    /// Full names of the pupils on the roll.
    PupilFullName,
}

/// Findings near a person.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NearPerson {
    /// The id of the rule by terms whose findings are taken over.
    #[schemars(with = "String")]
    pub of: Spanned<String>,
    /// The categories that stand for a person.
    pub person: Vec<Category>,
    /// The most characters between the two; a person in the subject line is near to everything.
    #[serde(default = "default_within")]
    pub within: usize,
}

fn default_within() -> usize {
    300
}

/// Texts that a rule must match and must ignore.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    /// Texts in which the rule finds something.
    #[serde(rename = "match")]
    #[schemars(with = "Vec<String>")]
    pub matches: Vec<Spanned<String>>,
    /// Texts in which it finds nothing.
    #[serde(rename = "ignore", default)]
    #[schemars(with = "Vec<String>")]
    pub ignores: Vec<Spanned<String>>,
}

/// A rule that decides.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideRule {
    /// Its name in reports: small letters, digits and hyphens; unique in the set.
    #[schemars(with = "String")]
    pub id: Spanned<String>,
    /// What it does, in plain words.
    pub title: String,
    /// The clause it serves: P01 to P30.
    #[schemars(with = "String")]
    pub clause: Spanned<String>,
    /// Whether it counts.
    #[serde(default)]
    pub state: State,
    /// When it speaks: all of the conditions given must hold; none means always.
    #[serde(default)]
    pub when: When,
    /// What it does then.
    pub then: Then,
    /// Situations that prove the rule; they run whenever the set is loaded.
    pub examples: Situations,
}

/// The conditions of a rule.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Who receives the message.
    #[serde(default)]
    pub recipients: Option<Recipients>,
    /// What was found in it.
    #[serde(default)]
    pub findings: Option<WhenFindings>,
    /// What is attached to it.
    #[serde(default)]
    pub attachments: Option<WhenAttachments>,
    /// It is ambiguous or broken, so that readers may see something else than we did.
    #[serde(default)]
    pub suspicious: bool,
    /// More than so many different outside addresses are visible in its header.
    #[serde(default)]
    pub visible_outside_over: Option<usize>,
    /// More than so many of them are no trusted partners.
    #[serde(default)]
    pub visible_untrusted_over: Option<usize>,
    /// A calendar invitation in it shows more than so many outside attendees.
    #[serde(default)]
    pub calendar_attendees_over: Option<usize>,
}

/// Who receives a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recipients {
    /// At least one recipient outside the school's own domains, trusted partners included.
    Outside,
    /// At least one recipient who is neither the school nor a trusted partner.
    Untrusted,
    /// Nobody outside the school.
    OwnOnly,
}

/// Which findings count.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhenFindings {
    /// Of these categories; none given means of any.
    #[serde(default)]
    pub categories: Vec<Category>,
    /// By these rules; none given means by any.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub rules: Vec<Spanned<String>>,
    /// At least so sure; medium where nothing is given.
    #[serde(default)]
    pub confidence: Option<Confidence>,
    /// In these places; none given means anywhere.
    #[serde(default)]
    pub places: Vec<PlaceKind>,
    /// At least so many; one where nothing is given.
    #[serde(default)]
    pub at_least: Option<usize>,
}

/// A kind of place in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// The subject line.
    Subject,
    /// The text of the message.
    Body,
    /// Another header field.
    Header,
    /// Inside an attachment.
    Attachment,
    /// The name of an attachment.
    AttachmentName,
}

/// Which attachments count; one that meets every condition given is enough.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhenAttachments {
    /// How it is protected.
    #[serde(default)]
    pub protection: Vec<ProtectionKind>,
    /// How its name ends, also inside archives: small letters, without the dot.
    #[serde(default)]
    pub extensions: Vec<String>,
}

/// How an attachment is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProtectionKind {
    /// Readable, and read.
    None,
    /// Truly encrypted.
    Strong,
    /// Encrypted in a way that can be broken.
    Weak,
    /// Partly encrypted.
    Partial,
    /// Not readable by the gateway, and not known to be encrypted.
    Unknown,
}

/// What a rule does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Then {
    /// What becomes of the message; the strictest of all rules wins.
    #[serde(default = "deliver")]
    pub outcome: Outcome,
    /// What is done to it when it leaves.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// Who should decide a hold.
    #[serde(default)]
    pub approver: Approver,
    /// Whether monitor mode, for a school's first weeks, only records the hold.
    #[serde(default)]
    pub monitor: Monitor,
    /// The reason, a sentence that a teacher reads. `{found}` stands for what was found and
    /// `{places}` for where, both in words and without the data.
    pub text: String,
    /// What the sender can do instead.
    #[serde(default)]
    pub advice: Option<String>,
}

fn deliver() -> Outcome {
    Outcome::Deliver
}

/// What monitor mode does to a hold. Refusals are never relaxed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Monitor {
    /// The hold is recorded only.
    #[default]
    Relax,
    /// The message is held all the same.
    Keep,
}

/// Situations in which a rule must speak and must be silent.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Situations {
    /// Situations in which the rule speaks.
    #[serde(rename = "match")]
    #[schemars(with = "Vec<Situation>")]
    pub matches: Vec<Spanned<Situation>>,
    /// Situations in which it is silent.
    #[serde(rename = "ignore", default)]
    #[schemars(with = "Vec<Situation>")]
    pub ignores: Vec<Spanned<Situation>>,
}

/// An invented message, by what a rule can ask of it. What is left out is not there.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Situation {
    /// How far outside the recipients stand; one outside address where nothing is given.
    #[serde(default)]
    pub to: Vec<Reader>,
    /// What was found, in the text of the message unless `place` says otherwise.
    #[serde(default)]
    pub findings: Vec<Category>,
    /// The rule that found it.
    #[serde(default)]
    pub by: String,
    /// How sure it is; high where nothing is given.
    #[serde(default)]
    pub confidence: Option<Confidence>,
    /// Where it was found.
    #[serde(default)]
    pub place: Option<PlaceKind>,
    /// The name of an attachment.
    #[serde(default)]
    pub attachment: Option<String>,
    /// How it is protected; none where nothing is given.
    #[serde(default)]
    pub protection: Option<ProtectionKind>,
    /// The message is ambiguous or broken.
    #[serde(default)]
    pub suspicious: bool,
    /// Outside addresses visible in the header.
    #[serde(default)]
    pub visible_outside: usize,
    /// How many of them are trusted partners.
    #[serde(default)]
    pub visible_partners: usize,
    /// Outside attendees of a calendar invitation.
    #[serde(default)]
    pub calendar_attendees: usize,
}

/// How far outside a recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reader {
    /// The school itself.
    Own,
    /// A trusted partner.
    Partner,
    /// Anybody else.
    External,
}
