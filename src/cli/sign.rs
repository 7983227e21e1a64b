//! `aqueduct sign`: signed publish URLs, and signatures of the ZEGO door for trying things with curl.

use std::io::{self, Read};
use std::time::Duration;

use form_urlencoded::byte_serialize;
use time::OffsetDateTime;

use super::Failure;
use super::args::{SignArgs, SignCommand, SignZegoArgs};
use super::output::print;
use crate::api::zego;
use crate::config::{AppConfig, Config, environment};
use crate::rule::{StreamKey, signed_query};
use crate::secret::Secret;

/// The most that is read of a secret's file, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Ten years: a longer life is a key.
const TTL_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

pub(super) fn run(args: &SignArgs) -> Result<(), Failure> {
    match &args.command {
        Some(SignCommand::Zego(zego)) => sign_zego(args, zego),
        None => sign_publish(args),
    }
}

fn sign_publish(args: &SignArgs) -> Result<(), Failure> {
    let stream = args.stream.as_deref().ok_or_else(|| {
        Failure::Usage("sign: name a stream as APP/STREAM, such as live/cam".to_owned())
    })?;
    let (app, name) = stream.split_once('/').unwrap_or(("live", stream));
    let key = StreamKey::parse(app, name)
        .map_err(|error| Failure::Usage(format!("sign {stream}: {error}")))?;
    let ttl = Duration::from_secs(args.ttl);
    if ttl.is_zero() || ttl > TTL_MAX {
        let most = TTL_MAX.as_secs();
        return Err(Failure::Usage(format!(
            "--ttl: the number of seconds must be from 1 to {most}"
        )));
    }
    let config = Config::load(args.config.as_deref(), environment())?;
    let secret = match &args.secret {
        Some(place) => read_secret(place)?,
        None => {
            let configured = config.app(&key.app).and_then(|app| app.sign_secret.clone());
            configured.ok_or_else(|| no_secret(&format!("the app {app} has no sign_secret")))?
        }
    };
    let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default();
    let server = match (&args.server, &config.rtmp.advertise) {
        (Some(server), _) => server.clone(),
        (None, Some(advertised)) => advertised.clone(),
        (None, None) => format!("rtmp://{}", config.rtmp.listen),
    };
    let server = server.trim_end_matches('/');
    let query = signed_query(&secret, &key, now.saturating_add(args.ttl));
    print(&format!("{server}/{app}/{name}?{query}\n"))
}

fn sign_zego(args: &SignArgs, zego_args: &SignZegoArgs) -> Result<(), Failure> {
    let config = Config::load(args.config.as_deref(), environment())?;
    let app = account(&config, zego_args.app_id)?;
    let app_id = zego_args.app_id.or_else(|| app.and_then(|app| app.app_id));
    let app_id = app_id.ok_or_else(|| {
        Failure::Usage("sign zego: give --app-id, or configure app_id".to_owned())
    })?;
    let secret = match &args.secret {
        Some(place) => read_secret(place)?,
        None => {
            let configured = app.and_then(|app| app.server_secret.clone());
            configured.ok_or_else(|| no_secret(&format!("no app has the app_id {app_id}")))?
        }
    };
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|error| Failure::Failed(error.to_string()))?;
    let nonce = hex::encode(nonce);
    let timestamp = OffsetDateTime::now_utc().unix_timestamp().to_string();
    let signature = zego::sign(app_id, &nonce, &secret, &timestamp);
    let mut query = String::new();
    for parameter in &zego_args.parameters {
        let (name, value) = parameter.split_once('=').ok_or_else(|| {
            Failure::Usage("sign zego: parameters are NAME=VALUE, such as StreamId=cam".to_owned())
        })?;
        let value: String = byte_serialize(value.as_bytes()).collect();
        query.push_str(&format!("{name}={value}&"));
    }
    print(&format!(
        "{query}AppId={app_id}&SignatureNonce={nonce}&Timestamp={timestamp}&Signature={signature}&SignatureVersion=2.0\n"
    ))
}

/// The configured app with this number, or the only one that has a number.
fn account(config: &Config, app_id: Option<u32>) -> Result<Option<&AppConfig>, Failure> {
    let mut with_number = config.apps.iter().filter(|app| match app_id {
        Some(id) => app.app_id == Some(id),
        None => app.app_id.is_some(),
    });
    match (with_number.next(), with_number.next()) {
        (Some(_), Some(_)) => Err(Failure::Usage(
            "sign zego: several apps have an app_id; say which by --app-id".to_owned(),
        )),
        (found, _) => Ok(found),
    }
}

fn no_secret(why: &str) -> Failure {
    Failure::Usage(format!(
        "sign: {why}; name the configuration by --config, or the secret by --secret @FILE or --secret -"
    ))
}

/// Reads a secret from `@FILE`, or from standard input for `-`. On the command line itself everybody on the machine could read it.
fn read_secret(place: &str) -> Result<Secret, Failure> {
    let usage = |why: String| Failure::Usage(format!("--secret {why}"));
    let mut text = String::new();
    let read = match place.strip_prefix('@') {
        _ if place == "-" => io::stdin().take(SECRET_BYTES_MAX).read_to_string(&mut text),
        Some(file) => std::fs::File::open(file)
            .and_then(|file| file.take(SECRET_BYTES_MAX).read_to_string(&mut text)),
        None => {
            return Err(usage(
                "takes @FILE, or - for standard input: arguments are seen by other users"
                    .to_owned(),
            ));
        }
    };
    read.map_err(|error| usage(format!("{place}: {error}")))?;
    let secret = text.trim_end_matches(['\n', '\r']);
    match secret.is_empty() {
        true => Err(usage(format!("{place}: there is nothing in it"))),
        false => Ok(Secret::new(secret)),
    }
}
