//! The soak sees what it is there for: a fault that is planted between the gateway and a target that behaves turns it red, in short
//! runs that are otherwise the same, and without one it is green.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test, and what the soak prints"
)]

#[path = "../soak/book.rs"]
mod book;
#[path = "../soak/clock.rs"]
mod clock;
#[path = "../common/mod.rs"]
mod common;
#[path = "../soak/door.rs"]
mod door;
#[path = "../soak/frames.rs"]
mod frames;
mod leaks;
#[allow(dead_code, reason = "the soak tells what it found")]
#[path = "../soak/level.rs"]
mod level;
#[path = "../soak/publisher.rs"]
mod publisher;
#[path = "../soak/reading.rs"]
mod reading;
#[allow(dead_code, reason = "the soak tells what it found")]
#[path = "../soak/run.rs"]
mod run;
#[path = "../soak/spoil.rs"]
mod spoil;
#[path = "../soak/target.rs"]
mod target;
#[path = "../soak/wire.rs"]
mod wire;

use common::gateway::Site;
use run::{Outcome, Plan};
use spoil::Plant;
use std::time::Duration;

async fn soak(plant: Option<Plant>, seconds: u64) -> Outcome {
    let plan = Plan {
        site: |rest| Site::new("", rest),
        seed: 4,
        length: Duration::from_secs(seconds),
        crosses: false,
        plant,
    };
    run::run(&plan).await
}

/// Ends as soon as it is found, mostly after two seconds.
async fn is_found(plant: Plant, words: &str) {
    let faults = soak(Some(plant), 60).await.faults;
    let of_the_spoilt = "a healthy target of stream 0: ";
    assert!(
        faults
            .iter()
            .any(|fault| fault.contains(of_the_spoilt) && fault.contains(words)),
        "{plant:?}: {faults:#?}"
    );
}

#[tokio::test]
async fn a_short_soak_is_green() {
    let outcome = soak(None, 8).await;
    assert!(outcome.faults.is_empty(), "{:#?}", outcome.faults);
    assert!(outcome.figures.healthy_frames > 0 && outcome.figures.unruly_visits > 0);
}

#[tokio::test]
async fn a_lost_picture_is_found() {
    is_found(Plant::Loses, "1 frames are missing").await;
}

#[tokio::test]
async fn a_picture_that_comes_twice_is_found() {
    is_found(Plant::Repeats, "Video Mark").await;
}

#[tokio::test]
async fn pictures_in_the_wrong_order_are_found() {
    is_found(Plant::Swaps, "Video Mark").await;
}

#[tokio::test]
async fn a_step_back_is_found() {
    is_found(Plant::StepsBack, "track 0 goes from").await;
}

#[tokio::test]
async fn equal_stamps_are_found() {
    is_found(Plant::StandsStill, "track 0 goes from").await;
}

#[tokio::test]
async fn a_jump_is_found() {
    is_found(Plant::Jumps, "track 0 jumps from").await;
}

#[tokio::test]
async fn sound_that_is_late_is_found() {
    is_found(Plant::Shifts, "ms apart").await;
}

#[tokio::test]
async fn another_payload_is_found() {
    is_found(Plant::Alters, "a payload that nobody sent").await;
}

#[tokio::test]
async fn a_header_that_is_missing_is_found() {
    is_found(Plant::Beheads, "stands behind another header").await;
}

#[tokio::test]
async fn a_beginning_in_the_middle_is_found() {
    is_found(Plant::BeginsAnywhere, "which is no keyframe").await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_found() {
    is_found(Plant::Breaks, "was left without a goodbye").await;
}

/// Which shows only in the end.
#[tokio::test]
async fn a_target_that_gets_nothing_is_found() {
    let faults = soak(Some(Plant::Swallows), 14).await.faults;
    assert!(
        faults
            .iter()
            .any(|fault| fault.contains("has seen nothing of session")),
        "{faults:#?}"
    );
}
