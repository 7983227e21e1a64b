//! How often an address may begin a connection.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// How many seconds' worth may come at once: a site's encoders all come back in the moment in which its line does.
pub const BURST_SECONDS: u32 = 10;

/// Addresses that are remembered, some 60 bytes each. An address is forgotten once it could again begin all that one may at
/// once, so to fill this takes as many live offenders; whoever has so many addresses gains nothing by one more.
pub const ADDRESSES_MAX: usize = 16_384;

/// Counts connections by the second, for each address.
pub(super) struct AddressRate {
    limiter: RateLimiter<
        IpAddr,
        HashMapStateStore<IpAddr>,
        RuntimeClock,
        NoOpMiddleware<<RuntimeClock as Clock>::Instant>,
    >,
}

impl AddressRate {
    /// So many a second, and [`BURST_SECONDS`] times as many at once.
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        let burst = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_SECONDS - 1));
        let quota = Quota::per_second(per_second).allow_burst(burst);
        Self {
            limiter: RateLimiter::hashmap_with_clock(quota, RuntimeClock::start()),
        }
    }

    /// Counts one connection of `address`; false where it may not begin one now.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        if self.limiter.len() >= ADDRESSES_MAX {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
            if self.limiter.len() >= ADDRESSES_MAX {
                return true;
            }
        }
        self.limiter.check_key(&address).is_ok()
    }
}

impl fmt::Debug for AddressRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressRate")
            .field("addresses", &self.limiter.len())
            .finish_non_exhaustive()
    }
}

/// The runtime's clock, which stands still where a test stops it.
#[derive(Clone, Debug)]
struct RuntimeClock(Instant);

impl RuntimeClock {
    fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for RuntimeClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(number: usize) -> IpAddr {
        Ipv4Addr::from_bits(number as u32).into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_has_a_burst_and_is_each_address_s_own() {
        let rate = AddressRate::new(NonZeroU32::new(5).unwrap());
        let burst = (0..200).filter(|_| rate.allows(address(1))).count();
        assert_eq!(burst, 50);
        assert!(rate.allows(address(2)));
        tokio::time::advance(Duration::from_secs(1)).await;
        let after_a_second = (0..200).filter(|_| rate.allows(address(1))).count();
        assert_eq!(after_a_second, 5);
        tokio::time::advance(Duration::from_secs(3600)).await;
        let after_an_hour = (0..200).filter(|_| rate.allows(address(1))).count();
        assert_eq!(after_an_hour, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded_and_forgotten() {
        let rate = AddressRate::new(NonZeroU32::new(1).unwrap());
        // One offender among many who come once.
        while rate.allows(address(0)) {}
        for number in 1..3 * ADDRESSES_MAX {
            assert!(rate.allows(address(number)));
            assert!(rate.limiter.len() <= ADDRESSES_MAX);
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(rate.allows(address(ADDRESSES_MAX)));
        assert!(rate.limiter.len() < 10, "{rate:?}");
        // It earned two in the time, and is still known for what it did before.
        assert!(rate.allows(address(0)) && rate.allows(address(0)));
        assert!(!rate.allows(address(0)));
    }
}
