//! Both our sessions against an implementation of RTMP that shares no line with ours.

#![allow(clippy::expect_used, reason = "tests")]

use std::time::Duration;

use aqueduct::rtmp::chunk;
use aqueduct::rtmp::session::client::{ClientConfig, ClientEvent, ClientSession};
use aqueduct::rtmp::session::server::{ServerConfig, ServerEvent, ServerSession};
use aqueduct::rtmp::session::{Action, Media, MediaKind, Stage};
use bytes::{Bytes, BytesMut};
use rml_rtmp::sessions as rml;
use rml_rtmp::sessions::{
    ClientSessionEvent, ClientSessionResult, PublishRequestType, ServerSessionEvent,
    ServerSessionResult, StreamMetadata,
};
use rml_rtmp::time::RtmpTimestamp;

const NOW: Duration = Duration::ZERO;

/// Frames of 1 byte to 100 KB at uneven times: what follows a format 0 header often repeats its timestamp as a difference,
/// which this library then writes as format 3.
fn frames() -> Vec<Media> {
    let frame = |at: u32| {
        let kind = if at.is_multiple_of(3) {
            MediaKind::Video
        } else {
            MediaKind::Audio
        };
        let length = [1, 100, 128, 129, 4096, 4097, 60_001, 100_000][at as usize % 8];
        let payload: Vec<u8> = (0..length)
            .map(|byte| (byte as u32 * 31 + at) as u8)
            .collect();
        Media {
            kind,
            timestamp: at * 33 % 1500 + at * 5,
            payload: payload.into(),
        }
    };
    (0..40).map(frame).collect()
}

#[test]
fn its_client_publishes_to_our_server() {
    let mut config = rml::ClientSessionConfig::new();
    config.tc_url = Some("rtmp://host/live".to_owned());
    let (mut theirs, greeting) = rml::ClientSession::new(config).expect("a client");
    let mut ours = ServerSession::new(ServerConfig::default());
    let mut events = Vec::new();
    let mut to_us = BytesMut::new();
    let mut say = |to_us: &mut BytesMut, results: Vec<ClientSessionResult>| {
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => {
                    to_us.extend_from_slice(&packet.bytes)
                }
                ClientSessionResult::RaisedEvent(event) => events.push(event),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
    };
    let mut raised = Vec::new();
    let mut turn =
        |theirs: &mut rml::ClientSession, to_us: &mut BytesMut| -> Vec<ClientSessionResult> {
            let input = to_us.split();
            let mut input = &input[..];
            loop {
                match ours.read(&mut input, NOW).expect("a proper publisher") {
                    Some(event) => raised.push(event),
                    None if ours.awaits_answer() => {
                        ours.accept_connect();
                        ours.accept_publish();
                    }
                    None => break,
                }
            }
            theirs
                .handle_input(&ours.output().split())
                .expect("proper answers")
        };

    say(&mut to_us, greeting);
    say(
        &mut to_us,
        vec![theirs.request_connection("live".into()).expect("connect")],
    );
    let results = turn(&mut theirs, &mut to_us);
    say(&mut to_us, results);
    let publish = theirs
        .request_publishing("cam?key=x".into(), PublishRequestType::Live)
        .expect("publish");
    say(&mut to_us, vec![publish]);
    // createStream, then publish.
    for _ in 0..2 {
        let results = turn(&mut theirs, &mut to_us);
        say(&mut to_us, results);
    }
    let mut metadata = StreamMetadata::new();
    metadata.video_width = Some(1280);
    say(
        &mut to_us,
        vec![theirs.publish_metadata(&metadata).expect("metadata")],
    );
    for media in frames() {
        let time = RtmpTimestamp::new(media.timestamp);
        let result = match media.kind {
            MediaKind::Video => theirs.publish_video_data(media.payload, time, false),
            _ => theirs.publish_audio_data(media.payload, time, false),
        };
        say(&mut to_us, vec![result.expect("media")]);
    }
    let results = turn(&mut theirs, &mut to_us);
    say(&mut to_us, results);
    let results = theirs.stop_publishing().expect("stop");
    say(&mut to_us, results);
    turn(&mut theirs, &mut to_us);

    assert!(
        events.contains(&ClientSessionEvent::ConnectionRequestAccepted),
        "{events:?}"
    );
    assert!(
        events.contains(&ClientSessionEvent::PublishRequestAccepted),
        "{events:?}"
    );
    let mut raised = raised.into_iter();
    assert!(
        matches!(raised.next(), Some(ServerEvent::ConnectRequested(request)) if request.app == "live")
    );
    assert!(
        matches!(raised.next(), Some(ServerEvent::PublishRequested(request)) if request.name == "cam?key=x")
    );
    assert!(matches!(
        raised.next(),
        Some(ServerEvent::Media(media)) if media.payload.starts_with(b"\x02\x00\x0aonMetaData")
    ));
    for expected in frames() {
        assert_eq!(raised.next(), Some(ServerEvent::Media(expected)));
    }
    assert!(matches!(raised.next(), Some(ServerEvent::Unpublished(_))));
    assert_eq!(raised.next(), None);
}

