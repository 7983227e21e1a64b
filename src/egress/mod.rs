//! Egress: what goes out. A pure plan says which pushes there should be, one supervisor carries it out, and a push is one
//! target's life: attempts, retries, and the media in between.

pub mod gate;
pub mod plan;
pub mod status;
