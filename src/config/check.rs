//! What no type can say: bounds, and keys that belong together.

use std::collections::HashSet;
use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

use super::certificates;
use super::sections::{AppConfig, PublishAuth};
use super::tree::{entry_key, item_key};
use super::{Config, TlsListenerConfig};
use crate::control::{EVENT_TYPES, is_event_type};
use crate::rule::{CHUNK_SIZES, RuleId};
use crate::secret::Secret;

/// Above this a tick is no longer "at once" for anybody.
const FLUSH_INTERVAL_MS_MAX: u64 = 500;

/// Below this the pauses of a healthy network are stalls.
const STALL_MS_MIN: u64 = 500;

/// Above this the connection of an input that stalls is given up anyway.
const STALL_MS_MAX: u64 = 15_000;

/// A publisher that is gone for an hour is gone.
const GRACE_MS_MAX: u64 = 3_600_000;

/// Longer than any supervisor of services waits for a stop.
const DRAIN_MS_MAX: u64 = 600_000;

/// More connections a second than one machine can shake hands for.
const STARTS_PER_SECOND_MAX: u32 = 10_000;

/// More connections than a process may have files open.
const CONNECTIONS_PER_ADDRESS_MAX: u32 = 1_000_000;

/// More new connections a second than one machine can shake hands for.
const CONNECTIONS_PER_SECOND_PER_ADDRESS_MAX: u32 = 10_000;

/// A day. Who shall stay away for longer is forbidden, or loses its key.
const KICK_BAR_MS_MAX: u64 = 86_400_000;

/// Each is an upload of its own, and a line in every list.
const RULES_PER_STREAM_MAX: u64 = 1_000;

/// A year.
const SECONDS_MAX: u64 = 31_536_000;

/// More wrong keys a minute than a limit is good for.
const FAILED_AUTH_PER_MINUTE_MAX: u32 = 10_000;

/// Apps are tenants; each has its own counters.
const APPS_MAX: usize = 1_000;

/// Keys of one app; each publish is compared with all of them.
const PUBLISH_KEYS_MAX: usize = 1_000;

/// The longest publish key, in bytes; it has to fit into a stream name's query.
const PUBLISH_KEY_BYTES_MAX: usize = 512;

/// Webhooks of one file; each has a task and a queue.
const WEBHOOKS_MAX: usize = 100;

/// The longest SecretId, in bytes. The vendor's have 36.
const SECRET_ID_BYTES_MAX: usize = 128;

/// The longest Platform, in bytes.
const PLATFORM_BYTES_MAX: usize = 128;

/// Rules of one file.
const RULES_MAX: usize = 10_000;

/// A wrong value and its key.
pub(super) struct Wrong {
    pub key: String,
    pub reason: String,
}

pub(super) fn wrong<T>(key: impl Into<String>, reason: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        key: key.into(),
        reason: reason.into(),
    })
}

/// Checks everything that is known before anything is started.
pub(super) fn check(config: &Config) -> Result<(), Wrong> {
    listeners(config)?;
    http(config)?;
    numbers(config)?;
    if !is_filter(&config.log.level) {
        let reason = "expected error, warn, info, debug, trace or off, or a filter such as info,aqueduct::egress=debug";
        return wrong("log.level", reason);
    }
    if config.store.path.as_os_str().is_empty() {
        return wrong("store.path", "the path is empty");
    }
    if let Some(file) = &config.egress.ca_certificates {
        certificates::check_roots(file)
            .or_else(|reason| wrong("egress.ca_certificates", reason))?;
    }
    apps(config)?;
    webhooks(config)?;
    rules(config)?;
    super::cdn_auth::check(&config.cdn_auth)?;
    super::inputs::check(config)
}

