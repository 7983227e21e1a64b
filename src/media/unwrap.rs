//! A publisher's 32-bit clock, made to count on.
//!
//! RTMP's stamps are unsigned 32-bit milliseconds and wrap after 49.7 days, but FLV's are signed, so FFmpeg, OBS and SRS
//! mask theirs to 31 bits and wrap after 24.9 days. Both are the same small step forward.

/// Stamps this close to a border, in milliseconds, are taken for a wrap of a 31-bit clock.
const WRAP_31_WINDOW: i64 = 60_000;
const HALF: i64 = 1 << 31;

/// One input's clock. Whoever asks says what the stamp is near to: the track's last place or, for a track that begins, the
/// place of another one.
#[derive(Clone, Debug, Default)]
pub struct Unwrap {
    uses_32_bits: bool,
}

impl Unwrap {
    /// The stamp's place on the line, in milliseconds: the nearest to `near`. Without that, as for the first stamp of all, it stands
    /// for itself.
    pub fn place(&mut self, wire: u32, near: Option<i64>) -> i64 {
        self.uses_32_bits |= i64::from(wire) >= HALF;
        self.peek(wire, near)
    }

    /// The same for a stamp that says nothing about the clock's width, because it need not come from that clock.
    pub fn peek(&self, wire: u32, near: Option<i64>) -> i64 {
        let wire = i64::from(wire);
        let Some(last) = near else {
            return wire;
        };
        if self.uses_32_bits {
            let step = (wire - last).rem_euclid(2 * HALF);
            return last + if step < HALF { step } else { step - 2 * HALF };
        }
        let phase = last.rem_euclid(HALF);
        let cycle = last - phase;
        let was_at_end = phase >= HALF - WRAP_31_WINDOW;
        let was_at_beginning = phase < WRAP_31_WINDOW;
        if was_at_end && wire < WRAP_31_WINDOW {
            cycle + HALF + wire
        } else if was_at_beginning && wire >= HALF - WRAP_31_WINDOW && cycle >= HALF {
            cycle - HALF + wire
        } else {
            cycle + wire
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn places(wire: &[u32]) -> Vec<i64> {
        let mut unwrap = Unwrap::default();
        let mut last = None;
        let mut place = |&stamp: &u32| *last.insert(unwrap.place(stamp, last));
        wire.iter().map(&mut place).collect()
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

    #[test]
    fn a_track_that_begins_behind_a_wrap_stands_beside_the_others() {
        let mut unwrap = Unwrap::default();
        let video = unwrap.place(0xFFFF_FFF0, None);
        assert_eq!(unwrap.place(0x10, Some(video)), 0x1_0000_0010);
    }

    #[test]
    fn a_stamp_from_elsewhere_does_not_tell_the_width() {
        let mut unwrap = Unwrap::default();
        let last = unwrap.place(0x7FFF_FFF0, None);
        unwrap.peek(0xFFFF_0000, Some(last));
        assert_eq!(unwrap.place(0x10, Some(last)), 0x8000_0010);
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
            let mut last = unwrap.place(truth as u32, None);
            prop_assert_eq!(last, truth as i64);
            for step in steps {
                truth += step;
                last = unwrap.place((truth & mask) as u32, Some(last));
                prop_assert_eq!(last, truth as i64);
            }
        }
    }
}
