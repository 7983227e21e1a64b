//! How a live push ends: with all that was under way, and with the target's own words.

use super::super::*;
use super::scene::*;
use super::wire::Wired;
use std::task::{Context, Waker};
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_is_delivered_taken_back_and_closed_in_this_order() {
    let mut scene = Scene::new();
    scene.wire.allow(3000);
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(20_000));
    for frame in 1..10 {
        scene.push(frame * 40, inter(frame));
    }
    scene.finish();
    scene.settle().await;
    assert!(!scene.wire.is_shut());
    scene.wire.allow(usize::MAX);
    scene.settle().await;
    let got = lines(&scene.messages());
    assert_eq!(got[10], "video 360 9");
    assert_eq!(got[11..], ["FCUnpublish", "deleteStream"]);
    assert!(scene.wire.is_shut(), "our side has ended");
    assert!(!scene.wire.is_dropped(), "and waits for the other");
    scene.wire.say(&[2, 0, 0, 0, 0, 0]);
    scene.settle().await;
    assert!(!scene.wire.is_dropped(), "what is still said is read");
    scene.wire.end();
    scene.settle().await;
    assert!(scene.wire.is_dropped());
    assert!(matches!(scene.over().await, Over::StreamEnded));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_never_closes_costs_two_seconds() {
    let mut scene = Scene::new();
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(10));
    scene.finish();
    let began = Instant::now();
    assert!(matches!(scene.over().await, Over::StreamEnded));
    assert_eq!(began.elapsed(), CLOSE);
}

#[tokio::test(start_paused = true)]
async fn a_stop_inside_a_message_ends_with_the_whole_of_it() {
    let scene = Scene::new();
    scene.wire.allow(5000);
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(300_000));
    scene.push(40, inter(1));
    scene.settle().await;
    scene.stop.cancel();
    scene.settle().await;
    assert_eq!(scene.wire.sent(), 5000);
    // What comes after the stop is nobody's any more.
    scene.push(80, inter(2));
    scene.wire.allow(usize::MAX);
    scene.settle().await;
    let got = lines(&scene.messages());
    let (media, goodbye) = got.split_at(got.len() - 2);
    assert_eq!(goodbye, ["FCUnpublish", "deleteStream"]);
    assert!(media.starts_with(&["video 0 6".to_owned(), "video 0 300005".to_owned()]));
    assert!(!media.contains(&"video 80 9".to_owned()));
    scene.wire.end();
    assert!(matches!(scene.over().await, Over::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_target_that_takes_nothing() {
    let scene = Scene::new();
    scene.wire.allow(5000);
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(300_000));
    scene.settle().await;
    let began = Instant::now();
    scene.stop.cancel();
    assert!(matches!(scene.over().await, Over::Stopped));
    assert_eq!(began.elapsed(), GOODBYE);
}

/// It takes a little all the time, so it has not stalled; but the next push to its URL waits.
#[tokio::test(start_paused = true)]
async fn the_rest_of_a_stream_does_not_take_for_ever() {
    let mut scene = Scene::new();
    scene.wire.allow(5000);
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(400_000));
    for frame in 1..100 {
        scene.push(frame * 40, [inter(frame), vec![0; 10_000]].concat());
    }
    scene.finish();
    let began = Instant::now();
    while !scene.wire.is_shut() && began.elapsed() < SECOND * 120 {
        // 400 kbit/s.
        scene.wire.allow(scene.wire.sent() + 50_000);
        sleep(SECOND).await;
    }
    let took = began.elapsed();
    assert!(
        took >= TAIL && took < TAIL + GOODBYE + SECOND * 2,
        "{took:?}"
    );
    let got = lines(&scene.messages());
    assert_eq!(got[got.len() - 2..], ["FCUnpublish", "deleteStream"]);
    assert!(got.len() < 100);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_front_of_a_broken_connection_is_heard() {
    let mut scene = Scene::new();
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(10));
    scene.settle().await;
    // The words arrive with the break, and nothing has told us to read when the next frame is written.
    let said = status("error", "NetStream.Publish.Denied", "s3cr3t-k3y is blocked");
    scene.wire.break_behind(&said);
    scene.push(40, inter(1));
    let producer = scene.producer.take();
    let Over::Failed(Failure::Refused(refused)) = scene.over().await else {
        panic!("it was refused");
    };
    assert_eq!(refused.code, "NetStream.Publish.Denied");
    assert_eq!(refused.description.expose(), "*** is blocked");
    drop(producer);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_the_target_declares_is_told_with_its_words() {
    for (code, heard) in [
        (
            "NetConnection.Connect.Closed",
            "NetConnection.Connect.Closed",
        ),
        ("NetStream.Unpublish.Success", "NetStream.Unpublish.Success"),
    ] {
        let scene = Scene::new();
        scene.push(0, HEADER.to_vec());
        scene.push(0, key(10));
        scene.settle().await;
        scene.wire.say(&status("status", code, "for s3cr3t-k3y"));
        let Over::Failed(Failure::Ended(ended)) = scene.over().await else {
            panic!("it has ended");
        };
        assert_eq!(ended.code, heard);
        assert_eq!(ended.description.expose(), "for ***");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_while_it_is_served_ends_the_push_and_not_its_publisher() {
    let scene = Scene::new();
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(10));
    scene.settle().await;
    scene.wire.panic();
    // On this very task.
    scene.push(40, inter(1));
    let over = scene.over().await;
    assert!(matches!(over, Over::Failed(Failure::Io(_))), "{over:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fault_while_one_is_served_takes_nothing_from_those_behind_it() {
    let scene = Scene::new();
    scene.push(0, HEADER.to_vec());
    scene.push(0, key(10));
    scene.settle().await;
    let (beside, producer) = (Wired::default(), scene.producer.as_ref().unwrap());
    let consumer = producer.stream().consume();
    let ledger = Ledger::new(Arc::clone(&scene.status), scene.watched.clone(), 0);
    let line = Line::new(beside.near(), consumer, session().media_framing(), ledger);
    let line = scene.fanout.join(line);
    let mut nobody = Context::from_waker(Waker::noop());
    while line.poll_work(&mut nobody, &mut BytesMut::new()).is_ready() {}
    scene.wire.panic();
    scene.push(40, inter(1));
    assert_eq!(
        lines(&beside.messages()),
        ["video 0 6", "video 0 15", "video 40 9"]
    );
}
