//! Ingest: what comes in. It accepts publishers, judges them, and feeds their streams' rings.

pub mod admission;
mod apps;
mod buffer;
mod connection;
mod flood;
pub mod inputs;
mod outcome;
mod silence;
mod socket;
mod tries;

pub use admission::{Admission, PublishAttempt, Refused, Verdict};
pub use apps::{Apps, HookAnswer, PublishAuth, PublishHook, PublishWish};
pub use outcome::{Ended, NotPublished};
pub use tries::Limited;

use crate::net::listener::Acceptor;
use crate::net::permits::Permit;
use crate::relay::status::Losses;
use crate::relay::{Arrival, Beat, DuplicatePolicy, Hub, Shards};
use crate::rule::{SourceKind, StreamKey};
use crate::secret::Secret;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What every publisher's connection is served with.
pub struct Gate {
    /// Where streams live.
    pub hub: Arc<Hub>,
    /// Who may publish.
    pub admission: Arc<dyn Admission>,
    /// Cancelled when the gateway is about to end: no new publishers, and those that are there are seen off.
    pub drain: CancellationToken,
    /// Told what happens.
    pub watch: Arc<dyn Watch>,
    /// Which names lead to inputs that somebody has wished for.
    pub names: Arc<inputs::Names>,
    /// Whether a second publisher of a live stream is refused, whoever it is; it may change while the gateway runs.
    pub reject_duplicates: AtomicBool,
}

/// Is told what publishers do: the logs and the metrics.
pub trait Watch: Send + Sync {
    /// A publisher was let in, or an input of the gateway's own has media.
    fn publish_started(&self, publisher: Publisher<'_>, client: &str, how: Arrival);
    /// Its publish is over, after so many bytes and so much time.
    fn publish_ended(&self, publisher: Publisher<'_>, why: &Ended, bytes: u64, lasted: Duration);
    /// A connection ended without a publish; `asked` is what it wanted to publish, if it came that far.
    fn not_published(&self, peer: SocketAddr, why: &NotPublished, asked: Option<&Asked>);
    /// So much media was read at once.
    fn received(&self, received: &Received);
}

/// Who feeds a stream.
#[derive(Clone, Copy, Debug)]
pub struct Publisher<'a> {
    /// The stream.
    pub stream: &'a StreamKey,
    /// Where it comes from; port 0 where the gateway fetches or plays it.
    pub peer: SocketAddr,
    /// The kind of input, where one was put; none for a plain publisher.
    pub input: Option<SourceKind>,
}

/// What a publisher wanted to publish.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The app.
    pub app: String,
    /// The name, its query included.
    pub name: Secret,
}

/// What one turn of a publisher's connection brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received {
    /// Reads that it took.
    pub reads: u32,
    /// Bytes on the wire.
    pub bytes: usize,
    /// Tags of video, audio and data.
    pub video: u64,
    /// See `video`.
    pub audio: u64,
    /// See `video`.
    pub data: u64,
    /// Tags that were left out, and timestamps that were repaired, if any were.
    pub losses: Option<Losses>,
}

impl Received {
    /// Adds what one batch has lost.
    fn lose(&mut self, losses: Losses) {
        *self.losses.get_or_insert_default() += losses;
    }
}

/// An open listener for publishers.
pub struct Listener {
    /// Where connections come from.
    pub acceptor: Acceptor,
    /// RTMPS, with the certificate that new connections are shown; RTMP where there is none.
    pub tls: Option<Arc<ArcSwap<rustls::ServerConfig>>>,
}

/// Accepts publishers and serves each on a shard of its own, until the gate's drain.
pub async fn serve(mut listener: Listener, gate: Arc<Gate>, shards: Arc<Shards>) {
    loop {
        let accepted = tokio::select! {
            () = gate.drain.cancelled() => return,
            accepted = listener.acceptor.accept() => accepted,
        };
        let tls = listener.tls.as_ref().map(|tls| tls.load_full());
        let gate = Arc::clone(&gate);
        let Ok(tcp) = accepted.stream.into_std() else {
            // The socket is closed; whoever it was comes again.
            continue;
        };
        let (peer, permit) = (accepted.peer, accepted.permit);
        let shard = shards.pick();
        let beat = Arc::clone(&shard.beat);
        shard.handle.spawn(async move {
            // A runtime that takes no more sockets, or TLS that cannot begin, costs this connection and no other.
            let _ = serve_one(tcp, peer, permit, tls, &gate, &beat).await;
        });
    }
}

/// Serves one connection to its end. The socket comes as the operating system knows it, since it changes runtimes.
async fn serve_one(
    tcp: std::net::TcpStream,
    peer: SocketAddr,
    permit: Permit,
    tls: Option<Arc<rustls::ServerConfig>>,
    gate: &Gate,
    beat: &Arc<Beat>,
) -> std::io::Result<()> {
    let tls = tls
        .map(rustls::ServerConnection::new)
        .transpose()
        .map_err(std::io::Error::other)?;
    let tcp = tokio::net::TcpStream::from_std(tcp)?;
    connection::serve(socket::Socket::new(tcp, tls), peer, permit, gate, beat).await;
    Ok(())
}

impl Gate {
    fn duplicate(&self) -> DuplicatePolicy {
        if self.reject_duplicates.load(Ordering::Relaxed) {
            DuplicatePolicy::Reject
        } else {
            DuplicatePolicy::Takeover
        }
    }
}
