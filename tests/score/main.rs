//! The scorecard: measures what `docs/scorecard.md` shows, prints it, and writes it there.
//!
//! `./scripts/score --help` says how it is run. What a test can assert without a clock is a test, and run here by its name; the rest are figures
//! of the real gateway on loopback, with the soak's publishers and targets.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a program for the terminal, whose scenery is the tests'"
)]

mod beside;
mod bill;
#[path = "../soak/book.rs"]
mod book;
#[path = "../soak/clock.rs"]
mod clock;
#[path = "../common/mod.rs"]
mod common;
mod crowds;
mod decoded;
#[path = "../soak/door.rs"]
mod door;
#[path = "../soak/frames.rs"]
mod frames;
mod inputs;
#[path = "../soak/level.rs"]
mod level;
mod long;
mod page;
mod proofs;
#[path = "../soak/publisher.rs"]
mod publisher;
#[path = "../soak/reading.rs"]
mod reading;
mod restart;
mod row;
#[path = "../soak/run.rs"]
mod run;
mod scene;
#[allow(dead_code, reason = "what the soak's canaries plant")]
#[path = "../soak/spoil.rs"]
mod spoil;
#[path = "../soak/target.rs"]
mod target;
#[path = "../soak/wire.rs"]
mod wire;

use clap::Parser;
use futures::future::BoxFuture;
use proofs::PROOFS;
use row::{Row, Verdict};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::task::JoinHandle;

/// Measures the items of the scorecard, prints them, and writes them into its page.
#[derive(Parser)]
#[command(name = "score")]
struct Options {
    /// Shorter, for a look: the page is not written
    #[arg(long)]
    quick: bool,
    /// These items only, by number: the rows of the others stay in the page
    #[arg(long, value_delimiter = ',')]
    items: Vec<u32>,
    /// What decides who does what in the soak
    #[arg(long, default_value_t = 4)]
    seed: u64,
    /// A word about the machine, for the page
    #[arg(long, default_value = "")]
    note: String,
    /// The page
    #[arg(long, default_value = "docs/scorecard.md")]
    page: PathBuf,
}

impl Options {
    fn extent(&self) -> Extent {
        match self.quick {
            true => Extent::Quick,
            false => Extent::Whole,
        }
    }
}

/// How much is done of what can be shortened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Quick,
}

impl Extent {
    fn of(self, whole: u32, quick: u32) -> u32 {
        match self {
            Self::Whole => whole,
            Self::Quick => quick,
        }
    }
}

type Measurement = (
    &'static [u32],
    fn(Extent, u64) -> BoxFuture<'static, Vec<Row>>,
);

/// What is measured beside the soak: nothing of it is a time.
const BESIDE_THE_SOAK: &[Measurement] = &[
    (&[4], |extent, _| {
        Box::pin(async move { vec![restart::acknowledged_rules(extent).await] })
    }),
    (&[5], |_, _| {
        Box::pin(async { vec![restart::syncs().await] })
    }),
    (&[30], |_, _| Box::pin(async { vec![long::fuzzing()] })),
];

/// What is measured with the machine for itself, one after the other.
const BY_ITSELF: &[Measurement] = &[
    (&[1], |extent, _| {
        Box::pin(async move { vec![restart::start_with_many_rules(extent).await] })
    }),
    (&[2], |_, _| {
        Box::pin(async { vec![restart::two_hundred().await] })
    }),
    (&[3], |_, _| Box::pin(restart::a_thousand())),
    (&[8], |extent, _| {
        Box::pin(async move { vec![beside::descriptors(extent).await] })
    }),
    (&[10, 11, 12], |extent, _| {
        Box::pin(beside::bad_neighbours(extent))
    }),
    (&[14], |extent, _| Box::pin(inputs::main_inputs_die(extent))),
    (&[15], |extent, _| {
        Box::pin(async move { vec![beside::takeovers(extent).await] })
    }),
    (&[16], |extent, _| {
        Box::pin(async move { vec![crowds::goodbyes(extent).await] })
    }),
    (&[24], |extent, _| {
        Box::pin(async move { vec![beside::strangers(extent).await] })
    }),
    (&[26], |extent, _| {
        Box::pin(async move { vec![crowds::churn(extent).await] })
    }),
    (&[35], |_, _| {
        Box::pin(async { vec![crowds::idle_strangers().await] })
    }),
];

/// Ten minutes that want little of the machine.
const SOAK: Measurement = (&[27], |extent, seed| {
    Box::pin(async move { vec![long::soak(extent, seed).await] })
});

fn main() -> ExitCode {
    let options = Options::parse();
    let wants = |items: &[u32]| {
        options.items.is_empty() || items.iter().any(|item| options.items.contains(item))
    };
    let proofs: Vec<_> = PROOFS.iter().filter(|proof| wants(&[proof.item])).collect();
    if !proofs::build(&proofs) {
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut rows = Vec::new();
    let begin = |(items, measure): &Measurement| {
        let measured = measure(options.extent(), options.seed);
        wants(items).then(|| (*items, runtime.spawn(measured)))
    };
    let end = |(items, measured): (&'static [u32], JoinHandle<Vec<Row>>)| {
        let measured = runtime.block_on(measured);
        measured.unwrap_or_else(|_| items.iter().copied().map(given_up).collect())
    };
    let soak = begin(&SOAK);
    for proof in proofs {
        add(&mut rows, vec![proof.run()]);
    }
    for begun in BESIDE_THE_SOAK.iter().filter_map(begin) {
        add(&mut rows, end(begun));
    }
    for begun in soak.into_iter().chain(BY_ITSELF.iter().filter_map(begin)) {
        add(&mut rows, end(begun));
    }
    rows.sort_by_key(|row| row.item);
    println!("\n{}", page::table(&rows));
    if options.extent() == Extent::Whole
        && let Err(error) = page::write(&options, &rows)
    {
        eprintln!("score: {}: {error}", options.page.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn add(rows: &mut Vec<Row>, more: Vec<Row>) {
    for row in more {
        eprintln!("score: {}: {}: {}", row.item, row.verdict.word(), row.value);
        rows.push(row);
    }
}

/// A measurement that panicked; what it said stands above.
fn given_up(item: u32) -> Row {
    Row {
        item,
        what: "",
        how: String::new(),
        value: "the measurement was given up".to_owned(),
        promise: "",
        verdict: Verdict::Broken,
    }
}
