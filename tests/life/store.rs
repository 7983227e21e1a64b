//! A store that cannot be trusted stops the start: a gateway without the rules that somebody made would be silence on all CDNs.

use super::common::gateway::Site;
use std::path::Path;

#[tokio::test]
async fn a_damaged_or_newer_store_stops_the_start_with_its_name() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("the file is empty", |path| {
            std::fs::write(path, "").unwrap()
        }),
        ("newer aqueduct", |path| {
            let store = rusqlite::Connection::open(path).unwrap();
            store.execute_batch("PRAGMA user_version = 99").unwrap();
        }),
        ("rules cannot be read", |path| {
            std::fs::write(path, "x".repeat(8192)).unwrap()
        }),
    ];
    for (words, damage) in damages {
        let site = Site::new("", "");
        let gateway = site.start().await;
        gateway
            .create_rule("cam", "rtmp://127.0.0.1:9/app/canary7key")
            .await;
        gateway.sigterm();
        gateway.wait(std::time::Duration::from_secs(20)).await;
        let file = site.data().join("rules.db");
        damage(&file);
        let before = std::fs::read(&file).unwrap();
        let output = site.run_serve();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(words), "{words}: {text}");
        assert!(text.contains(&file.display().to_string()), "{text}");
        assert!(!text.contains("canary7key"), "{text}");
        assert!(
            !String::from_utf8_lossy(&output.stdout).contains("rtmp://"),
            "it never listened"
        );
        assert_eq!(
            std::fs::read(&file).unwrap(),
            before,
            "{words}: the file is left as it is"
        );
    }
}
