//! Rules from the API are on disk before their creation or deletion is answered.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::gateway::{Gateway, Site};
use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, Target};

async fn rule_ids(gateway: &Gateway) -> BTreeSet<String> {
    gateway
        .rules()
        .await
        .iter()
        .map(|rule| rule["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn creation_and_deletion_both_survive_kill_9() {
    let kept_target = Target::start(Behaviour::Records).await;
    let deleted_target = Target::start(Behaviour::Records).await;
    let site = Site::new("", "");
    let mut expected = BTreeSet::new();

    let gateway = site.start().await;
    let deleted = gateway
        .create_rule("cam", &deleted_target.url("app/deleted"))
        .await;
    expected.insert(deleted.clone());
    gateway.kill_9();

    let gateway = site.start().await;
    assert_eq!(
        rule_ids(&gateway).await,
        expected,
        "a created rule is there after a crash"
    );
    gateway.delete_rule(&deleted).await;
    expected.remove(&deleted);
    expected.insert(
        gateway
            .create_rule("cam", &kept_target.url("app/kept"))
            .await,
    );
    gateway.kill_9();

    // Again without a pause between the answer and the crash, as often as a test may take.
    for round in 0..5 {
        let gateway = site.start().await;
        assert_eq!(rule_ids(&gateway).await, expected, "before round {round}");
        let passing = gateway
            .create_rule("other", &kept_target.url(&format!("app/{round}")))
            .await;
        if round % 2 == 0 {
            gateway.delete_rule(&passing).await;
        } else {
            expected.insert(passing);
        }
        gateway.kill_9();
    }

    let gateway = site.start().await;
    assert_eq!(rule_ids(&gateway).await, expected);
    let _publisher = RmlPublisher::stream(gateway.rtmp, "cam", 3, 2.0).await;
    kept_target
        .visit("the kept rule pushes", Duration::from_secs(10), |visit| {
            visit.arrivals.len() > 50
        })
        .await;
    assert!(
        deleted_target.visits().is_empty(),
        "the deleted rule does not return"
    );
}
