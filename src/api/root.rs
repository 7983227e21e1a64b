//! The path `/`, which the vendors' callers share: who is meant.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};

use super::problem::Problem;
use super::zego::Door;
use super::{Doors, body, tencent};

pub(super) fn routes(doors: &Doors) -> Router {
    let door = Arc::new(Door::new(doors));
    let either = on(MethodFilter::GET.or(MethodFilter::POST), vendors);
    Router::new().route("/", either).with_state(door)
}

async fn vendors(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match body::read(body).await {
        Ok(body) => body,
        Err(problem) => return unreadable(&head.headers, problem),
    };
    let query = head.uri.query().unwrap_or_default();
    match is_tencent(&head.headers, query, &body) {
        true => tencent::not_available(),
        false => {
            let named = head.headers.get(header::HOST);
            let named = named.and_then(|host| host.to_str().ok());
            let host = head.uri.authority().map(|host| host.as_str()).or(named);
            door.answer(host, query, &body).await
        }
    }
}

/// Nobody knows whom it was for, unless the head says so.
fn unreadable(headers: &HeaderMap, problem: Problem) -> Response {
    match has_tencent_header(headers) {
        true => tencent::not_available(),
        false => problem.into_response(),
    }
}

fn is_tencent(headers: &HeaderMap, query: &str, body: &[u8]) -> bool {
    has_tencent_header(headers)
        || names_tencent(query.as_bytes())
        || (is_form(headers) && names_tencent(body))
}

fn has_tencent_header(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION)
        || headers
            .keys()
            .any(|name| name.as_str().starts_with("x-tc-"))
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| {
        value
            .to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded")
    })
}

fn names_tencent(form: &[u8]) -> bool {
    form_urlencoded::parse(form).any(|(name, _)| matches!(&*name, "SecretId" | "Version"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn who_is_meant() {
        let none = HeaderMap::new();
        let with = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(
                axum::http::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )])
        };
        let form = with(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        for (headers, query, body, tencent) in [
            (&none, "", "", false),
            (
                &none,
                "Action=CreatCDNTransferRule&SignatureVersion=2.0",
                "",
                false,
            ),
            (&none, "Version=2019-10-29&AppId=1", "", true),
            (&none, "SecretId=a", "", true),
            (&none, "%53ecretId=a", "", true),
            (&none, "secretid=a&a=SecretId", "", false),
            (&none, "", "SecretId=a", false),
            (&form, "", "Action=x&SecretId=a", true),
            (&form, "", "Action=x", false),
            (&with("authorization", "TC3-HMAC-SHA256 x"), "", "", true),
            (&with("x-tc-action", "CreateProject"), "AppId=1", "", true),
            (&with("x-tcx", "a"), "AppId=1", "", false),
        ] {
            assert_eq!(
                is_tencent(headers, query, body.as_bytes()),
                tencent,
                "{query} {body}"
            );
        }
    }
}
