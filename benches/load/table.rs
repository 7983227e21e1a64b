//! The table: a row for each relay, medians over the rounds.

use crate::contender::Contender;
use crate::drive::Figures;
use crate::options::Options;
use std::time::Duration;

/// The load's own lateness, 99th percentile, above which latencies are not the relay's.
const LATE: Duration = Duration::from_millis(2);
/// A pause of the load that no figure survives.
const STALLED: Duration = Duration::from_millis(100);
/// The part of what was offered that has to arrive.
const DELIVERED: f64 = 0.985;

/// Says what is about to be compared.
pub fn announce(options: &Options) {
    let audio = if options.no_audio {
        "no audio"
    } else {
        "AAC of 128 kbit/s"
    };
    let uplink = match options.uplink {
        0 => String::new(),
        mbps => format!(" behind links of {mbps} Mbit/s"),
    };
    println!(
        "{} streams x {} targets x {} kbit/s at {} fps, a keyframe every {} s, {audio}, chunks of {} bytes from publishers{uplink}; \
         {} s measured after {} s, {} rounds, {} targets check every message; {}\n",
        options.streams,
        options.targets,
        options.kbps,
        options.fps,
        options.gop,
        options.publisher_chunk,
        options.seconds,
        options.warmup,
        options.rounds,
        options.checked,
        match options.relay_core() {
            Some(core) => format!(
                "the relay on core {core}, the load on core {}",
                options.load_core
            ),
            None => "nothing pinned".to_owned(),
        },
    );
}

/// One turn in one line.
pub fn line(figures: &Figures) -> String {
    let [p50, p99, max] = latencies(figures);
    format!(
        "{:.3} s/GB, latency {p50:.1} / {p99:.1} / {max:.1} ms, {:.0} MB, {} of {} MB arrived{}",
        cost(figures),
        megabytes(figures.usage.resident),
        figures.relayed / 1_000_000,
        figures.offered / 1_000_000,
        remarks(figures),
    )
}

/// What a contender gave in one round.
pub struct Turn {
    pub round: u32,
    pub name: String,
    pub figures: Figures,
}

const HEAD: [&str; 16] = [
    "relay",
    "CPU s/GB (range)",
    "lower quartile",
    "to nginx-rtmp",
    "to raw",
    "user",
    "system",
    "p50 ms",
    "p99 ms",
    "max ms",
    "RSS MB",
    "rings MB",
    "lost",
    "reordered",
    "steps back",
    "remarks",
];

/// All of it as Markdown. Each figure is the median of the rounds; losses are the sum.
pub fn print(contenders: &[Contender], turns: &[Turn]) {
    println!("| {} |", HEAD.join(" | "));
    println!("|{}", "---|".repeat(HEAD.len()));
    for contender in contenders {
        let name = contender.name();
        let own: Vec<&Turn> = turns.iter().filter(|turn| turn.name == name).collect();
        if own.is_empty() {
            println!("| {name} | failed |");
            continue;
        }
        let cells = [
            own_cells(&own),
            vec![
                ratio(&own, turns, &Contender::Nginx),
                contender.window_ms().map_or_else(dash, |window_ms| {
                    ratio(&own, turns, &Contender::Raw { window_ms })
                }),
            ],
            further_cells(&own),
        ];
        println!("| {name} | {} |", cells.concat().join(" | "));
    }
}

fn own_cells(own: &[&Turn]) -> Vec<String> {
    let mut costs: Vec<f64> = own.iter().map(|turn| cost(&turn.figures)).collect();
    costs.sort_by(f64::total_cmp);
    let (least, most) = (costs.first().copied(), costs.last().copied());
    let (least, most) = (least.unwrap_or_default(), most.unwrap_or_default());
    vec![
        format!("{:.3} ({least:.3} - {most:.3})", median(costs)),
        format!("{:.3}", undisturbed(own.iter().map(|turn| &turn.figures))),
    ]
}

/// How the costs of the same rounds compare: the median, and the range.
fn ratio(own: &[&Turn], turns: &[Turn], to: &Contender) -> String {
    let to = to.name();
    let of = |turn: &&Turn| {
        let same = |other: &&Turn| other.round == turn.round && other.name == to;
        let other = turns.iter().find(same)?;
        Some(cost(&turn.figures) / cost(&other.figures))
    };
    let mut ratios: Vec<f64> = own.iter().filter_map(of).collect();
    ratios.sort_by(f64::total_cmp);
    match (ratios.first(), ratios.last()) {
        (Some(least), Some(most)) => {
            format!("{:.2} ({least:.2} - {most:.2})", median(ratios.clone()))
        }
        _ => dash(),
    }
}

