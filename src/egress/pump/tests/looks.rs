//! What is found out by looking at a target, and what that costs.

use super::super::*;
use super::scene::*;
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn the_round_trip_time_is_asked_for_at_first_and_then_every_five_seconds() {
    let scene = Scene::new();
    scene.wire.round_trip(Duration::from_millis(7));
    let told = || scene.figure(|figures| figures.rtt_us.load(Ordering::Relaxed));
    sleep(SECOND * 3 / 2).await;
    assert_eq!((told(), scene.wire.rtt_reads()), (7000, 1));
    scene.wire.round_trip(Duration::from_millis(9));
    sleep(SECOND * 3).await;
    assert_eq!((told(), scene.wire.rtt_reads()), (7000, 1), "still fresh");
    sleep(SECOND * 3).await;
    assert_eq!((told(), scene.wire.rtt_reads()), (9000, 2));
    sleep(SECOND * 50).await;
    assert_eq!(scene.wire.rtt_reads(), 12);
}
