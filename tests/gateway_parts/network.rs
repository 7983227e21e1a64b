//! A network that is played: public addresses lead to hosts on loopback, and every call is noted.

use aqueduct::net::dial::Connector;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;

#[derive(Default)]
pub struct Network {
    hosts: HashMap<SocketAddr, SocketAddr>,
    called: Mutex<Vec<SocketAddr>>,
}

impl Network {
    /// Hosts at these addresses, each on the port that it really has. Nobody else answers.
    pub fn of(hosts: &[(&str, SocketAddr)]) -> Arc<Self> {
        let at = |&(address, host): &(&str, SocketAddr)| {
            let address: IpAddr = address.parse().unwrap();
            (SocketAddr::new(address, host.port()), host)
        };
        Arc::new(Self {
            hosts: hosts.iter().map(at).collect(),
            called: Mutex::default(),
        })
    }

    /// The addresses that were connected to since the last time, without their ports.
    pub fn called(&self) -> Vec<String> {
        let called = std::mem::take(&mut *self.called.lock().unwrap());
        called
            .iter()
            .map(|address| address.ip().to_string())
            .collect()
    }
}

impl Connector for Network {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        self.called.lock().unwrap().push(address);
        let host = self.hosts.get(&address).copied();
        Box::pin(async move {
            let host = host.ok_or(io::ErrorKind::ConnectionRefused)?;
            TcpStream::connect(host).await
        })
    }
}
