//! One relay's turn: it is started, publishers and targets are brought together, and the load is driven through it.

use crate::contender::{Contender, Ports, Relay, free_port};
use crate::drive::{self, Figures};
use crate::frames::{Frames, Kind};
use crate::greet;
use crate::options::Options;
use crate::sink::{Sink, Speaks};
use crate::tls::{self, Acceptor};
use crate::turns::{Place, Turns};
use crate::{Outcome, clock};
use aqueduct::rtmp::chunk::Reader;
use bytes::BytesMut;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Barrier;
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long all connections together may take.
const GREETING: Duration = Duration::from_secs(60);

/// How targets are spoken to.
#[derive(Clone)]
enum Manner {
    /// With a publisher's chunks, and no greeting before them.
    Raw,
    Rtmp,
    Rtmps(Acceptor),
}

/// Everybody, connected.
pub struct Scene {
    pub publishers: Vec<TcpStream>,
    pub sinks: Vec<Sink>,
    pub frames: Frames,
}

/// Runs relays at the same time, from their start to their end.
pub fn run_together(options: &Options, contenders: &[Contender]) -> Vec<Outcome<Figures>> {
    let all_set = Barrier::new(contenders.len());
    let turns = Turns::of(contenders.len());
    std::thread::scope(|scope| {
        let start = |(number, contender)| {
            let (all_set, place) = (&all_set, turns.place(number));
            scope.spawn(move || run(options, contender, all_set, place))
        };
        let running: Vec<_> = contenders.iter().enumerate().map(start).collect();
        let outcomes = running.into_iter().map(|thread| thread.join());
        outcomes
            .map(|outcome| outcome.unwrap_or_else(|_| Err("the load panicked".into())))
            .collect()
    })
}

fn run(
    options: &Options,
    contender: &Contender,
    all_set: &Barrier,
    place: Place<'_>,
) -> Outcome<Figures> {
    let scene = prepare(options, contender);
    // Also after a failure: the others wait.
    all_set.wait();
    let (scene, relay) = scene?;
    drive::drive(options, scene, &relay, &place, contender.rest())
}

fn prepare(options: &Options, contender: &Contender) -> Outcome<(Scene, Relay)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listen = TcpListener::bind((Ipv4Addr::LOCALHOST, options.sink_port));
    let listener = runtime.block_on(listen)?;
    let ports = Ports {
        rtmp: match options.rtmp_port {
            0 => free_port()?,
            port => port,
        },
        sink: listener.local_addr()?.port(),
    };
    let certificate = NamedTempFile::new()?;
    let acceptor = Acceptor::new(certificate.path())?;
    let manner = match (contender.is_raw(), contender.is_rtmps()) {
        (true, _) => Manner::Raw,
        (false, true) => Manner::Rtmps(acceptor),
        (false, false) => Manner::Rtmp,
    };
    let mut relay = contender.start(options, ports, certificate.path())?;
    let scene = runtime.block_on(async {
        timeout(GREETING, set(options, manner, listener, ports.rtmp))
            .await
            .map_err(|_| format!("not all were connected within {GREETING:?}"))?
    });
    match scene {
        Err(error) if relay.program.has_ended() => {
            Err(format!("the relay ended at once ({error})").into())
        }
        other => Ok((other?, relay)),
    }
}

async fn set(
    options: &Options,
    manner: Manner,
    listener: TcpListener,
    rtmp: u16,
) -> Outcome<Scene> {
    let is_raw = matches!(manner, Manner::Raw);
    let (tell, mut told) = mpsc::unbounded_channel();
    let accepting = tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (tell, manner) = (tell.clone(), manner.clone());
            tokio::spawn(async move {
                // One that is not greeted is missed at the end.
                if let Ok(sink) = greet_sink(tcp, manner).await {
                    let _ = tell.send(sink);
                }
            });
        }
    });
    let mut publishers = Vec::new();
    let mut made: Option<(u32, Frames)> = None;
    for number in 0..options.streams {
        let mut tcp = greet::dial(rtmp).await;
        tcp.set_nodelay(true)?;
        let stream_id = if is_raw {
            1
        } else {
            greet::publish(&mut tcp, &format!("s{number}")).await?
        };
        let (known, frames) =
            made.get_or_insert_with(|| (stream_id, Frames::new(options, stream_id)));
        if *known != stream_id {
            return Err("the relay numbers the message streams of its connections".into());
        }
        tcp.write_all(frames.start()).await?;
        // Some relays call their targets once there is a picture to begin with.
        let picture = frames.message(Kind::Video, 0, clock::now());
        tcp.write_all(picture).await?;
        publishers.push(tcp.into_std()?);
    }
    let (_, frames) = made.ok_or("no streams")?;
    let mut sinks = Vec::new();
    while sinks.len() < options.connections() {
        sinks.push(told.recv().await.ok_or("no more targets")?);
    }
    accepting.abort();
    Ok(Scene {
        publishers,
        sinks,
        frames,
    })
}

async fn greet_sink(mut tcp: tokio::net::TcpStream, manner: Manner) -> Outcome<Sink> {
    let (tcp, tls, speaks, inbox) = match manner {
        Manner::Raw => {
            let mut reader = Reader::new();
            reader.publish_accepted();
            let speaks = Speaks::Chunks(Box::new(reader));
            (tcp, None, speaks, BytesMut::new())
        }
        Manner::Rtmp => {
            let (session, inbox) = greet::receive(&mut tcp).await?;
            (tcp, None, Speaks::Rtmp(Box::new(session)), inbox)
        }
        Manner::Rtmps(acceptor) => {
            let mut tls = acceptor.accept(tcp).await?;
            let (session, inbox) = greet::receive(&mut tls).await?;
            let (tcp, tls) = tls::apart(tls);
            (tcp, Some(tls), Speaks::Rtmp(Box::new(session)), inbox)
        }
    };
    Ok(Sink {
        tcp: tcp.into_std()?,
        tls,
        speaks,
        inbox,
    })
}
