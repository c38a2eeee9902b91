//! When requests are due: a pure function of (seed, round, profile, k), whatever comes back.
//!
//! Constant arrivals are `k / rate`; `poisson` has the others.
//!
//! A ramp or steps bend time: the arrivals of their mean rate, each put where they have brought as many (a Poisson process of
//! any rate is one of rate 1 seen through the integral of the rate; Kingman, 4.5).
//!
//! A replay is a table, and the one schedule that no formula makes: the instants of a file, and before the window those that
//! would have come before, if the file were repeated.
//!
//! Routes with rates of their own need no schedule of their own: independent Poisson arrivals of rates r and s are
//! Poisson arrivals of rate r + s of which each is one of the first kind with probability r / (r + s), independently
//! (Kingman, 2.2 and 5.1). So the superposition is this schedule at the sum of the rates, and the mix by weight.

use super::plan::{Arrivals, Plan};
use super::poisson::{Leaf, Poisson};
use super::profile::Profile;
use super::replay::Replay;
use crate::random::{Purpose, Stream};
use crate::units::Nanos;

/// The intended instants of one trial, since its origin, warm-up included.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    profile: Profile,
    /// Only for Poisson arrivals; before the profile bends them.
    poisson: Option<Poisson>,
    /// In place of both.
    replayed: Option<Replayed>,
    len: u64,
}

/// A file whose first instant comes so long after the origin.
#[derive(Clone, Debug)]
struct Replayed {
    replay: Replay,
    before: i64,
    /// The number in the repeated file of the schedule's first arrival.
    first: i64,
}

impl Replayed {
    fn instant(&self, k: u64) -> Nanos {
        Nanos((self.replay.instant(self.first + k as i64) + self.before) as u64)
    }
}

impl Schedule {
    /// Arrivals at `profile` over `span`.
    pub(crate) fn new(
        seed: u64,
        round: u32,
        profile: Profile,
        arrivals: Arrivals,
        span: Nanos,
    ) -> Self {
        let stream = Stream::new(seed, round, Purpose::Arrivals);
        let poisson = match arrivals {
            Arrivals::Constant => None,
            Arrivals::Poisson => Some(Poisson::new(stream, profile.mean(), span)),
        };
        let mut schedule = Self { profile, poisson, replayed: None, len: u64::MAX };
        schedule.len = schedule.rank(span);
        schedule
    }

    /// The arrivals of a file, which begins after `before`, over `span`.
    pub(crate) fn replay(replay: Replay, before: Nanos, span: Nanos) -> Self {
        let profile = Profile::Steady(replay.rate());
        let before = before.0 as i64;
        let first = replay.rank(-before);
        let replayed = Some(Replayed { replay, before, first });
        let mut schedule = Self { profile, poisson: None, replayed, len: u64::MAX };
        schedule.len = schedule.rank(span);
        schedule
    }

    /// No more than the first `requests` of them.
    pub(crate) fn cut(&mut self, requests: u64) {
        self.len = self.len.min(requests);
    }

    /// Arrivals in the span: `k` is below it.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The intended instant of `k`. Never earlier than that of `k - 1`.
    pub(crate) fn intended(&self, k: u64) -> Nanos {
        self.near(k).intended(k)
    }

    /// How many arrivals are intended before `instant`: the first k that is not.
    pub(crate) fn rank(&self, instant: Nanos) -> u64 {
        if let Some(Replayed { replay, before, first }) = &self.replayed {
            return ((replay.rank(instant.0 as i64 - before) - first).max(0) as u64).min(self.len);
        }
        let mut k = match &self.poisson {
            Some(poisson) => {
                let straight = self.profile.straightened(instant);
                poisson.leaf_at(straight).rank(straight)
            }
            None => self.profile.count(instant).ceil() as u64,
        };
        // The count may be off by a rounding either way; the instants themselves decide.
        while k > 0 && self.intended(k - 1) >= instant {
            k -= 1;
        }
        while k < self.last() && self.intended(k) < instant {
            k += 1;
        }
        k
    }

