//! What a change changes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{open, wish};
use crate::doors::{Gateway, MemoryStore};
use aqueduct::config::rule_from_command_line;
use aqueduct::control::{
    ChangeError, CreateError, DeleteError, Expected, NewRule, Origin, Role, RuleChange, RuleId,
    RuleOptions, Stale, UrlTemplate,
};
use time::OffsetDateTime;

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
