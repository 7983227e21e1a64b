//! A stream's clock: one line of milliseconds that outlives the publishers who feed it and never steps back on any track.
//!
//! Time is repaired here once, before the fan-out; a target only subtracts its own start. What is repaired so far: the
//! wraps of a publisher's clock, a new publisher's clock, and steps back of single frames, which are clamped.

use super::track::{MediaKind, Track};
use super::unwrap::Unwrap;

/// The step from the last frame of one input to the first of the next, in milliseconds: one frame at 30 per second.
const INPUT_STEP: i64 = 33;

/// Tracks whose place is remembered at the most; Enhanced RTMP's track ids would allow 512.
pub const TRACKS_MAX: usize = 64;

/// The clock of one stream.
#[derive(Debug, Default)]
pub struct Timeline {
    unwraps: [Unwrap; 3],
    /// What is added to the current input's stamps; `None` until its first frame.
    offset: Option<i64>,
    places: Vec<(Track, i64)>,
    newest: Option<i64>,
    clamped: u64,
}

impl Timeline {
    /// A clock on which nothing has happened.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new input follows: its first frame comes one step after the newest one, whatever its own clock says.
    pub fn begin_input(&mut self) {
        self.unwraps = Default::default();
        self.offset = None;
    }

    /// Places a frame, or other data that happens at a moment, and remembers it. Never below the track's last place.
    pub fn place(&mut self, track: Track, wire: u32) -> i64 {
        let source = self.unwraps[slot(track.kind)].place(wire);
        let offset = *self.offset.get_or_insert_with(|| match self.newest {
            None => -source,
            Some(newest) => newest + INPUT_STEP - source,
        });
        let wanted = source + offset;
        let place = match self.places.iter_mut().find(|(known, _)| *known == track) {
            Some((_, last)) => {
                if wanted < *last {
                    self.clamped += 1;
                } else {
                    *last = wanted;
                }
                *last
            }
            None => {
                if self.places.len() < TRACKS_MAX {
                    self.places.push((track, wanted));
                }
                wanted
            }
        };
        self.newest = Some(self.newest.map_or(place, |newest| newest.max(place)));
        place
    }

    /// The moment at which a header or metadata of the track stands: where the track is. Its own stamp is not looked at, since
    /// encoders send headers with a stamp of 0 in the middle of a stream.
    pub fn place_of_header(&self, track: Track) -> i64 {
        self.places
            .iter()
            .find(|(known, _)| *known == track)
            .map(|&(_, last)| last)
            .or(self.newest)
            .unwrap_or(0)
    }

    /// How many frames were given a later moment than their own, since the stream began.
    pub fn clamped(&self) -> u64 {
        self.clamped
    }
}

fn slot(kind: MediaKind) -> usize {
    match kind {
        MediaKind::Video => 0,
        MediaKind::Audio => 1,
        MediaKind::Data => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_good_stream_keeps_its_own_distances() {
        let mut timeline = Timeline::new();
        let video = [1000, 1033, 1066, 1100].map(|wire| timeline.place(Track::VIDEO, wire));
        let audio = [1001, 1024].map(|wire| timeline.place(Track::AUDIO, wire));
        assert_eq!(video, [0, 33, 66, 100]);
        assert_eq!(audio, [1, 24]);
        assert_eq!(timeline.clamped(), 0);
    }

    #[test]
    fn a_step_back_is_clamped_on_its_own_track_and_counted() {
        let mut timeline = Timeline::new();
        for wire in [0, 40, 80] {
            timeline.place(Track::VIDEO, wire);
        }
        assert_eq!(timeline.place(Track::AUDIO, 10), 10);
        assert_eq!(timeline.place(Track::VIDEO, 60), 80);
        assert_eq!(timeline.place(Track::VIDEO, 120), 120);
        assert_eq!(timeline.clamped(), 1);
    }

    #[test]
    fn the_next_input_goes_on_one_step_later() {
        let mut timeline = Timeline::new();
        timeline.place(Track::VIDEO, 5000);
        timeline.place(Track::AUDIO, 5100);
        timeline.begin_input();
        assert_eq!(timeline.place(Track::VIDEO, 77), 133);
        assert_eq!(timeline.place(Track::AUDIO, 87), 143);
    }

    #[test]
    fn a_header_stands_where_its_track_is() {
        let mut timeline = Timeline::new();
        assert_eq!(timeline.place_of_header(Track::VIDEO), 0);
        timeline.place(Track::VIDEO, 10);
        timeline.place(Track::AUDIO, 500);
        assert_eq!(timeline.place_of_header(Track::VIDEO), 0);
        assert_eq!(timeline.place_of_header(Track::DATA), 490);
    }

    proptest! {
        #[test]
        fn no_track_ever_steps_back(
            stamps in proptest::collection::vec((0u8..3, any::<u32>(), 0u8..20), 1..200)
        ) {
            let mut timeline = Timeline::new();
            let mut last = [i64::MIN; 2];
            for (track, wire, break_here) in stamps {
                if break_here == 0 { timeline.begin_input(); }
                let (index, track) = if track == 0 { (0, Track::AUDIO) } else { (1, Track::VIDEO) };
                let place = timeline.place(track, wire);
                prop_assert!(place >= last[index]);
                last[index] = place;
            }
        }
    }
}
