//! What the configuration says, in the words of those whom it concerns. A start and a reload say it alike.

use super::AppError;
use super::ports::Addresses;
use crate::api::{AllowedHosts, Origins, Settings, tencent, zego};
use crate::config::{
    AppConfig, Config, DuplicatePublisher, Environment, Gap, PublishAuth, TlsListenerConfig,
};
use crate::control::{EventFilter, HookCalls, HookMeans, HttpHook, InputSettings, Webhook};
use crate::ingest::inputs::{FeedTerms, SwitchTerms};
use crate::ingest::{self, Apps};
use crate::media::timeline::GapPolicy;
use crate::net::permits::AddressLimits;
use crate::net::tls;
use crate::relay::Terms;
use crate::rule::{Rule, UrlTemplate};
use crate::secret::Secret;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// The rules that no door may change: those of the file, then those of the command line.
pub(super) fn fixed_rules(config: &Config, relay: &[UrlTemplate], salt: &Secret) -> Vec<Rule> {
    let now = OffsetDateTime::now_utc();
    let mut rules = config.relay_rules(now);
    rules.extend(
        relay
            .iter()
            .cloned()
            .map(|url| crate::config::rule_from_command_line(url, now)),
    );
    for rule in &mut rules {
        rule.id = rule.id.salted(salt);
    }
    rules
}

/// What the configuration says about the doors; the token is the configured one, or the one that was made.
pub(super) fn door_settings(config: &Config, addresses: &Addresses, token: Secret) -> Settings {
    let hosts = |names: &[String]| AllowedHosts::new(names.iter().map(String::as_str));
    Settings {
        token,
        allowed_hosts: hosts(&config.http.allowed_hosts),
        client_origins: Origins::new(config.http.client_origins.iter().cloned()),
        zego: zego::Settings {
            accounts: config.apps.iter().filter_map(zego_account).collect(),
            hosts: hosts(&config.zego.hosts),
            strict_stream_ids: config.zego.strict_stream_ids,
            refuse_replays: config.zego.refuse_replays,
            publish_server: publish_server(config, addresses.rtmp),
        },
        tencent: tencent::Settings {
            accounts: config.apps.iter().filter_map(tencent_account).collect(),
            push_server: publish_server(config, addresses.rtmp),
            public_names: config.http.allowed_hosts.clone(),
        },
    }
}

/// Where publishers reach this gateway: as it was told, else at its listener, where that has one address.
fn publish_server(config: &Config, rtmp: SocketAddr) -> Option<String> {
    let advertised = config.rtmp.advertise.as_ref();
    advertised
        .map(|url| url.trim_end_matches('/').to_owned())
        .or_else(|| (!rtmp.ip().is_unspecified()).then(|| format!("rtmp://{rtmp}")))
}

/// The Tencent account of an app that has one: an id and a key.
fn tencent_account(app: &AppConfig) -> Option<tencent::Account> {
    Some(tencent::Account {
        app: app.name.clone(),
        secret_id: app.secret_id.clone()?,
        secret_key: app.secret_key.clone()?,
        platform: app.platform.clone(),
    })
}

/// The ZEGO account of an app that has one: a number and a secret.
fn zego_account(app: &AppConfig) -> Option<zego::Account> {
    let has = |environment| app.environments.contains(&environment);
    let credential = match (app.auth(), app.publish_keys.first(), &app.sign_secret) {
        (PublishAuth::Key, Some(key), _) => zego::PublishCredential::Key(key.clone()),
        (PublishAuth::Signed, _, Some(secret)) => zego::PublishCredential::Signed(secret.clone()),
        _ => zego::PublishCredential::None,
    };
    Some(zego::Account {
        environments: zego::Environments {
            production: has(Environment::Production),
            test: has(Environment::Test),
        },
        default_cdn: app.default_cdn.clone(),
        client_secret: app.client_secret.clone(),
        credential,
        ..zego::Account::new(app.name.clone(), app.app_id?, app.server_secret.clone()?)
    })
}

