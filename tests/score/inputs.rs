//! Item 14: a main input that dies, with a backup that stands by.

use super::Extent;
use super::common::eventually;
use super::common::gateway::{Gateway, Site};
use super::frames::GOP;
use super::row::{Row, Verdict};
use super::scene::{PATIENCE, Pace, Sink, Stream, Visit, percentile, seconds};
use super::target::Mood;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The publishers' numbers, which their pictures bear.
const MAIN: u32 = 0;
const BACKUP: u32 = 1;

/// A keyframe a second.
const PACE: Pace = Pace {
    step: Duration::from_millis(40),
    bytes: 2_000,
};

/// What may go by before the wait for a keyframe begins.
const NOTICED_WITHIN: Duration = Duration::from_millis(500);

/// How a main input dies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Death {
    /// As when its process is killed: its connection ends.
    Lost,
    /// As when its machine or its network is gone: nothing comes any more.
    Silent,
}

pub async fn main_inputs_die(extent: Extent) -> Vec<Row> {
    vec![
        die(extent, Death::Lost).await,
        die(extent, Death::Silent).await,
    ]
}

async fn die(extent: Extent, death: Death) -> Row {
    let count = extent.of(30, 6);
    let (ingest, what, by) = match death {
        Death::Lost => (
            "",
            "the main input's source is killed, and its backup is warm",
            "its connection's end decides",
        ),
        Death::Silent => (
            "[ingest]\nstall_ms = 300\n",
            "the main input falls silent and stays connected, and its backup is warm",
            "`stall_ms` decides, 300 here",
        ),
    };
    let site = Site::new("starts_per_second = 1000", ingest);
    let gateway = site.start().await;
    let sink = Sink::start(Mood::Takes, true);
    let mut mains = Vec::new();
    let began = Instant::now();
    for number in 0..count {
        let name = format!("cam{number}");
        let url = sink.url(&format!("key{number}"));
        gateway.create_rule(&name, &url).await;
        mains.push(Stream::start(gateway.rtmp, &name, MAIN, PACE).await);
    }
    sink.until_live(count as usize, began).await;
    let mut backups = Vec::new();
    for number in 0..count {
        backups.push(warm_backup(&gateway, &format!("cam{number}")).await);
    }
    let mut died = Vec::new();
    let mut quiet = Vec::new();
    for (number, (main, backup)) in (0..).zip(mains.into_iter().zip(&backups)) {
        // Each at another part of its backup's GOP.
        sleep_until(next_time_in_gop(backup, PACE.step * GOP * number / count)).await;
        died.push(Instant::now());
        match death {
            Death::Lost => drop(main),
            Death::Silent => {
                main.fall_silent();
                quiet.push(main);
            }
        }
    }
    let visits = eventually("every backup is at its target", PATIENCE, || async {
        let visits = sink.visits();
        let came = visits.iter().filter_map(of_the_backup).count();
        (came >= died.len()).then_some(visits)
    })
    .await;
    // Who was called once has not been called again.
    let is_one_each = visits.len() == died.len();
    let changes: Vec<_> = visits.iter().filter_map(of_the_backup).collect();
    let at_keyframes = changes.iter().filter(|change| change.is_key).count();
    let mut took: Vec<_> = changes
        .iter()
        .filter_map(|change| Some(change.at - *died.get(change.stream)?))
        .collect();
    took.sort_unstable();
    let (median, longest) = (percentile(&took, 50), percentile(&took, 100));
    let promised = NOTICED_WITHIN + PACE.step * GOP;
    Row {
        item: 14,
        what,
        how: format!(
            "from then to the backup's first picture at the target, {} times, with a keyframe a second; {by}",
            took.len()
        ),
        value: format!(
            "p50 {}, longest {}; {at_keyframes} begin with a keyframe; {} connections for {count} targets",
            seconds(median),
            seconds(longest),
            visits.len()
        ),
        promise: "500 ms and one keyframe interval at most; at a keyframe; the same connection",
        verdict: Verdict::of(
            longest <= promised && at_keyframes == changes.len() && is_one_each && !took.is_empty(),
        ),
    }
}

/// The next moment that is so far behind a keyframe of that stream.
fn next_time_in_gop(stream: &Stream, behind: Duration) -> Instant {
    let sent = stream.sent();
    let keyframes = sent.iter().step_by(GOP as usize);
    let newest = keyframes.max().expect("a keyframe");
    let due = *newest + behind;
    match due < Instant::now() {
        true => due + PACE.step * GOP,
        false => due,
    }
}

/// A publisher at a URL that the gateway hands out, once it stands by.
async fn warm_backup(gateway: &Gateway, stream: &str) -> Stream {
    let path = format!("/v1/streams/live/{stream}/inputs/backup?reveal=true");
    let push = json!({"push": {"expires_in_seconds": 600}});
    let (status, made) = gateway.request(Method::PUT, &path, Some(push)).await;
    assert!(status.is_success(), "{status} {made}");
    let url = made["push_url"].as_str().expect("a URL");
    let (_, name) = url.split_once("/live/").expect("the app");
    let backup = Stream::start(gateway.rtmp, name, BACKUP, PACE).await;
    let path = format!("/v1/streams/live/{stream}/inputs");
    eventually("the backup stands by", PATIENCE, || async {
        let (_, inputs) = gateway.request(Method::GET, &path, None).await;
        let rows = inputs["inputs"].as_array()?;
        let is_warm =
            |row: &serde_json::Value| row["role"] == "backup" && row["state"] == "standby";
        rows.iter().any(is_warm).then_some(())
    })
    .await;
    backup
}

/// A target's change from the one input to the other.
struct Change {
    stream: usize,
    at: Instant,
    is_key: bool,
}

fn of_the_backup(visit: &Visit) -> Option<Change> {
    let (mark, at) = visit
        .pictures
        .iter()
        .find(|(mark, _)| mark.session == BACKUP)?;
    Some(Change {
        stream: visit.name.strip_prefix("key")?.parse().ok()?,
        at: *at,
        is_key: mark.is_key(),
    })
}
