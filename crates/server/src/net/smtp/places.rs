//! How many connections there are, in all and of each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places of one listener.
#[derive(Debug)]
pub(super) struct Places {
    taken: Mutex<Taken>,
    most: usize,
    per_address: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// One place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    source: IpAddr,
}

impl Places {
    pub(super) fn new(most: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), most, per_address })
    }

    /// A place for `peer`, when there is one.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let source = source(peer);
        let mut taken = self.taken();
        let of = taken.of.get(&source).copied().unwrap_or_default();
        if taken.all >= self.most || of >= self.per_address {
            return None;
        }
        taken.all += 1;
        taken.of.insert(source, of + 1);
        Some(Place { places: Arc::clone(self), source })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(of) = taken.of.get_mut(&self.source) {
            *of -= 1;
            if *of == 0 {
                taken.of.remove(&self.source);
            }
        }
    }
}

/// A whole /64 of IPv6 is one machine's.
fn source(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_in_all_and_for_each_address_and_given_back() {
        let places = Places::new(3, 2);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = places.take(ip("192.0.2.1")).unwrap();
        let second = places.take(ip("::ffff:192.0.2.1")).unwrap();
        assert!(places.take(ip("192.0.2.1")).is_none(), "two for each");
        let third = places.take(ip("2001:db8::1")).unwrap();
        assert!(places.take(ip("192.0.2.9")).is_none(), "three in all");
        drop(first);
        let fourth = places.take(ip("2001:db8::2")).unwrap();
        assert!(places.take(ip("2001:db8::3")).is_none(), "the same /64");
        drop((second, third, fourth));
        assert!(places.taken().of.is_empty() && places.taken().all == 0);
    }
}
