//! A relay's process: started, pinned, looked at from outside, and ended.

use crate::{Outcome, system};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a relay may take to end by itself.
const GOODBYE: Duration = Duration::from_secs(5);

/// A running program. It ends with the value.
pub struct Program {
    child: Child,
}

/// What processes have used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor seconds in user mode.
    pub user: f64,
    /// Processor seconds in the kernel.
    pub system: f64,
    /// Processor seconds, to the nanosecond.
    pub exact: f64,
    /// Resident memory, in bytes.
    pub resident: u64,
}

impl Usage {
    /// Adds what was used from one look to the next; the memory is that of the last one.
    pub fn add(&mut self, before: Usage, after: Usage) {
        self.user += after.user - before.user;
        self.system += after.system - before.system;
        self.exact += after.exact - before.exact;
        self.resident = after.resident;
    }
}

impl Program {
    /// Starts it, on one core if one is given, with its output thrown away.
    pub fn start(mut command: Command, core: Option<usize>) -> Outcome<Self> {
        if let Some(core) = core {
            system::pinned(&mut command, core);
        }
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = quiet
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        Ok(Self { child })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What it and all that it has started have used.
    pub fn usage(&self) -> Usage {
        let mut sum = Usage::default();
        for pid in family(self.pid()) {
            // Who has ended meanwhile has nothing to add.
            let Some(one) = usage_of(pid) else { continue };
            sum.user += one.user;
            sum.system += one.system;
            sum.exact += exact_of(pid);
            sum.resident += one.resident;
        }
        sum
    }

    /// Processor seconds of it and all that it has started.
    pub fn exact(&self) -> f64 {
        family(self.pid()).into_iter().map(exact_of).sum()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        system::terminate(self.pid());
        let deadline = Instant::now() + GOODBYE;
        while Instant::now() < deadline && !self.has_ended() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process and its descendants.
fn family(root: u32) -> Vec<u32> {
    let mut family = vec![root];
    let mut at = 0;
    while let Some(&pid) = family.get(at) {
        let path = format!("/proc/{pid}/task/{pid}/children");
        let children = fs::read_to_string(path).unwrap_or_default();
        family.extend(
            children
                .split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
        at += 1;
    }
    family
}

/// Processor seconds of a process's threads, as the scheduler counts them. A thread that has ended is missed.
fn exact_of(pid: u32) -> f64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0.0;
    };
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    nanoseconds.sum::<u64>() as f64 / 1e9
}

fn usage_of(pid: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything. What follows begins with the third field (proc(5)).
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / system::ticks_per_second());
    let (user, system) = (seconds()?, seconds()?);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0);
    Some(Usage {
        user,
        system,
        exact: 0.0,
        resident: resident * 1024,
    })
}
