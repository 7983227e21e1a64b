//! `aqueduct rules`.

use super::{CANARY, Running, finish};
use crate::doors::{stream_status, target_status};
use aqueduct::control::TargetState;

#[tokio::test]
async fn rules_are_added_listed_and_removed() {
    let running = Running::start().await;
    let none = running.run(&["rules", "list"]).await.ok();
    assert!(none.contains("no rules"), "{none}");
    let file = running.data.path().join("urls");
    std::fs::write(
        &file,
        format!("# two places\nrtmp://h/app/{CANARY}\n\nrtmps://h2/app/{CANARY}\n"),
    )
    .unwrap();
    let at_file = format!("@{}", file.display());
    let added = running
        .run(&["rules", "add", "--stream", "cam", &at_file])
        .await
        .ok();
    assert_eq!(added.lines().count(), 2, "{added}");
    assert!(added.contains("live/cam -> rtmps://h2/app/***"), "{added}");
    let line = format!("rtmp://h/app/{CANARY}\n");
    let again = finish(
        running.command(&["rules", "add", "--stream", "cam", "-"]),
        &line,
    );
    assert!(again.await.ok().starts_with("stands already: r-"));
    let mut by_variable = running.command(&["rules", "add", "--json"]);
    by_variable.env("AQUEDUCT_RELAY_URLS", "rtmp://h3/app/{stream}");
    let made = finish(by_variable, "").await.json();
    assert_eq!(
        (made[0]["stream"].as_str(), made[0]["app"].as_str()),
        (Some("*"), Some("live"))
    );

    let table = running.run(&["rules", "list"]).await.ok();
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(
        table.starts_with("ID") && !table.contains(CANARY),
        "{table}"
    );
    let list = running.run(&["rules", "list", "--json"]).await.json();
    assert_eq!(list.as_array().unwrap().len(), 3);
    assert!(!list.to_string().contains(CANARY));
    let whole = running.run(&["rules", "list", "--reveal"]).await.ok();
    assert!(
        whole.contains(&format!("rtmps://h2/app/{CANARY}")),
        "{whole}"
    );

    let ids: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    let removed = running.run(&["rules", "remove", ids[0], ids[1]]).await.ok();
    assert_eq!(removed, format!("removed {}\nremoved {}\n", ids[0], ids[1]));
    assert_eq!(running.gateway.rules.list(None).len(), 1);
    let error = running.run(&["rules", "remove", ids[0]]).await.failed(1);
    assert!(
        error.contains(ids[0]) && error.contains("no rule with this id"),
        "{error}"
    );

    running.gateway.store.set_full(true);
    let error = running.run(&["rules", "remove", ids[2]]).await.failed(1);
    assert!(error.contains("not stored"), "{error}");
    assert!(running.gateway.rules.list(None).is_empty());
}

