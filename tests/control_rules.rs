//! The rule service: what is stored, what is in force, and what happens when the store fails.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aqueduct::config::rule_from_command_line;
use aqueduct::control::{
    AppName, ChangeError, CreateError, DeleteError, Deleted, Expected, NewRule, Origin, Role,
    RuleChange, RuleId, RuleOptions, Rules, Stale, StreamPattern, UrlTemplate, limits,
};
use aqueduct::telemetry::feed::{Read, RuleChange as Done, What};
use doors::{Gateway, MemoryStore};
use time::OffsetDateTime;

fn wish(stream: &str, url: &str) -> NewRule {
    NewRule {
        app: AppName::parse("live").unwrap(),
        stream: StreamPattern::parse(stream).unwrap(),
        url: UrlTemplate::parse(url).unwrap(),
        options: RuleOptions::default(),
        origin: Origin::Api,
    }
}

fn open(store: &Arc<MemoryStore>) -> Rules {
    Gateway::with(store.clone(), vec![]).rules
}

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
async fn a_replaced_url_keeps_the_rule() {
    let store = Arc::new(MemoryStore::default());
    let rules = open(&store);
    let rule = rules
        .create(wish("s", "rtmp://h/app/a"))
        .await
        .unwrap()
        .rule;
    let url = UrlTemplate::parse("rtmp://h/app/b").unwrap();
    let replaced = rules
        .change(
            rule.id.clone(),
            RuleChange::to_url(url),
            Origin::Api,
            Expected::Any,
        )
        .await
        .unwrap();
    assert_eq!(replaced.id, rule.id);
    assert!(replaced.revision > rule.revision);
    assert_eq!(open(&store).list(None), vec![replaced]);
    assert!(
        !rules
            .create(wish("s", "rtmp://h/app/a"))
            .await
            .unwrap()
            .standing
    );
}

fn url(text: &str) -> UrlTemplate {
    UrlTemplate::parse(text).unwrap()
}

#[tokio::test]
async fn options_are_kept_and_are_no_part_of_what_a_rule_is_known_by() {
    let store = Arc::new(MemoryStore::default());
    let rules = open(&store);
    let options = RuleOptions {
        backup_url: Some(url("rtmp://b/app/KEY")),
        enabled: false,
        stop_at: Some(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(60)),
        chunk_size: Some(8192),
        strict_interleave: true,
        digest_handshake: true,
    };
    let wish = |options: &RuleOptions| NewRule {
        options: options.clone(),
        ..wish("s", "rtmp://h/app/KEY")
    };
    let made = rules.create(wish(&options)).await.unwrap().rule;
    assert_eq!(
        (
            &made.backup_url,
            made.enabled,
            made.stop_at,
            made.chunk_size
        ),
        (&options.backup_url, false, options.stop_at, Some(8192))
    );
    assert!(made.strict_interleave && made.digest_handshake);
    assert_eq!(open(&store).list(None), vec![made.clone()]);
    let again = rules.create(wish(&RuleOptions::default())).await.unwrap();
    assert!(again.standing);
    assert_eq!(again.rule, made, "they stay as they are");
}

#[tokio::test]
async fn a_change_names_what_it_means_and_leaves_the_rest() {
    let store = Arc::new(MemoryStore::default());
    let rules = open(&store);
    let mut rule = rules
        .create(wish("s", "rtmp://h/app/a"))
        .await
        .unwrap()
        .rule;
    let changes = [
        RuleChange {
            backup_url: Some(Some(url("rtmp://b/app/a"))),
            ..RuleChange::default()
        },
        RuleChange {
            enabled: Some(false),
            ..RuleChange::default()
        },
        RuleChange {
            stop_at: Some(Some(OffsetDateTime::UNIX_EPOCH)),
            chunk_size: Some(Some(128)),
            ..RuleChange::default()
        },
        RuleChange {
            backup_url: Some(None),
            stop_at: Some(None),
            ..RuleChange::default()
        },
    ];
    let mut seen = Vec::new();
    for change in changes {
        let change = rules.change(rule.id.clone(), change, Origin::Api, Expected::Any);
        let changed = change.await.unwrap();
        assert!(changed.revision > rule.revision);
        assert_eq!(
            (&changed.id, changed.created_at),
            (&rule.id, rule.created_at)
        );
        rule = changed;
        let backup = rule.backup_url.as_ref().map(|url| url.expose().to_owned());
        seen.push((
            backup,
            rule.enabled,
            rule.stop_at.is_some(),
            rule.chunk_size,
        ));
    }
    let backup = Some("rtmp://b/app/a".to_owned());
    assert_eq!(
        seen,
        [
            (backup.clone(), true, false, None),
            (backup.clone(), false, false, None),
            (backup, false, true, Some(128)),
            (None, false, false, Some(128)),
        ]
    );
    assert_eq!(open(&store).list(None), vec![rule.clone()]);

    // What changes nothing is no change.
    let writes = store.writes.load(Ordering::SeqCst);
    let same = RuleChange {
        enabled: Some(false),
        ..RuleChange::default()
    };
    let unchanged = rules.change(rule.id.clone(), same, Origin::Api, Expected::Any);
    assert_eq!(unchanged.await.unwrap(), rule);
    assert_eq!(store.writes.load(Ordering::SeqCst), writes);
}

