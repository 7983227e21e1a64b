//! Rules by the thousand, over the real door: two clients that wish for the same, and what ten thousand cost.

// A failed step of the scenery is a failed test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod common;

use common::gateway::{Gateway, Site};
use common::rml_publisher::RmlPublisher;
use common::{eventually, http_client};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn wish(number: usize) -> Value {
    let url = format!("rtmp://127.0.0.1:1/app/key-{number}");
    json!({"app": "live", "stream": format!("cam-{number:05}"), "url": url})
}

#[tokio::test]
async fn clients_that_wish_for_the_same_at_once_have_one_rule() {
    let site = Site::new("", "");
    let gateway = site.start_with(&[]).await;
    let create = || gateway.request(Method::POST, "/v1/rules", Some(wish(1)));
    let answers = futures::future::join_all((0..8).map(|_| create())).await;
    let made = answers.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(made, 1, "{answers:?}");
    assert!(
        answers
            .iter()
            .all(|(_, rule)| rule["id"] == answers[0].1["id"])
    );
    assert_eq!(gateway.rules().await.len(), 1);
}

/// What ten thousand rules cost: `cargo nextest run --release --run-ignored all --no-capture --test e2e_many_rules`.
#[tokio::test]
#[ignore = "it measures, and is worth what the machine is idle"]
async fn ten_thousand_rules_in_numbers() {
    const RULES: usize = 10_000;
    const CLIENTS: usize = 4;
    let site = Site::new("", "");
    let gateway = site.start_with(&[]).await;
    let (url, token) = (
        Arc::new(format!("http://{}/v1/rules", gateway.http)),
        Arc::new(gateway.token.clone()),
    );
    let began = Instant::now();
    let clients = (0..CLIENTS).map(|client| {
        let (url, token) = (url.clone(), token.clone());
        tokio::spawn(async move {
            let http = http_client();
            for number in (client..RULES).step_by(CLIENTS) {
                let request = http.post(&*url).bearer_auth(&*token).json(&wish(number));
                assert_eq!(request.send().await.unwrap().status(), 201);
            }
        })
    });
    for client in futures::future::join_all(clients).await {
        client.unwrap();
    }
    println!("create {RULES} by {CLIENTS} clients: {:?}", began.elapsed());
    lists(&gateway, RULES).await;

    let began = Instant::now();
    let publisher = RmlPublisher::publish(gateway.rtmp, "live", "cam-05000").await;
    let publisher = publisher.unwrap();
    eventually(
        "the stream's rule is taken up",
        Duration::from_secs(30),
        || async {
            let target = gateway.text("/v1/targets?stream=cam-05000").await;
            (!target.contains("nobody publishes")).then_some(())
        },
    )
    .await;
    println!("match a publish, and see it: {:?}", began.elapsed());
    drop(publisher);

    gateway.sigterm();
    gateway.wait(Duration::from_secs(30)).await;
    let began = Instant::now();
    let gateway = site.start_with(&[]).await;
    println!("start with them: {:?}", began.elapsed());
    lists(&gateway, RULES).await;
}

async fn lists(gateway: &Gateway, rules: usize) {
    let began = Instant::now();
    assert_eq!(gateway.rules().await.len(), rules);
    println!("list: {:?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(gateway.targets().await.len(), rules);
    println!("targets: {:?}", began.elapsed());
}