#[tokio::test]
async fn options_are_added_and_changed_with_keys_kept_off_the_command_line() {
    let running = Running::start().await;
    let file = |name: &str, url: &str| {
        let path = running.data.path().join(name);
        std::fs::write(&path, format!("{url}\n")).unwrap();
        format!("@{}", path.display())
    };
    let main = file("main", &format!("rtmp://a/app/{CANARY}"));
    let backup = file("backup", &format!("rtmp://b/app/{CANARY}"));
    let add = [
        "rules",
        "add",
        "--stream",
        "cam",
        &main,
        "--backup-url",
        &backup,
    ];
    let at = "2030-01-01T00:00:00Z";
    let options = ["--stop-at", at, "--chunk-size", "8192", "--disabled"];
    let kinds = ["--strict-interleave", "--digest-handshake"];
    let arguments = [&add[..], &options, &kinds].concat();
    let added = running.run(&arguments).await.ok();
    assert!(
        added.contains("live/cam -> rtmp://a/app/*** (backup rtmp://b/app/***)"),
        "{added}"
    );
    let rule = running.gateway.rules.list(None)[0].clone();
    assert!(!rule.enabled && rule.stop_at.is_some() && rule.chunk_size == Some(8192));
    assert!(rule.strict_interleave && rule.digest_handshake);
    let again = running.run(&add).await.ok();
    assert!(again.contains("its options stay as they are"), "{again}");
    let table = running.run(&["rules", "list"]).await.ok();
    assert!(!table.contains(CANARY) && table.contains("no"), "{table}");

    let id = rule.id.as_str();
    let other = format!("rtmp://c/app/{CANARY}\n");
    let change = ["rules", "change", id, "--enable", "--backup-url", "-"];
    let changed = finish(running.command(&change), &other).await.ok();
    assert_eq!(
        changed,
        format!("changed {id}  live/cam -> rtmp://a/app/*** (backup rtmp://c/app/***)\n")
    );
    let url = file("new", "rtmp://d/app/{stream}");
    let change = ["rules", "change", id, "--url", &url, "--chunk-size", "none"];
    let none = [
        "--stop-at",
        "none",
        "--backup-url",
        "none",
        "--strict-interleave=false",
        "--json",
    ];
    let changed = running.run(&[&change[..], &none].concat()).await.json();
    assert_eq!(changed["url"], "rtmp://d/app/***");
    let rule = running.gateway.rules.list(None)[0].clone();
    assert!(rule.enabled && rule.stop_at.is_none() && rule.chunk_size.is_none());
    assert!(rule.backup_url.is_none());
    assert!(!rule.strict_interleave && rule.digest_handshake);
    running
        .run(&["rules", "change", id, "--disable"])
        .await
        .ok();
    let past = [
        "rules",
        "change",
        id,
        "--enable",
        "--stop-at",
        "2020-01-01T00:00:00Z",
    ];
    running.run(&past).await.ok();
    let table = running.run(&["rules", "list"]).await.ok();
    assert!(table.contains("over"), "{table}");

    let two = file(
        "two",
        &format!("rtmp://e/app/{CANARY}\nrtmp://f/app/{CANARY}"),
    );
    let bad = format!("rtmp://h/{CANARY}");
    for (arguments, words) in [
        (
            &["rules", "add", &two, "--backup-url", &backup][..],
            "one URL",
        ),
        (
            &["rules", "add", &main, "--backup-url", &two],
            "more than one URL",
        ),
        (&["rules", "add", "-", "--backup-url", "-"], "only once"),
        (
            &["rules", "add", &main, "--backup-url", &bad],
            "backup_url: ",
        ),
        (
            &["rules", "add", &main, "--stop-at", "tomorrow"],
            "stop_at: ",
        ),
        (&["rules", "change", id, "--url", &two], "more than one URL"),
        (
            &["rules", "change", id, "--url", "-", "--backup-url", "-"],
            "only once",
        ),
        (
            &["rules", "change", id, "--chunk-size", "many"],
            "--chunk-size: ",
        ),
        (
            &["rules", "change", id, "--chunk-size", "1"],
            "128 to 65536",
        ),
        (&["rules", "change", id], "say what to change"),
    ] {
        let error = running.run(arguments).await.failed(2);
        assert!(error.contains(words) && !error.contains(CANARY), "{error}");
    }
    let error = running
        .run(&["rules", "change", "r-none", "--disable"])
        .await;
    let error = error.failed(1);
    assert!(
        error.contains("r-none") && error.contains("no rule"),
        "{error}"
    );
}

#[tokio::test]
async fn tables_fit_the_columns() {
    let running = Running::start().await;
    let long = format!("a-rather-long-stream-name-{}", "x".repeat(40));
    running
        .gateway
        .add(
            &long,
            "rtmp://a-host-with-a-rather-long-name.example.com/application/KEY",
        )
        .await;
    *running.gateway.running.streams.lock().unwrap() = vec![stream_status("live", "cam")];
    let rule = running.gateway.rules.list(None)[0].clone();
    *running.gateway.running.targets.lock().unwrap() =
        vec![target_status(&rule, "live", "cam", TargetState::BackingOff)];
    for (columns, most) in [(None, 80), (Some("100"), 100), (Some("60"), 60)] {
        for arguments in [vec!["rules", "list"], vec!["streams", "list"]] {
            let mut command = running.command(&arguments);
            if let Some(columns) = columns {
                command.env("COLUMNS", columns);
            }
            let table = finish(command, "").await.ok();
            assert!(
                table.lines().all(|line| line.chars().count() <= most),
                "{most}:\n{table}"
            );
        }
    }
}

#[tokio::test]
async fn wrong_urls_are_wrong_usage_and_not_repeated() {
    let running = Running::start().await;
    for url in [
        format!("http://h/{CANARY}"),
        CANARY.to_owned(),
        format!("rtmp://refused.example/a/{CANARY}"),
    ] {
        for command in [vec!["rules", "add", &url], vec!["preflight", &url]] {
            if command[0] == "preflight" && url.starts_with("rtmp") {
                continue;
            }
            let error = running.run(&command).await.failed(2);
            assert!(
                !error.contains(CANARY) && error.to_lowercase().contains("url"),
                "{error}"
            );
        }
    }
    let error = running.run(&["rules", "add"]).await.failed(2);
    assert!(
        error.contains("@FILE") && error.contains("AQUEDUCT_RELAY_URLS"),
        "{error}"
    );
    let error = running
        .run(&["rules", "add", "@/no/such/file"])
        .await
        .failed(2);
    assert!(error.contains("/no/such/file"), "{error}");
    let error = running
        .run(&["rules", "add", "--app", "nowhere", "rtmp://h/a/b"])
        .await
        .failed(2);
    assert!(error.contains("the apps are: "), "{error}");
}
