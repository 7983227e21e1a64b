//! Handshakes of both sides against each other, against rml_rtmp, and against digests of both schemas, cut anywhere.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use aqueduct::rtmp::handshake::{Client, HandshakeError, Progress, Server};
use hmac::{Hmac, KeyInit, Mac};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use sha2::Sha256;

const PACKET: usize = 1536;

/// A side of the handshake under test.
type Side<'a> = dyn FnMut(&mut &[u8]) -> Result<Progress, HandshakeError> + 'a;

/// Lets two sides talk in pieces of at most `piece` bytes until both are done.
fn shake(client: &mut Side, server: &mut Side, piece: usize) {
    let mut to_server = client(&mut &[][..]).unwrap().output;
    let mut to_client = Vec::new();
    let (mut client_done, mut server_done) = (false, false);
    while !(client_done && server_done) {
        assert!(
            !to_server.is_empty() || !to_client.is_empty(),
            "one waits for the other"
        );
        let answer = feed(server, &mut to_server, piece);
        to_client.extend(answer.output);
        server_done |= answer.done;
        let answer = feed(client, &mut to_client, piece);
        to_server.extend(answer.output);
        client_done |= answer.done;
    }
    assert!(to_server.is_empty() && to_client.is_empty());
}

fn feed(side: &mut Side, waiting: &mut Vec<u8>, piece: usize) -> Progress {
    let part: Vec<u8> = waiting.drain(..piece.min(waiting.len())).collect();
    if part.is_empty() {
        return Progress::default();
    }
    let mut input = &part[..];
    let progress = side(&mut input).unwrap();
    assert!(input.is_empty(), "no byte of the handshake is left");
    progress
}

/// The library's own side as the peer.
fn library(side: PeerType) -> impl FnMut(&mut &[u8]) -> Result<Progress, HandshakeError> {
    let mut handshake = Handshake::new(side);
    move |input: &mut &[u8]| {
        let result = handshake.process_bytes(std::mem::take(input)).unwrap();
        Ok(match result {
            HandshakeProcessResult::InProgress { response_bytes } => Progress {
                output: response_bytes,
                done: false,
            },
            HandshakeProcessResult::Completed {
                response_bytes,
                remaining_bytes,
            } => {
                assert!(remaining_bytes.is_empty());
                Progress {
                    output: response_bytes,
                    done: true,
                }
            }
        })
    }
}

#[test]
fn each_client_and_each_server_understand_each_other() {
    for piece in [1, 7, 1536, 1537, 4000] {
        for digest in [false, true] {
            let client = || {
                if digest {
                    Client::digest()
                } else {
                    Client::plain(7)
                }
            };
            let (mut client_of_ours, mut server_of_ours) = (client(), Server::new());
            shake(
                &mut |input| client_of_ours.read(input),
                &mut |input| server_of_ours.read(input),
                piece,
            );
            let mut client_of_ours = client();
            shake(
                &mut |input| client_of_ours.read(input),
                &mut library(PeerType::Server),
                piece,
            );
        }
        let mut server_of_ours = Server::new();
        shake(
            &mut library(PeerType::Client),
            &mut |input| server_of_ours.read(input),
            piece,
        );
    }
}

