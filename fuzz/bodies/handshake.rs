//! The handshake of either side, whatever the other one says, and however it is cut into reads.

use super::pieces::{Cuts, feed};
use aqueduct::rtmp::handshake::{Client, HandshakeError, Progress, Server};

const PACKET_BYTES: usize = 1536;
/// What each side sends: a version and two packets.
const SIDE_BYTES: usize = 1 + 2 * PACKET_BYTES;

/// The side under test; the fuzzer is the other one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Server,
    PlainClient,
    DigestClient,
}

/// The first byte picks the side and, with the second, where the wire is cut; the rest are the peer's bytes, from its version on.
pub fn run(bytes: &[u8]) {
    let &[mode, piece, ref wire @ ..] = bytes else {
        return;
    };
    let side = match mode % 3 {
        0 => Side::Server,
        1 => Side::PlainClient,
        _ => Side::DigestClient,
    };
    let whole = talk(side, wire, Cuts::WHOLE);
    let cut = talk(side, wire, Cuts::chosen(mode / 3, piece));
    assert_eq!(whole.end, cut.end, "in one read and in many");
    assert_eq!(whole.taken, cut.taken);
    assert_eq!(whole.said.len(), cut.said.len());
    for talked in [&whole, &cut] {
        check(side, wire, talked);
    }
    // A digest is made of random bytes; the rest is not.
    assert!(side != Side::PlainClient || whole.said == cut.said);
}

/// How it went.
struct Talked {
    said: Vec<u8>,
    /// Bytes of the peer's that belong to the handshake.
    taken: usize,
    end: End,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Waits,
    Done,
    Failed(HandshakeError),
}

type Ear = dyn FnMut(&mut &[u8]) -> Result<Progress, HandshakeError>;

fn talk(side: Side, wire: &[u8], cuts: Cuts) -> Talked {
    let mut read: Box<Ear> = match side {
        Side::Server => {
            let mut server = Server::new();
            Box::new(move |input| server.read(input))
        }
        Side::PlainClient | Side::DigestClient => {
            let mut client = match side {
                Side::PlainClient => Client::plain(7),
                _ => Client::digest(),
            };
            Box::new(move |input| client.read(input))
        }
    };
    // A client begins without having heard anything, and a server has nothing to say to that.
    let opening = read(&mut &[][..]).expect("a beginning");
    assert!(!opening.done);
    let (mut said, mut taken) = (opening.output, 0);
    let outcome = feed(wire, cuts, |input| {
        let before = input.len();
        let progress = read(input).map_err(End::Failed)?;
        taken += before - input.len();
        said.extend(progress.output);
        if !progress.done {
            assert!(input.is_empty(), "whoever waits has taken all");
            assert!(said.len() <= most(side, taken));
            return Ok(());
        }
        // What follows is not its own, however often it is asked.
        let behind = *input;
        let again = read(input).map_err(End::Failed)?;
        assert!(again.done && again.output.is_empty() && *input == behind);
        Err(End::Done)
    });
    let end = outcome.err().unwrap_or(End::Waits);
    Talked { said, taken, end }
}

/// The most that may have been said when so much was heard: a server says nothing before it has a whole packet, and what
/// whoever connects is worth to it is twice as much.
fn most(side: Side, heard: usize) -> usize {
    match side {
        Side::Server if heard <= PACKET_BYTES => 0,
        Side::PlainClient | Side::DigestClient if heard <= PACKET_BYTES => 1 + PACKET_BYTES,
        _ => SIDE_BYTES,
    }
}

fn check(side: Side, wire: &[u8], talked: &Talked) {
    let Talked { said, taken, end } = talked;
    match (end, wire.first()) {
        (End::Failed(HandshakeError::Version { version }), Some(first)) => {
            assert!(version == first && *first != 3);
        }
        (End::Failed(other), _) => panic!("{other}"),
        (_, first) => assert!(first.is_none_or(|&first| first == 3)),
    }
    match end {
        End::Done => assert_eq!((*taken, said.len()), (SIDE_BYTES, SIDE_BYTES)),
        End::Waits => assert!(*taken == wire.len() && *taken < SIDE_BYTES),
        End::Failed(_) => {}
    }
    assert!(said.first().is_none_or(|&version| version == 3));
    if side == Side::PlainClient && said.len() == SIDE_BYTES {
        assert_eq!(said[1 + PACKET_BYTES..], wire[1..=PACKET_BYTES], "C2 is S1");
    }
}
