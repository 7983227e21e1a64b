//! What a target is given that does not keep up.

use super::*;
use crate::relay::limits::{LAG_PATIENCE, LAG_SKIP_MS, LAG_SPARE_MS};
use crate::relay::testing::disposable;
use std::collections::VecDeque;

/// Has a cursor see that so much is on its way to its target, for as long as it takes to be believed.
fn lag(cursor: &mut Cursor, ring: &Ring, ms: u64, from: Duration) {
    let oldest = ring.newest_dts().unwrap() - i64::try_from(ms).unwrap();
    for now in [from, from + LAG_PATIENCE] {
        cursor.observe(ring, Some(oldest), 1, now);
    }
}

/// A stream whose target has had all so far, up to 10 s.
fn read_to_the_end() -> (Ring, Cursor) {
    let ring = filled([avc_header(1), aac_header(), key(10_000), audio(10_010)]);
    let mut cursor = Cursor::default();
    assert_eq!(drained(&mut cursor, &ring).len(), 4);
    cursor.observe(&ring, None, 0, Duration::ZERO);
    (ring, cursor)
}

fn append(ring: &mut Ring, tags: impl IntoIterator<Item = Tag>) {
    for tag in tags {
        ring.append(tag, Duration::ZERO);
    }
}

#[test]
fn a_target_that_is_behind_is_spared_what_no_other_frame_needs() {
    let (mut ring, mut cursor) = read_to_the_end();
    lag(&mut cursor, &ring, LAG_SPARE_MS + 1, Duration::ZERO);
    assert_eq!(cursor.mode(), Mode::NoDisposable);
    append(
        &mut ring,
        [
            disposable(10_033),
            inter(10_066),
            audio(10_070),
            key(10_100),
        ],
    );
    let expected = [
        (Class::Inter, 66),
        (Class::Audio, 70),
        (Class::Keyframe, 100),
    ];
    assert_eq!(drained(&mut cursor, &ring), expected);
    cursor.observe(&ring, None, 0, Duration::from_secs(2));
    assert_eq!(cursor.mode(), Mode::All);
    append(&mut ring, [disposable(10_133)]);
    assert_eq!(drained(&mut cursor, &ring), [(Class::Disposable, 133)]);
    let expected = LeftOut {
        disposable: 1,
        ..LeftOut::default()
    };
    assert_eq!(cursor.left_out(), expected);
}

#[test]
fn one_that_is_further_behind_goes_on_with_pictures_at_a_keyframe_behind_headers() {
    let (mut ring, mut cursor) = read_to_the_end();
    lag(&mut cursor, &ring, LAG_SKIP_MS + 1, Duration::ZERO);
    assert_eq!(cursor.mode(), Mode::AudioUntilKeyframe);
    append(
        &mut ring,
        [
            inter(10_033),
            audio(10_040),
            key(12_000),
            inter(12_033),
            audio(12_040),
        ],
    );
    // It has not caught up at this keyframe.
    assert_eq!(
        drained(&mut cursor, &ring),
        [(Class::Audio, 40), (Class::Audio, 2040)]
    );
    append(
        &mut ring,
        [inter(12_066), avc_header(2), metadata(), audio(13_900)],
    );
    // There is no picture to begin with.
    assert_eq!(
        drained(&mut cursor, &ring),
        [(Class::Metadata, 0), (Class::Audio, 3900)]
    );
    assert_eq!(cursor.mode(), Mode::AudioUntilKeyframe);
    // What it is still to be given is lag, too; it has had all now.
    cursor.observe(&ring, None, 0, Duration::from_secs(4));
    append(&mut ring, [key(14_000), disposable(14_033), inter(14_066)]);
    let expected = [
        (Class::Metadata, 4000),
        (Class::SequenceHeader, 4000),
        (Class::SequenceHeader, 4000),
        (Class::Keyframe, 4000),
        (Class::Disposable, 4033),
        (Class::Inter, 4066),
    ];
    let mut headers = Vec::new();
    let mut got = Vec::new();
    cursor.drain(&ring, ALL, |tag, at| {
        got.push((tag.shape.class, at));
        headers.push(tag.payload.clone());
    });
    assert_eq!(got, expected);
    assert_eq!(headers[1], avc_header(2).payload, "the one in force");
    assert_eq!(cursor.mode(), Mode::All);
    let expected = LeftOut {
        until_keyframe: 4,
        ..LeftOut::default()
    };
    assert_eq!(cursor.left_out(), expected);
}

#[test]
fn a_stream_of_sound_alone_is_given_whole() {
    let mut ring = filled([aac_header(), audio(0)]);
    for second in 1..4 {
        ring.append(audio(second * 1000), Duration::from_secs(2));
    }
    let mut cursor = Cursor::default();
    drained(&mut cursor, &ring);
    cursor.observe(&ring, None, 0, Duration::ZERO);
    lag(&mut cursor, &ring, LAG_SKIP_MS + 1, Duration::ZERO);
    assert_eq!(cursor.mode(), Mode::All);
}

