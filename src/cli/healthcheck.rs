//! `aqueduct healthcheck`: for whoever restarts containers.

use super::Failure;
use super::args::GatewayArgs;
use super::gateway;

pub(super) async fn run(args: &GatewayArgs) -> Result<(), Failure> {
    gateway::readiness(args).await
}
