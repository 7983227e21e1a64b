//! Drives the load: one thread sends every message at its time, sweeps the targets, and watches the checked ones.

use crate::check::Findings;
use crate::contender::Relay;
use crate::frames::{Frames, Kind};
use crate::options::{Options, Reading};
use crate::program::Usage;
use crate::publisher::Publisher;
use crate::run::Scene;
use crate::sink::{Checking, Discarding};
use crate::system::{self, Watched};
use crate::turns::Place;
use crate::{Outcome, clock};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::time::Duration;

/// How often some of the targets are swept, where they are, and how many turns it takes to sweep all of them.
const SWEEP: Duration = Duration::from_millis(1);
const SWEEP_TURNS: usize = 8;

/// Costs are also taken for stretches of this length, so that a moment of other work on the machine spoils only some of them.
const STRETCH: Duration = Duration::from_millis(300);

/// How long one relay has the load, where they take turns.
const TURN: Duration = Duration::from_secs(1);

/// What one relay's turn gave.
#[derive(Debug)]
pub struct Figures {
    /// Processor seconds of the relay, and its memory at the end.
    pub usage: Usage,
    /// What of that memory the gateway's rings hold, in bytes.
    pub rings: u64,
    /// Bytes that reached targets.
    pub relayed: u64,
    /// Bytes that should have: what publishers sent, times the targets.
    pub offered: u64,
    /// What the checked targets found.
    pub findings: Findings,
    /// Targets whose connection ended.
    pub ended: usize,
    /// Processor seconds per relayed GB, for every stretch.
    pub stretches: Vec<f64>,
    /// Seconds that were measured.
    pub seconds: f64,
    /// How much later than planned publishers sent.
    pub lateness: Vec<Duration>,
    /// Sends that a full socket held up: the relay does not read fast enough.
    pub blocked: u64,
    /// Processor seconds of the load itself.
    pub own: f64,
}

/// What is to be done at its time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Message(Kind),
    /// A publisher's link brings its next packet.
    Packet,
}

/// What the measured time has cost.
#[derive(Default)]
struct Bill {
    usage: Usage,
    /// See [`Figures::stretches`].
    stretches: Vec<f64>,
    /// What was measured.
    time: Duration,
    /// Processor time of the load itself.
    own: Duration,
}

struct Load {
    publishers: Vec<Publisher>,
    due: BinaryHeap<Reverse<(Duration, usize, Due)>>,
    frames: Frames,
    discarding: Vec<Discarding>,
    checking: Vec<Checking>,
    watched: Watched,
    is_swept: bool,
    turn: usize,
    /// From when on everything counts.
    since: Duration,
    sent: u64,
    received: u64,
    lateness: Vec<Duration>,
    blocked: u64,
}

/// Drives the load for its time, after each turn with a `rest` for what is on its way, and reads the relay's bill at both ends of what is measured.
pub fn drive(
    options: &Options,
    scene: Scene,
    relay: &Relay,
    place: &Place<'_>,
    rest: Duration,
) -> Outcome<Figures> {
    let mut load = Load::new(options, scene)?;
    let begin = clock::now() + Duration::from_secs(options.warmup.into()) + load.spread(options);
    load.since = begin;
    load.until(begin)?;
    let beside = options
        .beside
        .as_deref()
        .map(|line| start_beside(line, relay.program.pid()));
    (load.sent, load.received, load.blocked) = (0, 0, 0);
    load.lateness.clear();
    let seconds = Duration::from_secs(options.seconds.into());
    let bill = match options.in_turns {
        true => load.measure_in_turns(seconds, relay, place, rest)?,
        false => load.measure(seconds, relay)?,
    };
    let rings = relay.ring_bytes().unwrap_or(0);
    if let Some(child) = beside {
        child?.wait()?;
    }
    let ended = load.ended();
    let mut findings = Findings::default();
    for checking in load.checking {
        findings.add(checking.checker.findings);
    }
    Ok(Figures {
        usage: bill.usage,
        rings,
        relayed: load.received,
        offered: load.sent * u64::from(options.targets),
        findings,
        ended,
        stretches: bill.stretches,
        seconds: bill.time.as_secs_f64(),
        lateness: load.lateness,
        blocked: load.blocked,
        own: bill.own.as_secs_f64(),
    })
}

impl Load {
    fn new(options: &Options, scene: Scene) -> Outcome<Self> {
        let now = clock::now();
        let mut due = BinaryHeap::new();
        let (mut publishers, count) = (Vec::new(), scene.publishers.len());
        for (at, tcp) in scene.publishers.into_iter().enumerate() {
            // Keyframes and frames of all streams are spread, as those of encoders that know nothing of each other.
            let span = Duration::from_secs(options.gop.into()) + scene.frames.interval(Kind::Video);
            let start = now + span * at as u32 / count as u32;
            due.extend(
                scene
                    .frames
                    .kinds()
                    .iter()
                    .map(|&kind| Reverse((start, at, Due::Message(kind)))),
            );
            publishers.push(Publisher::new(tcp, options.uplink));
        }
        let every = (scene.sinks.len() / options.checked.max(1) as usize).max(1);
        let (mut discarding, mut checking) = (Vec::new(), Vec::new());
        for (at, sink) in scene.sinks.into_iter().enumerate() {
            if options.checked > 0 && at % every == 0 {
                checking.push(Checking::new(sink));
            } else {
                discarding.push(Discarding::new(sink));
            }
        }
        let is_swept = options.reading == Reading::Swept;
        let woken = discarding
            .iter()
            .filter(|_| !is_swept)
            .map(Discarding::socket);
        let sockets = checking.iter().map(Checking::socket).chain(woken);
        let watched = Watched::new(sockets)?;
        Ok(Self {
            publishers,
            due,
            frames: scene.frames,
            discarding,
            watched,
            is_swept,
            checking,
            turn: 0,
            since: Duration::MAX,
            sent: 0,
            received: 0,
            lateness: Vec::new(),
            blocked: 0,
        })
    }

