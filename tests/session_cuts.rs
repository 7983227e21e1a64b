//! However a conversation is cut into reads, the sessions say and see the same.
//!
//! `session_recordings` holds what real programs sent to our server behind their handshake, each a publish of half a
//! second of test picture and tone: FFmpeg 5.1 and GStreamer's rtmp2sink 1.22 with their own RTMP, and librtmp (GStreamer's
//! rtmpsink). None of them depends on an answer's bytes.

#![allow(clippy::expect_used, reason = "tests")]

mod session_peer;

use std::time::Duration;

use aqueduct::rtmp::session::client::{ClientConfig, ClientEvent, ClientSession};
use aqueduct::rtmp::session::server::{ServerConfig, ServerEvent, ServerSession, UnpublishReason};
use aqueduct::rtmp::session::{Media, MediaKind};
use aqueduct::rtmp::{chunk, limits};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

const NOW: Duration = Duration::ZERO;

const RECORDINGS: [(&str, &[u8]); 3] = [
    ("ffmpeg", include_bytes!("session_recordings/ffmpeg.bin")),
    (
        "gstreamer",
        include_bytes!("session_recordings/gstreamer.bin"),
    ),
    ("librtmp", include_bytes!("session_recordings/librtmp.bin")),
];

/// A caller's buffer and a session that is always answered yes.
struct Server {
    session: ServerSession,
    unread: BytesMut,
    events: Vec<ServerEvent>,
    /// The most that was left for a next read.
    most_left: usize,
}

impl Server {
    fn new() -> Self {
        let session = ServerSession::new(ServerConfig::default());
        Self {
            session,
            unread: BytesMut::new(),
            events: Vec::new(),
            most_left: 0,
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        let mut input = &self.unread[..];
        loop {
            match self
                .session
                .read(&mut input, NOW)
                .expect("a proper publisher")
            {
                Some(event) => self.events.push(event),
                None if self.session.awaits_answer() => {
                    self.session.accept_connect();
                    self.session.accept_publish();
                }
                None => break,
            }
        }
        let left = input.len();
        self.most_left = self.most_left.max(left);
        self.unread = self.unread.split_off(self.unread.len() - left);
    }
}

fn replay<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<ServerEvent>, Vec<u8>) {
    let mut server = Server::new();
    let mut said = Vec::new();
    for piece in pieces {
        server.receive(piece);
        said.extend_from_slice(&server.session.output().split());
    }
    assert!(server.most_left < 18, "only a header may wait");
    assert!(server.unread.is_empty());
    (server.events, said)
}

#[test]
fn recordings_hold_what_their_programs_sent() {
    for (program, bytes) in RECORDINGS {
        let (events, _) = replay([bytes]);
        let count = |kind| {
            events
                .iter()
                .filter(|event| matches!(event, ServerEvent::Media(m) if m.kind == kind))
                .count()
        };
        assert!(
            matches!(&events[0], ServerEvent::ConnectRequested(request) if request.app == "live"),
            "{program}"
        );
        assert!(
            matches!(&events[1], ServerEvent::PublishRequested(request) if request.name.starts_with("cam"))
        );
        assert_eq!(
            (count(MediaKind::Audio), count(MediaKind::Video)),
            (6, 7),
            "{program}"
        );
        assert!(count(MediaKind::Data) > 0, "{program}");
        assert_eq!(
            events.last(),
            Some(&ServerEvent::Unpublished(UnpublishReason::FcUnpublish)),
            "{program}"
        );
    }
}

#[test]
fn every_split_point_of_a_recorded_session_gives_the_same_events() {
    for (program, bytes) in RECORDINGS {
        let whole = replay([bytes]);
        for at in 0..=bytes.len() {
            let (before, after) = bytes.split_at(at);
            assert!(replay([before, after]) == whole, "{program} cut at {at}");
        }
        assert!(replay(bytes.chunks(1)) == whole, "{program} byte by byte");
    }
}

/// A push of ours into a server of ours, through pipes that give so many bytes at a time, in turn.
struct Pair {
    client: ClientSession,
    client_unread: BytesMut,
    client_events: Vec<ClientEvent>,
    server: Server,
    to_server: BytesMut,
    to_client: BytesMut,
}

impl Pair {
    fn new(config: ClientConfig) -> Self {
        Self {
            client: ClientSession::new(config),
            client_unread: BytesMut::new(),
            client_events: Vec::new(),
            server: Server::new(),
            to_server: BytesMut::new(),
            to_client: BytesMut::new(),
        }
    }

