//! The ZEGO door, parameter by parameter: what each may be, and which of several mistakes is answered.

#![allow(clippy::unwrap_used, clippy::panic)]

mod call;
#[path = "../doors/mod.rs"]
mod doors;
mod order;
mod parameters;
mod requests;

use call::Call;
use doors::zego::NOW;
use doors::{Answer, Gateway};

fn gateway() -> Gateway {
    let gateway = Gateway::new();
    gateway.clock.set_ms(NOW * 1000);
    gateway
}

async fn answered(gateway: &Gateway, call: &Call) -> Answer {
    gateway.send(call.request()).await
}

/// The code of an answer that has the form of all answers.
async fn code(gateway: &Gateway, call: &Call) -> u64 {
    let answer = answered(gateway, call).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json.as_object().unwrap().len(), 4, "{json}");
    json["Code"].as_u64().unwrap()
}

/// The code under a clock and in a gateway of its own.
async fn alone(call: &Call) -> u64 {
    code(&gateway(), call).await
}
