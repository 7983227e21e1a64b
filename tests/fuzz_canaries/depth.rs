//! AMF0 walked the plain way, by recursion.

use crate::bodies::amf0_depth::Verdict;

/// Containers that are followed: what every decoder should have.
const LEVELS_MAX: usize = 16;
/// The stack of the walk without a bound, in bytes: it has to come back, so that what is found is its verdict.
const STACK_BYTES: usize = 64 << 20;

/// Stops where the project's own decoder does.
pub fn bounded(body: &[u8]) -> Verdict {
    walk(body, LEVELS_MAX)
}

/// Follows whatever comes (rml_amf0 0.3.0, nginx-rtmp 1.2.2, SRS 7.0.18).
pub fn unbounded(body: &[u8]) -> Verdict {
    std::thread::scope(|scope| {
        let work = || walk(body, usize::MAX);
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

fn walk(body: &[u8], levels_max: usize) -> Verdict {
    let mut walk = Walk {
        rest: body,
        levels_max,
    };
    let mut depth = 0;
    while !walk.rest.is_empty() {
        match walk.value(0) {
            Ok(below) => depth = depth.max(below),
            Err(verdict) => return verdict,
        }
    }
    Verdict::Read(depth)
}

struct Walk<'a> {
    rest: &'a [u8],
    levels_max: usize,
}

impl Walk<'_> {
    /// How many containers are within this value, itself among them.
    fn value(&mut self, around: usize) -> Result<usize, Verdict> {
        match self.number(1)? {
            0 => self.skip(8),
            1 => self.skip(1),
            2 => self.text(2),
            3 => self.properties(around),
            5 | 6 | 13 => Ok(0),
            8 => {
                self.skip(4)?;
                self.properties(around)
            }
            10 => {
                self.enter(around)?;
                let count = self.number(4)?;
                let depths = (0..count).map(|_| self.value(around + 1));
                Ok(1 + depths
                    .collect::<Result<Vec<_>, _>>()?
                    .into_iter()
                    .max()
                    .unwrap_or(0))
            }
            11 => self.skip(10),
            12 => self.text(4),
            16 => {
                self.text(2)?;
                self.properties(around)
            }
            _ => Err(Verdict::Other),
        }
    }

    fn properties(&mut self, around: usize) -> Result<usize, Verdict> {
        self.enter(around)?;
        let mut depth = 0;
        loop {
            if let [0, 0, 9, rest @ ..] = self.rest {
                self.rest = rest;
                return Ok(1 + depth);
            }
            self.text(2)?;
            depth = depth.max(self.value(around + 1)?);
        }
    }

    fn enter(&self, around: usize) -> Result<(), Verdict> {
        match around < self.levels_max {
            true => Ok(()),
            false => Err(Verdict::TooDeep),
        }
    }

    fn text(&mut self, length_bytes: usize) -> Result<usize, Verdict> {
        let length = self.number(length_bytes)?;
        self.skip(length)
    }

    fn number(&mut self, length: usize) -> Result<usize, Verdict> {
        let bytes = self.rest.get(..length).ok_or(Verdict::Truncated)?;
        let number = bytes
            .iter()
            .fold(0, |number, &byte| number << 8 | usize::from(byte));
        self.skip(length)?;
        Ok(number)
    }

    /// A scalar nests nothing.
    fn skip(&mut self, length: usize) -> Result<usize, Verdict> {
        self.rest = self.rest.get(length..).ok_or(Verdict::Truncated)?;
        Ok(0)
    }
}
