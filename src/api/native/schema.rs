//! `/openapi.json`: the native door, described for programs.

use std::sync::LazyLock;

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{events, health, inputs, metrics, preflight, rule_body, rules, streams, targets};
use crate::api::problem::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Aqueduct",
        description = "The native door of the gateway. Errors are problems (RFC 9457). A request has to name the \
                       gateway's own host; see `[http] allowed_hosts`.",
    ),
    paths(
        rules::list, rules::create, rules::show, rules::change, rules::delete,
        streams::list, streams::show, streams::kick,
        inputs::list, inputs::of_stream, inputs::show, inputs::put, inputs::remove, inputs::switch,
        targets::list, preflight::run, events::listen,
        health::healthz, health::readyz, metrics::render,
    ),
    components(schemas(ProblemBody, rule_body::OriginName, crate::control::Event)),
    tags(
        (name = "rules", description = "Which stream goes where."),
        (name = "streams", description = "What is published at this moment."),
        (name = "inputs", description = "What streams are fed from, beside or instead of their publishers."),
        (name = "targets", description = "How the pushes stand."),
        (name = "events", description = "What changes, as it happens."),
        (name = "health", description = "For whoever watches the process."),
    ),
    security(("token" = [])),
    modifiers(&Token),
)]
struct Document;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        let place = "`[http] token`, or the content of `http.token` in the data directory.";
        bearer.description = Some(place.to_owned());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// The document, as JSON text.
pub fn openapi() -> &'static str {
    static DOCUMENT: LazyLock<String> =
        LazyLock::new(|| Document::openapi().to_pretty_json().unwrap_or_default());
    &DOCUMENT
}
