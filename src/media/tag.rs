//! Classification: what a relay has to know of a tag, read from its first bytes and never by decoding.
//!
//! The layouts are those of FLV's legacy tags and of Enhanced RTMP v2 (veovera), which legacy tags never collide with: bit 7
//! of a video tag is 0 there, and the sound format 9 was never given out.

use super::disposable::is_disposable;
use super::track::{Codec, MediaKind, Track, TrackId};
use bytes::Bytes;

/// A run of ModEx prefixes longer than this is no encoder's: the tag is not understood.
const MOD_EX_MAX: usize = 8;

/// One message of media, placed on its stream's clock.
#[derive(Clone, Debug)]
pub struct Tag {
    /// What it is.
    pub shape: Shape,
    /// Decoding time on the stream's timeline, in milliseconds.
    pub dts: i64,
    /// The message's bytes, shared by everyone who sends them.
    pub payload: Bytes,
}

/// What a tag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The track it belongs to.
    pub track: Track,
    /// Its part in the track.
    pub class: Class,
    /// The track's codec.
    pub codec: Codec,
    /// Whether it uses the FourCC form, which a target may have to be told of at `connect`.
    pub enhanced: bool,
}

/// A tag's part in its track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Decoder configuration; the newest one of each track is what a new target gets first.
    SequenceHeader,
    /// The channel layout of an enhanced audio track: belongs to the header, and stands beside it.
    ChannelLayout,
    /// Ordered video metadata such as HDR's colour data; a new target needs it too.
    VideoMetadata,
    /// A frame that decoding can start at.
    Keyframe,
    /// A frame that needs the ones before it.
    Inter,
    /// A frame that no other one needs.
    Disposable,
    /// Coded audio.
    Audio,
    /// The end of a track's sequence.
    EndOfSequence,
    /// `onMetaData`.
    Metadata,
    /// Any other script data: passed on, never kept.
    Script,
    /// A tag without a frame: a seek command, or silence of zero length.
    Mark,
    /// Cut short, or of a form that no specification has.
    Malformed,
}

impl Class {
    /// Whether it carries coded media.
    pub fn is_frame(self) -> bool {
        matches!(
            self,
            Self::Keyframe | Self::Inter | Self::Disposable | Self::Audio
        )
    }

    /// Whether a target that starts later must be given the newest tag of this class before any media.
    pub fn is_kept(self) -> bool {
        matches!(
            self,
            Self::SequenceHeader | Self::ChannelLayout | Self::VideoMetadata | Self::Metadata
        )
    }
}

impl Shape {
    /// Classifies a message. Anything is accepted; what cannot be understood is [`Class::Malformed`].
    pub fn of(kind: MediaKind, payload: &[u8]) -> Self {
        let read = match kind {
            MediaKind::Video => video(payload),
            MediaKind::Audio => audio(payload),
            MediaKind::Data => Some(script(payload)),
        };
        read.unwrap_or(Self {
            track: Track {
                kind,
                id: TrackId::One(0),
            },
            class: Class::Malformed,
            codec: Codec::None,
            enhanced: false,
        })
    }
}

const FRAME_KEY: u8 = 1;
const FRAME_DISPOSABLE: u8 = 3;
const FRAME_GENERATED_KEY: u8 = 4;
const FRAME_COMMAND: u8 = 5;

const PACKET_SEQUENCE_START: u8 = 0;
const PACKET_CODED: u8 = 1;
const PACKET_SEQUENCE_END: u8 = 2;
const VIDEO_CODED_X: u8 = 3;
const PACKET_VIDEO_METADATA_OR_CHANNELS: u8 = 4;
const VIDEO_MPEG2TS_START: u8 = 5;
const VIDEO_MULTITRACK: u8 = 6;
const AUDIO_MULTITRACK: u8 = 5;
const PACKET_MOD_EX: u8 = 7;

const SOUND_FORMAT_ENHANCED: u8 = 9;
const SOUND_FORMAT_AAC: u8 = 10;

