//! What a target is promised, whatever its stream's publishers do.

use super::*;
use crate::media::{Class, Codec, Track};
use crate::relay::Recycle;
use crate::relay::headers::{Headers, Kept};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// So many frames of an encoder of 25 pictures and 47 frames of sound a second.
    Frames(u8),
    /// The connection is lost.
    Lost,
    /// Another publisher takes over, without a loss.
    Takeover,
    /// From the next beginning on: other decoder configurations, another codec, or a beginning in the middle of a GOP.
    OtherHeader,
    OtherCodec,
    MiddleOfGop,
    /// So much time passes, in milliseconds.
    Pause(u16),
    /// This target reads.
    Read(usize),
    /// This target's connection ends, and it begins again.
    Reconnect(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1u8..60).prop_map(Event::Frames),
        2 => Just(Event::Lost),
        1 => Just(Event::Takeover),
        1 => Just(Event::OtherHeader),
        1 => Just(Event::OtherCodec),
        1 => Just(Event::MiddleOfGop),
        1 => (0u16..14_000).prop_map(Event::Pause),
        5 => (0usize..TARGETS).prop_map(Event::Read),
        1 => (0usize..TARGETS).prop_map(Event::Reconnect),
    ]
}

const TARGETS: usize = 3;

/// An encoder that is lost and comes back, each time with its stamps from 0.
struct Encoder {
    hub: Arc<Hub>,
    producer: Option<Producer>,
    version: u8,
    /// Its codec, and that of its next beginning.
    hevc: bool,
    hevc_next: bool,
    begins_in_gop: bool,
    /// Time since the present beginning, and pictures since.
    at: u32,
    pictures: u32,
    /// Numbers every frame of all.
    count: u32,
}

impl Encoder {
    fn begin(&mut self) {
        // A takeover, where it has one.
        self.producer = Some(publish(&self.hub));
        self.hevc = self.hevc_next;
        (self.at, self.pictures) = (0, u32::from(self.begins_in_gop));
        self.begins_in_gop = false;
        let video: Vec<u8> = match self.hevc {
            true => [&b"\x90hvc1"[..], &[self.version]].concat(),
            false => vec![0x17, 0, 0, 0, 0, self.version],
        };
        self.send(&[(0, &video), (0, AUDIO_HEADER)]);
    }

    fn frames(&mut self, count: u8) {
        if self.producer.is_none() {
            self.begin();
        }
        for _ in 0..count {
            self.count += 1;
            let number = self.count.to_be_bytes();
            if self.at.is_multiple_of(40) {
                let is_key = self.pictures.is_multiple_of(25);
                self.pictures += 1;
                let head: &[u8] = match (self.hevc, is_key) {
                    (true, true) => b"\x91hvc1\0\0\0",
                    (true, false) => b"\xA1hvc1\0\0\0",
                    (false, true) => &[0x17, 1, 0, 0, 0],
                    (false, false) => &[0x27, 1, 0, 0, 0],
                };
                self.send(&[(self.at, &[head, &number].concat())]);
            } else {
                self.send(&[(self.at, &[&[0xAF, 1][..], &number].concat())]);
            }
            self.at += 20;
        }
    }

    fn send(&self, tags: &[(u32, &[u8])]) {
        push(self.producer.as_ref().unwrap(), tags);
    }
}

/// One target: its session's consumer, and what its session was given.
struct Target {
    consumer: Consumer,
    given: Session,
    /// Frames that it was given in all its sessions.
    seen: HashSet<Vec<u8>>,
}

#[derive(Default)]
struct Session {
    headers: Headers,
    last: HashMap<Track, u32>,
    codec: Option<Codec>,
    frames: u32,
}

impl Target {
    fn new(consumer: Consumer) -> Self {
        Self {
            consumer,
            given: Session::default(),
            seen: HashSet::new(),
        }
    }

    fn reconnect(&mut self) {
        self.consumer = self.consumer.stream().consume();
        self.given = Session::default();
        self.seen.clear();
    }

    fn read(&mut self) {
        let skipped = self.consumer.left_out().overtaken;
        let (got, drained) = drain(&mut self.consumer);
        if self.consumer.left_out().overtaken > skipped {
            // It was overtaken, and is given all headers anew.
            self.given.headers = Headers::default();
        }
        for (tag, at) in got {
            self.given.take(&tag, at);
            if tag.shape.class.is_frame() {
                assert!(self.seen.insert(tag.payload.to_vec()), "it comes twice");
            }
        }
        match drained {
            Drained::Recycle(why) => {
                assert_eq!(why, Recycle::Codec);
                self.consumer = self.consumer.stream().consume();
                self.given = Session::default();
            }
            other => assert_eq!(other, Drained::CaughtUp),
        }
    }
}

