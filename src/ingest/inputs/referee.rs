//! Which of a stream's inputs is to be on the air. A value: what is seen and the time go in, a decision comes out.

use crate::relay::InputSight;
use crate::rule::Role;
use std::time::Duration;

/// When a stream changes its input by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchTerms {
    /// An input without a frame for so long is not well; nor is one on the air that shows no keyframe for so long. So long a stream
    /// that begins is kept for its preferred input.
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
    air: Air,
}

/// What the input on the air shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Air {
    /// Nothing yet: the preferred input was started then, and has the time of a stall to begin the stream.
    Unopened { since: Duration },
    /// Its keyframe is waited for since then.
    Dark { since: Duration },
    /// What targets can begin with.
    Lit,
}

/// What a look has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ruling {
    /// The stream has not begun, and is to begin with this input.
    pub(super) kept_for: Option<Role>,
    /// Which input is to take over at its next keyframe.
    pub(super) call: Option<Role>,
    /// The input that has just stopped being well, though it is there.
    pub(super) stalled: Option<Role>,
}

impl Referee {
    /// The stream's inputs are started `now`, the time since any fixed moment.
    pub(super) fn new(preferred: Role, now: Duration) -> Self {
        Self {
            preferred,
            is_asked: false,
            well_since: [None; 2],
            air: Air::Unopened { since: now },
        }
    }

    pub(super) fn preferred(&self) -> Role {
        self.preferred
    }

    /// An input is started `now`, perhaps in the place of another one.
    pub(super) fn started(&mut self, role: Role, now: Duration) {
        if role == self.preferred {
            self.air = Air::Unopened { since: now };
        }
    }

    /// An input is not there any more. What is not there cannot be preferred.
    pub(super) fn stopped(&mut self, role: Role) {
        if role == self.preferred {
            self.preferred = Role::Main;
            self.is_asked = false;
        }
    }

    /// Somebody asks for an input.
    pub(super) fn prefer(&mut self, role: Role) {
        self.is_asked = true;
        self.preferred = role;
    }

    /// Judges what is seen, the input on the air first; `now` is the time since any fixed moment. Where `is_coming`, the preferred
    /// input was started and has not failed.
    pub(super) fn judge(
        &mut self,
        on_air: Role,
        sights: &[InputSight],
        is_coming: bool,
        terms: &SwitchTerms,
        now: Duration,
    ) -> Ruling {
        let mut ruling = Ruling::default();
        let mut shown = sights.iter().filter(|sight| sight.role == on_air);
        self.air = match (self.air, shown.any(|sight| sight.is_ready)) {
            (_, true) => Air::Lit,
            (Air::Lit, false) => Air::Dark { since: now },
            (dark, false) => dark,
        };
        let is_kept = is_coming && self.air.is_unopened(terms, now);
        ruling.kept_for = is_kept.then_some(self.preferred);
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
        let is_patient = is_kept && on_air == self.preferred;
        let is_wanted = !is_patient && self.wants(on_air, now, terms);
        ruling.call = is_wanted.then_some(other);
        ruling
    }

    /// Whether the input that stands by is to take over.
    fn wants(&self, on_air: Role, now: Duration, terms: &SwitchTerms) -> bool {
        let Some(well_since) = self.well_since[slot(on_air.other())] else {
            return false;
        };
        let is_ill = self.well_since[slot(on_air)].is_none() || self.air.is_dark(terms, now);
        let is_back = now.saturating_sub(well_since) >= terms.return_after;
        is_ill || (on_air != self.preferred && (self.is_asked || is_back))
    }
}

impl Air {
    /// Whether the stream has not begun, and its preferred input has time left.
    fn is_unopened(self, terms: &SwitchTerms, now: Duration) -> bool {
        matches!(self, Self::Unopened { since } if now.saturating_sub(since) < terms.stall)
    }

    /// Whether a keyframe was waited for too long.
    fn is_dark(self, terms: &SwitchTerms, now: Duration) -> bool {
        match self {
            Self::Unopened { since } | Self::Dark { since } => {
                now.saturating_sub(since) >= terms.stall
            }
            Self::Lit => false,
        }
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
        referee.judge(on_air, &sights, true, &TERMS, Duration::from_secs(second))
    }

    /// That of a stream that has begun with its main input.
    fn begun() -> Referee {
        let mut referee = Referee::new(Main, Duration::ZERO);
        let ready = [sight(Main, 20)];
        referee.judge(Main, &ready, true, &TERMS, Duration::ZERO);
        referee.well_since = [None; 2];
        referee
    }

