//! The soak: publishers and targets that misbehave at random, minutes or hours long, against the real gateway.
//!
//! `./scripts/soak --help` says how it is run. The seed decides who does what and how long; when exactly something happens is the machine's. It judges
//! what was promised and no times, so it is among the tests and no bench: every frame is numbered, and a target that behaves gets all of them,
//! on a clock that rises, while memory and open files stay level.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a program for the terminal, whose scenery is the tests'"
)]

mod book;
mod clock;
#[path = "../common/mod.rs"]
mod common;
mod frames;
mod level;
mod publisher;
mod reading;
mod run;
mod target;
mod wire;

use clap::Parser;
use std::process::ExitCode;
use std::time::Duration;

/// Publishers that flap, step back, jump and wrap; targets that stall, reset and refuse; all from one seed.
#[derive(Parser)]
#[command(name = "soak")]
struct Options {
    /// How long, in minutes.
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// What decides who does what; drawn and printed where it is not given.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let length = Duration::from_secs_f64(options.minutes.max(0.1) * 60.0);
    println!(
        "soak: {:.1} minutes, seed {seed}",
        length.as_secs_f64() / 60.0
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let faults = runtime.block_on(run::run(seed, length));
    if faults.is_empty() {
        println!("soak: nothing is wrong");
        return ExitCode::SUCCESS;
    }
    eprintln!("soak: {} things are wrong:", faults.len());
    for fault in faults.iter().take(20) {
        eprintln!("  {fault}");
    }
    eprintln!(
        "again: ./scripts/soak --minutes {} --seed {seed}",
        options.minutes
    );
    ExitCode::FAILURE
}
