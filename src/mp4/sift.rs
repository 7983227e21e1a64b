//! What of an index is given to the decoder: the boxes that are used, each in its own place.
//!
//! `mp4-atom` decodes whatever box it meets, wherever it meets it. Boxes in one another without an end would take its stack, and boxes that
//! claim billions of entries of no bytes (`sgpd`) all memory. Nothing of the kind is used here, and so nothing of it is left.

use super::Mp4Error;
use super::boxes::BoxHead;

/// A box that is used.
pub(super) struct Used {
    kind: &'static [u8; 4],
    inside: Inside,
}

/// What is in a box that is used.
enum Inside {
    /// Fields, which the decoder reads.
    Fields,
    /// Boxes.
    Boxes(&'static [Used]),
    /// A table of codecs, of which the first one counts.
    Codecs,
    /// A codec's fields for pictures, and boxes behind them.
    Pictures(&'static [Used]),
    /// A codec's fields for sound, and boxes behind them.
    Sound(&'static [Used]),
}

/// What is used of `moov`.
pub(super) const MOOV: &[Used] = &[fields(b"mvhd"), boxes(b"trak", TRAK), boxes(b"mvex", MVEX)];
const MVEX: &[Used] = &[fields(b"trex")];
const TRAK: &[Used] = &[fields(b"tkhd"), boxes(b"edts", EDTS), boxes(b"mdia", MDIA)];
const EDTS: &[Used] = &[fields(b"elst")];
const MDIA: &[Used] = &[fields(b"mdhd"), fields(b"hdlr"), boxes(b"minf", MINF)];
const MINF: &[Used] = &[boxes(b"dinf", DINF), boxes(b"stbl", STBL)];
const DINF: &[Used] = &[fields(b"dref")];
const STBL: &[Used] = &[
    used(b"stsd", Inside::Codecs),
    fields(b"stts"),
    fields(b"ctts"),
    fields(b"stsc"),
    fields(b"stsz"),
    fields(b"stco"),
    fields(b"co64"),
    fields(b"stss"),
];
const CODECS: &[Used] = &[
    used(b"avc1", Inside::Pictures(AVC)),
    used(b"avc3", Inside::Pictures(AVC)),
    used(b"hvc1", Inside::Pictures(HEVC)),
    used(b"hev1", Inside::Pictures(HEVC)),
    used(b"mp4a", Inside::Sound(AAC)),
];
const AVC: &[Used] = &[fields(b"avcC")];
const HEVC: &[Used] = &[fields(b"hvcC")];
/// QuickTime has the one in the other.
const AAC: &[Used] = &[fields(b"esds"), fields(b"wave")];

/// What is used of `moof`.
pub(super) const MOOF: &[Used] = &[fields(b"mfhd"), boxes(b"traf", TRAF)];
const TRAF: &[Used] = &[fields(b"tfhd"), fields(b"tfdt"), fields(b"trun")];

/// In front of the codecs of a table: a version, flags and their number.
const CODECS_HEAD_BYTES: usize = 8;

/// The fields of a codec for pictures (ISO 14496-12, 12.1.3).
const PICTURES_BYTES: usize = 78;

/// The fields of a codec for sound (ISO 14496-12, 12.2.3).
const SOUND_BYTES: usize = 28;

const fn used(kind: &'static [u8; 4], inside: Inside) -> Used {
    Used { kind, inside }
}

const fn fields(kind: &'static [u8; 4]) -> Used {
    used(kind, Inside::Fields)
}

const fn boxes(kind: &'static [u8; 4], inside: &'static [Used]) -> Used {
    used(kind, Inside::Boxes(inside))
}

/// What is in a box, without what is not used of it.
///
/// # Errors
/// A box is shorter than its own head or its fields, or longer than what it is in.
pub(super) fn sift(body: &[u8], used: &[Used]) -> Result<Vec<u8>, Mp4Error> {
    let mut kept = Vec::new();
    keep(body, used, &mut kept)?;
    Ok(kept)
}

/// A box, and what follows it.
struct First<'a> {
    kind: [u8; 4],
    body: &'a [u8],
    rest: &'a [u8],
}

fn keep(mut bytes: &[u8], used: &[Used], kept: &mut Vec<u8>) -> Result<(), Mp4Error> {
    while let Some(First { kind, body, rest }) = first(bytes)? {
        bytes = rest;
        if let Some(used) = find(used, kind) {
            put(used, body, kept)?;
        }
    }
    Ok(())
}

fn find(used: &[Used], kind: [u8; 4]) -> Option<&Used> {
    used.iter().find(|used| *used.kind == kind)
}

/// The first box; `None` where less than a head is left.
fn first(bytes: &[u8]) -> Result<Option<First<'_>>, Mp4Error> {
    let Some(head) = BoxHead::read(bytes)? else {
        return Ok(None);
    };
    let (_, behind) = split(bytes, head.head)?;
    let (body, rest) = match head.body {
        Some(length) => split(behind, length)?,
        None => (behind, &[][..]),
    };
    let kind = head.kind;
    Ok(Some(First { kind, body, rest }))
}

fn split(bytes: &[u8], at: u64) -> Result<(&[u8], &[u8]), Mp4Error> {
    let at = usize::try_from(at).map_err(|_| Mp4Error::BoxSize)?;
    bytes.split_at_checked(at).ok_or(Mp4Error::BoxSize)
}

/// Adds a box, its length told anew.
fn put(used: &Used, body: &[u8], kept: &mut Vec<u8>) -> Result<(), Mp4Error> {
    let begin = kept.len();
    kept.extend_from_slice(&[0; 4]);
    kept.extend_from_slice(used.kind);
    match used.inside {
        Inside::Fields => kept.extend_from_slice(body),
        Inside::Boxes(inside) => keep(body, inside, kept)?,
        Inside::Codecs => put_first_codec(body, kept)?,
        Inside::Pictures(inside) => put_codec(body, PICTURES_BYTES, inside, kept)?,
        Inside::Sound(inside) => put_codec(body, sound_bytes(body), inside, kept)?,
    }
    let length = u32::try_from(kept.len() - begin).map_err(|_| Mp4Error::BoxSize)?;
    if let Some(place) = kept.get_mut(begin..begin + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// One that cannot be sent on stays as an empty box.
fn put_first_codec(body: &[u8], kept: &mut Vec<u8>) -> Result<(), Mp4Error> {
    const UNKNOWN: &Used = &fields(b"free");
    let (head, codecs) = split(body, CODECS_HEAD_BYTES as u64)?;
    let is_empty = head.ends_with(&[0; 4]);
    let codec = first(codecs)?.filter(|_| !is_empty);
    kept.extend_from_slice(&[0; 4]);
    kept.extend_from_slice(&u32::from(codec.is_some()).to_be_bytes());
    match codec {
        Some(codec) => match find(CODECS, codec.kind) {
            Some(used) => put(used, codec.body, kept),
            None => put(UNKNOWN, &[], kept),
        },
        None => Ok(()),
    }
}

fn put_codec(
    body: &[u8],
    fields: usize,
    inside: &[Used],
    kept: &mut Vec<u8>,
) -> Result<(), Mp4Error> {
    let (fields, boxes) = split(body, fields as u64)?;
    kept.extend_from_slice(fields);
    keep(boxes, inside, kept)
}

/// How long the fields for sound are: QuickTime has three versions of them.
fn sound_bytes(body: &[u8]) -> usize {
    match body.get(8..10) {
        Some([0, 1]) => SOUND_BYTES + 16,
        Some([0, 2]) => SOUND_BYTES + 36,
        _ => SOUND_BYTES,
    }
}
