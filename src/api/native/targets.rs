//! `/v1/targets`: how the pushes stand.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Native;
use crate::api::body;
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
}

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

/// All targets.
#[utoipa::path(get, path = "/v1/targets", tag = "targets", params(TargetFilter),
    responses((status = 200, body = Vec<TargetStatus>)))]
pub(super) async fn list(
    State(native): State<Native>,
    body::Parameters(filter): body::Parameters<TargetFilter>,
) -> Json<Vec<TargetStatus>> {
    let mut targets = native.doors.running.targets();
    targets.retain(|target| filter.wants(target));
    if filter.reveal {
        let rules = native.doors.rules.current();
        targets.iter_mut().for_each(|target| reveal(target, &rules));
    }
    Json(targets)
}

/// What runs holds no keys that could be shown; the rule does. A target whose rule is gone stays masked.
fn reveal(target: &mut TargetStatus, rules: &RuleSet) {
    let url = |rule: &Rule| match target.role {
        Some(Role::Backup) => rule.backup_url.clone(),
        _ => Some(rule.url.clone()),
    };
    let url = rules.find(&target.rule).and_then(|rule| url(rule));
    let filled = url.and_then(|url| url.fill(&target.stream).ok());
    if let Some(url) = filled {
        target.url = url.expose().to_owned();
    }
}
