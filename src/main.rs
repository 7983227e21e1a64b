//! The program `aqueduct`: see [`aqueduct::cli`].

use std::process::ExitCode;

/// A ring's payloads come in all sizes and leave a GOP at a time: this allocator spends a fifth of the C library's time on that
/// (docs/decisions/2026-11-26-hot-path.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    aqueduct::cli::run(std::env::args_os())
}
