use super::*;
use crate::media::MediaKind;
use crate::relay::ring::RingLimits;
use crate::relay::testing::claim;
use crate::relay::{DuplicatePolicy, Hub, Outflow, Producer};
use crate::rtmp::session::client::{ClientConfig, ClientSession};
use crate::rule::StreamKey;
use bytes::Bytes;
use futures::FutureExt;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

const LONG: usize = 30_000;
const SHORT: usize = 5_000;

/// A socket that the test serves, what it is to get, and its other end.
struct Socket {
    near: TcpStream,
    far: TcpStream,
    base: i64,
    /// What it was to have got so far.
    expected: Vec<u8>,
}

/// An outflow that asks for the piece of one socket after the other, and notes who was given it from pages.
struct Sockets {
    all: Mutex<Vec<Socket>>,
    crowd: Mutex<Crowd>,
    given: Mutex<String>,
}

impl Sockets {
    /// Sockets whose streams begin at these times.
    async fn of(bases: &[i64]) -> Arc<Self> {
        let mut all = Vec::new();
        for &base in bases {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).await;
            all.push(Socket {
                near: near.unwrap(),
                far: listener.accept().await.unwrap().0,
                base,
                expected: Vec::new(),
            });
        }
        Arc::new(Self {
            all: Mutex::new(all),
            crowd: Mutex::default(),
            given: Mutex::default(),
        })
    }

    /// What the last delivery did: `p` for pages, `w` for what is left to be written, a letter for each socket.
    fn given(&self) -> String {
        std::mem::take(&mut *self.given.lock().unwrap())
    }

    /// All that came is what was to come.
    async fn check(&self) {
        let mut all = std::mem::take(&mut *self.all.lock().unwrap());
        for socket in &mut all {
            let mut read = vec![0; socket.expected.len()];
            socket.far.read_exact(&mut read).await.unwrap();
            assert!(read == socket.expected, "what began at {}", socket.base);
            assert!(socket.far.read_u8().now_or_never().is_none());
            socket.expected.clear();
        }
        *self.all.lock().unwrap() = all;
    }
}

impl Outflow for Sockets {
    fn flow(&self, stream: &Stream, fresh: &Fresh, _: usize) -> Option<usize> {
        let (mut all, mut crowd) = (self.all.lock().unwrap(), self.crowd.lock().unwrap());
        let framing = ClientSession::new(ClientConfig::new("a", "rtmp://h/a", "k")).media_framing();
        Composed::of(stream, fresh, &mut crowd, |composed| {
            for socket in &mut *all {
                assert!(composed.compose_for(socket.base, framing));
                let given = composed.give(&socket.near);
                self.given
                    .lock()
                    .unwrap()
                    .push(if given.is_some() { 'p' } else { 'w' });
                let piece = composed.bytes();
                let taken = given.unwrap_or_else(|| socket.near.try_write(piece));
                assert_eq!(taken.unwrap(), piece.len());
                socket.expected.extend_from_slice(piece);
            }
        });
        None
    }
}

fn producer(sockets: &Arc<Sockets>) -> Producer {
    let key = StreamKey::parse("live", "cam").unwrap();
    let producer = Hub::new(RingLimits::default()).claim(&key, claim(), DuplicatePolicy::Takeover);
    let producer = producer.ok().unwrap();
    producer.stream().flow_to(Arc::clone(sockets) as _);
    deliver(&producer, 0, vec![0x17, 0, 0, 0, 0, 1]);
    deliver(&producer, 0, picture(0x17, 100, 1));
    producer
}

fn picture(kind: u8, bytes: usize, seed: u8) -> Vec<u8> {
    let byte = |at: usize| (at as u8).wrapping_mul(29) ^ (at >> 7) as u8 ^ seed;
    [
        &[kind, 1, 0, 0, 0][..],
        &(0..bytes).map(byte).collect::<Vec<_>>(),
    ]
    .concat()
}

fn deliver(producer: &Producer, at: u32, payload: Vec<u8>) {
    let mut batch = producer.batch().unwrap();
    batch.push(MediaKind::Video, at, Bytes::from(payload));
    drop(batch);
    producer.deliver().now_or_never().unwrap();
}

/// Delivers a picture of so many bytes; what [`Sockets::given`] says then.
fn given(producer: &Producer, sockets: &Sockets, at: u32, bytes: usize) -> String {
    sockets.given();
    deliver(producer, at, picture(0x27, bytes, at as u8));
    sockets.given()
}

#[tokio::test]
async fn eight_sockets_that_get_the_same_long_piece_get_it_from_pages() {
    let sockets = Sockets::of(&[0; 8]).await;
    let producer = producer(&sockets);
    assert_eq!(given(&producer, &sockets, 40, LONG), "pppppppp");
    assert_eq!(given(&producer, &sockets, 80, SHORT), "wwwwwwww");
    assert_eq!(given(&producer, &sockets, 120, LONG), "pppppppp");
    sockets.check().await;
}

#[tokio::test]
async fn fewer_are_written_to_and_who_comes_and_goes_counts_from_the_next_piece_on() {
    let sockets = Sockets::of(&[0; 8]).await;
    let producer = producer(&sockets);
    let last = sockets.all.lock().unwrap().pop().unwrap();
    assert_eq!(given(&producer, &sockets, 40, LONG), "ppppppp");
    assert_eq!(given(&producer, &sockets, 80, LONG), "wwwwwww");
    sockets.all.lock().unwrap().push(last);
    assert_eq!(given(&producer, &sockets, 120, LONG), "wwwwwwww");
    assert_eq!(given(&producer, &sockets, 160, LONG), "pppppppp");
}

#[tokio::test]
async fn those_that_began_elsewhere_get_pieces_of_their_own_beside_a_crowd() {
    let bases = [[-1, -2].as_slice(), &[0; 9], &[-3, 0, -4]].concat();
    let sockets = Sockets::of(&bases).await;
    let producer = producer(&sockets);
    for at in [40, 80, 120] {
        assert_eq!(given(&producer, &sockets, at, LONG), "wwpppppppppwww");
    }
    sockets.check().await;
}

#[tokio::test]
async fn where_the_kernel_passes_no_pages_on_everything_is_written() {
    let sockets = Sockets::of(&[0; 8]).await;
    let producer = producer(&sockets);
    ROOM.with_borrow_mut(|room| room.supply = Supply::Refused);
    assert_eq!(given(&producer, &sockets, 40, LONG), "wwwwwwww");
    assert_eq!(given(&producer, &sockets, 80, LONG), "wwwwwwww");
    sockets.check().await;
}
