//! How many connections one address may have, and how fast it may begin them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use crate::net::rate::AddressRate;

/// Connections from one address, pending and live, where the configuration says nothing else. More than the encoders of a
/// large site behind one address, or a load generator of a thousand connections; less than a flood.
pub const CONNECTIONS_PER_ADDRESS: u32 = 2000;

/// Connections that one address may begin within a second, where the configuration says nothing else, and ten times as many
/// at once. That many TLS handshakes take a fifth of a core.
pub const CONNECTIONS_PER_SECOND_PER_ADDRESS: u32 = 200;

/// What one address may have. IPv6 counts by /64, which is what one customer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressLimits {
    /// Connections at one time; 0 does not count them, nor an address's share of the strangers' room.
    pub connections: u32,
    /// New connections within a second, with ten times as many at once; 0 does not count them.
    pub per_second: u32,
    /// Whether loopback counts like any other address. Everything behind a local proxy comes from there, so it does not,
    /// except in tests.
    pub loopback: bool,
}

impl Default for AddressLimits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_PER_ADDRESS,
            per_second: CONNECTIONS_PER_SECOND_PER_ADDRESS,
            loopback: false,
        }
    }
}

/// Why an address gets no further connection now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefused {
    /// It has as many as one address may have.
    #[error("the address has {limit} connections already")]
    Full {
        /// How many one address may have.
        limit: u32,
    },
    /// It has more of the strangers' room than is left for all others.
    #[error(
        "the address has {pending} connections that have not shown yet what they want, more than there is room left for"
    )]
    Crowds {
        /// How many it has.
        pending: usize,
    },
    /// It begins them too fast.
    #[error("the address begins more than {per_second} connections a second")]
    Hurries {
        /// How many one address may begin within a second.
        per_second: u32,
    },
}

/// The connections that addresses have.
#[derive(Debug)]
pub(super) struct Addresses {
    limits: ArcSwap<InForce>,
    /// Only addresses with a connection are in it, so it is bounded by the connections.
    held: Mutex<HashMap<IpAddr, Held>>,
}

/// Limits, and what counts by them.
#[derive(Debug)]
struct InForce {
    limits: AddressLimits,
    rate: Option<AddressRate>,
}

/// The connections of one address.
#[derive(Debug, Default)]
struct Held {
    all: usize,
    pending: usize,
}

impl InForce {
    fn new(limits: AddressLimits) -> Self {
        Self {
            limits,
            rate: NonZeroU32::new(limits.per_second).map(AddressRate::new),
        }
    }
}

impl Addresses {
    pub(super) fn new(limits: AddressLimits) -> Self {
        Self {
            limits: ArcSwap::from_pointee(InForce::new(limits)),
            held: Mutex::default(),
        }
    }

    /// Puts other limits in force; the same ones again are no amnesty.
    pub(super) fn limit(&self, limits: AddressLimits) {
        if self.limits.load().limits != limits {
            self.limits.store(Arc::new(InForce::new(limits)));
        }
    }

    /// Counts one more connection of `address`, where so many places of the strangers' room are `free`.
    pub(super) fn take(
        self: &Arc<Self>,
        address: IpAddr,
        free: usize,
    ) -> Result<Option<AddressPlace>, AddressRefused> {
        let in_force = self.limits.load();
        let limits = in_force.limits;
        let address = address.to_canonical();
        if address.is_loopback() && !limits.loopback {
            return Ok(None);
        }
        let customer = customer(address);
        if let Some(rate) = &in_force.rate
            && !rate.allows(customer)
        {
            return Err(AddressRefused::Hurries {
                per_second: limits.per_second,
            });
        }
        if limits.connections == 0 {
            return Ok(None);
        }
        let mut held = self.lock();
        if let Some(held) = held.get(&customer) {
            if held.all >= limits.connections as usize {
                let limit = limits.connections;
                return Err(AddressRefused::Full { limit });
            }
            if held.pending > free {
                let pending = held.pending;
                return Err(AddressRefused::Crowds { pending });
            }
        }
        let count = held.entry(customer).or_default();
        count.all += 1;
        count.pending += 1;
        Ok(Some(AddressPlace {
            addresses: Arc::clone(self),
            customer,
            pending: true,
        }))
    }

    #[cfg(test)]
    pub(super) fn are_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among those of its address.
#[derive(Debug)]
pub(super) struct AddressPlace {
    addresses: Arc<Addresses>,
    customer: IpAddr,
    pending: bool,
}

impl AddressPlace {
    pub(super) fn settle(&mut self) {
        if std::mem::take(&mut self.pending)
            && let Some(held) = self.addresses.lock().get_mut(&self.customer)
        {
            held.pending = held.pending.saturating_sub(1);
        }
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        self.settle();
        let mut held = self.addresses.lock();
        if let Some(count) = held.get_mut(&self.customer) {
            count.all = count.all.saturating_sub(1);
            if count.all == 0 {
                held.remove(&self.customer);
            }
        }
    }
}

/// An IPv4 address, or the /64 of an IPv6 one.
pub(in crate::net) fn customer(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}
