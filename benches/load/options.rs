//! What the comparison is told.

use clap::{Args, Parser, Subcommand};

/// Sends the same streams through one relay after the other, and prints what each of them costs and adds.
#[derive(Debug, Parser)]
#[command(name = "bench-load")]
pub struct Options {
    /// Which relays, in this order: nginx, xiu, aqueduct:WINDOW, rtmps:WINDOW (the gateway with targets over TLS), raw:WINDOW
    /// (window in milliseconds), the names given with --relay, and aqueduct:WINDOW@NAME or rtmps:WINDOW@NAME for those given with
    /// --build.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "nginx,raw:30,aqueduct:30,raw:0,aqueduct:0,raw:100,aqueduct:100"
    )]
    pub contenders: Vec<String>,

    /// Another relay, as NAME=COMMAND, to be named in --contenders. `{rtmp}` and `{sink}` in it become the ports that it
    /// has to listen on and push to. It is to push `live/NAME` to each of `t0/NAME`, `t1/NAME` ... of the sink.
    #[arg(long = "relay", value_name = "NAME=COMMAND")]
    pub relays: Vec<String>,

    /// Streams.
    #[arg(long, default_value_t = 32)]
    pub streams: u32,

    /// Targets of each stream.
    #[arg(long, default_value_t = 8)]
    pub targets: u32,

    /// Video of each stream, in kbit/s.
    #[arg(long, default_value_t = 6000)]
    pub kbps: u32,

    /// Video frames a second.
    #[arg(long, default_value_t = 30)]
    pub fps: u32,

    /// Seconds from one keyframe to the next.
    #[arg(long, default_value_t = 2)]
    pub gop: u32,

    /// Leaves out the audio: 128 kbit/s in 43 messages a second.
    #[arg(long)]
    pub no_audio: bool,

    /// Chunk size of the publishers, in bytes: 4096 as OBS, 60000 as FFmpeg.
    #[arg(long, default_value_t = 4096)]
    pub publisher_chunk: u32,

    /// The link that each publisher is behind, in Mbit/s: a message arrives packet by packet, as over a network. 0: messages
    /// arrive whole, as on loopback.
    #[arg(long, default_value_t = 0)]
    pub uplink: u32,

    /// Seconds that are measured.
    #[arg(long, default_value_t = 8)]
    pub seconds: u32,

    /// Seconds of the same load before, in which buffers and rings fill.
    #[arg(long, default_value_t = 6)]
    pub warmup: u32,

    /// How often each relay gets its turn.
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,

    /// Runs all relays at the same time, each with the whole load. What else happens on the machine then meets all of them
    /// alike, so that their costs can be compared where it is never quiet; latencies cannot.
    #[arg(long)]
    pub together: bool,

    /// Keeps all relays running and gives them the load one after the other, a second each: none disturbs another's caches, and
    /// whatever the machine does in the course of a minute meets all of them alike. The measured seconds are each one's own.
    #[arg(long, conflicts_with = "together")]
    pub in_turns: bool,

    /// How many of the targets check every message; the rest discards in the kernel.
    #[arg(long, default_value_t = 16)]
    pub checked: u32,

    /// Whether the discarding targets wake up for what arrives, as a server's sockets do, or look by themselves every 8 ms,
    /// so that nothing but the sending is on the relay's bill.
    #[arg(long, value_enum, default_value_t = Reading::Woken)]
    pub reading: Reading,

    /// The core that the relay is pinned to.
    #[arg(long, default_value_t = 1)]
    pub relay_core: usize,

    /// The core that publishers and targets are pinned to.
    #[arg(long, default_value_t = 0)]
    pub load_core: usize,

    /// Pins nothing.
    #[arg(long)]
    pub no_pin: bool,

    /// The priority of both sides, as `nice` has it, so that other work on the machine disturbs less; below 0 where that is
    /// permitted.
    #[arg(long, default_value_t = -10, allow_hyphen_values = true)]
    pub priority: i32,

    /// How the gateway is called; without it, the one of the same build.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_aqueduct"))]
    pub aqueduct: String,

    /// How xiu is called: `cargo install xiu` builds it, with cmake and the headers of libopus.
    #[arg(long, default_value = "xiu")]
    pub xiu: String,

    /// Another build of the gateway, or the same one called otherwise: NAME=PATH, or NAME=env A=B PATH.
    #[arg(long = "build", value_name = "NAME=COMMAND")]
    pub builds: Vec<String>,

    /// More of the gateway's configuration, as TOML.
    #[arg(long, default_value = "")]
    pub aqueduct_config: String,

    /// The port that relays listen on; 0 picks one.
    #[arg(long, default_value_t = 0)]
    pub rtmp_port: u16,

    /// The port that relays push to; 0 picks one.
    #[arg(long, default_value_t = 0)]
    pub sink_port: u16,

    /// Runs this command beside the measured seconds, with the relay's process id for `{pid}`: a profiler.
    #[arg(long)]
    pub beside: Option<String>,

    /// What `cargo bench` says to every benchmark.
    #[arg(long, hide = true)]
    pub bench: bool,

    #[command(subcommand)]
    pub role: Option<Role>,
}

/// How the discarding targets learn that there is something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Reading {
    Woken,
    Swept,
}

/// What this program is when it is started by itself.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// The floor: passes bytes on and looks at none of them.
    #[command(hide = true)]
    Fanout(FanoutOptions),
}

/// What the floor is told.
#[derive(Debug, Args)]
pub struct FanoutOptions {
    #[arg(long)]
    pub rtmp: u16,
    #[arg(long)]
    pub sink: u16,
    #[arg(long)]
    pub streams: u32,
    #[arg(long)]
    pub targets: u32,
    #[arg(long)]
    pub window_ms: u64,
}

impl Options {
    pub fn relay_core(&self) -> Option<usize> {
        (!self.no_pin).then_some(self.relay_core)
    }

    pub fn generator_core(&self) -> Option<usize> {
        (!self.no_pin).then_some(self.load_core)
    }

    /// Connections to targets.
    pub fn connections(&self) -> usize {
        self.streams as usize * self.targets as usize
    }
}