#[test]
fn a_session_ends_for_another_codec_or_clock_while_pictures_are_left_out() {
    let (mut ring, mut cursor) = read_to_the_end();
    lag(&mut cursor, &ring, LAG_SKIP_MS + 1, Duration::ZERO);
    append(&mut ring, [inter(10_033), audio(10_040)]);
    ring.change_codec(&hevc_header().shape);
    append(&mut ring, [hevc_header()]);
    let mut got = Vec::new();
    let reached = cursor.drain(&ring, ALL, |tag, _| got.push(tag.shape.class));
    assert_eq!(
        (reached, got),
        (Reached::Recycle(Recycle::Codec), vec![Class::Audio])
    );

    let ring = filled([avc_header(1), key(0)]);
    let clock = u32::try_from(CLOCK_RECYCLE_MS).unwrap() - 1000;
    let mut cursor = Cursor::new(LineupId::default(), clock);
    drained(&mut cursor, &ring);
    cursor.observe(&ring, None, 0, Duration::ZERO);
    lag(&mut cursor, &ring, LAG_SKIP_MS + 1, Duration::ZERO);
    let mut ring = ring;
    append(&mut ring, [inter(990), key(1010)]);
    let reached = cursor.drain(&ring, ALL, |tag, _| panic!("{tag:?}"));
    assert_eq!(reached, Reached::Recycle(Recycle::Clock));
}

/// A target that takes so many bytes a step, behind a queue that nothing is taken back from.
struct Target {
    cursor: Cursor,
    /// What is on its way: bytes and times.
    queue: VecDeque<(usize, i64)>,
    /// What it has been given, with its time.
    got: Vec<(MediaKind, Class, u32)>,
}

/// When less than this waits, in bytes, more is taken; sound always is, as on a line.
const QUEUE: usize = 400;

impl Target {
    fn take(&mut self, mut bytes: usize) {
        while let Some((left, _)) = self.queue.front_mut()
            && bytes > 0
        {
            let taken = bytes.min(*left);
            (*left, bytes) = (*left - taken, bytes - taken);
            if *left == 0 {
                self.queue.pop_front();
            }
        }
    }

    fn waiting(&self) -> usize {
        self.queue.iter().map(|waiting| waiting.0).sum()
    }

    fn refill(&mut self, ring: &Ring, budget: usize) {
        let is_sound = self.cursor.mode() == Mode::AudioUntilKeyframe;
        if self.waiting() >= QUEUE && !is_sound {
            return;
        }
        let (queue, got) = (&mut self.queue, &mut self.got);
        self.cursor.drain(ring, budget, |tag, at| {
            queue.push_back((tag.payload.len(), tag.dts));
            got.push((tag.shape.track.kind, tag.shape.class, at));
        });
    }

    fn look(&mut self, ring: &Ring, now: Duration) {
        let oldest = self.queue.front().map(|waiting| waiting.1);
        let bytes = self.waiting() as u64;
        self.cursor.observe(ring, oldest, bytes, now);
    }
}

/// The pictures and sounds of a stream of 20 ms steps, each with its size: one picture in two steps, every third of them
/// disposable, and a keyframe as often as it is told.
fn step(number: i64, gop: i64) -> Vec<Tag> {
    let sized = |mut tag: Tag, size: usize| {
        tag.payload = [&tag.payload[..], &vec![0xFF; size]].concat().into();
        tag
    };
    let at = number * 20;
    let picture = number / 2;
    let mut tags = vec![audio(at)];
    if number % 2 == 0 {
        tags.push(match picture {
            picture if picture % gop == 0 => sized(key(at), 800),
            picture if picture % 3 == 1 => sized(disposable(at), 60),
            _ => sized(inter(at), 120),
        });
    }
    tags
}

/// Runs a target that takes `speeds` bytes a step, for fifty steps each, with a look every ten.
fn run(speeds: &[usize], gop: i64) -> (Target, Vec<Tag>) {
    let mut ring = filled([avc_header(1), aac_header()]);
    let mut target = Target {
        cursor: Cursor::default(),
        queue: VecDeque::new(),
        got: Vec::new(),
    };
    let mut sent = Vec::new();
    let steps = speeds.iter().flat_map(|speed| [speed; 50]);
    for (number, &speed) in (0..).zip(steps) {
        ring.begin_window();
        for tag in step(number, gop) {
            sent.push(tag.clone());
            ring.append(tag, Duration::ZERO);
        }
        let now = Duration::from_millis(u64::try_from(number).unwrap() * 20);
        target.take(speed);
        if number % 10 == 0 {
            target.look(&ring, now);
        }
        target.refill(&ring, 200);
    }
    (target, sent)
}

