//! The highest rate that a contender keeps within its SLO, as a bounded interval: at least this, below that.
//!
//! A state machine that starts nothing: [`Search::next`] says which rate is to be tried, [`Search::record`] takes the
//! answer, [`Search::answer`] gives the interval. It has three parts:
//!
//! 1. **Short trials** double the rate until it is not kept (or halve it until it is), then bisect. One trial of a rate
//!    near the capacity is a matter of chance, so what they find is where to look, and not the answer.
//! 2. **Deciding trials**, long ones, at the two levels on either side of the border, in shuffled order so that a slow
//!    minute hits both. A level is decided when its first [`AGREE`] trials agree, or all but one of [`TRIALS_MAX`]. A level
//!    on the border itself, where each trial is kept with probability 1/2, is called kept one time in twenty: 1/32 + 5/256.
//! 3. **A level that stays undecided widens the interval**, and so does one that is decided otherwise than the search
//!    had it: the next level further out is decided in its place, each time twice as far, at most [`MOVES_MAX`] times a
//!    side. After that this end of the interval is open.
//!
//! Levels are steps of equal ratio, 2^(1/2^bisections): 9 % for 3 bisections, 4.4 % for 4.

use crate::random::Stream;
use crate::units::Rate;

/// Trials of a level that decide it when all of them agree.
pub const AGREE: usize = 5;
/// Trials of a level that decide it when all but one agree.
pub const TRIALS_MAX: usize = 8;
/// How often an end of the interval is moved outwards.
pub const MOVES_MAX: u32 = 4;
/// How often a trial is run that the machine or the generator spoils, before the search goes on without.
pub const TRIES: u32 = 3;
/// The search starts at this share of the closed ceiling, and looks no higher than at the other: no service answers more
/// than it answers in closed loop.
const FIRST_OF_CEILING: f64 = 0.5;
const HIGHEST_OF_CEILING: f64 = 1.5;
/// Halvings of the factor of two around the border: levels are 9 % apart.
const BISECTIONS: u32 = 3;
/// Levels are 2^(1/64) apart at the finest, 1.1 %: less than any machine tells apart.
const BISECTIONS_MAX: u32 = 6;

/// Where to look, and how closely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchPlan {
    /// The first rate to try, a guess: half the closed ceiling is a good one.
    pub first: Rate,
    /// No rate above it is tried: what the generator can send, or the connections carry.
    pub highest: Rate,
    /// No rate below it is tried.
    pub lowest: Rate,
    /// Halvings of the factor of two between the search's first two levels; at most 6.
    pub bisections: u32,
    /// Shuffles the deciding trials.
    pub order_seed: u64,
}

impl SearchPlan {
    /// A search around the ceiling of a closed loop, from `lowest` on and within `highest`.
    pub fn around(ceiling: Rate, lowest: Rate, highest: Rate, order_seed: u64) -> Self {
        let highest = (HIGHEST_OF_CEILING * ceiling.0).min(highest.0).max(lowest.0);
        let first = Rate((FIRST_OF_CEILING * ceiling.0).clamp(lowest.0, highest));
        Self { first, highest: Rate(highest), lowest, bisections: BISECTIONS, order_seed }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchStep {
    pub rate: Rate,
    /// Whether a short trial will do.
    pub stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Finds the border.
    Short,
    /// Decides a level.
    Deciding,
}

/// What the search costs, before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub short_max: usize,
    /// Deciding trials when all agree and one end is open; with two ends twice as many.
    pub deciding_min: usize,
    pub deciding_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// The highest rate that was decided to be kept; `None` when not even the lowest was, or none was decided.
    pub at_least: Option<Rate>,
    /// The lowest rate above it that was decided not to be kept; `None` when even the highest was kept, or none was
    /// decided.
    pub below: Option<Rate>,
}

/// The search: a getter [`Self::answer`], a `record` for what happened, a `next` for what to do.
#[derive(Clone, Debug)]
pub struct Search {
    plan: SearchPlan,
    /// Levels count from the first rate in steps of the finest ratio; these are the outermost.
    bottom: i64,
    top: i64,
    /// The highest level that a short trial kept and the lowest that one did not.
    kept: Option<i64>,
    broken: Option<i64>,
    /// The two levels to decide, once the border is found.
    sides: Option<[BracketEnd; 2]>,
    /// What `next` gave last and `record` has not had yet.
    pending: Option<(i64, Stage)>,
    /// How often that was void.
    voids: u32,
    trials: u64,
}

/// One end of the interval.
#[derive(Clone, Debug)]
struct BracketEnd {
    /// Whether trials of its level are expected to be kept.
    lower: bool,
    /// `None` where the interval is open.
    level: Option<i64>,
    trials: Vec<bool>,
    settled: bool,
    moves: u32,
}

/// What the trials of a level say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ruling {
    Open,
    Decided(bool),
    Undecided,
}

