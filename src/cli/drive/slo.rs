//! The search for the highest rate within a promise: which rate to try next, and what the trials so far allow to say.
//!
//! No clock, no socket: whoever has a [`Search`] asks [`Search::next`], runs a trial at that rate, and says what came of
//! it. Rates double or halve until one holds and one breaks, then the gap is halved (in ratio) until it is narrow. One
//! trial each is cheap and may err; so the two rates that decide are then run again, in random order, until four trials
//! agree, seven at most. A rate that four trials turn over, or that seven leave open, stops counting, and its neighbour
//! decides in its place: the interval gets wider, never wrong.

use crate::random::Stream;

/// What one trial at a rate said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vote {
    /// The promise was kept.
    Held,
    /// It was not.
    Broke,
    /// The trial's numbers do not hold.
    Void,
}

/// A search under way.
#[derive(Clone, Debug)]
pub(super) struct Search {
    start: f64,
    range: std::ops::RangeInclusive<f64>,
    /// Ascending.
    levels: Vec<Level>,
    coins: Stream,
    trials: u64,
}

/// Between these rates, requests per second; nothing where the search found no such end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Interval {
    /// Four trials kept the promise here.
    pub(super) at_least: Option<f64>,
    /// Four trials broke it here.
    pub(super) below: Option<f64>,
}

/// A rate and what was said about it.
#[derive(Clone, Debug)]
struct Level {
    rate: f64,
    /// While looking for the ends.
    first: Vec<Vote>,
    /// Once it was one of them.
    again: Vec<Vote>,
}

/// What is known of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// By one trial.
    Likely(bool),
    /// By four.
    Sure(bool),
    /// Seven trials did not settle it, or none was valid.
    Open,
}

/// So many trials must agree.
const AGREE: usize = 4;
/// A deciding level is run so often at most.
const AGAIN_MAX: usize = 7;
/// A trial that was void is tried so often in all.
const FIRST_MAX: usize = 3;
/// The ends need not be nearer to each other than this.
const NARROW: f64 = 1.1;
/// The whole search ends after so many trials.
const TRIALS_MAX: u64 = 80;

impl Search {
    /// Starts at `start`, inside `range`; the seed is that of the order.
    pub(super) fn new(start: f64, range: std::ops::RangeInclusive<f64>, seed: u64) -> Self {
        let start = start.clamp(*range.start(), *range.end());
        Self { start, range, levels: Vec::new(), coins: Stream::of(seed), trials: 0 }
    }

    /// The rate of the next trial; nothing when there is no more to find out.
    pub(super) fn next(&self) -> Option<f64> {
        if self.trials >= TRIALS_MAX {
            return None;
        }
        if let Some(level) = self.levels.iter().find(|level| level.is_to_be_tried_again()) {
            return Some(level.rate);
        }
        self.unexplored().or_else(|| self.to_confirm())
    }

    /// What a trial at `rate`, which was [`Self::next`], came to.
    pub(super) fn record(&mut self, rate: f64, vote: Vote) {
        self.trials += 1;
        let place = self.levels.partition_point(|level| level.rate < rate);
        match self.levels.get_mut(place).filter(|level| level.rate == rate) {
            Some(level) if level.is_to_be_tried_again() => level.first.push(vote),
            Some(level) => level.again.push(vote),
            None => self.levels.insert(place, Level { rate, first: vec![vote], again: Vec::new() }),
        }
    }

    /// What can be said so far.
    pub(super) fn interval(&self) -> Interval {
        let sure = |holds| self.levels.iter().filter(move |l| l.stand() == Stand::Sure(holds));
        let below = sure(false).map(|level| level.rate).next();
        let inside = |rate: &f64| below.is_none_or(|below| *rate < below);
        Interval { at_least: sure(true).map(|level| level.rate).rfind(inside), below }
    }

    /// Trials so far.
    pub(super) fn trials(&self) -> u64 {
        self.trials
    }

    /// The highest level that holds below the lowest that does not, and that one.
    fn ends(&self) -> (Option<&Level>, Option<&Level>) {
        let says = |level: &Level, holds| matches!(level.stand(), Stand::Likely(it) | Stand::Sure(it) if it == holds);
        let high = self.levels.iter().find(|level| says(level, false));
        let below = |level: &&Level| high.is_none_or(|high| level.rate < high.rate);
        (self.levels.iter().filter(below).rfind(|level| says(level, true)), high)
    }

    /// A rate that has not been tried and should be.
    fn unexplored(&self) -> Option<f64> {
        let (Some(lowest), Some(highest)) = (self.levels.first(), self.levels.last()) else {
            return Some(self.start);
        };
        let next = match self.ends() {
            (Some(low), Some(high)) => {
                let open = |level: &Level| low.rate < level.rate && level.rate < high.rate;
                let narrow = high.rate <= low.rate * NARROW || self.levels.iter().any(open);
                return (!narrow).then(|| (low.rate * high.rate).sqrt());
            }
            (_, None) => (highest.rate * 2.0).min(*self.range.end()),
            (None, Some(_)) => (lowest.rate / 2.0).max(*self.range.start()),
        };
        self.levels.iter().all(|level| level.rate != next).then_some(next)
    }

