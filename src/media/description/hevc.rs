//! H.265: HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3) and its first sequence parameter set (H.265, 7.3.2.2).

use super::bits::Bits;
use super::{Description, nal_unit, rate, size};

/// What comes before the arrays of parameter sets, in bytes.
const HEAD_BYTES: usize = 22;

const SEQUENCE_PARAMETER_SET: u8 = 33;

pub(super) fn describe(record: &[u8]) -> Option<Description> {
    let (head, arrays) = record.split_at_checked(HEAD_BYTES)?;
    let &[_, profile, ..] = head else {
        return None;
    };
    let (level, pictures) = (head.get(12)?, head.get(19..21)?);
    let mut described = Description {
        profile: Some(profile_name(profile & 0x1F)),
        level: Some(format!("{}.{}", level / 30, level % 30 / 3)),
        // In 256 seconds; 0 where nobody knows.
        frame_rate: match pictures {
            &[high, low] => rate(f64::from(u16::from_be_bytes([high, low])), 256.0),
            _ => None,
        },
        ..Description::default()
    };
    if let Some(set) = first_set(arrays).and_then(|unit| unit.get(2..)) {
        described.picture = read_size(&mut Bits::of_nal_unit(set));
    }
    Some(described)
}

fn profile_name(profile: u8) -> String {
    let name = match profile {
        1 => "Main",
        2 => "Main 10",
        3 => "Main Still Picture",
        4 => "Range Extensions",
        9 => "Screen Content",
        _ => return format!("profile {profile}"),
    };
    name.to_owned()
}

fn first_set(arrays: &[u8]) -> Option<&[u8]> {
    let (&count, mut rest) = arrays.split_first()?;
    for _ in 0..count {
        let (&[kind, high, low], units) = rest.split_first_chunk::<3>()?;
        rest = units;
        for _ in 0..u16::from_be_bytes([high, low]) {
            let (unit, behind) = nal_unit(rest)?;
            if kind & 0x3F == SEQUENCE_PARAMETER_SET {
                return Some(unit);
            }
            rest = behind;
        }
    }
    None
}

fn read_size(bits: &mut Bits<'_>) -> Option<super::Picture> {
    bits.skip(4)?;
    let layers = bits.number(3)?;
    bits.skip(1)?;
    skip_profiles(bits, layers)?;
    bits.ue()?;
    let chroma = bits.ue()?;
    if chroma == 3 {
        bits.skip(1)?;
    }
    let (width, height) = (u64::from(bits.ue()?), u64::from(bits.ue()?));
    let unit = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let cropped = super::cropped(bits, unit)?;
    size(
        width.checked_sub(cropped.0)?,
        height.checked_sub(cropped.1)?,
    )
}

/// Skips the profiles and levels of the whole and of so many layers below it (H.265, 7.3.3).
fn skip_profiles(bits: &mut Bits<'_>, layers: u32) -> Option<()> {
    const PROFILE_BITS: u32 = 88;
    const LEVEL_BITS: u32 = 8;
    bits.skip(PROFILE_BITS + LEVEL_BITS)?;
    let mut below = 0;
    for _ in 0..layers {
        below += PROFILE_BITS * u32::from(bits.bit()?);
        below += LEVEL_BITS * u32::from(bits.bit()?);
    }
    if layers > 0 {
        bits.skip(2 * (8 - layers))?;
    }
    bits.skip(below)
}
