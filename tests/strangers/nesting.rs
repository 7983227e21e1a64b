//! One message of many nested objects ends other servers' processes. Here it ends its own connection.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::gateway_parts::{Gateway, Setup, Target, inter, soon};
use crate::session_peer::Mouth;
use crate::session_peer::publisher::connect_object;
use aqueduct::media::MediaKind;
use aqueduct::rtmp::message::MessageType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HANDSHAKE: [u8; 3073] = {
    let mut bytes = [0; 3073];
    bytes[0] = 3;
    bytes
};

/// A command whose first value is nested so deep, opened by `one` at each level.
fn nested(one: &[u8], levels: usize) -> Vec<u8> {
    [
        &b"\x02\x00\x07connect\x00\x3f\xf0\0\0\0\0\0\0"[..],
        &one.repeat(levels),
    ]
    .concat()
}

/// One shard of production's kind, with a stack of production's size.
async fn gateway() -> Gateway {
    Gateway::start(Setup {
        shards: 1,
        ..Setup::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_thousand_nested_objects_end_their_own_connection_and_nothing_else() {
    let gateway = gateway().await;
    let mut target = Target::open().await;
    let mut publisher = gateway.relay(&mut target, "cam", 0).await;

    let containers: [&[u8]; 4] = [
        b"\x03\x00\x01a",
        b"\x08\x00\x00\x00\x01\x00\x01a",
        b"\x0a\x00\x00\x00\x01",
        b"\x10\x00\x01c\x00\x01a",
    ];
    let mut frame = 0;
    for container in containers {
        for type_id in [MessageType::COMMAND_AMF0, MessageType::COMMAND_AMF3] {
            for connected in [false, true] {
                // Beyond what a message may have before a publish, and within it.
                let fits = 60_000 / container.len();
                for (levels, words) in [
                    (60_000, "bytes; the limit is 65536"),
                    (fits, "deeper than 16"),
                ] {
                    let mut mouth = Mouth::default();
                    mouth.raw(&HANDSHAKE).set_chunk_size(0xFF_FFFF);
                    if connected {
                        mouth.connect(connect_object("live"));
                    }
                    mouth.message(3, type_id, 0, 0, &nested(container, levels));
                    let mut tcp = TcpStream::connect(gateway.address).await.unwrap();
                    // The gateway may have closed before it is all out.
                    let _ = tcp.write_all(&mouth.take()).await;
                    let _ = tcp.shutdown().await;
                    let mut heard = Vec::new();
                    let _ = soon("the close", tcp.read_to_end(&mut heard)).await;
                    let line = gateway.diary.until_line("not published").await;
                    assert!(line.contains(words), "{line}");
                    gateway.diary.clear();
                    // The publisher beside it has lost nothing.
                    frame += 1;
                    publisher.video(frame * 40, &inter(frame)).await;
                    assert_eq!(target.tags(1).await, [(MediaKind::Video, frame * 40)]);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_s_nested_metadata_harms_nobody() {
    let gateway = gateway().await;
    let mut target = Target::open().await;
    let mut publisher = gateway.relay(&mut target, "cam", 0).await;
    let name = b"\x02\x00\x0aonMetaData";
    let deep = [&name[..], &b"\x03\x00\x01a".repeat(60_000)].concat();
    // In AMF3's envelope it is decoded, and left out for what it is.
    let mut mouth = Mouth {
        chunk_size: 4096,
        ..Mouth::default()
    };
    mouth.message(7, MessageType::DATA_AMF3, 1, 0, &[&[0][..], &deep].concat());
    publisher.write(&mouth.take()).await;
    publisher.video(40, &inter(1)).await;
    assert_eq!(target.tags(1).await, [(MediaKind::Video, 40)]);
    // In AMF0's it is a stream's own business, and goes on as it came.
    publisher.data(40, &deep).await;
    publisher.video(80, &inter(2)).await;
    let tags = target.tags(2).await;
    assert_eq!(tags[1], (MediaKind::Video, 80));
}
