//! A caller of the ZEGO door.

use aqueduct::api::zego::sign;
use aqueduct::secret::Secret;
use serde_json::Value;

use super::Gateway;

pub const NOW: i64 = 1_761_955_200;
pub const APP_ID: u32 = 1_234_567_890;
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// A second app, where a gateway has one.
pub const OTHER_APP_ID: u32 = 42;
pub const OTHER_SECRET: &str = "the other app's secret";

/// Calls actions; each call is a second after the last, so that neither rate nor sequence is in the way.
pub struct Caller {
    pub gateway: Gateway,
    calls: std::cell::Cell<i64>,
}

impl Caller {
    pub fn new(gateway: Gateway) -> Self {
        Self {
            gateway,
            calls: 0.into(),
        }
    }

    /// A signed request of the first app's.
    pub fn target(&self, parameters: &[(&str, &str)]) -> String {
        self.target_of(APP_ID, SECRET, parameters)
    }

    pub fn target_of(&self, app_id: u32, secret: &str, parameters: &[(&str, &str)]) -> String {
        let calls = self.calls.get() + 1;
        self.calls.set(calls);
        let now = NOW + calls;
        self.gateway.clock.set_ms(now * 1000);
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters {
            query.append_pair(name, value);
        }
        if !parameters.iter().any(|(name, _)| *name == "Sequence") {
            query.append_pair("Sequence", &calls.to_string());
        }
        query.append_pair("AppId", &app_id.to_string());
        query.append_pair("SignatureNonce", "4fd24687296dd9f3");
        query.append_pair("Timestamp", &now.to_string());
        query.append_pair("SignatureVersion", "2.0");
        let secret = Secret::new(secret);
        let signature = sign(app_id, "4fd24687296dd9f3", &secret, &now.to_string());
        query.append_pair("Signature", &signature);
        format!("/?{}", query.finish())
    }

    /// Calls an action with these parameters; the whole answer.
    pub async fn ask(&self, parameters: &[(&str, &str)]) -> Value {
        self.gateway.call(&self.target(parameters)).await.json()
    }

    /// The same for the second app.
    pub async fn ask_as_other(&self, parameters: &[(&str, &str)]) -> Value {
        let target = self.target_of(OTHER_APP_ID, OTHER_SECRET, parameters);
        self.gateway.call(&target).await.json()
    }

    pub async fn call(&self, action: &str, stream: &str, url: &str) -> u64 {
        let parameters = [("Action", action), ("StreamId", stream), ("CDNUrl", url)];
        self.ask(&parameters).await["Code"].as_u64().unwrap()
    }

    pub async fn create(&self, stream: &str, url: &str) -> u64 {
        self.call("CreatCDNTransferRule", stream, url).await
    }

    pub async fn delete(&self, stream: &str, url: &str) -> u64 {
        self.call("DeleteCDNTransferRule", stream, url).await
    }

    pub async fn clear(&self, stream: &str) -> u64 {
        let parameters = [("Action", "ClearCDNTransferRule"), ("StreamId", stream)];
        self.ask(&parameters).await["Code"].as_u64().unwrap()
    }

    pub fn urls(&self) -> Vec<String> {
        let rules = self.gateway.rules.list(None);
        rules
            .iter()
            .map(|rule| rule.url.expose().to_owned())
            .collect()
    }
}