impl Search {
    /// A search that has tried nothing.
    ///
    /// # Panics
    /// When the rates are not in the order lowest, first, highest, or more than 6 bisections are asked for.
    pub fn new(plan: SearchPlan) -> Self {
        let SearchPlan { first, highest, lowest, bisections, .. } = plan;
        assert!(0.0 < lowest.0 && lowest <= first && first <= highest, "rates out of order");
        assert!(bisections <= BISECTIONS_MAX, "{bisections} bisections");
        let steps = f64::from(1_u32 << bisections);
        // The slack keeps a bound that is a level itself.
        let levels = |rate: Rate| (rate.0 / first.0).log2().abs().mul_add(steps, 1e-9) as i64;
        let (bottom, top) = (-levels(lowest), levels(highest));
        Self {
            plan,
            bottom,
            top,
            kept: None,
            broken: None,
            sides: None,
            pending: None,
            voids: 0,
            trials: 0,
        }
    }

    /// What the whole search costs in trials, whatever they say.
    pub fn cost(&self) -> Cost {
        let octave = self.octave();
        let octaves = |levels: i64| (levels + octave - 1) / octave;
        let doublings = octaves(self.top).max(octaves(-self.bottom));
        Cost {
            short_max: 1 + doublings as usize + self.plan.bisections as usize,
            deciding_min: AGREE,
            deciding_max: 2 * TRIALS_MAX * (1 + MOVES_MAX as usize),
        }
    }

    /// The trial to run next; the same one until its answer is recorded. `None` when the answer stands.
    #[expect(clippy::should_implement_trait, reason = "an iterator could not be told the answers")]
    pub fn next(&mut self) -> Option<SearchStep> {
        if self.pending.is_none() {
            self.pending = self.choose();
        }
        self.pending.map(|(level, stage)| SearchStep { rate: self.rate(level), stage })
    }

    /// Takes the answer to the trial that `next` gave: whether the contender kept its SLO at this rate; `None` when the
    /// trial was void. Such a one is asked for [`TRIES`] times. Then it cannot be had: what was found stands, this end is
    /// open, and `true` says so.
    ///
    /// # Panics
    /// When no such trial was asked for.
    pub fn record(&mut self, rate: Rate, kept: Option<bool>) -> bool {
        let (level, stage) = self.pending.expect("a trial is recorded after it was asked for");
        assert_eq!(rate, self.rate(level), "another trial was asked for");
        self.voids += u32::from(kept.is_none());
        let given_up = self.voids == TRIES;
        if kept.is_none() && !given_up {
            return false;
        }
        (self.pending, self.voids) = (None, 0);
        self.trials += 1;
        match (stage, kept) {
            (Stage::Short, Some(true)) => self.kept = Some(level),
            (Stage::Short, Some(false)) => self.broken = Some(level),
            (Stage::Short, None) => self.find_border(),
            (Stage::Deciding, Some(kept)) => self.decide(level, kept),
            (Stage::Deciding, None) => {
                let sides = self.sides.iter_mut().flatten();
                sides.filter(|side| side.level == Some(level)).for_each(|side| side.level = None);
            }
        }
        given_up
    }

