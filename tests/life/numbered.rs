//! A stream whose frames are numbered, and the check that a target got all of them.

use super::common::eventually;
use super::common::flv::{AUDIO, Tag, VIDEO};
use super::common::gateway::Gateway;
use super::common::rml_publisher::RmlPublisher;
use super::common::target::{Target, Visit};
use std::time::Duration;
use tokio::task::JoinHandle;

const VIDEO_STEP: u32 = 40;
const AUDIO_STEP: u32 = 23;

/// Longer than a push takes to begin on any machine, so that one that begins late begins with the first frame all the same.
const GOP: u32 = 10_000;

/// Headers, then pictures and sound of so many seconds in the order of their time.
pub fn tags(seconds: u32) -> Vec<Tag> {
    let tag = |kind, timestamp, payload: Vec<u8>| Tag {
        kind,
        timestamp,
        payload: payload.into(),
    };
    let picture = |at: u32| {
        let first = if at.is_multiple_of(GOP) { 0x17 } else { 0x27 };
        let head = [first, 1, 0, 0, 0];
        tag(VIDEO, at, frame(&head, at, 1500))
    };
    let sound = |at: u32| tag(AUDIO, at, frame(&[0xAF, 1], at, 200));
    let mut tags: Vec<_> = (0..seconds * 1000)
        .step_by(VIDEO_STEP as usize)
        .map(picture)
        .collect();
    tags.extend((0..seconds * 1000).step_by(AUDIO_STEP as usize).map(sound));
    tags.sort_by_key(|tag| (tag.timestamp, tag.kind == AUDIO));
    let headers = [
        tag(VIDEO, 0, vec![0x17, 0, 0, 0, 0, 1]),
        tag(AUDIO, 0, vec![0xAF, 0, 0x12, 0x10]),
    ];
    headers.into_iter().chain(tags).collect()
}

fn frame(head: &[u8], number: u32, size: usize) -> Vec<u8> {
    let mut payload = [head, &number.to_be_bytes()].concat();
    payload.resize(size, 0x55);
    payload
}

/// Publishes `live/cam` in real time until it is told to stop, or the tags are over.
pub struct Publishing {
    pub sent: Vec<Tag>,
    task: JoinHandle<Result<(), String>>,
}

impl Publishing {
    pub async fn start(gateway: &Gateway, seconds: u32) -> Self {
        let sent = tags(seconds);
        let mut publisher = RmlPublisher::publish(gateway.rtmp, "live", "cam")
            .await
            .unwrap();
        let tags = sent.clone();
        let task = tokio::spawn(async move {
            publisher.send_tags(&tags, 1.0).await?;
            publisher.stop().await
        });
        Self { sent, task }
    }

    /// Stops where it is.
    pub fn abort(&self) {
        self.task.abort();
    }
}

/// Waits for the visit under that name to have so many tags.
pub async fn arrived(target: &Target, name: &str, count: usize) {
    let what = format!("{count} tags at {name}");
    eventually(&what, Duration::from_secs(30), || async {
        let visits = target.visits().into_iter();
        visits
            .filter(|visit| visit.name == name)
            .any(|visit| visit.arrivals.len() >= count)
            .then_some(())
    })
    .await;
}

/// The only visit under that name.
pub fn visit(target: &Target, name: &str) -> Visit {
    let visits = target.visits().into_iter();
    let mut visits: Vec<_> = visits.filter(|visit| visit.name == name).collect();
    assert_eq!(visits.len(), 1, "{name} was pushed to once");
    visits.remove(0)
}

/// Panics unless what arrived is what was sent, from the beginning, without a hole and byte for byte; what is still on its way does
/// not count.
pub fn assert_nothing_lost(what: &str, visit: &Visit, sent: &[Tag]) {
    let received = visit.tags();
    for kind in [VIDEO, AUDIO] {
        let of_kind = |tag: &&Tag| tag.kind == kind;
        let received: Vec<_> = received.iter().filter(of_kind).collect();
        let sent: Vec<_> = sent.iter().filter(of_kind).collect();
        assert!(
            received.len() > 2 && received.len() <= sent.len(),
            "{what}: {} of {} tags of kind {kind}",
            received.len(),
            sent.len()
        );
        for (place, (received, sent)) in received.iter().zip(&sent).enumerate() {
            // Not assert_eq: nobody reads a payload.
            assert!(
                received == sent,
                "{what}: tag {place} of kind {kind}, sent at {}, is another one at {}",
                sent.timestamp,
                received.timestamp
            );
        }
    }
}
