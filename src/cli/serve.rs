//! `aqueduct serve`: from arguments to a running gateway.

use std::io;

use super::Failure;
use super::args::ServeArgs;
use crate::config::{Arguments, Config, RELAY_URLS_VARIABLE, environment, relay_urls};
use crate::rule::UrlTemplate;

pub(super) fn run(args: ServeArgs) -> Result<(), Failure> {
    let (_config, _relay) = read(&args)?;
    Err(Failure::Failed("this build cannot serve yet".to_owned()))
}

/// The configuration, and the URLs that hold for this run. Nothing is started before both are good.
fn read(args: &ServeArgs) -> Result<(Config, Vec<UrlTemplate>), Failure> {
    let arguments = Arguments {
        rtmp: args.rtmp.clone(),
        http: args.http.clone(),
        data: args.data.clone(),
    };
    let config = Config::load_with(args.config.as_deref(), environment(), &arguments)?;
    let variable = std::env::var(RELAY_URLS_VARIABLE).ok();
    let urls = relay_urls(&args.relay, variable.as_deref(), &mut io::stdin().lock());
    let urls = urls.map_err(|error| Failure::Usage(error.to_string()))?;
    Ok((config, urls))
}
