//! Where mail goes from here, as it is written: next hops and how delivery is tried again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use serde_saphyr::Spanned;

use super::doors::Tls;
use super::file::unplaced;
use super::scalar::Duration;

/// Where mail goes from here.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NextHops {
    /// The smart host for every domain that is not named below.
    pub default: Hop,
    /// Other hosts for some domains: `council.example`, or `*.council.example` for those below.
    #[serde(default = "no_hops")]
    #[schemars(with = "BTreeMap<String, Hop>")]
    pub domains: Spanned<BTreeMap<String, Hop>>,
}

fn no_hops() -> Spanned<BTreeMap<String, Hop>> {
    unplaced(BTreeMap::new())
}

/// One next hop.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hop {
    /// Host name or IP address. With TLS, the certificate must have this name.
    #[schemars(with = "String")]
    pub host: Spanned<String>,
    /// The port.
    #[serde(default = "smtp_port")]
    pub port: u16,
    /// Whether the connection is encrypted.
    #[serde(default)]
    pub tls: TlsUse,
    /// The authorities that may have signed the host's certificate, a PEM file. Without it the
    /// public ones.
    #[serde(default)]
    #[schemars(with = "Option<PathBuf>")]
    pub ca: Option<Spanned<PathBuf>>,
    /// Connections at a time to this host.
    #[serde(default = "hop_connections")]
    #[schemars(with = "usize")]
    pub connections: Spanned<usize>,
    /// The certificate the gateway shows.
    #[serde(default)]
    pub client_certificate: Option<Tls>,
}

fn smtp_port() -> u16 {
    25
}

fn hop_connections() -> Spanned<usize> {
    unplaced(10)
}

/// Whether the connection to a next hop is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TlsUse {
    /// Encrypted if the host offers it, with any certificate; in the clear if it doesn't.
    Opportunistic,
    /// Encrypted, or not delivered.
    #[default]
    Required,
    /// In the clear, for a host on the same machine or network.
    Off,
}

/// How delivery is tried again, and how long each step may take.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Relay {
    /// The waits between tries; the last one repeats.
    #[schemars(with = "Vec<Duration>")]
    pub retry: Spanned<Vec<Duration>>,
    /// How old a message may grow before its sender gets a report of failure (RFC 3464).
    pub max_age: Duration,
    /// The time for each step.
    pub timeouts: Timeouts,
}

impl Default for Relay {
    fn default() -> Self {
        let waits = [60, 5 * 60, 15 * 60, 30 * 60, 3600, 2 * 3600, 4 * 3600];
        Self {
            retry: unplaced(waits.map(Duration::seconds).to_vec()),
            max_age: Duration::hours(5 * 24),
            timeouts: Timeouts::default(),
        }
    }
}

/// The time for each step of a delivery, RFC 5321 section 4.5.3.2.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// The connection and the TLS handshake.
    pub connect: Duration,
    /// The greeting.
    pub greeting: Duration,
    /// EHLO, MAIL, RCPT, RSET and QUIT, each.
    pub command: Duration,
    /// The answer to DATA.
    pub data: Duration,
    /// Sending the message.
    pub transfer: Duration,
    /// The answer to the end of the message.
    pub end_of_data: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::seconds(30),
            greeting: Duration::seconds(300),
            command: Duration::seconds(300),
            data: Duration::seconds(120),
            transfer: Duration::seconds(600),
            end_of_data: Duration::seconds(600),
        }
    }
}
