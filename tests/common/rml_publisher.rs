//! A publisher that shares no code with the gateway: rml_rtmp's client session.

use std::net::SocketAddr;
use std::time::Duration;

use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::rml_amf0::Amf0Value;
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionError, ClientSessionEvent,
    ClientSessionResult, PublishRequestType, StreamMetadata,
};
use rml_rtmp::time::RtmpTimestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::flv::{self, AUDIO, Tag, VIDEO};
use super::media;

/// A publisher whose publish was accepted.
pub struct RmlPublisher {
    socket: TcpStream,
    session: ClientSession,
}

impl RmlPublisher {
    /// Connects, and publishes `name` to `app`. What the gateway said instead, where it refuses.
    pub async fn publish(
        gateway: SocketAddr,
        app: &str,
        name: &str,
    ) -> Result<RmlPublisher, String> {
        let socket = TcpStream::connect(gateway)
            .await
            .map_err(|error| error.to_string())?;
        socket
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        let mut config = ClientSessionConfig::new();
        config.tc_url = Some(format!("rtmp://{gateway}/{app}"));
        let (session, first) = ClientSession::new(config).map_err(|error| error.to_string())?;
        let mut publisher = RmlPublisher { socket, session };
        let rest = publisher.shake_hands().await?;
        publisher.send(first).await?;
        let connect = publisher.session.request_connection(app.to_owned());
        publisher.send_one(connect).await?;
        publisher
            .until(&rest, |event| {
                matches!(event, ClientSessionEvent::ConnectionRequestAccepted)
            })
            .await?;
        let publish = publisher
            .session
            .request_publishing(name.to_owned(), PublishRequestType::Live);
        publisher.send_one(publish).await?;
        publisher
            .until(&[], |event| {
                matches!(event, ClientSessionEvent::PublishRequestAccepted)
            })
            .await?;
        Ok(publisher)
    }

    /// Publishes `name` to the app `live`, and sends so many seconds of H.264 and AAC, `pace` times as fast as real time.
    pub async fn stream(gateway: SocketAddr, name: &str, seconds: u32, pace: f64) -> RmlPublisher {
        let mut publisher = Self::publish(gateway, "live", name).await.unwrap();
        let tags = flv::read(&media::h264_aac(seconds, 1));
        publisher.send_tags(&tags, pace).await.unwrap();
        publisher
    }

    /// Sends metadata of its own, then the audio and video tags, `pace` times as fast as real time.
    pub async fn send_tags(&mut self, tags: &[Tag], pace: f64) -> Result<(), String> {
        let mut metadata = StreamMetadata::new();
        metadata.encoder = Some("aqueduct's tests".to_owned());
        let packet = self.session.publish_metadata(&metadata);
        self.send_one(packet).await?;
        let started = Instant::now();
        for tag in tags {
            self.wait_until(
                started + Duration::from_secs_f64(f64::from(tag.timestamp) / 1000.0 / pace),
            )
            .await?;
            let timestamp = RtmpTimestamp::new(tag.timestamp);
            let packet = match tag.kind {
                AUDIO => self
                    .session
                    .publish_audio_data(tag.payload.clone(), timestamp, false),
                VIDEO => self
                    .session
                    .publish_video_data(tag.payload.clone(), timestamp, false),
                _ => continue,
            };
            self.send_one(packet).await?;
        }
        Ok(())
    }

    /// Says that it ends, and waits for the gateway to close.
    pub async fn stop(mut self) -> Result<(), String> {
        let packets = self
            .session
            .stop_publishing()
            .map_err(|error| error.to_string())?;
        self.send(packets).await?;
        let mut rest = Vec::new();
        match timeout(Duration::from_secs(5), self.socket.read_to_end(&mut rest)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            // The session sends no deleteStream, so a server may well leave the connection open: close it.
            Err(_) => self
                .socket
                .shutdown()
                .await
                .map_err(|error| error.to_string()),
        }
    }

