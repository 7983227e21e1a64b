//! Where an encoder publishes a stream.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::action::Action;
use super::answer::{Code, Refusal};
use super::call::Call;
use super::limits::DISPATCHED_SECONDS;
use super::parameters::Parameters;
use super::{PublishCredential, stream_id};
use crate::control::{StreamKey, signed_query};

/// The answer to `RTMPDispatchV2` and to its older form, at `now` in Unix seconds.
pub(super) fn run(
    call: &Call<'_>,
    parameters: &Parameters,
    server: Option<&str>,
    now: i64,
) -> Result<Value, Refusal> {
    let stream = stream_id::read(call, parameters)?;
    match parameters.filled("Type") {
        Some("push") => {}
        Some("pull") => {
            let why = "this gateway only takes streams in; nobody can play them here";
            return Err(Refusal::new(Code::NoPlayNode, why));
        }
        // The older action has no such parameter in all of its descriptions.
        None if call.action == Action::DispatchHost => {}
        _ => {
            let why = "Type is neither push nor pull";
            return Err(Refusal::new(Code::DispatchType, why));
        }
    }
    let client = parameters.filled("ClientIP");
    if client.is_some_and(|ip| ip.parse::<Ipv4Addr>().is_err()) {
        let why = "ClientIP is not an IPv4 address";
        return Err(Refusal::new(Code::ClientIp, why));
    }
    let Some(server) = server else {
        let why = "this gateway does not know its own address; set advertise in its [rtmp] section";
        return Err(Refusal::new(Code::NoPublishNode, why));
    };
    if call.action == Action::DispatchHost {
        return Ok(json!([host_and_port(server)]));
    }
    let credential = match &call.account.credential {
        PublishCredential::None => String::new(),
        PublishCredential::Key(key) => format!("?key={}", encoded(key.expose())),
        PublishCredential::Signed(secret) => {
            let key = StreamKey::new(call.account.app.clone(), stream.clone());
            let expires = now.saturating_add(DISPATCHED_SECONDS).unsigned_abs();
            format!("?{}", signed_query(secret, &key, expires))
        }
    };
    // Publishers may name the app by its number.
    let app_id = call.account.app_id;
    Ok(json!([format!("{server}/{app_id}/{stream}{credential}")]))
}

/// `host:port` of a server's URL.
fn host_and_port(server: &str) -> String {
    let (scheme, host) = server.split_once("://").unwrap_or(("rtmp", server));
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| {
        !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    match (has_port, scheme.eq_ignore_ascii_case("rtmps")) {
        (true, _) => host.to_owned(),
        (false, true) => format!("{host}:443"),
        (false, false) => format!("{host}:1935"),
    }
}

fn encoded(key: &str) -> String {
    form_urlencoded::byte_serialize(key.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (server, expected) in [
            ("rtmp://a.example:1936", "a.example:1936"),
            ("rtmp://a.example", "a.example:1935"),
            ("rtmps://a.example", "a.example:443"),
            ("rtmp://[2001:db8::1]", "[2001:db8::1]:1935"),
            ("rtmp://[2001:db8::1]:1936", "[2001:db8::1]:1936"),
            ("rtmp://192.0.2.1:1935", "192.0.2.1:1935"),
        ] {
            assert_eq!(host_and_port(server), expected);
        }
    }
}
