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
    println!(
        "{} streams x {} targets x {} kbit/s at {} fps, a keyframe every {} s, {audio}, chunks of {} bytes from publishers; \
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
    let cost = Cost::of(figures);
    let [p50, p99, max] = latencies(figures);
    format!(
        "{:.3} s/GB, undisturbed {:.3} (user {:.3}, system {:.3}), latency {p50:.1} / {p99:.1} / {max:.1} ms, {:.0} MB, {} of {} MB{}",
        figures.usage.exact / figures.relayed as f64 * 1e9,
        undisturbed(&[figures]),
        cost.user,
        cost.system,
        megabytes(figures.usage.resident),
        figures.relayed / 1_000_000,
        figures.offered / 1_000_000,
        remarks(figures),
    )
}

/// All of it as Markdown.
pub fn print(contenders: &[Contender], results: &[(String, Figures)]) {
    let of = |name: &str| -> Vec<&Figures> {
        let own = results.iter().filter(|(of, _)| of == name);
        own.map(|(_, figures)| figures).collect()
    };
    let total = |figures: &&Figures| figures.usage.exact / figures.relayed as f64 * 1e9;
    let nginx = undisturbed(&of("nginx-rtmp"));
    println!(
        "| relay | CPU s/GB (range) | undisturbed | to nginx-rtmp | user | system | p50 ms | p99 ms | max ms | RSS MB | rings MB | lost | reordered | steps back | delivered | remarks |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for contender in contenders {
        let name = contender.name();
        let figures = of(&name);
        if figures.is_empty() {
            println!("| {name} | failed |");
            continue;
        }
        let middle = |value: &dyn Fn(&Figures) -> f64| {
            median(figures.iter().map(|one| value(one)).collect())
        };
        let sum =
            |value: &dyn Fn(&Figures) -> u64| figures.iter().map(|one| value(one)).sum::<u64>();
        let totals: Vec<f64> = figures.iter().map(total).collect();
        let (least, most) = totals.iter().fold((f64::MAX, 0f64), |(least, most), &one| {
            (least.min(one), most.max(one))
        });
        let cost = median(totals);
        let ratio = if nginx > 0.0 {
            format!("{:.2}", undisturbed(&figures) / nginx)
        } else {
            "-".to_owned()
        };
        let mut notes: Vec<String> = figures
            .iter()
            .map(|one| remarks(one))
            .filter(|note| !note.is_empty())
            .collect();
        notes.sort();
        notes.dedup();
        println!(
            "| {name} | {cost:.3} ({least:.3} - {most:.3}) | {:.3} | {ratio} | {:.3} | {:.3} | {:.1} | {:.1} | {:.1} | {:.0} | {:.0} | {} | {} | {} | {:.3} | {} |",
            undisturbed(&figures),
            middle(&|one| Cost::of(one).user),
            middle(&|one| Cost::of(one).system),
            middle(&|one| latencies(one)[0]),
            middle(&|one| latencies(one)[1]),
            middle(&|one| latencies(one)[2]),
            middle(&|one| megabytes(one.usage.resident)),
            middle(&|one| megabytes(one.rings)),
            sum(&|one| one.findings.lost),
            sum(&|one| one.findings.reordered),
            sum(&|one| one.findings.steps_back),
            middle(&delivered),
            notes.join("").trim_start_matches("; "),
        );
    }
}

struct Cost {
    user: f64,
    system: f64,
}

impl Cost {
    fn of(figures: &Figures) -> Self {
        let gigabytes = figures.relayed as f64 / 1e9;
        Self {
            user: figures.usage.user / gigabytes,
            system: figures.usage.system / gigabytes,
        }
    }
}

/// What it costs when nothing else happens on the machine: the lower quartile of all stretches.
fn undisturbed(figures: &[&Figures]) -> f64 {
    let stretches = figures.iter().flat_map(|one| one.stretches.iter().copied());
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
