//! Who may use the SMTP door, and for whom: the three kinds of client, and the school's domains.
//!
//! A client never sends in a foreign name, whatever its kind, so that nothing here is an open
//! relay. What only the message can tell (Microsoft's tenant) is [`super::tenant`]'s.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use rustls_pki_types::{CertificateDer, UnixTime};
use thiserror::Error;

use crate::mail::Address;

use super::tls::{ClientCertificate, Roots};

/// The names on Exchange Online's client certificate.
pub const EXCHANGE_ONLINE_NAMES: &[&str] =
    &["mail.protection.outlook.com", "*.mail.protection.outlook.com"];

/// Exchange Online Protection's published address ranges. Every tenant of Microsoft's sends from
/// them, so a listener that admits one by address admits the world.
const EXCHANGE_ONLINE_NETWORKS: &[&str] = &[
    "40.92.0.0/15",
    "40.107.0.0/16",
    "52.100.0.0/14",
    "104.47.0.0/17",
    "2a01:111:f400::/48",
    "2a01:111:f403::/48",
];

/// One kind of client that a listener admits.
#[derive(Debug, Clone)]
pub enum Client {
    /// Any host in these networks: copiers, the school's own servers.
    Lan {
        /// Checked by [`check_lan`].
        networks: Vec<IpNet>,
    },
    /// A host that shows a certificate of the school's own authority.
    OwnCertificate {
        /// The school's authority.
        roots: Roots,
        /// DNS names, one of which the certificate must hold; `*.` stands for one label or more.
        names: Vec<String>,
    },
    /// Exchange Online, for one tenant only.
    ExchangeOnline {
        /// The public authorities that may have issued Microsoft's certificate.
        roots: Roots,
        /// DNS names as above, normally [`EXCHANGE_ONLINE_NAMES`].
        names: Vec<String>,
        /// What the message itself must show.
        tenant: Tenant,
    },
}

/// The header field by which Exchange Online says whose message it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The school's tenant id, a GUID.
    pub id: String,
    /// The field's name.
    pub header: String,
}

impl Tenant {
    /// The field Exchange Online writes on every message that leaves by a connector.
    pub const HEADER: &'static str = "X-MS-Exchange-CrossTenant-Id";

    /// The tenant of that id, told by [`Self::HEADER`].
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), header: Self::HEADER.to_owned() }
    }
}

/// A network in a `lan` client holds addresses of Microsoft's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the network {given} overlaps {published}, which Exchange Online uses for all its customers: whoever has a mailbox there could send through the gateway; use a client of the kind exchange_online instead"
)]
pub struct NotALan {
    /// As configured.
    pub given: IpNet,
    /// As published.
    pub published: IpNet,
}

/// Refuses networks that overlap Exchange Online's, either way.
///
/// # Errors
/// [`NotALan`] names the first pair.
pub fn check_lan(networks: &[IpNet]) -> Result<(), NotALan> {
    let published: Vec<IpNet> =
        EXCHANGE_ONLINE_NETWORKS.iter().filter_map(|text| text.parse().ok()).collect();
    for given in networks {
        if let Some(other) = published.iter().find(|other| overlap(given, other)) {
            return Err(NotALan { given: *given, published: *other });
        }
    }
    Ok(())
}

/// The school's own domains, in lower case.
#[derive(Debug, Clone, Default)]
pub struct OwnDomains(Arc<[String]>);

impl OwnDomains {
    /// The domains; the first is the one `<Postmaster>` belongs to.
    pub fn new<T: AsRef<str>>(domains: &[T]) -> Self {
        Self(domains.iter().map(|domain| domain.as_ref().to_lowercase()).collect())
    }

    /// The school's main domain.
    pub fn first(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }

    /// The address is the school's. A subdomain is another domain.
    pub fn hold(&self, address: &Address) -> bool {
        self.0.iter().any(|domain| domain == address.domain())
    }
}

/// What the door knows of a peer, for good or for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// May send in the school's name.
    Admitted,
    /// May send what turns out to be this tenant's.
    Tenant(Tenant),
    /// Fits no kind as it stands, but may show a certificate once it has begun TLS.
    NeedsTls,
    /// Fits no kind.
    Refused,
}

/// All clients of one listener.
#[derive(Debug, Clone)]
pub struct Clients(Arc<[Client]>);

impl Clients {
    /// The clients, in any order.
    pub fn new(clients: Vec<Client>) -> Self {
        Self(clients.into())
    }

    /// Whether a handshake must ask for the client's certificate.
    pub fn certificate(&self) -> ClientCertificate {
        match self.0.iter().any(needs_certificate) {
            true => ClientCertificate::Requested,
            false => ClientCertificate::None,
        }
    }

    /// Judges a peer that has not begun TLS.
    pub fn admit_plain(&self, peer: IpAddr) -> Admission {
        if self.has_lan(peer) {
            return Admission::Admitted;
        }
        match self.certificate() {
            ClientCertificate::Requested => Admission::NeedsTls,
            ClientCertificate::None => Admission::Refused,
        }
    }

    /// Judges a peer after the handshake, by its certificates, leaf first. Microsoft's is looked
    /// for first, as the kind with the strictest check: an address in a `lan`, perhaps a load
    /// balancer's, must not spare it the tenant check.
    pub fn admit_tls(
        &self,
        peer: IpAddr,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Admission {
        if let Some(tenant) = self.tenant(chain, now) {
            return Admission::Tenant(tenant.clone());
        }
        match self.has_own_certificate(chain, now) || self.has_lan(peer) {
            true => Admission::Admitted,
            false => Admission::Refused,
        }
    }

    fn has_lan(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|client| match client {
            Client::Lan { networks } => networks.iter().any(|network| network.contains(&peer)),
            Client::OwnCertificate { .. } | Client::ExchangeOnline { .. } => false,
        })
    }

    fn has_own_certificate(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> bool {
        self.0.iter().any(|client| match client {
            Client::OwnCertificate { roots, names } => certified(roots, names, chain, now),
            Client::Lan { .. } | Client::ExchangeOnline { .. } => false,
        })
    }

    fn tenant(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Option<&Tenant> {
        self.0.iter().find_map(|client| match client {
            Client::ExchangeOnline { roots, names, tenant } => {
                certified(roots, names, chain, now).then_some(tenant)
            }
            Client::Lan { .. } | Client::OwnCertificate { .. } => None,
        })
    }
}

fn needs_certificate(client: &Client) -> bool {
    matches!(client, Client::OwnCertificate { .. } | Client::ExchangeOnline { .. })
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

fn certified(roots: &Roots, rules: &[String], chain: &[CertificateDer<'_>], now: UnixTime) -> bool {
    let names = roots.names_of(chain, now);
    names.iter().any(|name| rules.iter().any(|rule| name_fits(rule, name)))
}

/// `*.` stands for one label or more, a wildcard certificate's asterisk included.
fn name_fits(rule: &str, name: &str) -> bool {
    let rule = rule.to_ascii_lowercase();
    match rule.strip_prefix('*') {
        Some(suffix) => suffix.len() > 1 && name.len() > suffix.len() && name.ends_with(suffix),
        None => rule == name,
    }
}