    /// No arrival has this number or a higher one, in the span or after it.
    fn last(&self) -> u64 {
        self.poisson.as_ref().map_or(self.len, Poisson::len)
    }

    /// Every `stride`-th arrival from `first` on: one thread's part. The parts of all threads are the schedule.
    pub(crate) fn part(&self, first: u64, stride: u64) -> Cursor<'_> {
        Cursor { schedule: self, k: first, stride, near: self.near(first), share: Share::WHOLE }
    }

    /// How many arrivals of a share are intended in a span.
    pub(crate) fn count(&self, share: Share, from: Nanos, to: Nanos) -> u64 {
        share.count(self.rank(from), self.rank(to), 1)
    }

    fn near(&self, k: u64) -> Near {
        match (&self.poisson, &self.replayed) {
            (_, Some(replayed)) => Near::Replayed(replayed.clone()),
            (None, _) => Near::All(self.profile.clone()),
            (Some(poisson), _) => Near::Few(poisson.leaf_of(k).moved(|at| self.profile.bent(at))),
        }
    }
}

/// The arrivals that one of several generators sends: those of whose number a hash says so. A part of a Poisson process that
/// is chosen independently of the instants is itself Poisson, so what the generators' clocks differ by does not change the
/// law of their union. Every n-th arrival would: it is more regular.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    stream: Stream,
    index: u64,
    of: u64,
}

impl Share {
    const WHOLE: Self = Self { stream: Stream::ZERO, index: 0, of: 1 };

    pub(crate) fn of(plan: &Plan) -> Self {
        let stream = Stream::new(plan.seed, plan.round, Purpose::Parts);
        Self { stream, index: plan.part.index.into(), of: plan.part.of.into() }
    }

    fn has(self, k: u64) -> bool {
        self.of == 1 || self.stream.below(k, self.of) == self.index
    }

    /// How many of every `stride`-th number from `from` on and below `to`.
    fn count(self, from: u64, to: u64, stride: u64) -> u64 {
        match self.of {
            1 => to.saturating_sub(from).div_ceil(stride),
            _ => (from..to).step_by(stride as usize).filter(|k| self.has(*k)).count() as u64,
        }
    }
}

/// Walks over a part of a schedule in order.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    schedule: &'a Schedule,
    k: u64,
    stride: u64,
    near: Near,
    share: Share,
}

impl Cursor<'_> {
    /// The same arrivals without those of other generators.
    pub(crate) fn shared(mut self, share: Share) -> Self {
        self.share = share;
        self.skip();
        self
    }

    /// The next arrival of this part.
    pub(crate) fn peek(&self) -> Option<(u64, Nanos)> {
        (self.k < self.schedule.len).then(|| (self.k, self.near.intended(self.k)))
    }

    /// Goes on to the one after it.
    pub(crate) fn advance(&mut self) {
        self.k += self.stride;
        self.skip();
    }

    /// Goes on to the first arrival of the share.
    fn skip(&mut self) {
        while self.k < self.schedule.len && !self.share.has(self.k) {
            self.k += self.stride;
        }
        if self.k < self.schedule.len && !self.near.holds(self.k) {
            self.near = self.schedule.near(self.k);
        }
    }

    /// Arrivals of this part not yet passed whose intended instant is before `instant`.
    pub(crate) fn waiting(&self, instant: Nanos) -> u64 {
        self.share.count(self.k, self.schedule.rank(instant), self.stride)
    }
}

/// The arrivals around one of them.
#[derive(Clone, Debug)]
enum Near {
    /// All of them, by formula: the k-th comes when k have.
    All(Profile),
    /// All of them, by a table.
    Replayed(Replayed),
    Few(Leaf),
}

impl Near {
    fn holds(&self, k: u64) -> bool {
        match self {
            Self::All(_) | Self::Replayed(_) => true,
            Self::Few(leaf) => leaf.holds(k),
        }
    }

