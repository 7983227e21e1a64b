//! What the hot path may cost, in things that can be counted: the same on every machine, whatever else runs there.

mod allocations;
#[path = "../counting_allocator/mod.rs"]
mod counting_allocator;
#[path = "../../benches/fixture/mod.rs"]
mod fixture;
