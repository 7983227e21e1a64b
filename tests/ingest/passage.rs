//! What comes out is what went in, byte for byte, whatever the codec.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::gateway_parts::{
    AUDIO_HEADER, Gateway, Host, Publisher, Setup, Target, VIDEO_HEADER, inter, key, rule,
};
use aqueduct::egress::TargetState;
use aqueduct::media::MediaKind::{self, Audio, Data, Video};
use aqueduct::rtmp::amf0::Value;
use std::time::Duration;

const WINDOWS: [u64; 2] = [0, 10];

fn setup(window: u64) -> Setup {
    Setup {
        window: Duration::from_millis(window),
        ..Setup::default()
    }
}

/// HEVC and Opus as FFmpeg sends them, with a second video track, HDR metadata, a nanosecond offset and captions.
const ENHANCED: &[(MediaKind, u32, &[u8])] = &[
    (Video, 0, b"\x90hvc1\x01\x01\x60\x00\x00"),
    (Audio, 0, b"\x90OpusOpusHead\x01\x02"),
    (Video, 0, b"\x96\x00hvc1\x01\x01\x60\x00\x01"),
    (
        Video,
        0,
        b"\x94hvc1\x02\x00\x09colorInfo\x08\0\0\0\0\0\0\x09",
    ),
    (Video, 0, b"\x91hvc1\x00\x00\x50\x26\x01\xAF"),
    (Video, 0, b"\x96\x01hvc1\x01\x00\x00\x50\x26\x01\xAE"),
    (Audio, 10, b"\x91Opus\xFC\xFF\xFE"),
    (Data, 20, b"\x02\x00\x0aonTextData\x08\0\0\0\0\0\0\x09"),
    (Video, 40, b"\xA7\x02\x00\x01\x02\x03hvc1\x02\x01\xD0"),
    (Video, 80, b"\xA3hvc1\x02\x01\xD1"),
    (Video, 80, b"\xA2hvc1"),
];

#[tokio::test]
async fn enhanced_rtmp_passes_untouched() {
    for window in WINDOWS {
        let gateway = Gateway::start(setup(window)).await;
        let mut target = Target::open().await;
        gateway.wish([rule(1, &target.url("x"))]);
        let mut publisher = Publisher::connect(gateway.address, "cam").await;
        for (kind, at, payload) in ENHANCED {
            publisher.send(*kind, *at, payload).await;
        }
        target.publish().await;
        let mut got = Vec::new();
        for _ in ENHANCED {
            got.push(target.tag().await);
        }
        // A target begins with headers in a fixed order; everything else is in the publisher's.
        let (mut headers, media) = (got.drain(..4).collect::<Vec<_>>(), got);
        let mut expected: Vec<_> = ENHANCED[..4].iter().map(|tag| tag.2).collect();
        headers.sort_by(|a, b| a.2.cmp(&b.2));
        expected.sort_unstable();
        let payloads: Vec<&[u8]> = headers.iter().map(|tag| &tag.2[..]).collect();
        assert_eq!(payloads, expected);
        for (got, expected) in media.iter().zip(&ENHANCED[4..]) {
            assert_eq!((got.0, got.1, &got.2[..]), *expected);
        }
    }
}

#[tokio::test]
async fn a_target_is_called_when_there_is_media_and_told_of_its_codecs() {
    let gateway = Gateway::start(setup(0)).await;
    let host = Host::open().await;
    gateway.wish([rule(1, &host.url("app/x"))]);
    let mut publisher = Publisher::connect(gateway.address, "cam").await;
    for (kind, at, payload) in &ENHANCED[..4] {
        publisher.send(*kind, *at, payload).await;
    }
    assert!(host.is_left_alone().await, "there is no keyframe yet");
    assert_eq!(gateway.push().phase().state, TargetState::Waiting);
    publisher.video(0, ENHANCED[4].2).await;
    let connect = host.visit().await.until("connect").await;
    let four_ccs = connect.object.property("fourCcList").unwrap();
    assert_eq!(
        *four_ccs,
        Value::StrictArray(vec!["hvc1".into(), "Opus".into()])
    );

    let host = Host::open().await;
    let gateway = Gateway::start(setup(0)).await;
    gateway.wish([rule(1, &host.url("app/x"))]);
    let mut publisher = Publisher::connect(gateway.address, "cam").await;
    publisher.start(0).await;
    let connect = host.visit().await.until("connect").await;
    assert!(connect.object.property("fourCcList").is_none());
}

