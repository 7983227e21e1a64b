//! Those who have connected and not shown yet who they are: what they can hold, how long, and whom they can disturb.

#[path = "../counting_allocator/mod.rs"]
mod counting_allocator;
#[path = "../gateway_parts/mod.rs"]
mod gateway_parts;
#[path = "../session_peer/mod.rs"]
mod session_peer;

mod addresses;
mod crowd;
mod memory;
mod nesting;
