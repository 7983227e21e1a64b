//! What the gateway tells of a project, in the vendor's form; and the reverse, which is an action of its own.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::control::{ProjectEvent, ProjectHappening, Role};
use crate::secret::Secret;

/// The only type of event that this gateway sends.
const STATUS_CHANGED: &str = "Project.StreamConnect.StatusChanged";

/// The body of an event. Members of the vendor's other products, which are `null` in one of these, are left alone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EventContent {
    event_type: String,
    operator: Option<String>,
    project_stream_connect_status_changed_event: StatusChanged,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StatusChanged {
    project_id: String,
    status: Status,
    input_interrupt_info: Option<InputInterruptInfo>,
    output_interrupt_info: Option<OutputInterruptInfo>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Status {
    Working,
    Stopped,
    InputInterrupted,
    OutputInterrupted,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InputInterruptInfo {
    #[serde(rename = "EndPoint")]
    end_point: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OutputInterruptInfo {
    id: Option<String>,
    name: Option<String>,
    url: Option<String>,
}

impl EventContent {
    fn of(event: &ProjectEvent) -> Self {
        let status = match event.happening {
            ProjectHappening::Working => Status::Working,
            ProjectHappening::Stopped => Status::Stopped,
            ProjectHappening::InputInterrupted(_) => Status::InputInterrupted,
            ProjectHappening::OutputInterrupted(_) => Status::OutputInterrupted,
        };
        let input_interrupt_info = match event.happening {
            ProjectHappening::InputInterrupted(role) => Some(InputInterruptInfo {
                end_point: endpoint(role).to_owned(),
            }),
            _ => None,
        };
        let output_interrupt_info = match &event.happening {
            ProjectHappening::OutputInterrupted(output) => Some(OutputInterruptInfo {
                id: Some(output.id.clone()),
                name: Some(output.name.clone()),
                url: Some(output.given.expose().to_owned()),
            }),
            _ => None,
        };
        Self {
            event_type: STATUS_CHANGED.to_owned(),
            operator: Some(event.operator.clone()),
            project_stream_connect_status_changed_event: StatusChanged {
                project_id: event.project.id.as_str().to_owned(),
                status,
                input_interrupt_info,
                output_interrupt_info,
            },
        }
    }

    /// Reads the body of an event of this gateway.
    pub fn parse(text: &str) -> Option<Self> {
        let content: Self = serde_json::from_str(text).ok()?;
        (content.event_type == STATUS_CHANGED).then_some(content)
    }
}

/// The body that is sent to an app's `events_url`. It holds the URL of an output that was interrupted, as the vendor's does.
pub fn event_body(event: &ProjectEvent) -> String {
    serde_json::to_string(&EventContent::of(event)).unwrap_or_default()
}

/// What stands in `X-Relay-Signature`: the HMAC-SHA256 of the body with the app's SecretKey, in lower-case hex.
pub fn event_signature(body: &str, key: &Secret) -> String {
    // A key may have any length.
    Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
        .map(|mac| hex::encode(mac.chain_update(body).finalize().into_bytes()))
        .unwrap_or_default()
}

/// The vendor's word for an input's place.
pub(super) fn endpoint(role: Role) -> &'static str {
    match role {
        Role::Main => "Main",
        Role::Backup => "Backup",
    }
}
