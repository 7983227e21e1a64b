//! `aqueduct streams`: what is live, and what became of it.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Failure;
use super::args::{StreamsArgs, StreamsCommand};
use super::figures::{age, bits, seconds};
use super::gateway::{Gateway, rows, segment};
use super::output::{print, print_json, width};
use super::table::Table;
use crate::secret::printable;

#[derive(Deserialize)]
struct Stream {
    app: String,
    name: String,
    state: String,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    publisher: Option<String>,
    client: Option<String>,
    tracks: Vec<Track>,
    bitrate: u64,
    fps: Option<f64>,
    bytes: u64,
    frames: u64,
    keyframe_interval_ms: Option<u64>,
    repairs: u64,
    repairs_by_kind: BTreeMap<String, u64>,
    warnings: Vec<Warning>,
}

#[derive(Deserialize)]
struct Track {
    kind: String,
    id: u8,
    codec: String,
    profile: Option<String>,
    level: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    frame_rate: Option<f64>,
    sample_rate: Option<u32>,
    channels: Option<u8>,
    bitrate: Option<u64>,
}

#[derive(Deserialize)]
struct Warning {
    detail: String,
}

impl Track {
    /// All that is known of it, in a line.
    fn described(&self) -> String {
        let profile = match (&self.profile, &self.level) {
            (Some(profile), Some(level)) => Some(format!("{profile} {level}")),
            (profile, level) => profile.clone().or_else(|| level.clone()),
        };
        let facts = [
            profile,
            (self.width.zip(self.height)).map(|(width, height)| format!("{width}x{height}")),
            self.frame_rate.map(|rate| format!("{rate} fps")),
            self.sample_rate.map(|rate| format!("{rate} Hz")),
            self.channels.map(|count| match count {
                1 => "1 channel".to_owned(),
                _ => format!("{count} channels"),
            }),
            self.bitrate.map(bits),
        ];
        let facts: Vec<String> = facts.into_iter().flatten().collect();
        let name = format!("{} ({} {})", self.codec, self.kind, self.id);
        match facts.is_empty() {
            true => name,
            false => format!("{name}: {}", facts.join(", ")),
        }
    }
}

#[derive(Deserialize)]
struct Target {
    rule: String,
    stream: String,
    url: String,
    role: Option<String>,
    state: String,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    attempt: u32,
    reason: Option<String>,
    bitrate: u64,
    dropped: u64,
    drops: Option<Drops>,
    lag_ms: u64,
    rtt_ms: Option<f64>,
}

/// What a target was not given, by cause.
#[derive(Deserialize)]
struct Drops {
    disposable: u64,
    until_keyframe: u64,
    overtaken: u64,
}

impl fmt::Display for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes = [
            (self.disposable, "disposable frames"),
            (self.until_keyframe, "pictures up to a keyframe"),
            (self.overtaken, "messages that the ring let go"),
        ];
        let mut between = "";
        for (count, what) in causes.into_iter().filter(|cause| cause.0 > 0) {
            write!(f, "{between}{count} {what}")?;
            between = ", ";
        }
        Ok(())
    }
}

impl Stream {
    fn key(&self) -> String {
        format!("{}/{}", self.app, self.name)
    }

    /// Whether its publisher is away, and may come back.
    fn is_in_grace(&self) -> bool {
        self.state == "grace"
    }

    fn codecs(&self) -> String {
        let mut codecs: Vec<&str> = self
            .tracks
            .iter()
            .map(|track| track.codec.as_str())
            .collect();
        codecs.dedup();
        codecs.join("+")
    }
}

pub(super) async fn run(args: StreamsArgs) -> Result<(), Failure> {
    let gateway = Gateway::find(&args.gateway)?;
    match args.command {
        StreamsCommand::List { app } => list(&gateway, app, args.json).await,
        StreamsCommand::Show { stream } => show(&gateway, &stream, args.json).await,
        StreamsCommand::Kick { stream } => kick(&gateway, &stream, args.json).await,
    }
}

async fn list(gateway: &Gateway, app: Option<String>, json: bool) -> Result<(), Failure> {
    let app = app
        .map(|app| format!("?app={}", segment(&app)))
        .unwrap_or_default();
    let streams = gateway.fetch_all(&format!("/v1/streams{app}")).await?;
    if json {
        return print_json(&streams);
    }
    let streams: Vec<Stream> = rows(&streams)?;
    if streams.is_empty() {
        return print("Nobody publishes at this moment.\n");
    }
    let targets: Vec<Target> = rows(&gateway.fetch_all("/v1/targets").await?)?;
    let headings = [
        "STREAM",
        "STATE",
        "FOR",
        "CODECS",
        "BITRATE",
        "TARGETS LIVE",
    ];
    let mut table = Table::new(headings, &[3]);
    for stream in streams {
        let key = stream.key();
        let of_stream = || targets.iter().filter(|target| target.stream == key);
        let live = of_stream().filter(|target| target.state == "live").count();
        let targets = format!("{live} of {}", of_stream().count());
        let (since, codecs) = (age(stream.since), stream.codecs());
        table.row([
            key,
            stream.state,
            since,
            codecs,
            bits(stream.bitrate),
            targets,
        ]);
    }
    print(&table.render(width()))
}

