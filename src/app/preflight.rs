//! A preflight where no gateway runs: from the process that was asked for it.

use super::AppError;
use crate::config::Config;
use crate::control::{Live, PreflightReport, Running};
use crate::egress::Board;
use crate::egress::attempt::Reach;
use crate::net::dial::Dialer;
use crate::net::own::OwnListeners;
use crate::net::policy::AddressPolicy;
use crate::net::resolve::SystemResolver;
use crate::net::tls;
use crate::relay::Hub;
use crate::relay::ring::RingLimits;
use crate::rule::{RuleSet, TargetUrl};
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::watch;

/// Tries a target as a gateway with this configuration would. Nothing is pushed by this process, so `publish` goes as far
/// as it says.
///
/// # Errors
/// The certificates that targets are held against cannot be read.
pub async fn preflight(
    config: &Config,
    url: TargetUrl,
    publish: bool,
) -> Result<PreflightReport, AppError> {
    let roots: Vec<_> = config.egress.ca_certificates.iter().cloned().collect();
    let policy = AddressPolicy {
        allow_private: config.egress.allow_private_addresses,
    };
    let own = Arc::new(OwnListeners::new());
    let dialer = Dialer::new(Arc::new(SystemResolver::new()), policy, own);
    let (_, rules) = watch::channel(RuleSet::default());
    let nothing = Live {
        hub: Hub::new(RingLimits::default()),
        board: Arc::new(Board::default()),
        rules,
        reach: Reach {
            dialer: Arc::new(dialer),
            tls: tls::client_config(&roots)?,
            auth: Arc::new(ArcSwap::from_pointee(config.cdn_auth())),
        },
        chunk_size: config.egress.chunk_size,
    };
    Ok(nothing.preflight(url, publish).await)
}
