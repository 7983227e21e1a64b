//! Each class of failure with its schedule, and the ways between two URLs. No clock runs: the times are told.

use super::*;
use crate::net::dial::DialError;
use crate::rtmp::session::client::{Ended, Refused};
use crate::rtmp::session::{Action, Stage};
use proptest::prelude::*;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The consent held for less than anything needs.
const HELD_NOT: Option<Duration> = Some(Duration::ZERO);

fn no_answer() -> Failure {
    Failure::Dial(DialError::Timeout { host: "h".into() })
}

fn closed() -> Failure {
    Failure::Closed("while it was live")
}

fn stalled() -> Failure {
    Failure::Stalled(seconds(10))
}

fn refused(action: Action) -> Failure {
    Failure::Refused(Refused {
        stage: Stage::Publish,
        code: "NetStream.Publish.X".into(),
        description: "".into(),
        action,
    })
}

fn io_error() -> Failure {
    Failure::Io(std::io::ErrorKind::ConnectionReset.into())
}

fn ended() -> Failure {
    Failure::Ended(Ended {
        code: "close".into(),
        description: "".into(),
    })
}

/// A push with one URL that fails in this way until it is given up, or twelve times; its rests.
fn rests(failure: impl Fn() -> Failure, held: Option<Duration>) -> Vec<f64> {
    let mut retries = Retries::new(7);
    let mut now = Duration::ZERO;
    let mut rests = Vec::new();
    while rests.len() < 12 {
        let setback = retries.failed(failure(), held, now, Other::Absent);
        assert_eq!(setback.there, None);
        let Some(rest) = setback.here else {
            break;
        };
        now += rest;
        rests.push(rest.as_secs_f64());
    }
    rests
}

fn assert_spread(rests: &[f64], middles: &[f64]) {
    assert_eq!(rests.len(), middles.len(), "{rests:?}");
    for (rest, middle) in rests.iter().zip(middles) {
        let within = (middle * 0.8)..=(middle * 1.2);
        assert!(within.contains(rest), "{rests:?} instead of {middles:?}");
    }
}

/// The ladder that has no end, as far as a test looks.
const FOR_EVER: [f64; 12] = [
    1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0,
];

#[test]
fn each_class_has_its_schedule() {
    let busy = [5.0, 10.0, 15.0, 30.0, 30.0, 30.0];
    let fast = &FOR_EVER[..FAST_CLOSES_MAX as usize - 1];
    let slow = &FOR_EVER[..STALLS_MAX - 1];
    type Case<'a> = (&'a str, fn() -> Failure, Option<Duration>, &'a [f64]);
    let cases: [Case<'_>; 12] = [
        ("no answer", no_answer, None, &FOR_EVER),
        ("closed on the way", closed, None, &FOR_EVER),
        ("reset on the way", io_error, None, &FOR_EVER),
        (
            "a refusal that may pass",
            || refused(Action::RetryBackoff),
            None,
            &FOR_EVER,
        ),
        ("a name in use", || refused(Action::RetryBusy), None, &busy),
        (
            "a refusal for good",
            || refused(Action::Permanent),
            None,
            &[],
        ),
        ("a bad redirect", || Failure::BadRedirect, None, &[]),
        ("closed at once", closed, HELD_NOT, fast),
        ("reset at once", io_error, HELD_NOT, fast),
        ("ended at once", ended, HELD_NOT, fast),
        ("closed later", closed, Some(FAST_CLOSE), &FOR_EVER),
        ("stalled", stalled, Some(seconds(12)), slow),
    ];
    for (what, failure, held, schedule) in cases {
        println!("{what}");
        assert_spread(&rests(failure, held), schedule);
    }
}

#[test]
fn a_stable_minute_begins_every_ladder_anew() {
    let mut retries = Retries::new(7);
    let mut fail = |failure, held| {
        let setback = retries.failed(failure, held, Duration::ZERO, Other::Absent);
        setback.here.map(|rest| rest.as_secs_f64())
    };
    let busy = || refused(Action::RetryBusy);
    let rests = [
        fail(no_answer(), None),
        fail(no_answer(), None),
        fail(busy(), None),
        fail(closed(), Some(seconds(59))),
        fail(closed(), Some(seconds(60))),
        fail(busy(), None),
    ];
    let rests: Vec<f64> = rests.into_iter().flatten().collect();
    assert_spread(&rests, &[1.0, 2.0, 5.0, 4.0, 1.0, 5.0]);
}

