//! What no type can say: forms, bounds, and keys that belong together. Here it is said in which order they are looked at.

use std::collections::HashSet;
use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

use super::tree::{entry_key, item_key};
use super::{Config, TlsListenerConfig, apps, bounds, certificates};
use crate::control::{EVENT_TYPES, is_event_type};
use crate::rule::RuleId;

/// Webhooks of one file; each has a task and a queue.
const WEBHOOKS_MAX: usize = 100;

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
    bounds::check(config)?;
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
    apps::check(config)?;
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
            bounds::chunk_size(&entry_key(&here, "chunk_size"), bytes)?;
        }
    }
    Ok(())
}
