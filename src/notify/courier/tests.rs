//! Order, retries and the end, under a clock that moves by itself; the other side is played.

use super::*;
use crate::notify::VENDOR_STEPS;
use crate::telemetry::{Label, Snapshot};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::sync::Mutex;

/// What the other side does with a try.
#[derive(Clone, Copy)]
enum Play {
    Answer(u16),
    Silence,
}

/// Plays its script, then takes everything; writes down what it was given, and when.
struct Receiver {
    script: Mutex<VecDeque<Play>>,
    got: Mutex<Vec<(u64, String)>>,
    began: Instant,
}

impl Receiver {
    fn new(script: impl IntoIterator<Item = Play>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script.into_iter().collect()),
            got: Mutex::default(),
            began: Instant::now(),
        })
    }

    fn got(&self) -> Vec<(u64, String)> {
        self.got.lock().unwrap().clone()
    }

    fn bodies(&self) -> Vec<String> {
        self.got().into_iter().map(|(_, body)| body).collect()
    }
}

impl Post for Receiver {
    fn post<'a>(&'a self, _: &'a HttpUrl, shaped: Shaped) -> BoxFuture<'a, Result<u16, PostError>> {
        let at = self.began.elapsed().as_secs();
        self.got.lock().unwrap().push((at, shaped.body));
        let play = self.script.lock().unwrap().pop_front();
        match play.unwrap_or(Play::Answer(204)) {
            Play::Answer(status) => std::future::ready(Ok(status)).boxed(),
            Play::Silence => std::future::pending().boxed(),
        }
    }
}

struct Numbered(u32);

impl Message for Numbered {
    fn name(&self) -> &str {
        "numbered"
    }

    fn shape(&self, attempt: u32) -> Shaped {
        Shaped::json(format!("{} try {attempt}", self.0))
    }
}

fn vendor() -> Destination {
    Destination {
        url: HttpUrl::parse("https://hooks.example/canary-path?token=canary").unwrap(),
        retries: Retries::Steps(VENDOR_STEPS),
    }
}

fn courier(receiver: &Arc<Receiver>) -> Courier {
    Courier::new(receiver.clone(), Arc::new(Metrics::new()))
}

/// How many ended in each result.
fn results(courier: &Courier) -> Vec<(&'static str, u64)> {
    let page = courier.metrics.render(&Snapshot::<NotificationResult> {
        streams: 0,
        streams_in_grace: 0,
        ring_bytes: 0,
        targets: Vec::new(),
    });
    let count = |result: NotificationResult| {
        let series = format!(
            "aqueduct_notifications_total{{result=\"{}\"}} ",
            result.as_str()
        );
        let line = page.lines().find_map(|line| line.strip_prefix(&series));
        (result.as_str(), line.unwrap().parse().unwrap())
    };
    let all = NotificationResult::ALL.iter().map(|result| count(*result));
    all.filter(|(_, count)| *count > 0).collect()
}

