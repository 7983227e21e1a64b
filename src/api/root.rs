//! The path `/`, which the vendors' callers share: who is meant.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::problem::Problem;
use super::{Doors, body, tencent, zego};

/// The two doors behind this path.
struct Vendors {
    tencent: tencent::Door,
    zego: zego::Door,
}

pub(super) fn routes(doors: &Doors) -> Router {
    let vendors = Vendors {
        tencent: tencent::Door::new(doors),
        zego: zego::Door::new(doors),
    };
    Router::new()
        .route("/", any(answer))
        .with_state(Arc::new(vendors))
}

async fn answer(State(vendors): State<Arc<Vendors>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default();
    let by_head = has_tencent_header(&head.headers) || names_tencent(query.as_bytes());
    // Nobody else sends forms, but a form has to show that it is one of theirs.
    if by_head || (head.method == Method::POST && is_form(&head.headers)) {
        let arrived = vendors.tencent.read(&head, body).await;
        let is_of_zego = !by_head && arrived.as_ref().is_ok_and(|body| !names_tencent(body));
        return match arrived {
            Ok(body) if is_of_zego => vendors.zego.answer(host(&head), query, &body).await,
            arrived => vendors.tencent.answer(&head, arrived).await,
        };
    }
    let body = match head.method {
        // What a GET says stands in its query. A HEAD is none: nobody who only asks what a call would answer means to make it.
        Method::GET => Ok(Bytes::new()),
        Method::POST => body::read(body).await,
        _ => return not_allowed(),
    };
    match body {
        Ok(body) => vendors.zego.answer(host(&head), query, &body).await,
        Err(problem) => zego::unreadable(&problem),
    }
}

/// The host that a request names.
fn host(head: &Parts) -> Option<&str> {
    let named = head.headers.get(header::HOST);
    let named = named.and_then(|host| host.to_str().ok());
    head.uri.authority().map(|host| host.as_str()).or(named)
}

fn not_allowed() -> Response {
    let why = "This path does not know the method. The Allow header lists those that it knows.";
    Problem::plain(StatusCode::METHOD_NOT_ALLOWED, why)
        .with_header(header::ALLOW, HeaderValue::from_static("GET,POST"))
        .into_response()
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
            let by_body = is_form(headers) && names_tencent(body.as_bytes());
            let by_head = has_tencent_header(headers) || names_tencent(query.as_bytes());
            assert_eq!(by_head || by_body, tencent, "{query} {body}");
        }
    }
}
