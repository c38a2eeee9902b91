//! The highest rate that a contender keeps within its SLO, as a bounded interval: at least this, below that.
//!
//! A state machine that starts nothing: [`Search::next`] says which rate is to be tried, [`Search::record`] takes the
//! answer, [`Search::answer`] gives the interval. It has three parts:
//!
//! 1. **Short trials** double the rate until it is not kept (or halve it until it is), then bisect. One trial of a rate
//!    near the capacity is a coin toss, so what they find is where to look, and not the answer.
//! 2. **Deciding trials**, long ones, at the two levels on either side of the border, in shuffled order so that a slow
//!    minute hits both. A level is decided when its first [`AGREE`] trials agree, or all but one of [`TRIALS_MAX`]. A level
//!    on the border itself, each trial of which is the toss of a coin, is called kept one time in twenty: 1/32 + 5/256.
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
mod tests;
