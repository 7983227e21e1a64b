//! From a host name to addresses.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

/// How many lookups of the system's resolver run at once. One that hangs holds a thread of the runtime's blocking pool
/// until the C library gives up, long after our own deadline; the bound keeps threads for the store.
pub const MAX_SYSTEM_LOOKUPS: usize = 64;

/// How many addresses of one answer are looked at. An ingest has two to eight; an answer can hold hundreds.
pub const MAX_ADDRESSES: usize = 16;

/// Turns a name into addresses. Passed in, so that tests can script the answers.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of `host`, best first. Asked anew for every attempt; what is returned beyond
    /// [`MAX_ADDRESSES`] is not looked at.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver (hosts file, DNS, in the order that the system is configured for).
#[derive(Debug, Clone)]
pub struct SystemResolver {
    lookups: Arc<Semaphore>,
}

impl SystemResolver {
    /// A resolver with its own bound of [`MAX_SYSTEM_LOOKUPS`].
    pub fn new() -> Self {
        Self {
            lookups: Arc::new(Semaphore::new(MAX_SYSTEM_LOOKUPS)),
        }
    }
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let permit = Arc::clone(&self.lookups)
                .acquire_owned()
                .await
                .map_err(io::Error::other)?;
            let host = host.to_owned();
            tokio::task::spawn_blocking(move || {
                // Held by the thread, not by the caller, who may have gone away.
                let _permit = permit;
                let mut addresses = Vec::new();
                for address in (host.as_str(), 0).to_socket_addrs()?.take(MAX_ADDRESSES) {
                    if !addresses.contains(&address.ip()) {
                        addresses.push(address.ip());
                    }
                }
                Ok(addresses)
            })
            .await
            .map_err(io::Error::other)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_knows_localhost() {
        let addresses = SystemResolver::new().resolve("localhost").await.unwrap();
        assert!(
            addresses.iter().all(|address| address.is_loopback()),
            "{addresses:?}"
        );
        assert!(!addresses.is_empty());
    }

    #[tokio::test]
    async fn a_text_that_is_no_name_is_an_error() {
        assert!(SystemResolver::new().resolve("no name").await.is_err());
        assert!(SystemResolver::new().resolve("nul\0").await.is_err());
    }
}
