//! How many connections there may be: in all, before they have shown who they are, and from one address.
//!
//! Whoever has not shown yet that he may stay is in the strangers' room. One address may hold as many of its places as
//! are free: alone it gets half of the room, and however many addresses crowd in, some room is left for the next one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rate::AddressRate;

/// Connections that have not shown yet that they may stay. Each has a few seconds to do so, costs some 20 KB while it is
/// silent, and may make us hold 64 KiB more by sending as much. A thousand encoders that come back at once from behind one
/// address fit into the half that one address gets.
pub const PENDING_CONNECTIONS_MAX: usize = 2048;

/// Connections from one address, pending and live, where the configuration says nothing else. More than the encoders of a
/// large site behind one address, or a load generator of a thousand connections; less than a flood.
pub const CONNECTIONS_PER_ADDRESS: u32 = 2000;

/// Connections that one address may begin within a second, where the configuration says nothing else, and ten times as many
/// at once. That many TLS handshakes take a fifth of a core.
pub const CONNECTIONS_PER_SECOND_PER_ADDRESS: u32 = 200;

/// The bounds of [`Permits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections that have not settled.
    pub pending: usize,
    /// What one address may have of them and in all.
    pub address: AddressLimits,
}

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

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            pending: PENDING_CONNECTIONS_MAX,
            address: AddressLimits::default(),
        }
    }
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

/// Gives out permits. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub struct Permits {
    pending: Arc<Semaphore>,
    addresses: Arc<Addresses>,
}

/// The right of one connection to be here. Dropping it gives its places back.
#[derive(Debug)]
pub struct Permit {
    pending: Option<OwnedSemaphorePermit>,
    address: Option<AddressPlace>,
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

impl Permits {
    /// Permits within `limits`.
    pub fn new(limits: ConnectionLimits) -> Self {
        Self {
            pending: Arc::new(Semaphore::new(limits.pending)),
            addresses: Arc::new(Addresses {
                limits: ArcSwap::from_pointee(InForce::new(limits.address)),
                held: Mutex::default(),
            }),
        }
    }

    /// Puts other limits per address in force. Connections that are there stay; what an address has begun lately is forgotten.
    pub fn limit_addresses(&self, limits: AddressLimits) {
        if self.addresses.limits.load().limits != limits {
            self.addresses.limits.store(Arc::new(InForce::new(limits)));
        }
    }

    /// Waits until there is room for one more that is pending. `None` only if the semaphore were closed, which it never is.
    pub(super) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.pending).acquire_owned().await.ok()
    }

    /// Gives the room to a connection from `address`.
    pub(super) fn admit(
        &self,
        room: Option<OwnedSemaphorePermit>,
        address: IpAddr,
    ) -> Result<Permit, AddressRefused> {
        let free = self.pending.available_permits();
        Ok(Permit {
            pending: room,
            address: self.addresses.take(address, free)?,
        })
    }
}

impl Permit {
    /// The connection has shown that it may stay: it leaves the room of the pending ones and keeps its address's place.
    /// What bounds it from now on is what it uses (a stream, an answer).
    pub fn settle(&mut self) {
        self.pending = None;
        if let Some(place) = &mut self.address {
            place.settle();
        }
    }
}

