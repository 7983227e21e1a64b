//! Whether the gateway's memory and descriptors stay where they are.

use std::time::Duration;

/// What a run may grow from its first third to its last: rings of different filling, and what an allocator keeps.
const SLACK_BYTES: u64 = 24 << 20;
const SLACK_DESCRIPTORS: u64 = 16;

/// Runs of this length have to be level to this, in bytes an hour.
const LONG: Duration = Duration::from_secs(3600);
const SLOPE_MAX: f64 = (8 << 20) as f64;

#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub at: Duration,
    pub rss: u64,
    pub descriptors: u64,
}

/// Looks at a process.
pub fn look(pid: u32, at: Duration) -> Option<Sample> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rss = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = rss.trim().trim_end_matches(" kB").parse().ok()?;
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    Some(Sample {
        at,
        rss: kilobytes * 1024,
        descriptors: descriptors as u64,
    })
}

/// What the samples behind the warm-up come to.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    pub rss: [u64; 2],
    pub descriptors: [u64; 2],
    /// Bytes an hour, by least squares.
    pub slope: f64,
    lasted: Duration,
}

impl Level {
    /// `None` where there are too few samples to tell.
    pub fn of(samples: &[Sample], warm_up: Duration) -> Option<Self> {
        let warm: Vec<_> = samples
            .iter()
            .filter(|sample| sample.at >= warm_up)
            .collect();
        let third = warm.len() / 3;
        if third == 0 {
            return None;
        }
        let (first, last) = (&warm[..third], &warm[warm.len() - third..]);
        let most = |part: &[&Sample], of: fn(&Sample) -> u64| {
            part.iter()
                .map(|sample| of(sample))
                .max()
                .unwrap_or_default()
        };
        let rss = [first, last].map(|part| most(part, |sample| sample.rss));
        let descriptors = [first, last].map(|part| most(part, |sample| sample.descriptors));
        Some(Self {
            rss,
            descriptors,
            slope: slope(&warm),
            lasted: warm[warm.len() - 1].at - warm[0].at,
        })
    }

    /// In words.
    pub fn words(&self) -> String {
        let megabytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        format!(
            "memory {:.1} -> {:.1} MiB ({:+.1} MiB/h), open files {} -> {}, from the first to the last third of {} s",
            megabytes(self.rss[0]),
            megabytes(self.rss[1]),
            self.slope / f64::from(1 << 20),
            self.descriptors[0],
            self.descriptors[1],
            self.lasted.as_secs()
        )
    }

    /// What is not level.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let ([before, after], [open_before, open_after]) = (self.rss, self.descriptors);
        if after > before + before / 10 + SLACK_BYTES {
            faults.push(format!("memory grew from {before} to {after} bytes"));
        }
        if open_after > open_before + SLACK_DESCRIPTORS {
            faults.push(format!(
                "open files grew from {open_before} to {open_after}"
            ));
        }
        if self.lasted >= LONG && self.slope > SLOPE_MAX {
            faults.push(format!("memory grows by {:.0} bytes an hour", self.slope));
        }
        faults
    }
}

fn slope(samples: &[&Sample]) -> f64 {
    let hours = |sample: &Sample| sample.at.as_secs_f64() / 3600.0;
    let count = samples.len() as f64;
    let mean_x = samples.iter().map(|sample| hours(sample)).sum::<f64>() / count;
    let mean_y = samples.iter().map(|sample| sample.rss as f64).sum::<f64>() / count;
    let (mut above, mut below) = (0.0, 0.0);
    for sample in samples {
        let x = hours(sample) - mean_x;
        above += x * (sample.rss as f64 - mean_y);
        below += x * x;
    }
    if below > 0.0 { above / below } else { 0.0 }
}
