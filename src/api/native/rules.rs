//! `/v1/rules`: wishes, as they stand in configuration, command line and store.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::{Native, Reveal};
use crate::api::body;
use crate::api::problem::{Problem, ProblemBody};
use crate::control::{
    AppName, CreateError, DeleteError, NewRule, Origin, Rule, RuleId, StreamPattern, UrlTemplate,
};

/// A rule, as this door shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rule)]
pub struct RuleView {
    /// Its name.
    #[schema(example = "r-0123456789abcdef")]
    id: String,
    /// The app whose streams it is about.
    #[schema(example = "live")]
    app: String,
    /// One stream's name, or a pattern with `*`.
    #[schema(example = "cam")]
    stream: String,
    /// Where to. The key is masked unless `?reveal=true`.
    #[schema(example = "rtmp://a.example/app/***")]
    url: String,
    /// Whether it is in force.
    enabled: bool,
    /// Who made it.
    #[schema(value_type = OriginName)]
    origin: Origin,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// Rises with every change of any rule; this rule was last changed by this one.
    revision: u64,
}

/// Who made a rule.
#[derive(ToSchema)]
#[schema(as = Origin, rename_all = "kebab-case")]
#[allow(dead_code)]
pub(super) enum OriginName {
    Config,
    CommandLine,
    Api,
    Zego,
    Tencent,
}

impl RuleView {
    fn of(rule: &Rule, reveal: bool) -> Self {
        let url = match reveal {
            true => rule.url.expose().to_owned(),
            false => rule.url.masked(),
        };
        Self {
            id: rule.id.to_string(),
            app: rule.app.as_str().to_owned(),
            stream: rule.stream.as_str().to_owned(),
            url,
            enabled: rule.enabled,
            origin: rule.origin,
            created_at: rule.created_at,
            revision: rule.revision,
        }
    }
}

/// A new rule.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRule {
    /// A configured app.
    #[schema(example = "live")]
    app: String,
    /// One stream's name, or a pattern in which `*` stands for any characters.
    #[schema(example = "*")]
    stream: String,
    /// `rtmp://` or `rtmps://`, host, app and name. `{app}` and `{stream}` may stand after the app.
    #[schema(example = "rtmp://a.example/app/{stream}")]
    url: String,
}

/// Which rules to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RuleFilter {
    /// Only those of this app.
    app: Option<String>,
    /// Only those with exactly this stream name or pattern.
    stream: Option<String>,
    /// Show URLs with their keys.
    #[serde(default)]
    reveal: bool,
}

/// What a deletion did.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeletedRule {
    /// The rule's id.
    pub id: String,
    /// Whether the deletion is stored. If not (a full disk), the rule's pushes have stopped all the same and the gateway
    /// goes on trying to store it; should it end before it can, the rule is back at the next start.
    pub stored: bool,
}

/// All rules: those of configuration and command line first, then those that doors made, the oldest first.
#[utoipa::path(get, path = "/v1/rules", tag = "rules", params(RuleFilter),
    responses((status = 200, body = Vec<RuleView>)))]
pub(super) async fn list(
    State(native): State<Native>,
    body::Parameters(filter): body::Parameters<RuleFilter>,
) -> Json<Vec<RuleView>> {
    let wanted = |rule: &&Rule| {
        filter
            .app
            .as_deref()
            .is_none_or(|app| rule.app.as_str() == app)
            && filter
                .stream
                .as_deref()
                .is_none_or(|stream| rule.stream.as_str() == stream)
    };
    let rules = native.doors.rules.current();
    let rules = rules.iter().map(AsRef::as_ref).filter(wanted);
    Json(
        rules
            .map(|rule| RuleView::of(rule, filter.reveal))
            .collect(),
    )
}

