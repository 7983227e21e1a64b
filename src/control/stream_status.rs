//! The read model of a live stream: what doors show of it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::rule::{AppName, Role, SourceKind, StreamName};

/// A live stream.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StreamStatus {
    /// Its app.
    #[schema(value_type = String, example = "live")]
    pub app: AppName,
    /// Its name within the app.
    #[schema(value_type = String, example = "cam")]
    pub name: StreamName,
    /// Whether somebody publishes it at this moment.
    pub state: StreamState,
    /// Since when it is live.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub since: OffsetDateTime,
    /// The publisher's address and port; none in grace.
    #[schema(value_type = Option<String>, example = "192.0.2.7:51234")]
    pub publisher: Option<SocketAddr>,
    /// How the publisher's program calls itself (`flashVer`); none in grace.
    #[schema(example = "FMLE/3.0 (compatible; Lavf61.7.100)")]
    pub client: Option<String>,
    /// What feeds it, and what stands by.
    pub inputs: Vec<StreamInput>,
    /// What it carries.
    pub tracks: Vec<TrackStatus>,
    /// Bits a second that came in, over the last second.
    pub bitrate: u64,
    /// Pictures a second that came in, over the last four; absent before there is a whole one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// Bytes of media that came in.
    pub bytes: u64,
    /// Coded frames that came in, pictures and sound.
    pub frames: u64,
    /// The time between its last two keyframes, in milliseconds.
    pub keyframe_interval_ms: Option<u64>,
    /// Pictures that are shown before one that was decoded earlier, of this publisher.
    pub b_frames: u64,
    /// Bytes that its ring holds in memory.
    pub ring_bytes: u64,
    /// How often its timestamps had to be repaired, in all.
    pub repairs: u64,
    /// The same by kind.
    pub repairs_by_kind: RepairCounts,
    /// Tags that no target was given.
    pub drops: DropCounts,
    /// What its publisher should be told: nothing is wrong at the gateway.
    pub warnings: Vec<Warning>,
    /// How many pushes carry it at this moment.
    pub targets: u64,
}

/// Whether a stream has its publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    /// Somebody publishes it.
    Live,
    /// Its publisher is gone, and may come back within the time of grace.
    Grace,
}

/// Something that feeds a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StreamInput {
    /// How its media comes.
    pub kind: StreamInputKind,
    /// In which of the stream's two places it is: `main` or `backup`.
    #[schema(value_type = String, example = "main")]
    pub role: Role,
    /// Whether the stream is fed by it.
    pub state: StreamInputState,
    /// Where its media comes from, as address and port; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "192.0.2.7:51234")]
    pub peer: Option<SocketAddr>,
    /// How its program calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// How an input's media comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamInputKind {
    /// A publisher of the stream's own name brings it.
    Publisher,
    /// The gateway fetches it.
    Pull,
    /// The gateway plays files.
    Files,
    /// A publisher with a push URL brings it.
    Push,
}

impl From<Option<SourceKind>> for StreamInputKind {
    fn from(put: Option<SourceKind>) -> Self {
        match put {
            None => Self::Publisher,
            Some(SourceKind::Pull) => Self::Pull,
            Some(SourceKind::Files) => Self::Files,
            Some(SourceKind::Push) => Self::Push,
        }
    }
}

/// How an input stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamInputState {
    /// It feeds the stream.
    Active,
    /// It is received, and the other one feeds the stream.
    Standby,
    /// Its connection was lost, and it is waited for.
    Lost,
}

/// One track of a stream. What its sequence header does not say is absent.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TrackStatus {
    /// What it carries.
    pub kind: TrackKind,
    /// Its number; 0 where the stream has one of this kind.
    pub id: u8,
    /// The codec's short name.
    #[schema(example = "h264")]
    pub codec: String,
    /// The codec's profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "High")]
    pub profile: Option<String>,
    /// The codec's level.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "4.1")]
    pub level: Option<String>,
    /// The width of its pictures, in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1920)]
    pub width: Option<u32>,
    /// Their height.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1080)]
    pub height: Option<u32>,
    /// Pictures a second, as the header promises them; `fps` is what comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 29.97)]
    pub frame_rate: Option<f64>,
    /// Samples a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 48_000)]
    pub sample_rate: Option<u32>,
    /// Channels of sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 2)]
    pub channels: Option<u8>,
    /// Bits a second that came in, over the last four seconds; absent before there is a whole one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u64>,
    /// Frames a second that came in, over the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
}

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Anything else.
    Data,
}

/// Repaired timestamps by kind, since the stream began. The kinds are those of `aqueduct_timestamp_repairs_total`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepairCounts {
    /// It stepped back a little, or stood still, and was moved behind its track's last one.
    pub clamp: u64,
    /// Its track's clock jumped, and the stream goes on without the jump.
    pub rebase: u64,
    /// The publisher paused, and the pause was left out.
    pub gap: u64,
    /// The publisher's clock began again at the end of its 31 or 32 bits.
    pub wrap: u64,
    /// The composition time was one that no encoder means, and was set to 0.
    pub cts: u64,
    /// The publisher's clock stands still, and the frame was given its time of arrival.
    pub stuck: u64,
}

/// Tags that no target was given, by cause, since the stream began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DropCounts {
    /// Nothing could decode them: no keyframe had been seen.
    pub before_keyframe: u64,
    /// Their decoder configuration never came, or was another codec's.
    pub no_header: u64,
    /// Headers beyond what is kept.
    pub headers_full: u64,
    /// Cut short, or of a form that no specification has.
    pub malformed: u64,
}

/// Something about a stream that CDNs or viewers may take amiss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// What it is, for programs.
    pub code: WarningCode,
    /// The same for people, with the figures.
    #[schema(
        example = "keyframes come every 10.0 s; most CDNs want one every 2 s, and at most 4 s"
    )]
    pub detail: String,
}

/// What there is to be warned of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// Keyframes come less often than every 4 s.
    KeyframeInterval,
    /// There are B frames.
    BFrames,
    /// There is no sound.
    NoAudio,
    /// There are no pictures.
    NoVideo,
    /// The clock of the publisher's timestamps has jumped in the last minute.
    ClockJumps,
    /// It stands still on some track.
    ClockStuck,
    /// It runs at less than half, or more than twice, the wall clock's pace.
    ClockOffPace,
    /// A track's frames are left out, because its decoder configuration has not come.
    NoHeader,
}
