//! The ports that the gateway listens on.

use super::AppError;
use crate::config::{Config, TlsListenerConfig};
use crate::net::listener::bind;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Where the gateway listens, with the ports that it really has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) rtmp: SocketAddr,
    pub(super) rtmps: Option<SocketAddr>,
    pub(super) http: SocketAddr,
    pub(super) https: Option<SocketAddr>,
}

impl Addresses {
    /// Where a stream that is sent there comes back to the gateway itself.
    pub(super) fn of_publishers(&self) -> Vec<SocketAddr> {
        [Some(self.rtmp), self.rtmps]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// A bound port, and its certificate where it speaks TLS; a reload may put another one in.
pub(super) type Bound = (TcpListener, Option<Arc<ArcSwap<ServerConfig>>>);

/// Bound ports, before anything is served on them.
pub(super) struct Ports {
    rtmp: TcpListener,
    rtmps: Option<TcpListener>,
    http: TcpListener,
    https: Option<TcpListener>,
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

    /// The ports of publishers, and those of the doors.
    pub(super) fn listeners(
        self,
        rtmps_tls: &Option<Arc<ArcSwap<ServerConfig>>>,
        https_tls: &Option<Arc<ArcSwap<ServerConfig>>>,
    ) -> [Vec<Bound>; 2] {
        let pair = |plain, secure: Option<TcpListener>, tls: &Option<_>| {
            let secure = secure.map(|listener| (listener, tls.clone()));
            [Some((plain, None)), secure]
                .into_iter()
                .flatten()
                .collect()
        };
        [
            pair(self.rtmp, self.rtmps, rtmps_tls),
            pair(self.http, self.https, https_tls),
        ]
    }
}
