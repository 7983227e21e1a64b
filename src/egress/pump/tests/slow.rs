//! Targets that do not keep up.

use super::super::super::lag::STALL;
use super::super::super::status::TargetState;
use super::super::*;
use super::scene::*;
use crate::media::MediaKind;
use crate::relay::LeftOut;
use crate::rtmp::message::{Message, MessageType};
use std::sync::atomic::Ordering;
use tokio::time::sleep;

/// 50 times of 40 ms between two keyframes.
const GOP: u32 = 50;
const AUDIO_HEADER: &[u8] = &[0xAF, 0, 0x12, 0x10];

/// A stream of some 2 Mbit/s, with a disposable picture among three.
fn frame(scene: &Scene, number: u32) {
    let payload = match number {
        number if number % GOP == 0 => key(60_000),
        number if number % 3 == 1 => [&[0x37, 1, 0, 0, 0][..], &[0x01; 6000]].concat(),
        number => [inter(number), vec![0x41; 10_000]].concat(),
    };
    scene.push(number * 40, payload);
    for later in [10, 30] {
        let sound = [&[0xAF, 1][..], &number.to_be_bytes(), &[0; 200]].concat();
        scene.push_kind(MediaKind::Audio, number * 40 + later, sound);
    }
}

const SPARED: &str = "too slow for the stream: frames that no other one needs are left out";
const SKIPPED: &str =
    "too slow for the stream: pictures are left out up to a keyframe at which it has caught up";

/// A push whose target takes so many bytes a second, frame by frame.
struct Course {
    scene: Scene,
    next: u32,
    reasons: Vec<String>,
}

impl Course {
    fn begin() -> Self {
        let scene = Scene::new();
        scene.status.live();
        scene.wire.allow(0);
        scene.push(0, HEADER.to_vec());
        scene.push_kind(MediaKind::Audio, 0, AUDIO_HEADER.to_vec());
        Self {
            scene,
            next: 0,
            reasons: Vec::new(),
        }
    }

    async fn run(&mut self, frames: u32, bytes_per_second: usize) {
        for _ in 0..frames {
            frame(&self.scene, self.next);
            self.next += 1;
            let allowed = self.scene.wire.sent() + bytes_per_second / 25;
            self.scene.wire.allow(allowed);
            sleep(Duration::from_millis(40)).await;
            if let Some(reason) = self.scene.status.phase().reason
                && self.reasons.last() != Some(&reason)
            {
                self.reasons.push(reason);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_takes_a_tenth_has_its_sound_whole_and_pictures_from_keyframes() {
    let mut course = Course::begin();
    course.run(60 * 25, 30_000).await;
    let status = Arc::clone(&course.scene.status);
    assert_eq!(status.phase().state, TargetState::Live);
    let left_out = status.figures.left_out();
    assert_eq!(left_out.overtaken, 0, "{left_out:?}");
    assert!(left_out.until_keyframe > 1000, "{left_out:?}");
    assert!(
        course.reasons.iter().any(|seen| seen == SKIPPED),
        "{:?}",
        course.reasons
    );
    // The rest of it goes out, so that no message is cut where the test ends.
    course.scene.wire.allow(usize::MAX);
    course.scene.settle().await;
    let got = course.scene.messages();
    let sound = lines(&got);
    let sound = sound
        .iter()
        .filter_map(|line| line.strip_prefix("audio ")?.parse().ok());
    // Its headers come with each keyframe, at the time of that.
    let sound: Vec<u32> = sound.filter(|at| at % 40 != 0).collect();
    assert!(
        sound.windows(2).all(|pair| pair[1] == pair[0] + 20),
        "{sound:?}"
    );
    assert!(*sound.last().unwrap() > 58_000, "{:?}", sound.last());
    assert!(starts_of_pictures(&got) >= 5);
}

/// How often pictures begin, each time at a keyframe behind its header; between two of them at most a disposable one is missing.
fn starts_of_pictures(got: &[Message]) -> usize {
    let pictures = got
        .iter()
        .filter(|message| message.type_id == MessageType::VIDEO);
    let (mut starts, mut before, mut behind_header) = (0, 0, false);
    for picture in pictures {
        let (at, kind, is_header) = (
            picture.timestamp,
            picture.payload[0] >> 4,
            picture.payload[1] == 0,
        );
        if is_header {
            starts += 1;
        } else if behind_header {
            assert_eq!(kind, 1, "no keyframe behind the header at {at} ms");
        } else {
            assert!(
                at <= before + 80,
                "no header in front of {at} ms, behind {before} ms"
            );
        }
        (before, behind_header) = (at, is_header);
    }
    starts
}

#[tokio::test(start_paused = true)]
async fn one_that_is_fast_again_is_given_all_again_on_its_producers_turn() {
    let mut course = Course::begin();
    course.run(100, 3_000_000).await;
    assert_eq!(course.scene.status.phase().reason, None);
    course.run(100, 30_000).await;
    let slow = course.scene.status.figures.left_out();
    assert!(course.scene.status.phase().reason.is_some());
    assert!(
        course
            .scene
            .figure(|figures| figures.lag_ms.load(Ordering::Relaxed))
            > 1000
    );
    course.run(4 * GOP, 3_000_000).await;
    let left_out = course.scene.status.figures.left_out();
    assert!(left_out.until_keyframe >= slow.until_keyframe);
    assert!(
        course.scene.status.phase().reason.is_some(),
        "for ten seconds"
    );
    assert_eq!(course.scene.watched.slowness(), ["slow"], "told once");
    course.run(10 * 25, 3_000_000).await;
    assert_eq!(course.scene.status.phase().reason, None);
    assert_eq!(course.scene.watched.slowness(), ["slow", "caught up"]);
    assert_eq!(
        course.scene.status.figures.left_out(),
        left_out,
        "nothing more"
    );
    // No task is woken for what is sent at once.
    let before = course.scene.wire.sent();
    course.scene.wire.allow(usize::MAX);
    frame(&course.scene, course.next);
    assert!(course.scene.wire.sent() > before);
}

#[tokio::test(start_paused = true)]
async fn what_a_target_begins_with_is_no_slowness() {
    let mut course = Course::begin();
    // Two seconds at once, of which it makes up one in four.
    for number in 0..GOP - 1 {
        frame(&course.scene, number);
    }
    course.next = GOP - 1;
    course.run(20 * 25, 330_000).await;
    let left_out = course.scene.status.figures.left_out();
    assert_eq!(left_out, LeftOut::default(), "{:?}", course.reasons);
}

#[tokio::test(start_paused = true)]
async fn what_tls_holds_back_has_not_arrived() {
    let scene = Scene::new();
    scene.wire.allow(5000);
    scene.wire.hold_back(5000);
    scene.push(0, HEADER.to_vec());
    let began = Instant::now();
    for number in 0..1000 {
        scene.push(number * 40, key(5000));
        sleep(Duration::from_millis(40)).await;
        if scene.task.is_finished() {
            break;
        }
    }
    let took = began.elapsed();
    assert!(took >= STALL && took <= STALL + SECOND * 2, "{took:?}");
    let lag = scene.figure(|figures| figures.lag_ms.load(Ordering::Relaxed));
    assert!(lag >= 9_000, "{lag} ms");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_a_little_too_slow_is_spared_disposable_frames_alone() {
    let mut course = Course::begin();
    course.run(60 * 25, 240_000).await;
    let left_out = course.scene.status.figures.left_out();
    assert!(left_out.disposable > 50, "{left_out:?}");
    assert_eq!(left_out.total(), left_out.disposable);
    assert_eq!(course.reasons, [SPARED]);
}
