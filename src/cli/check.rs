//! `aqueduct check`: is this configuration good, and what does it come to?

use super::Failure;
use super::args::CheckArgs;
use super::output::{print, print_json};
use crate::config::{Config, environment};

pub(super) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let config = Config::load(args.config.as_deref(), environment())?;
    if args.json {
        let value = serde_json::to_value(&config);
        return print_json(&value.map_err(|error| Failure::Failed(error.to_string()))?);
    }
    print(&config.masked_toml())
}
