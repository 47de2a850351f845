//! What the configuration means: defaults filled in, paths absolute, contradictions gone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use jiff::tz::TimeZone;

use super::delivery::TlsUse;
use super::doors::LineEndings;
use super::file::LogFormat;
use super::file::Mode;
use super::scalar::Pattern;
use crate::approval::Approver;
use crate::calendar::SchoolCalendar;
use crate::mail::Address;
use crate::mail::Audience;

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose mail this is.
    pub school: School,
    /// The gateway's own host name, lower case.
    pub hostname: String,
    /// Whether holds for personal data are real.
    pub mode: Mode,
    /// The name of monitor mode's header field, if it is switched on.
    pub monitor_header: Option<String>,
    /// At least one.
    pub listeners: Vec<Listener>,
    /// Bounds on sessions and messages.
    pub limits: Limits,
    /// Bounds on the inspection of one message.
    pub inspection: Inspection,
    /// The folder of the school's own rules; `None` means the shipped ones.
    pub rules: Option<PathBuf>,
    /// How old the roll may be before the gateway warns.
    pub roll_max_age: Duration,
    /// Bulk mail.
    pub bulk: Bulk,
    /// Who gets a copy of every message that leaves.
    pub journal: Vec<Address>,
    /// `None` where another system appends it.
    pub disclaimer: Option<Disclaimer>,
    /// Retention classes.
    pub retention: Retention,
    /// The smart host for every domain without its own.
    pub default_hop: Hop,
    /// Other hosts for some domains, more exact patterns first.
    pub domain_hops: Vec<(Pattern, Hop)>,
    /// Retries and timeouts.
    pub relay: Relay,
    /// The store's folder.
    pub store: PathBuf,
    /// The folder of the keys.
    pub keys: PathBuf,
    /// What becomes of held messages.
    pub holds: Holds,
    /// School hours and school days.
    pub calendar: Calendar,
    /// Who decides; a headteacher and somebody for the headteacher's own conflicts are among them.
    pub approvers: Vec<Approver>,
    /// The `From:` of notices.
    pub notices_from: Address,
    /// The log.
    pub log: Log,
}

/// School hours and school days.
pub type Calendar = SchoolCalendar;

/// Whose mail this is.
#[derive(Debug, Clone)]
pub struct School {
    /// The name in notices.
    pub name: String,
    /// At least one, lower case.
    pub domains: Vec<String>,
    /// Trusted partners.
    pub trusted_partners: Vec<Pattern>,
    /// Recipients whose mail passes the headteacher by.
    pub protected_recipients: Vec<Pattern>,
    /// Seven digits.
    pub laestab: Option<String>,
    /// Where the school's clock hangs.
    pub time_zone: TimeZone,
}

impl School {
    /// How far outside the school an address stands.
    pub fn audience(&self, address: &Address) -> Audience {
        if self.is_own(address) {
            Audience::Own
        } else if self.trusted_partners.iter().any(|pattern| pattern.fits(address)) {
            Audience::Partner
        } else {
            Audience::External
        }
    }

    /// Whether the address is of one of the school's own domains.
    pub fn is_own(&self, address: &Address) -> bool {
        self.domains.iter().any(|domain| domain == address.domain())
    }

    /// Whether mail to this address passes the headteacher by.
    pub fn is_protected(&self, address: &Address) -> bool {
        self.protected_recipients.iter().any(|pattern| pattern.fits(address))
    }
}

/// One address on which the gateway takes mail.
#[derive(Debug, Clone)]
pub struct Listener {
    /// The name in logs and in `Received:` fields.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// What becomes of a bare CR, bare LF or NUL.
    pub line_endings: LineEndings,
    /// `None` does not offer STARTTLS.
    pub tls: Option<ServerCertificate>,
    /// Who may send; at least one.
    pub clients: Vec<Client>,
}

