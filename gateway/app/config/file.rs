//! The configuration file as a school writes it: the school, the policy's switches, the house.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use serde_saphyr::Spanned;

use super::delivery::NextHops;
use super::delivery::Relay;
use super::doors::Limits;
use super::doors::Listener;
use super::people::Approver;
use super::people::Calendar;
use super::people::Holds;
use super::people::Notices;
use super::scalar::DomainName;
use super::scalar::Duration;
use super::scalar::HeaderName;
use super::scalar::Laestab;
use super::scalar::Mailbox;
use super::scalar::Pattern;
use super::scalar::ZoneName;

/// The whole file. Relative paths count from the folder in which the file lies.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Whose mail this is.
    pub school: School,
    /// The gateway's own host name, as it greets and as it writes `Received:` fields.
    #[schemars(with = "DomainName")]
    pub hostname: Spanned<DomainName>,
    /// Whether holds for personal data are real (`enforce`) or only recorded (`monitor`).
    #[serde(default)]
    pub mode: Mode,
    /// The header field that tells, in monitor mode, which rules would have held the message.
    /// Without it nothing is written.
    #[serde(default)]
    pub monitor_header: Option<MonitorHeader>,
    /// The doors through which mail comes in; at least one.
    #[schemars(with = "Vec<Listener>")]
    pub listeners: Spanned<Vec<Listener>>,
    /// Bounds on sessions and messages.
    #[serde(default)]
    pub limits: Limits,
    /// Bounds on the inspection of one message.
    #[serde(default)]
    pub inspection: Inspection,
    /// Where the rules lie.
    #[serde(default)]
    pub rules: Rules,
    /// The pupil roll.
    #[serde(default)]
    pub roll: Roll,
    /// Mail to many outsiders at once (P02).
    #[serde(default)]
    pub bulk: Bulk,
    /// The text under every message that leaves (P01).
    #[serde(default)]
    pub disclaimer: Disclaimer,
    /// How long what is recorded stays (P09).
    #[serde(default)]
    pub retention: Retention,
    /// Where mail goes from here.
    pub next_hops: NextHops,
    /// How delivery is tried again.
    #[serde(default)]
    pub relay: Relay,
    /// The spool, the database and the sealed messages.
    #[serde(default)]
    pub store: Store,
    /// The keys that seal and sign.
    #[serde(default)]
    pub keys: Keys,
    /// What becomes of held messages (P06).
    #[serde(default)]
    pub holds: Holds,
    /// School hours and school days.
    #[serde(default)]
    pub calendar: Calendar,
    /// Who decides held messages (P06); one entry for each person and role.
    #[schemars(with = "Vec<Approver>")]
    pub approvers: Spanned<Vec<Approver>>,
    /// Mailboxes that get a copy of every message that leaves, in the envelope only (P09). A held
    /// message is copied when it is released.
    #[serde(default)]
    pub journal: Vec<Mailbox>,
    /// Mail the gateway itself writes.
    #[serde(default)]
    pub notices: Notices,
    /// What the gateway tells of itself. Logs hold ids, categories and counts only (P27).
    #[serde(default)]
    pub log: Log,
}

/// Whose mail this is.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct School {
    /// The school's name, as notices write it.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// Every domain from which the school sends, exactly as it stands behind the @; at least one.
    /// Everybody else is external.
    #[schemars(with = "Vec<DomainName>")]
    pub domains: Spanned<Vec<Spanned<DomainName>>>,
    /// Organisations the school trusts: not counted by the bulk rule, still external for all
    /// others.
    #[serde(default)]
    #[schemars(with = "Vec<Pattern>")]
    pub trusted_partners: Vec<Spanned<Pattern>>,
    /// Recipients whose mail passes the headteacher by, such as the local authority's designated
    /// officer, Ofsted, the ICO, unions and whistle-blowing lines.
    #[serde(default)]
    #[schemars(with = "Vec<Pattern>")]
    pub protected_recipients: Vec<Spanned<Pattern>>,
    /// The school's LAESTAB, as `123/4567`. A pupil number that holds it is certain.
    #[serde(default)]
    pub laestab: Option<Laestab>,
    /// The time zone of the school's hours and of retention dates.
    #[serde(default = "london")]
    pub time_zone: ZoneName,
}

fn london() -> ZoneName {
    ZoneName("Europe/London".to_owned())
}

/// Whether holds for personal data are real.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every rule acts.
    #[default]
    Enforce,
    /// Holds for personal data are recorded and not made; everything else acts.
    Monitor,
}

