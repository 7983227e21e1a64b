//! A push's life: its attempts, the time between them, and what ends it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../gateway_parts/mod.rs"]
mod gateway_parts;
#[path = "../session_peer/mod.rs"]
mod session_peer;

mod backups;
mod cuts;
mod faults;
mod gate;
mod goodbyes;
mod grace;
mod ladder;
mod order;
mod recycling;
mod shown;
mod slow;
mod verdicts;

use aqueduct::media::MediaKind;
use aqueduct::relay::{Claim, Credential, DuplicatePolicy, Producer};
use aqueduct::rule::StreamKey;
use futures::FutureExt;
use gateway_parts::{Gateway, VIDEO_HEADER, key};

/// A stream that targets can begin with, without a publisher's connection.
fn stream(gateway: &Gateway, name: &str) -> Producer {
    let producer = claim(gateway, name);
    tag(&producer, 0, VIDEO_HEADER);
    tag(&producer, 0, &key(100));
    producer
}

/// One without media; the same name again is its publisher's return, or a takeover.
fn claim(gateway: &Gateway, name: &str) -> Producer {
    let claim = Claim {
        credential: Credential::Key([0; 32]),
        peer: "127.0.0.1:5000".parse().unwrap(),
        client: "test".into(),
        input: None,
    };
    let stream = StreamKey::parse("live", name).unwrap();
    let producer = gateway.hub.claim(&stream, claim, DuplicatePolicy::Takeover);
    producer.ok().unwrap()
}

fn tag(producer: &Producer, at: u32, payload: &[u8]) {
    let mut batch = producer.batch().unwrap();
    batch.push(MediaKind::Video, at, payload.to_vec().into());
    drop(batch);
    // A few targets are one turn.
    producer.deliver().now_or_never().unwrap();
}
