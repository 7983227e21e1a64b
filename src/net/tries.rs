//! How often an address may show a wrong credential.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::permits::customer;
use super::rate::ADDRESSES_MAX;

/// The time in which so many failures are allowed. An address that has used them up gets one back in its part of it.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Remembers who has shown wrong credentials. IPv6 counts by /64.
#[derive(Debug)]
pub struct FailedTries(Mutex<Table>);

#[derive(Debug)]
struct Table {
    /// Failures that an address may have within [`WINDOW`]; 0 for any number.
    per_minute: u32,
    /// When each address will have all of them again.
    until: HashMap<IpAddr, Instant>,
}

impl FailedTries {
    /// So many failures a minute for each address; 0 for any number.
    pub fn new(per_minute: u32) -> Self {
        Self(Mutex::new(Table {
            per_minute,
            until: HashMap::new(),
        }))
    }

    /// Another number from here on; what an address has done stays known.
    pub fn limit(&self, per_minute: u32) {
        self.lock().per_minute = per_minute;
    }

    /// How long an address has to wait before it may show a credential again; none where it need not.
    pub fn wait(&self, address: IpAddr) -> Option<Duration> {
        let table = self.lock();
        let left = (table.until.get(&customer(address)))?.checked_duration_since(Instant::now())?;
        let wait = left.checked_sub(WINDOW.checked_sub(table.interval()?)?)?;
        (!wait.is_zero()).then_some(wait)
    }

    /// Counts a wrong credential.
    pub fn failed(&self, address: IpAddr) {
        let mut table = self.lock();
        let Some(interval) = table.interval() else {
            return;
        };
        let now = Instant::now();
        if table.until.len() >= ADDRESSES_MAX {
            table.until.retain(|_, until| *until > now);
        }
        let address = customer(address);
        if table.until.len() >= ADDRESSES_MAX && !table.until.contains_key(&address) {
            // Whoever has so many addresses gains nothing by one more.
            return;
        }
        let until = table.until.entry(address).or_insert(now);
        *until = (*until).max(now).min(now + WINDOW) + interval;
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The time after which one failure is forgotten.
    fn interval(&self) -> Option<Duration> {
        WINDOW.checked_div(self.per_minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_so_many_failures_a_minute_and_gets_them_back_one_by_one() {
        let tries = FailedTries::new(6);
        for _ in 0..6 {
            assert_eq!(tries.wait(address(1)), None);
            tries.failed(address(1));
        }
        assert_eq!(tries.wait(address(1)), Some(Duration::from_secs(10)));
        assert_eq!(tries.wait(address(2)), None);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(tries.wait(address(1)), None);
        tries.failed(address(1));
        assert!(tries.wait(address(1)).is_some());
        tokio::time::advance(WINDOW).await;
        for _ in 0..6 {
            assert_eq!(tries.wait(address(1)), None);
            tries.failed(address(1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_failures_at_once_cost_no_more_than_the_window() {
        let tries = FailedTries::new(6);
        (0..1000).for_each(|_| tries.failed(address(1)));
        assert!(tries.wait(address(1)).unwrap() <= Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_counted_where_any_number_is_allowed() {
        let tries = FailedTries::new(0);
        (0..1000).for_each(|_| tries.failed(address(1)));
        assert_eq!(tries.wait(address(1)), None);
        tries.limit(1);
        tries.failed(address(1));
        assert!(tries.wait(address(1)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded_and_forgets() {
        let tries = FailedTries::new(6);
        (0..2 * ADDRESSES_MAX as u32).for_each(|number| tries.failed(address(number)));
        assert_eq!(tries.lock().until.len(), ADDRESSES_MAX);
        tokio::time::advance(2 * WINDOW).await;
        tries.failed(address(1));
        assert_eq!(tries.lock().until.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_ipv6_customer_is_one_address() {
        let tries = FailedTries::new(1);
        tries.failed("2606:4700::1".parse().unwrap());
        assert!(tries.wait("2606:4700::2".parse().unwrap()).is_some());
        assert!(tries.wait("2606:4700:0:1::1".parse().unwrap()).is_none());
    }
}
