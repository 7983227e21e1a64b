//! Items that a test asserts: it is run, and its word is the value.

use super::row::{Row, Verdict};
use std::collections::BTreeSet;
use std::process::Command;

/// An item, and the tests that stand for it.
pub struct Proof {
    pub item: u32,
    what: &'static str,
    promise: &'static str,
    /// Where the tests are, and the beginning of their names.
    tests: &'static [(&'static str, &'static str)],
}

const fn proof(
    item: u32,
    what: &'static str,
    promise: &'static str,
    tests: &'static [(&'static str, &'static str)],
) -> Proof {
    Proof {
        item,
        what,
        promise,
        tests,
    }
}

/// `lib` is the library itself.
pub const PROOFS: &[Proof] = &[
    proof(
        3,
        "1000 targets of 100 streams after a kill, under a paused clock",
        "never more than `starts_per_second` within any second; the last turn after 20 s",
        &[
            ("pushes", "gate::a_thousand_targets"),
            ("lib", "egress::gate::tests"),
        ],
    ),
    proof(
        4,
        "`kill -9` in the middle of writing, 25 times",
        "what was answered is there",
        &[
            ("store_killed", "what_was_answered"),
            ("e2e_rules_survive_kill", "creation_and"),
        ],
    ),
    proof(
        5,
        "every commit is synced before it is answered",
        "`synchronous` is FULL",
        &[("lib", "store::sqlite::tests")],
    ),
    proof(
        6,
        "files may not grow, or the disk is full; and the store is read-only",
        "0 tags lost; 503; a deletion stops its push; all is well again without a restart",
        &[("life", "disk::")],
    ),
    proof(
        7,
        "damaged, empty or newer store",
        "no start, the file is named and left as it is",
        &[
            ("life", "store::"),
            ("store_sqlite", "a_newer_file"),
            ("store_sqlite", "a_damaged_file"),
        ],
    ),
    proof(
        8,
        "open files exhausted under load",
        "the live stream loses nothing; one log line a second at most; who waits is let in later",
        &[("life", "descriptors::")],
    ),
    proof(
        9,
        "a panic in a push, in a publisher's session, in the supervisor",
        "that session ends, or that turn; counted; the rest goes on",
        &[("panics", "a_panic_ends"), ("pushes", "faults::")],
    ),
    proof(
        11,
        "a target that takes nothing is found by acknowledged bytes, and called again",
        "after 10 s",
        &[
            ("lib", "egress::lag::tests"),
            ("e2e_bad_targets", "bad_targets_say"),
        ],
    ),
    proof(
        13,
        "an encoder goes and comes back five times",
        "same connections; keyframe behind headers only where they changed; strict stamps; 40 ms",
        &[
            ("ingest", "returns::"),
            ("e2e_encoder_returns", "nginx_records"),
        ],
    ),
    proof(
        14,
        "the main input is lost, falls silent, or sends garbage, with a backup",
        "over at a keyframe of the backup's; one connection; times that rise without a gap; back after a healthy while",
        &[
            ("lib", "relay::stream::standby::tests"),
            ("lib", "ingest::inputs::referee::tests"),
            ("e2e_inputs", "troubles::"),
        ],
    ),
    proof(
        16,
        "SIGTERM with targets that listen, are deaf, refuse, and are between two attempts",
        "goodbye, end of the connection and no reset; within the deadline",
        &[("life", "drain::"), ("pushes", "goodbyes::")],
    ),
    proof(
        17,
        "100 reloads under load",
        "no disturbed byte of what did not change",
        &[("life", "reload::")],
    ),
    proof(
        30,
        "kept inputs of all fuzz targets, on a stack of 2 MiB",
        "0 failures",
        &[("fuzz_corpus", "")],
    ),
    proof(
        31,
        "planted bugs: a length that shrinks, one buffer for all, AMF0 without a bound",
        "each is found again, within 60 s",
        &[("fuzz_canaries", "")],
    ),
    proof(
        35,
        "what a stranger makes us hold",
        "10 times what it sends at the most; 24 KiB for an idle connection",
        &[("strangers", "memory::")],
    ),
    proof(
        36,
        "strangers that drip, a thousand that are idle",
        "gone within 10 s, under a paused clock; a publisher gets in at once",
        &[("strangers", "crowd::"), ("api_listener", "")],
    ),
    proof(
        37,
        "secrets as canaries through all doors, at TRACE",
        "0 in logs, metrics, answers, errors",
        &[("e2e_secrets", "no_canary")],
    ),
    proof(
        38,
        "addresses that may not be called, by literal, name, rebinding, redirect, through every door",
        "all refused; the judged address is the one that is connected to",
        &[
            ("lib", "net::policy::tests"),
            ("lib", "net::literal::tests"),
            ("lib", "net::dial::tests"),
            ("attempts", "addresses::"),
            ("attempts", "redirects::"),
            ("safety", "literals::"),
            ("safety", "ways_out::"),
        ],
    ),
];

impl Proof {
    /// Runs the tests.
    pub fn run(&self) -> Row {
        let outcomes: Vec<_> = self
            .tests
            .iter()
            .map(|(place, name)| run(place, name))
            .collect();
        let passed: Option<u32> = outcomes.iter().copied().sum();
        let names = self.tests.iter().map(|(place, name)| match *name {
            "" => format!("`{place}`"),
            name => format!("`{place}` {}", name.trim_end_matches(':')),
        });
        Row {
            item: self.item,
            what: self.what,
            how: format!("tests: {}", names.collect::<Vec<_>>().join(", ")),
            value: match passed {
                Some(count) => format!("{count} tests pass"),
                None => "a test fails".to_owned(),
            },
            promise: self.promise,
            verdict: Verdict::of(passed.is_some()),
        }
    }
}

/// Builds the tests; false where they do not build, and the compiler has said why.
pub fn build(proofs: &[&Proof]) -> bool {
    let places: BTreeSet<_> = proofs
        .iter()
        .flat_map(|proof| proof.tests)
        .map(|(place, _)| *place)
        .collect();
    if places.is_empty() {
        return true;
    }
    let mut command = cargo_test();
    command.arg("--no-run");
    for place in places {
        choose(&mut command, place);
    }
    command.status().is_ok_and(|status| status.success())
}

fn cargo_test() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--locked", "--quiet"]);
    command
}

fn choose(command: &mut Command, place: &str) {
    match place {
        "lib" => command.arg("--lib"),
        test => command.args(["--test", test]),
    };
}

/// Runs tests of one place; how many passed, or none where one did not or there is no such test.
fn run(place: &str, name: &str) -> Option<u32> {
    let mut command = cargo_test();
    choose(&mut command, place);
    let output = command.args(["--", name]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let summary = text
        .lines()
        .rfind(|line| line.starts_with("test result:"))?;
    let passed = summary.split("ok. ").nth(1)?.split(' ').next()?;
    let passed = passed.parse().ok().filter(|&passed| passed > 0);
    if !output.status.success() || passed.is_none() {
        eprintln!(
            "score: {place} {name}:\n{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return None;
    }
    passed
}
