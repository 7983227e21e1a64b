//! Sound: AudioSpecificConfig of AAC (ISO/IEC 14496-3, 1.6.2.1), and the identification headers of Opus and FLAC.

use super::Description;
use super::bits::Bits;

/// Samples in a second, by their index in AAC's table.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

const LC: u32 = 2;
const SBR: u32 = 5;
const PS: u32 = 29;

pub(super) fn describe_aac(config: &[u8]) -> Option<Description> {
    let mut bits = Bits::plain(config);
    let object = object_type(&mut bits)?;
    let mut sample_rate = rate(&mut bits)?;
    let channels = channels(bits.number(4)?);
    let mut profile = object;
    if matches!(object, SBR | PS) {
        sample_rate = rate(&mut bits)?;
    } else if object == LC
        && let Some(doubled) = doubled_rate(&mut bits)
    {
        (profile, sample_rate) = (SBR, Some(doubled));
    }
    Some(Description {
        profile: Some(match profile {
            1 => "Main".to_owned(),
            LC => "LC".to_owned(),
            4 => "LTP".to_owned(),
            SBR => "HE-AAC".to_owned(),
            PS => "HE-AACv2".to_owned(),
            23 => "LD".to_owned(),
            39 => "ELD".to_owned(),
            42 => "xHE-AAC".to_owned(),
            _ => format!("object type {profile}"),
        }),
        sample_rate,
        // Its one channel is coded with what makes two of it.
        channels: if profile == PS { Some(2) } else { channels },
        ..Description::default()
    })
}

fn object_type(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.number(5)? {
        31 => Some(32 + bits.number(6)?),
        object => Some(object),
    }
}

/// The samples in a second; the inner `None` where the index stands for none.
fn rate(bits: &mut Bits<'_>) -> Option<Option<u32>> {
    Some(match bits.number(4)? {
        15 => Some(bits.number(24)?),
        index => RATES.get(index as usize).copied(),
    })
}

fn channels(configuration: u32) -> Option<u8> {
    Some(match configuration {
        1 => 1,
        2 => 2,
        3 => 3,
        4 => 4,
        5 => 5,
        6 => 6,
        7 | 12 | 14 => 8,
        11 => 7,
        // They are described elsewhere.
        _ => return None,
    })
}

/// The rate that decoders of HE-AAC double to, where an encoder says so behind all that old decoders read.
fn doubled_rate(bits: &mut Bits<'_>) -> Option<u32> {
    const SYNC: u32 = 0x2B7;
    bits.skip(1)?;
    if bits.bit()? {
        bits.skip(14)?;
    }
    bits.skip(1)?;
    let is_there = bits.number(11)? == SYNC && object_type(bits)? == SBR && bits.bit()?;
    if is_there { rate(bits)? } else { None }
}

pub(super) fn describe_opus(head: &[u8]) -> Option<Description> {
    let rest = head.strip_prefix(b"OpusHead")?;
    let &[_, channels, _, _, a, b, c, d, ..] = rest else {
        return None;
    };
    let input = u32::from_le_bytes([a, b, c, d]);
    Some(Description {
        // What was encoded, where it says so; it always plays at this rate.
        sample_rate: Some(if input == 0 { 48_000 } else { input }),
        channels: Some(channels),
        ..Description::default()
    })
}

pub(super) fn describe_flac(head: &[u8]) -> Option<Description> {
    // Enhanced RTMP has the file's marker and the head of its first block in front; FFmpeg sends the block alone.
    let block = match head.strip_prefix(b"fLaC") {
        Some(marked) => marked.get(4..)?,
        None => head,
    };
    let mut bits = Bits::plain(block);
    bits.skip(80)?;
    let sample_rate = bits.number(20)?;
    let channels = u8::try_from(bits.number(3)? + 1).ok();
    Some(Description {
        sample_rate: Some(sample_rate),
        channels,
        ..Description::default()
    })
}