/// Its server, which accepts whatever it is asked; and what it was told.
struct TheirServer {
    session: rml::ServerSession,
    refuses: bool,
    events: Vec<ServerSessionEvent>,
    to_us: BytesMut,
}

impl TheirServer {
    fn new() -> Self {
        let (session, greeting) =
            rml::ServerSession::new(rml::ServerSessionConfig::new()).expect("a server");
        let mut server = Self {
            session,
            refuses: false,
            events: Vec::new(),
            to_us: BytesMut::new(),
        };
        server.take(greeting);
        server
    }

    fn hear(&mut self, bytes: &[u8]) {
        let results = self.session.handle_input(bytes).expect("a proper push");
        self.take(results);
    }

    fn take(&mut self, results: Vec<ServerSessionResult>) {
        for result in results {
            match result {
                ServerSessionResult::OutboundResponse(packet) => {
                    self.to_us.extend_from_slice(&packet.bytes)
                }
                ServerSessionResult::RaisedEvent(event) => self.happen(event),
                ServerSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
    }

    fn happen(&mut self, event: ServerSessionEvent) {
        let answer = match &event {
            ServerSessionEvent::ConnectionRequested { request_id, .. } => {
                self.session.accept_request(*request_id)
            }
            ServerSessionEvent::PublishStreamRequested { request_id, .. } if self.refuses => self
                .session
                .reject_request(*request_id, "NetStream.Publish.BadName", "in use"),
            ServerSessionEvent::PublishStreamRequested { request_id, .. } => {
                self.session.accept_request(*request_id)
            }
            _ => Ok(vec![]),
        };
        self.events.push(event);
        self.take(answer.expect("an answer"));
    }
}

fn push_to(server: &mut TheirServer) -> (ClientSession, Vec<ClientEvent>) {
    let mut ours = ClientSession::new(ClientConfig::new("live", "rtmp://host/live", "cam?key=x"));
    let mut events = Vec::new();
    for _ in 0..8 {
        server.hear(&ours.output().split());
        let input = server.to_us.split();
        let mut input = &input[..];
        while let Some(event) = ours.read(&mut input, NOW).expect("a proper server") {
            events.push(event);
        }
    }
    (ours, events)
}

#[test]
fn our_client_publishes_to_its_server() {
    let mut server = TheirServer::new();
    let (mut ours, events) = push_to(&mut server);
    assert_eq!(events, [ClientEvent::Published]);
    assert!(server.events.iter().any(|event| matches!(
        event,
        ServerSessionEvent::PublishStreamRequested { app_name, stream_key, .. }
            if app_name == "live" && stream_key == "cam?key=x"
    )));
    server.events.clear();
    let mut bytes = BytesMut::new();
    for media in frames() {
        let length = u32::try_from(media.payload.len()).expect("short");
        let header = ours
            .media_framing()
            .header(media.kind, media.timestamp, length);
        chunk::write(&mut bytes, header, &media.payload, 4096);
    }
    server.hear(&bytes);
    let received = server.events.iter().filter_map(|event| {
        let media = |kind, timestamp: &RtmpTimestamp, data: &Bytes| {
            Some(Media {
                kind,
                timestamp: timestamp.value,
                payload: data.clone(),
            })
        };
        match event {
            ServerSessionEvent::VideoDataReceived {
                timestamp, data, ..
            } => media(MediaKind::Video, timestamp, data),
            ServerSessionEvent::AudioDataReceived {
                timestamp, data, ..
            } => media(MediaKind::Audio, timestamp, data),
            _ => None,
        }
    });
    assert_eq!(received.collect::<Vec<_>>(), frames());
    ours.finish();
    server.hear(&ours.output().split());
    assert!(matches!(
        server.events.last(),
        Some(ServerSessionEvent::PublishStreamFinished { .. })
    ));
}

#[test]
fn its_server_refuses_our_client() {
    let mut server = TheirServer::new();
    server.refuses = true;
    let (_, events) = push_to(&mut server);
    // It writes the level as "_error".
    assert!(
        matches!(
            &events[..],
            [ClientEvent::Refused(refused)] if refused.stage == Stage::Publish
                && refused.code == "NetStream.Publish.BadName"
                && refused.action == Action::RetryBusy
        ),
        "{events:?}"
    );
}
