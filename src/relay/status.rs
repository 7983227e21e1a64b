//! What a live stream looks like to those who watch it.

use super::headers::Headers;
use super::pace::Pace;
use crate::media::timeline::{Repairs, Symptoms};
use crate::media::{Class, Codec, Shape, Track};
use crate::rule::{Role, SourceKind};
use std::net::SocketAddr;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

/// Tracks that are described at the most; see [`crate::media::timeline::TRACKS_MAX`].
const TRACKS_MAX: usize = crate::media::timeline::TRACKS_MAX;

/// The figures of a stream since it began.
#[derive(Clone, Debug, Default)]
pub struct StreamFigures {
    /// Payload bytes that arrived.
    pub bytes: u64,
    /// Coded frames, audio and video.
    pub frames: u64,
    /// Payload bits per second over the last whole second.
    pub bitrate: u64,
    /// Tags that were left out.
    pub drops: Drops,
    /// The tracks that the current publisher, or the last one, has shown.
    pub tracks: Vec<TrackFigures>,
    /// When the newest frame of the current publisher came, on the stream's own clock.
    pub heard: Option<Duration>,
    /// Pictures of the default video track that are shown before one that was decoded earlier: B frames, which few encoders send
    /// otherwise. Of the current publisher, or the last one.
    pub b_frames: u64,
    /// When its first message came, on the stream's own clock.
    pub fed_since: Option<Duration>,
    /// When its latest picture is shown, in milliseconds on the stream's clock.
    shown: Option<i64>,
    rate: Rate,
}

/// Tags that no target is given, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// Nothing could decode them: no keyframe had been seen.
    pub before_keyframe: u64,
    /// Their decoder configuration never came, or was another codec's.
    pub no_header: u64,
    /// Headers beyond what is kept.
    pub headers_full: u64,
    /// Cut short, or of a form that no specification has.
    pub malformed: u64,
}

impl Drops {
    /// What came on top of an earlier count.
    pub fn since(self, before: Self) -> Self {
        Self {
            before_keyframe: self.before_keyframe - before.before_keyframe,
            no_header: self.no_header - before.no_header,
            headers_full: self.headers_full - before.headers_full,
            malformed: self.malformed - before.malformed,
        }
    }
}

/// What became of a publisher's tags that is not as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Tags that were left out.
    pub drops: Drops,
    /// Timestamps that were repaired.
    pub repairs: Repairs,
}

impl AddAssign for Losses {
    fn add_assign(&mut self, more: Self) {
        self.drops += more.drops;
        self.repairs += more.repairs;
    }
}

impl AddAssign for Drops {
    fn add_assign(&mut self, more: Self) {
        self.before_keyframe += more.before_keyframe;
        self.no_header += more.no_header;
        self.headers_full += more.headers_full;
        self.malformed += more.malformed;
    }
}

/// One track.
#[derive(Clone, Copy, Debug)]
pub struct TrackFigures {
    /// Which one.
    pub track: Track,
    /// Its codec.
    pub codec: Codec,
    /// Whether it came in the FourCC form.
    pub enhanced: bool,
    /// How much comes of it.
    pub pace: Pace,
}

#[derive(Clone, Debug, Default)]
struct Rate {
    second: u64,
    bytes: u64,
}

impl StreamFigures {
    /// Counts a tag that arrived at `now`.
    pub fn count(&mut self, shape: &Shape, bytes: usize, now: Duration) {
        self.roll(now);
        self.fed_since.get_or_insert(now);
        self.bytes += bytes as u64;
        self.rate.bytes += bytes as u64;
        if shape.class.is_frame() {
            self.frames += 1;
            self.heard = Some(now);
        }
        if shape.class.is_frame() || shape.class == Class::SequenceHeader {
            self.see_track(shape, bytes, now);
        }
    }

    /// Notes when a picture of the default video track is shown, in milliseconds on the stream's clock.
    pub fn show(&mut self, at: i64) {
        if self.shown.is_some_and(|latest| at < latest) {
            self.b_frames += 1;
        } else {
            self.shown = Some(at);
        }
    }

    /// Another publisher follows, of whose tracks nothing is known.
    pub fn begin_input(&mut self) {
        self.tracks.clear();
        self.heard = None;
        self.fed_since = None;
        self.b_frames = 0;
        self.shown = None;
    }

    /// As the figures are at a moment when nothing came, perhaps for a while.
    #[must_use]
    pub fn at(&self, now: Duration) -> Self {
        let mut figures = self.clone();
        figures.roll(now);
        figures
            .tracks
            .iter_mut()
            .for_each(|track| track.pace.roll(now));
        figures
    }

    /// Closes the second that has passed, so that a silent stream shows 0.
    fn roll(&mut self, now: Duration) {
        let second = now.as_secs();
        if second == self.rate.second {
            return;
        }
        let is_next = second == self.rate.second + 1;
        self.bitrate = if is_next { self.rate.bytes * 8 } else { 0 };
        self.rate = Rate { second, bytes: 0 };
    }

    fn see_track(&mut self, shape: &Shape, bytes: usize, now: Duration) {
        let known = (self.tracks.iter()).position(|known| known.track == shape.track);
        let place = known.unwrap_or(self.tracks.len());
        if known.is_none() && place < TRACKS_MAX {
            self.tracks.push(TrackFigures {
                track: shape.track,
                codec: shape.codec,
                enhanced: shape.enhanced,
                pace: Pace::default(),
            });
        }
        if let Some(track) = self.tracks.get_mut(place) {
            track.codec = shape.codec;
            track.enhanced = shape.enhanced;
            track.pace.add(bytes, shape.class.is_frame(), now);
        }
    }
}

/// Who feeds a stream.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// In which of its places.
    pub role: Role,
    /// The kind of input, where one was put; none for a plain publisher.
    pub input: Option<SourceKind>,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// The encoder's name for itself, as it gave it at `connect`.
    pub client: String,
}

/// A live stream, as it is at one moment.
#[derive(Clone, Debug)]
pub struct StreamSnapshot {
    /// Its figures.
    pub figures: StreamFigures,
    /// Who is on the air; nobody in the time of grace.
    pub publisher: Option<Publisher>,
    /// Who was lost and is waited for.
    pub lost: Option<Publisher>,
    /// Who stands by.
    pub standby: Option<Publisher>,
    /// Timestamps that had to be repaired, by kind.
    pub repairs: Repairs,
    /// What is the matter with its publisher's clock.
    pub symptoms: Symptoms,
    /// How often that clock has jumped in the last minute.
    pub jumps: usize,
    /// How long the publisher has been feeding it.
    pub fed_for: Duration,
    /// What the publisher's decoders need.
    pub headers: Arc<Headers>,
    /// What the ring holds, in bytes.
    pub ring_bytes: usize,
    /// The distance of the last two keyframes, in milliseconds.
    pub keyframe_interval_ms: Option<i64>,
    /// How long it is since the last one, in milliseconds of media.
    pub since_keyframe_ms: Option<i64>,
}
