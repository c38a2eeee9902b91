//! The centre of paired differences, with an exact interval.
//!
//! The estimate is the median of the Walsh averages (d_i + d_j) / 2, i <= j (Hodges and Lehmann, 1963); the interval
//! is bounded by the k-th smallest and the k-th largest of them, k from the exact law of [`super::significance`] (Tukey,
//! 1949). It assumes that the differences are symmetric about the centre, which a random order of A and B
//! brings about when they are alike, and nothing else: no normal law, no equal variances, no calm machine.
//!
//! A lost round has a difference without end and keeps its place in the order; a Walsh average of one without end upwards
//! and one downwards could be anything: in a lower limit it is the latter, in an upper limit the former.

use super::significance::SignedRank;
use crate::stats::median;

/// A figure with what is known of its error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The point estimate; infinite where lost rounds decide it, and not a number where they leave it open.
    pub value: f64,
    /// `None` when `n` is too small for the confidence asked for; an end is infinite where lost rounds leave none.
    pub interval: Option<Interval>,
    /// Pairs that it comes from.
    pub n: usize,
}

/// A closed interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// The centre of the differences `d`, with an interval that covers the true one at least as often as `confidence`
/// (0.95 for 95 %) says.
///
/// Zeros are kept, and ties make the interval no narrower than it should be. 95 % needs 6 pairs and 99 % needs 8; below
/// that there is an estimate without an interval. Lost rounds count as [`Difference`] has them: leaving one out would be
/// choosing the data by its outcome. `None` without pairs, and where a difference is not a number.
///
/// Takes the time to sort n(n+1)/2 numbers.
///
/// # Panics
/// When `confidence` does not lie between 0 and 1.
pub fn hodges_lehmann<D>(d: &[D], confidence: f64) -> Option<Estimate>
where
    D: Copy + Into<Difference>,
{
    assert!(confidence > 0.0 && confidence < 1.0, "a confidence of {confidence}");
    let tail = (1.0 - confidence) / 2.0;
    let Limits { value, low, high, n } = one_sided(d, tail, tail)?;
    let interval = low.zip(high).map(|(low, high)| Interval { low, high });
    Some(Estimate { value, interval, n })
}

/// A centre with a limit on either side, each of which holds by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The point estimate, as [`Estimate::value`].
    pub value: f64,
    /// Exceeds the true centre at most as often as its level says; `None` when `n` is too small for it.
    pub low: Option<f64>,
    /// Falls short of the true centre at most as often as its level says.
    pub high: Option<f64>,
    /// Pairs that it comes from.
    pub n: usize,
}

/// The centre of the differences `d` as [`hodges_lehmann()`] has it, with a lower limit at the one-sided level `below`
/// and an upper one at the level `above`; a level of 0 has no limit.
///
/// `None` without pairs, and where a difference is not a number.
pub fn one_sided<D>(d: &[D], below: f64, above: f64) -> Option<Limits>
where
    D: Copy + Into<Difference>,
{
    let d: Vec<Difference> = d.iter().map(|&difference| difference.into()).collect();
    if d.is_empty() || d.iter().any(|d| d.low.is_nan() || d.high.is_nan()) {
        return None;
    }
    let lows = Walsh::of(d.iter().map(|d| d.low), f64::NEG_INFINITY);
    let highs = match d.iter().all(|d| d.is_finite()) {
        true => None,
        false => Some(Walsh::of(d.iter().map(|d| d.high), f64::INFINITY)),
    };
    let highs = highs.as_ref().unwrap_or(&lows);
    let law = SignedRank::of(d.len());
    let low = law.limit(below).map(|k| lows.sorted[k - 1]);
    let high = law.limit(above).map(|k| highs.sorted[highs.sorted.len() - k]);
    Some(Limits { value: centre(lows.middle(), highs.middle()), low, high, n: d.len() })
}