    #[test]
    fn a_stall_calls_the_other_and_a_healthy_while_calls_back() {
        let mut referee = begun();
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
        let mut referee = begun();
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
        let mut referee = begun();
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
        let mut referee = begun();
        referee.prefer(Backup);
        assert_eq!(judge(&mut referee, Main, [20, 9000], 0).call, None);
        assert_eq!(judge(&mut referee, Main, [9000, 9000], 1).call, None);
        let alone = [sight(Main, 9000)];
        let ruling = referee.judge(Main, &alone, true, &TERMS, Duration::from_secs(2));
        assert_eq!(ruling.call, None);
        let fresh = InputSight {
            silent_for: None,
            ..sight(Backup, 0)
        };
        let sights = [sight(Main, 20), fresh];
        assert_eq!(
            referee
                .judge(Main, &sights, true, &TERMS, Duration::from_secs(3))
                .call,
            None
        );
        // The wish stands until it can be met.
        assert_eq!(judge(&mut referee, Main, [20, 20], 4).call, Some(Backup));
    }

    /// Looks at a stream that its backup has come to first, ten times a second.
    fn opening(referee: &mut Referee, on_air: Role, sights: &[InputSight], at_ms: u64) -> Ruling {
        let coming = true;
        let now = Duration::from_millis(at_ms);
        referee.judge(on_air, sights, coming, &TERMS, now)
    }

    #[test]
    fn a_stream_that_begins_is_kept_for_the_preferred_input_for_the_time_of_a_stall() {
        let mut referee = Referee::new(Main, Duration::ZERO);
        let backup = [sight(Backup, 20)];
        for at in (0..3000).step_by(100) {
            let ruling = opening(&mut referee, Main, &backup, at);
            assert_eq!((ruling.kept_for, ruling.call), (Some(Main), None), "{at}");
        }
        let ruling = opening(&mut referee, Main, &backup, 3000);
        assert_eq!((ruling.kept_for, ruling.call), (None, Some(Backup)));
        // It has begun with the backup, and the main one comes: that is a return.
        assert_eq!(judge(&mut referee, Backup, [20, 20], 4).call, None);
        assert_eq!(judge(&mut referee, Backup, [20, 20], 14).call, Some(Main));
    }

    #[test]
    fn whose_first_attempt_fails_is_not_waited_for() {
        let mut referee = Referee::new(Main, Duration::ZERO);
        let backup = [sight(Backup, 20)];
        assert_eq!(opening(&mut referee, Main, &backup, 100).call, None);
        let now = Duration::from_millis(200);
        let ruling = referee.judge(Main, &backup, false, &TERMS, now);
        assert_eq!((ruling.kept_for, ruling.call), (None, Some(Backup)));
    }

    #[test]
    fn sound_without_a_keyframe_does_not_keep_the_air() {
        let mut referee = Referee::new(Main, Duration::ZERO);
        let dark = InputSight {
            is_ready: false,
            ..sight(Main, 20)
        };
        let sights = [dark, sight(Backup, 20)];
        assert_eq!(opening(&mut referee, Main, &sights, 2900).call, None);
        let call = opening(&mut referee, Main, &sights, 3000).call;
        assert_eq!(call, Some(Backup));
        // Nor later, where it has come back to the air without one.
        let mut referee = begun();
        assert_eq!(opening(&mut referee, Main, &sights, 60_000).call, None);
        assert_eq!(opening(&mut referee, Main, &sights, 62_900).call, None);
        let call = opening(&mut referee, Main, &sights, 63_000).call;
        assert_eq!(call, Some(Backup));
    }

    #[test]
    fn who_is_asked_for_before_the_stream_has_begun_begins_it() {
        let mut referee = Referee::new(Main, Duration::ZERO);
        let backup = [sight(Backup, 20)];
        assert_eq!(opening(&mut referee, Main, &backup, 100).call, None);
        referee.prefer(Backup);
        let ruling = opening(&mut referee, Main, &backup, 200);
        assert_eq!((ruling.kept_for, ruling.call), (Some(Backup), Some(Backup)));
        // When that is taken away, the main one is preferred again.
        referee.stopped(Backup);
        assert_eq!(referee.preferred(), Main);
        // An input that is put in the place of the preferred one has its own time.
        let mut referee = Referee::new(Main, Duration::ZERO);
        referee.started(Main, Duration::from_secs(2));
        referee.started(Backup, Duration::from_secs(3));
        assert_eq!(opening(&mut referee, Main, &backup, 4900).call, None);
        let call = opening(&mut referee, Main, &backup, 5000).call;
        assert_eq!(call, Some(Backup));
    }
}
