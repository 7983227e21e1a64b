//! MP4 files: from their boxes to samples, and from samples to the bodies of RTMP's messages. Bytes in, values out; no file, no clock.
//!
//! The boxes that are used are decoded by `mp4-atom`, and no others are given to it; what a table of samples means, with its edits and
//! fragments, is worked out here.

mod boxes;
mod fragment;
pub mod limits;
mod movie;
mod sift;
mod table;
mod track;

pub use boxes::{BoxHead, HEAD_BYTES};
pub use movie::Movie;
pub use track::{Sample, Track};

/// Why a file cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mp4Error {
    /// A box does not decode; what the decoder says.
    #[error("a box cannot be read: {0}")]
    Box(String),
    /// A box says that it is shorter than its own head.
    #[error("a box of an impossible size")]
    BoxSize,
    /// A box of the index is longer than any that is read.
    #[error("an index of {bytes} bytes, more than {max}")]
    TooLong {
        /// Its length.
        bytes: u64,
        /// The bound.
        max: u64,
    },
    /// No track that can be sent on.
    #[error("no track of H.264, HEVC or AAC")]
    NoTracks,
    /// The table of samples contradicts itself.
    #[error("the table of samples is broken")]
    Table,
    /// A sample is longer than any that is sent.
    #[error("a sample of {0} bytes")]
    SampleTooLong(u32),
    /// A fragment has more samples than any that is read.
    #[error("a fragment of more than {} samples", limits::FRAGMENT_SAMPLES_MAX)]
    FragmentTooLong,
}
