//! `/v1/inputs` and `/v1/streams/{app}/{name}/inputs`: what streams are fed from, beside or instead of their publishers.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::input_body::{InputBody, PutInput, StreamInputsBody};
use super::{Native, Reveal};
use crate::api::body;
use crate::api::problem::{Problem, ProblemBody};
use crate::control::inputs::{Put, PutError, RemoveError, SwitchError};
use crate::control::{Origin, Role, SourceKind, StreamKey};

/// Which inputs to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct InputFilter {
    /// Only those of this app.
    app: Option<String>,
    /// Show URLs with their keys.
    #[serde(default)]
    reveal: bool,
}

/// Which input shall be on the air.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchInput {
    /// `main` or `backup`.
    #[schema(example = "backup")]
    role: String,
}

/// The inputs of all streams that have any beside their publisher.
#[utoipa::path(get, path = "/v1/inputs", tag = "inputs", params(InputFilter),
    responses((status = 200, body = Vec<StreamInputsBody>)))]
pub(super) async fn list(
    State(native): State<Native>,
    body::Parameters(filter): body::Parameters<InputFilter>,
) -> Json<Vec<StreamInputsBody>> {
    let all = native.doors.inputs.list();
    let wanted = all.iter().filter(|inputs| {
        let app = inputs.stream.app.as_str();
        filter.app.as_deref().is_none_or(|wanted| app == wanted)
    });
    let shown =
        wanted.map(|inputs| StreamInputsBody::of(inputs, &native.doors.inputs, filter.reveal));
    Json(shown.collect())
}