    /// Within this time every publisher has begun.
    fn spread(&self, options: &Options) -> Duration {
        Duration::from_secs(options.gop.into())
    }

    /// The load without a pause.
    fn measure(&mut self, seconds: Duration, relay: &Relay) -> Outcome<Bill> {
        let mut bill = Bill::default();
        let (begin, own) = (clock::now(), system::own_cpu());
        let before = relay.program.usage();
        let (mut exact, mut received) = (before.exact, 0);
        while clock::now() < begin + seconds {
            self.until((begin + seconds).min(clock::now() + STRETCH))?;
            let now = relay.program.exact();
            bill.stretch(now - exact, self.received - received);
            (exact, received) = (now, self.received);
        }
        bill.usage.add(before, relay.program.usage());
        bill.time = clock::now() - begin;
        bill.own = system::own_cpu() - own;
        Ok(bill)
    }

    /// The load a turn at a time: what happens in between is on nobody's bill.
    fn measure_in_turns(
        &mut self,
        seconds: Duration,
        relay: &Relay,
        place: &Place<'_>,
        rest: Duration,
    ) -> Outcome<Bill> {
        self.rest(rest)?;
        let mut bill = Bill::default();
        while bill.time < seconds {
            let paused = clock::now();
            place.wait();
            let begin = clock::now();
            self.put_off(begin - paused + rest);
            let (before, own, received) = (relay.program.usage(), system::own_cpu(), self.received);
            self.until(begin + TURN)?;
            self.rest(rest)?;
            let after = relay.program.usage();
            bill.usage.add(before, after);
            bill.stretch(after.exact - before.exact, self.received - received);
            bill.time += TURN;
            bill.own += system::own_cpu() - own;
            place.pass_on();
        }
        Ok(bill)
    }

    /// Sends nothing, and waits for what is on its way.
    fn rest(&mut self, time: Duration) -> Outcome<()> {
        let due = std::mem::take(&mut self.due);
        self.until(clock::now() + time)?;
        self.due = due;
        Ok(())
    }

    /// Whatever is due is due so much later.
    fn put_off(&mut self, by: Duration) {
        let due = self.due.drain();
        let later = due.map(|Reverse((at, number, due))| Reverse((at + by, number, due)));
        self.due = later.collect();
    }

    fn until(&mut self, end: Duration) -> Outcome<()> {
        let mut sweep = clock::now();
        loop {
            let now = clock::now();
            if now >= end {
                return Ok(());
            }
            self.send_due(now)?;
            if now >= sweep {
                sweep = now + SWEEP;
                self.sweep();
            }
            let next = self.due.peek().map_or(end, |Reverse((at, ..))| *at);
            let wait = next.min(sweep).min(end).saturating_sub(clock::now());
            match self.watched.wait(wait) {
                Ok(0) => {}
                Ok(_) => self.read_woken()?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn send_due(&mut self, now: Duration) -> Outcome<()> {
        while let Some(&Reverse((at, number, due))) = self.due.peek() {
            if at > now {
                return Ok(());
            }
            self.due.pop();
            let publisher = &mut self.publishers[number];
            let next_packet = match due {
                Due::Packet => publisher.packet(at)?,
                Due::Message(kind) => {
                    let next = at + self.frames.interval(kind);
                    self.due.push(Reverse((next, number, due)));
                    let sent_at = clock::now();
                    let sent = publisher.send(&mut self.frames, kind, sent_at)?;
                    self.lateness.push(sent_at - at);
                    self.sent += sent.bytes as u64;
                    self.blocked += u64::from(sent.is_blocked);
                    sent.next_packet
                }
            };
            if let Some(next) = next_packet {
                self.due.push(Reverse((next, number, Due::Packet)));
            }
        }
        Ok(())
    }

    fn sweep(&mut self) {
        let turn = self.turn % SWEEP_TURNS;
        self.turn += 1;
        if self.is_swept {
            for sink in self.discarding.iter_mut().skip(turn).step_by(SWEEP_TURNS) {
                self.received += sink.sweep() as u64;
            }
        }
        // Acknowledgements, now and then.
        let publisher = &self.publishers[self.turn % self.publishers.len()];
        let _ = system::discard(publisher.tcp.as_fd(), 1 << 20);
    }

    fn read_woken(&mut self) -> Outcome<()> {
        for at in self.watched.ready() {
            let count = match self.checking.get_mut(at) {
                Some(sink) => sink.read(&self.frames, self.since)?,
                None => self.discarding[at - self.checking.len()].sweep(),
            };
            self.received += count as u64;
        }
        Ok(())
    }

    fn ended(&self) -> usize {
        let discarding = self.discarding.iter().filter(|sink| sink.ended).count();
        discarding + self.checking.iter().filter(|sink| sink.ended).count()
    }
}

impl Bill {
    fn stretch(&mut self, cost: f64, bytes: u64) {
        self.stretches.push(cost / bytes as f64 * 1e9);
    }
}

fn start_beside(line: &str, pid: u32) -> io::Result<Child> {
    let line = line.replace("{pid}", &pid.to_string());
    Command::new("sh").args(["-c", &line]).spawn()
}
