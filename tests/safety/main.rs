//! Safety, door by door: what no URL may lead to, how much a caller may send, how often it may guess, and whom browsers let ask.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../doors/mod.rs"]
mod doors;
#[path = "../gateway_parts/mod.rs"]
mod gateway_parts;
#[path = "../session_peer/mod.rs"]
mod session_peer;
#[path = "../tencent/mod.rs"]
mod tencent;

mod literals;
mod origins;
mod oversize;
mod tries;
mod ways_out;

/// Hosts that no URL may name: however an address is written, with the address and its kind.
const REFUSED: &[(&str, &str)] = &[
    ("127.0.0.1", "127.0.0.1 is a loopback address"),
    ("127.0.0.1.", "127.0.0.1 is a loopback address"),
    ("127.1", "127.0.0.1 is a loopback address"),
    ("127.0.1", "127.0.0.1 is a loopback address"),
    ("2130706433", "127.0.0.1 is a loopback address"),
    ("0x7f000001", "127.0.0.1 is a loopback address"),
    ("0x7f.0.0.1", "127.0.0.1 is a loopback address"),
    ("017700000001", "127.0.0.1 is a loopback address"),
    ("0177.0.0.01", "127.0.0.1 is a loopback address"),
    ("localhost", "127.0.0.1 is a loopback address"),
    ("LocalHost.", "127.0.0.1 is a loopback address"),
    ("x.localhost", "127.0.0.1 is a loopback address"),
    ("[::1]", "::1 is a loopback address"),
    ("[0:0:0:0:0:0:0:1]", "::1 is a loopback address"),
    ("[::127.0.0.1]", "is a loopback address"),
    (
        "[::ffff:127.0.0.1]",
        "::ffff:127.0.0.1 is a loopback address",
    ),
    ("[::ffff:7f00:1]", "::ffff:127.0.0.1 is a loopback address"),
    ("[64:ff9b::7f00:1]", "is a loopback address"),
    ("[2002:7f00:1::]", "is a loopback address"),
    ("10.0.0.1", "10.0.0.1 is a private address"),
    ("172.16.0.1", "172.16.0.1 is a private address"),
    ("192.168.1.1", "192.168.1.1 is a private address"),
    ("0300.0250.1.1", "192.168.1.1 is a private address"),
    ("[::ffff:10.0.0.1]", "is a private address"),
    ("169.254.169.254", "169.254.169.254 is a link-local address"),
    ("2852039166", "169.254.169.254 is a link-local address"),
    ("0xa9fea9fe", "169.254.169.254 is a link-local address"),
    ("[::ffff:a9fe:a9fe]", "is a link-local address"),
    ("[fe80::1]", "fe80::1 is a link-local address"),
    (
        "100.100.100.200",
        "100.100.100.200 is a carrier NAT address",
    ),
    ("[fd00:ec2::254]", "fd00:ec2::254 is a unique local address"),
    ("0", "0.0.0.0 is an unspecified address"),
    ("0.0.0.0", "0.0.0.0 is an unspecified address"),
    ("[::]", ":: is an unspecified address"),
    ("224.0.0.1", "224.0.0.1 is a multicast address"),
    ("255.255.255.255", "255.255.255.255 is a broadcast address"),
];
