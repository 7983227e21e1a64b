//! H.264: AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3) and its first sequence parameter set (H.264, 7.3.2.1).

use super::bits::Bits;
use super::{Description, nal_unit, rate, size};

/// Profiles whose parameter sets say how colour is sampled.
const WITH_CHROMA: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Pictures' offsets that a parameter set may list (H.264, 7.4.2.1.1).
const OFFSETS_MAX: u32 = 255;

pub(super) fn describe(record: &[u8]) -> Option<Description> {
    let &[1, profile, constraints, level, _, sets, ref units @ ..] = record else {
        return None;
    };
    let mut described = Description {
        profile: Some(profile_name(profile, constraints)),
        level: Some(level_name(profile, constraints, level)),
        ..Description::default()
    };
    if sets & 0x1F > 0
        && let Some((unit, _)) = nal_unit(units)
        && let Some((_, set)) = unit.split_first()
    {
        let _ = read_set(&mut Bits::of_nal_unit(set), &mut described);
    }
    Some(described)
}

fn profile_name(profile: u8, constraints: u8) -> String {
    let name = match (profile, constraints & 0x40 != 0) {
        (66, true) => "Constrained Baseline",
        (66, false) => "Baseline",
        (77, _) => "Main",
        (88, _) => "Extended",
        (100, _) => "High",
        (110, _) => "High 10",
        (122, _) => "High 4:2:2",
        (244, _) => "High 4:4:4 Predictive",
        _ => return format!("profile {profile}"),
    };
    name.to_owned()
}

fn level_name(profile: u8, constraints: u8, level: u8) -> String {
    let is_1b = matches!(profile, 66 | 77 | 88) && constraints & 0x10 != 0;
    match level {
        9 => "1b".to_owned(),
        11 if is_1b => "1b".to_owned(),
        _ => format!("{}.{}", level / 10, level % 10),
    }
}

/// Reads a parameter set as far as it says something that is told of.
fn read_set(bits: &mut Bits<'_>, described: &mut Description) -> Option<()> {
    let profile = bits.number(8)?;
    bits.skip(16)?;
    bits.ue()?;
    let mut chroma = 1;
    if WITH_CHROMA.contains(&profile) {
        chroma = read_chroma(bits)?;
    }
    bits.ue()?;
    skip_picture_order(bits)?;
    bits.ue()?;
    bits.skip(1)?;
    let (columns, rows) = (u64::from(bits.ue()?) + 1, u64::from(bits.ue()?) + 1);
    let are_fields = !bits.bit()?;
    if are_fields {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let lines = if are_fields { 2 } else { 1 };
    let unit = match chroma {
        1 => (2, 2 * lines),
        2 => (2, lines),
        _ => (1, lines),
    };
    let cropped = super::cropped(bits, unit)?;
    let (width, height) = (columns * 16, rows * 16 * lines);
    described.picture = size(
        width.checked_sub(cropped.0)?,
        height.checked_sub(cropped.1)?,
    );
    if bits.bit()? {
        described.frame_rate = read_timing(bits)?;
    }
    Some(())
}

/// How colour is sampled: `chroma_format_idc`, or 0 where its planes are coded apart.
fn read_chroma(bits: &mut Bits<'_>) -> Option<u32> {
    let chroma = bits.ue()?;
    let are_apart = chroma == 3 && bits.bit()?;
    bits.ue()?;
    bits.ue()?;
    bits.skip(1)?;
    if bits.bit()? {
        let lists = if chroma == 3 { 12 } else { 8 };
        for list in 0..lists {
            if bits.bit()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(if are_apart { 0 } else { chroma })
}

fn skip_scaling_list(bits: &mut Bits<'_>, numbers: u32) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..numbers {
        if next != 0 {
            next = (last + bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

fn skip_picture_order(bits: &mut Bits<'_>) -> Option<()> {
    match bits.ue()? {
        0 => bits.ue().map(drop),
        1 => {
            bits.skip(1)?;
            bits.se()?;
            bits.se()?;
            let offsets = bits.ue().filter(|&offsets| offsets <= OFFSETS_MAX)?;
            (0..offsets).try_for_each(|_| bits.se().map(drop))
        }
        _ => Some(()),
    }
}

/// The pictures in a second, by the set's usability information (H.264, E.1.1), where it says so.
fn read_timing(bits: &mut Bits<'_>) -> Option<Option<f64>> {
    const EXTENDED_ASPECT: u32 = 255;
    if bits.bit()? && bits.number(8)? == EXTENDED_ASPECT {
        bits.skip(32)?;
    }
    if bits.bit()? {
        bits.skip(1)?;
    }
    if bits.bit()? {
        bits.skip(4)?;
        if bits.bit()? {
            bits.skip(24)?;
        }
    }
    if bits.bit()? {
        bits.ue()?;
        bits.ue()?;
    }
    if !bits.bit()? {
        return Some(None);
    }
    let (ticks, scale) = (bits.number(32)?, bits.number(32)?);
    // A picture has two fields.
    Some(rate(f64::from(scale), 2.0 * f64::from(ticks)))
}
