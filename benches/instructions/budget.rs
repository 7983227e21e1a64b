//! What is accepted, and what follows from a count that is not.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fmt::Display;
use std::fs;

const PATH: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/instructions/budget.toml"
);
const HEAD: &str = "\
# Instructions that the hot path may take, by architecture; ./scripts/bench-instructions counts them.
#   receive   a tag, from the publisher's bytes to the ring
#   send      a tag and target that keeps up, from the ring to its write on the publisher's turn
#   catch_up  a tag and target whose socket took nothing on that turn, by its own task up to the slices of its write
";

/// How far a count may be off, in per cent: another compiler, or another allocator of the C library, moves it by some.
const TOLERANCE: f64 = 10.0;

/// Instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// For each tag.
    pub receive: u64,
    /// For each tag and target that keeps up.
    pub send: u64,
    /// For each tag and target that does not.
    pub catch_up: u64,
}

/// This architecture's budget, if it has one.
pub fn read() -> Result<Option<Counts>, String> {
    Ok(read_all()?.remove(ARCH))
}

/// Fails where a count is further from the budget than toolchains move it: above, because it costs; below, because the budget
/// would let what was gained be lost again.
pub fn check(counts: Counts, budget: Counts) -> Result<(), String> {
    let pairs = [
        ("receive", counts.receive, budget.receive),
        ("send", counts.send, budget.send),
        ("catch_up", counts.catch_up, budget.catch_up),
    ];
    let faults: Vec<_> = pairs
        .into_iter()
        .filter_map(|(name, count, budget)| fault(name, count, budget))
        .collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(faults.join("\n")),
    }
}

/// Writes the counts down as this architecture's budget.
pub fn accept(counts: Counts) -> Result<(), String> {
    let mut budgets = read_all()?;
    budgets.insert(ARCH.to_owned(), counts);
    let budgets = toml::to_string(&budgets).map_err(located)?;
    fs::write(PATH, format!("{HEAD}\n{budgets}")).map_err(located)
}

fn read_all() -> Result<BTreeMap<String, Counts>, String> {
    let text = fs::read_to_string(PATH).map_err(located)?;
    toml::from_str(&text).map_err(located)
}

fn located(error: impl Display) -> String {
    format!("{PATH}: {error}")
}

/// What is wrong with a count, and what to do about it.
fn fault(name: &str, count: u64, budget: u64) -> Option<String> {
    let off = count.abs_diff(budget) as f64 * 100.0 / budget as f64;
    if off <= TOLERANCE {
        return None;
    }
    let (side, advice) = if count > budget {
        (
            "above",
            "Find what has become dearer; if it is worth that, accept the count:",
        )
    } else {
        ("below", "Lower the budget, so that what was gained stays:")
    };
    Some(format!(
        "{name}: {count} instructions, {off:.1} % {side} the budget of {budget}. {advice} \
         `./scripts/bench-instructions --accept`, and say why in the commit"
    ))
}
