//! What a stream's timeline promises, whatever a publisher's clock does.

#![allow(clippy::unwrap_used, clippy::panic)]

mod laws;
mod maladies;
mod promises;
mod script;
mod sync;
