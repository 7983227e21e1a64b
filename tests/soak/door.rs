//! What a publisher asks the gateway.

use super::common::gateway::Gateway;
use super::common::http_client;
use reqwest::StatusCode;

#[derive(Clone)]
pub struct Door {
    streams: String,
    token: String,
    client: reqwest::Client,
}

impl Door {
    pub fn of(gateway: &Gateway) -> Self {
        Self {
            streams: format!("http://{}/v1/streams/live", gateway.http),
            token: gateway.token.clone(),
            client: http_client(),
        }
    }

    /// Whether a stream is live, its grace included; true where there is no answer.
    pub async fn has_stream(&self, stream: usize) -> bool {
        let url = format!("{}/cam{stream}", self.streams);
        let answer = self.client.get(url).bearer_auth(&self.token).send().await;
        answer.map_or(true, |answer| answer.status() != StatusCode::NOT_FOUND)
    }
}