/// Makes a rule. It is in force, on running streams too, and stored when the answer comes. The same wish again (app,
/// stream and the URL byte for byte) finds the rule that stands.
#[utoipa::path(post, path = "/v1/rules", tag = "rules", params(Reveal), request_body = CreateRule,
    responses(
        (status = 201, description = "Made.", body = RuleView,
            headers(("Location" = String, description = "The rule."))),
        (status = 200, description = "It stood already.", body = RuleView),
        (status = 409, description = "There are too many.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "One member is wrong.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "It cannot be stored.", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn create(
    State(native): State<Native>,
    body::Parameters(Reveal { reveal }): body::Parameters<Reveal>,
    body::Json(wish): body::Json<CreateRule>,
) -> Result<Response, Problem> {
    let created = native.doors.rules.create(wish.parse()?).await?;
    let view = RuleView::of(&created.rule, reveal);
    if created.standing {
        return Ok(Json(view).into_response());
    }
    let place = HeaderValue::try_from(format!("/v1/rules/{}", view.id));
    let mut response = (StatusCode::CREATED, Json(view)).into_response();
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// One rule.
#[utoipa::path(get, path = "/v1/rules/{id}", tag = "rules", params(("id" = String, Path), Reveal),
    responses(
        (status = 200, body = RuleView),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn show(
    State(native): State<Native>,
    Path(id): Path<String>,
    body::Parameters(Reveal { reveal }): body::Parameters<Reveal>,
) -> Result<Json<RuleView>, Problem> {
    let rule = RuleId::parse(&id)
        .ok()
        .and_then(|id| native.doors.rules.find(&id));
    let rule = rule.ok_or_else(no_such_rule)?;
    Ok(Json(RuleView::of(&rule, reveal)))
}

/// Deletes a rule and stops its pushes, and no others.
#[utoipa::path(delete, path = "/v1/rules/{id}", tag = "rules", params(("id" = String, Path)),
    responses(
        (status = 200, body = DeletedRule),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It belongs to configuration, command line or a vendor's project.",
            body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn delete(
    State(native): State<Native>,
    Path(id): Path<String>,
) -> Result<Json<DeletedRule>, Problem> {
    let id = RuleId::parse(&id).map_err(|_| no_such_rule())?;
    let deleted = native.doors.rules.delete(id.clone(), Origin::Api).await?;
    Ok(Json(DeletedRule {
        id: id.to_string(),
        stored: deleted.stored,
    }))
}

fn no_such_rule() -> Problem {
    Problem::not_found("There is no rule with this id.")
}

impl CreateRule {
    fn parse(&self) -> Result<NewRule, Problem> {
        Ok(NewRule {
            app: AppName::parse(&self.app).map_err(|why| wrong("app", why))?,
            stream: StreamPattern::parse(&self.stream).map_err(|why| wrong("stream", why))?,
            url: UrlTemplate::parse(&self.url).map_err(|why| wrong("url", why))?,
            origin: Origin::Api,
        })
    }
}

fn wrong(field: &str, why: impl std::fmt::Display) -> Problem {
    Problem::invalid(field, format!("{field}: {why}."))
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::UnknownApp { .. } => wrong("app", error),
            CreateError::Refused(why) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Self::named(
                    status,
                    "refused-target",
                    "Refused target",
                    format!("url: {why}."),
                )
                .with_field("url")
            }
            CreateError::TooMany(bound) => {
                let detail = format!("Not made: {bound}.");
                Self::named(
                    StatusCode::CONFLICT,
                    "too-many-rules",
                    "Too many rules",
                    detail,
                )
            }
            CreateError::NotStored(why) => {
                let detail = format!("Not made: {why}. Try again later.");
                Self::named(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "not-stored",
                    "Not stored",
                    detail,
                )
            }
        }
    }
}

impl From<DeleteError> for Problem {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::NotFound => no_such_rule(),
            DeleteError::ReadOnly(_) => {
                let detail = format!("Not deleted: {error}.");
                Self::named(
                    StatusCode::CONFLICT,
                    "read-only-rule",
                    "Read-only rule",
                    detail,
                )
            }
            DeleteError::GivenUp(_) => {
                Self::plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}."))
            }
        }
    }
}