/// PEM files that are there.
#[derive(Debug, Clone)]
pub struct ServerCertificate {
    /// The chain, own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The certificate shown to a next hop.
pub type ClientCertificate = ServerCertificate;

/// A kind of client that may use a listener.
#[derive(Debug, Clone)]
pub enum Client {
    /// By address.
    Lan {
        /// At least one; none of Microsoft's.
        networks: Vec<IpNet>,
    },
    /// By a certificate of the school's own authority.
    OwnCertificate {
        /// The authority, a PEM file that is there.
        ca: PathBuf,
        /// At least one, lower case.
        names: Vec<String>,
    },
    /// Exchange Online.
    ExchangeOnline {
        /// A UUID with hyphens, lower case.
        tenant_id: String,
        /// At least one, lower case.
        certificate_names: Vec<String>,
        /// The field that must hold the tenant id.
        tenant_header: String,
        /// The public authorities, a PEM file that is there.
        ca: PathBuf,
    },
}

/// Bounds on sessions and messages. Sizes are in octets.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest message.
    pub message_size: usize,
    /// Recipients of one transaction.
    pub recipients: usize,
    /// Errors of one session.
    pub errors: usize,
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one address.
    pub connections_per_address: usize,
    /// For one whole command.
    pub command_timeout: Duration,
    /// For one whole message.
    pub data_timeout: Duration,
    /// For one whole session.
    pub session_time: Duration,
    /// `Received:` fields before a message counts as looping.
    pub hops: usize,
    /// Memory for the messages of all sessions.
    pub memory: usize,
}

/// Bounds on the inspection of one message.
#[derive(Debug, Clone, Copy)]
pub struct Inspection {
    /// How long the client waits for a verdict.
    pub deadline: Duration,
    /// Parts, depth and fields.
    pub limits: crate::mail::Limits,
}

/// Bulk mail.
#[derive(Debug, Clone)]
pub struct Bulk {
    /// What stands in an emptied `To:`; `None` means the `From:` address.
    pub to_address: Option<Address>,
}

/// The disclaimer, neither form empty.
#[derive(Debug, Clone)]
pub struct Disclaimer {
    /// Plain text, lines ending in LF.
    pub text: String,
    /// An HTML fragment.
    pub html: String,
}

/// Retention classes and their calendar years.
#[derive(Debug, Clone)]
pub struct Retention {
    /// The default class, one of `classes`.
    pub standard: String,
    /// Years by class.
    pub classes: BTreeMap<String, u16>,
}

/// One next hop.
#[derive(Debug, Clone)]
pub struct Hop {
    /// Host name or IP address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Encryption.
    pub tls: HopTls,
    /// Connections at a time, at least one.
    pub connections: usize,
}

/// Encryption towards a next hop.
#[derive(Debug, Clone)]
pub struct HopTls {
    /// Off, if offered, or required.
    pub tls_use: TlsUse,
    /// The authorities, a PEM file that is there; `None` means the public ones.
    pub ca: Option<PathBuf>,
    /// What the gateway shows.
    pub client_certificate: Option<ClientCertificate>,
}

/// Retries and timeouts.
#[derive(Debug, Clone)]
pub struct Relay {
    /// The waits between tries, at least one; the last repeats.
    pub retry: Vec<Duration>,
    /// How old a message may grow.
    pub max_age: Duration,
    /// Each step's time.
    pub timeouts: Timeouts,
}

/// The time for each step of a delivery.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Connection and TLS handshake.
    pub connect: Duration,
    /// The greeting.
    pub greeting: Duration,
    /// Every command but DATA.
    pub command: Duration,
    /// The answer to DATA.
    pub data: Duration,
    /// Sending the message.
    pub transfer: Duration,
    /// The answer to the end of the message.
    pub end_of_data: Duration,
}

/// What becomes of held messages.
#[derive(Debug, Clone, Copy)]
pub struct Holds {
    /// School hours until the next circle is told.
    pub escalate_after_school_hours: u16,
    /// School days until an undecided hold is closed.
    pub close_after_school_days: u16,
    /// Days a closed hold can be opened again.
    pub keep_closed_days: u16,
    /// The school's own recipients get a held message at once.
    pub internal_at_once: bool,
}

/// The log.
#[derive(Debug, Clone)]
pub struct Log {
    /// Text, JSON or the journal.
    pub format: LogFormat,
    /// Directives as tracing-subscriber reads them.
    pub level: String,
}