#[tokio::test]
async fn a_change_or_deletion_of_another_revision_is_refused() {
    let store = Arc::new(MemoryStore::default());
    let rules = open(&store);
    let rule = rules
        .create(wish("s", "rtmp://h/app/a"))
        .await
        .unwrap()
        .rule;
    let change = |enabled, expected: &Expected| {
        let change = RuleChange {
            enabled: Some(enabled),
            ..RuleChange::default()
        };
        rules.change(rule.id.clone(), change, Origin::Api, expected.clone())
    };
    let seen = Expected::OneOf(vec![rule.revision, 99]);
    let changed = change(false, &seen).await.unwrap();
    // Two callers who saw the same: the second one is told, and nothing of his is done.
    let refused = change(true, &seen).await;
    let stale = Stale {
        revision: changed.revision,
    };
    assert!(
        matches!(&refused, Err(ChangeError::Stale(why)) if *why == stale),
        "{refused:?}"
    );
    let refused = rules
        .delete_expected(rule.id.clone(), Origin::Api, seen)
        .await;
    assert_eq!(refused, Err(DeleteError::Stale(stale)));
    assert_eq!(rules.list(None), vec![changed.clone()]);
    let seen = Expected::OneOf(vec![changed.revision]);
    assert!(
        rules
            .delete_expected(rule.id.clone(), Origin::Api, seen)
            .await
            .is_ok()
    );
    let refused = change(true, &Expected::Any).await;
    assert!(matches!(refused, Err(ChangeError::NotFound)), "{refused:?}");
}

#[tokio::test]
async fn a_change_that_may_not_be_changes_nothing() {
    let store = Arc::new(MemoryStore::default());
    let fixed = rule_from_command_line(url("rtmp://h/app/{stream}"), OffsetDateTime::UNIX_EPOCH);
    let rules = Gateway::with(store.clone(), vec![fixed.clone()]).rules;
    let rule = rules
        .create(wish("s", "rtmp://h/app/a"))
        .await
        .unwrap()
        .rule;
    let other = rules
        .create(wish("s", "rtmp://h/app/b"))
        .await
        .unwrap()
        .rule;
    let change = |id: &RuleId, change| rules.change(id.clone(), change, Origin::Api, Expected::Any);
    let backup = |text: &str| RuleChange {
        backup_url: Some(Some(url(text))),
        ..RuleChange::default()
    };
    let before = rules.list(None);
    let refused = change(&fixed.id, backup("rtmp://b/app/a")).await;
    assert!(
        matches!(refused, Err(ChangeError::ReadOnly(Origin::CommandLine))),
        "{refused:?}"
    );
    let refused = change(&rule.id, RuleChange::to_url(url("rtmp://h/app/b"))).await;
    assert!(
        matches!(&refused, Err(ChangeError::Exists(id)) if *id == other.id),
        "{refused:?}"
    );
    for (change_, role) in [
        (
            RuleChange::to_url(url("rtmp://refused.example/a/b")),
            Role::Main,
        ),
        (backup("rtmp://refused.example/a/b"), Role::Backup),
        (backup("rtmp://h/app/a"), Role::Backup),
    ] {
        let refused = change(&rule.id, change_).await;
        assert!(
            matches!(&refused, Err(ChangeError::Refused(why)) if why.role == role),
            "{refused:?}"
        );
    }
    store.set_full(true);
    let refused = change(&rule.id, backup("rtmp://b/app/a")).await;
    assert!(
        matches!(refused, Err(ChangeError::NotStored(_))),
        "{refused:?}"
    );
    assert_eq!(rules.list(None), before);

    // A new rule's backup is judged in the same way.
    store.set_full(false);
    for bad in ["rtmp://refused.example/a/b", "rtmp://h/app/new"] {
        let refused = rules.create(NewRule {
            options: RuleOptions {
                backup_url: Some(url(bad)),
                ..RuleOptions::default()
            },
            ..wish("s", "rtmp://h/app/new")
        });
        let refused = refused.await;
        assert!(
            matches!(&refused, Err(CreateError::Refused(why)) if why.role == Role::Backup),
            "{refused:?}"
        );
    }
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
