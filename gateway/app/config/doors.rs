//! The doors as they are written: listeners, who may use them, and their bounds.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use serde_saphyr::Spanned;

use super::file::unplaced;
use super::scalar::DomainName;
use super::scalar::Duration;
use super::scalar::HeaderName;
use super::scalar::Octets;

/// One address on which the gateway takes mail by SMTP.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// A name for logs and for `Received:` fields, each only once.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// IP address and port, such as `0.0.0.0:25` or `[::]:25`.
    #[schemars(with = "String")]
    pub address: SocketAddr,
    /// What becomes of a bare CR, a bare LF or a NUL in a message (RFC 5321 section 2.3.8).
    #[serde(default)]
    pub line_endings: LineEndings,
    /// The certificate for STARTTLS. Without it TLS is not offered.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Who may send through this listener; nobody else may.
    #[schemars(with = "Vec<Client>")]
    pub clients: Spanned<Vec<Client>>,
}

/// What becomes of a bare CR, a bare LF or a NUL in a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LineEndings {
    /// The message is refused after its end.
    #[default]
    Strict,
    /// Bare CR and LF become CRLF, NUL goes. For copiers and old devices.
    Normalise,
}

/// A certificate and its key.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, a PEM file, the host's own certificate first.
    #[schemars(with = "PathBuf")]
    pub certificate: Spanned<PathBuf>,
    /// Its private key, a PEM file. A name without a slash lies in systemd's credentials folder
    /// where there is one.
    #[schemars(with = "PathBuf")]
    pub key: Spanned<PathBuf>,
}

/// A kind of client that may use a listener.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// Devices and servers of the school, by address.
    Lan(Lan),
    /// A server that shows a certificate of the school's own authority.
    OwnCertificate(OwnCertificate),
    /// Exchange Online: Microsoft's certificate, the school's tenant, and a sender of the school.
    ExchangeOnline(ExchangeOnline),
}

/// Devices and servers of the school, by address.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lan {
    /// The networks, as `192.168.4.0/24`. Microsoft's ranges are refused here: they are shared
    /// by every tenant.
    #[schemars(with = "Vec<String>")]
    pub networks: Spanned<Vec<Spanned<IpNet>>>,
}

/// A server that shows a certificate of the school's own authority.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnCertificate {
    /// The authority's certificate, a PEM file.
    #[schemars(with = "PathBuf")]
    pub ca: Spanned<PathBuf>,
    /// The host names of which the certificate must have one.
    #[schemars(with = "Vec<DomainName>")]
    pub names: Spanned<Vec<DomainName>>,
}

/// Exchange Online.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeOnline {
    /// The school's tenant id, a UUID. Mail of every other tenant is refused at its end.
    #[schemars(with = "String")]
    pub tenant_id: Spanned<String>,
    /// The host names of which Microsoft's certificate must have one.
    #[serde(default = "microsoft_names")]
    #[schemars(with = "Vec<DomainName>")]
    pub certificate_names: Spanned<Vec<DomainName>>,
    /// The field that must stand exactly once and hold the tenant id.
    #[serde(default = "tenant_header")]
    pub tenant_header: HeaderName,
    /// The public authorities that may have signed Microsoft's certificate, a PEM file.
    #[serde(default = "public_authorities")]
    #[schemars(with = "PathBuf")]
    pub ca: Spanned<PathBuf>,
}

fn microsoft_names() -> Spanned<Vec<DomainName>> {
    unplaced(vec![DomainName("mail.protection.outlook.com".to_owned())])
}

fn tenant_header() -> HeaderName {
    HeaderName("X-MS-Exchange-CrossTenant-Id".to_owned())
}

fn public_authorities() -> Spanned<PathBuf> {
    unplaced(PathBuf::from("/etc/ssl/certs/ca-certificates.crt"))
}

/// Bounds on sessions and messages.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest message (RFC 1870).
    #[schemars(with = "Octets")]
    pub message_size: Spanned<Octets>,
    /// Recipients of one transaction; the rest gets 452 and is sent again.
    pub recipients: usize,
    /// Errors of one session before it ends with 421.
    pub errors: usize,
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one address.
    pub connections_per_address: usize,
    /// The time for one whole command, not for one read.
    pub command_timeout: Duration,
    /// The time for one whole message.
    pub data_timeout: Duration,
    /// The time for one whole session.
    pub session_time: Duration,
    /// `Received:` fields before a message counts as looping (RFC 5321 section 6.3).
    pub hops: usize,
    /// Memory for messages in all sessions together; beyond it 452.
    #[schemars(with = "Octets")]
    pub memory: Spanned<Octets>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: unplaced(Octets::mebibytes(35)),
            recipients: 1_000,
            errors: 20,
            connections: 200,
            connections_per_address: 50,
            command_timeout: Duration::seconds(300),
            data_timeout: Duration::seconds(600),
            session_time: Duration::seconds(3600),
            hops: 50,
            memory: unplaced(Octets::mebibytes(128)),
        }
    }
}
