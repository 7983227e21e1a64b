//! `kill -9` in the middle of writing: what was answered is there, and what was removed does not return.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use aqueduct::rule::{AppName, Origin, Rule, RuleId, StreamPattern, UrlTemplate};
use aqueduct::store::{RuleStore, SqliteStore};
use time::OffsetDateTime;

const DIRECTORY: &str = "STORE_KILLED_DIRECTORY";
const KILLS: u64 = 25;

fn rule(number: u64) -> Rule {
    Rule {
        id: RuleId::from_random(number.to_be_bytes()),
        app: AppName::live(),
        stream: StreamPattern::every(),
        url: UrlTemplate::parse(&format!("rtmp://h/app/{number}")).unwrap(),
        backup_url: None,
        enabled: true,
        origin: Origin::Api,
        created_at: OffsetDateTime::UNIX_EPOCH,
        revision: number,
        stop_at: None,
        chunk_size: None,
        strict_interleave: false,
        digest_handshake: false,
    }
}

/// Not a test by itself: the process that gets killed. It says what it is about to do, does it, and says that it is done.
#[test]
fn writer() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let store = SqliteStore::open(Path::new(&directory)).unwrap();
    let mut stored: Vec<Rule> = store.load().unwrap();
    let say = |text: String| {
        let mut out = std::io::stdout().lock();
        out.write_all(format!("\n@{text}\n").as_bytes()).unwrap();
        out.flush().unwrap();
    };
    for number in store.max_revision().unwrap() + 1.. {
        say(format!("inserting {number}"));
        store.insert(&rule(number)).unwrap();
        say(format!("inserted {number}"));
        stored.push(rule(number));
        if number % 3 != 0 {
            let oldest = stored.remove(0);
            say(format!("deleting {}", oldest.revision));
            assert!(store.delete(&oldest.id).unwrap());
            say(format!("deleted {}", oldest.revision));
        }
    }
}

#[test]
fn what_was_answered_survives_every_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut present = BTreeSet::new();
    let mut answers = 0;
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut open_insert = None;
        let mut open_delete = None;
        // A prime step, so that over the rounds every place between two answers is hit; what the pipe still holds counts.
        let mut until_kill = 3 + round * 7 % 53;
        for line in lines {
            let line = line.unwrap();
            let Some((verb, number)) = line.strip_prefix('@').and_then(|said| said.split_once(' '))
            else {
                continue;
            };
            let number: u64 = number.parse().unwrap();
            match verb {
                "inserting" => open_insert = Some(number),
                "deleting" => open_delete = Some(number),
                "inserted" => {
                    open_insert = None;
                    assert!(present.insert(number));
                }
                _ => {
                    open_delete = None;
                    assert!(present.remove(&number));
                }
            }
            answers += u64::from(verb.ends_with("ed"));
            until_kill -= u64::from(until_kill > 0);
            if until_kill == 0 {
                let _ = child.kill();
            }
        }
        child.wait().unwrap();

        let store = SqliteStore::open(directory.path()).unwrap();
        let found: BTreeSet<u64> = store
            .load()
            .unwrap()
            .iter()
            .map(|rule| rule.revision)
            .collect();
        let lost: Vec<_> = present
            .difference(&found)
            .filter(|number| Some(**number) != open_delete)
            .collect();
        let returned: Vec<_> = found
            .difference(&present)
            .filter(|number| Some(**number) != open_insert)
            .collect();
        assert!(
            lost.is_empty() && returned.is_empty(),
            "round {round}: lost {lost:?}, returned {returned:?}"
        );
        assert!(store.max_revision().unwrap() >= present.last().copied().unwrap_or(0));
        present = found;
    }
    assert!(
        answers > KILLS,
        "the writer hardly wrote: {answers} answers"
    );
}
