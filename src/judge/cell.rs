//! Who wins a comparison or a measured cell, and by how much: in a table, on the map and in a decision alike.

use crate::judge::races::Race;
use crate::judge::statement::series::{End, metric_of};
use crate::record::metric::{Metric, label};
use crate::record::{Comparison, Direction, Exploratory, MapCell, RunResult, Trial, Winner};
use crate::scenario::MapMetric;
use crate::stats;
use crate::stats::{Better, Difference, Estimate, Interval, LOST, discoveries};
use crate::units::Nanos;
use std::borrow::Cow;

/// The metric of a cell that compares closed ceilings.
pub(crate) const CEILING: &str = "capacity";

/// Within this of 1 nothing is called a difference.
pub(crate) const ZONE: f64 = 1.05;

/// Of the cells of a map that have a winner, at most such a share has the wrong one, on average.
const WRONG: f64 = 0.05;
/// A contender's cores are what binds it from here on.
const BUSY: f64 = 0.85;
/// Below so many rounds no cell has a winner.
pub(crate) const ROUNDS_MIN: u32 = 8;

/// Who wins a cell and how many times over.
pub(crate) fn winner(cell: &MapCell) -> Option<(Winner, f64)> {
    Some((cell.winner?, cell.ratio.map(|ratio| ratio.max(1.0 / ratio))?))
}

/// Says who wins each cell of a map or of a decision, all of them judged together.
pub(crate) fn judge<'a>(cells: impl IntoIterator<Item = &'a mut MapCell>, metric: &str) {
    let mut cells: Vec<&mut MapCell> = cells.into_iter().collect();
    let p = |cell: &MapCell| cell.p.filter(|_| cell.ratio.is_some() && cell.n >= ROUNDS_MIN);
    let p: Vec<f64> = cells.iter().map(|cell| p(cell).unwrap_or(f64::NAN)).collect();
    for (cell, clear) in cells.iter_mut().zip(discoveries(&p, WRONG)) {
        cell.winner = ahead(cell, metric).filter(|_| clear);
    }
}

fn ahead(cell: &MapCell, metric: &str) -> Option<Winner> {
    let first = (cell.ratio? > 1.0) == more_is_better(metric);
    Some(if first { Winner::Of } else { Winner::Versus })
}

/// What a cell of this metric compares, for people: never within an objective, so a capacity is called what it is.
pub(crate) fn quantity(metric: &str) -> Cow<'static, str> {
    if metric == CEILING { "maximum throughput".into() } else { label(metric) }
}

pub(crate) fn more_is_better(metric: &str) -> bool {
    matches!(metric, CEILING | "achieved" | "goodput" | "accounts_per_s" | "throughput")
}

/// Two contenders compared in closed loop at one operating point.
#[derive(Clone, Debug)]
pub(crate) struct PairComparison {
    /// of / versus; `None` where neither was bound by its own cores, or no round holds.
    pub(crate) ratio: Option<Estimate>,
    /// How likely chance alone takes it so far out of the zone in which nothing is called a difference.
    pub(crate) p: Option<f64>,
    /// The metric of both, round by round.
    pub(crate) rounds: Vec<[f64; 2]>,
    /// Why there is no ratio; else empty.
    pub(crate) reason: String,
    /// The size of each, in words; empty where it has none.
    pub(crate) sizes: [String; 2],
}

impl PairComparison {
    /// As a cell of a map, without a winner yet.
    pub(crate) fn cell(self, cpu: Nanos, wait: Nanos) -> MapCell {
        let interval = self.ratio.and_then(|ratio| ratio.interval);
        MapCell {
            wait_ns: wait.0,
            cpu_ns: cpu.0,
            ratio: self.ratio.map(|ratio| ratio.value),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            n: self.rounds.len() as u32,
            reason: self.reason,
            sizes: self.sizes,
            rounds: self.rounds,
            p: self.p,
            winner: None,
        }
    }
}

