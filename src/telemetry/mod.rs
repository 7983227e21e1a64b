//! What an operator gets to see: one event for each happening, which logs, counts and announces together; the metrics; and the feed.
//!
//! Nothing here decides anything. A gateway has its own [`Metrics`]; nothing is installed for the process but the log and the
//! watch over its panics.

pub mod events;
pub mod feed;
pub mod labels;
pub mod log;
pub mod metrics;
pub mod panics;
pub mod series;
pub mod snapshot;
mod throttle;

pub use labels::Label;
pub use log::{LogConfig, LogFormat};
pub use metrics::Metrics;
pub use snapshot::{Snapshot, TargetSample};
