//! The soak: publishers and targets that misbehave at random, minutes or hours long, against the real gateway.
//!
//! `./scripts/soak --help` says how it is run. The seed decides who does what and how long; when exactly something happens is the machine's. It judges
//! what was promised and no times, so it is among the tests and no bench: every frame is numbered, and a target that behaves gets all of them,
//! on a clock that rises, while memory and open files stay level. `tests/soak_canaries` shows that it would notice.

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
mod door;
mod frames;
mod level;
mod publisher;
mod reading;
mod run;
#[allow(dead_code, reason = "what the canaries plant")]
mod spoil;
mod target;
mod wire;

use aqueduct::cli;
use aqueduct::relay::limits::CLOCK_RECYCLE_MS;
use clap::{Parser, ValueEnum};
use common::gateway::Site;
use run::{Outcome, Plan};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// The gateway's, which this program is, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What makes this program the gateway, with pushes' clocks that begin elsewhere than at 0: there is no such option of the real one.
const GATEWAY: &str = "gateway-with-a-clock-of";

/// Publishers that flap, step back, jump and wrap; targets that stall, reset and refuse; all from one seed.
#[derive(Parser)]
#[command(name = "soak")]
struct Options {
    /// How long, in minutes
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// What decides who does what; drawn and printed where it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// Where the clocks of pushes begin; those of publishers begin before 0xFFFFFF, 2^31 and 2^32 in any case
    #[arg(long, value_enum, default_value_t = Clock::Extended)]
    clock: Clock,
}

#[derive(Clone, Copy, ValueEnum)]
enum Clock {
    /// At 0, as it always is
    Zero,
    /// Ten seconds before 0xFFFFFF, where stamps become extended ones
    Extended,
    /// Half a minute before sessions are ended for their clock, which is some time before 2^31
    End,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    if arguments.nth(1).is_some_and(|first| first == GATEWAY) {
        return gateway(arguments);
    }
    let options = Options::parse();
    let plan = Plan {
        site: match options.clock {
            Clock::Zero => |rest| site(rest, 0),
            Clock::Extended => |rest| site(rest, 0xFF_FFFF - 10_000),
            Clock::End => |rest| site(rest, CLOCK_RECYCLE_MS - 30_000),
        },
        seed: options.seed.unwrap_or_else(|| fastrand::u64(..)),
        length: Duration::from_secs_f64(options.minutes.max(0.1) * 60.0),
        crosses: !matches!(options.clock, Clock::Zero),
        plant: None,
    };
    println!("soak: {} s, seed {}", plan.length.as_secs(), plan.seed);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    tell(&runtime.block_on(run::run(&plan)), &plan, &options)
}

fn tell(outcome: &Outcome, plan: &Plan, options: &Options) -> ExitCode {
    println!("  {:?}", outcome.figures);
    if let Some(level) = &outcome.level {
        println!("  {}", level.words());
    }
    if outcome.faults.is_empty() {
        println!("soak: nothing is wrong");
        return ExitCode::SUCCESS;
    }
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("soak.log");
    if std::fs::write(&log, &outcome.output).is_ok() {
        eprintln!("soak: what the gateway said is in {}", log.display());
    }
    eprintln!("soak: {} things are wrong:", outcome.faults.len());
    for fault in outcome.faults.iter().take(20) {
        eprintln!("  {fault}");
    }
    let clock = options.clock.to_possible_value();
    eprintln!(
        "again: ./scripts/soak --minutes {} --seed {} --clock {}",
        options.minutes,
        plan.seed,
        clock.as_ref().map_or("", |clock| clock.get_name())
    );
    ExitCode::FAILURE
}

fn site(rest: &str, start_clock: i64) -> Site {
    let program = std::env::current_exe().expect("this program");
    Site::new("", rest).stand_in(program, vec![GATEWAY.to_owned(), start_clock.to_string()])
}

/// Runs as `aqueduct` does with the arguments that follow the clock's beginning, in milliseconds.
fn gateway(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let clock = arguments.next().and_then(|clock| clock.into_string().ok());
    let clock = clock.and_then(|clock| clock.parse().ok());
    let start_clock = clock.expect("a clock's beginning in milliseconds");
    let name = OsString::from("aqueduct");
    let mut arguments = cli::Arguments::parse_from(std::iter::once(name).chain(arguments));
    if let Some(cli::Command::Serve(serve)) = &mut arguments.command {
        serve.start_clock = start_clock;
    }
    cli::carry_out(arguments)
}
