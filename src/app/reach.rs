//! How the gateway reaches others, and whom it must not reach.

use super::AppError;
use crate::config::Config;
use crate::control::{HostJudge, host_judge};
use crate::egress::attempt::Reach;
use crate::net::dial::Dialer;
use crate::net::own::OwnListeners;
use crate::net::policy::AddressPolicy;
use crate::net::resolve::SystemResolver;
use crate::net::tls;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// How targets are reached. Of `own` is asked at every attempt.
///
/// # Errors
/// The certificates that targets are held against cannot be read.
pub(super) fn reach(config: &Config, own: &Arc<OwnListeners>) -> Result<Reach, AppError> {
    let roots: Vec<_> = config.egress.ca_certificates.iter().cloned().collect();
    let resolver = Arc::new(SystemResolver::new());
    Ok(Reach {
        dialer: Arc::new(Dialer::new(resolver, policy(config), Arc::clone(own))),
        tls: tls::client_config(&roots)?,
        auth: Arc::new(ArcSwap::from_pointee(config.cdn_auth())),
    })
}

/// What a door may not call, as far as the text tells: private addresses, and ourselves.
pub(super) fn judge(config: &Config, own: Arc<OwnListeners>) -> HostJudge {
    host_judge(policy(config), own)
}

fn policy(config: &Config) -> AddressPolicy {
    AddressPolicy {
        allow_private: config.egress.allow_private_addresses,
    }
}
