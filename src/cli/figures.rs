//! How figures are written for people.

use time::OffsetDateTime;

/// How long ago that was, in its two largest units.
pub(super) fn age(since: OffsetDateTime) -> String {
    let seconds = (OffsetDateTime::now_utc() - since).whole_seconds().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if minutes == 0 => format!("{seconds}s"),
        () if hours == 0 => format!("{minutes}m{:02}s", seconds % 60),
        () if days == 0 => format!("{hours}h{:02}m", minutes % 60),
        () => format!("{days}d{:02}h", hours % 24),
    }
}

/// Seconds, to a tenth.
pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// Bits a second, as encoders show them.
pub(super) fn bits(rate: u64) -> String {
    match rate {
        0..1_000_000 => format!("{} kbit/s", rate / 1000),
        _ => format!("{}.{} Mbit/s", rate / 1_000_000, rate % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    #[test]
    fn figures() {
        for (rate, text) in [
            (0, "0 kbit/s"),
            (128_400, "128 kbit/s"),
            (6_050_000, "6.0 Mbit/s"),
            (12_990_000, "12.9 Mbit/s"),
        ] {
            assert_eq!(bits(rate), text);
        }
        for (seconds, text) in [
            (5, "5s"),
            (65, "1m05s"),
            (3_700, "1h01m"),
            (90_000, "1d01h"),
            (-5, "0s"),
        ] {
            assert_eq!(
                age(OffsetDateTime::now_utc() - Duration::seconds(seconds)),
                text
            );
        }
        assert_eq!(seconds(2033), "2.0 s");
    }
}