    /// What the deciding trials so far have settled.
    pub fn answer(&self) -> Capacity {
        let end = |lower: bool| {
            let side = self.sides.as_ref()?.iter().find(|side| side.lower == lower)?;
            Some(self.rate(side.level.filter(|_| side.settled)?))
        };
        Capacity { at_least: end(true), below: end(false) }
    }

    fn choose(&mut self) -> Option<(i64, Stage)> {
        if self.sides.is_none() {
            if let Some(level) = self.short() {
                return Some((level, Stage::Short));
            }
            self.find_border();
        }
        let sides = self.sides.as_ref().expect("just set");
        let open: Vec<i64> =
            sides.iter().filter(|side| !side.settled).filter_map(|s| s.level).collect();
        let pick = Stream::of(self.plan.order_seed).below(self.trials, open.len().max(1) as u64);
        open.get(pick as usize).map(|&level| (level, Stage::Deciding))
    }

    /// From here on the levels on either side of the border are decided, as far as there are any.
    fn find_border(&mut self) {
        self.sides = Some([BracketEnd::new(true, self.kept), BracketEnd::new(false, self.broken)]);
    }

    /// The level of the next short trial; `None` when the border is found or lies outside.
    fn short(&self) -> Option<i64> {
        match (self.kept, self.broken) {
            (None, None) => Some(0),
            (Some(kept), None) => (kept < self.top).then(|| self.top.min(kept + self.octave())),
            (None, Some(broken)) => {
                (broken > self.bottom).then(|| self.bottom.max(broken - self.octave()))
            }
            (Some(kept), Some(broken)) => (broken - kept > 1).then(|| kept + (broken - kept) / 2),
        }
    }

    fn decide(&mut self, level: i64, kept: bool) {
        let [lower, upper] =
            self.sides.as_mut().expect("deciding trials come after the short ones");
        let (side, other) =
            if lower.level == Some(level) { (lower, upper) } else { (upper, lower) };
        side.trials.push(kept);
        match ruling(&side.trials) {
            Ruling::Open => {}
            Ruling::Decided(kept) if kept == side.lower => side.settled = true,
            Ruling::Decided(_) => {
                // Decided against the short trials: this level is the other end.
                other.settle(level);
                side.widen(self.bottom, self.top);
            }
            Ruling::Undecided => side.widen(self.bottom, self.top),
        }
    }

    fn rate(&self, level: i64) -> Rate {
        Rate(self.plan.first.0 * (level as f64 / self.octave() as f64).exp2())
    }

    /// Levels between a rate and its double.
    fn octave(&self) -> i64 {
        1 << self.plan.bisections
    }
}

impl BracketEnd {
    fn new(lower: bool, level: Option<i64>) -> Self {
        Self { lower, level, trials: Vec::new(), settled: false, moves: 0 }
    }

    fn settle(&mut self, level: i64) {
        self.level = Some(level);
        self.settled = true;
    }

    /// Goes to the next level outwards, or gives this end up.
    fn widen(&mut self, bottom: i64, top: i64) {
        let reach = if self.lower { -(1 << self.moves) } else { 1 << self.moves };
        let level = self.level.map(|level| (level + reach).clamp(bottom, top));
        let moved = level != self.level && self.moves < MOVES_MAX;
        self.level = level.filter(|_| moved);
        self.trials.clear();
        self.moves += 1;
    }
}

