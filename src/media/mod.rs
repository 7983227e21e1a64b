//! What a frame is and when it is: tags, tracks and time. Pure values; no socket, no clock, no codec is opened.

pub mod composition;
pub mod description;
mod disposable;
pub mod tag;
pub mod timeline;
pub mod track;
pub mod unwrap;

pub use composition::Composition;
pub use description::Description;
pub use tag::{Class, Shape, Tag};
pub use track::{Codec, MediaKind, Track, TrackId};
