//! What the clock of another host says: CLOCK_MONOTONIC counts from each one's own boot.

use crate::clock;
use crate::error::Result;
use crate::units::Nanos;

/// What another clock is ahead of ours, and how far that may be off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offset {
    ahead: i64,
    /// Half of the quickest round trip: the answer was made at some instant of it.
    pub(crate) bound: Nanos,
}

impl Offset {
    /// By the quickest of some questions for the time there.
    pub(crate) fn measure(questions: u32, mut ask: impl FnMut() -> Result<Nanos>) -> Result<Self> {
        let mut best: Option<Self> = None;
        for _ in 0..questions.max(1) {
            let before = clock::now();
            let there = ask()?;
            let one = Self::between(before, there, clock::now());
            best = Some(best.map_or(one, |best| if one.bound < best.bound { one } else { best }));
        }
        Ok(best.expect("it was asked at least once"))
    }

    pub(crate) fn between(before: Nanos, there: Nanos, after: Nanos) -> Self {
        let half = after.saturating_sub(before).0.div_ceil(2);
        Self { ahead: there.0 as i64 - (before.0 + half) as i64, bound: Nanos(half) }
    }

    /// An instant of that clock on ours.
    pub(crate) fn here(self, there: Nanos) -> Nanos {
        Nanos(there.0.saturating_add_signed(-self.ahead))
    }

    /// An instant of ours on that clock.
    pub(crate) fn there(self, here: Nanos) -> Nanos {
        Nanos(here.0.saturating_add_signed(self.ahead))
    }
}

/// How far two clocks may be apart after each was set by ours, when each may be off by its own bound: the two largest
/// bounds together.
pub(crate) fn apart(bounds: impl Iterator<Item = Nanos>) -> Nanos {
    let [mut first, mut second] = [Nanos(0); 2];
    for bound in bounds {
        second = second.max(first.min(bound));
        first = first.max(bound);
    }
    first + second
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clocks_differ_by_at_most_the_sum_of_their_bounds() {
        let of = |bounds: &[u64]| apart(bounds.iter().copied().map(Nanos));
        assert_eq!([of(&[3, 9, 5]), of(&[9, 3]), of(&[4, 4])], [Nanos(14), Nanos(12), Nanos(8)]);
    }

    const AHEAD: u64 = 7_000_000_000;

    #[test]
    fn the_offset_lies_within_its_bound_wherever_the_answer_was_made() {
        for (sent, made, came) in [(0, 0, 10), (0, 10, 10), (5, 6, 1_000), (1_000, 1_500, 1_501)] {
            let offset = Offset::between(Nanos(sent), Nanos(made + AHEAD), Nanos(came));
            let there = offset.there(Nanos(made)).0;
            assert_eq!(offset.here(Nanos(there)), Nanos(made));
            assert!(there.abs_diff(made + AHEAD) <= offset.bound.0, "{offset:?}");
        }
        // A clock that is behind: the other machine was started later.
        let behind = Offset::between(Nanos(AHEAD), Nanos(12), Nanos(AHEAD + 4));
        assert_eq!((behind.there(Nanos(AHEAD + 2)), behind.bound), (Nanos(12), Nanos(2)));
    }

    #[test]
    fn the_quickest_answer_counts() {
        let mut waits = [30, 0, 30].into_iter();
        let offset = Offset::measure(3, || {
            let now = clock::now();
            std::thread::sleep(std::time::Duration::from_millis(waits.next().unwrap()));
            Ok(now + Nanos(AHEAD))
        });
        assert!(offset.unwrap().bound < Nanos(15_000_000));
    }
}
