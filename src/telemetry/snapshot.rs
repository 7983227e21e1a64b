//! The part of the page that is not counted but looked up: what runs at this moment.
//!
//! Series per target are labelled by rule, which is the one open set of labels. They come from what runs, so that a series
//! ends with its push, and their number is bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use super::labels::Label;
use crate::rule::RuleId;

/// How many rules have series of their own. Beyond it the rules that began last have none, and are counted instead.
pub const MAX_TARGET_SERIES: usize = 1000;

/// What runs. `S` is the state of a target.
#[derive(Debug, Clone)]
pub struct Snapshot<S> {
    /// Live streams, those in the time of grace among them.
    pub streams: u64,
    /// Streams whose publisher's return is waited for.
    pub streams_in_grace: u64,
    /// Bytes that the streams' rings hold, all together.
    pub ring_bytes: u64,
    /// Every target, oldest first.
    pub targets: Vec<TargetSample<S>>,
}

/// One target.
#[derive(Debug, Clone)]
pub struct TargetSample<S> {
    /// Its push, by a number that is used once in a process's life; `None` while no push runs.
    pub push: Option<u64>,
    /// The rule that wishes for it.
    pub rule: RuleId,
    /// Its state.
    pub state: S,
    /// Whether its CDN takes media.
    pub up: bool,
    /// Bytes handed to its connections since its push began.
    pub bytes: u64,
}

/// Renders snapshots one after the other.
///
/// A rule with a pattern has a push for each stream, and one series. Its bytes must not fall when one of these pushes
/// ends, or a scraper takes the fall for a restart; so what ended pushes had is kept while others of the rule run.
#[derive(Debug, Default)]
pub(super) struct Page {
    known: Mutex<BTreeMap<RuleId, Series>>,
}

#[derive(Debug, Default, Clone)]
struct Series {
    /// What pushes that have ended had sent when they were last seen.
    ended_bytes: u64,
    /// What each running push has sent.
    running: BTreeMap<u64, u64>,
    /// Whether all running pushes are up.
    up: bool,
}

impl Series {
    fn bytes(&self) -> u64 {
        self.running
            .values()
            .fold(self.ended_bytes, |sum, bytes| sum.saturating_add(*bytes))
    }
}

impl Page {
    pub(super) fn render<S: Label>(&self, snapshot: &Snapshot<S>, page: &mut String) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (series, beyond) = follow(&known, &snapshot.targets);
        *known = series;
        // Writing to a string does not fail.
        let _ = write_page(snapshot, &known, beyond, page);
    }
}

/// The series of this moment, after those of the moment before; and how many rules have none.
fn follow<S: Label>(
    before: &BTreeMap<RuleId, Series>,
    targets: &[TargetSample<S>],
) -> (BTreeMap<RuleId, Series>, u64) {
    let mut now: BTreeMap<RuleId, Series> = BTreeMap::new();
    let mut beyond = BTreeSet::new();
    for target in targets {
        let Some(push) = target.push else { continue };
        if !now.contains_key(&target.rule) && now.len() >= MAX_TARGET_SERIES {
            beyond.insert(&target.rule);
            continue;
        }
        let series = now.entry(target.rule.clone()).or_insert_with(|| Series {
            up: true,
            ..Series::default()
        });
        series.up &= target.up;
        series.running.insert(push, target.bytes);
    }
    for (rule, series) in &mut now {
        let Some(before) = before.get(rule) else {
            continue;
        };
        series.ended_bytes = before
            .running
            .iter()
            .filter(|(push, _)| !series.running.contains_key(push))
            .fold(before.ended_bytes, |sum, (_, bytes)| {
                sum.saturating_add(*bytes)
            });
    }
    (now, beyond.len() as u64)
}

fn write_page<S: Label>(
    snapshot: &Snapshot<S>,
    series: &BTreeMap<RuleId, Series>,
    beyond: u64,
    page: &mut String,
) -> std::fmt::Result {
    head(page, "aqueduct_streams", "gauge", "Live streams.")?;
    writeln!(page, "aqueduct_streams {}\n", snapshot.streams)?;

    head(
        page,
        "aqueduct_streams_in_grace",
        "gauge",
        "Live streams whose publisher's return is waited for.",
    )?;
    writeln!(
        page,
        "aqueduct_streams_in_grace {}\n",
        snapshot.streams_in_grace
    )?;

    head(
        page,
        "aqueduct_ring_bytes",
        "gauge",
        "Bytes that the streams' rings hold.",
    )?;
    writeln!(page, "aqueduct_ring_bytes {}\n", snapshot.ring_bytes)?;

    head(page, "aqueduct_targets", "gauge", "Targets by state.")?;
    for state in S::ALL {
        let count = snapshot
            .targets
            .iter()
            .filter(|target| target.state == *state)
            .count();
        writeln!(
            page,
            "aqueduct_targets{{state=\"{}\"}} {count}",
            state.as_str()
        )?;
    }
    page.push('\n');

    let about = "Whether every target of the rule takes media.";
    head(page, "aqueduct_target_up", "gauge", about)?;
    for (rule, series) in series {
        let up = u8::from(series.up);
        writeln!(
            page,
            "aqueduct_target_up{{rule=\"{}\"}} {up}",
            rule.as_str()
        )?;
    }
    page.push('\n');

    let about = "Bytes handed to the connections of the rule's targets.";
    head(page, "aqueduct_target_bytes_total", "counter", about)?;
    for (rule, series) in series {
        let bytes = series.bytes();
        writeln!(
            page,
            "aqueduct_target_bytes_total{{rule=\"{}\"}} {bytes}",
            rule.as_str()
        )?;
    }
    page.push('\n');

    let about = "Rules that run and have no series of their own, for want of room.";
    head(page, "aqueduct_target_series_omitted", "gauge", about)?;
    writeln!(page, "aqueduct_target_series_omitted {beyond}")
}

