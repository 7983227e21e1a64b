//! How many connections there may be: in all, before they have shown who they are, and from one address.
//!
//! Whoever has not shown yet that he may stay is in the strangers' room. One address may hold as many of its places as
//! are free: alone it gets half of the room, and however many addresses crowd in, some room is left for the next one.

mod addresses;

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) use addresses::customer;
pub use addresses::{
    AddressLimits, AddressRefused, CONNECTIONS_PER_ADDRESS, CONNECTIONS_PER_SECOND_PER_ADDRESS,
};
use addresses::{AddressPlace, Addresses};

/// Connections that have not shown yet that they may stay. Each has a few seconds to do so, costs some 20 KB while it is
/// silent, and may make us hold 64 KiB more by sending as much. A thousand encoders that come back at once from behind one
/// address fit into the half that one address gets.
pub const PENDING_CONNECTIONS_MAX: usize = 2048;

/// The bounds of [`Permits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections that have not settled.
    pub pending: usize,
    /// What one address may have of them and in all.
    pub address: AddressLimits,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            pending: PENDING_CONNECTIONS_MAX,
            address: AddressLimits::default(),
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

impl Permits {
    /// Permits within `limits`.
    pub fn new(limits: ConnectionLimits) -> Self {
        Self {
            pending: Arc::new(Semaphore::new(limits.pending)),
            addresses: Arc::new(Addresses::new(limits.address)),
        }
    }

    /// Puts other limits per address in force. Connections that are there stay; what an address has begun lately is forgotten.
    pub fn limit_addresses(&self, limits: AddressLimits) {
        self.addresses.limit(limits);
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
        assert!(permits.addresses.are_empty());
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
        assert!(permits.addresses.are_empty());
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
        assert!(permits.addresses.are_empty());
    }
}
