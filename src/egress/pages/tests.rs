use super::*;
use rustix::net::sockopt::set_socket_send_buffer_size;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

/// A socket that is never waited for, and its other end.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    near.set_nonblocking(true).unwrap();
    set_socket_send_buffer_size(&near, 212_992).unwrap();
    (near, listener.accept().unwrap().0)
}

/// A piece that differs from others at every place.
fn piece(number: u8, bytes: usize) -> Vec<u8> {
    let byte = |at: usize| (at as u8).wrapping_mul(31) ^ (at >> 8) as u8 ^ number;
    (0..bytes).map(byte).collect()
}

fn read(far: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut read = vec![0; bytes];
    far.read_exact(&mut read).unwrap();
    read
}

#[test]
fn what_sockets_took_stays_as_it_was_when_later_pieces_have_come_and_gone() {
    let mut pages = Pages::new().unwrap();
    let mut sockets: Vec<_> = (0..3).map(|_| pair()).collect();
    // Lengths of parts of pages, of pages, and of more than a packet takes.
    let lengths = [1, 4095, 4096, 4097, 22_500, 65_536, 100_001];
    let pieces = || (0_u8..).zip(lengths).map(|(n, bytes)| piece(n, bytes));
    for held in pieces() {
        pages.hold(&held).unwrap();
        for (near, _) in &sockets {
            assert_eq!(pages.give(near).unwrap().unwrap(), held.len());
        }
        pages.clear().unwrap();
    }
    for (_, far) in &mut sockets {
        for expected in pieces() {
            assert!(read(far, expected.len()) == expected);
        }
    }
}

#[test]
fn a_socket_that_takes_a_part_takes_nothing_from_the_others() {
    let mut pages = Pages::new().unwrap();
    let ((slow, mut far_slow), (fast, mut far_fast)) = (pair(), pair());
    set_socket_send_buffer_size(&slow, 4096).unwrap();
    let held = piece(7, 900_000);
    pages.hold(&held).unwrap();
    let taken = pages.give(&slow).unwrap().unwrap();
    assert!(taken > 0 && taken < held.len(), "{taken}");
    let full = pages.give(&slow).unwrap().unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    assert!(read(&mut far_slow, taken) == held[..taken]);

    // The same pages, and then others, reach the socket that has room.
    let reader = std::thread::spawn(move || read(&mut far_fast, 900_000 + 50_000));
    fast.set_nonblocking(false).unwrap();
    assert_eq!(pages.give(&fast).unwrap().unwrap(), held.len());
    let next = piece(8, 50_000);
    pages.hold(&next).unwrap();
    assert_eq!(pages.give(&fast).unwrap().unwrap(), next.len());
    assert!(reader.join().unwrap() == [held, next].concat());
}

#[test]
fn a_socket_whose_peer_has_gone_says_so_and_the_pages_serve_the_others() {
    let mut pages = Pages::new().unwrap();
    let ((mut lost, far), (near, mut far_near)) = (pair(), pair());
    // Unread bytes make the peer's goodbye a reset.
    lost.write_all(b"unread").unwrap();
    far.peek(&mut [0; 6]).unwrap();
    drop(far);
    let held = piece(3, 30_000);
    pages.hold(&held).unwrap();
    let gone = pages.give(&lost).unwrap().unwrap_err();
    assert!(
        matches!(
            gone.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        ),
        "{gone}"
    );
    let gone = pages.give(&lost).unwrap().unwrap_err();
    assert_eq!(gone.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(pages.give(&near).unwrap().unwrap(), held.len());
    assert!(read(&mut far_near, held.len()) == held);
}

#[test]
fn what_cannot_be_given_so_is_an_error_and_nothing_is_given() {
    let mut pages = Pages::new().unwrap();
    pages.hold(&piece(1, 10_000)).unwrap();
    // A file that is only appended to takes no pages.
    let named = tempfile::NamedTempFile::new().unwrap();
    let file = File::options().append(true).open(named.path()).unwrap();
    let refused = pages.give(&file);
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(file.metadata().unwrap().len(), 0);
}

#[test]
fn a_piece_of_the_full_capacity_is_held_and_a_longer_one_is_an_error() {
    let mut pages = Pages::new().unwrap();
    let most = pages.capacity();
    pages.hold(&piece(1, most)).unwrap();
    pages.hold(&piece(2, most)).unwrap();
    pages.clear().unwrap();
    assert!(!pages.holds_one());
    assert!(pages.hold(&piece(3, most + 1)).is_err());
}