/// The two-sided p-value of a centre that lies within `zone` of zero: the smallest level whose interval lies wholly on one
/// side of it. 1 without pairs, and where a difference is not a number.
pub fn beyond<D>(d: &[D], zone: f64) -> f64
where
    D: Copy + Into<Difference>,
{
    let d: Vec<Difference> = d.iter().map(|&difference| difference.into()).collect();
    if d.is_empty() || d.iter().any(|d| d.low.is_nan() || d.high.is_nan()) {
        return 1.0;
    }
    let lows = Walsh::of(d.iter().map(|d| d.low), f64::NEG_INFINITY);
    let highs = Walsh::of(d.iter().map(|d| d.high), f64::INFINITY);
    // The k-th limit clears the zone when fewer than k averages do not.
    let not_above = lows.sorted.iter().filter(|average| **average <= zone).count();
    let not_below = highs.sorted.iter().filter(|average| **average >= -zone).count();
    (2.0 * SignedRank::of(d.len()).at_most(not_above.min(not_below))).min(1.0)
}

/// The means of all pairs, each difference paired with itself too.
struct Walsh {
    /// In ascending order.
    sorted: Vec<f64>,
    /// What stands for the mean of opposite infinities.
    opposite: f64,
}

impl Walsh {
    fn of(d: impl Iterator<Item = f64>, opposite: f64) -> Self {
        let d: Vec<f64> = d.collect();
        let mut sorted = Vec::with_capacity(d.len() * (d.len() + 1) / 2);
        for (i, &first) in d.iter().enumerate() {
            sorted.extend(d[i..].iter().map(|&second| mean(first, second, opposite)));
        }
        sorted.sort_unstable_by(f64::total_cmp);
        Self { sorted, opposite }
    }

    fn middle(&self) -> f64 {
        let Self { sorted, opposite } = self;
        // The two indices are one and the same for an odd length.
        mean(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2], *opposite)
    }
}

fn mean(first: f64, second: f64, opposite: f64) -> f64 {
    let mean = f64::midpoint(first, second);
    if mean.is_nan() { opposite } else { mean }
}

/// The estimate between the lowest and the highest that it may be: without end where one of them is, and not a number
/// where both are.
fn centre(low: f64, high: f64) -> f64 {
    match (low.is_finite(), high.is_finite()) {
        (true, true) => f64::midpoint(low, high),
        (true, false) => high,
        (false, true) => low,
        (false, false) if low == high => low,
        (false, false) => f64::NAN,
    }
}

impl Estimate {
    /// The same under an increasing function, such as `f64::exp` for a ratio that was estimated through its logarithm.
    ///
    /// The function must keep order: a limit of the interval goes to a limit.
    #[must_use]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        let interval =
            self.interval.map(|Interval { low, high }| Interval { low: f(low), high: f(high) });
        Self { value: f(self.value), interval, n: self.n }
    }
}

impl Interval {
    /// Whether `x` lies in it, its ends included.
    pub fn contains(self, x: f64) -> bool {
        (self.low..=self.high).contains(&x)
    }
}

/// Makes the median deviation of a normal law its standard deviation: 1 over its upper quartile.
const NORMAL: f64 = 1.4826;

/// 1.4826 median |d - centre|, the centre by Hodges and Lehmann: the standard deviation of a normal law, of which up
/// to half the differences may be something else.
///
/// Infinite differences, those of lost rounds, are left out. `None` without any other, and where one is not a number; 0
/// when more than half are the centre.
pub fn residual_sd(d: &[f64]) -> Option<f64> {
    let finite: Vec<f64> = d.iter().copied().filter(|d| !d.is_infinite()).collect();
    // Any confidence: only the centre is used.
    let centre = hodges_lehmann(&finite, 0.95)?.value;
    scale(&finite, centre)
}

/// The same about zero: for differences whose true centre is known.
pub fn deviation_from_zero(d: &[f64]) -> Option<f64> {
    scale(d, 0.0)
}

fn scale(d: &[f64], centre: f64) -> Option<f64> {
    let deviations: Vec<f64> = d.iter().map(|difference| (difference - centre).abs()).collect();
    Some(NORMAL * median(&deviations)?)
}

/// Stands for the figure of a contender that has lost its round, whichever way is better: worse than any other.
pub const LOST: f64 = f64::INFINITY;

