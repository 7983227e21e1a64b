//! What encoders do to their stamps, from a publisher's socket to the targets': on each track no step back, no stamp twice, no step of
//! more than a second, and no frame lost. `tests/timeline` has more maladies, without the sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::gateway_parts::{
    AUDIO_HEADER, Gateway, HandClock, METADATA, PATIENCE, Publisher, Seen, Setup, Target,
    VIDEO_HEADER, audio, inter, key, rule, until,
};
use aqueduct::media::MediaKind;
use aqueduct::relay::{Presence, Terms};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Between two pictures; in milliseconds, as all times here.
const STEP: i64 = 40;

/// Pictures from one keyframe to the next.
const GOP: u64 = 50;

/// A coded frame: what it is, its stamp or its true time, and its bytes.
type Frame = (MediaKind, i64, Bytes);

/// A gateway that is fed in step with a clock of the test's, and two targets: one from the start on, and one that comes in the midst.
struct Play {
    clock: HandClock,
    gateway: Gateway,
    publisher: Option<Publisher>,
    targets: [Target; 2],
    now: i64,
    /// Pictures of this publisher.
    pictures: u64,
    sent: Vec<Frame>,
}

impl Play {
    async fn begin() -> Self {
        let clock = HandClock::stop();
        let gateway = Gateway::start(Setup {
            publish_keys: vec!["k"],
            terms: Terms {
                grace: Duration::from_secs(15),
                ..Terms::default()
            },
            ..Setup::default()
        })
        .await;
        let targets = [Target::open().await, Target::open().await];
        gateway.wish([rule(1, &targets[0].url("x"))]);
        Self {
            clock,
            gateway,
            publisher: None,
            targets,
            now: 0,
            pictures: 0,
            sent: Vec::new(),
        }
    }

    /// Sends so much of pictures and sound, with the stamps that `stamp` gives to their true times.
    async fn send(&mut self, length: i64, mut stamp: impl FnMut(MediaKind, i64) -> i64) {
        let mut publisher = match self.publisher.take() {
            Some(publisher) => publisher,
            None => self.connect().await,
        };
        let end = self.now + length;
        while self.now < end {
            let number = u32::try_from(self.sent.len()).unwrap();
            let picture = match self.pictures % GOP {
                0 => [key(10), number.to_be_bytes().to_vec()].concat(),
                _ => inter(number),
            };
            for (kind, moment, payload) in [
                (MediaKind::Video, self.now, picture),
                (MediaKind::Audio, self.now + 15, audio(number)),
            ] {
                let wire = stamp(kind, moment) as u32;
                publisher.send(kind, wire, &payload).await;
                self.sent.push((kind, moment, payload.into()));
            }
            self.pictures += 1;
            self.beat().await;
        }
        self.publisher = Some(publisher);
    }

    async fn connect(&mut self) -> Publisher {
        let mut publisher = Publisher::connect(self.gateway.address, "cam?key=k").await;
        publisher.data(0, METADATA).await;
        publisher.video(0, VIDEO_HEADER).await;
        publisher.audio(0, AUDIO_HEADER).await;
        self.pictures = 0;
        publisher
    }

    /// Has the gateway read what was sent, at the time at which it was, or a little later: timers may be rounded up.
    async fn beat(&mut self) {
        self.now += STEP;
        self.clock.nudge(millis(STEP + 2)).await;
        let stream = self.gateway.stream("cam").unwrap();
        let deadline = Instant::now() + PATIENCE;
        while stream.snapshot().figures.frames < self.sent.len() as u64 {
            assert!(Instant::now() < deadline, "it is never read");
            std::thread::sleep(Duration::from_micros(200));
            self.clock.nudge(millis(2)).await;
        }
    }

    /// The publisher is lost, and nothing comes for a while.
    async fn lose(&mut self, pause: i64) {
        self.publisher = None;
        self.now += pause;
        self.clock.leap(millis(pause)).await;
        let stream = self.gateway.stream("cam").unwrap();
        let is_away = || stream.hold().borrow().presence == Presence::Away;
        until("the publisher is away", is_away).await;
    }

    /// The second target comes.
    fn add_target(&self) {
        let [first, second] = &self.targets;
        self.gateway
            .wish([rule(1, &first.url("x")), rule(2, &second.url("y"))]);
    }

