//! When a rule is in force, and when it is stored.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{open, wish};
use crate::doors::{Gateway, MemoryStore};
use aqueduct::config::rule_from_command_line;
use aqueduct::control::{
    AppName, CreateError, DeleteError, Deleted, Expected, Origin, RuleChange, UrlTemplate, limits,
};
use aqueduct::telemetry::feed::{Read, RuleChange as Done, What};
use time::OffsetDateTime;

#[tokio::test]
async fn the_same_wish_twice_is_one_rule() {
    let store = Arc::new(MemoryStore::default());
    let rules = open(&store);
    let first = rules.create(wish("s", "rtmp://h/app/KEY")).await.unwrap();
    assert!(!first.standing);
    let again = rules.create(wish("s", "rtmp://h/app/KEY")).await.unwrap();
    assert!(again.standing);
    assert_eq!(again.rule.id, first.rule.id);
    for other in [
        wish("s", "rtmp://H/app/KEY"),
        wish("s", "rtmp://h/app/KEY?a=1"),
        wish("t", "rtmp://h/app/KEY"),
        wish("*", "rtmp://h/app/KEY"),
    ] {
        assert!(!rules.create(other).await.unwrap().standing);
    }
    assert_eq!(rules.list(None).len(), 5);
    assert_eq!(store.rules.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn revisions_rise_and_survive_a_restart() {
    let store = Arc::new(MemoryStore::default());
    let rules = open(&store);
    let mut last = 0;
    for i in 0..5 {
        let rule = rules
            .create(wish("s", &format!("rtmp://h/app/{i}")))
            .await
            .unwrap()
            .rule;
        assert!(rule.revision > last);
        last = rule.revision;
    }
    let kept = rules.list(None);
    let rules = open(&store);
    assert_eq!(rules.list(None), kept);
    assert!(
        rules
            .create(wish("s", "rtmp://h/app/new"))
            .await
            .unwrap()
            .rule
            .revision
            > last
    );
}

#[tokio::test]
async fn who_watches_sees_a_rule_once_it_is_stored() {
    let store = Arc::new(MemoryStore::default());
    let rules = open(&store);
    let mut watched = rules.subscribe();
    let created = rules
        .create(wish("s", "rtmp://h/app/KEY"))
        .await
        .unwrap()
        .rule;
    watched.changed().await.unwrap();
    assert!(watched.borrow_and_update().find(&created.id).is_some());
    assert!(store.rules.lock().unwrap().contains_key(&created.id));
    rules.delete(created.id.clone(), Origin::Api).await.unwrap();
    assert!(watched.has_changed().unwrap());
    assert!(watched.borrow_and_update().is_empty());
}

#[tokio::test]
async fn a_rule_that_cannot_be_stored_is_not_in_force() {
    let store = Arc::new(MemoryStore::default());
    let rules = open(&store);
    store.set_full(true);
    let refused = rules.create(wish("s", "rtmp://h/app/KEY")).await;
    assert!(
        matches!(refused, Err(CreateError::NotStored(_))),
        "{refused:?}"
    );
    assert!(rules.list(None).is_empty());
    store.set_full(false);
    assert!(
        !rules
            .create(wish("s", "rtmp://h/app/KEY"))
            .await
            .unwrap()
            .standing
    );
}

#[tokio::test(start_paused = true)]
async fn a_deletion_on_a_full_disk_is_in_force_and_stored_later() {
    let store = Arc::new(MemoryStore::default());
    let rules = open(&store);
    let id = rules
        .create(wish("s", "rtmp://h/app/KEY"))
        .await
        .unwrap()
        .rule
        .id
        .clone();
    store.set_full(true);
    assert_eq!(
        rules.delete(id.clone(), Origin::Api).await,
        Ok(Deleted { stored: false })
    );
    assert!(rules.list(None).is_empty());
    // Asked again, it says again how things are.
    assert_eq!(
        rules.delete(id.clone(), Origin::Api).await,
        Ok(Deleted { stored: false })
    );
    // Writes that succeed meanwhile, and a reload, do not bring it back.
    rules
        .replace_fixed(vec![], [AppName::parse("live").unwrap()])
        .await;
    assert!(rules.list(None).is_empty());
    let failed = store.writes.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(store.writes.load(Ordering::SeqCst) > failed + 3);
    assert!(store.rules.lock().unwrap().contains_key(&id));
    store.set_full(false);
    tokio::time::sleep(limits::RETRY_LONGEST + Duration::from_secs(1)).await;
    // The write itself runs on another thread, outside the paused clock.
    assert_eq!(rules.store_deletions().await, 0);
    assert!(store.rules.lock().unwrap().is_empty());
    assert_eq!(
        rules.delete(id, Origin::Api).await,
        Err(DeleteError::NotFound)
    );
    assert!(open(&store).list(None).is_empty());
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_undo_a_write() {
    let store = Arc::new(MemoryStore::default());
    let rules = open(&store);
    // The first poll of the future takes the lock and starts the write; then the caller is gone.
    let mut creation = Box::pin(rules.create(wish("s", "rtmp://h/app/KEY")));
    let _ = futures::poll!(&mut creation);
    drop(creation);
    // Writes go in order, so the next one comes after it.
    assert!(
        rules
            .create(wish("s", "rtmp://h/app/KEY"))
            .await
            .unwrap()
            .standing
    );
    assert_eq!(store.rules.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_doors_and_a_reload_do_to_rules_is_in_the_feed() {
    let at = OffsetDateTime::UNIX_EPOCH;
    let fixed = |url: &str| rule_from_command_line(UrlTemplate::parse(url).unwrap(), at);
    let before = vec![fixed("rtmp://h/a/1"), fixed("rtmp://h/a/2")];
    let gateway = Gateway::with(Arc::default(), before);
    let mut feed = gateway.metrics.feed().reader();
    let rules = gateway.rules;
    let made = rules.create(wish("s", "rtmp://h/a/x")).await.unwrap().rule;
    // What says nothing new is no change.
    rules.create(wish("s", "rtmp://h/a/x")).await.unwrap();
    let off = aqueduct::control::RuleChange {
        enabled: Some(false),
        ..RuleChange::default()
    };
    for _ in 0..2 {
        let changed = rules.change(made.id.clone(), off.clone(), Origin::Api, Expected::Any);
        changed.await.unwrap();
    }
    rules.delete(made.id.clone(), Origin::Api).await.unwrap();
    let mut standing = fixed("rtmp://h/a/2");
    standing.chunk_size = Some(60_000);
    let after = vec![standing, fixed("rtmp://h/a/3")];
    rules
        .replace_fixed(after, [AppName::parse("live").unwrap()])
        .await;
    gateway.metrics.feed().close();
    let mut seen = Vec::new();
    while let Read::Change(change) = feed.next().await {
        let What::Rule { rule, change } = &change.what else {
            panic!("{change:?}");
        };
        seen.push((*change, rule.url.expose().to_owned()));
    }
    let expected = [
        (Done::Created, "rtmp://h/a/x"),
        (Done::Changed, "rtmp://h/a/x"),
        (Done::Deleted, "rtmp://h/a/x"),
        (Done::Deleted, "rtmp://h/a/1"),
        (Done::Changed, "rtmp://h/a/2"),
        (Done::Created, "rtmp://h/a/3"),
    ];
    assert_eq!(seen, expected.map(|(done, url)| (done, url.to_owned())));
}
