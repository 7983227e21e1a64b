//! A preflight where no gateway runs: from the process that was asked for it.

use super::AppError;
use super::reach::reach;
use crate::config::Config;
use crate::control::{Live, PreflightReport, Running};
use crate::egress::Board;
use crate::net::own::OwnListeners;
use crate::relay::Hub;
use crate::relay::ring::RingLimits;
use crate::rule::{RuleSet, TargetUrl};
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
    let (_, rules) = watch::channel(RuleSet::default());
    let nothing = Live {
        hub: Hub::new(RingLimits::default()),
        board: Arc::new(Board::default()),
        rules,
        reach: reach(config, &Arc::new(OwnListeners::new()))?,
        chunk_size: config.egress.chunk_size,
    };
    Ok(nothing.preflight(url, publish).await)
}
