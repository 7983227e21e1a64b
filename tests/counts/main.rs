//! What the hot path may cost, in things that can be counted: the same on every machine, whatever else runs there.

#![allow(clippy::unwrap_used, reason = "a test")]

mod allocations;
mod beats;
#[path = "../counting_allocator/mod.rs"]
mod counting_allocator;
#[path = "../../benches/fixture/mod.rs"]
mod fixture;
#[path = "../gateway_parts/mod.rs"]
mod gateway_parts;
#[path = "../session_peer/mod.rs"]
mod session_peer;
mod verdict;
