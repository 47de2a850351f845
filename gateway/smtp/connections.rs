//! The count of connections, in all and from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::limits::Limits;

/// Counts the connections of one listener. Clones share one count.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    most: usize,
    most_per_address: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One counted connection; dropping it counts it out.
#[derive(Debug)]
pub(super) struct Seat {
    connections: Connections,
    address: IpAddr,
}

impl Connections {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            most: limits.connections,
            most_per_address: limits.connections_per_address,
            open: Arc::default(),
        }
    }

    /// A place for a connection from that address, or `None` where there are too many.
    pub(super) fn seat(&self, address: IpAddr) -> Option<Seat> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.by_address.get(&address).copied().unwrap_or(0);
        if open.all >= self.most || here >= self.most_per_address {
            return None;
        }
        open.all += 1;
        open.by_address.insert(address, here + 1);
        Some(Seat { connections: self.clone(), address })
    }

    fn leave(&self, address: IpAddr) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        let here = open.by_address.get(&address).copied().unwrap_or(0);
        match here {
            0 | 1 => open.by_address.remove(&address),
            more => open.by_address.insert(address, more - 1),
        };
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.leave(self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_all_and_for_each_address() {
        let limits = Limits { connections: 3, connections_per_address: 2, ..Limits::default() };
        let connections = Connections::new(&limits);
        let [a, b, c]: [IpAddr; 3] =
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|text| text.parse().unwrap());
        let first = connections.seat(a);
        let second = connections.seat(a);
        assert!(first.is_some() && second.is_some());
        assert!(connections.seat(a).is_none(), "one address too often");
        let third = connections.seat(b);
        assert!(third.is_some() && connections.seat(c).is_none(), "too many in all");
        drop(first);
        assert!(connections.seat(c).is_some());
        drop((second, third));
        assert!(connections.open.lock().unwrap().by_address.is_empty());
    }
}