    /// Lets both talk until nothing is under way.
    fn settle(&mut self, pieces: &mut impl Iterator<Item = usize>) {
        loop {
            self.to_server.unsplit(self.client.output().split());
            self.to_client.unsplit(self.server.session.output().split());
            if self.to_server.is_empty() && self.to_client.is_empty() {
                return;
            }
            let length = pieces.next().unwrap_or(1).min(self.to_server.len());
            let piece = self.to_server.split_to(length);
            self.server.receive(&piece);
            let length = pieces.next().unwrap_or(1).min(self.to_client.len());
            let piece = self.to_client.split_to(length);
            self.client_receive(&piece);
        }
    }

    fn client_receive(&mut self, bytes: &[u8]) {
        self.client_unread.extend_from_slice(bytes);
        let mut input = &self.client_unread[..];
        while let Some(event) = self.client.read(&mut input, NOW).expect("a proper server") {
            self.client_events.push(event);
        }
        let left = input.len();
        self.client_unread = self
            .client_unread
            .split_off(self.client_unread.len() - left);
    }

    fn send(&mut self, media: &Media) {
        let length = u32::try_from(media.payload.len()).expect("short");
        let header = self
            .client
            .media_framing()
            .header(media.kind, media.timestamp, length);
        chunk::write(&mut self.to_server, header, &media.payload, 4096);
    }
}

fn metadata() -> Media {
    Media {
        kind: MediaKind::Data,
        timestamp: 0,
        payload: session_peer::ON_META_DATA.into(),
    }
}

fn any_media() -> impl Strategy<Value = Media> {
    let kind = prop_oneof![Just(MediaKind::Audio), Just(MediaKind::Video)];
    let time = prop_oneof![0..100_000u32, 0x00FF_FFF0..0x0100_0010u32, any::<u32>()];
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        (4000..13_000usize, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ];
    (kind, time, payload).prop_map(|(kind, timestamp, payload)| Media {
        kind,
        timestamp,
        payload: Bytes::from(payload),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn our_client_and_our_server_understand_each_other_through_any_cut(
        name in "[a-z0-9]{1,20}([?][a-z0-9=&/]{0,300})?",
        media in prop::collection::vec(any_media(), 0..12),
        pieces in prop::collection::vec(1..3000usize, 1..50),
    ) {
        let mut pieces = pieces.into_iter().cycle();
        let mut pair = Pair::new(ClientConfig::new("live", "rtmp://host/live", name.as_str()));
        pair.settle(&mut pieces);
        prop_assert_eq!(&pair.client_events, &[ClientEvent::Published]);
        pair.send(&metadata());
        media.iter().for_each(|media| pair.send(media));
        pair.settle(&mut pieces);
        pair.client.finish();
        pair.settle(&mut pieces);

        let mut events = pair.server.events.into_iter();
        let connected = matches!(events.next(), Some(ServerEvent::ConnectRequested(request)) if request.app == "live");
        prop_assert!(connected);
        let published = matches!(events.next(), Some(ServerEvent::PublishRequested(request)) if request.name == name);
        prop_assert!(published);
        for expected in std::iter::once(metadata()).chain(media) {
            prop_assert_eq!(events.next(), Some(ServerEvent::Media(expected)));
        }
        prop_assert_eq!(events.next(), Some(ServerEvent::Unpublished(UnpublishReason::FcUnpublish)));
        prop_assert_eq!(events.next(), None);
        let ended = matches!(pair.client_events.last(), Some(ClientEvent::Ended(_)));
        prop_assert!(ended);
    }

    #[test]
    fn recordings_cut_anywhere_give_the_same_events(
        which in 0..RECORDINGS.len(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let (_, bytes) = RECORDINGS[which];
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert!(replay(pieces) == replay([bytes]));
    }

    /// Whatever comes, a session does not panic, and what it holds unread stays below its bound.
    #[test]
    fn garbage_is_an_error_or_nothing(
        which in 0..RECORDINGS.len(),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..10),
    ) {
        let mut bytes = RECORDINGS[which].1.to_vec();
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let mut session = ServerSession::new(ServerConfig::default());
        let mut input = bytes.as_slice();
        loop {
            match session.read(&mut input, NOW) {
                Ok(None) if session.awaits_answer() => {
                    session.accept_connect();
                    session.accept_publish();
                }
                Ok(None) | Err(_) => break,
                Ok(Some(_)) => {}
            }
        }
        prop_assert!(session.bytes_buffered() <= bytes.len() + limits::PAYLOAD_UNSEEN_BYTES_MAX * limits::PARTIAL_MESSAGES_MAX);
        let mut client = ClientSession::new(ClientConfig::new("live", "rtmp://host/live", "cam"));
        let mut input = bytes.as_slice();
        while let Ok(Some(_)) = client.read(&mut input, NOW) {}
    }
}
