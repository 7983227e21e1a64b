//! What an app's keys may be, each by itself and together.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::Config;
use super::check::{Wrong, wrong};
use super::sections::{AppConfig, PublishAuth};
use super::tree::{entry_key, item_key};
use crate::secret::Secret;

/// Apps are tenants; each has its own counters.
const APPS_MAX: usize = 1_000;

/// Keys of one app; each publish is compared with all of them.
const PUBLISH_KEYS_MAX: usize = 1_000;

/// The longest publish key, in bytes; it has to fit into a stream name's query.
const PUBLISH_KEY_BYTES_MAX: usize = 512;

/// The longest SecretId, in bytes. The vendor's have 36.
const SECRET_ID_BYTES_MAX: usize = 128;

/// The longest Platform, in bytes.
const PLATFORM_BYTES_MAX: usize = 128;

pub(super) fn check(config: &Config) -> Result<(), Wrong> {
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

/// Where publishers from other machines come in.
fn open_listener(config: &Config) -> Option<SocketAddr> {
    let tls = config.rtmps.as_ref().map(|tls| tls.listen);
    [Some(config.rtmp.listen), tls]
        .into_iter()
        .flatten()
        .find(|listen| !listen.ip().to_canonical().is_loopback())
}
