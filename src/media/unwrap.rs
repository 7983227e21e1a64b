//! A publisher's 32-bit clock, made to count on.
//!
//! RTMP's stamps are unsigned 32-bit milliseconds and wrap after 49.7 days, but FLV's are signed, so FFmpeg, OBS and SRS
//! mask theirs to 31 bits and wrap after 24.9 days. Both are the same small step forward.

/// Stamps this close to a border, in milliseconds, are taken for a wrap of a 31-bit clock.
const WRAP_31_WINDOW: i64 = 60_000;
const HALF: i64 = 1 << 31;

/// Turns one track's wire stamps into milliseconds that never wrap.
#[derive(Clone, Debug, Default)]
pub struct Unwrap {
    last: Option<i64>,
    uses_32_bits: bool,
}

impl Unwrap {
    /// The stamp's place on the line. The first stamp stands for itself; each later one is the nearest to the one before.
    pub fn place(&mut self, wire: u32) -> i64 {
        let wire = i64::from(wire);
        self.uses_32_bits |= wire >= HALF;
        let place = match self.last {
            None => wire,
            Some(last) if self.uses_32_bits => {
                let step = (wire - last).rem_euclid(2 * HALF);
                last + if step < HALF { step } else { step - 2 * HALF }
            }
            Some(last) => {
                let phase = last.rem_euclid(HALF);
                let cycle = last - phase;
                let (was_before, is_after) =
                    (phase >= HALF - WRAP_31_WINDOW, wire < WRAP_31_WINDOW);
                let (was_after, is_before) =
                    (phase < WRAP_31_WINDOW, wire >= HALF - WRAP_31_WINDOW);
                if was_before && is_after {
                    cycle + HALF + wire
                } else if was_after && is_before && cycle >= HALF {
                    cycle - HALF + wire
                } else {
                    cycle + wire
                }
            }
        };
        self.last = Some(place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn places(wire: &[u32]) -> Vec<i64> {
        let mut unwrap = Unwrap::default();
        wire.iter().map(|&stamp| unwrap.place(stamp)).collect()
    }

    #[test]
    fn a_31_bit_clock_goes_on_after_its_wrap() {
        assert_eq!(
            places(&[0x7FFF_FFF0, 0x10, 0x30]),
            [0x7FFF_FFF0, 0x8000_0010, 0x8000_0030]
        );
    }

    #[test]
    fn a_31_bit_clock_wraps_twice() {
        let wire = [0x7FFF_FFF0, 0x10, 0x4000_0000, 0x7FFF_FFF8, 0x8];
        let expected = [
            0x7FFF_FFF0,
            0x8000_0010,
            0xC000_0000,
            0xFFFF_FFF8,
            0x1_0000_0008,
        ];
        assert_eq!(places(&wire), expected);
    }

    #[test]
    fn a_32_bit_clock_goes_on_after_its_wrap() {
        assert_eq!(places(&[0xFFFF_FFF0, 0x10]), [0xFFFF_FFF0, 0x1_0000_0010]);
    }

    #[test]
    fn a_32_bit_clock_crosses_the_middle_without_a_jump() {
        assert_eq!(
            places(&[0x7FFF_FFF0, 0x8000_0010]),
            [0x7FFF_FFF0, 0x8000_0010]
        );
    }

    #[test]
    fn a_late_frame_from_before_a_wrap_stays_there() {
        assert_eq!(
            places(&[0x7FFF_FFF0, 0x10, 0x7FFF_FFF8, 0x20]),
            [0x7FFF_FFF0, 0x8000_0010, 0x7FFF_FFF8, 0x8000_0020]
        );
    }

    #[test]
    fn a_return_to_zero_far_from_a_border_is_a_step_back() {
        assert_eq!(places(&[5_000_000, 0]), [5_000_000, 0]);
    }

    proptest! {
        #[test]
        fn steady_clocks_of_either_width_rise_for_ever(
            start in 0u64..(1 << 33), steps in proptest::collection::vec(1u64..50_000, 1..200), bits in 31u32..=32,
        ) {
            // A 32-bit clock that starts in its lower half cannot be told from a 31-bit one until it passes 2^31.
            let mask = (1u64 << bits) - 1;
            let mut unwrap = Unwrap::default();
            let mut truth = start & mask;
            let first = unwrap.place(truth as u32) - truth as i64;
            prop_assert_eq!(first, 0);
            for step in steps {
                truth += step;
                prop_assert_eq!(unwrap.place((truth & mask) as u32), truth as i64);
            }
        }
    }
}