fn video(payload: &[u8]) -> Option<Shape> {
    let Some(&first) = payload.first() else {
        return Some(mark(Track::VIDEO));
    };
    if first & 0x80 != 0 {
        return video_enhanced(first, payload);
    }
    let (frame, id) = (first >> 4, first & 0x0F);
    let codec = Codec::from_legacy_video(id);
    let class = if frame == FRAME_COMMAND {
        Class::Mark
    } else if matches!(codec, Codec::Avc | Codec::Hevc) {
        match payload.get(1)? {
            0 => Class::SequenceHeader,
            1 => picture_class(frame, codec, payload.get(5..)),
            2 => Class::EndOfSequence,
            _ => return None,
        }
    } else {
        frame_class(frame)
    };
    Some(Shape {
        track: Track::VIDEO,
        class,
        codec,
        enhanced: false,
    })
}

fn video_enhanced(first: u8, payload: &[u8]) -> Option<Shape> {
    let frame = (first >> 4) & 0x07;
    let mut walk = Walk::new(first & 0x0F, payload);
    walk.skip_mod_ex()?;
    if walk.packet != PACKET_VIDEO_METADATA_OR_CHANNELS && frame == FRAME_COMMAND {
        return Some(Shape {
            enhanced: true,
            ..mark(Track::VIDEO)
        });
    }
    let (id, codec) = walk.track(VIDEO_MULTITRACK)?;
    let class = match walk.packet {
        PACKET_SEQUENCE_START | VIDEO_MPEG2TS_START => Class::SequenceHeader,
        PACKET_CODED | VIDEO_CODED_X => {
            let prefix = if walk.packet == PACKET_CODED { 3 } else { 0 };
            let is_one = matches!(id, TrackId::One(_));
            let nals = walk.rest.get(prefix..).filter(|_| is_one);
            picture_class(frame, codec, nals)
        }
        PACKET_SEQUENCE_END => Class::EndOfSequence,
        PACKET_VIDEO_METADATA_OR_CHANNELS => Class::VideoMetadata,
        _ => return None,
    };
    Some(Shape {
        track: Track {
            kind: MediaKind::Video,
            id,
        },
        class,
        codec,
        enhanced: true,
    })
}

/// Where the body of an enhanced video tag begins that has a composition time in front of its frame. `None` for any other
/// form, and for a message of several tracks.
pub(super) fn coded_frame_at(payload: &[u8]) -> Option<usize> {
    let &first = payload.first()?;
    let mut walk = Walk::new(first & 0x0F, payload);
    walk.skip_mod_ex()?;
    let (id, _) = walk.track(VIDEO_MULTITRACK)?;
    let is_one = matches!(id, TrackId::One(_));
    (is_one && walk.packet == PACKET_CODED).then(|| payload.len() - walk.rest.len())
}

/// The decoder configuration in a sequence header. `None` for any other tag, and for a message of several tracks.
pub(super) fn configuration<'a>(shape: &Shape, payload: &'a [u8]) -> Option<&'a [u8]> {
    if shape.class != Class::SequenceHeader {
        return None;
    }
    let multitrack = match (shape.track.kind, shape.enhanced) {
        // Behind the packet's kind, and a composition time that means nothing.
        (MediaKind::Video, false) => return payload.get(5..),
        (_, false) => return payload.get(2..),
        (MediaKind::Video, true) => VIDEO_MULTITRACK,
        (_, true) => AUDIO_MULTITRACK,
    };
    let &first = payload.first()?;
    let mut walk = Walk::new(first & 0x0F, payload);
    walk.skip_mod_ex()?;
    let (id, _) = walk.track(multitrack)?;
    let is_one = matches!(id, TrackId::One(_));
    (is_one && walk.packet == PACKET_SEQUENCE_START).then_some(walk.rest)
}

fn audio(payload: &[u8]) -> Option<Shape> {
    let Some(&first) = payload.first() else {
        return Some(mark(Track::AUDIO));
    };
    let format = first >> 4;
    if format == SOUND_FORMAT_ENHANCED {
        return audio_enhanced(first, payload);
    }
    let class = match (format, payload.get(1)) {
        (SOUND_FORMAT_AAC, Some(0)) => Class::SequenceHeader,
        (SOUND_FORMAT_AAC, None) => return None,
        _ => Class::Audio,
    };
    Some(Shape {
        track: Track::AUDIO,
        class,
        codec: Codec::from_legacy_audio(format),
        enhanced: false,
    })
}