/// Whose server is told of its app's streams in the vendor's form.
pub(super) fn callback_targets(config: &Config) -> Vec<zego::CallbackTarget> {
    let target = |app: &AppConfig| {
        Some(zego::CallbackTarget {
            app: app.name.clone(),
            app_id: app.app_id?,
            url: app.callback_url.as_ref()?.0.clone(),
            secret: app.callback_secret.clone()?,
        })
    };
    config.apps.iter().filter_map(target).collect()
}

/// Who may publish.
pub(super) fn admission(apps: &[AppConfig], hooks: &HookMeans) -> Apps {
    let numbered = |app: &AppConfig| Some((app.app_id?.to_string(), app.name.clone()));
    let numbers = apps.iter().filter_map(numbered).collect();
    Apps::new(apps.iter().map(|app| {
        let auth = match app.auth() {
            PublishAuth::Key => ingest::PublishAuth::Key(app.publish_keys.clone()),
            PublishAuth::None => ingest::PublishAuth::None,
            PublishAuth::Signed => ingest::PublishAuth::Signed(sign_secrets(app)),
            PublishAuth::Hook => publish_hook(app, hooks),
        };
        (app.name.clone(), auth)
    }))
    .also_named(numbers)
}

/// The secret that URLs are signed with, and the one before it.
fn sign_secrets(app: &AppConfig) -> Vec<Secret> {
    let secrets = [&app.sign_secret, &app.previous_sign_secret];
    secrets.into_iter().flatten().cloned().collect()
}

/// The app's hook. A checked configuration has one; without it nobody is let in.
fn publish_hook(app: &AppConfig, hooks: &HookMeans) -> ingest::PublishAuth {
    match &app.publish_hook {
        Some(url) => ingest::PublishAuth::Hook(Arc::new(HttpHook {
            means: hooks.clone(),
            url: url.0.clone(),
            secret: app.publish_hook_secret.clone(),
            down: app.publish_hook_down,
            calls: HookCalls::default(),
        })),
        None => ingest::PublishAuth::Key(Vec::new()),
    }
}

/// Who is told what changes.
pub(super) fn wanted_webhooks(config: &Config) -> Vec<Webhook> {
    let webhooks = config.webhooks.iter().map(|webhook| Webhook {
        url: webhook.url.0.clone(),
        secret: webhook.secret.clone(),
        filter: EventFilter {
            app: webhook.app.clone(),
            stream: None,
            types: webhook.events.clone(),
        },
    });
    webhooks.collect()
}

/// What one address may have of publishers' connections.
pub(super) fn address_limits(config: &Config) -> AddressLimits {
    AddressLimits {
        connections: config.rtmp.connections_per_address,
        per_second: config.rtmp.connections_per_second_per_address,
        ..AddressLimits::default()
    }
}

/// What holds for streams.
pub(super) fn terms(config: &Config) -> Terms {
    Terms {
        grace: config.relay.grace(),
        gap: match config.relay.gap {
            Gap::Compress => GapPolicy::Compress,
            Gap::Wall => GapPolicy::Wall,
        },
        kick_bar: config.relay.kick_bar(),
    }
}

pub(super) fn rejects_duplicates(config: &Config) -> bool {
    config.relay.duplicate_publisher == DuplicatePublisher::Reject
}

pub(super) fn server_tls(
    section: Option<&TlsListenerConfig>,
) -> Result<Option<Arc<ServerConfig>>, AppError> {
    let read = |section: &TlsListenerConfig| {
        tls::server_config(&section.certificate, &section.private_key)
    };
    Ok(section.map(read).transpose()?)
}

/// What holds for inputs.
pub(super) fn feed_terms(config: &Config) -> FeedTerms {
    let ingest = &config.ingest;
    FeedTerms {
        switch: SwitchTerms {
            stall: Duration::from_millis(ingest.stall_ms),
            return_after: Duration::from_millis(ingest.return_after_ms),
        },
        directories: ingest.file_directories.clone(),
    }
}

/// What the configuration says about inputs; `rtmp` is where the gateway really listens.
pub(super) fn input_settings(config: &Config, rtmp: SocketAddr) -> InputSettings {
    InputSettings {
        apps: config.apps.iter().map(|app| app.name.clone()).collect(),
        file_directories: config.ingest.file_directories.clone(),
        advertise: publish_server(config, rtmp),
    }
}
