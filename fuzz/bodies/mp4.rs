//! Whatever bytes they are: no panic, samples within their bounds, and times that a message can carry.

use aqueduct::mp4::limits::VIDEO_SAMPLE_BYTES_MAX;
use aqueduct::mp4::{BoxHead, Movie, Sample};

/// Samples that are looked at of one index: a table may claim billions.
const SAMPLES: usize = 4096;

/// What is in a `moov` box, its length in front, and behind it what is in a `moof` box.
pub fn run(bytes: &[u8]) {
    let Some((&length, rest)) = bytes.split_first_chunk() else {
        return;
    };
    let length = usize::from(u16::from_be_bytes(length)).min(rest.len());
    let (moov, moof) = rest.split_at(length);
    if let Ok(Some(head)) = BoxHead::read(rest) {
        assert!(head.head == 8 || head.head == 16);
    }
    let Ok(mut movie) = Movie::read(moov) else {
        return;
    };
    assert!((1..=2).contains(&movie.tracks().len()));
    for track in movie.tracks() {
        assert!(track.header().len() >= 2);
    }
    for _ in 0..SAMPLES {
        match movie.next_sample() {
            Ok(Some(sample)) => check(&movie, &sample),
            Ok(None) | Err(_) => break,
        }
    }
    if let Ok(samples) = movie.read_fragment(moof, 0) {
        assert!(samples.is_sorted_by_key(|sample| sample.dts));
        samples.iter().for_each(|sample| check(&movie, sample));
    }
}

fn check(movie: &Movie, sample: &Sample) {
    assert!(sample.size <= VIDEO_SAMPLE_BYTES_MAX);
    assert!((-0x80_0000..0x80_0000).contains(&sample.cts));
    let message = movie.tracks()[sample.track].message(sample, b"data");
    assert!(message.ends_with(b"data") && message.len() <= 4 + 16);
}
