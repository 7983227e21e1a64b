//! Which of a stream's inputs is to be on the air. A value: what is seen and the time go in, a decision comes out.

use crate::relay::InputSight;
use crate::rule::Role;
use std::time::Duration;

/// When a stream changes its input by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchTerms {
    /// An input without a frame for so long is not well.
    pub stall: Duration,
    /// For so long the preferred input has to be well before the stream goes back to it.
    pub return_after: Duration,
}

impl Default for SwitchTerms {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(3),
            return_after: Duration::from_secs(10),
        }
    }
}

/// Judges one stream's inputs.
#[derive(Clone, Debug)]
pub(super) struct Referee {
    preferred: Role,
    /// Somebody has asked for the preferred one, and it was not on the air since.
    is_asked: bool,
    /// Since when each input is well.
    well_since: [Option<Duration>; 2],
}

/// What a look has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ruling {
    /// Which input is to take over at its next keyframe.
    pub(super) call: Option<Role>,
    /// The input that has just stopped being well, though it is there.
    pub(super) stalled: Option<Role>,
}

impl Referee {
    pub(super) fn new(preferred: Role) -> Self {
        Self {
            preferred,
            is_asked: false,
            well_since: [None; 2],
        }
    }

    /// Somebody asks for an input.
    pub(super) fn prefer(&mut self, role: Role) {
        self.is_asked = true;
        self.preferred = role;
    }

    /// Judges what is seen, the input on the air first; `now` is the time since any fixed moment.
    pub(super) fn judge(
        &mut self,
        on_air: Role,
        sights: &[InputSight],
        terms: &SwitchTerms,
        now: Duration,
    ) -> Ruling {
        let mut ruling = Ruling::default();
        for role in Role::BOTH {
            let sight = sights.iter().find(|sight| sight.role == role);
            let is_well = sight.is_some_and(|sight| is_well(sight, terms));
            let since = &mut self.well_since[slot(role)];
            if is_well {
                since.get_or_insert(now);
            } else if since.take().is_some() && sight.is_some() {
                ruling.stalled = Some(role);
            }
        }
        if on_air == self.preferred {
            self.is_asked = false;
        }
        let other = on_air.other();
        ruling.call = self.wants(on_air, now, terms).then_some(other);
        ruling
    }

    /// Whether the input that stands by is to take over.
    fn wants(&self, on_air: Role, now: Duration, terms: &SwitchTerms) -> bool {
        let Some(well_since) = self.well_since[slot(on_air.other())] else {
            return false;
        };
        let is_ill = self.well_since[slot(on_air)].is_none();
        let is_back = now.saturating_sub(well_since) >= terms.return_after;
        is_ill || (on_air != self.preferred && (self.is_asked || is_back))
    }
}

fn is_well(sight: &InputSight, terms: &SwitchTerms) -> bool {
    sight
        .silent_for
        .is_some_and(|silent_for| silent_for < terms.stall)
}

fn slot(role: Role) -> usize {
    match role {
        Role::Main => 0,
        Role::Backup => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Role::{Backup, Main};

    const TERMS: SwitchTerms = SwitchTerms {
        stall: Duration::from_secs(3),
        return_after: Duration::from_secs(10),
    };

    fn sight(role: Role, silent_ms: u64) -> InputSight {
        InputSight {
            role,
            silent_for: Some(Duration::from_millis(silent_ms)),
            is_ready: true,
        }
    }

    fn judge(referee: &mut Referee, on_air: Role, silent: [u64; 2], second: u64) -> Ruling {
        let sights = [sight(Main, silent[0]), sight(Backup, silent[1])];
        referee.judge(on_air, &sights, &TERMS, Duration::from_secs(second))
    }

    #[test]
    fn a_stall_calls_the_other_and_a_healthy_while_calls_back() {
        let mut referee = Referee::new(Main);
        assert_eq!(judge(&mut referee, Main, [20, 20], 0), Ruling::default());
        assert_eq!(judge(&mut referee, Main, [2900, 20], 3), Ruling::default());
        let ruling = judge(&mut referee, Main, [3000, 20], 4);
        assert_eq!((ruling.call, ruling.stalled), (Some(Backup), Some(Main)));
        // It is told once, and called until it has come.
        let ruling = judge(&mut referee, Main, [3200, 20], 5);
        assert_eq!((ruling.call, ruling.stalled), (Some(Backup), None));
        assert_eq!(judge(&mut referee, Backup, [20, 20], 6).call, None);
        assert_eq!(judge(&mut referee, Backup, [20, 20], 15).call, None);
        assert_eq!(judge(&mut referee, Backup, [20, 20], 16).call, Some(Main));
    }

    #[test]
    fn a_while_that_is_interrupted_begins_anew() {
        let mut referee = Referee::new(Main);
        judge(&mut referee, Backup, [20, 20], 0);
        assert_eq!(
            judge(&mut referee, Backup, [5000, 20], 9).stalled,
            Some(Main)
        );
        judge(&mut referee, Backup, [20, 20], 10);
        assert_eq!(judge(&mut referee, Backup, [20, 20], 19).call, None);
        assert_eq!(judge(&mut referee, Backup, [20, 20], 20).call, Some(Main));
    }

    #[test]
    fn who_is_asked_for_comes_at_once_and_is_preferred_from_then_on() {
        let mut referee = Referee::new(Main);
        judge(&mut referee, Main, [20, 20], 0);
        referee.prefer(Backup);
        assert_eq!(judge(&mut referee, Main, [20, 20], 1).call, Some(Backup));
        for second in [2, 100] {
            assert_eq!(judge(&mut referee, Backup, [20, 20], second).call, None);
        }
        assert_eq!(
            judge(&mut referee, Backup, [20, 4000], 101).call,
            Some(Main)
        );
        judge(&mut referee, Main, [20, 20], 102);
        assert_eq!(judge(&mut referee, Main, [20, 20], 111).call, None);
        assert_eq!(judge(&mut referee, Main, [20, 20], 112).call, Some(Backup));
    }

    #[test]
    fn nobody_is_called_who_is_not_well() {
        let mut referee = Referee::new(Main);
        referee.prefer(Backup);
        assert_eq!(judge(&mut referee, Main, [20, 9000], 0).call, None);
        assert_eq!(judge(&mut referee, Main, [9000, 9000], 1).call, None);
        let alone = [sight(Main, 9000)];
        let ruling = referee.judge(Main, &alone, &TERMS, Duration::from_secs(2));
        assert_eq!(ruling.call, None);
        let fresh = InputSight {
            silent_for: None,
            ..sight(Backup, 0)
        };
        let sights = [sight(Main, 20), fresh];
        assert_eq!(
            referee
                .judge(Main, &sights, &TERMS, Duration::from_secs(3))
                .call,
            None
        );
        // The wish stands until it can be met.
        assert_eq!(judge(&mut referee, Main, [20, 20], 4).call, Some(Backup));
    }
}