impl Session {
    fn take(&mut self, tag: &Tag, at: u32) {
        let shape = tag.shape;
        let last = self.last.get(&shape.track).copied();
        if shape.class.is_kept() {
            assert_eq!(
                self.headers.keep(tag),
                Kept::Changed,
                "a header for nothing"
            );
            assert!(last.is_none_or(|last| at >= last));
        } else {
            assert!(last.is_none_or(|last| at > last), "{shape:?} {last:?} {at}");
            assert!(self.headers.serves(shape.track, shape.codec));
            self.last.insert(shape.track, at);
            if self.frames == 0 {
                assert_eq!((shape.class, at), (Class::Keyframe, 0));
            }
            self.frames += 1;
        }
        if shape.track == Track::VIDEO {
            let codec = *self.codec.get_or_insert(shape.codec);
            assert_eq!(codec, shape.codec, "in the middle of a session");
        }
    }
}

/// Whether, among the frames of each life of the publisher, a keyframe is the first.
fn first_frames_are_keyframes(seen: &[(u64, Class)]) -> bool {
    let begins = |at: usize| at == 0 || seen[at - 1].0 != seen[at].0;
    (0..seen.len())
        .filter(|&at| begins(at))
        .all(|at| seen[at].1 == Class::Keyframe)
}

fn play(script: Vec<Event>, gap: GapPolicy) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let hub = hub(gap);
        let mut encoder = Encoder {
            producer: None,
            hub,
            version: 1,
            hevc: false,
            hevc_next: false,
            begins_in_gop: false,
            at: 0,
            pictures: 0,
            count: 0,
        };
        encoder.begin();
        let stream = Arc::clone(encoder.producer.as_ref().unwrap().stream());
        let mut targets: Vec<_> = (0..TARGETS)
            .map(|_| Target::new(stream.consume()))
            .collect();
        // One that reads all at once, so that it sees where each publisher begins.
        let (mut witness, mut lives) = (stream.consume(), Vec::new());
        let mut waited = false;
        for event in script {
            waited &= encoder.producer.is_none();
            match event {
                Event::Frames(count) => encoder.frames(count),
                Event::Lost => encoder.producer = None,
                Event::Takeover => encoder.begin(),
                Event::OtherHeader => encoder.version = encoder.version % 9 + 1,
                Event::OtherCodec => encoder.hevc_next = !encoder.hevc_next,
                Event::MiddleOfGop => encoder.begins_in_gop = true,
                Event::Pause(millis) => {
                    // One of them is shorter than the time of grace, and two may not be.
                    if std::mem::replace(&mut waited, encoder.producer.is_none()) {
                        encoder.begin();
                    }
                    tokio::time::sleep(Duration::from_millis(millis.into())).await;
                }
                Event::Read(target) => targets[target].read(),
                Event::Reconnect(target) => targets[target].reconnect(),
            }
            let epoch = stream.hold().borrow().epoch;
            let (got, drained) = drain(&mut witness);
            let frames = got.iter().filter(|got| got.0.shape.class.is_frame());
            lives.extend(frames.map(|got| (epoch, got.0.shape.class)));
            if let Drained::Recycle(_) = drained {
                witness = stream.consume();
            }
        }
        for target in &mut targets {
            target.read();
            target.read();
        }
        assert!(first_frames_are_keyframes(&lives), "{lives:?}");
        assert_eq!(stream.end(), None);
    });
}

proptest! {
    #[test]
    fn losses_and_takeovers_break_no_promise(script in prop::collection::vec(event(), 1..80), keeps in any::<bool>()) {
        play(script, if keeps { GapPolicy::Wall } else { GapPolicy::Compress });
    }
}

/// A publisher that drops and returns five times: sound stays beside its pictures, and no step is long.
#[tokio::test(start_paused = true)]
async fn five_returns_shift_no_sound_against_pictures() {
    let hub = hub(GapPolicy::Compress);
    let (mut consumer, mut all, mut distances) = (None, Vec::new(), Vec::new());
    for life in 0..6u32 {
        let producer = publish(&hub);
        let consumer = consumer.get_or_insert_with(|| producer.stream().consume());
        // Each time another clock.
        let base = life * 1_234_567;
        push(&producer, &[(base, VIDEO_HEADER), (base, AUDIO_HEADER)]);
        for ms in (0..4000).step_by(20) {
            match ms % 40 {
                0 if ms % 2000 == 0 => push(&producer, &[(base + ms, KEY)]),
                0 => push(&producer, &[(base + ms, INTER)]),
                _ => push(&producer, &[(base + ms, AUDIO)]),
            }
            all.extend(drain(consumer).0);
        }
        let newest = |track| {
            let mut of_track = all.iter().rev().filter(|got| got.0.shape.track == track);
            i64::from(of_track.next().unwrap().1)
        };
        distances.push(newest(Track::AUDIO) - newest(Track::VIDEO));
        drop(producer);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    assert_eq!(distances, [20; 6]);
    for track in [Track::VIDEO, Track::AUDIO] {
        let of_track = all
            .iter()
            .filter(|got| got.0.shape.track == track && got.0.shape.class.is_frame());
        let at: Vec<_> = of_track.map(|got| i64::from(got.1)).collect();
        assert_eq!(at.len(), 600, "nothing is left out");
        let steps = at.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(
            steps.clone().all(|step| (20..=80).contains(&step)),
            "{at:?}"
        );
    }
    let headers = all.iter().filter(|got| got.0.shape.class.is_kept());
    assert_eq!(headers.count(), 2, "they are the same each time");
}
