//! Whether an address leads back into this gateway.
//!
//! A rule of `*` with a target on one of our own listeners publishes what it relays: one stream becomes two, then
//! four. Such a target is refused whatever the address policy says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{PoisonError, RwLock};

/// The addresses that our own listeners are bound to. Shared: filled once they are bound, read at every attempt.
///
/// An address that only a translator in front of this machine knows (a public address of a router) is beyond what can
/// be seen here.
#[derive(Debug, Default)]
pub struct OwnListeners {
    bound: RwLock<Vec<SocketAddr>>,
}

impl OwnListeners {
    /// No listeners yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a listener by the address that it is really bound to (the port that the kernel chose, not 0).
    pub fn add(&self, bound: SocketAddr) {
        let mut listeners = self.bound.write().unwrap_or_else(PoisonError::into_inner);
        if !listeners.contains(&bound) {
            listeners.push(bound);
        }
    }

    /// Replaces all listeners at once, after a reload.
    pub fn replace(&self, bound: Vec<SocketAddr>) {
        *self.bound.write().unwrap_or_else(PoisonError::into_inner) = bound;
    }

    /// Whether a connection to `target` would arrive at one of the listeners.
    pub fn contains(&self, target: SocketAddr) -> bool {
        let ip = target.ip().to_canonical();
        let listeners = self.bound.read().unwrap_or_else(PoisonError::into_inner);
        listeners
            .iter()
            .filter(|listener| listener.port() == target.port())
            .any(|listener| {
                let bound = listener.ip().to_canonical();
                // Connecting to the unspecified address reaches loopback.
                bound == ip
                    || (ip.is_unspecified() && (bound.is_loopback() || bound.is_unspecified()))
                    || (bound.is_unspecified() && is_of_this_machine(target))
            })
    }
}

/// Whether this machine itself answers to the address.
fn is_of_this_machine(target: SocketAddr) -> bool {
    let ip = target.ip().to_canonical();
    if ip.is_loopback() || ip.is_unspecified() {
        return true;
    }
    // Only a local address can be bound. The socket sends nothing.
    let mut any_port = SocketAddr::new(ip, 0);
    if let (SocketAddr::V6(any), SocketAddr::V6(given)) = (&mut any_port, target) {
        any.set_scope_id(given.scope_id());
    }
    if UdpSocket::bind(any_port).is_err() {
        return false;
    }
    // Where the kernel binds foreign addresses too (ip_nonlocal_bind), routing tells: to itself a machine speaks from
    // the very address that it calls.
    !binds_foreign_addresses(ip) || speaks_to_itself(any_port)
}

fn binds_foreign_addresses(family_of: IpAddr) -> bool {
    let foreign: IpAddr = match family_of {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 1).into(),
    };
    UdpSocket::bind((foreign, 0)).is_ok()
}

fn speaks_to_itself(target: SocketAddr) -> bool {
    let from: SocketAddr = match target {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // Connecting a datagram socket only looks the route up; the port is of no account.
    let mut there = target;
    there.set_port(9);
    UdpSocket::bind(from)
        .and_then(|socket| {
            socket.connect(there)?;
            socket.local_addr()
        })
        .is_ok_and(|local| local.ip() == target.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(listeners: &[&str]) -> OwnListeners {
        let own = OwnListeners::new();
        for listener in listeners {
            own.add(listener.parse().unwrap());
        }
        own
    }

    #[test]
    fn a_listener_is_found_by_address_and_port() {
        // (listeners, target, is ours)
        let table: &[(&[&str], &str, bool)] = &[
            (&[], "127.0.0.1:1935", false),
            (&["127.0.0.1:1935"], "127.0.0.1:1935", true),
            (&["127.0.0.1:1935"], "127.0.0.1:1936", false),
            (&["127.0.0.1:1935"], "127.0.0.2:1935", false),
            (&["127.0.0.1:1935"], "[::ffff:127.0.0.1]:1935", true),
            (&["127.0.0.1:1935"], "0.0.0.0:1935", true),
            (&["127.0.0.1:1935"], "8.8.8.8:1935", false),
            (&["[::1]:1935"], "[::1]:1935", true),
            (&["0.0.0.0:1935"], "127.0.0.1:1935", true),
            (&["0.0.0.0:1935"], "127.9.9.9:1935", true),
            (&["0.0.0.0:1935"], "192.0.2.77:1935", false),
            (&["0.0.0.0:1935"], "127.0.0.1:1936", false),
            (&["[::]:1935"], "127.0.0.1:1935", true),
            (&["[::]:1935"], "[::1]:1935", true),
            (&["[::]:1935"], "[2001:db8::77]:1935", false),
            (&["127.0.0.1:1935", "0.0.0.0:443"], "127.0.0.1:443", true),
        ];
        for (listeners, target, expected) in table {
            assert_eq!(
                own(listeners).contains(target.parse().unwrap()),
                *expected,
                "{listeners:?} {target}"
            );
        }
    }

    #[test]
    fn an_address_of_an_interface_is_of_this_machine() {
        // The address that this machine would speak from to the outside; a machine without a route has none.
        let outside = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            socket.connect("192.0.2.1:9")?;
            socket.local_addr()
        });
        let Ok(local) = outside else { return };
        assert!(own(&["0.0.0.0:1935"]).contains(SocketAddr::new(local.ip(), 1935)));
        assert!(own(&["[::]:1935"]).contains(SocketAddr::new(local.ip(), 1935)));
    }

    #[test]
    fn a_reload_forgets_what_is_closed() {
        let own = own(&["127.0.0.1:1935"]);
        own.replace(vec!["127.0.0.1:2935".parse().unwrap()]);
        assert!(!own.contains("127.0.0.1:1935".parse().unwrap()));
        assert!(own.contains("127.0.0.1:2935".parse().unwrap()));
    }
}
