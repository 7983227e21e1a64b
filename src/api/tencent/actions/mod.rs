//! What each action does. The parameters are checked against the model before; here their values are judged.

mod describe;
mod handle;
mod input;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::call::{Action, Call};
use super::envelope::{Code, Refusal};
use super::event::EventContent;
use super::limits::{MAX_NAME_CHARS, MAX_OWNER_CHARS, MAX_PLATFORM_CHARS};
use super::{Account, view};
use crate::api::Doors;
use crate::control::{
    ProjectCaller, ProjectChange, ProjectError, ProjectFailure, ProjectId, ProjectInput,
    ProjectWish, Role, SYSTEM_OPERATOR,
};

/// The members of an action's output.
pub(super) type Output = Map<String, Value>;

/// The categories of project that the vendor has, of which this gateway makes the last.
const CATEGORIES: [&str; 6] = [
    "VIDEO_EDIT",
    "SWITCHER",
    "VIDEO_SEGMENTATION",
    "RECORD_REPLAY",
    "MEDIA_CAST",
    STREAM_CONNECT,
];

const STREAM_CONNECT: &str = "STREAM_CONNECT";

/// The aspect ratios that the vendor has. Nothing depends on them: this gateway makes no pictures.
const ASPECT_RATIOS: [&str; 2] = ["16:9", "9:16"];

/// What an action stands on.
pub(super) struct Ground<'a> {
    pub doors: &'a Doors,
    pub account: &'a Account,
    /// `rtmp://host[:port]`, as publishers reach the gateway.
    pub push_server: Option<&'a str>,
}

/// Carries a call out.
pub(super) async fn run(ground: &Ground<'_>, call: &Call<'_>) -> Result<Output, Refusal> {
    let parameters = call.parameters()?;
    match call.action {
        Action::CreateProject => create(ground, read(parameters)?).await,
        Action::DescribeProjects => describe::run(ground, read(parameters)?),
        Action::ModifyProject => modify(ground, read(parameters)?).await,
        Action::DeleteProject => delete(ground, read(parameters)?).await,
        Action::HandleStreamConnectProject => handle::run(ground, read(parameters)?).await,
        Action::ParseEvent => parse_event(ground, &read(parameters)?),
    }
}

