//! The ports that the gateway listens on.

use super::AppError;
use crate::config::{Config, TlsListenerConfig};
use crate::net::listener::bind;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Where the gateway listens, with the ports that it really has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) rtmp: SocketAddr,
    pub(super) rtmps: Option<SocketAddr>,
    pub(super) http: SocketAddr,
    pub(super) https: Option<SocketAddr>,
}

/// Bound ports, before anything is served on them.
pub(super) struct Ports {
    pub(super) rtmp: TcpListener,
    pub(super) rtmps: Option<TcpListener>,
    pub(super) http: TcpListener,
    pub(super) https: Option<TcpListener>,
}

impl Ports {
    pub(super) fn bind(config: &Config) -> Result<Self, AppError> {
        let tls = |section: &Option<TlsListenerConfig>| {
            let listen = section.as_ref().map(|section| section.listen);
            listen.map(bind).transpose()
        };
        Ok(Self {
            rtmp: bind(config.rtmp.listen)?,
            rtmps: tls(&config.rtmps)?,
            http: bind(config.http.listen)?,
            https: tls(&config.https)?,
        })
    }

    pub(super) fn addresses(&self) -> std::io::Result<Addresses> {
        let of = |listener: &Option<TcpListener>| {
            let listener = listener.as_ref();
            listener.map(TcpListener::local_addr).transpose()
        };
        Ok(Addresses {
            rtmp: self.rtmp.local_addr()?,
            rtmps: of(&self.rtmps)?,
            http: self.http.local_addr()?,
            https: of(&self.https)?,
        })
    }
}