/// The laws that hold for any target, however fast it is.
fn check(target: &Target, sent: &[Tag]) {
    let frames = |kind: MediaKind| {
        let of_kind = target
            .got
            .iter()
            .filter(move |got| got.0 == kind && got.1.is_frame());
        of_kind.map(|got| got.2).collect::<Vec<_>>()
    };
    let left_out = target.cursor.left_out();
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let rises = frames(kind).windows(2).all(|pair| pair[0] < pair[1]);
        assert!(rises, "{kind:?} goes back");
    }
    let sound = frames(MediaKind::Audio);
    if left_out.overtaken == 0 {
        let whole = sound.windows(2).all(|pair| pair[1] - pair[0] == 20);
        assert!(whole, "sound is left out: {sound:?}");
    }
    // Between a picture and the next one only disposable ones are missing, or the next one is a keyframe behind headers.
    let mut before: Option<u32> = None;
    for (index, &(kind, class, at)) in target.got.iter().enumerate() {
        if kind != MediaKind::Video || !class.is_frame() {
            continue;
        }
        let missing = |before: u32| {
            let between = |tag: &&Tag| tag.dts > i64::from(before) && tag.dts < i64::from(at);
            let pictures = sent
                .iter()
                .filter(|tag| tag.shape.track.kind == MediaKind::Video);
            pictures
                .filter(between)
                .any(|tag| tag.shape.class != Class::Disposable)
        };
        if before.is_none_or(missing) {
            assert_eq!(class, Class::Keyframe, "at {at} ms");
            assert_eq!(target.got[index - 1].1, Class::SequenceHeader, "at {at} ms");
            assert_eq!(target.got[index - 2].1, Class::SequenceHeader, "at {at} ms");
        }
        before = Some(at);
    }
}

#[test]
fn one_that_keeps_up_is_given_all() {
    let (target, sent) = run(&[400; 20], 50);
    check(&target, &sent);
    assert_eq!(target.cursor.left_out(), LeftOut::default());
    let frames = target.got.iter().filter(|got| got.1.is_frame()).count();
    // The last step may be under way.
    assert!(sent.len() - frames < 4, "{frames} of {}", sent.len());
}

#[test]
fn one_that_takes_a_tenth_has_its_sound_whole_and_pictures_from_keyframes() {
    // Of some 60 bytes a step, of which 3 are sound.
    let (target, sent) = run(&[6; 60], 50);
    check(&target, &sent);
    let left_out = target.cursor.left_out();
    assert_eq!(left_out.overtaken, 0);
    assert!(left_out.until_keyframe > 500, "{left_out:?}");
    let keyframes = target.got.iter().filter(|got| got.1 == Class::Keyframe);
    assert!((3..20).contains(&keyframes.count()));
    let newest = target.got.iter().rfind(|got| got.1 == Class::Audio);
    assert!(newest.unwrap().2 > 60_000 - 5_000, "{newest:?}");
}

#[test]
fn one_that_is_fast_again_is_given_all_again() {
    let speeds = [[400; 5], [10; 5], [400; 5]].concat();
    let (target, sent) = run(&speeds, 50);
    check(&target, &sent);
    assert_eq!(target.cursor.mode(), Mode::All);
    let left_out = target.cursor.left_out();
    assert!(left_out.until_keyframe > 0);
    let last = target.got.iter().rfind(|got| got.0 == MediaKind::Video);
    assert!(last.unwrap().2 > 15_000 - 200);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However fast it is, and however that changes: sound whole unless the ring went on without it, each picture decodable from
    /// what came before it, time that rises on each track, and what is missing is what was counted.
    #[test]
    fn a_target_is_given_what_it_can_decode(
        speeds in prop::collection::vec(prop_oneof![Just(0usize), 1..20usize, 20..100usize, Just(1000)], 4..30),
        gop in 5i64..120,
    ) {
        let (target, sent) = run(&speeds, gop);
        check(&target, &sent);
        let left_out = target.cursor.left_out();
        if left_out.overtaken == 0 {
            let first = target.got.iter().find(|got| got.1 == Class::Keyframe).map(|got| got.2);
            let last = target.got.iter().map(|got| got.2).max();
            if let (Some(first), Some(last)) = (first, last) {
                let of = |from: &[(MediaKind, Class, u32)]| {
                    from.iter().filter(|got| got.0 == MediaKind::Video && got.1.is_frame()).count()
                };
                let all = sent.iter().filter(|tag| {
                    let within = tag.dts >= i64::from(first) && tag.dts <= i64::from(last);
                    tag.shape.track.kind == MediaKind::Video && within
                });
                let missing = all.count() - of(&target.got);
                let counted = (left_out.disposable + left_out.until_keyframe) as usize;
                // The cursor may stand behind a picture that it left out, and has given nothing since.
                prop_assert!(missing.abs_diff(counted) <= 1, "{missing} are missing, {counted} are counted");
            }
        }
    }
}