fn listeners(config: &Config) -> Result<(), Wrong> {
    let mut taken: Vec<(SocketAddr, &str)> = Vec::new();
    for (key, listen) in all_listeners(config) {
        if let Some((_, first)) = taken
            .iter()
            .find(|(address, _)| listen.port() != 0 && *address == listen)
        {
            return wrong(
                format!("{key}.listen"),
                format!("{listen} is taken by {first}.listen"),
            );
        }
        taken.push((listen, key));
    }
    for (section, tls) in [("rtmps", &config.rtmps), ("https", &config.https)] {
        if let Some(TlsListenerConfig {
            certificate,
            private_key,
            ..
        }) = tls
        {
            certificates::check_pair(certificate, private_key)
                .or_else(|(key, reason)| wrong(entry_key(section, key), reason))?;
        }
    }
    match &config.rtmp.advertise {
        Some(url) if !is_server(url) => wrong(
            "rtmp.advertise",
            "expected rtmp://host[:port] or rtmps://host[:port]",
        ),
        _ => Ok(()),
    }
}

fn all_listeners(config: &Config) -> impl Iterator<Item = (&'static str, SocketAddr)> {
    let tls = |section: &Option<TlsListenerConfig>| section.as_ref().map(|tls| tls.listen);
    let on = [
        ("rtmp", Some(config.rtmp.listen)),
        ("http", Some(config.http.listen)),
    ];
    let in_tls = [("rtmps", tls(&config.rtmps)), ("https", tls(&config.https))];
    on.into_iter()
        .chain(in_tls)
        .filter_map(|(key, listen)| Some((key, listen?)))
}

/// Whether a URL names a server and nothing on it.
fn is_server(url: &str) -> bool {
    let probe = format!("{}/app/name", url.trim_end_matches('/'));
    crate::rule::TargetUrl::parse(&probe).is_ok_and(|target| {
        target.app() == "app" && target.name() == "name" && target.credentials().is_none()
    })
}

fn http(config: &Config) -> Result<(), Wrong> {
    if let Some(token) = &config.http.token {
        let is_header_text = token.expose().bytes().all(|byte| byte.is_ascii_graphic());
        if token.is_empty() || !is_header_text {
            return wrong(
                "http.token",
                "the token must be visible ASCII without spaces, and not empty",
            );
        }
    }
    hosts("http.allowed_hosts", &config.http.allowed_hosts)?;
    hosts("zego.hosts", &config.zego.hosts)?;
    let origins = &config.http.client_origins;
    match origins.iter().position(|origin| !is_origin(origin)) {
        Some(index) => wrong(
            item_key("http.client_origins", index),
            "expected https://host or https://host:port in lower case, without the scheme's own port, path or *",
        ),
        None => Ok(()),
    }
}

/// Whether a browser would say so in an Origin header.
fn is_origin(text: &str) -> bool {
    let (rest, own_port) = match text.strip_prefix("https://") {
        Some(rest) => (rest, ":443"),
        None => (text.strip_prefix("http://").unwrap_or_default(), ":80"),
    };
    let plain = |c: char| {
        c.is_ascii_lowercase()
            || c.is_ascii_digit()
            || matches!(c, '.' | '-' | '_' | ':' | '[' | ']')
    };
    !rest.is_empty() && !rest.ends_with(own_port) && rest.chars().all(plain)
}

fn hosts(key: &str, hosts: &[String]) -> Result<(), Wrong> {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    let odd = |host: &String| host.is_empty() || !host.chars().all(plain);
    match hosts.iter().position(odd) {
        Some(index) => wrong(
            item_key(key, index),
            "expected a host name, with or without a port",
        ),
        None => Ok(()),
    }
}