    /// Both targets have seen what a CDN takes, and audio is beside its pictures to within `shift`.
    async fn check(mut self, shift: i64) {
        let last = self.sent[self.sent.len() - 2..].to_vec();
        for (number, target) in self.targets.iter_mut().enumerate() {
            target.publish().await;
            let got = frames_up_to(target, &last).await;
            let [video, audio] = [MediaKind::Video, MediaKind::Audio].map(|kind| {
                let got: Vec<_> = got.iter().filter(|frame| frame.0 == kind).collect();
                let sent: Vec<_> = self.sent.iter().filter(|frame| frame.0 == kind).collect();
                for pair in got.windows(2) {
                    let step = pair[1].1 - pair[0].1;
                    assert!((1..=1000).contains(&step), "{kind:?} steps by {step}");
                }
                let from = sent.len() - got.len();
                // Sound from before the first picture is no target's.
                let at_most = usize::from(kind == MediaKind::Audio);
                assert_eq!(
                    number == 0,
                    from <= at_most,
                    "{kind:?}: the first one has it all"
                );
                let same = got
                    .iter()
                    .zip(&sent[from..])
                    .all(|(got, sent)| got.2 == sent.2);
                assert!(same, "{kind:?}: nothing is lost, and nothing comes twice");
                got.last().unwrap().1 - sent.last().unwrap().1
            });
            assert!((audio - video).abs() <= shift, "{audio} against {video}");
        }
        assert_eq!(
            self.gateway.diary.about("live ").len(),
            2,
            "none reconnected"
        );
    }
}

/// What comes up to these frames, in whatever order the gateway has put them.
async fn frames_up_to(target: &mut Target, last: &[Frame]) -> Vec<Frame> {
    let mut got: Vec<Frame> = Vec::new();
    let has = |got: &[Frame], frame: &Frame| got.iter().rev().take(4).any(|got| got.2 == frame.2);
    while !last.iter().all(|frame| has(&got, frame)) {
        match target.next().await {
            // The second byte of a header is 0.
            Seen::Tag(kind, at, payload) if kind != MediaKind::Data && payload[1] != 0 => {
                got.push((kind, i64::from(at), payload));
            }
            Seen::Tag(..) => {}
            other => panic!("{other:?} behind {} frames", got.len()),
        }
    }
    got
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap())
}

/// A session of twenty seconds with these stamps; `shift` is how far audio may be moved against video at its end.
async fn play(shift: i64, mut stamp: impl FnMut(MediaKind, i64) -> i64) {
    let mut play = Play::begin().await;
    play.send(8000, &mut stamp).await;
    play.add_target();
    play.send(12_000, &mut stamp).await;
    play.check(shift).await;
}

#[tokio::test]
async fn a_second_and_a_half_back_for_one_second_in_five() {
    play(0, |_, t| {
        10_000 + t - if t % 5000 >= 4000 { 1500 } else { 0 }
    })
    .await;
}

#[tokio::test]
async fn jumps_of_a_minute_forward() {
    play(0, |_, t| t + t / 4000 * 60_000).await;
}

#[tokio::test]
async fn jumps_of_a_minute_back() {
    play(0, |_, t| 1_000_000 + t - t / 4000 * 60_000).await;
}

#[tokio::test]
async fn a_wrap_of_32_bits() {
    play(0, |_, t| (1 << 32) - 10_000 + t).await;
}

#[tokio::test]
async fn a_wrap_of_31_bits() {
    play(0, |_, t| ((1 << 31) - 10_000 + t) & 0x7FFF_FFFF).await;
}

#[tokio::test]
async fn stamps_in_groups_of_equals() {
    // Five pictures, and five sounds, have one stamp.
    play(4 * STEP, |_, t| 1000 + t / (5 * STEP) * (5 * STEP)).await;
}

#[tokio::test]
async fn jitter_of_36_ms() {
    let mut state = 1u64;
    let mut jitter = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as i64 % 73 - 36
    };
    play(80, move |_, t| 1000 + t + jitter()).await;
}

#[tokio::test]
async fn a_return_after_two_seconds_with_stamps_from_0() {
    let mut play = Play::begin().await;
    play.send(8000, |_, t| 777_000 + t).await;
    play.add_target();
    play.send(4000, |_, t| 777_000 + t).await;
    play.lose(2000).await;
    let begin = play.now;
    play.send(6000, |_, t| t - begin).await;
    play.check(0).await;
}
