//! The order of trials: one of every contender in a round, in an order drawn at random; and the time that a run may take.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::random::Stream;
use crate::record::Shard;
use crate::units::Nanos;

/// The trials of one level in one round: they stand and fall together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RandomizedBlock {
    pub(crate) scenario: usize,
    /// Index of the level within the scenario.
    pub(crate) level: usize,
    /// Counted from 1; a block that is run again gets a round of its own, hence other arrivals.
    pub(crate) round: u32,
}

/// Rounds that may be run again, in percent of those asked for.
const EXTRA_PERCENT: u32 = 25;

/// How often a block of a run of `rounds` may be void before the run is given up.
pub(crate) fn extra_rounds(rounds: u32) -> u32 {
    (rounds * EXTRA_PERCENT).div_ceil(100)
}

/// What is run again: each void block in a round of its own, with arrivals that no other block of its level has had; at
/// most a quarter of all blocks.
#[derive(Debug)]
pub(crate) struct Repeats {
    /// The last round of each level so far.
    last: HashMap<(usize, usize), u32>,
    /// The last round that was asked for.
    rounds: u32,
    /// Whose rounds follow it: no two shards run one again under the same number.
    shard: Shard,
    left: u32,
}

impl Repeats {
    /// Nothing was run yet of the blocks of so many rounds.
    pub(crate) fn of(blocks: &[RandomizedBlock], rounds: u32, shard: Shard) -> Self {
        Self { last: HashMap::new(), rounds, shard, left: extra_rounds(blocks.len() as u32) }
    }

    /// Those of the void blocks that are run again.
    pub(crate) fn of_void(&mut self, void: &[RandomizedBlock]) -> Vec<RandomizedBlock> {
        let void = &void[..void.len().min(self.left as usize)];
        self.left -= void.len() as u32;
        let shard = self.shard;
        let again = |block: &RandomizedBlock| {
            let last = self.last.entry((block.scenario, block.level)).or_insert(self.rounds);
            *last += 1;
            while !shard.has(*last) {
                *last += 1;
            }
            RandomizedBlock { round: *last, ..*block }
        };
        void.iter().map(again).collect()
    }
}

/// The contenders of a block in the order in which they run: Fisher and Yates' shuffle, from the seed and the block
/// alone.
pub(crate) fn order(order_seed: u64, block: RandomizedBlock, contenders: usize) -> Vec<usize> {
    let draws = [block.scenario as u64, block.level as u64, u64::from(block.round)];
    shuffled((0..contenders).collect(), order_seed, &draws)
}

/// The levels of a curve in the order in which a round runs them, so that no level has always the end of a round.
pub(crate) fn levels(
    order_seed: u64,
    scenario: usize,
    round: u32,
    levels: std::ops::Range<usize>,
) -> Vec<usize> {
    shuffled(levels.collect(), order_seed, &[scenario as u64, u64::MAX, u64::from(round)])
}

fn shuffled(mut order: Vec<usize>, order_seed: u64, place: &[u64]) -> Vec<usize> {
    let draws = place.iter().copied().fold(Stream::of(order_seed), Stream::child);
    for last in (1..order.len()).rev() {
        order.swap(last, draws.below(last as u64, last as u64 + 1) as usize);
    }
    order
}

/// An instant that a run should have ended by, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budget {
    until: Option<Instant>,
}

impl Budget {
    /// So much time from now on; without limit where there is none.
    pub(crate) fn of(time: Option<Nanos>) -> Self {
        Self { until: time.map(|time| Instant::now() + Duration::from(time)) }
    }

    /// Whether what takes so long ends within it.
    pub(crate) fn allows(&self, next: Nanos) -> bool {
        self.until.is_none_or(|until| Instant::now() + Duration::from(next) <= until)
    }

    /// What is left of it; nothing where there is no limit.
    pub(crate) fn left(&self) -> Option<Nanos> {
        let until = self.until?;
        Some(Nanos::from(until.saturating_duration_since(Instant::now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contender_runs_once_and_every_order_comes() {
        let mut counts = std::collections::BTreeMap::new();
        for round in 1..=6_000 {
            let order = order(7, RandomizedBlock { scenario: 0, level: 0, round }, 3);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
            *counts.entry(order).or_insert(0) += 1;
        }
        // 1,000 each, give or take five standard deviations.
        assert!(
            counts.len() == 6 && counts.values().all(|n| (856..1_144).contains(n)),
            "{counts:?}"
        );
    }

    #[test]
    fn every_level_of_a_curve_runs_once_in_each_round_and_rounds_differ() {
        let orders: Vec<Vec<usize>> = (1..=8).map(|round| levels(7, 0, round, 2..8)).collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [2, 3, 4, 5, 6, 7]);
        }
        assert!(orders.iter().any(|order| *order != orders[0]), "{orders:?}");
    }

    #[test]
    fn the_order_is_the_seeds_alone() {
        let block = RandomizedBlock { scenario: 1, level: 2, round: 3 };
        assert_eq!(order(7, block, 8), order(7, block, 8));
        assert_ne!(order(7, block, 8), order(8, block, 8));
    }

    #[test]
    fn what_is_run_again_meets_arrivals_of_its_own() {
        let block = |level, round| RandomizedBlock { scenario: 0, level, round };
        let all: Vec<RandomizedBlock> =
            (1..=10).flat_map(|round| [block(0, round), block(1, round)]).collect();
        let mut repeats = Repeats::of(&all, 10, Shard::WHOLE);
        let first = repeats.of_void(&[block(0, 2), block(1, 3), block(0, 7)]);
        assert_eq!(first, [block(0, 11), block(1, 11), block(0, 12)]);
        assert_eq!(repeats.of_void(&[block(0, 12)]), [block(0, 13)]);
        assert_eq!(repeats.of_void(&[block(0, 13), block(0, 13)]).len(), 1, "a quarter of twenty");
        assert!(repeats.of_void(&[block(0, 14)]).is_empty());
    }

    #[test]
    fn rounds_that_shards_run_again_are_in_no_two_of_them() {
        let block = |round| RandomizedBlock { scenario: 0, level: 0, round };
        let again = |shard: &str| {
            let shard: Shard = shard.parse().unwrap();
            let own: Vec<RandomizedBlock> =
                (1..=16).filter(|round| shard.has(*round)).map(block).collect();
            let mut repeats = Repeats::of(&own, 16, shard);
            assert_eq!(repeats.left, 2, "a quarter of its own");
            let void = repeats.of_void(&own[..1]);
            [void[0].round, repeats.of_void(&void)[0].round]
        };
        assert_eq!((again("1/2"), again("2/2")), ([17, 19], [18, 20]));
    }

    #[test]
    fn a_quarter_may_be_run_again() {
        assert_eq!([0, 1, 2, 6, 10, 40].map(extra_rounds), [0, 1, 1, 2, 3, 10]);
    }

    #[test]
    fn what_would_end_later_is_not_allowed() {
        let minute = Nanos(60 * Nanos::SECOND.0);
        assert!(Budget::of(None).allows(Nanos(1_000 * minute.0)));
        let budget = Budget::of(Some(minute));
        assert!(budget.allows(Nanos::SECOND) && !budget.allows(minute + Nanos::SECOND));
        assert!(budget.left().is_some_and(|left| left <= minute));
    }
}