#[test]
fn stalls_are_an_answer_only_where_they_are_close_together() {
    let held = seconds(75);
    // A minute in between forgets the ladder, and not the stalls.
    let outcome = |distance: Duration| {
        let mut retries = Retries::new(7);
        let mut now = Duration::ZERO;
        (1..=3 * STALLS_MAX).find_map(|count| {
            now += distance;
            let setback = retries.failed(stalled(), Some(held), now, Other::Absent);
            setback
                .here
                .is_none()
                .then(|| (count, setback.failure.to_string()))
        })
    };
    let close = STALLS_WINDOW / (STALLS_MAX as u32 - 1);
    let words = "too slow for the stream: stalled 10 times within 15 min; last: nothing was acknowledged for 10 s while media waited";
    assert_eq!(outcome(close), Some((STALLS_MAX, words.to_owned())));
    assert_eq!(outcome(close + seconds(1)), None);
}

/// Two URLs, and what becomes of them failure by failure.
struct Pair {
    retries: Retries,
    now: Duration,
}

impl Pair {
    fn new() -> Self {
        Self {
            retries: Retries::new(7),
            now: Duration::ZERO,
        }
    }

    /// The attempt at hand fails; the URL of the next one, and the rest before it.
    fn fail(&mut self, failure: Failure, held: Option<Duration>, other: Other) -> (Role, f64) {
        self.now += held.unwrap_or_default();
        let setback = self.retries.failed(failure, held, self.now, other);
        let rest = setback.there.or(setback.here).expect("it is given up");
        if setback.there.is_some() {
            self.retries.switched();
        }
        self.now += rest;
        (self.retries.role, rest.as_secs_f64())
    }

    fn on_backup() -> Self {
        let mut pair = Self::new();
        for _ in 0..FAILURES_MAX {
            pair.fail(no_answer(), None, Other::Unknown);
        }
        assert_eq!(pair.retries.role, Role::Backup);
        pair
    }
}

#[test]
fn three_failures_in_a_row_lead_to_the_backup_at_once() {
    let mut pair = Pair::new();
    let ways: Vec<_> = (0..3)
        .map(|_| pair.fail(no_answer(), None, Other::Unknown))
        .collect();
    let roles: Vec<Role> = ways.iter().map(|way| way.0).collect();
    assert_eq!(roles, [Role::Main, Role::Main, Role::Backup]);
    assert_spread(&[ways[0].1, ways[1].1, ways[2].1], &[1.0, 2.0, 0.0]);
}

#[test]
fn failures_that_a_stable_minute_parts_are_not_in_a_row() {
    let mut pair = Pair::new();
    for _ in 0..10 {
        // The one that ends a row begins the next one.
        for held in [None, Some(seconds(60))] {
            let (role, _) = pair.fail(closed(), held, Other::Unknown);
            assert_eq!(role, Role::Main);
        }
    }
    pair.fail(closed(), None, Other::Unknown);
    let (role, _) = pair.fail(closed(), Some(seconds(59)), Other::Unknown);
    assert_eq!(role, Role::Backup);
}

#[test]
fn a_main_url_that_is_refused_for_good_is_left_at_once_and_never_asked_again() {
    let mut pair = Pair::new();
    let way = pair.fail(refused(Action::Permanent), None, Other::Unknown);
    assert_eq!(way, (Role::Backup, 0.0));
    assert_eq!(pair.retries.well_for(), None);
    for _ in 0..20 {
        let (role, rest) = pair.fail(no_answer(), None, Other::Unknown);
        assert_eq!(role, Role::Backup);
        assert!(rest > 0.0);
    }
    let setback = pair
        .retries
        .failed(refused(Action::Permanent), None, pair.now, Other::Unknown);
    assert_eq!(
        (setback.here, setback.there),
        (None, None),
        "both are given up"
    );
}

#[test]
fn without_a_backup_there_is_nowhere_to_go() {
    let mut pair = Pair::new();
    for _ in 0..10 {
        let (role, _) = pair.fail(no_answer(), None, Other::Absent);
        assert_eq!(role, Role::Main);
    }
    // One that is added later is gone to at the next failure.
    let (role, rest) = pair.fail(no_answer(), None, Other::Unknown);
    assert_eq!((role, rest), (Role::Backup, 0.0));
}

#[test]
fn two_urls_that_both_fail_are_tried_in_turn_each_on_its_own_ladder() {
    let mut pair = Pair::on_backup();
    let mut tried = vec![Vec::new(), Vec::new()];
    while pair.now < seconds(300) {
        let role = pair.retries.role;
        tried[usize::from(role == Role::Backup)].push(pair.now);
        pair.fail(no_answer(), None, Other::Unknown);
    }
    for tried in tried {
        let gaps: Vec<_> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // No URL is asked more often than its ladder says, and none is forgotten.
        let late = &gaps[gaps.len() - 3..];
        assert!(late.iter().all(|gap| *gap >= seconds(24)), "{gaps:?}");
        assert!(late.iter().all(|gap| *gap <= seconds(75)), "{gaps:?}");
    }
}

