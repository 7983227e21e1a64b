//! Egress: what goes out. A pure plan says which pushes there should be, one supervisor carries it out, and a push is one
//! target's life: attempts, retries, and the media in between.

pub mod attempt;
pub mod board;
mod composed;
mod crowd;
pub mod failure;
pub mod fanout;
pub mod gate;
pub mod lag;
pub mod line;
mod looks;
mod pages;
pub mod plan;
pub mod preflight;
mod probe;
mod pump;
pub mod push;
mod retries;
mod signing;
pub mod status;
pub mod supervisor;
pub mod transport;

pub use board::Board;
pub use push::{Egress, Watch};
pub use signing::Place;
pub use status::TargetState;
pub use supervisor::Supervisor;
