//! The Tencent door, member by member: signatures in all their forms, which of several mistakes is answered, what each operation
//! does in each state of a project.

#![allow(clippy::unwrap_used, clippy::panic)]

mod call;
#[path = "../doors/mod.rs"]
mod doors;
mod members;
mod operations;
mod order;
mod tc3;
#[path = "../tencent/mod.rs"]
mod tencent;
mod v1;

use axum::body::Body;
use axum::http::Request;
use call::Tc3;
use doors::Gateway;
use tencent::NOW;

fn gateway() -> Gateway {
    let gateway = Gateway::new();
    gateway.clock.set_ms(NOW * 1000);
    gateway
}

/// The error's code, or `ok`.
async fn code(gateway: &Gateway, request: Request<Body>) -> String {
    let answer = gateway.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    let response = answer.json()["Response"].clone();
    let id = response["RequestId"].as_str().unwrap();
    let parts: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
    assert_eq!(id, id.to_lowercase());
    response["Error"]["Code"]
        .as_str()
        .unwrap_or("ok")
        .to_owned()
}

async fn alone(call: &Tc3) -> String {
    code(&gateway(), call.request()).await
}