/// `Entity`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entity {
    r#type: String,
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateProject {
    platform: String,
    name: String,
    owner: Entity,
    category: String,
    aspect_ratio: Option<String>,
    stream_connect_project_input: Option<StreamConnectProjectInput>,
    operator: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamConnectProjectInput {
    main_input: Option<input::StreamInputInfo>,
    backup_input: Option<input::StreamInputInfo>,
    #[serde(default)]
    outputs: Vec<input::StreamConnectOutput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModifyProject {
    platform: String,
    project_id: String,
    name: Option<String>,
    aspect_ratio: Option<String>,
    owner: Option<Entity>,
    operator: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteProject {
    platform: String,
    project_id: String,
    operator: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ParseEvent {
    platform: String,
    event_content: String,
}

async fn create(ground: &Ground<'_>, wish: CreateProject) -> Result<Output, Refusal> {
    let caller = ground.caller(wish.platform, wish.operator)?;
    let name = project_name(wish.name)?;
    let owner = owner(wish.owner)?;
    if ![SYSTEM_OPERATOR, &owner].contains(&caller.operator.as_str()) {
        return Err(refused(Action::CreateProject, &ProjectFailure::NotOwner));
    }
    category(&wish.category, Code::Category)?;
    if wish.category != STREAM_CONNECT {
        let why = "this gateway makes projects of the Category STREAM_CONNECT only";
        return Err(Refusal::new(Code::Category, why));
    }
    aspect_ratio(wish.aspect_ratio.as_deref(), Code::AspectRatio)?;
    let parts = wish.stream_connect_project_input.ok_or_else(|| {
        let why = "StreamConnectProjectInput is missing, which a project of the Category STREAM_CONNECT has";
        Refusal::new(Code::InvalidParameterValue, why)
    })?;
    let wrong = |why| Refusal::new(Code::InvalidParameterValue, why);
    let input = |info: Option<input::StreamInputInfo>| {
        let wish = info.map(|info| ground.input(info)).transpose();
        wish.map_err(wrong)
    };
    let outputs: Result<Vec<_>, String> = parts
        .outputs
        .into_iter()
        .map(input::StreamConnectOutput::into_draft)
        .collect();
    let wish = ProjectWish {
        app: caller.app,
        platform: caller.platform,
        name,
        owner,
        main: input(parts.main_input)?,
        backup: input(parts.backup_input)?,
        outputs: outputs.map_err(wrong)?,
    };
    let made = ground.doors.projects.create(wish).await;
    let project = made.map_err(|why| refused(Action::CreateProject, &why))?;
    let is_pushed = |role| matches!(project.input(role), Some(ProjectInput::RtmpPush { .. }));
    let pushes: Vec<Value> = match Role::BOTH.into_iter().any(is_pushed) {
        true => Role::BOTH
            .into_iter()
            .map(|role| view::push_info(&project, role, ground.push_server))
            .collect(),
        false => Vec::new(),
    };
    Ok(Map::from_iter([
        ("ProjectId".to_owned(), project.id.as_str().into()),
        ("RtmpPushInputInfoSet".to_owned(), pushes.into()),
    ]))
}

async fn modify(ground: &Ground<'_>, wish: ModifyProject) -> Result<Output, Refusal> {
    let caller = ground.caller(wish.platform, wish.operator)?;
    aspect_ratio(wish.aspect_ratio.as_deref(), Code::AspectRatio)?;
    let change = ProjectChange::Rename {
        name: wish.name.map(project_name).transpose()?,
        owner: wish.owner.map(owner).transpose()?,
    };
    let id = project_id(&wish.project_id)?;
    let changed = ground.doors.projects.change(caller, id, change).await;
    changed
        .map(|_| Map::new())
        .map_err(|why| refused(Action::ModifyProject, &why))
}

async fn delete(ground: &Ground<'_>, wish: DeleteProject) -> Result<Output, Refusal> {
    let caller = ground.caller(wish.platform, wish.operator)?;
    let id = project_id(&wish.project_id)?;
    let deleted = ground.doors.projects.delete(caller, id).await;
    deleted
        .map(|()| Map::new())
        .map_err(|why| refused(Action::DeleteProject, &why))
}

/// The vendor has this action for its SDKs' sake, which get an event's type from it.
fn parse_event(ground: &Ground<'_>, wish: &ParseEvent) -> Result<Output, Refusal> {
    ground.platform(wish.platform.clone())?;
    let content = EventContent::parse(&wish.event_content).ok_or_else(|| {
        let why = "EventContent is not the body of an event that this gateway sends";
        Refusal::new(Code::InvalidParameterValue, why)
    })?;
    Ok(Map::from_iter([(
        "EventContent".to_owned(),
        json!(content),
    )]))
}

impl Ground<'_> {
    /// The platform that a caller says to be part of, where its app has it.
    fn platform(&self, platform: String) -> Result<String, Refusal> {
        if platform.is_empty() || platform.chars().count() > MAX_PLATFORM_CHARS {
            let why = format!("Platform has 1 to {MAX_PLATFORM_CHARS} characters");
            return Err(Refusal::new(Code::Platform, why));
        }
        match &self.account.platform {
            Some(ours) if *ours != platform => Err(Refusal::new(
                Code::PlatformNotFound,
                "the app of this SecretId has another Platform",
            )),
            _ => Ok(platform),
        }
    }

    fn caller(&self, platform: String, operator: Option<String>) -> Result<ProjectCaller, Refusal> {
        let operator = operator.filter(|operator| !operator.is_empty());
        Ok(ProjectCaller {
            app: self.account.app.clone(),
            platform: self.platform(platform)?,
            operator: operator.unwrap_or_else(|| SYSTEM_OPERATOR.to_owned()),
        })
    }
}

/// What a door's caller is told of a failure.
fn refused(action: Action, failure: &ProjectFailure) -> Refusal {
    let handles = action == Action::HandleStreamConnectProject;
    let here = |of_handle, of_others| if handles { of_handle } else { of_others };
    let code = match failure {
        ProjectFailure::NotFound => Code::ProjectId,
        ProjectFailure::NotOwner => Code::PermissionDeny,
        ProjectFailure::Refused(error) => match error {
            ProjectError::Input(_) => {
                here(Code::StreamConnectInputInvalid, Code::InvalidParameterValue)
            }
            ProjectError::Output(_) => here(
                Code::StreamConnectOutputInvalid,
                Code::InvalidParameterValue,
            ),
            ProjectError::Incomplete(_) => Code::StreamConnect,
            ProjectError::WrongState(_) => Code::FailedStreamConnect,
            ProjectError::StopTime(_) => Code::InvalidParameterValue,
            ProjectError::TooManyOutputs => Code::LimitExceeded,
        },
        ProjectFailure::IsWorking => Code::FailedOperation,
        ProjectFailure::TooMany => Code::LimitExceeded,
        ProjectFailure::NotStarted(_) => Code::FailedStreamConnect,
        ProjectFailure::PartlyStarted(_) => Code::StartStreamConnectPartlyErr,
        ProjectFailure::NotCarriedOut(_) => here(Code::FailedStreamConnect, Code::FailedOperation),
        ProjectFailure::NotStored(_) | ProjectFailure::GivenUp(_) => Code::InternalError,
    };
    Refusal::new(code, failure.to_string())
}

/// The model has let nothing through that these types do not take.
fn read<T: DeserializeOwned>(parameters: Value) -> Result<T, Refusal> {
    serde_json::from_value(parameters)
        .map_err(|_| Refusal::new(Code::InvalidParameter, "the parameters cannot be read"))
}

/// What is no id of a project is none that is known.
fn project_id(text: &str) -> Result<ProjectId, Refusal> {
    ProjectId::parse(text).ok_or_else(|| refused(Action::DeleteProject, &ProjectFailure::NotFound))
}

fn project_name(name: String) -> Result<String, Refusal> {
    match name.chars().count() {
        0 => Err(Refusal::new(Code::Name, "Name is empty")),
        1..=MAX_NAME_CHARS => Ok(name),
        _ => {
            let why = format!("Name has more than {MAX_NAME_CHARS} characters");
            Err(Refusal::new(Code::NameLenLimt, why))
        }
    }
}

/// The user who owns something. The vendor knows teams, and lets none of them own a project.
fn owner(owner: Entity) -> Result<String, Refusal> {
    if owner.r#type != "PERSON" {
        return Err(Refusal::new(Code::OwnerType, "Owner.Type is not PERSON"));
    }
    match owner.id.chars().count() {
        1..=MAX_OWNER_CHARS => Ok(owner.id),
        _ => {
            let why = format!("Owner.Id has 1 to {MAX_OWNER_CHARS} characters");
            Err(Refusal::new(Code::OwnerId, why))
        }
    }
}

fn category(name: &str, code: Code) -> Result<(), Refusal> {
    match CATEGORIES.contains(&name) {
        true => Ok(()),
        false => Err(Refusal::new(
            code,
            format!("a category is one of {}", CATEGORIES.join(", ")),
        )),
    }
}

fn aspect_ratio(ratio: Option<&str>, code: Code) -> Result<(), Refusal> {
    match ratio {
        Some(ratio) if !ratio.is_empty() && !ASPECT_RATIOS.contains(&ratio) => Err(Refusal::new(
            code,
            format!("an aspect ratio is one of {}", ASPECT_RATIOS.join(", ")),
        )),
        _ => Ok(()),
    }
}