/// Decided as the module says; undecided as soon as two trials of either answer are there, which nothing to come undoes.
fn ruling(trials: &[bool]) -> Ruling {
    let kept = trials.iter().filter(|kept| **kept).count();
    let broken = trials.len() - kept;
    match (kept.min(broken), trials.len()) {
        (0, AGREE..) | (1, TRIALS_MAX..) => Ruling::Decided(kept > broken),
        (0 | 1, _) => Ruling::Open,
        _ => Ruling::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::Random;

    fn plan(first: f64, bisections: u32, order_seed: u64) -> SearchPlan {
        let (lowest, highest) = (Rate(10.0), Rate(100_000.0));
        SearchPlan { first: Rate(first), highest, lowest, bisections, order_seed }
    }

    /// Runs a search to its end; gives the answer with the number of short and of deciding trials.
    fn run(plan: SearchPlan, mut kept: impl FnMut(f64) -> bool) -> (Capacity, usize, usize) {
        let mut search = Search::new(plan);
        let (cost, mut short, mut deciding) = (search.cost(), 0, 0);
        while let Some(step) = search.next() {
            assert_eq!(search.next(), Some(step), "asking again changes nothing");
            assert!(step.rate >= plan.lowest && step.rate <= plan.highest, "{step:?}");
            match step.stage {
                Stage::Short => short += 1,
                Stage::Deciding => deciding += 1,
            }
            search.record(step.rate, Some(kept(step.rate.0)));
        }
        assert!(short <= cost.short_max && deciding <= cost.deciding_max, "{short}, {deciding}");
        (search.answer(), short, deciding)
    }

    #[test]
    fn a_clear_border_is_bracketed_at_the_stated_cost() {
        for truth in [12.0, 230.0, 1_000.0, 1_001.0, 7_777.0, 90_000.0] {
            let (found, _, deciding) = run(plan(1_000.0, 4, 1), |rate| rate <= truth);
            let (low, high) = (found.at_least.unwrap().0, found.below.unwrap().0);
            assert!(low <= truth && truth < high, "{truth}: {found:?}");
            assert!(high / low < 1.045, "{truth}: {found:?}");
            assert_eq!(deciding, 2 * AGREE);
        }
    }

    #[test]
    fn borders_outside_leave_an_end_open() {
        let (all, short, deciding) = run(plan(1_000.0, 3, 1), |_| true);
        assert_eq!(all.below, None);
        assert!(all.at_least.unwrap().0 > 91_000.0, "the last level below the highest rate");
        assert_eq!((short, deciding), (8, AGREE));
        let (none, _, deciding) = run(plan(1_000.0, 3, 1), |_| false);
        assert!(none.at_least.is_none() && none.below.unwrap().0 < 11.0, "{none:?}");
        assert_eq!(deciding, AGREE);
    }

    #[test]
    fn both_levels_are_run_in_shuffled_order() {
        let orders: Vec<Vec<bool>> = (0..8)
            .map(|seed| {
                let (mut order, mut search) = (Vec::new(), Search::new(plan(1_000.0, 3, seed)));
                while let Some(step) = search.next() {
                    let kept = step.rate.0 <= 3_000.0;
                    order.extend((step.stage == Stage::Deciding).then_some(kept));
                    search.record(step.rate, Some(kept));
                }
                order
            })
            .collect();
        assert!(orders.iter().all(|order| order.len() == 2 * AGREE));
        let alternating = |order: &Vec<bool>| order.windows(2).filter(|w| w[0] != w[1]).count();
        assert!(orders.iter().any(|order| order != &orders[0]), "the seed matters");
        let mixed = orders.iter().filter(|order| alternating(order) > 1).count();
        assert!(mixed >= 6, "{orders:?}");
    }

    #[test]
    fn five_of_five_decide_or_seven_of_eight() {
        let ruled = |text: &str| ruling(&text.chars().map(|c| c == 'k').collect::<Vec<_>>());
        for (trials, expected) in [
            ("", Ruling::Open),
            ("kkkk", Ruling::Open),
            ("kkkkk", Ruling::Decided(true)),
            ("bbbbb", Ruling::Decided(false)),
            ("bkkkk", Ruling::Open),
            ("bkkkkkk", Ruling::Open),
            ("bkkkkkkk", Ruling::Decided(true)),
            ("bbbkbbbb", Ruling::Decided(false)),
            ("kb", Ruling::Open),
            ("kbkb", Ruling::Undecided),
            ("bkkkkkkb", Ruling::Undecided),
        ] {
            assert_eq!(ruled(trials), expected, "{trials}");
        }
    }

    #[test]
    fn a_coin_decides_for_either_side_one_time_in_twenty() {
        let mut tally = [0_u32; 2];
        for tosses in 0..256_u32 {
            let all: Vec<bool> = (0..8).map(|place| tosses >> place & 1 == 1).collect();
            let said = (1..=8).map(|n| ruling(&all[..n])).find(|ruling| *ruling != Ruling::Open);
            if let Some(Ruling::Decided(kept)) = said {
                tally[usize::from(kept)] += 1;
            }
        }
        assert_eq!(tally, [13, 13], "of 256: 8 that agree at once and 5 with one that does not");
    }

    #[test]
    fn a_trial_that_breaks_never_makes_a_level_kept() {
        let rank = |trials: &[bool]| match ruling(trials) {
            Ruling::Decided(kept) => 2 * i32::from(kept),
            Ruling::Open | Ruling::Undecided => 1,
        };
        for tosses in 0..256_u32 {
            let all: Vec<bool> = (0..8).map(|place| tosses >> place & 1 == 1).collect();
            for n in 1..=8 {
                for place in (0..n).filter(|place| all[*place]) {
                    let mut worse = all.clone();
                    worse[place] = false;
                    assert!(rank(&worse[..n]) <= rank(&all[..n]), "{all:?} {place}");
                }
            }
        }
    }

    #[test]
    fn an_undecided_level_widens_the_interval_and_a_wrong_one_moves_it() {
        let mut toss = false;
        // 3,000/s lies between the levels 2,828 and 3,084; the lower one is on the edge.
        let (found, ..) = run(plan(1_000.0, 3, 1), |rate| {
            toss = !toss;
            rate < 2_700.0 || (rate < 3_000.0 && toss)
        });
        assert!(found.at_least.unwrap().0 < 2_700.0, "{found:?}");
        // Short trials believe in a border at 3,000, deciding ones in one at 2,000.
        let mut trials = 0;
        let (found, short, _) = run(plan(1_000.0, 3, 1), |rate| {
            trials += 1;
            rate <= if trials <= 6 { 3_000.0 } else { 2_100.0 }
        });
        assert_eq!(short, 6);
        let (low, high) = (found.at_least.unwrap().0, found.below.unwrap().0);
        assert!(low <= 2_100.0 && 2_100.0 < high, "{found:?}");
    }

    #[test]
    fn a_contender_that_keeps_every_second_trial_has_no_answer() {
        let mut trials = std::collections::BTreeMap::new();
        let (found, _, deciding) = run(plan(1_000.0, 3, 1), |rate| {
            let trials: &mut u32 = trials.entry(rate.to_bits()).or_default();
            *trials += 1;
            *trials % 2 == 1
        });
        assert_eq!(found, Capacity { at_least: None, below: None });
        assert!(deciding > 2 * AGREE, "it was tried");
    }

    /// Response time against rate as queues have it, seen through a noisy machine.
    #[test]
    fn a_noisy_hockey_stick_is_bracketed() {
        const RUNS: u64 = 1_000;
        let mut random = Random(61);
        let (mut covered, mut open, mut trials, mut widths) = (0, 0, 0, Vec::new());
        for seed in 0..RUNS {
            // The SLO is ten times the idle response time: 90 % of saturation.
            let saturation = 500.0 * 64.0_f64.powf(random.uniform());
            let truth = 0.9 * saturation;
            let first = saturation * (0.3 + 0.4 * random.uniform());
            let (found, short, deciding) = run(plan(first, 3, seed), |rate| {
                let stall = if random.uniform() < 0.05 { 2.0 } else { 1.0 };
                let noise = (0.2 * random.normal()).exp() * stall;
                rate < saturation && noise / (1.0 - rate / saturation) <= 10.0
            });
            let low = found.at_least.map_or(0.0, |rate| rate.0);
            let high = found.below.map_or(f64::INFINITY, |rate| rate.0);
            covered += u64::from(low <= truth && truth < high);
            open += u64::from(low == 0.0 || high == f64::INFINITY);
            trials += short + deciding;
            widths.push(high / low);
        }
        widths.sort_unstable_by(f64::total_cmp);
        let (median, most) = (widths[500], widths[950]);
        println!(
            "{covered} of {RUNS} bracketed, {open} with an open end, width {median:.3}, 95 of 100 \
                  below {most:.3}, {:.1} trials",
            trials as f64 / RUNS as f64
        );
        assert!(covered >= 950, "{covered} of {RUNS}");
        assert!(open <= 10, "an open end brackets anything: {open} of {RUNS}");
        assert!(median < 1.25, "{median}");
    }

    #[test]
    fn what_no_trial_answers_leaves_its_end_open_and_takes_nothing_else_away() {
        // No trial above 5,000/s holds: the machine has no more to send.
        let found = |holds: &dyn Fn(f64) -> Option<bool>| {
            let mut search = Search::new(plan(1_000.0, 3, 1));
            while let Some(step) = search.next() {
                search.record(step.rate, holds(step.rate.0));
            }
            search.answer()
        };
        let fast = found(&|rate| (rate < 5_000.0).then_some(true));
        assert_eq!((fast.at_least, fast.below), (Some(Rate(4_000.0)), None));
        let slow = found(&|rate| (rate > 3_000.0).then_some(false));
        assert_eq!((slow.at_least, slow.below), (None, None), "its first trial had no answer");
        let edge = found(&|rate| (!(2_500.0..3_000.0).contains(&rate)).then_some(rate < 2_700.0));
        assert_eq!((edge.at_least, edge.below), (Some(Rate(2_000.0)), Some(Rate(4_000.0))));
        assert_eq!(found(&|_| None), Capacity { at_least: None, below: None });
    }

    #[test]
    fn a_void_trial_is_asked_for_again_before_it_is_given_up() {
        let mut search = Search::new(plan(1_000.0, 3, 1));
        let step = search.next().unwrap();
        assert!((1..TRIES).all(|_| !search.record(step.rate, None) && search.next() == Some(step)));
        assert!(!search.record(step.rate, Some(true)), "it was had in the end");
        let next = search.next().unwrap();
        let given_up = (0..TRIES).map(|_| search.record(next.rate, None)).collect::<Vec<_>>();
        assert_eq!(given_up, [false, false, true], "each trial has all of its tries");
        assert_ne!(search.next(), Some(next));
    }

    #[test]
    fn a_search_around_a_ceiling_keeps_its_rates_in_order() {
        for (ceiling, lowest, highest) in
            [(1e4, 50.0, 1e6), (100.0, 500.0, 1e6), (1e5, 10.0, 200.0)]
        {
            let plan = SearchPlan::around(Rate(ceiling), Rate(lowest), Rate(highest), 1);
            assert!(plan.lowest <= plan.first && plan.first <= plan.highest, "{plan:?}");
            assert!(plan.lowest.0 == lowest && plan.highest.0 <= highest.max(lowest), "{plan:?}");
        }
    }

    #[test]
    #[should_panic(expected = "a trial is recorded after it was asked for")]
    fn an_answer_to_no_question_is_a_bug() {
        Search::new(plan(1_000.0, 3, 1)).record(Rate(1_000.0), Some(true));
    }
}
