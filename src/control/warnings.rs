//! What a stream's publisher should be told. Pure: figures in, warnings out.

use std::time::Duration;

use super::stream_status::{Warning, WarningCode};
use crate::media::{Codec, MediaKind};
use crate::relay::status::{StreamSnapshot, TrackFigures};

/// The longest distance of keyframes that goes unremarked, in milliseconds: platforms ask for 2 s, and take up to 4 s.
const KEYFRAME_INTERVAL_MS: i64 = 4_000;

/// How long a publisher has to show both pictures and sound.
const BOTH_WITHIN: Duration = Duration::from_secs(5);

/// What there is to be said of a stream. Nothing while nobody feeds it.
pub(super) fn warnings(stream: &StreamSnapshot) -> Vec<Warning> {
    if stream.publisher.is_none() {
        return Vec::new();
    }
    let found = [
        (WarningCode::KeyframeInterval, keyframes(stream)),
        (WarningCode::BFrames, b_frames(stream)),
        (WarningCode::NoAudio, lack(stream, MediaKind::Audio)),
        (WarningCode::NoVideo, lack(stream, MediaKind::Video)),
        (WarningCode::ClockJumps, jumps(stream)),
        (WarningCode::ClockStuck, stuck(stream)),
        (WarningCode::ClockOffPace, off_pace(stream)),
        (WarningCode::NoHeader, no_header(stream)),
    ];
    let said = |(code, detail): (_, Option<String>)| detail.map(|detail| Warning { code, detail });
    found.into_iter().filter_map(said).collect()
}

fn keyframes(stream: &StreamSnapshot) -> Option<String> {
    // Streams of sound alone have starts of another kind.
    let has_pictures = tracks(stream, MediaKind::Video).next().is_some();
    let longest = stream.keyframe_interval_ms.max(stream.since_keyframe_ms)?;
    (has_pictures && longest > KEYFRAME_INTERVAL_MS).then(|| {
        let seconds = longest as f64 / 1000.0;
        format!(
            "keyframes come every {seconds:.1} s; most CDNs want one every 2 s, and at most 4 s"
        )
    })
}

fn b_frames(stream: &StreamSnapshot) -> Option<String> {
    let count = stream.figures.b_frames;
    (count > 0).then(|| {
        format!("{count} pictures are B frames, by their composition times; platforms of low latency may not show them")
    })
}

fn lack(stream: &StreamSnapshot, kind: MediaKind) -> Option<String> {
    let is_there = tracks(stream, kind).next().is_some();
    let what = match kind {
        MediaKind::Audio => "sound",
        _ => "pictures",
    };
    (!is_there && stream.fed_for >= BOTH_WITHIN)
        .then(|| format!("nothing of {what} has come; some platforms want both pictures and sound"))
}

fn jumps(stream: &StreamSnapshot) -> Option<String> {
    let jumps = stream.jumps;
    (jumps > 0).then(|| {
        format!("the clock of the timestamps has jumped {jumps} times in the last minute, and was repaired; more than 10 end the publish")
    })
}

fn stuck(stream: &StreamSnapshot) -> Option<String> {
    let text = "the clock of the timestamps stands still on a track, whose frames are given their time of arrival";
    stream.symptoms.stuck.then(|| text.to_owned())
}

fn off_pace(stream: &StreamSnapshot) -> Option<String> {
    let text = "the clock of the timestamps runs at less than half, or more than twice, the wall clock's pace";
    stream.symptoms.off_pace.then(|| text.to_owned())
}

fn no_header(stream: &StreamSnapshot) -> Option<String> {
    let lacks = |track: &&TrackFigures| !stream.headers.serves(track.track, track.codec);
    let codecs: Vec<Codec> = (stream.figures.tracks.iter())
        .filter(lacks)
        .map(|track| track.codec)
        .collect();
    let codec = codecs.first()?;
    Some(format!(
        "the decoder configuration of the {codec} track has not come, so its frames are left out"
    ))
}

