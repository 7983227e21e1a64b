//! What a user is told at the start: where the gateway listens, what to type into an encoder, what to do next.

use super::Serve;
use super::build::Gateway;
use crate::config::PublishAuth;
use crate::control::token_path;
use std::io::{self, Write};
use std::net::SocketAddr;

/// Prints it on standard output. A closed output is no reason not to serve.
pub(super) fn print(gateway: &Gateway, serve: &Serve) -> io::Result<()> {
    let text = banner(gateway, serve);
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn banner(gateway: &Gateway, serve: &Serve) -> String {
    let config = &serve.config;
    let addresses = gateway.addresses;
    let mut lines = vec![format!("Aqueduct {}", env!("CARGO_PKG_VERSION"))];
    let mut listener = |name: &str, scheme: &str, address: SocketAddr| {
        lines.push(format!("  {name:<6} {scheme}://{address}"));
    };
    listener("RTMP", "rtmp", addresses.rtmp);
    addresses
        .rtmps
        .into_iter()
        .for_each(|address| listener("RTMPS", "rtmps", address));
    listener("HTTP", "http", addresses.http);
    addresses
        .https
        .into_iter()
        .for_each(|address| listener("HTTPS", "https", address));

    let host = config
        .rtmp
        .advertise
        .as_deref()
        .map(|url| url.trim_end_matches('/').to_owned())
        .unwrap_or_else(|| format!("rtmp://{}", reachable(addresses.rtmp)));
    if let Some(app) = config.apps.first() {
        let key = match app.auth() {
            PublishAuth::Key => "NAME?key=PUBLISH_KEY",
            PublishAuth::Signed => "NAME?expires=SECONDS&sign=SIGNATURE",
            PublishAuth::Hook => "NAME?WHAT_THE_HOOK_WANTS",
            PublishAuth::None => "NAME",
        };
        lines.push(String::new());
        lines.push("OBS > Settings > Stream > Custom:".to_owned());
        lines.push(format!("  Server      {host}/{}", app.name));
        lines.push(format!("  Stream Key  {key}"));
        lines.push("ffmpeg:".to_owned());
        lines.push(format!(
            "  ffmpeg -re -i FILE -c copy -f flv '{host}/{}/{key}'",
            app.name
        ));
    }
    lines.push(String::new());
    lines.push(match &config.http.token {
        Some(_) => "API token: as configured".to_owned(),
        None => format!("API token: {}", token_path(&config.store.path).display()),
    });
    let count = gateway.rules.current().len();
    lines.push(match count {
        0 => "No rules yet. The first one:".to_owned(),
        1 => "1 rule. Another one:".to_owned(),
        count => format!("{count} rules. Another one:"),
    });
    lines.push("  aqueduct rules add --app live --stream NAME @FILE-WITH-THE-URL".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

/// An address that can be typed: what listens everywhere is reached as this machine.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("THIS-HOST:{}", address.port())
    } else {
        address.to_string()
    }
}
