//! When a pull is tried again.

use super::*;
use crate::ingest::inputs::status::Happening;
use crate::ingest::{Asked, NotPublished};
use crate::net::dial::Dialer;
use crate::net::own::OwnListeners;
use crate::net::policy::AddressPolicy;
use crate::net::resolve::Resolver;
use crate::net::tls::client_config;
use crate::relay::Arrival;
use crate::relay::ring::RingLimits;
use crate::rule::{Origin, Role, StreamKey};
use futures::future::BoxFuture;
use std::io;
use std::sync::Mutex;
use tokio::sync::broadcast;

/// Knows no name, and when it was asked.
#[derive(Default)]
struct NoNames(Mutex<Vec<Instant>>);

impl Resolver for NoNames {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.0.lock().unwrap().push(Instant::now());
        Box::pin(async { Err(io::Error::from(io::ErrorKind::NotFound)) })
    }
}

struct Silent;

impl Watch for Silent {
    fn publish_started(&self, _: Publisher<'_>, _: &str, _: Arrival) {}
    fn publish_ended(&self, _: Publisher<'_>, _: &Ended, _: u64, _: Duration) {}
    fn not_published(&self, _: SocketAddr, _: &NotPublished, _: Option<&Asked>) {}
    fn received(&self, _: &Received) {}
}

struct Scene {
    names: Arc<NoNames>,
    life: Life,
    shelf: Shelf,
    notices: broadcast::Receiver<crate::ingest::inputs::InputNotice>,
}

fn scene(url: &str) -> Scene {
    let names = Arc::<NoNames>::default();
    let policy = AddressPolicy {
        allow_private: false,
    };
    let dialer = Dialer::new(names.clone(), policy, Arc::new(OwnListeners::new()));
    let outbound = Outbound {
        dialer: Arc::new(dialer),
        tls: client_config(&[]).unwrap(),
    };
    let stream = StreamKey::parse("live", "cam").unwrap();
    let (told, notices) = broadcast::channel(16);
    let board = Board::new(stream.clone(), Role::Main, InputState::Connecting, told);
    let input = Input {
        stream,
        role: Role::Main,
        source: Source::Pull(PullUrl::parse(url).unwrap()),
        origin: Origin::Api,
    };
    let life = Life {
        backoff: Backoff::new(BackoffPolicy::reconnect(), 7),
        refusals: 0,
        shown: Vec::new(),
        hold: None,
        input: Arc::new(input),
        means: Arc::new(Means {
            hub: Hub::new(RingLimits::default()),
            outbound: outbound.clone(),
            watch: Arc::new(Silent),
            pace: Duration::ZERO,
        }),
        board: Arc::new(board),
    };
    Scene {
        names,
        life,
        shelf: Shelf {
            outbound,
            directories: Arc::default(),
        },
        notices,
    }
}

#[tokio::test(start_paused = true)]
async fn a_pull_is_tried_again_ever_more_seldom_and_for_ever_until_it_is_told_to_end() {
    for url in [
        "rtmp://gone.example/live/cam",
        "https://gone.example/cam.flv",
    ] {
        let scene = scene(url);
        let (order, told) = watch::channel(Order::Run);
        let (input, means, board) = (scene.life.input, scene.life.means, scene.life.board);
        let began = Instant::now();
        let life = tokio::spawn(run(input, means, scene.shelf, Arc::clone(&board), told));
        let asked = || scene.names.0.lock().unwrap().clone();
        while asked().len() < 9 {
            sleep(Duration::from_millis(50)).await;
            assert!(!life.is_finished());
        }
        assert!(asked()[0] - began < Duration::from_millis(100), "at once");
        let steps = [1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0];
        for (pair, step) in asked().windows(2).zip(steps) {
            let wait = (pair[1] - pair[0]).as_secs_f64();
            let within = (step * 0.79)..=(step * 1.21 + 0.1);
            assert!(within.contains(&wait), "{wait} s instead of {step} s");
        }
        let standing = board.standing(false);
        assert_eq!(
            (standing.state, standing.attempt),
            (InputState::BackingOff, 9)
        );
        let reason = standing.reason.unwrap();
        assert!(reason.contains("gone.example"), "{reason}");
        assert!(!board.is_coming(), "the stream is not kept for it any more");
        order.send_replace(Order::End);
        life.await.unwrap();
        assert_eq!(asked().len(), 9);
    }
}

#[tokio::test]
async fn who_refuses_is_asked_six_times_and_what_cannot_help_itself_once() {
    let Scene {
        mut life,
        mut notices,
        ..
    } = scene("https://a.example/cam.flv");
    let feed = Feed::Live(PullUrl::parse("https://a.example/cam.flv").unwrap());
    for status in [401, 403, 410, 451, 403] {
        assert!(!life.is_final(&Fault::Status(status), &feed));
        assert!(
            !life.is_final(&Fault::Status(503), &feed),
            "that is no refusal"
        );
    }
    assert!(life.is_final(&Fault::Status(403), &feed));
    for fault in [Fault::Credentials, Fault::BadRedirect] {
        assert!(life.is_final(&fault, &feed), "{fault}");
    }
    // Our own listener and denied addresses are told when they are dialled, and end it.
    let denied = scene("http://127.0.0.1/cam.flv");
    let board = Arc::clone(&denied.life.board);
    let (_order, told) = watch::channel(Order::Run);
    let (input, means) = (denied.life.input, denied.life.means);
    run(input, means, denied.shelf, Arc::clone(&board), told).await;
    assert_eq!(board.state(), InputState::Failed);
    assert!(notices.try_recv().is_err(), "that of another input");
    let mut notices = denied.notices;
    let told = notices.recv().await.unwrap();
    assert_eq!(told.what, Happening::Failed { role: Role::Main });
}