    fn intended(&self, k: u64) -> Nanos {
        match self {
            Self::All(profile) => profile.instant(k as f64),
            Self::Replayed(replayed) => replayed.instant(k),
            Self::Few(leaf) => leaf.instant(k),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::plan::Step;
    use crate::load::profile::{Ramp, Steps};
    use crate::units::Rate;
    use proptest::prelude::*;

    fn poisson_schedule(seed: u64, rate: f64, span: Nanos) -> Schedule {
        Schedule::new(seed, 1, Profile::Steady(Rate(rate)), Arrivals::Poisson, span)
    }

    fn walk(schedule: &Schedule) -> Vec<Nanos> {
        let mut cursor = schedule.part(0, 1);
        std::iter::from_fn(|| {
            let (_, intended) = cursor.peek()?;
            cursor.advance();
            Some(intended)
        })
        .collect()
    }

    fn any_schedule() -> impl Strategy<Value = (Schedule, Nanos, f64)> {
        let arrivals = prop_oneof![Just(Arrivals::Poisson), Just(Arrivals::Constant)];
        let ramped = 0.5..50_000.0_f64;
        let rates = (0.5..50_000.0_f64, prop::option::of(ramped));
        (any::<u64>(), 0..9_u32, rates, 1_000_000..3_000_000_000_u64, arrivals).prop_map(
            |(seed, round, (rate, to), span, arrivals)| {
                let span = Nanos(span);
                let profile = match to {
                    None => Profile::Steady(Rate(rate)),
                    Some(to) if seed % 2 == 0 => {
                        let steps = [1.0, to / rate, 1.0];
                        let lasting = |part| Nanos(span.0 / 4 * part);
                        let steps = steps.into_iter().zip([1, 2, 1]);
                        let steps =
                            steps.map(|(times, part)| Step { times, lasting: lasting(part) });
                        let steps: Vec<Step> = steps.collect();
                        Profile::Steps(Steps::new(Rate(rate), &steps, Nanos(0)))
                    }
                    Some(to) => Profile::Ramp(Ramp::new(Rate(rate), Rate(to), Nanos(0), span)),
                };
                let mean = profile.mean().0;
                (Schedule::new(seed, round, profile, arrivals, span), span, mean)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_is_monotone_and_inside_its_span((schedule, span, _) in any_schedule()) {
            let instants = walk(&schedule);
            prop_assert_eq!(instants.len() as u64, schedule.len());
            prop_assert!(instants.is_sorted());
            prop_assert!(instants.last().is_none_or(|&last| last < span));
        }

        #[test]
        fn its_rate_is_the_rate((schedule, span, rate) in any_schedule()) {
            let mean = rate * span.as_secs_f64();
            let off = (schedule.len() as f64 - mean).abs();
            prop_assert!(off <= 5.0 * mean.sqrt() + 5.0, "{} for {mean}", schedule.len());
        }

        #[test]
        fn any_k_can_be_asked_for((schedule, span, _) in any_schedule(), pick in 0.0..1.0_f64) {
            let instants = walk(&schedule);
            if !instants.is_empty() {
                let k = (pick * instants.len() as f64) as usize;
                prop_assert_eq!(schedule.intended(k as u64), instants[k]);
            }
            let instant = Nanos((pick * span.0 as f64) as u64);
            let rank = instants.partition_point(|&intended| intended < instant);
            prop_assert_eq!(schedule.rank(instant), rank as u64);
        }

        #[test]
        fn the_parts_of_generators_and_threads_are_the_schedule(
            (schedule, span, _) in any_schedule(), threads in 1..4_u64, of in 1..5_u64
        ) {
            let share = |index| Share { stream: Stream::of(9), index, of };
            let parts = (0..of).flat_map(|index| (0..threads).map(move |thread| (index, thread)));
            let mut all: Vec<_> = parts.flat_map(|(index, thread)| {
                let mut part = schedule.part(thread, threads).shared(share(index));
                prop_waiting(&part, span);
                std::iter::from_fn(move || { let next = part.peek(); part.advance(); next })
            }).collect();
            let counted = (0..of).map(|index| schedule.count(share(index), Nanos(0), span));
            prop_assert_eq!(counted.sum::<u64>(), all.len() as u64);
            all.sort_unstable();
            let expected: Vec<_> = (0..).zip(walk(&schedule)).collect();
            prop_assert_eq!(all, expected);
        }
    }

    /// The count of what is left agrees with a walk over it.
    fn prop_waiting(part: &Cursor<'_>, span: Nanos) {
        let half = Nanos(span.0 / 2);
        let mut walk = part.clone();
        let mut left = 0;
        while walk.peek().is_some_and(|(_, intended)| intended < half) {
            walk.advance();
            left += 1;
        }
        assert_eq!(part.waiting(half), left);
    }

    #[test]
    fn the_same_seed_makes_the_same_plan_and_another_another() {
        let (a, b) =
            (poisson_schedule(1, 1e4, Nanos::SECOND), poisson_schedule(1, 1e4, Nanos::SECOND));
        assert_eq!(walk(&a), walk(&b));
        assert_ne!(walk(&a), walk(&poisson_schedule(2, 1e4, Nanos::SECOND)));
        let round_2 =
            Schedule::new(1, 2, Profile::Steady(Rate(1e4)), Arrivals::Poisson, Nanos::SECOND);
        assert_ne!(walk(&a), walk(&round_2));
    }

    #[test]
    fn constant_arrivals_are_k_over_rate() {
        let schedule =
            Schedule::new(1, 1, Profile::Steady(Rate(3.0)), Arrivals::Constant, Nanos::SECOND);
        let instants = walk(&schedule);
        assert_eq!(instants, [Nanos(0), Nanos(333_333_333), Nanos(666_666_666)]);
        assert_eq!(schedule.intended(3_000_000), Nanos(1_000_000_000_000_000), "no drift");
    }

    #[test]
    fn a_replay_is_its_file_led_in_by_its_end() {
        let replay = Replay::of_seconds(&[0.0, 0.25, 1.5]);
        let (before, span) = (Nanos(1_000_000_000), Nanos(4_000_000_000));
        let schedule = Schedule::replay(replay, before, span);
        let ms: Vec<u64> = walk(&schedule).iter().map(|at| at.0 / 1_000_000).collect();
        // It has a period of 2.25 s, so its end comes 0.75 s before its beginning.
        assert_eq!(ms, [250, 1_000, 1_250, 2_500, 3_250, 3_500]);
        for (k, at) in (0..).zip(walk(&schedule)) {
            assert_eq!((schedule.rank(at), schedule.rank(at + Nanos(1))), (k, k + 1));
            assert_eq!(schedule.intended(k), at);
        }
        let parts: Vec<u64> = (0..2)
            .flat_map(|thread| {
                let mut part = schedule.part(thread, 2);
                std::iter::from_fn(move || {
                    let next = part.peek()?;
                    part.advance();
                    Some(next.0)
                })
            })
            .collect();
        assert_eq!(parts, [0, 2, 4, 1, 3, 5]);
    }

    #[test]
    fn bursts_are_bent_time_with_the_mean_that_is_asked_for() {
        let bursts: crate::load::plan::Bursts = "x5@200ms/800ms".parse().unwrap();
        let span = Nanos(200_000_000_000);
        let path = bursts.path(Stream::of(3), span);
        let steps = Steps::new(bursts.calm_rate(Rate(500.0)), &path, Nanos(0));
        let expected = steps.mean().0 * 200.0;
        let all = Schedule::new(3, 1, Profile::Steps(steps), Arrivals::Poisson, span);
        assert!((all.len() as f64 - expected).abs() < 5.0 * expected.sqrt());
        // Two hundred cycles: the path itself is within some 7 % of its long-run mean.
        assert!((all.len() as f64 / 100_000.0 - 1.0).abs() < 0.3, "{}", all.len());
        // Counts of 100 ms vary far more than those of a Poisson process, whose variance is the mean.
        let counts: Vec<f64> = (0..2_000)
            .map(|n| {
                let at = |n: u64| all.rank(Nanos(n * 100_000_000));
                (at(n + 1) - at(n)) as f64
            })
            .collect();
        let mean = counts.iter().sum::<f64>() / 2_000.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 1_999.0;
        assert!(variance > 5.0 * mean, "{variance} and {mean}");
    }

    #[test]
    fn gaps_are_exponential_and_without_memory() {
        let rate = 20_000.0;
        let instants = walk(&poisson_schedule(7, rate, Nanos(10_000_000_000)));
        let gaps: Vec<f64> =
            instants.windows(2).map(|pair| (pair[1].0 - pair[0].0) as f64 * rate / 1e9).collect();
        let n = gaps.len() as f64;
        // Kolmogorov-Smirnov against 1 - e^-x: 1.95 / sqrt(n) is its 0.1 % point.
        let mut sorted = gaps.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let distance = sorted.iter().enumerate().map(|(i, gap)| {
            let expected = 1.0 - (-gap).exp();
            (expected - i as f64 / n).abs().max((expected - (i as f64 + 1.0) / n).abs())
        });
        let distance = distance.fold(0.0, f64::max);
        assert!(distance < 1.95 / n.sqrt(), "{distance} of {n}");
        let mean = gaps.iter().sum::<f64>() / n;
        let lagged: f64 = gaps.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
        let correlation = lagged / gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>();
        assert!(correlation.abs() < 4.0 / n.sqrt(), "{correlation}");
    }

    #[test]
    fn counts_are_poisson_over_spans_that_cut_across_the_halves() {
        // 3,000 disjoint spans of 1 ms at 10,000/s: mean and variance are both 10.
        let schedule = poisson_schedule(11, 10_000.0, Nanos(3_000_000_000));
        let counts: Vec<f64> = (0..3_000)
            .map(|ms| {
                let before = schedule.rank(Nanos(ms * 1_000_000));
                (schedule.rank(Nanos((ms + 1) * 1_000_000)) - before) as f64
            })
            .collect();
        let mean = counts.iter().sum::<f64>() / 3_000.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 2_999.0;
        assert!((mean - 10.0).abs() < 0.3, "{mean}");
        assert!((variance - 10.0).abs() < 1.3, "{variance}");
    }

    #[test]
    fn a_ramp_has_its_rate_at_every_part_of_the_way() {
        // From 1,000/s to 5,000/s over 10 s: the seconds have 1,200, 1,600, .., 4,800 in the mean.
        let ramp = Ramp::new(Rate(1_000.0), Rate(5_000.0), Nanos(0), Nanos(10_000_000_000));
        for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
            let profile = Profile::Ramp(ramp);
            let schedule = Schedule::new(5, 1, profile, arrivals, Nanos(10_000_000_000));
            for second in 0..10 {
                let rank = |s: u64| schedule.rank(Nanos(s * 1_000_000_000)) as f64;
                let (count, mean) =
                    (rank(second + 1) - rank(second), 1_200.0 + 400.0 * second as f64);
                let off = if arrivals == Arrivals::Constant { 1.0 } else { 5.0 * mean.sqrt() };
                assert!((count - mean).abs() <= off, "{count} for {mean}");
            }
        }
    }

    #[test]
    fn rates_below_one_a_second_are_rates() {
        let profile = Profile::Steady(Rate(0.5));
        let schedule = Schedule::new(1, 1, profile, Arrivals::Constant, Nanos(5_000_000_000));
        let seconds = |s: u64| Nanos(s * 1_000_000_000);
        assert_eq!(walk(&schedule), [seconds(0), seconds(2), seconds(4)]);
        let hour = poisson_schedule(3, 90.0 / 60.0, seconds(3_600));
        assert!((hour.len() as f64 - 5_400.0).abs() < 5.0 * 5_400_f64.sqrt(), "{}", hour.len());
    }
}
