//! Next hops of the settings become the relay's lanes.

use std::path::Path;

use anyhow::Context;

use crate::app::config::Settings;
use crate::app::config::TlsUse;
use crate::app::config::meaning::Hop;
use crate::app::config::meaning::ServerCertificate;
use crate::app::config::meaning::Timeouts as Times;
use crate::smtp::client::ClientCertificate;
use crate::smtp::client::SmtpHost;
use crate::smtp::client::Timeouts;
use crate::smtp::client::TlsMode;
use crate::smtp::client::TlsPolicy;
use crate::smtp::relay;
use crate::smtp::relay::LaneSettings;
use crate::smtp::relay::Routing;
use crate::smtp::relay::Schedule;

/// One lane a next hop; the default takes every domain without its own.
pub(super) fn routing(settings: &Settings) -> anyhow::Result<Routing<SmtpHost>> {
    let mut routing = Routing::new(lane(settings, &settings.default_hop)?);
    for (pattern, hop) in &settings.domain_hops {
        let pattern = pattern.to_string();
        routing = routing.with([pattern.as_str()], lane(settings, hop)?);
    }
    Ok(routing)
}

/// Retries and the end of them.
pub(super) fn schedule(settings: &Settings) -> relay::Settings {
    let delays = settings.relay.retry.clone();
    let schedule = Schedule { delays, max_age: settings.relay.max_age };
    relay::Settings { schedule, ..relay::Settings::default() }
}

fn lane(settings: &Settings, hop: &Hop) -> anyhow::Result<LaneSettings<SmtpHost>> {
    let name = format!("{}:{}", hop.host, hop.port);
    let host = SmtpHost {
        host: hop.host.clone(),
        port: hop.port,
        hello: settings.hostname.clone(),
        tls: tls(hop).with_context(|| format!("TLS to the next hop {name}"))?,
        timeouts: timeouts(&settings.relay.timeouts),
    };
    Ok(LaneSettings { concurrency: hop.connections, ..LaneSettings::new(&name, host) })
}

fn tls(hop: &Hop) -> anyhow::Result<TlsPolicy> {
    let mode = match hop.tls.tls_use {
        TlsUse::Off => TlsMode::Off,
        TlsUse::Opportunistic => TlsMode::Opportunistic,
        TlsUse::Required => TlsMode::Required,
    };
    let roots = hop.tls.ca.as_deref().map(read).transpose()?;
    let identity = hop.tls.client_certificate.as_ref().map(identity).transpose()?;
    Ok(TlsPolicy::new(mode, &hop.host, roots.as_deref(), identity)?)
}

fn identity(files: &ServerCertificate) -> anyhow::Result<ClientCertificate> {
    Ok(ClientCertificate::from_pem(&read(&files.certificate)?, &read(&files.key)?)?)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn timeouts(times: &Times) -> Timeouts {
    Timeouts {
        connect: times.connect,
        greeting: times.greeting,
        ehlo: times.command,
        tls: times.connect,
        mail: times.command,
        rcpt: times.command,
        data: times.data,
        body: times.transfer,
        end_of_data: times.end_of_data,
        ..Timeouts::default()
    }
}
