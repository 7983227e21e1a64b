//! How many connections there may be: in all, before they have shown who they are, and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that have not shown yet that they may stay. Each has a few seconds to do so and may cost up to 64 KiB meanwhile.
pub const PENDING_CONNECTIONS_MAX: usize = 1024;

/// Connections from one address, pending and live. More than any encoder or studio needs, less than a flood.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 256;

/// The bounds of [`Permits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections that have not settled.
    pub pending: usize,
    /// Connections from one address. IPv6 counts by /64, which is what one customer has; loopback is not counted, because
    /// everything behind a local proxy comes from there.
    pub per_address: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            pending: PENDING_CONNECTIONS_MAX,
            per_address: CONNECTIONS_PER_ADDRESS_MAX,
        }
    }
}

/// Gives out permits. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub struct Permits {
    pending: Arc<Semaphore>,
    addresses: Arc<Addresses>,
}

/// The right of one connection to be here. Dropping it gives its place back.
#[derive(Debug)]
pub struct Permit {
    pending: Option<OwnedSemaphorePermit>,
    _address: Option<AddressPlace>,
}

/// The address has as many connections as one address may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address has {limit} connections already")]
pub struct AddressFull {
    /// How many one address may have.
    pub limit: usize,
}

impl Permits {
    /// Permits within `limits`.
    pub fn new(limits: ConnectionLimits) -> Self {
        Self {
            pending: Arc::new(Semaphore::new(limits.pending)),
            addresses: Arc::new(Addresses {
                limit: limits.per_address,
                held: Mutex::default(),
            }),
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
    ) -> Result<Permit, AddressFull> {
        Ok(Permit {
            pending: room,
            _address: self.addresses.take(address)?,
        })
    }
}

impl Permit {
    /// The connection has shown that it may stay: it leaves the room of the pending ones and keeps its address's place.
    /// What bounds it from now on is what it uses (a stream, an answer).
    pub fn settle(&mut self) {
        self.pending = None;
    }
}

#[derive(Debug)]
struct Addresses {
    limit: usize,
    /// Only addresses with a connection are in it, so it is bounded by the connections.
    held: Mutex<HashMap<IpAddr, usize>>,
}

impl Addresses {
    fn take(self: &Arc<Self>, address: IpAddr) -> Result<Option<AddressPlace>, AddressFull> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return Ok(None);
        }
        let customer = customer(address);
        let mut held = self.lock();
        let count = held.entry(customer).or_default();
        if *count >= self.limit {
            let limit = self.limit;
            return Err(AddressFull { limit });
        }
        *count += 1;
        Ok(Some(AddressPlace {
            addresses: Arc::clone(self),
            customer,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct AddressPlace {
    addresses: Arc<Addresses>,
    customer: IpAddr,
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut held = self.addresses.lock();
        if let Some(count) = held.get_mut(&self.customer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(&self.customer);
            }
        }
    }
}

/// An IPv4 address, or the /64 of an IPv6 one.
fn customer(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn admit(permits: &Permits, address: &str) -> Result<Permit, AddressFull> {
        permits.admit(permits.room().await, address.parse().unwrap())
    }

    #[tokio::test]
    async fn an_address_has_its_share_and_gets_it_back() {
        let permits = Permits::new(ConnectionLimits {
            pending: 100,
            per_address: 2,
        });
        // (address, whether it may have one more after the two before it)
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
        let permits = Permits::new(ConnectionLimits {
            pending: 100,
            per_address: 1,
        });
        let _held = admit(&permits, "2606:4700::1").await.unwrap();
        assert!(admit(&permits, "2606:4700::ffff:1:2:3").await.is_err());
        assert!(admit(&permits, "2606:4700:0:1::1").await.is_ok());
        let _here = [
            admit(&permits, "127.0.0.1").await.unwrap(),
            admit(&permits, "127.0.0.1").await.unwrap(),
            admit(&permits, "::1").await.unwrap(),
        ];
    }

    #[tokio::test]
    async fn a_refused_connection_gives_its_room_back() {
        let permits = Permits::new(ConnectionLimits {
            pending: 2,
            per_address: 1,
        });
        let mut held = admit(&permits, "203.0.113.9").await.unwrap();
        for _ in 0..5 {
            assert!(admit(&permits, "203.0.113.9").await.is_err());
        }
        assert_eq!(permits.pending.available_permits(), 1);
        held.settle();
        assert_eq!(permits.pending.available_permits(), 2);
    }
}
