//! The start of a publish: media waits a moment for the header that it cannot be decoded without.

use super::headers::Headers;
use super::limits::{HEADER_WAIT, HEADER_WAIT_BYTES_MAX, TAG_OVERHEAD_BYTES};
use crate::media::{Shape, Tag};
use std::collections::VecDeque;
use std::time::Duration;

/// Holds back what came before its header. CDNs end a push that sends a frame before its codec's header (Tencent's
/// events 10 and 11).
#[derive(Debug)]
pub enum Opening {
    /// Nothing had to wait so far.
    Clear,
    /// Frames wait, since the moment given, and everything behind them with them.
    Holding {
        /// When the first of them came.
        since: Duration,
        /// What waits, in order.
        held: VecDeque<Tag>,
        /// Their payloads and bookkeeping, in bytes.
        bytes: usize,
        /// How many of them, from the first on, have their header. Headers stay, so none is asked twice.
        ready: usize,
    },
    /// The wait is over: a frame without its header is dropped.
    Over,
}

/// What follows from a tag.
#[derive(Debug)]
pub enum Admitted {
    /// It goes on at once.
    Now(Tag),
    /// It waits.
    Held,
    /// It cannot be decoded, and is dropped.
    Dropped,
    /// The wait ends: these go on, in order; so many frames are dropped.
    Released {
        /// What goes on.
        tags: Vec<Tag>,
        /// Frames that never got a header.
        dropped: usize,
    },
}

impl Opening {
    /// The beginning of a publish.
    pub fn new() -> Self {
        Self::Clear
    }

    /// Whether a tag of this shape would wait.
    pub fn holds(&self, shape: &Shape, headers: &Headers) -> bool {
        match self {
            Self::Clear => !is_ready(shape, headers),
            Self::Holding { .. } => true,
            Self::Over => false,
        }
    }

    /// Whether something waits, and so whatever follows it.
    pub fn is_holding(&self) -> bool {
        matches!(self, Self::Holding { .. })
    }

    /// Judges a tag that is not a header, with the headers in force now.
    pub fn admit(&mut self, tag: Tag, headers: &Headers, now: Duration) -> Admitted {
        let served = is_ready(&tag.shape, headers);
        match self {
            Self::Clear if served => Admitted::Now(tag),
            Self::Clear => {
                *self = Self::Holding {
                    since: now,
                    bytes: cost(&tag),
                    held: VecDeque::from([tag]),
                    ready: 0,
                };
                Admitted::Held
            }
            Self::Holding {
                since,
                held,
                bytes,
                ready,
            } => {
                *bytes += cost(&tag);
                held.push_back(tag);
                let waited = now.saturating_sub(*since);
                while let Some(next) = held.get(*ready)
                    && is_ready(&next.shape, headers)
                {
                    *ready += 1;
                }
                let complete = *ready == held.len();
                if complete || waited >= HEADER_WAIT || *bytes > HEADER_WAIT_BYTES_MAX {
                    self.release(headers, complete)
                } else {
                    Admitted::Held
                }
            }
            Self::Over if served => Admitted::Now(tag),
            Self::Over => Admitted::Dropped,
        }
    }

    /// The publish ends: what waits is judged by the headers that came so far.
    pub fn finish(&mut self, headers: &Headers) -> Admitted {
        self.release(headers, false)
    }

    fn release(&mut self, headers: &Headers, complete: bool) -> Admitted {
        let next = if complete { Self::Clear } else { Self::Over };
        let held = match std::mem::replace(self, next) {
            Self::Holding { held, .. } => held,
            Self::Clear | Self::Over => VecDeque::new(),
        };
        let all = held.len();
        let tags: Vec<Tag> = held
            .into_iter()
            .filter(|tag| is_ready(&tag.shape, headers))
            .collect();
        Admitted::Released {
            dropped: all - tags.len(),
            tags,
        }
    }
}

impl Default for Opening {
    fn default() -> Self {
        Self::new()
    }
}

fn is_ready(shape: &Shape, headers: &Headers) -> bool {
    !shape.class.is_frame() || headers.serves(shape.track, shape.codec)
}

fn cost(tag: &Tag) -> usize {
    tag.payload.len() + TAG_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::testing::{aac_header, audio, avc_header, inter, key};

    fn headers(tags: &[Tag]) -> Headers {
        let mut headers = Headers::default();
        for tag in tags {
            headers.keep(tag);
        }
        headers
    }

    #[test]
    fn media_behind_its_header_never_waits() {
        let known = headers(&[avc_header(1), aac_header()]);
        let mut opening = Opening::new();
        assert!(matches!(
            opening.admit(key(0), &known, Duration::ZERO),
            Admitted::Now(_)
        ));
    }

    #[test]
    fn frames_wait_for_a_late_header_and_keep_their_order() {
        let mut opening = Opening::new();
        let some = headers(&[avc_header(1)]);
        for tag in [audio(0), key(1), audio(20)] {
            assert!(matches!(
                opening.admit(tag, &some, Duration::ZERO),
                Admitted::Held
            ));
        }
        let all = headers(&[avc_header(1), aac_header()]);
        let Admitted::Released { tags, dropped } =
            opening.admit(inter(40), &all, Duration::from_secs(1))
        else {
            panic!("the header is there");
        };
        let dts: Vec<_> = tags.iter().map(|tag| tag.dts).collect();
        assert_eq!((dts.as_slice(), dropped), ([0, 1, 20, 40].as_slice(), 0));
    }

    #[test]
    fn after_three_seconds_the_stream_goes_on_without_the_track() {
        let mut opening = Opening::new();
        let some = headers(&[avc_header(1)]);
        opening.admit(audio(0), &some, Duration::ZERO);
        opening.admit(key(1), &some, Duration::from_secs(1));
        let Admitted::Released { tags, dropped } =
            opening.admit(audio(3000), &some, Duration::from_secs(3))
        else {
            panic!("the wait is over");
        };
        assert_eq!((tags.len(), dropped), (1, 2));
        assert!(matches!(
            opening.admit(audio(3020), &some, Duration::from_secs(3)),
            Admitted::Dropped
        ));
    }

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let mut opening = Opening::new();
        let none = Headers::default();
        let mut held = 0;
        while matches!(opening.admit(key(0), &none, Duration::ZERO), Admitted::Held) {
            held += 1;
        }
        assert!(held <= HEADER_WAIT_BYTES_MAX / TAG_OVERHEAD_BYTES);
    }

    #[test]
    fn what_waits_at_the_end_goes_out_if_its_header_is_there() {
        let mut opening = Opening::new();
        opening.admit(audio(0), &Headers::default(), Duration::ZERO);
        let Admitted::Released { tags, .. } = opening.finish(&headers(&[aac_header()])) else {
            panic!("the end releases");
        };
        assert_eq!(tags.len(), 1);
    }
}