    /// A deciding level that four trials have not settled, either one by a coin.
    fn to_confirm(&self) -> Option<f64> {
        let (low, high) = self.ends();
        let unsure = |level: &&Level| matches!(level.stand(), Stand::Likely(_));
        match (low.filter(unsure), high.filter(unsure)) {
            (Some(low), Some(high)) => {
                let heads = self.coins.below(self.trials, 2) == 0;
                Some(if heads { low.rate } else { high.rate })
            }
            (low, high) => low.or(high).map(|level| level.rate),
        }
    }
}

impl Level {
    fn stand(&self) -> Stand {
        let count = |vote| self.again.iter().filter(|it| **it == vote).count();
        let settled = self.first.iter().find(|vote| **vote != Vote::Void);
        match settled {
            _ if count(Vote::Held) >= AGREE => Stand::Sure(true),
            _ if count(Vote::Broke) >= AGREE => Stand::Sure(false),
            Some(vote) if self.again.len() < AGAIN_MAX => Stand::Likely(*vote == Vote::Held),
            _ => Stand::Open,
        }
    }

    fn is_to_be_tried_again(&self) -> bool {
        self.first.len() < FIRST_MAX && self.first.iter().all(|vote| *vote == Vote::Void)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs a search against `server`, which says what a trial at a rate comes to.
    fn found(start: f64, mut server: impl FnMut(f64, u64) -> Vote) -> (Interval, u64) {
        let mut search = Search::new(start, 10.0..=1e6, 7);
        while let Some(rate) = search.next() {
            let vote = server(rate, search.trials());
            search.record(rate, vote);
        }
        (search.interval(), search.trials())
    }

    proptest! {
        #[test]
        fn a_sharp_limit_is_enclosed(limit in 11.0..900_000.0_f64, start in 10.0..1e6_f64) {
            let vote = |rate: f64, _| if rate <= limit { Vote::Held } else { Vote::Broke };
            let (interval, trials) = found(start, vote);
            let (low, high) = (interval.at_least.unwrap(), interval.below.unwrap());
            prop_assert!(low <= limit && limit < high, "{low}..{high} for {limit}");
            prop_assert!(high <= low * NARROW);
            prop_assert!(trials <= 35, "{trials}");
        }

        /// Near the limit a trial errs, the more the nearer: the ends must still enclose it, up to their own doubt.
        #[test]
        fn a_blurred_limit_is_enclosed(seed: u64, limit in 100.0..100_000.0_f64) {
            let noise = Stream::of(seed);
            let vote = |rate: f64, n| {
                let blur = 0.02 * (noise.unit(n) + noise.unit(n + 1_000) - 1.0);
                if rate <= limit * (1.0 + blur) { Vote::Held } else { Vote::Broke }
            };
            let (interval, _) = found(limit / 3.0, vote);
            let (low, high) = (interval.at_least.unwrap(), interval.below.unwrap());
            prop_assert!(low <= limit * 1.02 && high >= limit * 0.98, "{low}..{high}: {limit}");
        }

        #[test]
        fn whatever_comes_it_ends(seed: u64) {
            let noise = Stream::of(seed);
            let vote = |_, n| match noise.below(n, 3) {
                0 => Vote::Held,
                1 => Vote::Broke,
                _ => Vote::Void,
            };
            let (interval, trials) = found(500.0, vote);
            prop_assert!(trials <= TRIALS_MAX);
            if let (Some(low), Some(high)) = (interval.at_least, interval.below) {
                prop_assert!(low < high);
            }
        }
    }

    #[test]
    fn a_server_without_limit_or_without_worth_has_one_end() {
        let (interval, _) = found(1_000.0, |_, _| Vote::Held);
        assert_eq!(interval, Interval { at_least: Some(1e6), below: None });
        let (interval, _) = found(1_000.0, |_, _| Vote::Broke);
        assert_eq!(interval, Interval { at_least: None, below: Some(10.0) });
    }

    #[test]
    fn void_trials_say_nothing() {
        let (interval, trials) = found(1_000.0, |_, _| Vote::Void);
        assert_eq!(interval, Interval::default());
        assert!(trials <= TRIALS_MAX, "{trials}");
        let vote = |rate: f64, n: u64| match n % 3 {
            0 => Vote::Void,
            _ if rate <= 700.0 => Vote::Held,
            _ => Vote::Broke,
        };
        let (interval, _) = found(1_000.0, vote);
        assert!(interval.at_least.unwrap() <= 700.0 && interval.below.unwrap() > 700.0);
    }

    #[test]
    fn a_level_that_was_lucky_once_does_not_stand() {
        // The first trial above the limit holds by luck; four others turn it over.
        let mut lucky = true;
        let vote = |rate: f64, _| {
            let holds = rate <= 1_000.0 || (rate < 1_300.0 && std::mem::take(&mut lucky));
            if holds { Vote::Held } else { Vote::Broke }
        };
        let (interval, _) = found(250.0, vote);
        assert!(interval.at_least.unwrap() <= 1_000.0, "{interval:?}");
        assert!(interval.below.unwrap() > 1_000.0, "{interval:?}");
    }
}
