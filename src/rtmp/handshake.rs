//! What precedes all chunks (RTMP 1.0, section 5.2): a version byte and two packets of 1536 bytes each way.
//!
//! Both sides take bytes and give bytes; the deadline is the caller's
//! ([`HANDSHAKE_TIMEOUT`](super::limits::HANDSHAKE_TIMEOUT)). What follows the handshake stays in the input.

use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use thiserror::Error;

/// Bytes of each of C1, C2, S1 and S2.
const PACKET_BYTES: usize = 1536;
/// Bytes that each side sends.
const HANDSHAKE_BYTES: usize = 1 + 2 * PACKET_BYTES;
/// The only version without encryption.
const VERSION: u8 = 3;

/// What a step of the handshake gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes to send to the peer, at most 3073 in one step.
    pub output: Vec<u8>,
    /// Whether the peer's part is complete: what is left in the input are chunks.
    pub done: bool,
}

/// Why there is no RTMP to be spoken with this peer. Another try gives the same.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// The peer's first byte is not 3.
    #[error("handshake begins with {version:#04x} and not 0x03{}", hint(*version))]
    Version {
        /// The byte.
        version: u8,
    },
    /// The digest could not be made or read.
    #[error("handshake digest: {reason}")]
    Digest {
        /// What the library says.
        reason: String,
    },
}

/// What such a first byte usually means.
fn hint(version: u8) -> &'static str {
    match version {
        6 | 8 | 9 => " (encrypted RTMP, which is not supported)",
        0x16 => " (TLS on a port for plain RTMP?)",
        b'A'..=b'Z' => " (HTTP on a port for RTMP?)",
        _ => "",
    }
}

/// The side that is connected to: answers plain handshakes and both digest schemas alike.
///
/// It never examines C2, because Flash fails every check of it.
pub struct Server {
    digest: Digest,
    /// S0 and S1 until C1 is there and S2 follows them: some clients take all three for one piece.
    held: Vec<u8>,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// A handshake that waits for C0.
    pub fn new() -> Self {
        Self {
            digest: Digest::new(PeerType::Server),
            held: Vec::new(),
        }
    }

    /// Takes what there is of C0, C1 and C2, and moves `input` behind it.
    ///
    /// # Errors
    /// [`HandshakeError`] where the peer speaks something else.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Progress, HandshakeError> {
        let Progress { output, done } = self.digest.read(input)?;
        self.held.extend(output);
        if self.digest.taken <= PACKET_BYTES {
            return Ok(Progress::default());
        }
        Ok(Progress {
            output: std::mem::take(&mut self.held),
            done,
        })
    }
}

/// The side that connects.
pub struct Client(Kind);

enum Kind {
    /// As OBS does it, and every service takes it.
    Plain(Plain),
    /// With a digest as Flash does it, for servers that insist.
    Digest(Digest),
}

impl Client {
    /// A plain handshake. The seed makes its bytes differ from those of other connections; it protects nothing.
    pub fn plain(seed: u64) -> Self {
        Self(Kind::Plain(Plain {
            seed,
            stage: Stage::Begin,
        }))
    }

    /// A handshake with a digest, as an option per target.
    pub fn digest() -> Self {
        Self(Kind::Digest(Digest::new(PeerType::Client)))
    }

    /// Takes what there is of S0, S1 and S2, and moves `input` behind it. The first call gives C0 and C1 and may have no
    /// input; C2 follows on S1, whatever version S1 claims: YouTube claims one and wants none.
    ///
    /// # Errors
    /// [`HandshakeError`] where the peer speaks something else.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Progress, HandshakeError> {
        match &mut self.0 {
            Kind::Plain(plain) => plain.read(input),
            Kind::Digest(digest) => digest.read(input),
        }
    }
}

/// A handshake that only echoes.
struct Plain {
    seed: u64,
    stage: Stage,
}

enum Stage {
    Begin,
    Version,
    /// Collects S1.
    Packet1(Vec<u8>),
    /// Passes over S2, of which so many bytes are left. It should be C1, and OBS only warns where it is not.
    Packet2(usize),
    Done,
}

impl Plain {
    fn read(&mut self, input: &mut &[u8]) -> Result<Progress, HandshakeError> {
        let mut progress = Progress::default();
        loop {
            self.stage = match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Begin => {
                    progress.output = opening(self.seed);
                    Stage::Version
                }
                Stage::Version => {
                    let &[version] = take(input, 1) else {
                        self.stage = Stage::Version;
                        return Ok(progress);
                    };
                    check_version(version)?;
                    Stage::Packet1(Vec::with_capacity(PACKET_BYTES))
                }
                Stage::Packet1(mut packet) => {
                    packet.extend_from_slice(take(input, PACKET_BYTES - packet.len()));
                    if packet.len() < PACKET_BYTES {
                        self.stage = Stage::Packet1(packet);
                        return Ok(progress);
                    }
                    progress.output.append(&mut packet);
                    Stage::Packet2(PACKET_BYTES)
                }
                Stage::Packet2(left) => match left - take(input, left).len() {
                    0 => Stage::Done,
                    left => {
                        self.stage = Stage::Packet2(left);
                        return Ok(progress);
                    }
                },
                Stage::Done => {
                    progress.done = true;
                    return Ok(progress);
                }
            };
        }
    }
}

/// C0 and C1: the version, a time of 0, four zero bytes that say "no digest", and filler.
fn opening(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; 1 + PACKET_BYTES];
    let mut state = seed;
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = match at {
            0 => VERSION,
            1..=8 => 0,
            _ => {
                // The generator of Knuth's MMIX; its high byte varies best.
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                state.to_be_bytes()[0]
            }
        };
    }
    bytes
}

/// A handshake by rml_rtmp, of either side, which is given the bytes of the handshake and none of what follows.
struct Digest {
    handshake: Box<Handshake>,
    /// Bytes of the peer that it was given, up to [`HANDSHAKE_BYTES`].
    taken: usize,
}

impl Digest {
    fn new(side: PeerType) -> Self {
        Self {
            handshake: Box::new(Handshake::new(side)),
            taken: 0,
        }
    }

    fn read(&mut self, input: &mut &[u8]) -> Result<Progress, HandshakeError> {
        if self.taken == HANDSHAKE_BYTES {
            return Ok(Progress {
                output: Vec::new(),
                done: true,
            });
        }
        if let (0, Some(&version)) = (self.taken, input.first()) {
            check_version(version)?;
        }
        let bytes = take(input, HANDSHAKE_BYTES - self.taken);
        self.taken += bytes.len();
        match self.handshake.process_bytes(bytes) {
            Ok(HandshakeProcessResult::InProgress {
                response_bytes: output,
            }) => Ok(Progress {
                output,
                done: false,
            }),
            Ok(HandshakeProcessResult::Completed {
                response_bytes: output,
                ..
            }) => Ok(Progress { output, done: true }),
            Err(error) => Err(HandshakeError::Digest {
                reason: error.to_string(),
            }),
        }
    }
}

fn check_version(version: u8) -> Result<(), HandshakeError> {
    if version == VERSION {
        Ok(())
    } else {
        Err(HandshakeError::Version { version })
    }
}

/// Up to `most` bytes from the front of `input`.
fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (bytes, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    bytes
}