fn head(page: &mut String, name: &str, kind: &str, about: &str) -> std::fmt::Result {
    writeln!(page, "# HELP {name} {about}\n# TYPE {name} {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::labels::StoreOperation as State;

    fn target(push: u64, rule: &str, up: bool, bytes: u64) -> TargetSample<State> {
        TargetSample {
            push: Some(push),
            rule: RuleId::parse(rule).unwrap(),
            state: State::Open,
            up,
            bytes,
        }
    }

    fn render(page: &Page, targets: Vec<TargetSample<State>>) -> Vec<String> {
        let snapshot = Snapshot {
            streams: 1,
            streams_in_grace: 0,
            ring_bytes: 2,
            targets,
        };
        let mut text = String::new();
        page.render(&snapshot, &mut text);
        text.lines().map(str::to_owned).collect()
    }

    fn has(lines: &[String], line: &str) -> bool {
        lines.iter().any(|known| known == line)
    }

    #[test]
    fn every_state_is_counted_and_a_rule_at_rest_has_no_series() {
        let mut at_rest = target(0, "rest", false, 0);
        at_rest.push = None;
        at_rest.state = State::Load;
        let lines = render(&Page::default(), vec![target(1, "a", true, 10), at_rest]);
        for line in [
            "aqueduct_streams 1",
            "aqueduct_ring_bytes 2",
            "aqueduct_targets{state=\"open\"} 1",
            "aqueduct_targets{state=\"load\"} 1",
            "aqueduct_targets{state=\"store\"} 0",
            "aqueduct_targets{state=\"delete\"} 0",
            "aqueduct_target_up{rule=\"a\"} 1",
            "aqueduct_target_bytes_total{rule=\"a\"} 10",
            "aqueduct_target_series_omitted 0",
        ] {
            assert!(has(&lines, line), "{line} is not in {lines:#?}");
        }
        assert!(!lines.iter().any(|line| line.contains("rest")));
    }

    #[test]
    fn the_bytes_of_a_rule_never_fall_while_it_runs() {
        let page = Page::default();
        let bytes = |lines: Vec<String>, expected: &str| {
            let line = format!("aqueduct_target_bytes_total{{rule=\"a\"}} {expected}");
            assert!(has(&lines, &line), "{line} is not in {lines:#?}");
        };
        bytes(
            render(
                &page,
                vec![target(1, "a", true, 10), target(2, "a", true, 5)],
            ),
            "15",
        );
        // The first push ends, the second goes on.
        bytes(render(&page, vec![target(2, "a", true, 7)]), "17");
        bytes(
            render(
                &page,
                vec![target(2, "a", true, 8), target(3, "a", true, 1)],
            ),
            "19",
        );
        bytes(render(&page, vec![target(3, "a", true, 1)]), "19");
        // All end: so does the series, and what comes later begins anew.
        assert!(
            !render(&page, vec![])
                .iter()
                .any(|line| line.contains("rule="))
        );
        bytes(render(&page, vec![target(4, "a", true, 2)]), "2");
    }

    #[test]
    fn a_rule_is_up_when_all_its_pushes_are() {
        let page = Page::default();
        let lines = render(
            &page,
            vec![target(1, "a", true, 0), target(2, "a", false, 0)],
        );
        assert!(has(&lines, "aqueduct_target_up{rule=\"a\"} 0"));
    }

    #[test]
    fn the_oldest_rules_keep_their_series_when_there_are_too_many() {
        let targets = (0..MAX_TARGET_SERIES as u64 + 5)
            .flat_map(|number| {
                // Younger rules sort first, so that the order of ids cannot be what decides.
                let rule = format!("r{:04}", 9999 - number);
                [
                    target(number * 2, &rule, true, 1),
                    target(number * 2 + 1, &rule, true, 1),
                ]
            })
            .collect();
        let lines = render(&Page::default(), targets);
        let series = lines
            .iter()
            .filter(|line| line.starts_with("aqueduct_target_up{"));
        assert_eq!(series.count(), MAX_TARGET_SERIES);
        assert!(has(&lines, "aqueduct_target_up{rule=\"r9999\"} 1"));
        assert!(has(&lines, "aqueduct_target_series_omitted 5"));
    }
}