/// The inputs of one stream.
#[utoipa::path(get, path = "/v1/streams/{app}/{name}/inputs", tag = "inputs",
    params(("app" = String, Path), ("name" = String, Path), Reveal),
    responses(
        (status = 200, body = StreamInputsBody),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn of_stream(
    State(native): State<Native>,
    Path((app, name)): Path<(String, String)>,
    body::Parameters(Reveal { reveal }): body::Parameters<Reveal>,
) -> Result<Json<StreamInputsBody>, Problem> {
    let inputs = &native.doors.inputs;
    let found = key(&app, &name).ok().and_then(|key| inputs.of(&key));
    let found = found.ok_or_else(none)?;
    Ok(Json(StreamInputsBody::of(&found, inputs, reveal)))
}

/// One input of a stream.
#[utoipa::path(get, path = "/v1/streams/{app}/{name}/inputs/{role}", tag = "inputs",
    params(("app" = String, Path), ("name" = String, Path),
        ("role" = String, Path, description = "`main` or `backup`."), Reveal),
    responses(
        (status = 200, body = InputBody),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn show(
    State(native): State<Native>,
    Path((app, name, role)): Path<(String, String, String)>,
    body::Parameters(Reveal { reveal }): body::Parameters<Reveal>,
) -> Result<Json<InputBody>, Problem> {
    let (key, role) = place(&app, &name, &role).map_err(|_| none())?;
    shown(&native, &key, role, reveal)
        .ok_or_else(none)
        .map(Json)
}

/// Puts an input in its place, instead of the one that was put there before: `url` is fetched, `files` are played, and for `push`
/// a URL is made that one publisher may use. It runs at once, and again after a restart.
#[utoipa::path(put, path = "/v1/streams/{app}/{name}/inputs/{role}", tag = "inputs",
    params(("app" = String, Path), ("name" = String, Path),
        ("role" = String, Path, description = "`main` or `backup`."), Reveal),
    request_body = PutInput,
    responses(
        (status = 201, description = "The place was free.", body = InputBody),
        (status = 200, description = "It is in the place of another one, or was there already.", body = InputBody),
        (status = 404, description = "There is no such place.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "The place belongs to the configuration or to another door, or there are too many.",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "One member is wrong.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "It cannot be stored.", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn put(
    State(native): State<Native>,
    Path((app, name, role)): Path<(String, String, String)>,
    body::Parameters(Reveal { reveal }): body::Parameters<Reveal>,
    body::Json(wish): body::Json<PutInput>,
) -> Result<Response, Problem> {
    let (key, role) = place(&app, &name, &role)?;
    let input = wish.parse(key.clone(), role, native.doors.clock.now())?;
    let put = native.doors.inputs.put(input).await?;
    let body = shown(&native, &key, role, reveal).ok_or_else(none)?;
    let status = match put {
        Put::New => StatusCode::CREATED,
        Put::Changed | Put::Standing => StatusCode::OK,
    };
    Ok((status, Json(body)).into_response())
}

/// Takes an input away. Where it was the stream's last one, the stream ends.
#[utoipa::path(delete, path = "/v1/streams/{app}/{name}/inputs/{role}", tag = "inputs",
    params(("app" = String, Path), ("name" = String, Path),
        ("role" = String, Path, description = "`main` or `backup`.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It belongs to the configuration or to another door.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "The removal cannot be stored.", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn remove(
    State(native): State<Native>,
    Path((app, name, role)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let (key, role) = place(&app, &name, &role).map_err(|_| none())?;
    native.doors.inputs.remove(&key, role, Origin::Api).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has the stream rather fed from one of its inputs: at that input's next keyframe where it is well, and otherwise as soon as it is.
#[utoipa::path(post, path = "/v1/streams/{app}/{name}/inputs/switch", tag = "inputs",
    params(("app" = String, Path), ("name" = String, Path)), request_body = SwitchInput,
    responses(
        (status = 200, body = StreamInputsBody),
        (status = 404, description = "The stream has no such input.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "The input is not started.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "One member is wrong.", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn switch(
    State(native): State<Native>,
    Path((app, name)): Path<(String, String)>,
    body::Json(wish): body::Json<SwitchInput>,
) -> Result<Json<StreamInputsBody>, Problem> {
    let key = key(&app, &name)?;
    let role = Role::parse(&wish.role).ok_or_else(|| Problem::invalid("role", ROLES))?;
    native.doors.inputs.switch(&key, role).await?;
    let inputs = &native.doors.inputs;
    let found = inputs.of(&key).ok_or_else(none)?;
    Ok(Json(StreamInputsBody::of(&found, inputs, false)))
}

const ROLES: &str = "role: an input is \"main\" or \"backup\".";

fn shown(native: &Native, key: &StreamKey, role: Role, reveal: bool) -> Option<InputBody> {
    let inputs = &native.doors.inputs;
    let found = inputs.of(key)?;
    Some(InputBody::of(found.at(role)?, inputs, reveal))
}

fn place(app: &str, name: &str, role: &str) -> Result<(StreamKey, Role), Problem> {
    let role = Role::parse(role).ok_or_else(|| Problem::not_found(ROLES))?;
    Ok((key(app, name)?, role))
}

fn key(app: &str, name: &str) -> Result<StreamKey, Problem> {
    StreamKey::parse(app, name).map_err(|why| Problem::invalid("name", format!("{why}.")))
}

fn none() -> Problem {
    Problem::not_found("The stream has no such input.")
}

impl From<PutError> for Problem {
    fn from(error: PutError) -> Self {
        let detail = format!("{error}.");
        match error {
            PutError::UnknownApp { .. } => Self::invalid("app", detail),
            PutError::Refused { kind, .. } => {
                let field = match kind {
                    SourceKind::Files => "files",
                    SourceKind::Pull | SourceKind::Push => "url",
                };
                Self::invalid(field, format!("The source is refused: {detail}"))
            }
            PutError::Directory => Self::invalid("files", detail),
            PutError::NoAddress => Self::invalid("push", detail),
            PutError::Owned(_) | PutError::NameTaken | PutError::TooMany => {
                Self::plain(StatusCode::CONFLICT, detail)
            }
            PutError::NotStored(_) | PutError::GivenUp(_) => {
                Self::plain(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
        }
    }
}

impl From<RemoveError> for Problem {
    fn from(error: RemoveError) -> Self {
        let detail = format!("{error}.");
        match error {
            RemoveError::NotFound => none(),
            RemoveError::Owned(_) => Self::plain(StatusCode::CONFLICT, detail),
            RemoveError::NotStored(_) | RemoveError::GivenUp(_) => {
                Self::plain(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
        }
    }
}

impl From<SwitchError> for Problem {
    fn from(error: SwitchError) -> Self {
        match error {
            SwitchError::NotFound(_) => none(),
            SwitchError::NotRunning(_) => Self::plain(StatusCode::CONFLICT, format!("{error}.")),
        }
    }
}
