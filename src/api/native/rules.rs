//! `/v1/rules`: wishes, as they stand in configuration, command line and store.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::if_match::{entity_tag, expected};
use super::page::{self, Limit, Page};
use super::rule_body::{ChangeRule, CreateRule, RuleView, wrong};
use super::{Native, Reveal};
use crate::api::body;
use crate::api::problem::{Problem, ProblemBody};
use crate::control::{
    ChangeError, CreateError, DeleteError, Origin, Role, Rule, RuleId, TargetRefused,
};

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
    /// How many rows the answer has at the most.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 10_000, default = 10_000, required = false)]
    limit: Limit,
    /// Where the page begins: from the link of the one before.
    after: Option<String>,
}

/// Where a rule stands in the list: those of configuration and command line by their order there, and behind them the others by the
/// time of their creation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum RuleKey {
    Fixed(usize),
    Kept(i64, u32, u64),
}

impl RuleKey {
    fn of(place: usize, rule: &Rule) -> Self {
        match rule.origin.is_read_only() {
            true => Self::Fixed(place),
            false => Self::Kept(
                rule.created_at.unix_timestamp(),
                rule.created_at.nanosecond(),
                // Of those that were made in one moment, the first one first.
                rule.revision,
            ),
        }
    }
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
    responses(
        (status = 200, body = Vec<RuleView>,
            headers(("Link" = Option<String>, description = "The next page, as `<...>; rel=\"next\"`; absent on the last one."))),
    ))]
pub(super) async fn list(
    State(native): State<Native>,
    uri: Uri,
    body::Parameters(filter): body::Parameters<RuleFilter>,
) -> Result<Response, Problem> {
    let after = page::key(filter.after.as_deref())?;
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
    let rules = rules.iter().map(AsRef::as_ref).enumerate();
    let rules = rules.filter(|(_, rule)| wanted(rule));
    let keyed = rules.map(|(place, rule)| (RuleKey::of(place, rule), rule));
    let page = Page::of(keyed, after.as_ref(), filter.limit);
    Ok(page
        .map(|rule| RuleView::of(rule, filter.reveal))
        .answer(&uri))
}

