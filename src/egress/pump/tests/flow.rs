//! What goes over the wire while a push is live.

use super::super::*;
use super::scene::*;
use crate::egress::lag::STALL;
use crate::relay::ring::RingLimits;
use crate::rtmp::message::MessageType;
use bytes::Bytes;
use proptest::prelude::*;
use std::sync::atomic::Ordering;
use tokio::time::{advance, sleep};

#[tokio::test(start_paused = true)]
async fn a_write_that_ends_at_any_byte_corrupts_nothing() {
    for size in [1, 2, 3, 5, 7, 11, 12, 13, 100, 4095, 4096, 4097] {
        let scene = Scene::new();
        scene.wire.slice(size);
        let payloads = [
            HEADER.to_vec(),
            key(9000),
            inter(1),
            key(4096 - 5),
            inter(2),
        ];
        for (index, payload) in payloads.iter().enumerate() {
            scene.push(index as u32 * 40, payload.clone());
            // A target that comes later would begin at the newest keyframe.
            scene.settle().await;
        }
        while scene.wire.sent() < 13_000 {
            scene.settle().await;
        }
        scene.settle().await;
        let got: Vec<_> = scene
            .messages()
            .into_iter()
            .map(|got| got.payload)
            .collect();
        assert_eq!(got, payloads.map(Bytes::from), "writes of {size} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_go_between_messages_and_never_into_one() {
    let mut scene = Scene::new();
    scene.wire.allow(2000);
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(20_000));
    scene.push(40, inter(1));
    scene.settle().await;
    let mut said = Vec::new();
    chatter(&mut said);
    scene.wire.say(&said);
    scene.settle().await;
    assert_eq!(scene.wire.sent(), 2000, "in the middle of the keyframe");
    scene.wire.allow(usize::MAX);
    scene.settle().await;
    let expected = [
        "video 0 6",
        "video 0 20005",
        "video 40 9",
        "type 5",
        "event 7",
    ];
    assert_eq!(lines(&scene.messages()), expected);
    scene.finish();
    scene.settle().await;
    assert_eq!(
        lines(&scene.messages())[5..],
        ["FCUnpublish", "deleteStream"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_target_that_talks_without_end_gets_its_media_and_is_looked_at() {
    let scene = Scene::new();
    // A message of an unknown kind is passed over; this one is never done.
    scene
        .wire
        .chatter(&[0x08, 0, 0, 0, 0, 0, 0, 18, 0, 0, 0, 0]);
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(100));
    for frame in 1..10 {
        scene.push(frame * 40, inter(frame));
        scene.settle().await;
    }
    assert_eq!(scene.messages().len(), 11);
    scene.wire.allow(0);
    scene.push(400, inter(10));
    let began = Instant::now();
    while !scene.task.is_finished() && began.elapsed() < SECOND * 30 {
        advance(Duration::from_millis(100)).await;
        scene.settle().await;
    }
    let over = scene.over().await;
    assert!(
        matches!(over, Over::Failed(Failure::Stalled(_))),
        "{over:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_target_that_never_reads_has_stalled_after_ten_seconds() {
    let scene = Scene::new();
    scene.wire.allow(5000);
    scene.wire.leave_unacknowledged(5000);
    scene.push(0, HEADER.to_vec());
    let began = Instant::now();
    for frame in 0..1000 {
        scene.push(
            frame * 40,
            if frame % 50 == 0 {
                key(5000)
            } else {
                inter(frame)
            },
        );
        sleep(Duration::from_millis(40)).await;
        if scene.task.is_finished() {
            break;
        }
    }
    let took = began.elapsed();
    assert!(took >= STALL && took <= STALL + SECOND * 2, "{took:?}");
    let lag = scene.figure(|figures| figures.lag_ms.load(Ordering::Relaxed));
    assert!(lag >= 9_000, "{lag} ms");
    let over = scene.over().await;
    assert!(
        matches!(over, Over::Failed(Failure::Stalled(STALL))),
        "{over:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_target_that_takes_one_byte_a_while_has_not_stalled() {
    let scene = Scene::new();
    scene.wire.allow(5000);
    scene.wire.leave_unacknowledged(5000);
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(100_000));
    for second in 1..60u64 {
        sleep(SECOND).await;
        assert!(!scene.task.is_finished(), "after {second} s");
        if second % 9 == 0 {
            scene.wire.leave_unacknowledged(5000 - second);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_was_overtaken_goes_on_at_a_keyframe_behind_headers() {
    let scene = Scene::with(RingLimits {
        window_ms: 1000,
        ..RingLimits::default()
    });
    scene.wire.allow(50_000);
    scene.push(0, HEADER.to_vec());
    // Larger than what the target takes: it stands in the middle of this one.
    scene.push(0, key(60_000));
    scene.settle().await;
    assert_eq!(scene.wire.sent(), 50_000);
    let mut frame = 0;
    for gop in 1..8u32 {
        for picture in 0..25 {
            frame += 1;
            let payload = if picture == 0 {
                key(1000 + gop as usize)
            } else {
                inter(frame)
            };
            scene.push(gop * 1000 + picture * 40, payload);
        }
    }
    scene.settle().await;
    scene.wire.allow(usize::MAX);
    scene.settle().await;
    let got = lines(&scene.messages());
    let expected = [
        "video 0 6",
        "video 0 60005",
        "video 7000 6",
        "video 7000 1012",
    ];
    assert_eq!(got[..4], expected);
    assert_eq!(got.len(), 4 + 24, "the rest of the newest GOP");
    sleep(SECOND * 2).await;
    let dropped = scene.figure(|figures| figures.left_out().overtaken);
    assert_eq!(dropped, 6 * 25, "all that came before the newest keyframe");
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_is_told_even_where_the_push_ends_at_once() {
    let scene = Scene::with(RingLimits {
        window_ms: 0,
        ..RingLimits::default()
    });
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(10));
    scene.settle().await;
    scene.wire.allow(scene.wire.sent() + 10);
    scene.push(40, key(100_000));
    scene.settle().await;
    for frame in 2..12 {
        scene.push(frame * 40, key(10));
    }
    scene.wire.allow(usize::MAX);
    scene.settle().await;
    scene.wire.end();
    let status = Arc::clone(&scene.status);
    let over = scene.over().await;
    assert!(matches!(over, Over::Failed(Failure::Closed(_))), "{over:?}");
    assert_eq!(status.figures.left_out().overtaken, 9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is sent, however it is taken and whatever is said meanwhile: whole messages in their order.
    #[test]
    fn whole_messages_in_their_order_come_out(
        sizes in proptest::collection::vec(0usize..10_000, 1..20),
        takes in proptest::collection::vec(0usize..5_000, 1..200),
        talks in proptest::collection::vec(any::<bool>(), 200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut scene = Scene::new();
            scene.push(0, HEADER.to_vec());
            scene.wire.allow(0);
            for (index, size) in sizes.iter().enumerate() {
                scene.push(index as u32 * 40, key(*size));
                // A target that comes later would begin at the newest keyframe.
                scene.settle().await;
            }
            let mut allowed = 0;
            for (take, talk) in takes.iter().zip(talks) {
                allowed += take;
                scene.wire.allow(allowed);
                if talk {
                    let mut said = Vec::new();
                    chatter(&mut said);
                    // The chunk size changes only twice a second.
                    scene.wire.say(&said[16..]);
                }
                for _ in 0..5 { tokio::task::yield_now().await; }
            }
            scene.wire.allow(usize::MAX);
            scene.finish();
            scene.settle().await;
            let got = scene.messages();
            let video = got.iter().filter(|got| got.type_id == MessageType::VIDEO);
            let lengths: Vec<_> = video.map(|got| got.payload.len()).collect();
            let expected: Vec<_> = [6].into_iter().chain(sizes.iter().map(|size| size + 5)).collect();
            assert_eq!(lengths, expected);
            let goodbye = lines(&got[got.len() - 2..]);
            assert_eq!(goodbye, ["FCUnpublish", "deleteStream"]);
        });
    }
}
