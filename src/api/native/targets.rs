//! `/v1/targets`: how the pushes stand.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Native;
use super::page::{self, Limit, Page};
use crate::api::body;
use crate::api::problem::Problem;
use crate::control::{Role, Rule, RuleSet, TargetState, TargetStatus};

/// Which targets to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TargetFilter {
    /// Only those of this app's streams.
    app: Option<String>,
    /// Only those of streams with this name.
    stream: Option<String>,
    /// Only those of this rule.
    rule: Option<String>,
    /// Only those in this state.
    state: Option<TargetState>,
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

/// Where a target stands in the list: its app, its stream, its rule.
type TargetKey = (String, String, String);

impl TargetFilter {
    fn wants(&self, target: &TargetStatus) -> bool {
        self.app
            .as_deref()
            .is_none_or(|app| target.stream.app.as_str() == app)
            && self
                .stream
                .as_deref()
                .is_none_or(|name| target.stream.name.as_str() == name)
            && self
                .rule
                .as_deref()
                .is_none_or(|rule| target.rule.as_str() == rule)
            && self.state.is_none_or(|state| target.state == state)
    }
}

/// All targets, in the order of their streams and rules.
#[utoipa::path(get, path = "/v1/targets", tag = "targets", params(TargetFilter),
    responses(
        (status = 200, body = Vec<TargetStatus>,
            headers(("Link" = Option<String>, description = "The next page, as `<...>; rel=\"next\"`; absent on the last one."))),
    ))]
pub(super) async fn list(
    State(native): State<Native>,
    uri: Uri,
    body::Parameters(filter): body::Parameters<TargetFilter>,
) -> Result<Response, Problem> {
    let after: Option<TargetKey> = page::key(filter.after.as_deref())?;
    let targets = native.doors.running.targets().into_iter();
    let targets = targets.filter(|target| filter.wants(target));
    let keyed = targets.map(|target| (key(&target), target));
    let page = Page::of(keyed, after.as_ref(), filter.limit);
    let rules = filter.reveal.then(|| native.doors.rules.current());
    let shown = page.map(|target| match &rules {
        Some(rules) => revealed(target, rules),
        None => target,
    });
    Ok(shown.answer(&uri))
}

fn key(target: &TargetStatus) -> TargetKey {
    let (app, name) = (&target.stream.app, &target.stream.name);
    (
        app.as_str().to_owned(),
        name.as_str().to_owned(),
        target.rule.to_string(),
    )
}

/// What runs holds no keys that could be shown; the rule does. A target whose rule is gone stays masked.
fn revealed(mut target: TargetStatus, rules: &RuleSet) -> TargetStatus {
    let url = |rule: &Rule| match target.role {
        Some(Role::Backup) => rule.backup_url.clone(),
        _ => Some(rule.url.clone()),
    };
    let url = rules.find(&target.rule).and_then(|rule| url(rule));
    let filled = url.and_then(|url| url.fill(&target.stream).ok());
    if let Some(url) = filled {
        target.url = url.expose().to_owned();
    }
    target
}