/// The header field of monitor mode.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorHeader {
    /// The field's name. Outsiders can read it, so it is off unless this stands here.
    #[schemars(with = "HeaderName")]
    pub name: Spanned<HeaderName>,
}

/// Bounds on the inspection of one message. What lies beyond them is suspicious, never clean.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Inspection {
    /// How long the client waits for a verdict; past it the message is taken and judged later.
    #[schemars(with = "Duration")]
    pub deadline: Spanned<Duration>,
    /// Parts of one message, multiparts counted.
    pub parts: usize,
    /// Multiparts inside each other.
    pub depth: usize,
    /// Fields of one header.
    pub fields: usize,
}

impl Default for Inspection {
    fn default() -> Self {
        let deadline = unplaced(Duration::seconds(20));
        Self { deadline, parts: 1_000, depth: 20, fields: 1_000 }
    }
}

/// Where the rules lie.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// A folder of `*.yaml` files that takes the place of the shipped rules. Without it the
    /// shipped rules apply.
    #[schemars(with = "Option<PathBuf>")]
    pub folder: Option<Spanned<PathBuf>>,
}

/// The pupil roll.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Roll {
    /// How old the last import may be before the gateway warns.
    pub max_age: Duration,
}

impl Default for Roll {
    fn default() -> Self {
        Self { max_age: Duration::hours(365 * 24) }
    }
}

/// Mail to many outsiders at once (P02).
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bulk {
    /// What stands in an emptied `To:`, an address of the school. Without it the `From:` address.
    #[schemars(with = "Option<Mailbox>")]
    pub to_address: Option<Spanned<Mailbox>>,
}

/// The text under every message that leaves (P01).
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Disclaimer {
    /// Whether the gateway appends it; `false` where another system does.
    pub append: bool,
    /// The plain text.
    #[schemars(with = "String")]
    pub text: Spanned<String>,
    /// The same for HTML bodies, as an HTML fragment. Without it the plain text is escaped.
    #[schemars(with = "Option<String>")]
    pub html: Option<Spanned<String>>,
}

impl Default for Disclaimer {
    fn default() -> Self {
        let text = "This email and any attachments are meant solely for the addressee, are \
                    confidential and may be legally privileged. Views in it are not necessarily \
                    those of the school or the local authority. If it has reached you by mistake, \
                    please tell the sender and delete it.";
        Self { append: true, text: unplaced(text.to_owned()), html: None }
    }
}

/// How long what is recorded stays (P09).
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// The class that a message has by default, and the only one outsiders ever read.
    #[schemars(with = "String")]
    pub standard: Spanned<String>,
    /// The classes by name. Names are of lower-case letters, digits and hyphens.
    #[schemars(with = "BTreeMap<String, RetentionClass>")]
    pub classes: Spanned<BTreeMap<String, RetentionClass>>,
}

impl Default for Retention {
    fn default() -> Self {
        let standard = "standard".to_owned();
        let classes = BTreeMap::from([(standard.clone(), RetentionClass { years: 3 })]);
        Self { standard: unplaced(standard), classes: unplaced(classes) }
    }
}

/// One retention class.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionClass {
    /// Calendar years from the day of acceptance.
    #[schemars(range(min = 1, max = 100))]
    pub years: u16,
}

/// The spool, the database and the sealed messages.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The folder, on a local disk; made with mode 0700 if it is not there.
    pub folder: PathBuf,
}

impl Default for Store {
    fn default() -> Self {
        Self { folder: PathBuf::from("/var/lib/schoolgate") }
    }
}

/// The keys that seal and sign.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// The folder that `schoolgate keys create` made. Without it the credentials folder of
    /// systemd, and without that `/etc/schoolgate/keys`.
    pub folder: Option<PathBuf>,
}

/// What the gateway tells of itself.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text`, `json`, or `journal` for systemd's journal with its fields.
    pub format: LogFormat,
    /// What is logged: `error`, `warn`, `info`, `debug`, or directives such as
    /// `info,schoolgate::smtp=debug`. Without it `info`.
    #[schemars(with = "Option<String>")]
    pub level: Option<Spanned<String>>,
}

/// The shape of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line for people, on standard error.
    #[default]
    Text,
    /// One JSON object a line, on standard error.
    Json,
    /// The journal of systemd.
    Journal,
}

/// A default: it stands at no place of the file.
pub(super) fn unplaced<T>(value: T) -> Spanned<T> {
    Spanned::new(value, serde_saphyr::Location::UNKNOWN, serde_saphyr::Location::UNKNOWN)
}