    async fn shake_hands(&mut self) -> Result<Vec<u8>, String> {
        let mut handshake = Handshake::new(PeerType::Client);
        let hello = handshake
            .generate_outbound_p0_and_p1()
            .map_err(|error| error.to_string())?;
        self.write(&hello).await?;
        let mut piece = vec![0; 4096];
        loop {
            let n = self
                .socket
                .read(&mut piece)
                .await
                .map_err(|error| error.to_string())?;
            if n == 0 {
                return Err("closed in the handshake".to_owned());
            }
            match handshake
                .process_bytes(&piece[..n])
                .map_err(|error| error.to_string())?
            {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    self.write(&response_bytes).await?
                }
                HandshakeProcessResult::Completed {
                    response_bytes,
                    remaining_bytes,
                } => {
                    self.write(&response_bytes).await?;
                    return Ok(remaining_bytes);
                }
            }
        }
    }

    /// Reads until the event that is waited for.
    async fn until(
        &mut self,
        first: &[u8],
        wanted: impl Fn(&ClientSessionEvent) -> bool,
    ) -> Result<(), String> {
        let mut piece = first.to_vec();
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            for event in self.take_in(&piece).await? {
                if wanted(&event) {
                    return Ok(());
                }
                if let Some(refusal) = refusal(&event) {
                    return Err(refusal);
                }
            }
            piece.resize(8192, 0);
            let n = tokio::time::timeout_at(deadline, self.socket.read(&mut piece))
                .await
                .map_err(|_| "no answer".to_owned())?
                .map_err(|error| error.to_string())?;
            if n == 0 {
                return Err("closed without an answer".to_owned());
            }
            piece.truncate(n);
        }
    }

    /// Sleeps, and takes in what the gateway says meanwhile.
    async fn wait_until(&mut self, moment: Instant) -> Result<(), String> {
        let mut piece = vec![0; 8192];
        while Instant::now() < moment {
            let n = tokio::select! {
                () = sleep_until(moment) => return Ok(()),
                read = self.socket.read(&mut piece) => read.map_err(|error| error.to_string())?,
            };
            if n == 0 {
                return Err("closed by the gateway".to_owned());
            }
            for event in self.take_in(&piece[..n]).await? {
                if let Some(refusal) = refusal(&event) {
                    return Err(refusal);
                }
            }
        }
        Ok(())
    }

    async fn take_in(&mut self, bytes: &[u8]) -> Result<Vec<ClientSessionEvent>, String> {
        let results = self
            .session
            .handle_input(bytes)
            .map_err(|error| error.to_string())?;
        let mut events = Vec::new();
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => self.write(&packet.bytes).await?,
                ClientSessionResult::RaisedEvent(event) => events.push(event),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        Ok(events)
    }

    async fn send(&mut self, results: Vec<ClientSessionResult>) -> Result<(), String> {
        for result in results {
            if let ClientSessionResult::OutboundResponse(packet) = result {
                self.write(&packet.bytes).await?;
            }
        }
        Ok(())
    }

    async fn send_one(
        &mut self,
        result: Result<ClientSessionResult, ClientSessionError>,
    ) -> Result<(), String> {
        self.send(vec![result.map_err(|error| error.to_string())?])
            .await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.socket
            .write_all(bytes)
            .await
            .map_err(|error| error.to_string())
    }
}

/// The words with which a server refuses, where an event holds some.
fn refusal(event: &ClientSessionEvent) -> Option<String> {
    match event {
        ClientSessionEvent::ConnectionRequestRejected { description } => Some(description.clone()),
        ClientSessionEvent::UnhandleableOnStatusCode { code } => Some(code.clone()),
        ClientSessionEvent::UnhandleableAmf0Command {
            command_name,
            additional_values,
            ..
        } if command_name == "onStatus" => Some(match additional_values.first() {
            Some(Amf0Value::Object(properties)) => format!("{properties:?}"),
            other => format!("{other:?}"),
        }),
        _ => None,
    }
}
