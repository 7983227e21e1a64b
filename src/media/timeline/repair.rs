//! What a timeline repairs, and how often it did.

use std::ops::AddAssign;

/// What was repaired in a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepairKind {
    /// It stepped back a little, or stood still, and was moved behind its track's last one.
    Clamp,
    /// It jumped, and its track went on without the jump.
    Rebase,
    /// The publisher had paused, and the pause was left out.
    Gap,
    /// The publisher's clock began again at the end of its 31 or 32 bits.
    Wrap,
    /// The composition time was one that no encoder means.
    Cts,
    /// The publisher's clock stands still, and the time of arrival took its place.
    Stuck,
}

impl RepairKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Clamp,
        Self::Rebase,
        Self::Gap,
        Self::Wrap,
        Self::Cts,
        Self::Stuck,
    ];
}

/// Repairs by kind, since a stream began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    clamp: u64,
    rebase: u64,
    gap: u64,
    wrap: u64,
    cts: u64,
    stuck: u64,
}

impl Repairs {
    /// How many of a kind.
    pub fn of(&self, kind: RepairKind) -> u64 {
        match kind {
            RepairKind::Clamp => self.clamp,
            RepairKind::Rebase => self.rebase,
            RepairKind::Gap => self.gap,
            RepairKind::Wrap => self.wrap,
            RepairKind::Cts => self.cts,
            RepairKind::Stuck => self.stuck,
        }
    }

    /// How many of all kinds.
    pub fn total(&self) -> u64 {
        RepairKind::ALL.iter().map(|&kind| self.of(kind)).sum()
    }

    /// What came on top of an earlier count.
    pub fn since(&self, before: &Self) -> Self {
        let mut since = *self;
        for kind in RepairKind::ALL {
            *since.count_of(kind) = self.of(kind).saturating_sub(before.of(kind));
        }
        since
    }

    pub(super) fn count(&mut self, kind: RepairKind) {
        *self.count_of(kind) += 1;
    }

    fn count_of(&mut self, kind: RepairKind) -> &mut u64 {
        match kind {
            RepairKind::Clamp => &mut self.clamp,
            RepairKind::Rebase => &mut self.rebase,
            RepairKind::Gap => &mut self.gap,
            RepairKind::Wrap => &mut self.wrap,
            RepairKind::Cts => &mut self.cts,
            RepairKind::Stuck => &mut self.stuck,
        }
    }
}

impl AddAssign for Repairs {
    fn add_assign(&mut self, more: Self) {
        for kind in RepairKind::ALL {
            *self.count_of(kind) += more.of(kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_apart_and_together() {
        let mut repairs = Repairs::default();
        for (times, &kind) in RepairKind::ALL.iter().enumerate() {
            (0..=times).for_each(|_| repairs.count(kind));
        }
        let before = repairs;
        repairs.count(RepairKind::Gap);
        for (times, &kind) in RepairKind::ALL.iter().enumerate() {
            assert_eq!(before.of(kind), times as u64 + 1);
        }
        assert_eq!(repairs.total(), 22);
        let since = repairs.since(&before);
        assert_eq!((since.total(), since.of(RepairKind::Gap)), (1, 1));
        let mut sum = before;
        sum += since;
        assert_eq!(sum, repairs);
    }
}
