//! How long to wait before trying again: a fixed ladder of delays, spread at random, that is climbed down by being stable.

use std::time::Duration;

/// The ladder and its rules.
#[derive(Debug, Clone, PartialEq)]
pub struct BackoffPolicy {
    /// The delays in their order; the last one repeats. An empty ladder waits for nothing.
    pub steps: Vec<Duration>,
    /// How far a delay is spread to both sides, as a share of it: 0.2 is +-20 %. Held within 0..=1.
    pub jitter: f64,
    /// How long an attempt must have held before the next failure starts from the first step again.
    pub reset_after: Duration,
}

impl BackoffPolicy {
    /// For a target that failed: 1, 2, 4, 8, 15, 30 s, +-20 %, forgotten after a stable minute.
    pub fn reconnect() -> Self {
        Self::of_seconds(&[1, 2, 4, 8, 15, 30])
    }

    /// For a name that a CDN still holds for the last session: 5, 10, 15, 30, 30, 30 s, about two minutes in all.
    ///
    /// [`Backoff::attempts`] against the number of steps says when the two minutes are over.
    pub fn name_in_use() -> Self {
        Self::of_seconds(&[5, 10, 15, 30, 30, 30])
    }

    /// How long a main URL has to be well before a push leaves a healthy backup for it: a minute, and twice as long after each
    /// return that did not last ten minutes, up to about an hour.
    pub fn return_to_main() -> Self {
        Self {
            reset_after: Duration::from_secs(600),
            ..Self::of_seconds(&[60, 120, 240, 480, 960, 1920, 3840])
        }
    }

    /// For a webhook's receiver that is away: 1, 2, 4, 8, 16, 32, 60 s, +-20 %.
    pub fn webhook() -> Self {
        Self::of_seconds(&[1, 2, 4, 8, 16, 32, 60])
    }

    /// How often a main URL is asked whether it is well: every 20 s, +-20 %.
    pub fn probe() -> Self {
        Self::of_seconds(&[20])
    }

    fn of_seconds(seconds: &[u64]) -> Self {
        Self {
            steps: seconds.iter().copied().map(Duration::from_secs).collect(),
            jitter: 0.2,
            reset_after: Duration::from_secs(60),
        }
    }
}

impl Default for BackoffPolicy {
    fn default() -> Self {
        Self::reconnect()
    }
}

/// Where one target stands on its ladder. A value: it neither sleeps nor reads a clock.
#[derive(Debug, Clone)]
pub struct Backoff {
    policy: BackoffPolicy,
    attempts: u32,
    random: u64,
}

impl Backoff {
    /// Starts at the foot. The seed decides the spread: a run with the same seed can be repeated.
    pub fn new(policy: BackoffPolicy, seed: u64) -> Self {
        Self {
            policy,
            attempts: 0,
            random: seed,
        }
    }

    /// The delay before the next attempt; each call climbs one step.
    // An iterator would promise an end and adaptors that mean nothing here.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Duration {
        let index = usize::try_from(self.attempts).unwrap_or(usize::MAX);
        let step = self
            .policy
            .steps
            .get(index)
            .or_else(|| self.policy.steps.last())
            .copied()
            .unwrap_or_default();
        self.attempts = self.attempts.saturating_add(1);
        let jitter = self.policy.jitter.clamp(0.0, 1.0);
        step.mul_f64(1.0 - jitter + 2.0 * jitter * self.draw())
    }

    /// Tells how long the last attempt held; long enough, and the ladder starts again at its foot.
    pub fn stable_for(&mut self, held: Duration) {
        if held >= self.policy.reset_after {
            self.attempts = 0;
        }
    }

    /// Starts again at the foot, whatever happened before.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// How many delays were taken since the foot.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether every step was taken once; from here on the last one repeats.
    pub fn is_exhausted(&self) -> bool {
        usize::try_from(self.attempts).is_ok_and(|attempts| attempts >= self.policy.steps.len())
    }

    /// A number in 0..1, by SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to spread reconnects.
    fn draw(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        // The upper 53 bits are what a double holds exactly.
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn without_jitter() -> Backoff {
        Backoff::new(
            BackoffPolicy {
                jitter: 0.0,
                ..BackoffPolicy::reconnect()
            },
            7,
        )
    }

    #[test]
    fn the_ladder_is_climbed_and_its_last_step_repeats() {
        let mut backoff = without_jitter();
        let seconds: Vec<u64> = (0..8).map(|_| backoff.next().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 15, 30, 30, 30]);
        assert_eq!(backoff.attempts(), 8);
        assert!(backoff.is_exhausted());
    }

    #[test]
    fn a_stable_minute_starts_again_and_less_does_not() {
        let mut backoff = without_jitter();
        backoff.next();
        backoff.next();
        backoff.stable_for(Duration::from_millis(59_999));
        assert_eq!(backoff.next(), Duration::from_secs(4));
        backoff.stable_for(Duration::from_secs(60));
        assert_eq!(backoff.next(), Duration::from_secs(1));
        backoff.reset();
        assert_eq!(backoff.attempts(), 0);
    }

    #[test]
    fn an_empty_ladder_waits_for_nothing() {
        let policy = BackoffPolicy {
            steps: Vec::new(),
            ..BackoffPolicy::default()
        };
        assert_eq!(Backoff::new(policy, 1).next(), Duration::ZERO);
    }

    #[test]
    fn a_name_in_use_is_tried_for_about_two_minutes() {
        let mut backoff = Backoff::new(
            BackoffPolicy {
                jitter: 0.0,
                ..BackoffPolicy::name_in_use()
            },
            1,
        );
        let mut waited = Duration::ZERO;
        while !backoff.is_exhausted() {
            waited += backoff.next();
        }
        assert_eq!(waited, Duration::from_secs(120));
    }

    #[test]
    fn one_seed_gives_one_run_and_two_seeds_give_two() {
        let run = |seed| {
            let mut backoff = Backoff::new(BackoffPolicy::reconnect(), seed);
            (0..6).map(|_| backoff.next()).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    proptest! {
        #[test]
        fn a_delay_stays_within_its_spread(seed in any::<u64>(), steps in 1..20_usize) {
            let mut backoff = Backoff::new(BackoffPolicy::reconnect(), seed);
            let mut plain = without_jitter();
            for _ in 0..steps {
                let (delay, middle) = (backoff.next().as_secs_f64(), plain.next().as_secs_f64());
                prop_assert!(delay >= middle * 0.799 && delay <= middle * 1.201);
            }
        }
    }
}
