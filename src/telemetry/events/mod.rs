//! What happens, one struct each: `emit` writes the log line, counts, and announces in the feed what is a change of state, so that
//! none of it is forgotten.
//!
//! Secrets cannot get in by accident: a target comes as its parsed URL and is masked here, what a CDN said is searched for
//! that target's key, a publisher's name loses its query.

mod gateway;
mod input;
mod notification;
mod publish;
mod target;

#[cfg(test)]
mod tests;

pub use gateway::{
    ConfigReloaded, Panicked, RuleChanged, RuleCreated, RuleDeleted, RulesWait, StoreTrouble,
};
pub use input::{FilePassedOver, InputEnded, InputFailed, InputFed, InputSwitched};
pub use notification::{NotificationEnded, NotificationFailed};
pub use publish::{
    AcceptFailed, CallerRefused, Callers, ConnectionRejected, PublishEnded, PublishRefused,
    PublishStarted, PublisherAwaited, PublisherGivenUp, StreamEnded,
};
pub use target::{
    Push, TargetBackingOff, TargetCaughtUp, TargetConnecting, TargetFailed, TargetLive,
    TargetRecycled, TargetSlow, TargetStopped, TargetSwitched,
};
