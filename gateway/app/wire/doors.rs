//! Listeners of the settings become SMTP doors.

use crate::app::config;
use crate::app::config::Settings;
use crate::app::config::meaning::Client as Meant;
use crate::app::config::meaning::Listener;
use crate::smtp::clients::Client;
use crate::smtp::clients::Clients;
use crate::smtp::clients::OwnDomains;
use crate::smtp::clients::Tenant;
use crate::smtp::limits::Limits;
use crate::smtp::limits::Memory;
use crate::smtp::server;
use crate::smtp::server::LineEndings;
use crate::smtp::tls::Roots;
use crate::smtp::tls::Tls;

/// One listener's settings; `memory` is shared by all of them.
pub(super) fn door(
    settings: &Settings,
    listener: &Listener,
    memory: &Memory,
) -> anyhow::Result<server::Settings> {
    let clients = listener.clients.iter().map(client).collect::<anyhow::Result<Vec<_>>>()?;
    let clients = Clients::new(clients);
    let tls = match &listener.tls {
        Some(pair) => Some(Tls::load(&pair.certificate, &pair.key, clients.certificate())?),
        None => None,
    };
    Ok(server::Settings {
        name: listener.name.clone(),
        listen: listener.address,
        hostname: settings.hostname.clone(),
        own_domains: OwnDomains::new(&settings.school.domains),
        clients,
        tls,
        tls_required: false,
        line_endings: match listener.line_endings {
            config::LineEndings::Strict => LineEndings::Strict,
            config::LineEndings::Normalise => LineEndings::Normalise,
        },
        limits: limits(settings),
        memory: memory.clone(),
    })
}

fn limits(settings: &Settings) -> Limits {
    let typed = &settings.limits;
    Limits {
        message_octets: typed.message_size,
        recipients: typed.recipients,
        errors: typed.errors,
        connections: typed.connections,
        connections_per_address: typed.connections_per_address,
        command_time: typed.command_timeout,
        data_time: typed.data_timeout,
        session_time: typed.session_time,
        ..Limits::default()
    }
}

fn client(meant: &Meant) -> anyhow::Result<Client> {
    Ok(match meant {
        Meant::Lan { networks } => Client::Lan { networks: networks.clone() },
        Meant::OwnCertificate { ca, names } => {
            Client::OwnCertificate { roots: Roots::load(ca)?, names: names.clone() }
        }
        Meant::ExchangeOnline { tenant_id, certificate_names, tenant_header, ca } => {
            Client::ExchangeOnline {
                roots: Roots::load(ca)?,
                names: certificate_names.clone(),
                tenant: Tenant { id: tenant_id.clone(), header: tenant_header.clone() },
            }
        }
    })
}
