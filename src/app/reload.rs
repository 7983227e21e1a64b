//! SIGHUP: the configuration is read again; what did not change goes on undisturbed.

use super::Serve;
use super::build::Gateway;
use super::settings::{
    address_limits, admission, callback_targets, door_settings, feed_terms, fixed_rules,
    input_settings, rejects_duplicates, server_tls, terms, wanted_webhooks,
};
use crate::config::{Config, environment};
use crate::telemetry::events::ConfigReloaded;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tracing::warn;

/// Reads the configuration again and puts it in force, as a whole or not at all.
pub(super) async fn reload(gateway: &Gateway, serve: &mut Serve) {
    let refused = match read(serve) {
        Ok(config) => apply(gateway, serve, config).await.err(),
        Err(why) => Some(why),
    };
    ConfigReloaded {
        refused: refused.as_ref().map(|why| why as &dyn Display),
    }
    .emit(&gateway.metrics);
}

fn read(serve: &Serve) -> Result<Config, String> {
    let source = &serve.source;
    Config::load_with(source.file.as_deref(), environment(), &source.arguments)
        .map_err(|error| error.to_string())
}

async fn apply(gateway: &Gateway, serve: &mut Serve, config: Config) -> Result<(), String> {
    let rtmps = server_tls(config.rtmps.as_ref()).map_err(|error| error.to_string())?;
    let https = server_tls(config.https.as_ref()).map_err(|error| error.to_string())?;
    for (in_force, new) in [(&gateway.rtmps_tls, rtmps), (&gateway.https_tls, https)] {
        if let (Some(in_force), Some(new)) = (in_force, new) {
            in_force.store(new);
        }
    }
    let apps = admission(&config.apps, &gateway.hooks);
    gateway.apps.store(Arc::new(apps));
    gateway.webhooks.replace(wanted_webhooks(&config));
    let reject = rejects_duplicates(&config);
    gateway
        .gate
        .reject_duplicates
        .store(reject, Ordering::Relaxed);
    gateway.permits.limit_addresses(address_limits(&config));
    gateway.gate.hub.set_terms(terms(&config));
    gateway
        .publish_tries
        .limit(config.rtmp.failed_auth_per_minute);
    gateway.door_tries.limit(config.http.failed_auth_per_minute);
    gateway.cdn_auth.store(Arc::new(config.cdn_auth()));
    let token = config
        .http
        .token
        .clone()
        .unwrap_or_else(|| gateway.token.clone());
    gateway
        .settings
        .store(Arc::new(door_settings(&config, &gateway.addresses, token)));
    gateway.project_events.configure(&config);
    let apps: Vec<_> = config.apps.iter().map(|app| app.name.clone()).collect();
    let fixed = fixed_rules(&config, &serve.relay, &gateway.salt);
    gateway.rules.replace_fixed(fixed, apps).await;
    let rules_per_stream = config.http.rules_per_stream as usize;
    gateway.rules.limit_streams(rules_per_stream).await;
    gateway.forbids.set_durable(config.zego.durable_forbids);
    gateway.callbacks.tell(callback_targets(&config));
    gateway.history.keep(config.zego.closed_stream_time());
    gateway.feeder.set_terms(feed_terms(&config));
    let settings = input_settings(&config, gateway.addresses.rtmp);
    let inputs = config.stream_inputs();
    gateway.inputs.replace_fixed(inputs, settings).await;
    for key in needs_restart(&serve.config, &config) {
        warn!(
            key,
            "changed in the configuration; it takes effect at the next start"
        );
    }
    serve.config = config;
    Ok(())
}

/// What is read once, at the start.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let listen =
        |tls: &Option<crate::config::TlsListenerConfig>| tls.as_ref().map(|tls| tls.listen);
    [
        ("rtmp.listen", old.rtmp.listen != new.rtmp.listen),
        ("rtmps.listen", listen(&old.rtmps) != listen(&new.rtmps)),
        ("http.listen", old.http.listen != new.http.listen),
        ("https.listen", listen(&old.https) != listen(&new.https)),
        ("store.path", old.store.path != new.store.path),
        (
            "relay.flush_interval_ms",
            old.relay.flush_interval_ms != new.relay.flush_interval_ms,
        ),
        ("relay.drain_ms", old.relay.drain_ms != new.relay.drain_ms),
        ("egress", old.egress != new.egress),
        ("log", old.log != new.log),
    ]
    .into_iter()
    .filter_map(|(key, changed)| changed.then_some(key))
    .collect()
}
