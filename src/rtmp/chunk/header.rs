//! What stands before the payload of a chunk (RTMP 1.0, section 5.3.1).

use super::TIMESTAMP_EXTENDED;

/// Basic header and message header of one chunk, as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkHeader {
    /// 2 to 65599.
    pub csid: u32,
    pub fields: Fields,
    /// Bytes that it takes, 1 to 18.
    pub size: usize,
}

/// The message header in its four formats. `time` has its extension resolved, and `extended` says that it had one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fields {
    /// Format 0: the timestamp is absolute.
    Full {
        time: Time,
        length: u32,
        type_id: u8,
        stream_id: u32,
    },
    /// Format 1: the stream is that of the chunk before.
    SameStream {
        delta: Time,
        length: u32,
        type_id: u8,
    },
    /// Format 2: everything but the time is that of the chunk before.
    DeltaOnly { delta: Time },
    /// Format 3: everything is that of the chunk before. Whether an extended timestamp follows depends on that chunk
    /// and on the sender's habit, so it is not part of this.
    Nothing,
}

/// A timestamp or delta in milliseconds and whether it stood in the extended field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    pub millis: u32,
    pub extended: bool,
}

/// Reads the header at the start of `input`; none while it is not all there.
pub(super) fn parse(input: &[u8]) -> Option<ChunkHeader> {
    let (&first, rest) = input.split_first()?;
    let (csid, rest) = match first & 0x3F {
        0 => {
            let (&[id], rest) = rest.split_first_chunk()?;
            (64 + u32::from(id), rest)
        }
        1 => {
            let (&id, rest) = rest.split_first_chunk()?;
            (64 + u32::from(u16::from_le_bytes(id)), rest)
        }
        id => (u32::from(id), rest),
    };
    let (fields, rest) = match first >> 6 {
        0 => {
            let (&[t0, t1, t2, l0, l1, l2, type_id, s0, s1, s2, s3], rest) =
                rest.split_first_chunk()?;
            let (time, rest) = extend(u24([t0, t1, t2]), rest)?;
            // The one little-endian field of RTMP.
            let stream_id = u32::from_le_bytes([s0, s1, s2, s3]);
            (
                Fields::Full {
                    time,
                    length: u24([l0, l1, l2]),
                    type_id,
                    stream_id,
                },
                rest,
            )
        }
        1 => {
            let (&[t0, t1, t2, l0, l1, l2, type_id], rest) = rest.split_first_chunk()?;
            let (delta, rest) = extend(u24([t0, t1, t2]), rest)?;
            (
                Fields::SameStream {
                    delta,
                    length: u24([l0, l1, l2]),
                    type_id,
                },
                rest,
            )
        }
        2 => {
            let (&time, rest) = rest.split_first_chunk()?;
            let (delta, rest) = extend(u24(time), rest)?;
            (Fields::DeltaOnly { delta }, rest)
        }
        _ => (Fields::Nothing, rest),
    };
    Some(ChunkHeader {
        csid,
        fields,
        size: input.len() - rest.len(),
    })
}

fn extend(field: u32, rest: &[u8]) -> Option<(Time, &[u8])> {
    if field != TIMESTAMP_EXTENDED {
        return Some((
            Time {
                millis: field,
                extended: false,
            },
            rest,
        ));
    }
    let (&millis, rest) = rest.split_first_chunk()?;
    Some((
        Time {
            millis: u32::from_be_bytes(millis),
            extended: true,
        },
        rest,
    ))
}

fn u24([high, middle, low]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, high, middle, low])
}
