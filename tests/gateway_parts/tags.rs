//! Media, as publishers send it.

/// `onMetaData` with an empty array, in the wrapping that publishers send it in.
pub const METADATA: &[u8] = b"\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData\x08\0\0\0\0\0\0\x09";

pub const VIDEO_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1];

pub const AUDIO_HEADER: &[u8] = &[0xAF, 0, 0x12, 0x10];

/// An H.264 keyframe with so many bytes of picture.
pub fn key(size: usize) -> Vec<u8> {
    [&[0x17, 1, 0, 0, 0][..], &vec![0x65; size]].concat()
}

/// An H.264 frame that tells its number.
pub fn inter(number: u32) -> Vec<u8> {
    [&[0x27, 1, 0, 0, 0][..], &number.to_be_bytes()].concat()
}

/// An AAC frame that tells its number.
pub fn audio(number: u32) -> Vec<u8> {
    [&[0xAF, 1][..], &number.to_be_bytes()].concat()
}
