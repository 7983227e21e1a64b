//! Inputs that somebody has wished for: streams that are fetched, files that are played, publishers who were given a push URL.
//!
//! [`Feeding`] is what the service above asks; who carries it out knows the network.

mod board;
mod fault;
mod feeder;
mod files;
mod http;
pub mod limits;
mod names;
mod play;
mod referee;
mod run;
mod status;

pub use fault::Fault;
pub use feeder::{FeedTerms, Feeder};
pub use names::{Names, Resolved};
pub use referee::SwitchTerms;
pub use status::{Happening, InputNotice, InputState, Interruption, Position, Standing};

use crate::rule::{Input, Role, StreamKey};
use std::sync::Arc;
use tokio::sync::broadcast;

/// Notices that a slow listener may be behind with; what it misses it can see in the standing.
pub const NOTICES_MAX: usize = 1024;

/// Who carries inputs out. All calls answer at once; what follows from them shows in [`standing`](Self::standing) and
/// [`notices`](Self::notices).
pub trait Feeding: Send + Sync + 'static {
    /// Begins with an input, in the place of whatever is in its place by now.
    fn start(&self, input: &Arc<Input>);

    /// Ends an input. Where it was the stream's last one, the stream ends with it, without a time of grace.
    fn stop(&self, stream: &StreamKey, role: Role);

    /// From now on the stream is rather fed from this input: at once where it is well, at its next keyframe, and otherwise as soon as
    /// it has been well for a while.
    fn prefer(&self, stream: &StreamKey, role: Role);

    /// Which input is on the air.
    fn current(&self, stream: &StreamKey) -> Option<Role>;

    /// How an input stands, while it is started.
    fn standing(&self, stream: &StreamKey, role: Role) -> Option<Standing>;

    /// Says what happens from now on.
    fn notices(&self) -> broadcast::Receiver<InputNotice>;
}
