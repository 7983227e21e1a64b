//! What is found out by looking at a target, and what that costs.

use super::super::super::status::PushFigures;
use super::super::*;
use super::scene::*;
use std::sync::atomic::Ordering;
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn the_round_trip_time_is_asked_for_at_first_and_then_every_five_seconds() {
    let scene = Scene::new();
    scene.wire.round_trip(Duration::from_millis(7));
    let told = || scene.figure(|figures| figures.rtt_us.load(Ordering::Relaxed));
    sleep(SECOND * 3 / 2).await;
    assert_eq!((told(), scene.wire.rtt_reads()), (7000, 1));
    scene.wire.round_trip(Duration::from_millis(9));
    sleep(SECOND * 3).await;
    assert_eq!((told(), scene.wire.rtt_reads()), (7000, 1), "still fresh");
    sleep(SECOND * 3).await;
    assert_eq!((told(), scene.wire.rtt_reads()), (9000, 2));
    sleep(SECOND * 50).await;
    assert_eq!(scene.wire.rtt_reads(), 12);
}

/// Frames for so many seconds, 25 in each.
async fn deliver(scene: &Scene, from: u32, seconds: u32) {
    for frame in from * 25..(from + seconds) * 25 {
        let payload = match frame % 50 {
            0 => key(5000),
            _ => inter(frame),
        };
        scene.push(frame * 40, payload);
        sleep(Duration::from_millis(40)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_keeps_up_is_looked_at_without_waking_its_task() {
    let scene = Scene::new();
    scene.push(0, HEADER.to_vec());
    deliver(&scene, 0, 2).await;
    let figures = || {
        let of = |figure: fn(&PushFigures) -> u64| scene.figure(figure);
        let bitrate = of(|figures| figures.bitrate.load(Ordering::Relaxed));
        (of(|figures| figures.bytes.load(Ordering::Relaxed)), bitrate)
    };
    let (polls, (bytes, _)) = (scene.polls.load(Ordering::Relaxed), figures());
    let looked = scene.wire.looks();
    assert!(bytes > 5000);
    deliver(&scene, 2, 20).await;
    assert_eq!(scene.polls.load(Ordering::Relaxed), polls);
    let looked = scene.wire.looks() - looked;
    assert!((19..=21).contains(&looked), "{looked} looks");
    let (bytes_now, bitrate) = figures();
    assert!(bytes_now > bytes + 9 * 5000, "{bytes_now} behind {bytes}");
    assert!(bitrate > 1000, "{bitrate} bit/s");
    // It was no accident that nobody polled: what it says is heard.
    let mut said = Vec::new();
    chatter(&mut said);
    scene.wire.say(&said);
    scene.settle().await;
    assert!(scene.polls.load(Ordering::Relaxed) > polls);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_takes_all_and_acknowledges_nothing_is_found_while_its_producer_delivers() {
    let scene = Scene::new();
    scene.wire.leave_unacknowledged(1 << 40);
    scene.push(0, HEADER.to_vec());
    let began = Instant::now();
    for second in 0..30 {
        deliver(&scene, second, 1).await;
        if scene.task.is_finished() {
            break;
        }
    }
    let took = began.elapsed();
    assert!(took >= STALL && took <= STALL + SECOND * 2, "{took:?}");
    let over = scene.over().await;
    assert!(
        matches!(over, Over::Failed(Failure::Stalled(STALL))),
        "{over:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn targets_of_a_publisher_that_says_nothing_are_looked_at() {
    let scene = Scene::new();
    scene.push(0, HEADER.to_vec());
    deliver(&scene, 0, 3).await;
    let bitrate = || scene.figure(|figures| figures.bitrate.load(Ordering::Relaxed));
    assert!(bitrate() > 0);
    scene.wire.leave_unacknowledged(100);
    scene.push(3000, inter(75));
    let began = Instant::now();
    sleep(SECOND * 5 / 2).await;
    assert_eq!(bitrate(), 0);
    let over = scene.over().await;
    let took = began.elapsed();
    assert!(took >= STALL && took <= STALL + SECOND * 2, "{took:?}");
    assert!(
        matches!(over, Over::Failed(Failure::Stalled(STALL))),
        "{over:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_while_a_target_is_looked_at_ends_its_push_alone() {
    let scene = Scene::new();
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(10));
    scene.settle().await;
    scene.wire.panic();
    let over = timeout(SECOND * 2, scene.over()).await.unwrap();
    assert!(matches!(over, Over::Failed(Failure::Io(_))), "{over:?}");
}