/// A difference as it enters an upper limit and as it enters a lower one: the same, but where both have lost the round
/// and it could be anything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// In a lower limit.
    pub low: f64,
    /// In an upper limit.
    pub high: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Times, costs, sizes.
    Less,
    /// Rates.
    More,
}

impl Difference {
    /// Both have lost.
    pub const UNKNOWN: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };

    /// `first` less `second` by `difference`, without end where one of them is [`LOST`].
    pub fn between(
        first: f64,
        second: f64,
        better: Better,
        difference: impl Fn(f64, f64) -> f64,
    ) -> Self {
        match (first == LOST, second == LOST) {
            (false, false) => difference(first, second).into(),
            (true, false) => better.worst().into(),
            (false, true) => (-better.worst()).into(),
            (true, true) => Self::UNKNOWN,
        }
    }

    /// The one number that it is, infinite where one alone has lost.
    pub fn known(self) -> Option<f64> {
        (self.low == self.high).then_some(self.low)
    }

    /// Whether no round is lost.
    pub fn is_finite(self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }
}

impl From<f64> for Difference {
    fn from(d: f64) -> Self {
        Self { low: d, high: d }
    }
}

impl Better {
    /// Where a figure that is worse than any other lies.
    pub fn worst(self) -> f64 {
        match self {
            Self::Less => f64::INFINITY,
            Self::More => f64::NEG_INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{assert_near, float, floats, rows};
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn a_p_value_is_the_level_at_which_the_interval_just_clears_the_zone() {
        let random = crate::random::Stream::of(7);
        let mut drawn = 0;
        for n in [3, 6, 8, 10, 20] {
            for _ in 0..200 {
                let d: Vec<f64> = (0..n).map(|i| random.unit(drawn + i) - 0.35).collect();
                drawn += n;
                let p = beyond(&d, 0.05);
                let clears = |level: f64| {
                    let interval = hodges_lehmann(&d, 1.0 - level).and_then(|it| it.interval);
                    interval.is_some_and(|it| it.low > 0.05 || it.high < -0.05)
                };
                if p < 1.0 {
                    assert!(clears(p + 1e-9), "n {n}, p {p}");
                    assert!(!clears(p - 1e-9), "n {n}, p {p}");
                }
            }
        }
        assert_eq!(beyond(&[1.0; 8], 0.05), 2.0 / 256.0, "the least that 8 rounds can have");
        assert_eq!(beyond(&[f64::INFINITY, 1.0, 1.0, 1.0, 1.0, 1.0], 0.0), 2.0 / 64.0);
        assert_eq!((beyond::<f64>(&[], 0.1), beyond(&[f64::NAN], 0.1)), (1.0, 1.0));
    }

    #[test]
    fn centre_and_interval_are_those_of_scipy_and_numpy() {
        let text = include_str!("../../tests/data/scipy_hodges_lehmann.json");
        let file: Value = serde_json::from_str(text).unwrap();
        let rows = file["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 16 * 5, "sixteen sizes from 1 to 35, five kinds of sample");
        for row in rows {
            let d: Vec<f64> =
                row["d"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            for pair in row["intervals"].as_array().unwrap() {
                let estimate = hodges_lehmann(&d, pair[0].as_f64().unwrap()).unwrap();
                let name = format!("{} of {}, {}", row["name"], d.len(), pair[0]);
                assert_eq!(estimate.n, d.len());
                assert_near(estimate.value, row["value"].as_f64().unwrap(), &name);
                let ends = pair[1].as_array();
                assert_eq!(estimate.interval.is_some(), ends.is_some(), "{name}");
                if let (Some(Interval { low, high }), Some(ends)) = (estimate.interval, ends) {
                    assert_near(low, ends[0].as_f64().unwrap(), &name);
                    assert_near(high, ends[1].as_f64().unwrap(), &name);
                }
            }
        }
    }

    #[test]
    fn too_few_pairs_give_a_centre_without_an_interval() {
        assert_eq!(hodges_lehmann(&[0.0; 0], 0.95), None);
        let one = Estimate { value: 3.0, interval: None, n: 1 };
        assert_eq!(hodges_lehmann(&[3.0], 0.95), Some(one));
        for (n, confidence, some) in
            [(5, 0.95, false), (6, 0.95, true), (7, 0.99, false), (8, 0.99, true)]
        {
            let d: Vec<f64> = (0..n).map(f64::from).collect();
            let estimate = hodges_lehmann(&d, confidence).unwrap();
            assert_eq!(estimate.interval.is_some(), some, "{n} at {confidence}");
        }
        // With six pairs the limits are the extremes themselves.
        let six = hodges_lehmann(&[6.0, 1.0, 5.0, 2.0, 4.0, 3.0], 0.95).unwrap();
        assert_eq!(six.interval, Some(Interval { low: 1.0, high: 6.0 }));
        assert_eq!(six.value, 3.5);
    }

    #[test]
    fn equal_differences_have_a_closed_interval_of_no_width() {
        let estimate = hodges_lehmann(&[0.0; 10], 0.95).unwrap();
        assert_eq!(estimate.interval, Some(Interval { low: 0.0, high: 0.0 }));
        assert!(estimate.interval.unwrap().contains(0.0), "A against A is never a difference");
    }

    #[test]
    fn zeros_are_kept() {
        // Without its five zeros this sample would have no interval, and a centre of 1.
        let estimate = hodges_lehmann(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0], 0.95).unwrap();
        assert_eq!((estimate.n, estimate.value), (8, 0.5));
        assert_eq!(estimate.interval, Some(Interval { low: 0.0, high: 1.0 }));
    }

    #[test]
    fn each_side_has_its_own_level() {
        let d = [0.4, -0.1, 0.2, 0.9, 0.3, 0.1, 0.5, 0.7];
        let both = |confidence| hodges_lehmann(&d, confidence).unwrap().interval.unwrap();
        let limits = one_sided(&d, 0.005, 0.05).unwrap();
        assert_eq!((limits.low, limits.high), (Some(both(0.99).low), Some(both(0.9).high)));
        assert_eq!(limits.value, hodges_lehmann(&d, 0.9).unwrap().value);
        // 2^-8 is attained by the extremes themselves, and less is not attained at all.
        assert_eq!(one_sided(&d, 0.5_f64.powi(8), 0.0).unwrap().low, Some(-0.1));
        assert_eq!(one_sided(&d, 0.5_f64.powi(9), 0.0).unwrap().low, None);
        assert_eq!(one_sided(&d, 0.05, 0.0).unwrap().high, None);
        assert_eq!(one_sided(&[0.0; 0], 0.05, 0.05), None);
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        assert_eq!(hodges_lehmann(&[1.0, f64::NAN, 2.0, 3.0, 4.0, 5.0, 6.0], 0.95), None);
        let huge = hodges_lehmann(&[f64::MAX; 6], 0.95).unwrap();
        assert_eq!(huge.value, f64::MAX, "averages do not overflow");
    }

    const INFINITE: Interval = Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };

    /// Ten rounds of which the first are as given.
    fn ten(first: &[Difference]) -> Estimate {
        let others = [0.1, 0.3, 0.2, 0.5, 0.4, 0.6, 0.8, 0.7, 0.9, 1.0].map(Difference::from);
        let d: Vec<_> = first.iter().chain(&others[first.len()..]).copied().collect();
        hodges_lehmann(&d, 0.95).unwrap()
    }

    #[test]
    fn one_lost_round_of_ten_leaves_no_finite_limit_on_its_side() {
        let lost = Difference::from(f64::INFINITY);
        let one = ten(&[lost]);
        let interval = one.interval.unwrap();
        assert!(one.value.is_finite() && interval.low.is_finite(), "{one:?}");
        assert_eq!((one.n, interval.high), (10, f64::INFINITY));
        let other = ten(&[f64::NEG_INFINITY.into()]);
        assert_eq!(other.interval.unwrap().low, f64::NEG_INFINITY);
        assert!(other.interval.unwrap().high.is_finite() && other.value.is_finite());
        // Four of ten leave a centre below without end only by half an average: 34 of 55 are infinite.
        assert_eq!(ten(&[lost; 4]).value, f64::INFINITY);
        assert!(ten(&[lost; 4]).interval.unwrap().low.is_finite());
        let all = hodges_lehmann(&[lost; 10], 0.95).unwrap();
        assert_eq!(all.interval.unwrap(), Interval { low: f64::INFINITY, high: f64::INFINITY });
    }

    #[test]
    fn what_both_lost_counts_for_the_wider_limit_on_either_side() {
        let one = ten(&[Difference::UNKNOWN]);
        assert_eq!(one.interval, Some(INFINITE));
        assert!(one.value.is_finite(), "{one:?}");
        let all = hodges_lehmann(&[Difference::UNKNOWN; 10], 0.95).unwrap();
        assert!(all.value.is_nan() && all.interval == Some(INFINITE), "{all:?}");
        // One of each: their average could be anything.
        let each = ten(&[f64::INFINITY.into(), f64::NEG_INFINITY.into()]);
        assert_eq!(each.interval, Some(INFINITE));
        assert!(each.value.is_finite());
        let up = [Difference::from(f64::INFINITY); 5];
        let five = ten(&[up, [f64::NEG_INFINITY.into(); 5]].concat());
        assert!(five.value.is_nan(), "25 of 55 averages are of opposites: {five:?}");
    }

    /// From what is best for the first contender to what is worst.
    fn any_difference() -> impl Strategy<Value = Difference> {
        prop_oneof![
            6 => (-3..=3).prop_map(|d| Difference::from(f64::from(d))),
            1 => Just(f64::INFINITY.into()),
            1 => Just(f64::NEG_INFINITY.into()),
            1 => Just(Difference::UNKNOWN),
        ]
    }

    proptest! {
        #[test]
        fn a_round_that_is_worse_never_moves_a_limit_the_other_way(
            mut d in prop::collection::vec(any_difference(), 1..14),
            place in any::<prop::sample::Index>(),
            worse in any_difference(),
            below in prop::sample::select(vec![0.001, 0.01, 0.05]),
        ) {
            let before = one_sided(&d, below, below).unwrap();
            let place = place.index(d.len());
            prop_assume!(worse.low >= d[place].low && worse.high >= d[place].high);
            d[place] = worse;
            let after = one_sided(&d, below, below).unwrap();
            prop_assert!(after.low >= before.low && after.high >= before.high);
            // Not a number is neither here nor there.
            let open = before.value.is_nan() || after.value.is_nan();
            prop_assert!(open || after.value >= before.value);
            for reached in [-2.0, 0.0, 2.0] {
                prop_assert!(before.value < reached || before.value.is_nan() || after.value >= reached);
            }
        }
    }

    #[test]
    #[should_panic(expected = "a confidence of 95")]
    fn a_confidence_is_a_share_and_not_a_percentage() {
        hodges_lehmann(&[1.0], 95.0);
    }

    #[test]
    fn it_is_the_one_of_scipy_and_numpy() {
        let rows = rows(include_str!("../../tests/data/scipy_residuals.json"));
        assert_eq!(rows.len(), 5);
        for row in rows {
            let d = floats(&row["d"]);
            assert_near(
                residual_sd(&d).unwrap(),
                float(&row["s"]),
                &format!("{} of them", d.len()),
            );
        }
    }

    #[test]
    fn wild_rounds_are_no_scatter() {
        let calm = [0.01, -0.02, 0.0, 0.03, -0.01, 0.02, -0.03];
        let mut wild = calm.to_vec();
        wild.extend([5.0, 1000.0]);
        let (calm, wild) = (residual_sd(&calm).unwrap(), residual_sd(&wild).unwrap());
        assert!(wild < 2.0 * calm, "{calm} {wild}");
    }

    #[test]
    fn what_has_no_scatter() {
        assert_eq!(residual_sd(&[]), None);
        assert_eq!(residual_sd(&[f64::NAN]), None);
        assert_eq!(residual_sd(&[f64::INFINITY]), None);
        assert_eq!(residual_sd(&[f64::INFINITY, 1.0, 3.0]), residual_sd(&[1.0, 3.0]));
        assert_eq!(residual_sd(&[4.0]), Some(0.0));
        assert_eq!(residual_sd(&[0.5; 12]), Some(0.0));
        assert_eq!(deviation_from_zero(&[0.5; 12]), Some(0.7413));
    }
}
