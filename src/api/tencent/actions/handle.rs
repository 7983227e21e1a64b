//! `HandleStreamConnectProject`: the operations on a project.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::input::{StreamConnectOutput, StreamInputInfo, endpoint};
use super::{Ground, Output, project_id, refused};
use crate::api::tencent::call::Action;
use crate::api::tencent::envelope::{Code, Refusal};
use crate::api::tencent::view;
use crate::control::{
    InputWish, OutputDraft, Project, ProjectCaller, ProjectChange, ProjectFailure, ProjectId,
    ProjectInput, Role,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Handle {
    platform: String,
    project_id: String,
    operation: String,
    input_info: Option<StreamInputInfo>,
    input_endpoint: Option<String>,
    #[serde(rename = "InputEndPoint")]
    input_end_point: Option<String>,
    output_info: Option<StreamConnectOutput>,
    current_stop_time: Option<String>,
    operator: Option<String>,
}

pub(super) async fn run(ground: &Ground<'_>, mut wish: Handle) -> Result<Output, Refusal> {
    let platform = std::mem::take(&mut wish.platform);
    let caller = ground.caller(platform, wish.operator.take())?;
    let operation = Operation::parse(&wish.operation).ok_or_else(|| {
        let why = format!("an Operation is one of {}", Operation::NAMES.join(", "));
        Refusal::new(Code::InvalidParameterValue, why)
    })?;
    let id = project_id(&wish.project_id)?;
    // A project that is not there, or not the operator's, is told before anything about what should be done with it.
    let projects = &ground.doors.projects;
    let found = projects.find(&caller, &id).map_err(failed)?;
    if operation == Operation::DescribeInputPlayInfo {
        return play_info(ground, &found, wish.place()?);
    }
    change(ground, caller, id, operation, wish).await
}

async fn change(
    ground: &Ground<'_>,
    caller: ProjectCaller,
    id: ProjectId,
    operation: Operation,
    wish: Handle,
) -> Result<Output, Refusal> {
    let (change, added) = match operation {
        Operation::AddInput => {
            let role = wish.place()?;
            let added = Some(role);
            (ProjectChange::AddInput(role, wish.input(ground)?), added)
        }
        Operation::ModifyInput => {
            let role = wish.place()?;
            (ProjectChange::ModifyInput(role, wish.input(ground)?), None)
        }
        Operation::DeleteInput => (ProjectChange::DeleteInput(wish.place()?), None),
        Operation::AddOutput => (ProjectChange::AddOutput(wish.output()?), None),
        Operation::ModifyOutput => (ProjectChange::ModifyOutput(wish.output()?), None),
        Operation::DeleteOutput => (ProjectChange::DeleteOutput(wish.output()?.id), None),
        Operation::Start => (ProjectChange::Start, None),
        Operation::Stop => (ProjectChange::Stop, None),
        Operation::SwitchInput => (ProjectChange::SwitchInput(wish.place()?), None),
        Operation::ModifyCurrentStopTime => (ProjectChange::StopAt(wish.stop_time()?), None),
        // It changes nothing, and is answered before.
        Operation::DescribeInputPlayInfo => return Ok(answer(String::new(), Value::Null)),
    };
    let changed = ground.doors.projects.change(caller, id, change).await;
    let project = changed.map_err(failed)?;
    let url = added.map(|role| view::push_url(&project, role, ground.push_server));
    Ok(answer(url.unwrap_or_default(), Value::Null))
}

fn play_info(ground: &Ground<'_>, project: &Project, role: Role) -> Result<Output, Refusal> {
    let wrong = |why| Err(Refusal::new(Code::StreamConnectInputInvalid, why));
    match project.input(role) {
        Some(ProjectInput::VodPull(_)) if project.is_working() => {}
        Some(ProjectInput::VodPull(_)) => return wrong("the project is not working"),
        _ => return wrong("this input is not a VodPull"),
    }
    let info = match ground.doors.projects.position(project, role) {
        Some(at) => json!({"Url": at.url.expose(), "TimeOffset": at.offset.as_secs_f64()}),
        // It has not begun yet, or has ended.
        None => Value::Null,
    };
    Ok(answer(String::new(), info))
}

fn answer(push_url: String, play_info: Value) -> Output {
    Map::from_iter([
        ("StreamInputRtmpPushUrl".to_owned(), push_url.into()),
        ("VodPullInputPlayInfo".to_owned(), play_info),
    ])
}

fn failed(failure: ProjectFailure) -> Refusal {
    refused(Action::HandleStreamConnectProject, &failure)
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    AddInput,
    ModifyInput,
    DeleteInput,
    AddOutput,
    ModifyOutput,
    DeleteOutput,
    Start,
    Stop,
    SwitchInput,
    ModifyCurrentStopTime,
    DescribeInputPlayInfo,
}

impl Operation {
    const NAMES: [&str; 11] = [
        "AddInput",
        "ModifyInput",
        "DeleteInput",
        "AddOutput",
        "ModifyOutput",
        "DeleteOutput",
        "Start",
        "Stop",
        "SwitchInput",
        "ModifyCurrentStopTime",
        "DescribeInputPlayInfo",
    ];

    fn parse(name: &str) -> Option<Self> {
        match name {
            "AddInput" => Some(Self::AddInput),
            "ModifyInput" => Some(Self::ModifyInput),
            "DeleteInput" => Some(Self::DeleteInput),
            "AddOutput" => Some(Self::AddOutput),
            "ModifyOutput" => Some(Self::ModifyOutput),
            "DeleteOutput" => Some(Self::DeleteOutput),
            "Start" => Some(Self::Start),
            "Stop" => Some(Self::Stop),
            "SwitchInput" => Some(Self::SwitchInput),
            "ModifyCurrentStopTime" => Some(Self::ModifyCurrentStopTime),
            "DescribeInputPlayInfo" => Some(Self::DescribeInputPlayInfo),
            _ => None,
        }
    }
}

impl Handle {
    fn place(&self) -> Result<Role, Refusal> {
        let name = self.input_endpoint.as_deref();
        endpoint(name.or(self.input_end_point.as_deref())).map_err(wrong_input)
    }

    fn input(self, ground: &Ground<'_>) -> Result<InputWish, Refusal> {
        let info = self.input_info;
        let info = info.ok_or_else(|| wrong_input("InputInfo is missing".to_owned()))?;
        ground.input(info).map_err(wrong_input)
    }

    fn output(self) -> Result<OutputDraft, Refusal> {
        let wrong = |why| Refusal::new(Code::StreamConnectOutputInvalid, why);
        let info = self.output_info;
        let info = info.ok_or_else(|| wrong("OutputInfo is missing".to_owned()))?;
        info.into_draft().map_err(wrong)
    }

    fn stop_time(&self) -> Result<OffsetDateTime, Refusal> {
        let text = self.current_stop_time.as_deref().unwrap_or_default();
        OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
            let why = "CurrentStopTime is not a time such as 2020-11-13T06:41:34.808Z";
            Refusal::new(Code::InvalidParameterValue, why)
        })
    }
}

fn wrong_input(why: String) -> Refusal {
    Refusal::new(Code::StreamConnectInputInvalid, why)
}
