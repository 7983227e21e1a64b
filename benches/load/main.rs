//! The load comparison: the same streams through one relay after the other, on the same machine, over several rounds.
//!
//! `./scripts/bench-load --help` says how it is run, `docs/performance.md` how to read it. Nothing here talks to
//! anything but 127.0.0.1, and every run ends by itself.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

mod check;
mod clock;
mod contender;
mod drive;
mod fanout;
mod frames;
mod greet;
mod options;
mod program;
mod publisher;
mod run;
mod sink;
mod system;
mod table;
mod tls;
mod turns;

use clap::Parser;
use options::{Options, Role};
use std::process::ExitCode;

/// Whatever goes wrong ends the comparison, with its reason.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match options.role {
        Some(Role::Fanout(ref fanout)) => fanout::run(fanout),
        None => compare(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Outcome<()> {
    let contenders = contender::chosen(options)?;
    if let Some(core) = options.generator_core() {
        system::pin_to(core)?;
    }
    system::set_priority(options.priority);
    table::announce(options);
    let mut turns = Vec::new();
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        let at_once = match options.together || options.in_turns {
            true => contenders.len(),
            false => 1,
        };
        for turn in contenders.chunks(at_once) {
            for (contender, outcome) in turn.iter().zip(run::run_together(options, turn)) {
                match outcome {
                    Ok(figures) => {
                        eprintln!("    {}: {}", contender.name(), table::line(&figures));
                        turns.push(table::Turn {
                            round,
                            name: contender.name(),
                            figures,
                        });
                    }
                    Err(error) => eprintln!("    {}: failed: {error}", contender.name()),
                }
            }
        }
    }
    table::print(&contenders, &turns);
    Ok(())
}