/// Compares the rounds. A lost round counts as worse and shows no figures.
pub(crate) fn compare_blocks(
    rounds: &[[Trial; 2]],
    metric: MapMetric,
    sizes: [String; 2],
) -> PairComparison {
    let value = |trial: &Trial| match metric {
        _ if trial.validity.lost => Some(LOST),
        MapMetric::Capacity => Some(trial.achieved_rps).filter(|rps| *rps > 0.0),
        MapMetric::CpuPerRequest => trial.server.cpu_us_per_request,
    };
    let better = match metric {
        MapMetric::Capacity => Better::More,
        MapMetric::CpuPerRequest => Better::Less,
    };
    let both = |[a, b]: &[Trial; 2]| Some([value(a)?, value(b)?]);
    let figures: Vec<[f64; 2]> = rounds.iter().filter_map(both).collect();
    let reason = reason(rounds, metric);
    let (a, b): (Vec<f64>, Vec<f64>) = figures.iter().map(|[a, b]| (*a, *b)).unzip();
    let ratio = stats::ratio_of(&a, &b, better, CONFIDENCE).and_then(|paired| paired.ratio);
    let lost = figures.iter().flatten().filter(|figure| **figure == LOST).count();
    let reason = match (reason, ratio, lost) {
        (reason, ..) if !reason.is_empty() => reason,
        (_, None, _) => "no round holds".into(),
        (_, Some(ratio), 1..) if !is_finite(&ratio) => lost_by(rounds),
        _ => String::new(),
    };
    let ratio = ratio.filter(|_| reason.is_empty());
    let apart = |(a, b): (&f64, &f64)| Difference::between(*a, *b, better, |a, b| a.ln() - b.ln());
    let apart: Vec<Difference> = a.iter().zip(&b).map(apart).collect();
    PairComparison {
        p: ratio.map(|_| stats::beyond(&apart, ZONE.ln())),
        ratio,
        rounds: figures.into_iter().filter(|pair| !pair.contains(&LOST)).collect(),
        reason,
        sizes,
    }
}

fn is_finite(ratio: &Estimate) -> bool {
    let interval = ratio.interval.unwrap_or(Interval { low: ratio.value, high: ratio.value });
    [ratio.value, interval.high].iter().all(|end| end.is_finite()) && interval.low > 0.0
}

/// `thread-pool lost 4 of 10 rounds: the contender crashed`
fn lost_by(rounds: &[[Trial; 2]]) -> String {
    let of = |index: usize| {
        let all = rounds.iter().map(|pair| &pair[index]).filter(|trial| trial.validity.lost);
        let all: Vec<&Trial> = all.collect();
        let first = all.first()?;
        let why = first.validity.reasons.join("; ");
        Some(format!("{} lost {} of {} rounds: {why}", first.contender, all.len(), rounds.len()))
    };
    [0, 1].into_iter().filter_map(of).collect::<Vec<_>>().join("; ")
}

/// Why the ratio of two ceilings would say nothing of the contenders: neither has its cores busy. Where one has and the
/// other has not, that other one's ceiling is higher still, and the ratio still says which one wins.
fn reason(rounds: &[[Trial; 2]], metric: MapMetric) -> String {
    if metric == MapMetric::CpuPerRequest {
        return String::new();
    }
    let free = |index: usize| {
        let of = rounds.iter().map(|pair| &pair[index]);
        let free = of.filter(|trial| trial.server.cpu_share.is_some_and(|share| share < BUSY));
        free.map(|trial| trial.bound_by.name()).collect::<Vec<_>>()
    };
    let (a, b) = (free(0), free(1));
    if 2 * a.len() <= rounds.len() || 2 * b.len() <= rounds.len() {
        return String::new();
    }
    let by = if a.contains(&"pool") || b.contains(&"pool") { "pool" } else { a[0] };
    format!("the {by} binds both")
}

/// Of a comparison outside the headline, and of a cell.
pub(crate) const CONFIDENCE: f64 = 0.95;

/// Counts the comparisons outside the headline, those that differ, and how many would differ by chance. A capacity has
/// a rule of its own and is not counted.
pub(crate) fn exploratory<'c>(
    comparisons: impl IntoIterator<Item = &'c Comparison>,
) -> Option<Exploratory> {
    let mut found = Exploratory::default();
    for c in comparisons {
        let interval = (c.low, c.high) != (None, None);
        if c.headline_confidence.is_some() || c.metric == "capacity" || !interval {
            continue;
        }
        found.compared += 1;
        found.differ += u32::from(c.verdict != Direction::Inconclusive);
        found.by_chance += stats::misses(c.n as usize, CONFIDENCE);
    }
    (found.compared > 0).then_some(found)
}

/// Rounds lost by either.
pub(crate) fn lost(c: &Comparison) -> u32 {
    c.lost_of + c.lost_versus
}

/// Both limits; 0 and infinity where lost rounds leave none, the ratio itself where there are too few rounds.
pub(crate) fn ends(c: &Comparison) -> (f64, f64) {
    let known = |limit: Option<f64>, open: f64| match (limit, lost(c)) {
        (Some(limit), _) => limit,
        (None, 0) => c.ratio.unwrap_or(open),
        (None, _) => open,
    };
    (known(c.low, 0.0), known(c.high, f64::INFINITY))
}

