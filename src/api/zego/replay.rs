//! Calls that were answered once, for apps whose signatures count once only.

use std::collections::BTreeSet;

use super::answer::{Code, Refusal};
use super::limits::{MAX_REMEMBERED_CALLS, TIMESTAMP_TOLERANCE_SECONDS};

/// The calls of one app whose timestamps still pass, oldest first.
#[derive(Debug, Default)]
pub(super) struct Replays(BTreeSet<(i64, Box<str>)>);

impl Replays {
    /// Remembers a call at `now`, in Unix seconds; refuses one that is remembered.
    pub(super) fn note(&mut self, nonce: &str, timestamp: i64, now: i64) -> Result<(), Refusal> {
        let is_over = |at: i64| now > at && now.abs_diff(at) > TIMESTAMP_TOLERANCE_SECONDS;
        while self.0.first().is_some_and(|&(at, _)| is_over(at)) {
            self.0.pop_first();
        }
        let call = (timestamp, Box::from(nonce));
        if self.0.contains(&call) {
            let why = "this SignatureNonce was used with this Timestamp before";
            return Err(Refusal::new(Code::SignatureWrong, why));
        }
        if self.0.len() >= MAX_REMEMBERED_CALLS {
            let why = "more calls within 20 minutes than are remembered";
            return Err(Refusal::new(Code::TooFrequent, why));
        }
        self.0.insert(call);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_once_while_its_timestamp_passes() {
        let mut replays = Replays::default();
        let mut note = |nonce, at, now| replays.note(nonce, at, now).map_err(|no| no.code);
        assert_eq!(note("n", 1000, 1000), Ok(()));
        assert_eq!(note("n", 1000, 1600), Err(Code::SignatureWrong));
        assert_eq!(note("m", 1000, 1600), Ok(()));
        assert_eq!(note("n", 1001, 1600), Ok(()));
        assert_eq!(note("o", 2200, 1600), Ok(()));
        assert_eq!(note("o", 2200, 2800), Err(Code::SignatureWrong));
        // Its timestamp alone would have it refused by now.
        assert_eq!(replays.0.len(), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_nothing_is_forgotten_early() {
        let mut replays = Replays::default();
        for i in 0..MAX_REMEMBERED_CALLS {
            assert!(replays.note(&i.to_string(), 1000, 1000).is_ok());
        }
        assert_eq!(
            replays.note("one more", 1000, 1000).map_err(|no| no.code),
            Err(Code::TooFrequent)
        );
        assert_eq!(
            replays.note("0", 1000, 1000).map_err(|no| no.code),
            Err(Code::SignatureWrong)
        );
        assert_eq!(replays.note("one more", 1601, 1601), Ok(()));
        assert_eq!(replays.0.len(), 1);
    }
}