fn further_cells(own: &[&Turn]) -> Vec<String> {
    let middle = |value: &dyn Fn(&Figures) -> f64| {
        median(own.iter().map(|turn| value(&turn.figures)).collect())
    };
    let sum = |value: &dyn Fn(&Figures) -> u64| {
        let sum: u64 = own.iter().map(|turn| value(&turn.figures)).sum();
        sum.to_string()
    };
    let mut notes: Vec<String> = own.iter().map(|turn| remarks(&turn.figures)).collect();
    notes.sort();
    notes.dedup();
    let gigabytes = |one: &Figures| one.relayed as f64 / 1e9;
    vec![
        format!("{:.3}", middle(&|one| one.usage.user / gigabytes(one))),
        format!("{:.3}", middle(&|one| one.usage.system / gigabytes(one))),
        format!("{:.1}", middle(&|one| latencies(one)[0])),
        format!("{:.1}", middle(&|one| latencies(one)[1])),
        format!("{:.1}", middle(&|one| latencies(one)[2])),
        format!("{:.0}", middle(&|one| megabytes(one.usage.resident))),
        format!("{:.0}", middle(&|one| megabytes(one.rings))),
        sum(&|one| one.findings.lost),
        sum(&|one| one.findings.reordered),
        sum(&|one| one.findings.steps_back),
        notes.concat().trim_start_matches("; ").to_owned(),
    ]
}

fn dash() -> String {
    "-".to_owned()
}

/// Processor seconds per relayed GB.
fn cost(figures: &Figures) -> f64 {
    figures.usage.exact / figures.relayed as f64 * 1e9
}

/// What it costs where little else happens on the machine: the lower quartile of all stretches.
fn undisturbed<'a>(figures: impl Iterator<Item = &'a Figures>) -> f64 {
    let stretches = figures.flat_map(|one| one.stretches.iter().copied());
    let mut stretches: Vec<f64> = stretches.filter(|cost| cost.is_finite()).collect();
    stretches.sort_by(f64::total_cmp);
    stretches.get(stretches.len() / 4).copied().unwrap_or(0.0)
}

/// What speaks against a row: a load that could not keep up, or a relay that could not.
fn remarks(figures: &Figures) -> String {
    let mut remarks = String::new();
    let mut lateness = figures.lateness.clone();
    lateness.sort_unstable();
    let late = percentile(&lateness, 0.99);
    let latest = percentile(&lateness, 1.0);
    if late > LATE || latest > STALLED {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        remarks += &format!(
            "; the load was late by {:.1} ms (at worst {:.0} ms)",
            millis(late),
            millis(latest)
        );
    }
    let busy = figures.own / figures.seconds;
    if busy > 0.9 {
        remarks += &format!("; the load used {:.0} % of a core", busy * 100.0);
    }
    if delivered(figures) < DELIVERED {
        remarks += "; not all arrived";
    }
    if delivered(figures) > 2.0 - DELIVERED {
        remarks += "; more arrived than was sent: there was a backlog before";
    }
    if figures.blocked > 0 {
        remarks += &format!("; {} sends blocked", figures.blocked);
    }
    if figures.ended > 0 {
        remarks += &format!("; {} targets were left", figures.ended);
    }
    if figures.findings.altered > 0 {
        remarks += &format!("; {} messages altered", figures.findings.altered);
    }
    if figures.findings.messages == 0 {
        remarks += "; nothing was checked";
    }
    remarks
}

fn delivered(figures: &Figures) -> f64 {
    figures.relayed as f64 / figures.offered.max(1) as f64
}

fn latencies(figures: &Figures) -> [f64; 3] {
    let mut latencies = figures.findings.latencies.clone();
    latencies.sort_unstable();
    [0.5, 0.99, 1.0].map(|part| percentile(&latencies, part).as_secs_f64() * 1e3)
}

fn percentile(sorted: &[Duration], part: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get((last as f64 * part).round() as usize)
        .copied()
        .unwrap_or_default()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
