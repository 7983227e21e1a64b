//! A fuzzer of a few lines: no coverage, a fixed seed, a bounded number of runs.

use std::cell::Cell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;

/// Mutations that are run at the most.
const RUNS_MAX: u32 = 20_000;
/// Longest input, in bytes: longer ones are cut.
const INPUT_BYTES_MAX: usize = 2048;
/// Bytes that say more than others: chunk formats, message types, AMF0 markers, borders.
const TELLING: [u8; 16] = [
    0, 1, 2, 3, 5, 8, 9, 20, 0x43, 0x46, 0x7F, 0x80, 0xC3, 0xC4, 0xC6, 0xFF,
];

/// A search that begins with a target's corpus.
pub struct Hunt {
    corpus: Vec<Vec<u8>>,
}

/// What came of it.
#[derive(Debug)]
pub struct Found {
    /// Kept inputs that fail by themselves.
    pub kept: usize,
    /// The first mutation that fails, of those kept inputs that do not.
    pub finding: Option<Finding>,
}

/// A failure.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// How many mutations it took.
    pub runs: u32,
    /// The first line of what the panic says.
    pub message: String,
}

impl Hunt {
    pub fn with(target: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        let mut paths: Vec<_> = fs::read_dir(folder.join(target))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        // A folder has no order of its own.
        paths.sort();
        let read = |path: &_| {
            let mut input = fs::read(path).unwrap();
            input.truncate(INPUT_BYTES_MAX);
            input
        };
        Self {
            corpus: paths.iter().map(read).collect(),
        }
    }

    pub fn run(self, work: impl Fn(&[u8])) -> Found {
        let (quiet, failing): (Vec<_>, Vec<_>) = self
            .corpus
            .into_iter()
            .partition(|input| failure(&work, input).is_none());
        let mut chance = Chance(7);
        let finding = (1..=RUNS_MAX).find_map(|runs| {
            let message = failure(&work, &chance.mutation(&quiet))?;
            Some(Finding { runs, message })
        });
        Found {
            kept: failing.len(),
            finding,
        }
    }
}

thread_local! {
    /// Whether a panic is a finding of this thread, and no failure of the test.
    static HUNTING: Cell<bool> = const { Cell::new(false) };
}

/// What the panic says, where there is one.
fn failure(work: impl Fn(&[u8]), input: &[u8]) -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !HUNTING.get() {
                usual(panic);
            }
        }));
    });
    HUNTING.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| work(input)));
    HUNTING.set(false);
    let panic = outcome.err()?;
    let text = match panic.downcast_ref::<String>() {
        Some(text) => text,
        None => *panic.downcast_ref::<&str>().unwrap(),
    };
    // The lines behind it are the two values that were compared.
    text.lines().next().map(str::to_owned)
}

/// Numbers by SplitMix64 (Steele, Lea, Flood 2014).
struct Chance(u64);

impl Chance {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.draw() % end.max(1) as u64) as usize
    }

    fn pick<'a>(&mut self, corpus: &'a [Vec<u8>]) -> &'a [u8] {
        &corpus[self.below(corpus.len())]
    }

    fn mutation(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(corpus).to_vec();
        for _ in 0..=self.below(4) {
            self.mutate(&mut input, corpus);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len());
        let byte = match self.below(3) {
            0 => self.draw() as u8,
            _ => TELLING[self.below(TELLING.len())],
        };
        match self.below(7) {
            0 => input.insert(at, byte),
            1 if !input.is_empty() => input[at] ^= 1 << self.below(8),
            2 if !input.is_empty() => input[at] = byte,
            3 if !input.is_empty() => {
                input[at] = input[at].wrapping_add_signed(self.below(9) as i8 - 4)
            }
            4 => {
                let end = input.len().min(at + 1 + self.below(16));
                input.drain(at..end);
            }
            // A part of this input or of another one, once more.
            choice => {
                let other = if choice == 5 {
                    input.clone()
                } else {
                    self.pick(corpus).to_vec()
                };
                let start = self.below(other.len());
                let end = other.len().min(start + 1 + self.below(160));
                input.splice(at..at, other[start..end].iter().copied());
            }
        }
    }
}