fn tracks(stream: &StreamSnapshot, kind: MediaKind) -> impl Iterator<Item = &TrackFigures> {
    let tracks = stream.figures.tracks.iter();
    tracks.filter(move |track| track.track.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::timeline::{Repairs, Symptoms};
    use crate::media::{Shape, Tag};
    use crate::relay::headers::Headers;
    use crate::relay::status::{Publisher, StreamFigures};
    use std::sync::Arc;

    /// A stream that was fed so long with these messages, by a publisher whom nothing is the matter with.
    fn stream(seconds: u64, messages: &[&'static [u8]]) -> StreamSnapshot {
        let (mut figures, mut headers) = (StreamFigures::default(), Headers::default());
        for &payload in messages {
            let kind = match payload.first() {
                Some(0xAF) => MediaKind::Audio,
                _ => MediaKind::Video,
            };
            let shape = Shape::of(kind, payload);
            figures.count(&shape, payload.len(), Duration::ZERO);
            if shape.class.is_kept() {
                headers.keep(&Tag {
                    shape,
                    dts: 0,
                    payload: payload.into(),
                });
            }
        }
        StreamSnapshot {
            figures,
            publisher: Some(Publisher {
                role: crate::rule::Role::Main,
                input: None,
                peer: "192.0.2.7:1".parse().unwrap(),
                client: String::new(),
            }),
            lost: None,
            standby: None,
            repairs: Repairs::default(),
            symptoms: Symptoms::default(),
            jumps: 0,
            fed_for: Duration::from_secs(seconds),
            headers: Arc::new(headers),
            ring_bytes: 0,
            keyframe_interval_ms: Some(2000),
            since_keyframe_ms: Some(1000),
        }
    }

    fn codes(stream: &StreamSnapshot) -> Vec<WarningCode> {
        warnings(stream)
            .iter()
            .map(|warning| warning.code)
            .collect()
    }

    const VIDEO: [&[u8]; 2] = [&[0x17, 0, 0, 0, 0, 1], &[0x17, 1, 0, 0, 0, 0x65]];
    const AUDIO: [&[u8]; 2] = [&[0xAF, 0, 0x12, 0x10], &[0xAF, 1, 0x21]];

    #[test]
    fn a_good_stream_has_none() {
        assert_eq!(codes(&stream(60, &[VIDEO, AUDIO].concat())), []);
    }

    #[test]
    fn nobody_is_warned_while_nobody_publishes() {
        let mut away = stream(60, &VIDEO);
        away.publisher = None;
        assert_eq!(codes(&away), []);
    }

    #[test]
    fn each_fault_has_its_warning() {
        use WarningCode::*;
        type Case = (
            &'static str,
            fn(&mut StreamSnapshot),
            &'static [WarningCode],
        );
        let cases: &[Case] = &[
            ("4 s", |s| s.keyframe_interval_ms = Some(4000), &[]),
            (
                "more",
                |s| s.keyframe_interval_ms = Some(4001),
                &[KeyframeInterval],
            ),
            (
                "the first one, long ago",
                |s| {
                    s.keyframe_interval_ms = None;
                    s.since_keyframe_ms = Some(4001);
                },
                &[KeyframeInterval],
            ),
            (
                "B frames",
                |s| [40, 120, 80].into_iter().for_each(|at| s.figures.show(at)),
                &[BFrames],
            ),
            (
                "other clocks",
                |s| {
                    s.jumps = 2;
                    s.symptoms = Symptoms {
                        stuck: true,
                        off_pace: true,
                    };
                },
                &[ClockJumps, ClockStuck, ClockOffPace],
            ),
            ("no header", |s| s.headers = Arc::default(), &[NoHeader]),
        ];
        for (name, change, expected) in cases {
            let mut stream = stream(60, &[VIDEO, AUDIO].concat());
            change(&mut stream);
            assert_eq!(codes(&stream), *expected, "{name}");
        }
    }

    #[test]
    fn both_kinds_are_waited_for_a_while() {
        for (seconds, messages, expected) in [
            (4, &VIDEO, &[][..]),
            (5, &VIDEO, &[WarningCode::NoAudio]),
            (5, &AUDIO, &[WarningCode::NoVideo]),
        ] {
            assert_eq!(codes(&stream(seconds, messages)), expected);
        }
        let mut slow = stream(60, &AUDIO);
        slow.keyframe_interval_ms = Some(60_000);
        assert_eq!(
            codes(&slow),
            [WarningCode::NoVideo],
            "sound has no keyframes"
        );
    }
}
