//! A gateway without free descriptors keeps what it has, does not spin, says so once, and accepts again when it can.
//!
//! One test and no other: the limit is the whole process's.

#![allow(clippy::unwrap_used, clippy::panic)]

mod log_lines;

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use aqueduct::net::descriptors::raise_limit;
use aqueduct::net::listener::{Acceptor, bind};
use aqueduct::net::permits::{ConnectionLimits, Permits};
use aqueduct::telemetry::events::Callers;
use aqueduct::telemetry::labels::StoreOperation;
use aqueduct::telemetry::log::subscriber;
use aqueduct::telemetry::{LogConfig, Metrics, Snapshot};
use log_lines::Lines;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// Far above what the test's own scenery needs.
const LIMIT: u64 = 256;

fn accept_errors(metrics: &Metrics) -> u64 {
    let page = metrics.render(&Snapshot::<StoreOperation> {
        streams: 0,
        streams_in_grace: 0,
        ring_bytes: 0,
        targets: Vec::new(),
    });
    page.lines()
        .find_map(|line| line.strip_prefix("aqueduct_accept_errors_total "))
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn descriptors_that_run_out_stop_nobody_who_is_in() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = subscriber(&LogConfig::default(), false, move || writer.clone()).unwrap();
    let _log = tracing::subscriber::set_default(log);

    let before = getrlimit(Resource::Nofile);
    let low = Rlimit {
        current: Some(LIMIT),
        ..before
    };
    setrlimit(Resource::Nofile, low).unwrap();

    let metrics = Arc::new(Metrics::new());
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let permits = Permits::new(ConnectionLimits::default());
    let mut acceptor =
        Acceptor::new(listener, Callers::Publishers, permits, metrics.clone()).unwrap();
    let mut inside = TcpStream::connect(acceptor.address()).await.unwrap();
    let mut accepted = acceptor.accept().await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(TcpStream::connect(acceptor.address()).await.unwrap());
    }
    let mut hogs = Vec::new();
    while let Ok(hog) = File::open("/dev/null") {
        hogs.push(hog);
    }

    // Ten seconds of the paused clock: pauses of 50, 100, 200, 400 and from then on 800 ms.
    assert!(
        timeout(Duration::from_secs(10), acceptor.accept())
            .await
            .is_err()
    );
    inside.write_all(b"still here").await.unwrap();
    let mut heard = [0; 10];
    accepted.stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");

    hogs.clear();
    assert!(
        (10..20).contains(&accept_errors(&metrics)),
        "{}",
        accept_errors(&metrics)
    );
    let again = Instant::now();
    for client in &waiting {
        let late = acceptor.accept().await;
        assert_eq!(late.peer, client.local_addr().unwrap());
    }
    assert!(
        again.elapsed() <= Duration::from_secs(1),
        "{:?}",
        again.elapsed()
    );
    let text = lines.text();
    let complaints = text
        .lines()
        .filter(|line| line.contains("cannot be accepted"))
        .count();
    // The log's clock is the real one, on which all this takes milliseconds.
    assert_eq!(complaints, 1, "{text}");

    // Starting again as the gateway does lifts the limit to what the system permits.
    assert_eq!(raise_limit().unwrap(), before.maximum);
    assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
}
