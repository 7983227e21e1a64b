//! The packets of a recording, as ffmpeg's own demuxer sees them.

use std::path::Path;
use std::process::{Command, Stdio};

/// One coded packet, never decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Milliseconds: an FLV file counts in nothing finer.
    pub dts: i64,
    pub pts: i64,
    pub size: usize,
    pub md5: String,
}

/// The packets of one track: `v` or `a`.
pub fn of_track(ffmpeg: &Path, file: &Path, track: char) -> Vec<Packet> {
    let output = Command::new(ffmpeg)
        .args(["-v", "error", "-i"])
        .arg(file)
        .args([
            "-map",
            &format!("0:{track}:0"),
            "-c",
            "copy",
            "-f",
            "framemd5",
            "-",
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!("ffmpeg does not start: {error}; ./scripts/test installs it")
        });
    assert!(
        output.status.success(),
        "{}: {}",
        file.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(packet)
        .collect()
}

/// Panics unless `received` is `sent` to the last packet, byte for byte and at the same distances in time, but for a
/// beginning that may be missing. Returns how many packets that beginning has.
pub fn assert_is_a_tail(what: &str, received: &[Packet], sent: &[Packet]) -> usize {
    assert!(!received.is_empty(), "{what}: nothing was received");
    assert!(
        received.len() <= sent.len(),
        "{what}: {} packets of {}",
        received.len(),
        sent.len()
    );
    let cut = sent.len() - received.len();
    for (n, (received_packet, sent_packet)) in received.iter().zip(&sent[cut..]).enumerate() {
        assert_eq!(
            (&received_packet.md5, received_packet.size),
            (&sent_packet.md5, sent_packet.size),
            "{what}: packet {n} of {} differs from packet {} of {}",
            received.len(),
            cut + n,
            sent.len(),
        );
        assert_eq!(
            (
                received_packet.dts - received[0].dts,
                received_packet.pts - received_packet.dts
            ),
            (
                sent_packet.dts - sent[cut].dts,
                sent_packet.pts - sent_packet.dts
            ),
            "{what}: packet {n} is at another time (dts since the first, pts - dts)",
        );
    }
    cut
}

/// What the gateway makes of an encoder's equal stamps: every packet a millisecond after the one before at the least, and shown
/// when it was to be shown.
pub fn strictly_rising(mut packets: Vec<Packet>) -> Vec<Packet> {
    let mut last = i64::MIN;
    for packet in &mut packets {
        packet.dts = packet.dts.max(last + 1);
        packet.pts = packet.pts.max(packet.dts);
        last = packet.dts;
    }
    packets
}

fn packet(line: &str) -> Packet {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let number = |at: usize| {
        fields[at]
            .parse()
            .unwrap_or_else(|_| panic!("not a framemd5 line: {line}"))
    };
    Packet {
        dts: number(1),
        pts: number(2),
        size: fields[4].parse().unwrap(),
        md5: fields[5].to_owned(),
    }
}
