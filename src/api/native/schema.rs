//! `/openapi.json`: the native door, described for programs.

use std::sync::LazyLock;

use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::{events, health, inputs, metrics, preflight, rules, streams, targets};
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
    components(schemas(ProblemBody, crate::control::Event)),
    tags(
        (name = "rules", description = "Which stream goes where."),
        (name = "streams", description = "What is published at this moment."),
        (name = "inputs", description = "What streams are fed from, beside or instead of their publishers."),
        (name = "targets", description = "How the pushes stand."),
        (name = "events", description = "What changes, as it happens."),
        (name = "health", description = "For whoever watches the process."),
    ),
    security(("token" = [])),
    modifiers(&Token, &Common),
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

/// What holds for every operation, and is said here once.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for item in document.paths.paths.values_mut() {
            let operations = [
                &mut item.get,
                &mut item.post,
                &mut item.put,
                &mut item.patch,
                &mut item.delete,
            ];
            for operation in operations.into_iter().flatten() {
                complete(operation);
            }
        }
    }
}

/// Gives an operation a name of its own, and the refusals that come before it is asked at all.
fn complete(operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next();
    if let (Some(tag), Some(name)) = (tag, &operation.operation_id) {
        operation.operation_id = Some(format!("{tag}_{name}"));
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.name == "If-Match"
        {
            let tags = ObjectBuilder::new()
                .schema_type(Type::String)
                .pattern(Some(ENTITY_TAGS));
            parameter.schema = Some(tags.into());
        }
    }
    let wants_token = operation.security.as_ref().is_none_or(|security| {
        let token = SecurityRequirement::new("token", Vec::<String>::new());
        security.contains(&token)
    });
    let head: &[_] = &[
        ("400", "The request cannot be read."),
        (
            "403",
            "The request is for another host, or comes from another site's page.",
        ),
    ];
    let token: &[_] = &[
        ("401", "The token is missing or wrong."),
        ("429", "Too often. `Retry-After` says when to come again."),
    ];
    let body: &[_] = &[
        ("408", "The body did not arrive in time."),
        ("413", "The body is too long."),
        ("415", "The body is of another type."),
        ("422", "One member is wrong."),
    ];
    let refusals = head
        .iter()
        .chain(wants_token.then_some(token).into_iter().flatten())
        .chain(
            operation
                .request_body
                .is_some()
                .then_some(body)
                .into_iter()
                .flatten(),
        );
    for (status, description) in refusals {
        let responses = &mut operation.responses.responses;
        let response = || RefOr::T(problem(description));
        responses
            .entry((*status).to_owned())
            .or_insert_with(response);
    }
}

/// `*`, or entity tags with commas between them (RFC 9110, 13.1.1).
const ENTITY_TAGS: &str = r#"^(\*|(W/)?"[0-9]{1,19}"(, (W/)?"[0-9]{1,19}")*)$"#;

fn problem(description: &str) -> utoipa::openapi::Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content.build())
        .build()
}

/// The document, as JSON text.
pub fn openapi() -> &'static str {
    static DOCUMENT: LazyLock<String> =
        LazyLock::new(|| Document::openapi().to_pretty_json().unwrap_or_default());
    &DOCUMENT
}
