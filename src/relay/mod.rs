//! The relay: what is live, and how its tags come from one input to many targets.
//!
//! It knows neither RTMP nor rules. A stream is a bounded ring of tags, cut in GOPs; its producer appends, its consumers each
//! have a place of their own in it. Only [`stream`] holds a lock, one a stream, and never over an await.

mod alarm;
mod arrivals;
mod bars;
pub mod beat;
pub mod claim;
pub mod cursor;
mod grace;
pub mod headers;
mod hold;
pub mod hub;
mod intake;
mod interleave;
pub mod limits;
pub mod opening;
pub mod outflow;
pub mod pace;
pub mod ring;
pub mod shard;
pub mod status;
pub mod stream;
#[cfg(test)]
pub(crate) mod testing;
pub mod tick;
mod watch;

pub use beat::{Beat, Looker};
pub use claim::{Claim, ClaimRefused, Credential, DuplicatePolicy, InputClaim};
pub use cursor::{Lag, LeftOut, Mode, Recycle};
pub use hold::{Arrival, End, Hold, Presence};
pub use hub::{Hub, Terms};
pub use outflow::{Fresh, Outflow};
pub use shard::{Beats, Shard, Shards};
pub use stream::{Batch, Consumer, Drained, InputSight, Producer, Stream, StreamId};
pub use tick::Tick;
pub use watch::Watch;