fn numbers(config: &Config) -> Result<(), Wrong> {
    let (rtmp, relay) = (&config.rtmp, &config.relay);
    let egress = &config.egress;
    within(
        "rtmp.connections_per_address",
        rtmp.connections_per_address.into(),
        0,
        CONNECTIONS_PER_ADDRESS_MAX.into(),
    )?;
    within(
        "rtmp.connections_per_second_per_address",
        rtmp.connections_per_second_per_address.into(),
        0,
        CONNECTIONS_PER_SECOND_PER_ADDRESS_MAX.into(),
    )?;
    within(
        "relay.flush_interval_ms",
        relay.flush_interval_ms,
        0,
        FLUSH_INTERVAL_MS_MAX,
    )?;
    let ingest = &config.ingest;
    within(
        "ingest.stall_ms",
        ingest.stall_ms,
        STALL_MS_MIN,
        STALL_MS_MAX,
    )?;
    within(
        "ingest.return_after_ms",
        ingest.return_after_ms,
        0,
        GRACE_MS_MAX,
    )?;
    within("relay.grace_ms", relay.grace_ms, 0, GRACE_MS_MAX)?;
    within("relay.kick_bar_ms", relay.kick_bar_ms, 0, KICK_BAR_MS_MAX)?;
    for (key, number) in [
        ("rtmp.failed_auth_per_minute", rtmp.failed_auth_per_minute),
        (
            "http.failed_auth_per_minute",
            config.http.failed_auth_per_minute,
        ),
    ] {
        within(key, number.into(), 0, FAILED_AUTH_PER_MINUTE_MAX.into())?;
    }
    within(
        "http.rules_per_stream",
        config.http.rules_per_stream.into(),
        1,
        RULES_PER_STREAM_MAX,
    )?;
    let zego = &config.zego;
    for (key, seconds) in [
        ("zego.closed_stream_seconds", zego.closed_stream_seconds),
        ("zego.unused_rule_seconds", zego.unused_rule_seconds),
    ] {
        within(key, seconds, 0, SECONDS_MAX)?;
    }
    within("relay.drain_ms", relay.drain_ms, 0, DRAIN_MS_MAX)?;
    chunk_size("egress.chunk_size", egress.chunk_size)?;
    within(
        "egress.starts_per_second",
        egress.starts_per_second.into(),
        1,
        STARTS_PER_SECOND_MAX.into(),
    )
}

pub(super) fn within(key: &str, number: u64, min: u64, max: u64) -> Result<(), Wrong> {
    if (min..=max).contains(&number) {
        return Ok(());
    }
    wrong(key, format!("the number must be from {min} to {max}"))
}

fn chunk_size(key: &str, bytes: u32) -> Result<(), Wrong> {
    within(
        key,
        bytes.into(),
        (*CHUNK_SIZES.start()).into(),
        (*CHUNK_SIZES.end()).into(),
    )
}

/// A single word that is no level would be taken for a module's name, and a slip in typing would silence the log.
fn is_filter(text: &str) -> bool {
    let is_level = |part: &str| {
        ["off", "error", "warn", "info", "debug", "trace"]
            .iter()
            .any(|level| part.trim().eq_ignore_ascii_case(level))
    };
    text.split(',')
        .all(|part| is_level(part) || part.contains('='))
        && EnvFilter::builder().parse(text).is_ok()
}

fn apps(config: &Config) -> Result<(), Wrong> {
    if config.apps.is_empty() || config.apps.len() > APPS_MAX {
        return wrong("apps", format!("there must be from 1 to {APPS_MAX} apps"));
    }
    let (mut names, mut ids, mut secret_ids) = (HashSet::new(), HashSet::new(), HashSet::new());
    for (index, app) in config.apps.iter().enumerate() {
        let key = |name: &str| entry_key(&item_key("apps", index), name);
        if !names.insert(&app.name) {
            return wrong(
                key("name"),
                format!("there are two apps of the name {}", app.name),
            );
        }
        if app.app_id.is_some_and(|id| !ids.insert(id)) {
            return wrong(key("app_id"), "another app has the same app_id");
        }
        if app
            .secret_id
            .as_ref()
            .is_some_and(|id| !secret_ids.insert(id))
        {
            return wrong(key("secret_id"), "another app has the same secret_id");
        }
        zego(app, &key)?;
        callbacks(app, &key)?;
        tencent(app, &key)?;
        publish_keys(app, &key)?;
        signing_secrets(app, &key)?;
        authentication(config, app, &key)?;
    }
    Ok(())
}

