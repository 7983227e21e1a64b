//! Publishers that are lost and come back, under a clock that moves by itself.

mod laws;
mod waits;

use crate::media::timeline::GapPolicy;
use crate::media::{MediaKind, Tag};
use crate::relay::ring::RingLimits;
use crate::relay::{Claim, Consumer, Credential, Drained, DuplicatePolicy, Hub, Producer, Terms};
use crate::rule::StreamKey;
use std::sync::Arc;
use std::time::Duration;

pub const GRACE: Duration = Duration::from_secs(15);
pub const VIDEO_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1];
pub const AUDIO_HEADER: &[u8] = &[0xAF, 0, 0x12, 0x10];
pub const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 0x65];
pub const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 0x41];
pub const AUDIO: &[u8] = &[0xAF, 1, 0x21];

/// A hub that waits for [`GRACE`].
pub fn hub(gap: GapPolicy) -> Arc<Hub> {
    let hub = Hub::new(RingLimits::default());
    hub.set_terms(Terms {
        grace: GRACE,
        gap,
        ..Terms::default()
    });
    hub
}

pub fn cam() -> StreamKey {
    StreamKey::parse("live", "cam").unwrap()
}

pub fn claim(credential: u8) -> Claim {
    Claim {
        credential: Credential::Key([credential; 32]),
        peer: "127.0.0.1:5000".parse().unwrap(),
        client: "test".into(),
        input: None,
    }
}

pub fn publish(hub: &Arc<Hub>) -> Producer {
    hub.claim(&cam(), claim(1), DuplicatePolicy::Takeover)
        .unwrap()
}

pub fn push(producer: &Producer, tags: &[(u32, &[u8])]) {
    let mut batch = producer.batch().unwrap();
    for &(at, payload) in tags {
        let kind = if payload[0] >> 4 == 10 {
            MediaKind::Audio
        } else {
            MediaKind::Video
        };
        batch.push(kind, at, payload.to_vec().into());
    }
}

pub fn drain(consumer: &mut Consumer) -> (Vec<(Tag, u32)>, Drained) {
    let mut got = Vec::new();
    let drained = consumer.drain(usize::MAX, |tag, at| got.push((tag.clone(), at)));
    (got, drained)
}

/// The times of what a consumer is given.
pub fn times(consumer: &mut Consumer) -> Vec<u32> {
    drain(consumer).0.iter().map(|got| got.1).collect()
}
