//! Projects as the vendor's callers see them.

use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset};

use super::event::endpoint;
use crate::control::{Project, ProjectInput, ProjectLife, Role};

/// What a view needs beside the project.
pub(super) struct Surroundings<'a> {
    /// `rtmp://host[:port]`, as publishers reach the gateway.
    pub push_server: Option<&'a str>,
    /// The input that is on the air.
    pub current: Role,
}

/// `ProjectInfo`.
pub(super) fn project(project: &Project, around: &Surroundings<'_>) -> Value {
    json!({
        "ProjectId": project.id.as_str(),
        "Name": project.name,
        "AspectRatio": "",
        "Category": "STREAM_CONNECT",
        "Owner": {"Type": "PERSON", "Id": project.owner},
        "CoverUrl": "",
        "StreamConnectProjectInfo": stream_connect(project, around),
        "MediaCastProjectInfo": null,
        "UpdateTime": time(project.updated_at),
        "CreateTime": time(project.created_at),
    })
}

fn stream_connect(project: &Project, around: &Surroundings<'_>) -> Value {
    let (status, started_at, stop_at, stopped_at) = match project.life {
        ProjectLife::Idle { stopped_at } => ("Idle", None, None, stopped_at),
        ProjectLife::Working {
            started_at,
            stop_at,
            ..
        } => ("Working", Some(started_at), Some(stop_at), None),
    };
    let time_or_nothing = |at: Option<OffsetDateTime>| at.map(time).unwrap_or_default();
    let switch = if project.is_working() { "On" } else { "Off" };
    let outputs: Vec<Value> = project
        .outputs
        .iter()
        .map(|output| {
            json!({
                "StreamConnectOutput": {
                    "Id": output.id,
                    "Name": output.name,
                    "Type": "URL",
                    "PushUrl": output.given.expose(),
                },
                "PushSwitch": switch,
            })
        })
        .collect();
    json!({
        "Status": status,
        "CurrentInputEndpoint": endpoint(around.current),
        "CurrentStartTime": time_or_nothing(started_at),
        "CurrentStopTime": time_or_nothing(stop_at),
        "LastStopTime": time_or_nothing(stopped_at),
        "MainInput": input(project, Role::Main, around.push_server),
        "BackupInput": input(project, Role::Backup, around.push_server),
        "OutputSet": outputs,
    })
}

fn input(project: &Project, role: Role, push_server: Option<&str>) -> Value {
    let Some(input) = project.input(role) else {
        return Value::Null;
    };
    let kind = match input {
        ProjectInput::LivePull(_) => "LivePull",
        ProjectInput::VodPull(_) => "VodPull",
        ProjectInput::RtmpPush { .. } => "RtmpPush",
    };
    let live = match input {
        ProjectInput::LivePull(url) => json!({"InputUrl": url.expose()}),
        _ => Value::Null,
    };
    let vod = match input {
        ProjectInput::VodPull(files) => {
            let urls: Vec<&str> = files.urls().iter().map(|url| url.expose()).collect();
            json!({"InputUrls": urls, "LoopTimes": files.loops().as_number()})
        }
        _ => Value::Null,
    };
    let push = match input {
        ProjectInput::RtmpPush { .. } => push_info(project, role, push_server),
        _ => Value::Null,
    };
    json!({
        "InputType": kind,
        "VodPullInputInfo": vod,
        "LivePullInputInfo": live,
        "RtmpPushInputInfo": push,
    })
}

/// `RtmpPushInputInfo` of a place, which is empty where no publisher is to feed it.
pub(super) fn push_info(project: &Project, role: Role, push_server: Option<&str>) -> Value {
    let seconds = match project.input(role) {
        Some(ProjectInput::RtmpPush { seconds, .. }) => *seconds,
        _ => 0,
    };
    json!({"ExpiredSecond": seconds, "PushUrl": push_url(project, role, push_server)})
}

/// The URL that a publisher for this place is given; empty where none is to feed it, or where the gateway does not know its own
/// address.
pub(super) fn push_url(project: &Project, role: Role, push_server: Option<&str>) -> String {
    let url = push_server.and_then(|server| project.push_url(role, server));
    url.map(|url| url.expose().to_owned()).unwrap_or_default()
}

/// As the vendor writes times: ISO 8601, UTC, with milliseconds.
fn time(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, millis) = at.to_hms_milli();
    format!(
        "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z",
        u8::from(month)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_605_249_694_808_999_999).unwrap();
        let at = at.to_offset(UtcOffset::from_hms(8, 0, 0).unwrap());
        assert_eq!(time(at), "2020-11-13T06:41:34.808Z");
    }
}