async fn show(gateway: &Gateway, wanted: &str, json: bool) -> Result<(), Failure> {
    let (value, stream) = find(gateway, wanted).await?;
    let query = format!(
        "?app={}&stream={}",
        segment(&stream.app),
        segment(&stream.name)
    );
    let targets = gateway.fetch_all(&format!("/v1/targets{query}")).await?;
    if json {
        return print_json(&json!({"stream": value, "targets": targets}));
    }
    print(&described(&stream, &rows::<Vec<Target>>(&targets)?))
}

fn described(stream: &Stream, targets: &[Target]) -> String {
    let keyframes = stream
        .keyframe_interval_ms
        .map(|ms| format!("every {}", seconds(ms)));
    let unknown = || "unknown".to_owned();
    let nobody = || match stream.is_in_grace() {
        false => unknown(),
        true => "away".to_owned(),
    };
    let rate = match stream.fps {
        Some(fps) => format!("{}, {fps} pictures a second", bits(stream.bitrate)),
        None => bits(stream.bitrate),
    };
    let mut text = String::new();
    for (name, value) in [
        ("stream", stream.key()),
        (
            "state",
            match stream.is_in_grace() {
                false => format!("{} for {}", stream.state, age(stream.since)),
                true => format!(
                    "grace: waiting for the encoder, live for {}",
                    age(stream.since)
                ),
            },
        ),
        ("publisher", stream.publisher.clone().unwrap_or_else(nobody)),
        ("client", stream.client.clone().unwrap_or_else(nobody)),
        ("bitrate", rate),
        ("keyframes", keyframes.unwrap_or_else(unknown)),
        (
            "received",
            format!("{} bytes, {} frames", stream.bytes, stream.frames),
        ),
        ("repaired", repaired(stream)),
    ] {
        line(&mut text, name, &value);
    }
    for track in &stream.tracks {
        line(&mut text, "track", &track.described());
    }
    for warning in &stream.warnings {
        line(&mut text, "warning", &warning.detail);
    }
    if targets.is_empty() {
        text.push_str(
            "\nNo rule sends this stream anywhere. To add one: aqueduct rules add @FILE\n",
        );
        return text;
    }
    text.push('\n');
    text.push_str(&described_targets(targets));
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name:<10} {}", printable(value));
}

/// How many timestamps, and of what kinds.
fn repaired(stream: &Stream) -> String {
    let kinds = stream.repairs_by_kind.iter().filter(|kind| *kind.1 > 0);
    let kinds: Vec<String> = kinds
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    match kinds.is_empty() {
        true => format!("{} timestamps", stream.repairs),
        false => format!("{} timestamps ({})", stream.repairs, kinds.join(", ")),
    }
}

/// A line for each target's figures, and below it what is too long for a table.
fn described_targets(targets: &[Target]) -> String {
    let headings = ["RULE", "STATE", "FOR", "BITRATE", "LAG", "RTT", "DROPPED"];
    let mut table = Table::new(headings, &[]);
    for target in targets {
        table.row([
            target.rule.clone(),
            target.state.clone(),
            age(target.since),
            bits(target.bitrate),
            format!("{} ms", target.lag_ms),
            target
                .rtt_ms
                .map(|ms| format!("{ms:.0} ms"))
                .unwrap_or_default(),
            target.dropped.to_string(),
        ]);
    }
    let mut lines = table.lines(width());
    let mut text = lines.next().unwrap_or_default();
    for (line, target) in lines.zip(targets) {
        let to = match target.role.as_deref() {
            Some("backup") => "to its backup",
            _ => "to",
        };
        let _ = write!(text, "\n{line}\n    {to} {}", printable(&target.url));
        if let Some(reason) = &target.reason {
            let _ = write!(
                text,
                "\n    attempt {}: {}",
                target.attempt,
                printable(reason)
            );
        }
        if let Some(drops) = &target.drops {
            let _ = write!(text, "\n    too slow for {drops}");
        }
    }
    text.push('\n');
    text
}

async fn kick(gateway: &Gateway, wanted: &str, json: bool) -> Result<(), Failure> {
    let (value, stream) = find(gateway, wanted).await?;
    let path = format!(
        "/v1/streams/{}/{}",
        segment(&stream.app),
        segment(&stream.name)
    );
    gateway.delete(&path).await?;
    match json {
        true => print_json(&json!({"kicked": value})),
        false => {
            let outcome = match stream.is_in_grace() {
                false => "its publisher is disconnected",
                true => "its publisher is not waited for any longer",
            };
            print(&format!("{}: {outcome}\n", printable(&stream.key())))
        }
    }
}

/// Looks the stream up by what lists show: where in `a/b/c` the app ends is not for us to guess.
async fn find(gateway: &Gateway, wanted: &str) -> Result<(Value, Stream), Failure> {
    let streams = gateway.fetch_all("/v1/streams").await?;
    for value in streams.as_array().into_iter().flatten() {
        let stream: Stream = rows(value)?;
        let by_name = !wanted.contains('/') && stream.app == "live" && stream.name == wanted;
        if by_name || stream.key() == wanted {
            return Ok((value.clone(), stream));
        }
    }
    Err(Failure::Failed(format!(
        "nobody publishes {wanted} at this moment"
    )))
}
