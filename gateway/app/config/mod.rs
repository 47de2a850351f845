//! The configuration: what was typed ([`File`]) and what it means ([`Settings`]).
//!
//! [`File`] is the YAML as a school writes it, with a doc comment on every key from which
//! `docs/configuration.md` is made. [`Settings`] has the defaults filled in, the paths made
//! absolute and the contradictions found; the rest of the program sees nothing else.

mod delivery;
mod doors;
mod error;
mod file;
mod people;
mod place;
mod reference;
mod resolve;
mod resolve_network;
mod scalar;
mod settings;
#[cfg(test)]
mod tests;

pub use delivery::{Hop, NextHops, Relay, Timeouts, TlsUse};
pub use doors::{Client, ExchangeOnline, Lan, Limits, LineEndings, Listener, OwnCertificate, Tls};
pub use error::{ConfigError, Problem};
pub use file::{
    Bulk, Disclaimer, File, Inspection, Keys, Log, LogFormat, Mode, MonitorHeader, Retention,
    RetentionClass, Roll, Rules, School, Store,
};
pub use people::{Approver, Calendar, Holds, Holiday, Notices, SchoolDay, Weekday};
pub use reference::{markdown, schema};
pub use scalar::{DomainName, Duration, HeaderName, Laestab, Mailbox, Octets, Pattern, ZoneName};
pub use settings::Settings;

/// What the configuration means, type by type.
pub mod meaning {
    pub use super::settings::{
        Bulk, Calendar, Client, ClientCertificate, Disclaimer, Holds, Hop, HopTls, Inspection,
        Limits, Listener, Log, Relay, Retention, School, ServerCertificate, Timeouts,
    };
}
