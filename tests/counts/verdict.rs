//! The verdict on a count of instructions.

#[path = "../../benches/instructions/budget.rs"]
#[allow(dead_code, reason = "the guard accepts counts, a test does not")]
mod budget;

use budget::{Counts, check, read};

const BUDGET: Counts = Counts {
    receive: 5000,
    send: 900,
    catch_up: 1200,
};

#[test]
fn what_is_near_the_budget_passes() {
    for (receive, send, catch_up) in [(5000, 900, 1200), (5500, 990, 1320), (4500, 810, 1080)] {
        let counts = Counts {
            receive,
            send,
            catch_up,
        };
        assert_eq!(check(counts, BUDGET), Ok(()));
    }
}

#[test]
fn what_is_far_from_it_fails_and_says_by_how_much() {
    for (receive, send, catch_up, said) in [
        (
            5600,
            900,
            1200,
            &["receive: 5600 instructions, 12.0 % above the budget of 5000"][..],
        ),
        (
            5000,
            720,
            1200,
            &["send: 720 instructions, 20.0 % below the budget of 900"],
        ),
        (
            5501,
            991,
            1321,
            &["receive: 5501", "send: 991", "catch_up: 1321"],
        ),
    ] {
        let counts = Counts {
            receive,
            send,
            catch_up,
        };
        let fault = check(counts, BUDGET).unwrap_err();
        for said in said {
            assert!(fault.contains(said), "{fault}");
        }
        assert!(
            fault.contains("./scripts/bench-instructions --accept"),
            "{fault}"
        );
    }
}

#[test]
fn the_budget_can_be_read() {
    let budget = read().unwrap();
    assert!(budget.is_some() || !cfg!(target_arch = "x86_64"));
}