fn zego(app: &AppConfig, key: &dyn Fn(&str) -> String) -> Result<(), Wrong> {
    match (app.app_id, &app.server_secret) {
        (Some(0), _) => wrong(key("app_id"), "the number must be from 1 to 4294967295"),
        (_, Some(secret)) if secret.is_empty() => {
            wrong(key("server_secret"), "the secret is empty")
        }
        (Some(_), None) => wrong(key("app_id"), "app_id needs server_secret beside it"),
        (None, Some(_)) => wrong(key("server_secret"), "server_secret needs app_id beside it"),
        (Some(_), _) if app.client_secret.as_ref().is_some_and(Secret::is_empty) => {
            wrong(key("client_secret"), "the secret is empty")
        }
        (None, None) if app.client_secret.is_some() => {
            wrong(key("client_secret"), "client_secret needs app_id beside it")
        }
        (None, None) if app.default_cdn.is_some() => {
            wrong(key("default_cdn"), "default_cdn needs app_id beside it")
        }
        _ => Ok(()),
    }
}

fn callbacks(app: &AppConfig, key: &dyn Fn(&str) -> String) -> Result<(), Wrong> {
    match (&app.callback_url, &app.callback_secret) {
        (Some(_), _) if app.app_id.is_none() => {
            wrong(key("callback_url"), "callback_url needs app_id beside it")
        }
        (Some(_), None) => wrong(
            key("callback_url"),
            "callback_url needs callback_secret beside it",
        ),
        (None, Some(_)) => wrong(
            key("callback_secret"),
            "callback_secret needs callback_url beside it",
        ),
        (_, Some(secret)) if secret.is_empty() => {
            wrong(key("callback_secret"), "the secret is empty")
        }
        _ => Ok(()),
    }
}

fn tencent(app: &AppConfig, key: &dyn Fn(&str) -> String) -> Result<(), Wrong> {
    let is_plain = |id: &String| {
        !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    match (&app.secret_id, &app.secret_key, &app.platform) {
        (Some(id), ..) if !is_plain(id) || id.len() > SECRET_ID_BYTES_MAX => wrong(
            key("secret_id"),
            format!("expected 1 to {SECRET_ID_BYTES_MAX} letters, digits, - and _"),
        ),
        (_, Some(secret), _) if secret.is_empty() => wrong(key("secret_key"), "the key is empty"),
        (Some(_), None, _) => wrong(key("secret_id"), "secret_id needs secret_key beside it"),
        (None, Some(_), _) => wrong(key("secret_key"), "secret_key needs secret_id beside it"),
        (None, None, Some(_)) => wrong(key("platform"), "platform needs secret_id beside it"),
        (None, ..) if app.events_url.is_some() => {
            wrong(key("events_url"), "events_url needs secret_id beside it")
        }
        (.., Some(platform)) if platform.is_empty() || platform.len() > PLATFORM_BYTES_MAX => {
            wrong(
                key("platform"),
                format!(
                    "expected 1 to {PLATFORM_BYTES_MAX} bytes; without the key, any platform is taken"
                ),
            )
        }
        _ => Ok(()),
    }
}

fn publish_keys(app: &AppConfig, key: &dyn Fn(&str) -> String) -> Result<(), Wrong> {
    if app.publish_keys.len() > PUBLISH_KEYS_MAX {
        return wrong(
            key("publish_keys"),
            format!("there are more than {PUBLISH_KEYS_MAX} keys"),
        );
    }
    match app
        .publish_keys
        .iter()
        .position(|secret| !is_publish_key(secret))
    {
        Some(index) => wrong(
            item_key(&key("publish_keys"), index),
            format!(
                "a key has 1 to {PUBLISH_KEY_BYTES_MAX} bytes, and no spaces, control characters, & or #"
            ),
        ),
        None => Ok(()),
    }
}

/// A key is shown as `stream?key=...`; these characters would end it early.
fn is_publish_key(secret: &Secret) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '&' | '#');
    (1..=PUBLISH_KEY_BYTES_MAX).contains(&secret.expose().len()) && !secret.expose().contains(odd)
}

