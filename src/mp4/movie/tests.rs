use super::*;
use mp4_atom::{
    Avc1, Avcc, Codec, Ctts, CttsEntry, Edts, Elst, ElstEntry, FixedPoint, Hdlr, Jpeg, Mdhd, Mdia,
    Minf, Mvhd, Stbl, Stco, Stsc, StscEntry, Stsd, Stss, Stsz, StszSamples, Stts, SttsEntry, Tkhd,
    Trak,
};
use proptest::prelude::*;

fn avc() -> Codec {
    Codec::Avc1(Avc1 {
        visual: Default::default(),
        avcc: Avcc {
            configuration_version: 1,
            avc_profile_indication: 66,
            profile_compatibility: 0,
            avc_level_indication: 30,
            length_size: 4,
            sequence_parameter_sets: vec![vec![0x67, 1, 2]],
            picture_parameter_sets: vec![vec![0x68, 3]],
            ext: None,
        },
        btrt: None,
        colr: None,
        pasp: None,
        taic: None,
        fiel: None,
        spatial: None,
    })
}

fn moov(stbl: Stbl, edits: Vec<ElstEntry>) -> Vec<u8> {
    let trak = Trak {
        tkhd: Tkhd {
            track_id: 1,
            ..Default::default()
        },
        edts: Some(Edts {
            elst: Some(Elst { entries: edits }),
        }),
        meta: None,
        mdia: Mdia {
            mdhd: Mdhd {
                timescale: 1000,
                language: "und".to_owned(),
                ..Default::default()
            },
            hdlr: Hdlr {
                handler: b"vide".into(),
                name: String::new(),
            },
            minf: Minf {
                stbl,
                ..Default::default()
            },
        },
        senc: None,
        tref: None,
        udta: None,
    };
    let moov = Moov {
        mvhd: Mvhd {
            timescale: 600,
            ..Default::default()
        },
        meta: None,
        mvex: None,
        trak: vec![trak],
        udta: None,
        ainf: None,
    };
    let mut bytes = Vec::new();
    moov.encode_body(&mut bytes).unwrap();
    bytes
}

fn stbl() -> Stbl {
    Stbl {
        stsd: Stsd {
            codecs: vec![avc()],
        },
        stts: Stts {
            entries: vec![
                SttsEntry {
                    sample_count: 2,
                    sample_delta: 40,
                },
                SttsEntry {
                    sample_count: 3,
                    sample_delta: 50,
                },
            ],
        },
        ctts: Some(Ctts {
            entries: vec![CttsEntry {
                sample_count: 5,
                sample_offset: 80,
            }],
        }),
        stss: Some(Stss {
            entries: vec![1, 4],
        }),
        stsc: Stsc {
            entries: vec![
                StscEntry {
                    first_chunk: 1,
                    samples_per_chunk: 2,
                    sample_description_index: 1,
                },
                StscEntry {
                    first_chunk: 2,
                    samples_per_chunk: 3,
                    sample_description_index: 1,
                },
            ],
        },
        stsz: Stsz {
            samples: StszSamples::Different {
                sizes: vec![10, 20, 30, 40, 50],
            },
        },
        stco: Some(Stco {
            entries: vec![100, 1000],
        }),
        ..Default::default()
    }
}

fn samples(movie: &mut Movie) -> Vec<Sample> {
    std::iter::from_fn(|| movie.next_sample().unwrap()).collect()
}

