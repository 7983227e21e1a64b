//! SIGTERM: every target that listens gets a proper end, and no target, caller or publisher keeps the gateway from ending.

use super::common::eventually;
use super::common::gateway::Site;
use super::common::target::{Behaviour, Target};
use super::numbered::{Publishing, arrived, assert_nothing_lost, visit};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

const LISTENING: usize = 32;

#[tokio::test]
async fn all_targets_see_a_goodbye_and_no_reset_whatever_others_do() {
    let listening = Target::start(Behaviour::Records).await;
    let deaf = Target::start(Behaviour::NeverReads).await;
    let refusing = Target::start(Behaviour::Refuses {
        code: "NetStream.Publish.BadName",
        description: "taken",
    })
    .await;
    // Takes connections and says nothing, as a push that has just begun sees it.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Nobody listens there: the push is always between two attempts.
    let gone = {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        closed.local_addr().unwrap()
    };
    let site = Site::new("", "[relay]\ndrain_ms = 3000\n");
    let mut arguments = Vec::new();
    for number in 0..LISTENING {
        arguments.push(listening.url(&format!("app/key{number}")));
    }
    for address in [
        deaf.address,
        refusing.address,
        silent.local_addr().unwrap(),
        gone,
    ] {
        arguments.push(format!("rtmp://{address}/app/key"));
    }
    let relays: Vec<_> = arguments.iter().flat_map(|url| ["--relay", url]).collect();
    let gateway = site.start_with(&relays).await;
    let publishing = Publishing::start(&gateway, 30).await;
    for number in 0..LISTENING {
        arrived(&listening, &format!("key{number}"), 50).await;
    }
    // A caller and a publisher who never finish what they began.
    let mut caller = TcpStream::connect(gateway.http).await.unwrap();
    caller
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: ")
        .await
        .unwrap();
    let mut stranger = TcpStream::connect(gateway.rtmp).await.unwrap();
    stranger.write_all(&[3, 0, 0]).await.unwrap();

    let begun = Instant::now();
    gateway.sigterm();
    eventually("it says that it drains", Duration::from_secs(5), || async {
        let status = gateway.status("/readyz").await;
        status
            .is_none_or(|status| status == reqwest::StatusCode::SERVICE_UNAVAILABLE)
            .then_some(())
    })
    .await;
    let (status, output) = gateway.wait(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(0), "{output}");
    // Three seconds, what is left for the doors, and a machine that is busy with other tests.
    assert!(
        begun.elapsed() < Duration::from_secs(9),
        "{:?}",
        begun.elapsed()
    );

    for number in 0..LISTENING {
        let visit = visit(&listening, &format!("key{number}"));
        visit.assert_goodbye();
        assert_nothing_lost("until the drain", &visit, &publishing.sent);
    }
}