#[derive(Debug)]
struct Addresses {
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
    /// Counts one more connection of `address`, where so many places of the strangers' room are `free`.
    fn take(
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

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct AddressPlace {
    addresses: Arc<Addresses>,
    customer: IpAddr,
    pending: bool,
}

impl AddressPlace {
    fn settle(&mut self) {
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
pub(super) fn customer(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(pending: usize, connections: u32, per_second: u32) -> Permits {
        Permits::new(ConnectionLimits {
            pending,
            address: AddressLimits {
                connections,
                per_second,
                loopback: false,
            },
        })
    }

    async fn admit(permits: &Permits, address: &str) -> Result<Permit, AddressRefused> {
        permits.admit(permits.room().await, address.parse().unwrap())
    }

    #[tokio::test]
    async fn an_address_has_its_share_and_gets_it_back() {
        let permits = permits(100, 2, 0);
        let first = admit(&permits, "203.0.113.9").await.unwrap();
        let mut second = admit(&permits, "::ffff:203.0.113.9").await.unwrap();
        let full = admit(&permits, "203.0.113.9").await.unwrap_err();
        assert_eq!(full.to_string(), "the address has 2 connections already");
        assert!(admit(&permits, "203.0.113.10").await.is_ok());
        // Settling keeps the address's place.
        second.settle();
        assert!(admit(&permits, "203.0.113.9").await.is_err());
        drop(first);
        assert!(admit(&permits, "203.0.113.9").await.is_ok());
        drop(second);
        assert!(permits.addresses.lock().is_empty());
    }

    #[tokio::test]
    async fn a_network_of_ipv6_counts_as_one_address_and_loopback_as_none() {
        let permits = permits(100, 1, 1);
        let _held = admit(&permits, "2606:4700::1").await.unwrap();
        assert!(admit(&permits, "2606:4700::ffff:1:2:3").await.is_err());
        assert!(admit(&permits, "2606:4700:0:1::1").await.is_ok());
        for _ in 0..50 {
            for here in ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"] {
                assert!(admit(&permits, here).await.is_ok());
            }
        }
    }

    #[tokio::test]
    async fn a_refused_connection_gives_its_room_back() {
        let permits = permits(2, 1, 0);
        let mut held = admit(&permits, "203.0.113.9").await.unwrap();
        for _ in 0..5 {
            assert!(admit(&permits, "203.0.113.9").await.is_err());
        }
        assert_eq!(permits.pending.available_permits(), 1);
        held.settle();
        assert_eq!(permits.pending.available_permits(), 2);
    }

    #[tokio::test]
    async fn one_address_gets_half_of_the_room_and_many_leave_some_free() {
        let permits = permits(64, 1000, 0);
        let mut strangers = Vec::new();
        let crowd = async |address: &str, strangers: &mut Vec<Permit>| -> usize {
            let before = strangers.len();
            loop {
                match admit(&permits, address).await {
                    Ok(permit) => strangers.push(permit),
                    Err(refused) => {
                        let pending = strangers.len() - before;
                        assert_eq!(refused, AddressRefused::Crowds { pending });
                        return pending;
                    }
                }
            }
        };
        assert_eq!(crowd("203.0.113.1", &mut strangers).await, 32);
        assert_eq!(crowd("203.0.113.2", &mut strangers).await, 16);
        assert_eq!(crowd("203.0.113.3", &mut strangers).await, 8);
        for last in 4..=250 {
            let address = format!("203.0.113.{last}");
            if permits.pending.available_permits() > 1 {
                crowd(&address, &mut strangers).await;
            }
            // Whoever comes first is let in for as long as there is any room.
            assert!(admit(&permits, "198.51.100.1").await.is_ok());
        }
        // Who settles is no stranger any more, and makes room for his next one.
        strangers[0].settle();
        assert!(admit(&permits, "203.0.113.1").await.is_err());
        strangers.drain(..).for_each(drop);
        assert!(permits.addresses.lock().is_empty());
        assert_eq!(permits.pending.available_permits(), 64);
    }

    #[tokio::test]
    async fn settled_connections_are_no_strangers() {
        let permits = permits(4, 1000, 0);
        let mut live = Vec::new();
        for _ in 0..500 {
            let mut permit = admit(&permits, "203.0.113.1").await.unwrap();
            permit.settle();
            live.push(permit);
        }
        assert_eq!(permits.pending.available_permits(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_hurries_is_refused_until_it_waits() {
        let permits = permits(10_000, 0, 2);
        for _ in 0..20 {
            assert!(admit(&permits, "2606:4700::1").await.is_ok());
        }
        let refused = admit(&permits, "2606:4700::2").await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the address begins more than 2 connections a second"
        );
        assert!(admit(&permits, "2606:4700:0:1::1").await.is_ok());
        tokio::time::advance(std::time::Duration::from_millis(500)).await;
        assert!(admit(&permits, "2606:4700::1").await.is_ok());
        assert!(admit(&permits, "2606:4700::1").await.is_err());
    }

    #[tokio::test]
    async fn other_limits_hold_from_the_next_connection_on() {
        let permits = permits(100, 2, 0);
        let held = [
            admit(&permits, "203.0.113.9").await.unwrap(),
            admit(&permits, "203.0.113.9").await.unwrap(),
        ];
        let limits = |connections, per_second| AddressLimits {
            connections,
            per_second,
            loopback: false,
        };
        permits.limit_addresses(limits(3, 0));
        let third = admit(&permits, "203.0.113.9").await.unwrap();
        permits.limit_addresses(limits(1, 0));
        assert!(admit(&permits, "203.0.113.9").await.is_err());
        drop((held, third));
        assert!(admit(&permits, "203.0.113.9").await.is_ok());
        permits.limit_addresses(limits(0, 1));
        for _ in 0..10 {
            assert!(admit(&permits, "203.0.113.9").await.is_ok());
        }
        // The same limits again are no amnesty.
        permits.limit_addresses(limits(0, 1));
        assert!(admit(&permits, "203.0.113.9").await.is_err());
        permits.limit_addresses(limits(0, 0));
        assert!(admit(&permits, "203.0.113.9").await.is_ok());
        assert!(permits.addresses.lock().is_empty());
    }
}
