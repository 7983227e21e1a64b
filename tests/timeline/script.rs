//! Frames as a publisher sends them, and what a timeline makes of them.

use aqueduct::media::timeline::{GapPolicy, Repairs, Timeline};
use aqueduct::media::{Class, Codec, MediaKind, Shape, Track};
use std::time::Duration;

/// One tag that a publisher sends.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub track: Track,
    pub class: Class,
    /// Its stamp.
    pub wire: u32,
    /// When it arrives, in milliseconds.
    pub at: u64,
    pub cts: Option<i32>,
    /// Another publisher begins with it.
    pub begins: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    pub track: Track,
    pub dts: i64,
    pub cts: Option<i32>,
    /// What was repaired for it.
    pub repairs: Repairs,
}

pub fn shape(track: Track, class: Class) -> Shape {
    Shape {
        track,
        class,
        codec: Codec::None,
        enhanced: false,
    }
}

pub fn frame(track: Track, wire: i64, at: i64) -> Sent {
    Sent {
        track,
        class: match track.kind {
            MediaKind::Audio => Class::Audio,
            MediaKind::Video => Class::Inter,
            MediaKind::Data => Class::Script,
        },
        wire: wire as u32,
        at: u64::try_from(at).unwrap(),
        cts: None,
        begins: false,
    }
}

/// Places every tag, with the composition time that it ends up with.
pub fn placed(gap: GapPolicy, sent: &[Sent]) -> Vec<Placed> {
    let mut timeline = Timeline::new(gap);
    let mut place = |tag: &Sent| {
        if tag.begins {
            timeline.begin_input();
        }
        let before = *timeline.repairs();
        let now = Duration::from_millis(tag.at);
        let placed = timeline.place(&shape(tag.track, tag.class), tag.wire, tag.cts, now);
        Placed {
            track: tag.track,
            dts: placed.dts,
            cts: placed.cts.or(tag.cts),
            repairs: timeline.repairs().since(&before),
        }
    };
    sent.iter().map(&mut place).collect()
}

/// The moments at which a camera at 30 frames a second and AAC at 48 kHz have a frame, in milliseconds, in their order.
pub fn moments(millis: i64) -> Vec<(Track, i64)> {
    let video = (0..).map(|frame| (Track::VIDEO, frame * 1000 / 30));
    let audio = (0..).map(|frame| (Track::AUDIO, frame * 1024 / 48));
    let mut all: Vec<_> = video.take_while(|moment| moment.1 < millis).collect();
    all.extend(audio.take_while(|moment| moment.1 < millis));
    all.sort_by_key(|moment| moment.1);
    all
}

/// A session of so many milliseconds whose stamps are what `clock` makes of the true time.
pub fn session(millis: i64, mut clock: impl FnMut(Track, i64) -> i64) -> Vec<Sent> {
    let all = moments(millis).into_iter();
    all.map(|(track, moment)| frame(track, clock(track, moment), moment))
        .collect()
}

/// The steps of one track.
pub fn steps(placed: &[Placed], track: Track) -> Vec<i64> {
    let on_track = placed.iter().filter(|placed| placed.track == track);
    let dts: Vec<_> = on_track.map(|placed| placed.dts).collect();
    dts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

pub fn total(placed: &[Placed]) -> Repairs {
    let mut total = Repairs::default();
    for each in placed {
        total += each.repairs;
    }
    total
}
