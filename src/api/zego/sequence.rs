//! The order of an app's calls about one stream, so that a late call cannot undo a newer one.

use std::collections::HashMap;
use std::time::Duration;

use super::answer::{Code, Refusal};
use super::limits::SEQUENCE_WINDOW;

/// The last accepted number of each stream. What is older than the window is forgotten, and the rate limit keeps the number
/// of streams within one window small.
#[derive(Debug, Default)]
pub(super) struct Sequences(HashMap<String, Accepted>);

#[derive(Clone, Copy, Debug)]
struct Accepted {
    number: u64,
    at: Duration,
}

impl Sequences {
    /// Judges the number of a call at `now`. Nothing is remembered before [`accept`](Self::accept).
    pub(super) fn check(
        &self,
        stream: &str,
        number: Option<&str>,
        now: Duration,
    ) -> Result<u64, Refusal> {
        let refused = |why| Err(Refusal::new(Code::InvalidRequest, why));
        let Some(number) = number.and_then(parse) else {
            return refused("Sequence is missing or not a decimal number below 2^64");
        };
        match self.0.get(stream) {
            Some(last) if !is_over(last, now) && number <= last.number => {
                refused("Sequence is not larger than that of a call within the last 10 seconds")
            }
            _ => Ok(number),
        }
    }

    /// The call was carried out.
    pub(super) fn accept(&mut self, stream: &str, number: u64, now: Duration) {
        self.0.retain(|_, accepted| !is_over(accepted, now));
        self.0
            .insert(stream.to_owned(), Accepted { number, at: now });
    }
}

fn is_over(accepted: &Accepted, now: Duration) -> bool {
    now.saturating_sub(accepted.at) >= SEQUENCE_WINDOW
}

/// Decimal digits only.
fn parse(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_within_ten_seconds() {
        let mut sequences = Sequences::default();
        let mut call = |number, at| {
            let now = Duration::from_millis(at);
            let checked = sequences.check("s", Some(number), now);
            if let Ok(number) = checked {
                sequences.accept("s", number, now);
            }
            checked.is_ok()
        };
        for (number, at, passes) in [
            ("9", 0, true),
            ("9", 1, false),
            ("10", 2, true),
            ("010", 3, false),
            ("18446744073709551615", 4, true),
            ("18446744073709551616", 5, false),
            ("5", 10_003, false),
            ("5", 10_004, true),
            ("", 20_005, false),
            ("+7", 20_005, false),
            ("7a", 20_005, false),
        ] {
            assert_eq!(call(number, at), passes, "{number} at {at}");
        }
    }

    #[test]
    fn streams_are_apart_and_old_ones_forgotten() {
        let mut sequences = Sequences::default();
        sequences.accept("a", 5, Duration::ZERO);
        assert!(sequences.check("b", Some("1"), Duration::ZERO).is_ok());
        assert!(sequences.check("a", None, Duration::ZERO).is_err());
        sequences.accept("b", 1, SEQUENCE_WINDOW);
        assert_eq!(sequences.0.len(), 1);
    }
}
