//! Whose rules they are, and which there may be.

use std::sync::Arc;

use super::{open, wish};
use crate::doors::{Gateway, MemoryStore};
use aqueduct::config::rule_from_command_line;
use aqueduct::control::{
    AppName, CreateError, DeleteError, NewRule, Origin, RuleId, UrlTemplate, limits,
};
use time::OffsetDateTime;

#[tokio::test]
async fn rules_of_others_are_read_only() {
    let store = Arc::new(MemoryStore::default());
    let url = UrlTemplate::parse("rtmp://h/app/{stream}").unwrap();
    let fixed = rule_from_command_line(url, OffsetDateTime::UNIX_EPOCH);
    let rules = Gateway::with(store, vec![fixed.clone()]).rules;
    for door in [Origin::Api, Origin::Zego, Origin::Tencent] {
        let refused = rules.delete(fixed.id.clone(), door).await;
        assert_eq!(refused, Err(DeleteError::ReadOnly(Origin::CommandLine)));
    }
    let created = rules
        .create(NewRule {
            origin: Origin::Tencent,
            ..wish("s", "rtmp://h/app/a")
        })
        .await;
    let id = created.unwrap().rule.id.clone();
    assert_eq!(
        rules.delete(id.clone(), Origin::Api).await,
        Err(DeleteError::ReadOnly(Origin::Tencent))
    );
    assert!(rules.delete(id, Origin::Tencent).await.is_ok());
    let unknown = RuleId::parse("r-unknown").unwrap();
    assert_eq!(
        rules.delete(unknown, Origin::Api).await,
        Err(DeleteError::NotFound)
    );
    // What the configuration says already need not be said again.
    assert!(
        rules
            .create(wish("*", "rtmp://h/app/{stream}"))
            .await
            .unwrap()
            .standing
    );
}

#[tokio::test]
async fn a_reload_keeps_what_did_not_change() {
    let store = Arc::new(MemoryStore::default());
    let live = [AppName::parse("live").unwrap()];
    let rule = |url: &str, at: i64| {
        let at = OffsetDateTime::from_unix_timestamp(at).unwrap();
        rule_from_command_line(UrlTemplate::parse(url).unwrap(), at)
    };
    let rules = Gateway::with(
        store,
        vec![rule("rtmp://h/a/1", 1), rule("rtmp://h/a/2", 1)],
    )
    .rules;
    let own = rules
        .create(wish("s", "rtmp://h/app/KEY"))
        .await
        .unwrap()
        .rule;
    let before = rules.list(None);
    let fixed = vec![
        rule("rtmp://h/a/3", 9),
        rule("rtmp://h/a/2", 9),
        rule("rtmp://h/a/2", 9),
    ];
    rules.replace_fixed(fixed, live).await;
    let after = rules.list(None);
    assert_eq!(after.len(), 3);
    assert_eq!(after[1], before[1]);
    assert!(after[0].revision > own.revision);
    assert_eq!(after[2], own);
    // The places are indexed anew.
    assert!(
        rules
            .create(wish("*", "rtmp://h/a/3"))
            .await
            .unwrap()
            .standing
    );
    assert!(
        !rules
            .create(wish("*", "rtmp://h/a/1"))
            .await
            .unwrap()
            .standing
    );
}

#[tokio::test]
async fn bounds_apps_and_hosts_are_checked() {
    let store = Arc::new(MemoryStore::default());
    let rules = open(&store);
    for i in 0..limits::MAX_RULES_PER_STREAM {
        rules
            .create(wish("s", &format!("rtmp://h/app/{i}")))
            .await
            .unwrap();
    }
    let refused = rules.create(wish("s", "rtmp://h/app/more")).await;
    assert!(
        matches!(refused, Err(CreateError::TooMany(_))),
        "{refused:?}"
    );
    assert!(
        rules
            .create(wish("s", "rtmp://h/app/3"))
            .await
            .unwrap()
            .standing
    );
    rules.create(wish("t", "rtmp://h/app/more")).await.unwrap();

    let elsewhere = NewRule {
        app: AppName::parse("third").unwrap(),
        ..wish("s", "rtmp://h/app/x")
    };
    let refused = rules.create(elsewhere.clone()).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "there is no app \"third\"; the apps are: live, other"
    );
    rules
        .replace_fixed(vec![], [AppName::parse("third").unwrap()])
        .await;
    rules.create(elsewhere).await.unwrap();

    let refused = rules.create(NewRule {
        app: AppName::parse("third").unwrap(),
        ..wish("s", "rtmp://refused.example/a/b")
    });
    assert!(matches!(refused.await, Err(CreateError::Refused(_))));
}
