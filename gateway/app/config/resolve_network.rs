//! From what was typed to what it means: listeners, clients, limits, next hops and retries.

use std::collections::BTreeMap;
use std::collections::HashSet;

use serde_saphyr::Spanned;

use super::delivery;
use super::doors;
use super::resolve::Resolver;
use super::resolve::names;
use super::scalar::DomainName;
use super::scalar::Octets;
use super::scalar::Pattern;
use super::settings;

impl Resolver<'_, '_> {
    pub(super) fn listeners(
        &mut self,
        listeners: Spanned<Vec<doors::Listener>>,
    ) -> Vec<settings::Listener> {
        if listeners.value.is_empty() {
            let what = "there is no listener, so no mail could come in".to_owned();
            self.wrong(listeners.referenced, "listeners", what, "add at least one listener");
        }
        let mut seen = HashSet::new();
        for listener in &listeners.value {
            if !seen.insert(listener.name.value.clone()) {
                let what = format!("two listeners are named `{}`", listener.name.value);
                let remedy = "give each listener its own name";
                self.wrong(listener.name.referenced, "listeners", what, remedy);
            }
        }
        listeners.value.into_iter().map(|listener| self.listener(listener)).collect()
    }

    fn listener(&mut self, listener: doors::Listener) -> settings::Listener {
        let clients = listener.clients;
        if clients.value.is_empty() {
            let what = "nobody may send through this listener".to_owned();
            self.wrong(clients.referenced, "clients", what, "name at least one client");
        }
        let by_certificate = |client: &doors::Client| !matches!(client, doors::Client::Lan(_));
        if listener.tls.is_none() && clients.value.iter().any(by_certificate) {
            let what = "clients that show a certificate need TLS on this listener".to_owned();
            let remedy = "add tls: with certificate and key to the listener";
            self.wrong(clients.referenced, "clients", what, remedy);
        }
        settings::Listener {
            name: listener.name.value,
            address: listener.address,
            line_endings: listener.line_endings,
            tls: listener.tls.map(|tls| self.certificate(tls)),
            clients: clients.value.into_iter().map(|client| self.client(client)).collect(),
        }
    }

    fn client(&mut self, client: doors::Client) -> settings::Client {
        match client {
            doors::Client::Lan(lan) => self.lan(lan),
            doors::Client::OwnCertificate(own) => settings::Client::OwnCertificate {
                ca: self.file(own.ca, "own_certificate.ca"),
                names: self.host_names(own.names, "own_certificate.names"),
            },
            doors::Client::ExchangeOnline(online) => self.exchange_online(online),
        }
    }

    fn lan(&mut self, lan: doors::Lan) -> settings::Client {
        if lan.networks.value.is_empty() {
            let what = "no network is named".to_owned();
            self.wrong(lan.networks.referenced, "lan.networks", what, "write [192.168.4.0/24]");
        }
        for network in lan.networks.value.iter().filter(|network| network.value.prefix_len() == 0) {
            let what = format!("`{}` is the whole internet", network.value);
            let remedy = "name the school's own networks: an open relay is abused within hours";
            self.wrong(network.referenced, "lan.networks", what, remedy);
        }
        let networks = lan.networks.value.into_iter().map(|network| network.value).collect();
        settings::Client::Lan { networks }
    }

    fn exchange_online(&mut self, online: doors::ExchangeOnline) -> settings::Client {
        let tenant_id = match uuid::Uuid::parse_str(online.tenant_id.value.trim()) {
            Ok(id) if !id.is_nil() => id.hyphenated().to_string(),
            _ => {
                let what = format!("`{}` is no tenant id", online.tenant_id.value);
                let remedy = "copy the directory (tenant) id from the Entra admin centre, a UUID";
                self.wrong(online.tenant_id.referenced, "tenant_id", what, remedy);
                String::new()
            }
        };
        settings::Client::ExchangeOnline {
            tenant_id,
            certificate_names: self.host_names(online.certificate_names, "certificate_names"),
            tenant_header: online.tenant_header.0,
            ca: self.file(online.ca, "exchange_online.ca"),
        }
    }

    fn host_names(&mut self, hosts: Spanned<Vec<DomainName>>, field: &str) -> Vec<String> {
        if hosts.value.is_empty() {
            let what =
                "no name is given, so every certificate of the authority would do".to_owned();
            self.wrong(hosts.referenced, field, what, "name the host of the sending server");
        }
        names(hosts.value)
    }