/// Makes a rule. It is in force, on running streams too, and stored when the answer comes. The same wish again (app,
/// stream and the URL byte for byte) finds the rule that stands, with the options that it has.
#[utoipa::path(post, path = "/v1/rules", tag = "rules", params(Reveal), request_body = CreateRule,
    responses(
        (status = 201, description = "Made.", body = RuleView,
            headers(("Location" = String, description = "The rule."),
                ("ETag" = String, description = "Its revision, in quotes."))),
        (status = 200, description = "It stood already.", body = RuleView,
            headers(("ETag" = String, description = "Its revision, in quotes."))),
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
    let mut response = shown(&created.rule, reveal);
    if created.standing {
        return Ok(response);
    }
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(place) = HeaderValue::try_from(format!("/v1/rules/{}", created.rule.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// One rule.
#[utoipa::path(get, path = "/v1/rules/{id}", tag = "rules", params(("id" = String, Path), Reveal),
    responses(
        (status = 200, body = RuleView,
            headers(("ETag" = String, description = "Its revision, in quotes."))),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn show(
    State(native): State<Native>,
    Path(id): Path<String>,
    body::Parameters(Reveal { reveal }): body::Parameters<Reveal>,
) -> Result<Response, Problem> {
    Ok(shown(&*find(&native, &id)?, reveal))
}

/// Changes what a body names, and leaves the rest as it is; `null` takes an option away. In force and stored when the
/// answer comes. A body that changes nothing leaves the revision as it is. Another `url` or `chunk_size` has the rule's
/// pushes stop and begin anew; no other push notices anything.
#[utoipa::path(patch, path = "/v1/rules/{id}", tag = "rules",
    params(("id" = String, Path), Reveal,
        ("If-Match" = Option<String>, Header, description = "The ETag of the rule as it was seen: it is changed only if it is still so.")),
    request_body(content((ChangeRule = "application/json"), (ChangeRule = "application/merge-patch+json"))),
    responses(
        (status = 200, body = RuleView,
            headers(("ETag" = String, description = "Its revision, in quotes."))),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It belongs to configuration, command line or a vendor's project; or another rule \
            has this app, stream and URL.",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It has another revision than If-Match says.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "One member is wrong.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "It cannot be stored.", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn change(
    State(native): State<Native>,
    Path(id): Path<String>,
    body::Parameters(Reveal { reveal }): body::Parameters<Reveal>,
    headers: HeaderMap,
    body::Json(wish): body::Json<ChangeRule>,
) -> Result<Response, Problem> {
    let expected = expected(&headers)?;
    let rule = find(&native, &id)?;
    let change = wish.parse(rule.origin)?;
    let rules = &native.doors.rules;
    let changed = rules
        .change(rule.id.clone(), change, Origin::Api, expected)
        .await?;
    Ok(shown(&changed, reveal))
}

/// Deletes a rule and stops its pushes, and no others.
#[utoipa::path(delete, path = "/v1/rules/{id}", tag = "rules",
    params(("id" = String, Path),
        ("If-Match" = Option<String>, Header, description = "The ETag of the rule as it was seen: it is deleted only if it is still so.")),
    responses(
        (status = 200, body = DeletedRule),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It belongs to configuration, command line or a vendor's project.",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It has another revision than If-Match says.", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn delete(
    State(native): State<Native>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<DeletedRule>, Problem> {
    let expected = expected(&headers)?;
    let id = RuleId::parse(&id).map_err(|_| no_such_rule())?;
    let rules = &native.doors.rules;
    let deleted = rules
        .delete_expected(id.clone(), Origin::Api, expected)
        .await?;
    Ok(Json(DeletedRule {
        id: id.to_string(),
        stored: deleted.stored,
    }))
}

/// The answer that shows one rule.
fn shown(rule: &Rule, reveal: bool) -> Response {
    let tag = [(header::ETAG, entity_tag(rule.revision))];
    (tag, Json(RuleView::of(rule, reveal))).into_response()
}

fn find(native: &Native, id: &str) -> Result<Arc<Rule>, Problem> {
    let rule = RuleId::parse(id)
        .ok()
        .and_then(|id| native.doors.rules.find(&id));
    rule.ok_or_else(no_such_rule)
}

fn no_such_rule() -> Problem {
    Problem::not_found("There is no rule with this id.")
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::UnknownApp { .. } => wrong("app", error),
            CreateError::Refused(refused) => refused.into(),
            CreateError::TooMany(bound) => {
                let detail = format!("Not made: {bound}.");
                conflict("too-many-rules", "Too many rules", detail)
            }
            CreateError::NotStored(why) => not_stored(format!("Not made: {why}")),
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        let detail = format!("Not changed: {error}.");
        match error {
            ChangeError::NotFound => no_such_rule(),
            ChangeError::ReadOnly(_) => conflict("read-only-rule", "Read-only rule", detail),
            ChangeError::Exists(_) => conflict("rule-exists", "Rule exists", detail),
            ChangeError::Stale(_) => stale(detail),
            ChangeError::Refused(refused) => refused.into(),
            ChangeError::NotStored(why) => not_stored(format!("Not changed: {why}")),
        }
    }
}

impl From<DeleteError> for Problem {
    fn from(error: DeleteError) -> Self {
        let detail = format!("Not deleted: {error}.");
        match error {
            DeleteError::NotFound => no_such_rule(),
            DeleteError::ReadOnly(_) => conflict("read-only-rule", "Read-only rule", detail),
            DeleteError::Stale(_) => stale(detail),
            DeleteError::GivenUp(_) => {
                Self::plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}."))
            }
        }
    }
}

impl From<TargetRefused> for Problem {
    fn from(refused: TargetRefused) -> Self {
        let field = match refused.role {
            Role::Main => "url",
            Role::Backup => "backup_url",
        };
        let detail = format!("{field}: {refused}.");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::named(status, "refused-target", "Refused target", detail).with_field(field)
    }
}

fn conflict(kind: &'static str, title: &'static str, detail: String) -> Problem {
    Problem::named(StatusCode::CONFLICT, kind, title, detail)
}

fn stale(detail: String) -> Problem {
    let status = StatusCode::PRECONDITION_FAILED;
    Problem::named(status, "stale-revision", "Stale revision", detail)
}

fn not_stored(why: String) -> Problem {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let detail = format!("{why}. Try again later.");
    Problem::named(status, "not-stored", "Not stored", detail)
}
