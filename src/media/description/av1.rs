//! AV1: AV1CodecConfigurationRecord (AV1 in ISO base media files, 2.3) and the sequence header in it (AV1, 5.5.1).

use super::bits::Bits;
use super::{Description, rate, size};

const SEQUENCE_HEADER: u32 = 1;

pub(super) fn describe(record: &[u8]) -> Option<Description> {
    let &[0x81, first, _, _, ref units @ ..] = record else {
        return None;
    };
    let (profile, level) = (first >> 5, first & 0x1F);
    let mut described = Description {
        profile: Some(match profile {
            0 => "Main".to_owned(),
            1 => "High".to_owned(),
            2 => "Professional".to_owned(),
            _ => format!("profile {profile}"),
        }),
        // 31 is a stream without bounds.
        level: (level < 31).then(|| format!("{}.{}", 2 + level / 4, level % 4)),
        ..Description::default()
    };
    let _ = read_unit(&mut Bits::plain(units), &mut described);
    Some(described)
}

fn read_unit(bits: &mut Bits<'_>, described: &mut Description) -> Option<()> {
    bits.skip(1)?;
    if bits.number(4)? != SEQUENCE_HEADER {
        return None;
    }
    let (is_extended, has_size) = (bits.bit()?, bits.bit()?);
    bits.skip(if is_extended { 9 } else { 1 })?;
    if has_size {
        // Its length is that of the record's rest: only the end of the number is looked for.
        while bits.number(8)? & 0x80 != 0 {}
    }
    bits.skip(4)?;
    if bits.bit()? {
        bits.skip(5)?;
    } else {
        described.frame_rate = read_points(bits)?;
    }
    let (across, down) = (bits.number(4)? + 1, bits.number(4)? + 1);
    let (width, height) = (bits.number(across)?, bits.number(down)?);
    described.picture = size(u64::from(width) + 1, u64::from(height) + 1);
    Some(())
}

/// Goes past what is said of time and of the stream's operating points; the pictures in a second, where they are all alike.
fn read_points(bits: &mut Bits<'_>) -> Option<Option<f64>> {
    let mut frame_rate = None;
    let mut delay_bits = None;
    if bits.bit()? {
        let (ticks, scale) = (bits.number(32)?, bits.number(32)?);
        if bits.bit()? {
            let ticks = f64::from(ticks) * (f64::from(bits.ue()?) + 1.0);
            frame_rate = rate(f64::from(scale), ticks);
        }
        if bits.bit()? {
            delay_bits = Some(bits.number(5)? + 1);
            bits.skip(32 + 5 + 5)?;
        }
    }
    let has_delays = bits.bit()?;
    let points = bits.number(5)? + 1;
    for _ in 0..points {
        bits.skip(12)?;
        if bits.number(5)? > 7 {
            bits.skip(1)?;
        }
        if let Some(delay_bits) = delay_bits
            && bits.bit()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_delays && bits.bit()? {
            bits.skip(4)?;
        }
    }
    Some(frame_rate)
}