    fn certificate(&mut self, tls: doors::Tls) -> settings::ServerCertificate {
        let certificate = self.file(tls.certificate, "tls.certificate");
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(std::path::PathBuf::from);
        let key = match credentials {
            Some(folder) if tls.key.value.components().count() == 1 => {
                Spanned::new(folder.join(tls.key.value), tls.key.referenced, tls.key.defined)
            }
            _ => tls.key,
        };
        settings::ServerCertificate { certificate, key: self.file(key, "tls.key") }
    }

    pub(super) fn limits(&mut self, limits: doors::Limits) -> settings::Limits {
        if limits.memory.value < limits.message_size.value {
            let what = "one message of the largest size does not fit into the memory".to_owned();
            let remedy = "raise limits.memory above limits.message_size, or lower the size";
            self.wrong(limits.memory.referenced, "limits.memory", what, remedy);
        }
        settings::Limits {
            message_size: octets(limits.message_size.value),
            recipients: limits.recipients,
            errors: limits.errors,
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            command_timeout: limits.command_timeout.0,
            data_timeout: limits.data_timeout.0,
            session_time: limits.session_time.0,
            hops: limits.hops,
            memory: octets(limits.memory.value),
        }
    }

    pub(super) fn domain_hops(
        &mut self,
        domains: Spanned<BTreeMap<String, delivery::Hop>>,
    ) -> Vec<(Pattern, settings::Hop)> {
        let place = domains.referenced;
        let mut hops = Vec::new();
        for (text, hop) in domains.value {
            match text.parse::<Pattern>() {
                Ok(pattern @ (Pattern::Domain(_) | Pattern::Below(_))) => {
                    hops.push((pattern, self.hop(hop)));
                }
                _ => {
                    let what = format!("`{text}` is no domain");
                    let remedy = "write council.example, or *.council.example for those below";
                    self.wrong(place, "next_hops.domains", what, remedy);
                }
            }
        }
        hops.sort_by_key(|(pattern, _)| std::cmp::Reverse(exactness(pattern)));
        hops
    }

    pub(super) fn hop(&mut self, hop: delivery::Hop) -> settings::Hop {
        let is_host = hop.host.value.parse::<std::net::IpAddr>().is_ok()
            || hop.host.value.parse::<DomainName>().is_ok();
        if !is_host {
            let what = format!("`{}` is neither a host name nor an IP address", hop.host.value);
            let remedy = "write the smart host's name, such as school.mail.protection.outlook.com";
            self.wrong(hop.host.referenced, "next_hops.host", what, remedy);
        }
        if hop.connections.value == 0 {
            let what = "with no connection nothing would be delivered".to_owned();
            self.wrong(hop.connections.referenced, "connections", what, "write at least 1");
        }
        settings::Hop {
            host: hop.host.value,
            port: hop.port,
            tls: settings::HopTls {
                tls_use: hop.tls,
                ca: hop.ca.map(|ca| self.file(ca, "next_hops.ca")),
                client_certificate: hop.client_certificate.map(|tls| self.certificate(tls)),
            },
            connections: hop.connections.value,
        }
    }

    pub(super) fn relay(&mut self, relay: delivery::Relay) -> settings::Relay {
        if relay.retry.value.iter().all(|wait| wait.0.is_zero()) {
            let what = "there is no wait between two tries".to_owned();
            self.wrong(relay.retry.referenced, "relay.retry", what, "write [1m, 5m, 30m, 2h]");
        }
        let timeouts = relay.timeouts;
        settings::Relay {
            retry: relay.retry.value.into_iter().map(|wait| wait.0).collect(),
            max_age: relay.max_age.0,
            timeouts: settings::Timeouts {
                connect: timeouts.connect.0,
                greeting: timeouts.greeting.0,
                command: timeouts.command.0,
                data: timeouts.data.0,
                transfer: timeouts.transfer.0,
                end_of_data: timeouts.end_of_data.0,
            },
        }
    }
}

fn octets(octets: Octets) -> usize {
    usize::try_from(octets.0).unwrap_or(usize::MAX)
}

/// Whole domains before wildcards, longer wildcards before shorter ones.
fn exactness(pattern: &Pattern) -> (bool, usize) {
    match pattern {
        Pattern::Mailbox(_) => (true, usize::MAX),
        Pattern::Domain(domain) => (true, domain.len()),
        Pattern::Below(domain) => (false, domain.len()),
    }
}