#[test]
fn a_backup_that_breaks_is_left_for_a_main_url_that_answers() {
    let mut pair = Pair::on_backup();
    let way = pair.fail(closed(), Some(seconds(30)), Other::Well);
    assert_eq!(way, (Role::Main, 0.0));
    // Should it not take the stream after all, the backup is next.
    let (role, _) = pair.fail(closed(), None, Other::Unknown);
    assert_eq!(role, Role::Backup);

    let mut pair = Pair::on_backup();
    let (role, rest) = pair.fail(closed(), Some(seconds(30)), Other::Unknown);
    assert_eq!(
        role,
        Role::Backup,
        "nobody knows of the main URL that it is well"
    );
    assert!(rest > 0.0);
}

#[test]
fn a_return_that_fails_is_back_at_once_and_the_next_one_takes_longer() {
    let mut pair = Pair::on_backup();
    let mut well_for = Vec::new();
    for _ in 0..8 {
        well_for.push(pair.retries.well_for().unwrap().as_secs_f64());
        pair.retries.returned(seconds(100));
        assert_eq!(
            (pair.retries.role, pair.retries.well_for()),
            (Role::Main, None)
        );
        let way = pair.fail(no_answer(), None, Other::Unknown);
        assert_eq!(way, (Role::Backup, 0.0));
    }
    let hours = [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3840.0, 3840.0];
    assert_spread(&well_for, &hours);

    // A main URL that held for ten minutes is trusted as before.
    pair.retries.returned(seconds(100));
    pair.fail(closed(), Some(seconds(600)), Other::Unknown);
    pair.fail(no_answer(), None, Other::Unknown);
    let (role, _) = pair.fail(no_answer(), None, Other::Unknown);
    assert_eq!(role, Role::Backup);
    assert_spread(&[pair.retries.well_for().unwrap().as_secs_f64()], &[60.0]);
}

proptest! {
    /// Whatever happens: nobody goes to a URL that was given up or that is not there, and as long as one is left, it is tried.
    #[test]
    fn a_push_is_never_left_without_an_attempt_that_could_help(
        happenings in proptest::collection::vec((0..5_u8, 0..4_u8, 0..3_u8), 1..200),
    ) {
        let mut retries = Retries::new(1);
        let mut now = Duration::ZERO;
        let mut lost = [false; 2];
        for (failure, held, other) in happenings {
            let failure = match failure {
                0 => no_answer(),
                1 => closed(),
                2 => stalled(),
                3 => refused(Action::RetryBusy),
                _ => refused(Action::Permanent),
            };
            let held = [None, HELD_NOT, Some(seconds(10)), Some(seconds(100))][usize::from(held)];
            let other = [Other::Absent, Other::Unknown, Other::Well][usize::from(other)];
            let role = retries.role;
            let here = usize::from(role == Role::Backup);
            now += held.unwrap_or_default() + seconds(1);
            let setback = retries.failed(failure, held, now, other);
            lost[here] |= setback.here.is_none();
            if setback.there.is_some() {
                prop_assert!(other != Other::Absent && !lost[1 - here]);
                retries.switched();
            } else if setback.here.is_none() {
                prop_assert!(other == Other::Absent || lost[1 - here]);
                return Ok(());
            }
            if retries.role == Role::Backup {
                prop_assert_eq!(retries.well_for().is_none(), lost[0]);
            }
        }
    }
}

fn recycled() -> Failure {
    Failure::Recycled(crate::relay::Recycle::Codec)
}

#[test]
fn a_session_that_we_ended_is_no_failure() {
    let mut retries = Retries::new(7);
    for _ in 0..20 {
        let setback = retries.failed(recycled(), Some(RECYCLE_CALM), seconds(1), Other::Unknown);
        assert_eq!((setback.here, setback.there), (Some(Duration::ZERO), None));
    }
    // One that was hardly begun is not worth another one at once.
    assert_spread(&rests(recycled, HELD_NOT), &FOR_EVER);
}

#[test]
fn a_consent_that_breaks_while_there_is_nothing_to_send_counts_for_nothing() {
    let mut retries = Retries::new(7);
    for _ in 0..20 {
        let setback = retries.starved(closed(), HELD_NOT, seconds(1));
        assert!(setback.here.is_some());
        assert_eq!(setback.there, None);
    }
    let setback = retries.failed(closed(), HELD_NOT, seconds(1), Other::Unknown);
    assert_eq!(setback.there, None, "it is the first");
}
