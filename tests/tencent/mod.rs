//! A caller of the Tencent door, who signs as the vendor's SDKs do.

#![allow(dead_code, reason = "each program uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "scenery of tests")]

use std::cell::Cell;

use axum::body::Body;
use axum::http::Request;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::doors::{Answer, Gateway, SECRET_ID, SECRET_KEY};

/// The moment at which every test begins.
pub const NOW: i64 = 1_761_955_200;

/// A gateway, and whoever calls it.
pub struct Caller {
    pub gateway: Gateway,
    now: Cell<i64>,
}

impl Caller {
    pub fn new(gateway: Gateway) -> Self {
        gateway.clock.set_ms(NOW * 1000);
        Self {
            gateway,
            now: Cell::new(NOW),
        }
    }

    /// Lets seconds pass.
    pub fn pass(&self, seconds: i64) {
        self.now.set(self.now.get() + seconds);
        self.gateway.clock.set_ms(self.now.get() * 1000);
    }

    /// So many seconds from now, as the vendor writes times.
    pub fn time(&self, seconds: i64) -> String {
        let at = OffsetDateTime::from_unix_timestamp(self.now.get() + seconds).unwrap();
        at.format(&Rfc3339).unwrap().replace('Z', ".000Z")
    }

    /// A signed call.
    pub async fn raw(&self, action: &str, parameters: Value) -> Answer {
        let request = signed(
            SECRET_ID,
            SECRET_KEY,
            action,
            &parameters.to_string(),
            self.now.get(),
        );
        self.gateway.send(request).await
    }

    async fn response(&self, action: &str, parameters: Value) -> Value {
        let answer = self.raw(action, parameters).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/json");
        let response = answer.json()["Response"].clone();
        assert_eq!(response["RequestId"].as_str().map(str::len), Some(36));
        response
    }

    /// What a call that has to succeed gives.
    pub async fn done(&self, action: &str, parameters: Value) -> Value {
        let response = self.response(action, parameters).await;
        assert!(response.get("Error").is_none(), "{action}: {response}");
        response
    }

    /// The code of one that has not.
    pub async fn code(&self, action: &str, parameters: Value) -> String {
        let response = self.response(action, parameters).await;
        let code = response["Error"]["Code"].as_str();
        code.unwrap_or_else(|| panic!("{action}: {response}"))
            .to_owned()
    }

    fn operation(id: &str, operation: &str, more: Value) -> Value {
        let mut wish = json!({"Platform": "test", "ProjectId": id, "Operation": operation});
        let members = wish.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        wish
    }

    pub async fn handle(&self, id: &str, operation: &str, more: Value) -> Value {
        let wish = Self::operation(id, operation, more);
        self.done("HandleStreamConnectProject", wish).await
    }

    pub async fn refused(&self, id: &str, operation: &str, more: Value) -> String {
        let wish = Self::operation(id, operation, more);
        self.code("HandleStreamConnectProject", wish).await
    }

    /// One project, as it stands.
    pub async fn describe(&self, id: &str) -> Value {
        let wish =
            json!({"Platform": "test", "ProjectIds": [id], "CategorySet": ["STREAM_CONNECT"]});
        let found = self.done("DescribeProjects", wish).await;
        assert_eq!(found["TotalCount"], 1);
        found["ProjectInfoSet"][0].clone()
    }

    /// A project with a LivePull main input and these outputs; its id.
    pub async fn create(&self, outputs: &[&str]) -> String {
        let outputs: Vec<Value> = outputs.iter().map(|url| json!({"PushUrl": url})).collect();
        let wish = json!({
            "Platform": "test", "Category": "STREAM_CONNECT", "Name": "n",
            "Owner": {"Type": "PERSON", "Id": "user_1"},
            "StreamConnectProjectInput": {
                "MainInput": {"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": "http://play.example.com/a.flv"}},
                "Outputs": outputs,
            },
        });
        let made = self.done("CreateProject", wish).await;
        made["ProjectId"].as_str().unwrap().to_owned()
    }
}

/// A POST with a TC3 signature over content type and host.
pub fn signed(id: &str, key: &str, action: &str, body: &str, now: i64) -> Request<Body> {
    let (host, json) = ("relay.example.com", "application/json");
    Request::post("/")
        .header("host", host)
        .header("content-type", json)
        .header("x-tc-action", action)
        .header("x-tc-version", "2019-10-29")
        .header("x-tc-timestamp", now)
        .header(
            "authorization",
            authorization(id, key, ("POST", "", host, json), body, now),
        )
        .body(Body::from(body.to_owned()))
        .unwrap()
}

/// The header of a TC3 signature; method, query, host and content type are as they are sent.
pub fn authorization(
    id: &str,
    key: &str,
    (method, query, host, content_type): (&str, &str, &str, &str),
    body: &str,
    now: i64,
) -> String {
    let date = OffsetDateTime::from_unix_timestamp(now)
        .unwrap()
        .date()
        .to_string();
    let hash = |text: &str| hex::encode(Sha256::digest(text));
    let request = format!(
        "{method}\n/\n{query}\ncontent-type:{content_type}\nhost:{host}\n\ncontent-type;host\n{}",
        hash(body)
    );
    let text = format!(
        "TC3-HMAC-SHA256\n{now}\n{date}/cme/tc3_request\n{}",
        hash(&request)
    );
    let mac = |key: &[u8], text: &str| {
        let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.chain_update(text).finalize().into_bytes().to_vec()
    };
    let mut derived = mac(format!("TC3{key}").as_bytes(), &date);
    for part in ["cme", "tc3_request"] {
        derived = mac(&derived, part);
    }
    let signature = hex::encode(mac(&derived, &text));
    format!(
        "TC3-HMAC-SHA256 Credential={id}/{date}/cme/tc3_request, SignedHeaders=content-type;host, Signature={signature}"
    )
}

/// Every listed member is there with this value; `<any-string>` is any text but the empty one. Lists have the listed length.
pub fn assert_covers(found: &Value, listed: &Value, place: &str) {
    match (found, listed) {
        (Value::Object(found), Value::Object(listed)) => {
            for (name, listed) in listed {
                let value = found.get(name);
                let value = value.unwrap_or_else(|| panic!("{place}: no {name} in {found:?}"));
                assert_covers(value, listed, &format!("{place}.{name}"));
            }
        }
        (Value::Array(found), Value::Array(listed)) => {
            assert_eq!(found.len(), listed.len(), "{place}: {found:?}");
            for (at, (found, listed)) in found.iter().zip(listed).enumerate() {
                assert_covers(found, listed, &format!("{place}[{at}]"));
            }
        }
        (Value::String(found), Value::String(any)) if any == "<any-string>" => {
            assert!(!found.is_empty(), "{place}");
        }
        (found, listed) => assert_eq!(found, listed, "{place}"),
    }
}