#[tokio::test]
async fn metadata_keeps_its_bytes_and_arrives_behind_set_data_frame() {
    // Properties out of any order, one twice, one whose number is no number that arithmetic would keep.
    let bare = [
        b"\x02\x00\x0aonMetaData\x08\xff\xff\xff\xff".as_slice(),
        b"\x00\x05width\x00\x40\x94\x00\x00\x00\x00\x00\x00",
        b"\x00\x01z\x00\x7f\xf8\x00\x00\x00\x00\x00\x01",
        b"\x00\x05width\x00\x40\x9e\x00\x00\x00\x00\x00\x00",
        b"\x00\x01a\x02\x00\x03\xff\xfe\x80",
        b"\x00\x00\x09",
    ]
    .concat();
    let wrapped = [b"\x02\x00\x0d@setDataFrame".as_slice(), &bare].concat();
    for sent in [&bare, &wrapped] {
        let gateway = Gateway::start(setup(0)).await;
        let host = Host::open().await;
        gateway.wish([rule(1, &host.url("app/x"))]);
        let mut publisher = Publisher::connect(gateway.address, "cam").await;
        publisher.data(0, sent).await;
        publisher.video(0, VIDEO_HEADER).await;
        publisher.video(0, &key(10)).await;
        let mut visit = host.visit().await;
        visit.accept_publish().await;
        let first = visit.message().await.unwrap();
        assert_eq!((first.type_id, first.timestamp), (18, 0));
        assert_eq!(first.payload, wrapped);
        assert_eq!(visit.message().await.unwrap().payload, VIDEO_HEADER);
    }
}

#[tokio::test]
async fn time_goes_on_where_timestamps_grow_to_four_bytes() {
    const BORDER: u32 = 0x00FF_FFFF;
    for window in WINDOWS {
        for start in [BORDER - 200, u32::MAX - 200] {
            let gateway = Gateway::start(setup(window)).await;
            let (mut first, mut late) = (Target::open().await, Target::open().await);
            let (one, two) = (rule(1, &first.url("x")), rule(2, &late.url("y")));
            gateway.wish([one.clone()]);
            let mut publisher = Publisher::connect(gateway.address, "cam").await;
            publisher.video(start, VIDEO_HEADER).await;
            publisher.audio(start, AUDIO_HEADER).await;
            // Several chunks a message, so that the extended timestamp is repeated.
            let payload = |frame: u32| [inter(frame), vec![7; 10_000]].concat();
            publisher.video(start, &key(10_000)).await;
            first.publish().await;
            for frame in 1..20 {
                let at = start.wrapping_add(frame * 40);
                publisher.video(at, &payload(frame)).await;
            }
            first.tags(3).await;
            for frame in 1..20 {
                let expected = (Video, frame * 40, payload(frame).into());
                assert_eq!(first.tag().await, expected);
            }
            gateway.wish([one, two]);
            late.publish().await;
            late.tags(21).await;
            assert_eq!(late.tag().await.1, 19 * 40);
        }
    }
}

/// A target's own clock passes the border too, after four hours and forty minutes; here it begins just before it.
#[tokio::test]
async fn a_target_gets_four_byte_timestamps_that_it_can_read() {
    const BORDER: u32 = 0x00FF_FFFF;
    for window in WINDOWS {
        let gateway = Gateway::start(Setup {
            start_clock: BORDER - 41,
            ..setup(window)
        })
        .await;
        let mut target = Target::open().await;
        gateway.wish([rule(1, &target.url("x"))]);
        let mut publisher = Publisher::connect(gateway.address, "cam").await;
        publisher.start(500).await;
        target.publish().await;
        let times: Vec<_> = target.tags(4).await.iter().map(|got| got.1).collect();
        assert_eq!(times, [BORDER - 41; 4]);
        for after in [40, 41, 42, 82] {
            // Several chunks a message, so that the extended timestamp is repeated.
            let payload = [inter(after), vec![7; 10_000]].concat();
            publisher.video(500 + after, &payload).await;
            let expected = (Video, BORDER - 41 + after, payload.into());
            assert_eq!(target.tag().await, expected);
        }
    }
}
