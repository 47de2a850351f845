//! Which recipient goes to which next hop.

use std::time::Duration;

use crate::mail::Address;

/// One next hop and the limits of its lane.
#[derive(Debug, Clone)]
pub struct LaneSettings<H> {
    /// What logs call it.
    pub name: String,
    /// The host.
    pub hop: H,
    /// Transactions at once, and so connections at once.
    pub concurrency: usize,
    /// Octets of fresh messages kept in memory while they wait; beyond it the store keeps them.
    pub memory: usize,
    /// Transactions that may wait; beyond it the store keeps them.
    pub waiting: usize,
    /// How long a connection is kept for the next message. Short, since hosts hang up first and
    /// then every first message would meet a dead connection.
    pub idle: Duration,
    /// Messages on one connection before it is replaced, so that a balancer behind the name can
    /// spread them.
    pub per_connection: u32,
}

impl<H> LaneSettings<H> {
    /// A lane with the usual limits.
    pub fn new(name: &str, hop: H) -> Self {
        Self {
            name: name.to_owned(),
            hop,
            concurrency: 8,
            memory: 32 * 1024 * 1024,
            waiting: 1000,
            idle: Duration::from_secs(5),
            per_connection: 100,
        }
    }
}

/// The next hops and the domains that go to them.
#[derive(Debug, Clone)]
pub struct Routing<H> {
    /// The first is the default.
    pub(super) lanes: Vec<LaneSettings<H>>,
    table: Table,
}

/// Patterns and the lanes they lead to.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(Vec<(String, usize)>);

impl<H> Routing<H> {
    /// Everything goes to one host.
    pub fn new(default: LaneSettings<H>) -> Self {
        Self { lanes: vec![default], table: Table::default() }
    }

    /// These domains go to another. A pattern is a domain, or `*.` and a domain for all below it
    /// but not itself.
    #[must_use]
    pub fn with<'p>(
        mut self,
        patterns: impl IntoIterator<Item = &'p str>,
        lane: LaneSettings<H>,
    ) -> Self {
        let index = self.lanes.len();
        self.lanes.push(lane);
        self.table.0.extend(patterns.into_iter().map(|p| (p.to_lowercase(), index)));
        self
    }

    pub(super) fn split(self) -> (Vec<LaneSettings<H>>, Table) {
        (self.lanes, self.table)
    }
}

impl Table {
    /// The lane of an address: the longest pattern that fits decides, else the default.
    pub(super) fn lane_of(&self, address: &Address) -> usize {
        let domain = address.domain();
        let fitting = self.0.iter().filter(|(pattern, _lane)| fits(pattern, domain));
        fitting.max_by_key(|(pattern, _lane)| pattern.len()).map_or(0, |(_pattern, lane)| *lane)
    }
}

fn fits(pattern: &str, domain: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => domain.len() > suffix.len() && domain.ends_with(suffix),
        None => pattern == domain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pattern_decides() {
        let lane = |name| LaneSettings::new(name, ());
        let routing = Routing::new(lane("default"))
            .with(["*.example"], lane("wide"))
            .with(["council.example", "*.Council.example"], lane("council"));
        let lane_of =
            |domain: &str| routing.table.lane_of(&Address::parse(&format!("a@{domain}")).unwrap());
        for (domain, lane) in [
            ("mail.test", 0),
            ("shop.example", 1),
            ("notcouncil.example", 1),
            ("council.example", 2),
            ("edu.COUNCIL.example", 2),
            ("[192.0.2.7]", 0),
        ] {
            assert_eq!(lane_of(domain), lane, "{domain}");
        }
    }
}