pub(crate) fn belongs(race: &Race<'_>, c: &Comparison) -> bool {
    (race.workload, race.scenario, race.level) == (&*c.workload, &*c.scenario, &*c.at)
}

/// The comparisons that are a race's headline.
pub(crate) fn headline<'r>(
    result: &'r RunResult,
    race: &Race<'_>,
) -> impl Iterator<Item = &'r Comparison> {
    let own = |c: &&Comparison| belongs(race, c) && c.headline_confidence.is_some();
    result.comparisons.iter().filter(own)
}

/// The lowest and the highest ratio of a round.
pub(crate) fn range(race: &Race<'_>, c: &Comparison) -> Option<(f64, f64)> {
    let (of, versus) = (race.entry(&c.of)?, race.entry(&c.versus)?);
    let metric = Metric::ALL.into_iter().find(|metric| metric.name() == c.metric)?;
    let value = |trial| metric_of(trial, metric, c.request.as_deref(), End::High);
    let mut ratios: Vec<f64> = of
        .usable()
        .filter_map(|trial| {
            let other = versus.usable().find(|other| other.round == trial.round)?;
            Some(value(trial)? / value(other)?)
        })
        .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
        .collect();
    ratios.sort_by(f64::total_cmp);
    Some((*ratios.first()?, *ratios.last()?))
}

/// How many times the larger of the two is the smaller; 1 without a ratio.
pub(crate) fn factor(c: &Comparison) -> f64 {
    c.ratio.map_or(1.0, |ratio| ratio.max(1.0 / ratio))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(ratio: f64, low: f64, high: f64) -> MapCell {
        MapCell {
            wait_ns: 0,
            cpu_ns: 0,
            ratio: Some(ratio),
            low: Some(low),
            high: Some(high),
            n: 6,
            reason: String::new(),
            sizes: Default::default(),
            rounds: Vec::new(),
            p: None,
            winner: None,
        }
    }

    fn alone(cell: MapCell, metric: &str) -> Option<(Winner, f64)> {
        let mut cell = cell;
        judge([&mut cell], metric);
        winner(&cell)
    }

    #[test]
    fn the_side_that_is_ahead_depends_on_the_metric() {
        let of = |ratio: f64| MapCell { n: 8, p: Some(0.01), ..cell(ratio, ratio, ratio) };
        assert_eq!(alone(of(2.0), CEILING), Some((Winner::Of, 2.0)));
        assert_eq!(alone(of(2.0), "p99"), Some((Winner::Versus, 2.0)));
        assert_eq!(alone(of(0.5), CEILING), Some((Winner::Versus, 2.0)));
        assert_eq!(alone(of(0.5), "cpu_per_request"), Some((Winner::Of, 2.0)));
    }

    #[test]
    fn one_of_seven_stands_out_with_nine_rounds_and_not_with_eight() {
        for (rounds, won) in [(8, 0), (9, 1)] {
            let all_agree = 2.0 / f64::from(1 << rounds);
            let of = |p: f64| MapCell { n: rounds, p: Some(p), ..cell(2.0, 1.06, 3.0) };
            let mut cells: Vec<MapCell> = [all_agree, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6].map(of).into();
            judge(&mut cells, CEILING);
            assert_eq!(cells.iter().filter(|cell| cell.winner.is_some()).count(), won, "{rounds}");
        }
    }

    #[test]
    fn cells_of_a_map_are_judged_together() {
        let of = |p: f64| MapCell { n: 8, p: Some(p), ..cell(2.0, 1.06, 3.0) };
        let won = |mut cells: Vec<MapCell>| {
            judge(&mut cells, CEILING);
            cells.iter().filter(|cell| cell.winner == Some(Winner::Of)).count()
        };
        let clear = 2.0 / 256.0;
        let among = |clear_ones: usize| {
            (0..25).map(|i| of(if i < clear_ones { clear } else { 0.6 })).collect::<Vec<_>>()
        };
        assert_eq!(won(among(3)), 0, "three of 25 at 8 rounds may be chance");
        assert_eq!(won(among(4)), 4);
        assert_eq!(won(vec![of(0.04)]), 1);
        assert_eq!(won(vec![MapCell { n: 7, ..of(0.01) }]), 0, "too few rounds");
        assert_eq!(won(vec![MapCell { ratio: None, ..of(0.01) }]), 0);
    }
}
