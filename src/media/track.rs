//! Tracks and codecs, as far as a relay has to know them.

use std::fmt;

/// Which of RTMP's three media message types a tag travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaKind {
    /// Message type 9.
    Video,
    /// Message type 8.
    Audio,
    /// Message type 18, or 15 without its leading format byte.
    Data,
}

/// A track's number inside its media, as Enhanced RTMP's multitrack messages carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrackId {
    /// One track; 0 is the default one, and the only one of a message without multitrack.
    One(u8),
    /// A message that carries several tracks at once. It is passed on whole, so its tracks are not told apart.
    Several,
}

/// A track of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Track {
    /// The media it belongs to.
    pub kind: MediaKind,
    /// Its number there.
    pub id: TrackId,
}

impl Track {
    /// The default video track.
    pub const VIDEO: Self = Self {
        kind: MediaKind::Video,
        id: TrackId::One(0),
    };
    /// The default audio track.
    pub const AUDIO: Self = Self {
        kind: MediaKind::Audio,
        id: TrackId::One(0),
    };
    /// Script data: metadata, cue points, captions.
    pub const DATA: Self = Self {
        kind: MediaKind::Data,
        id: TrackId::One(0),
    };
}

/// A codec, told from a legacy id or from a FourCC. Its bytes are never opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264: legacy id 7 or `avc1`.
    Avc,
    /// H.265: `hvc1`, or id 12 as Chinese CDNs use it.
    Hevc,
    /// H.266: `vvc1`.
    Vvc,
    /// `av01`.
    Av1,
    /// `vp08`.
    Vp8,
    /// `vp09`.
    Vp9,
    /// Legacy id 10 or `mp4a`.
    Aac,
    /// Legacy id 2 or 14, or `.mp3`.
    Mp3,
    /// `Opus`.
    Opus,
    /// `fLaC`.
    Flac,
    /// `ac-3`.
    Ac3,
    /// `ec-3`.
    Eac3,
    /// A legacy id that is passed on without being understood.
    Legacy(u8),
    /// A FourCC that is passed on without being understood.
    FourCc([u8; 4]),
    /// Not a coded track: script data, a command, or a message of several codecs.
    None,
}

impl Codec {
    /// Whether a decoder can do nothing with a frame before it has seen the track's sequence header.
    ///
    /// AV1, VP8 and VP9 keyframes describe themselves and Opus may come without one (Enhanced RTMP v2), so they wait for
    /// nothing.
    pub fn needs_header(self) -> bool {
        matches!(
            self,
            Self::Avc | Self::Hevc | Self::Vvc | Self::Aac | Self::Flac
        )
    }

    /// The FourCC that Enhanced RTMP knows the codec by.
    pub fn four_cc(self) -> Option<[u8; 4]> {
        Some(*match self {
            Self::Avc => b"avc1",
            Self::Hevc => b"hvc1",
            Self::Vvc => b"vvc1",
            Self::Av1 => b"av01",
            Self::Vp8 => b"vp08",
            Self::Vp9 => b"vp09",
            Self::Aac => b"mp4a",
            Self::Mp3 => b".mp3",
            Self::Opus => b"Opus",
            Self::Flac => b"fLaC",
            Self::Ac3 => b"ac-3",
            Self::Eac3 => b"ec-3",
            Self::FourCc(four_cc) => return Some(four_cc),
            Self::Legacy(_) | Self::None => return None,
        })
    }

    pub(super) fn from_four_cc(four_cc: [u8; 4]) -> Self {
        match &four_cc {
            b"avc1" => Self::Avc,
            b"hvc1" => Self::Hevc,
            b"vvc1" => Self::Vvc,
            b"av01" => Self::Av1,
            b"vp08" => Self::Vp8,
            b"vp09" => Self::Vp9,
            b"mp4a" => Self::Aac,
            b".mp3" => Self::Mp3,
            b"Opus" => Self::Opus,
            b"fLaC" => Self::Flac,
            b"ac-3" => Self::Ac3,
            b"ec-3" => Self::Eac3,
            _ => Self::FourCc(four_cc),
        }
    }

    pub(super) fn from_legacy_video(id: u8) -> Self {
        match id {
            7 => Self::Avc,
            12 => Self::Hevc,
            _ => Self::Legacy(id),
        }
    }

    pub(super) fn from_legacy_audio(id: u8) -> Self {
        match id {
            10 => Self::Aac,
            2 | 14 => Self::Mp3,
            _ => Self::Legacy(id),
        }
    }
}

/// The name that an operator knows the codec by.
impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Avc => "h264",
            Self::Hevc => "hevc",
            Self::Vvc => "vvc",
            Self::Av1 => "av1",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::Aac => "aac",
            Self::Mp3 => "mp3",
            Self::Opus => "opus",
            Self::Flac => "flac",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
            Self::Legacy(id) => return write!(f, "id{id}"),
            Self::FourCc(four_cc) => return write!(f, "{}", four_cc.escape_ascii()),
            Self::None => "none",
        };
        f.write_str(name)
    }
}