#[test]
fn a_plain_client_gets_its_packet_back_in_one_piece_with_s0_and_s1() {
    let hello = Client::plain(1).read(&mut &[][..]).unwrap().output;
    assert_eq!(hello.len(), 1 + PACKET);
    assert_eq!(hello[..9], [3, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_ne!(hello, Client::plain(2).read(&mut &[][..]).unwrap().output);

    let mut server = Server::new();
    let mut input = &hello[..PACKET];
    assert_eq!(
        server.read(&mut input),
        Ok(Progress::default()),
        "nothing before C1 is whole"
    );
    let answer = server.read(&mut &hello[PACKET..]).unwrap();
    assert!(!answer.done);
    assert_eq!(answer.output.len(), 1 + 2 * PACKET);
    assert_eq!(answer.output[0], 3);
    assert_eq!(answer.output[1 + PACKET..], hello[1..]);
}

#[test]
fn what_follows_the_handshake_stays_in_the_input() {
    let (mut client, mut server) = (Client::plain(1), Server::new());
    let hello = client.read(&mut &[][..]).unwrap().output;
    let answer = server.read(&mut &hello[..]).unwrap().output;

    let bytes = [&answer[..], b"chunks"].concat();
    let mut input = &bytes[..];
    let last = client.read(&mut input).unwrap();
    assert!(last.done);
    assert_eq!(input, b"chunks");
    assert_eq!(
        client.read(&mut input),
        Ok(Progress {
            output: Vec::new(),
            done: true
        })
    );
    assert_eq!(last.output, answer[1..=PACKET], "C2 is S1");

    let bytes = [&last.output[..], b"chunks"].concat();
    let mut input = &bytes[..];
    assert_eq!(
        server.read(&mut input),
        Ok(Progress {
            output: Vec::new(),
            done: true
        })
    );
    assert_eq!(input, b"chunks");
    assert_eq!(
        server.read(&mut input),
        Ok(Progress {
            output: Vec::new(),
            done: true
        })
    );
    assert_eq!(input, b"chunks");
}

#[test]
fn wrong_echoes_are_no_reason_to_fail() {
    let (mut client, mut server) = (Client::plain(1), Server::new());
    let hello = client.read(&mut &[][..]).unwrap().output;
    server.read(&mut &hello[..]).unwrap();
    assert!(server.read(&mut &[0xAA; PACKET][..]).unwrap().done);
    // S1 with a version, as YouTube sends it, and an S2 of nobody.
    let answer = [
        &[3, 0, 0, 0, 0, 4, 5, 0, 1][..],
        &[0x55; 2 * PACKET - 8][..],
    ]
    .concat();
    let last = client.read(&mut &answer[..]).unwrap();
    assert!(last.done);
    assert_eq!(last.output, answer[1..=PACKET]);
}

#[test]
fn other_versions_are_refused_with_what_they_mean() {
    let cases = [
        (0x06, "encrypted"),
        (0x16, "TLS"),
        (b'G', "HTTP"),
        (0, "0x00"),
        (255, "0xff"),
    ];
    for (version, word) in cases {
        let mut sides: [Box<Side>; 3] = [
            Box::new({
                let mut side = Server::new();
                move |input| side.read(input)
            }),
            Box::new({
                let mut side = Client::plain(0);
                move |input| side.read(input)
            }),
            Box::new({
                let mut side = Client::digest();
                move |input| side.read(input)
            }),
        ];
        for side in &mut sides {
            let error = side(&mut &[version, 1, 2, 3][..]).unwrap_err();
            assert_eq!(error, HandshakeError::Version { version });
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Where the digest of a packet lies: the offset stands in four bytes at `field`, and counts from behind them.
fn digest_at(packet: &[u8], field: usize) -> usize {
    let sum: usize = packet[field..field + 4]
        .iter()
        .map(|&byte| usize::from(byte))
        .sum();
    field + 4 + sum % 728
}

#[test]
fn digests_of_both_schemas_are_answered_with_a_signature() {
    const PLAYER: &[u8] = b"Genuine Adobe Flash Player 001";
    const SERVER: &[u8] = b"Genuine Adobe Flash Media Server 001";
    const TAIL: [u8; 32] = [
        0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E,
        0x57, 0x6E, 0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB,
        0x31, 0xAE,
    ];
    for field in [772, 8] {
        let mut packet: Vec<u8> = (0..PACKET).map(|at| (at * 31 % 251) as u8).collect();
        let at = digest_at(&packet, field);
        let digest = hmac(PLAYER, &[&packet[..at], &packet[at + 32..]]);
        packet[at..at + 32].copy_from_slice(&digest);

        let answer = Server::new()
            .read(&mut &[&[3], &packet[..]].concat()[..])
            .unwrap()
            .output;
        let (s1, s2) = answer[1..].split_at(PACKET);
        let (filler, signature) = s2.split_at(PACKET - 32);
        let key = hmac(&[SERVER, &TAIL].concat(), &[&digest]);
        assert_eq!(
            signature,
            hmac(&key, &[filler]),
            "S2 signs C1's digest at {field}"
        );
        let signed = [772, 8].iter().any(|&field| {
            let at = digest_at(s1, field);
            s1[at..at + 32] == hmac(SERVER, &[&s1[..at], &s1[at + 32..]])
        });
        assert!(signed, "S1 has a digest in one of the schemas");
    }
}