fn authentication(
    config: &Config,
    app: &AppConfig,
    key: &dyn Fn(&str) -> String,
) -> Result<(), Wrong> {
    match app.publish_auth {
        Some(PublishAuth::Key) if app.publish_keys.is_empty() => {
            wrong(key("publish_auth"), "\"key\" needs publish_keys")
        }
        Some(PublishAuth::Signed) if app.sign_secret.is_none() => {
            wrong(key("publish_auth"), "\"signed\" needs sign_secret")
        }
        Some(PublishAuth::Hook) if app.publish_hook.is_none() => {
            wrong(key("publish_auth"), "\"hook\" needs publish_hook")
        }
        None if app.publish_keys.is_empty() => match open_listener(config) {
            Some(listen) => wrong(
                key("publish_auth"),
                format!(
                    "anybody who reaches {listen} could publish to the app {}; set publish_keys, or publish_auth = \"none\" \
                     if that is meant",
                    app.name
                ),
            ),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// An empty secret would sign for everybody.
fn signing_secrets(app: &AppConfig, key: &dyn Fn(&str) -> String) -> Result<(), Wrong> {
    let secrets = [
        ("sign_secret", &app.sign_secret),
        ("previous_sign_secret", &app.previous_sign_secret),
        ("publish_hook_secret", &app.publish_hook_secret),
    ];
    let empty = |(_, secret): &(_, &Option<Secret>)| secret.as_ref().is_some_and(Secret::is_empty);
    match secrets.iter().find(|secret| empty(secret)) {
        Some((name, _)) => wrong(key(name), "the secret is empty"),
        None => Ok(()),
    }
}

fn webhooks(config: &Config) -> Result<(), Wrong> {
    if config.webhooks.len() > WEBHOOKS_MAX {
        let reason = format!("there are more than {WEBHOOKS_MAX} webhooks");
        return wrong("webhooks", reason);
    }
    for (index, webhook) in config.webhooks.iter().enumerate() {
        let here = item_key("webhooks", index);
        if webhook.secret.is_empty() {
            return wrong(entry_key(&here, "secret"), "the secret is empty");
        }
        if let Some(app) = webhook.app.as_ref().filter(|app| config.app(app).is_none()) {
            return wrong(entry_key(&here, "app"), format!("there is no app {app}"));
        }
        if let Some(place) = webhook.events.iter().position(|kind| !is_event_type(kind)) {
            let known = EVENT_TYPES.join(", ");
            return wrong(
                item_key(&entry_key(&here, "events"), place),
                format!(
                    "expected a type of event, or what some begin with, such as target.*; the types are {known}"
                ),
            );
        }
        if config.webhooks[..index].contains(webhook) {
            return wrong(here, "an earlier webhook says the same");
        }
    }
    Ok(())
}

/// Where publishers from other machines come in.
fn open_listener(config: &Config) -> Option<SocketAddr> {
    let tls = config.rtmps.as_ref().map(|tls| tls.listen);
    [Some(config.rtmp.listen), tls]
        .into_iter()
        .flatten()
        .find(|listen| !listen.ip().to_canonical().is_loopback())
}

fn rules(config: &Config) -> Result<(), Wrong> {
    if config.rules.len() > RULES_MAX {
        return wrong("rules", format!("there are more than {RULES_MAX} rules"));
    }
    let mut seen: HashSet<RuleId> = HashSet::new();
    for (index, rule) in config.rules.iter().enumerate() {
        let here = item_key("rules", index);
        if config.app(&rule.app).is_none() {
            return wrong(
                entry_key(&here, "app"),
                format!("there is no app {}", rule.app),
            );
        }
        if !seen.insert(rule.id()) {
            return wrong(here, "an earlier rule has the same app, stream and url");
        }
        if rule.backup_url.as_ref() == Some(&rule.url) {
            return wrong(
                entry_key(&here, "backup_url"),
                "the backup URL is the rule's url itself",
            );
        }
        if let Some(bytes) = rule.chunk_size {
            chunk_size(&entry_key(&here, "chunk_size"), bytes)?;
        }
    }
    Ok(())
}