#[test]
fn samples_come_with_their_places_and_times() {
    let cut = ElstEntry {
        segment_duration: 0,
        media_time: Some(80),
        media_rate: FixedPoint::from(1),
    };
    let mut movie = Movie::read(&moov(stbl(), vec![cut])).unwrap();
    let seen: Vec<_> = samples(&mut movie)
        .into_iter()
        .map(|sample| {
            (
                sample.offset,
                sample.size,
                sample.dts,
                sample.cts,
                sample.is_key,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (100, 10, -80, 80, true),
            (110, 20, -40, 80, false),
            (1000, 30, 0, 80, false),
            (1030, 40, 50, 80, true),
            (1070, 50, 100, 80, false),
        ]
    );
    let track = &movie.tracks()[0];
    let header = track.header();
    assert!(header.starts_with(&[0x17, 0, 0, 0, 0, 1, 66, 0, 30, 0xFF, 0xE1, 0, 3, 0x67]));
    let sample = Sample {
        track: 0,
        offset: 0,
        size: 1,
        dts: 0,
        cts: 80,
        is_key: false,
    };
    assert_eq!(&*track.message(&sample, b"x"), b"\x27\x01\0\0\x50x");
}

#[test]
fn a_later_beginning_is_kept() {
    let empty = ElstEntry {
        segment_duration: 300,
        media_time: None,
        media_rate: FixedPoint::from(1),
    };
    let begin = ElstEntry {
        media_time: Some(0),
        ..empty.clone()
    };
    let mut movie = Movie::read(&moov(stbl(), vec![empty, begin])).unwrap();
    assert_eq!(samples(&mut movie)[0].dts, 500);
}

#[test]
fn tables_that_lie_are_errors_or_short() {
    let mut without_times = stbl();
    without_times.stts.entries.clear();
    assert_eq!(
        Movie::read(&moov(without_times, Vec::new())).unwrap_err(),
        Mp4Error::Table
    );
    let mut endless = stbl();
    endless.stsz.samples = StszSamples::Identical {
        count: u32::MAX,
        size: 1,
    };
    let mut movie = Movie::read(&moov(endless, Vec::new())).unwrap();
    assert_eq!(samples(&mut movie).len(), 5, "as many as the chunks have");
    let mut huge = stbl();
    huge.stsz.samples = StszSamples::Identical {
        count: 5,
        size: u32::MAX,
    };
    let read = Movie::read(&moov(huge, Vec::new()));
    assert_eq!(read.unwrap_err(), Mp4Error::SampleTooLong(u32::MAX));
    let mut nothing = stbl();
    nothing.stsd.codecs.clear();
    let read = Movie::read(&moov(nothing, Vec::new()));
    assert_eq!(read.unwrap_err(), Mp4Error::NoTracks);
}

/// A box with that in it.
fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap();
    [&length.to_be_bytes()[..], kind, body].concat()
}

#[test]
fn boxes_that_nobody_needs_cost_nothing_whatever_they_claim() {
    // Entries of no bytes: 4294967295 of them.
    let endless = boxed(b"sgpd", b"\0\0\0\0roll\xFF\xFF\xFF\xFF");
    // Boxes in one another, 200000 deep.
    let mut deep = Vec::new();
    for left in (1..=200_000_u32).rev() {
        deep.extend((8 * left).to_be_bytes());
        deep.extend(b"moov");
    }
    for odd in [endless, deep] {
        let index = [moov(stbl(), Vec::new()), odd.clone()].concat();
        let mut movie = Movie::read(&index).unwrap();
        assert_eq!(samples(&mut movie).len(), 5);
        let fragment = [boxed(b"mfhd", &[0; 8]), odd.clone()].concat();
        assert_eq!(movie.read_fragment(&fragment, 0), Ok(Vec::new()));
        // Inside of one that is needed.
        let track = boxed(b"trak", &boxed(b"mdia", &odd));
        let index = [moov(stbl(), Vec::new()), track].concat();
        assert!(matches!(Movie::read(&index), Err(Mp4Error::Box(_))));
    }
}

#[test]
fn of_several_codecs_the_first_one_counts() {
    let stills = || Codec::from(Jpeg::default());
    let tracks = |codecs| {
        let mut table = stbl();
        table.stsd.codecs = codecs;
        Movie::read(&moov(table, Vec::new())).map(|movie| movie.tracks().len())
    };
    assert_eq!(tracks(vec![avc(), stills()]), Ok(1));
    assert_eq!(tracks(vec![stills(), avc()]), Err(Mp4Error::NoTracks));
}

#[test]
fn what_is_longer_than_what_it_is_in_is_an_error() {
    let mut index = moov(stbl(), Vec::new());
    index[3] += 1;
    assert!(Movie::read(&index).is_err());
    assert_eq!(
        Movie::read(b"\0\0\0\x09mvhd").unwrap_err(),
        Mp4Error::BoxSize
    );
}

proptest! {
    #[test]
    fn a_damaged_index_is_read_without_a_fault(
        changes in proptest::collection::vec((0usize..2000, any::<u8>()), 0..12), cut in 0usize..2000,
    ) {
        let mut bytes = moov(stbl(), Vec::new());
        for (at, byte) in changes {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        bytes.truncate(bytes.len() - cut.min(bytes.len()) / 10);
        if let Ok(mut movie) = Movie::read(&bytes) {
            for _ in 0..1000 {
                if !matches!(movie.next_sample(), Ok(Some(_))) {
                    break;
                }
            }
        }
    }
}