#[tokio::test(start_paused = true)]
async fn messages_arrive_in_order_and_the_next_one_waits_for_the_last() {
    let receiver = Receiver::new([Play::Answer(200), Play::Answer(500), Play::Silence]);
    let courier = courier(&receiver);
    let delivery = courier.deliver_to(vendor());
    for number in 1..=3 {
        delivery.send(Numbered(number)).await;
    }
    sleep(Duration::from_secs(60)).await;
    let expected = [
        (0, "1 try 1"),
        (0, "2 try 1"),
        (2, "2 try 2"),
        // Ten seconds without an answer, then the second pause.
        (16, "2 try 3"),
        (16, "3 try 1"),
    ];
    assert_eq!(receiver.got(), expected.map(|(at, body)| (at, body.into())));
    assert_eq!(results(&courier), [("delivered", 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_nobody_takes_is_given_up_after_its_last_pause() {
    // A redirect is no success either.
    let receiver = Receiver::new([500, 404, 302, 503, 401, 199].map(Play::Answer));
    let courier = courier(&receiver);
    let delivery = courier.deliver_to(vendor());
    delivery.send(Numbered(1)).await;
    delivery.send(Numbered(2)).await;
    sleep(Duration::from_secs(100)).await;
    let times: Vec<_> = receiver.got().into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [0, 2, 6, 14, 30, 62, 62]);
    assert_eq!(receiver.bodies()[6], "2 try 1");
    assert_eq!(results(&courier), [("delivered", 1), ("given_up", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_hangs_holds_up_no_other_and_its_queue_is_bounded() {
    let receiver = Receiver::new(std::iter::repeat_n(Play::Silence, 6));
    let courier = courier(&receiver);
    let (slow, other) = (courier.deliver_to(vendor()), courier.deliver_to(vendor()));
    // The first one is taken out of the queue, and hangs.
    slow.send(Numbered(0)).await;
    tokio::task::yield_now().await;
    for number in 0..QUEUE_MAX {
        assert!(slow.offer(Numbered(1)), "{number}");
    }
    assert!(!slow.offer(Numbered(2)), "there is no room");
    assert!(slow.send(Numbered(3)).now_or_never().is_none(), "it waits");
    assert_eq!(results(&courier), [("queue_full", 1)]);
    receiver.script.lock().unwrap().clear();
    other.send(Numbered(9)).await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(receiver.bodies(), ["0 try 1", "9 try 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_cuts_pauses_short_and_leaves_a_dead_destination_after_one_try() {
    let receiver = Receiver::new([500, 200, 500].map(Play::Answer));
    let courier = courier(&receiver);
    let delivery = courier.deliver_to(vendor());
    for number in 1..=4 {
        delivery.send(Numbered(number)).await;
    }
    sleep(Duration::from_secs(1)).await;
    courier.drain(Duration::from_secs(5)).await;
    let expected = [(0, "1 try 1"), (1, "1 try 2"), (1, "2 try 1")];
    assert_eq!(receiver.got(), expected.map(|(at, body)| (at, body.into())));
    assert_eq!(results(&courier), [("delivered", 1), ("ending", 3)]);
    delivery.send(Numbered(5)).await;
    assert!(!delivery.offer(Numbered(6)));
    assert_eq!(results(&courier), [("delivered", 1), ("ending", 5)]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_has_a_deadline_also_for_those_who_give_messages() {
    let receiver = Receiver::new([Play::Silence]);
    let courier = courier(&receiver);
    let delivery = courier.deliver_to(vendor());
    delivery.send(Numbered(1)).await;
    courier.run(std::future::pending());
    let began = Instant::now();
    courier.drain(Duration::from_secs(3)).await;
    assert_eq!(began.elapsed().as_secs(), 3);
    assert_eq!(results(&courier), [("ending", 1)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_task_gives_before_its_end_is_delivered_in_a_drain() {
    let receiver = Receiver::new([]);
    let courier = courier(&receiver);
    let delivery = courier.deliver_to(vendor());
    let (closed, close) = tokio::sync::oneshot::channel::<()>();
    courier.run(async move {
        let _ = close.await;
        delivery.send(Numbered(1)).await;
    });
    drop(closed);
    courier.drain(Duration::from_secs(3)).await;
    assert_eq!(receiver.bodies(), ["1 try 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_nobody_holds_any_more_ends_with_what_it_has() {
    let receiver = Receiver::new([500, 500].map(Play::Answer));
    let courier = courier(&receiver);
    let delivery = courier.deliver_to(vendor());
    delivery.send(Numbered(1)).await;
    delivery.send(Numbered(2)).await;
    sleep(Duration::from_secs(1)).await;
    drop(delivery);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(receiver.bodies(), ["1 try 1", "1 try 2"]);
    assert_eq!(results(&courier), [("ending", 2)]);
}
