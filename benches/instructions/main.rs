//! The instruction guard: counts the instructions of one fixed stream's way under callgrind, which gives the same number on
//! every run, and compares them with what is accepted in `budget.toml`.
//!
//! `./scripts/bench-instructions` builds it as the budget expects it, and runs it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

mod budget;
mod callgrind;
#[path = "../fixture/mod.rs"]
mod fixture;

use budget::Counts;
use callgrind::instructions_in;
use clap::{Parser, Subcommand};
use fixture::passage::{Likeness, Passage};
use fixture::script::{BEAT, Beat, KBPS, Wire};
use fixture::wire::Takes;
use std::process::ExitCode;

/// A stream of twenty seconds, of which the second half is counted: by then its ring is full.
const GOPS: u32 = 10;
/// As OBS sends.
const PUBLISHER_CHUNK_SIZE: u32 = 4096;
const TARGETS: usize = 8;

/// Counts the instructions of the hot path, and fails where they are not what was accepted.
#[derive(Debug, Parser)]
#[command(name = "bench-instructions")]
struct Options {
    /// Accepts the counts of now as the new budget.
    #[arg(long)]
    accept: bool,

    #[command(subcommand)]
    role: Option<Role>,
}

/// Carries the stream: what runs under callgrind.
#[derive(Debug, Subcommand)]
enum Role {
    /// To targets that keep up.
    #[command(hide = true)]
    Carry,
    /// To targets that are behind at every beat.
    #[command(hide = true)]
    CarryBehind,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let takes = match options.role {
        Some(Role::Carry) => Some(Takes::All),
        Some(Role::CarryBehind) => Some(Takes::Nothing),
        None => None,
    };
    if let Some(takes) = takes {
        carry(takes);
        return ExitCode::SUCCESS;
    }
    match count().and_then(|counts| judge(counts, options.accept)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn count() -> Result<Counts, String> {
    let wire = Wire::new(KBPS, GOPS, PUBLISHER_CHUNK_SIZE);
    let counted = wire.beats.iter().skip(wire.beats.len() / 2);
    let tags: usize = counted.map(|beat| beat.messages).sum();
    Ok(Counts {
        receive: instructions_in("counted_receive", "carry")? / tags as u64,
        send: instructions_in("counted_send", "carry")? / (tags * TARGETS) as u64,
        catch_up: instructions_in("counted_send", "carry-behind")? / (tags * TARGETS) as u64,
    })
}

fn judge(counts: Counts, accept: bool) -> Result<(), String> {
    let Counts {
        receive,
        send,
        catch_up,
    } = counts;
    println!("receive: {receive} instructions for a tag, from the publisher's bytes to the ring");
    println!("send: {send} for a tag and target that keeps up, from the ring to its write");
    println!("catch_up: {catch_up} for a tag and target that is behind at every beat");
    if accept {
        return budget::accept(counts);
    }
    match budget::read()? {
        Some(budget) => budget::check(counts, budget),
        None => {
            println!("no budget for this architecture: --accept makes these the first");
            Ok(())
        }
    }
}

/// Carries the stream; the second half by way of functions that callgrind knows by their names.
fn carry(takes: Takes) {
    let wire = Wire::new(KBPS, GOPS, PUBLISHER_CHUNK_SIZE);
    let mut passage = Passage::new(TARGETS, takes, Likeness::Alike);
    let mut begin = 0;
    let mut sent = 0;
    for (at, &Beat { end, .. }) in wire.beats.iter().enumerate() {
        passage.advance(BEAT);
        let unread = &wire.bytes[begin..end];
        sent += if at < wire.beats.len() / 2 {
            passage.receive(&mut { unread });
            passage.send().bytes
        } else {
            counted_receive(&mut passage, unread);
            counted_send(&mut passage)
        };
        begin = end;
    }
    assert!(sent > wire.bytes.len() * TARGETS / 2, "all of it goes out");
}

#[inline(never)]
fn counted_receive(passage: &mut Passage, mut unread: &[u8]) {
    passage.receive(&mut unread);
}

#[inline(never)]
fn counted_send(passage: &mut Passage) -> usize {
    passage.send().bytes
}
