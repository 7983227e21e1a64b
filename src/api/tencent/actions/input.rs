//! Inputs and outputs, as callers write them.

use serde::Deserialize;

use super::Ground;
use crate::control::{InputWish, OutputDraft, Role};
use crate::secret::Secret;

/// `StreamInputInfo`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StreamInputInfo {
    input_type: String,
    vod_pull_input_info: Option<VodPullInputInfo>,
    live_pull_input_info: Option<LivePullInputInfo>,
    rtmp_push_input_info: Option<RtmpPushInputInfo>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VodPullInputInfo {
    input_urls: Vec<String>,
    loop_times: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LivePullInputInfo {
    input_url: String,
}

/// A `PushUrl` that a caller sends is one that it was given before: the service makes its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RtmpPushInputInfo {
    expired_second: u64,
}

/// `StreamConnectOutput`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StreamConnectOutput {
    id: Option<String>,
    name: Option<String>,
    r#type: Option<String>,
    push_url: Option<String>,
}

impl StreamConnectOutput {
    pub fn into_draft(self) -> Result<OutputDraft, String> {
        if self
            .r#type
            .is_some_and(|kind| !matches!(&*kind, "" | "URL"))
        {
            return Err("an output's Type is URL".to_owned());
        }
        Ok(OutputDraft {
            id: self.id,
            name: self.name,
            url: self.push_url.map(Secret::new),
        })
    }
}

impl Ground<'_> {
    /// What is wished for.
    pub(super) fn input(&self, info: StreamInputInfo) -> Result<InputWish, String> {
        let missing = |name: &str| format!("{name} is missing beside its InputType");
        match info.input_type.as_str() {
            "LivePull" => {
                let pull = info.live_pull_input_info;
                let pull = pull.ok_or_else(|| missing("LivePullInputInfo"))?;
                Ok(InputWish::LivePull(Secret::new(pull.input_url)))
            }
            "VodPull" => {
                let pull = info.vod_pull_input_info;
                let pull = pull.ok_or_else(|| missing("VodPullInputInfo"))?;
                Ok(InputWish::VodPull {
                    urls: pull.input_urls.into_iter().map(Secret::new).collect(),
                    loops: pull.loop_times.unwrap_or_default(),
                })
            }
            "RtmpPush" if self.push_server.is_none() => Err(
                "this gateway does not know its own address; set advertise in its [rtmp] section"
                    .to_owned(),
            ),
            "RtmpPush" => {
                let push = info.rtmp_push_input_info;
                let push = push.ok_or_else(|| missing("RtmpPushInputInfo"))?;
                Ok(InputWish::RtmpPush {
                    seconds: push.expired_second,
                })
            }
            _ => Err("InputType is none of LivePull, VodPull and RtmpPush".to_owned()),
        }
    }
}

/// The place that an `InputEndpoint` names.
pub(super) fn endpoint(name: Option<&str>) -> Result<Role, String> {
    match name {
        Some("Main") => Ok(Role::Main),
        Some("Backup") => Ok(Role::Backup),
        _ => Err("InputEndpoint is neither Main nor Backup".to_owned()),
    }
}