fn audio_enhanced(first: u8, payload: &[u8]) -> Option<Shape> {
    let mut walk = Walk::new(first & 0x0F, payload);
    walk.skip_mod_ex()?;
    let (id, codec) = walk.track(AUDIO_MULTITRACK)?;
    let class = match walk.packet {
        PACKET_SEQUENCE_START => Class::SequenceHeader,
        PACKET_CODED => Class::Audio,
        PACKET_SEQUENCE_END => Class::EndOfSequence,
        PACKET_VIDEO_METADATA_OR_CHANNELS => Class::ChannelLayout,
        _ => return None,
    };
    Some(Shape {
        track: Track {
            kind: MediaKind::Audio,
            id,
        },
        class,
        codec,
        enhanced: true,
    })
}

fn script(payload: &[u8]) -> Shape {
    const ON_META_DATA: &[u8] = b"\x02\x00\x0aonMetaData";
    Shape {
        track: Track::DATA,
        class: if payload.starts_with(ON_META_DATA) {
            Class::Metadata
        } else {
            Class::Script
        },
        codec: Codec::None,
        enhanced: false,
    }
}

/// The class of a picture whose NAL units, where it has any, are these.
fn picture_class(frame: u8, codec: Codec, nals: Option<&[u8]>) -> Class {
    match frame_class(frame) {
        Class::Inter if nals.is_some_and(|nals| is_disposable(codec, nals)) => Class::Disposable,
        class => class,
    }
}

fn frame_class(frame: u8) -> Class {
    match frame {
        FRAME_KEY | FRAME_GENERATED_KEY => Class::Keyframe,
        FRAME_DISPOSABLE => Class::Disposable,
        _ => Class::Inter,
    }
}

fn mark(track: Track) -> Shape {
    Shape {
        track,
        class: Class::Mark,
        codec: Codec::None,
        enhanced: false,
    }
}

/// A walk through the prefixes of an enhanced tag. `None` from a step means that the tag ends inside it.
struct Walk<'a> {
    packet: u8,
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    fn new(packet: u8, payload: &'a [u8]) -> Self {
        Self {
            packet,
            rest: payload.get(1..).unwrap_or_default(),
        }
    }

    fn skip_mod_ex(&mut self) -> Option<()> {
        for _ in 0..=MOD_EX_MAX {
            if self.packet != PACKET_MOD_EX {
                return Some(());
            }
            let size = match self.byte()? {
                255 => usize::from(self.byte()?) << 8 | usize::from(self.byte()?),
                small => usize::from(small),
            } + 1;
            self.rest = self.rest.get(size..)?;
            self.packet = self.byte()? & 0x0F;
        }
        None
    }

    /// Reads the multitrack prefix, where there is one, and the FourCC.
    fn track(&mut self, multitrack: u8) -> Option<(TrackId, Codec)> {
        const ONE_TRACK: u8 = 0;
        const MANY_TRACKS: u8 = 1;
        const MANY_TRACKS_MANY_CODECS: u8 = 2;
        if self.packet != multitrack {
            return Some((TrackId::One(0), Codec::from_four_cc(self.four_cc()?)));
        }
        let prefix = self.byte()?;
        self.packet = prefix & 0x0F;
        if self.packet == multitrack {
            return None;
        }
        match prefix >> 4 {
            ONE_TRACK => {
                let codec = Codec::from_four_cc(self.four_cc()?);
                Some((TrackId::One(self.byte()?), codec))
            }
            MANY_TRACKS => Some((TrackId::Several, Codec::from_four_cc(self.four_cc()?))),
            MANY_TRACKS_MANY_CODECS => Some((TrackId::Several, Codec::None)),
            _ => None,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn four_cc(&mut self) -> Option<[u8; 4]> {
        let (&four_cc, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(four_cc)
    }
}

#[cfg(test)]
mod tests;
