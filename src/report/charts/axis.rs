//! The percentile axis, and where ticks of a response time stand.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

/// An axis on which each nine of a percentile takes the same room: -log10(1 - q), for q from 0 to 1 - 10^-`nines`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Percentiles {
    /// Where it ends: 2 for p99.
    pub(super) nines: f64,
}

/// How many nines a quantile has: 2 for 0.99.
pub(super) fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-12).log10()
}

impl Percentiles {
    pub(super) fn ticks(self) -> impl Iterator<Item = f64> {
        [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999]
            .into_iter()
            .filter(move |quantile| nines(*quantile) <= self.nines + 1e-9)
    }
}

impl Ranged for Percentiles {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, quantile: &f64, (from, to): (i32, i32)) -> i32 {
        from + (nines(*quantile) / self.nines * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks().collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..1.0 - 10_f64.powf(-self.nines)
    }
}

/// Round values (1, 2, 5 and their tens) around `low` to `high`, both above 0, at least two and no more than
/// [`MAX_TICKS`]: the first and the last are the axis' ends.
pub(super) fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    for steps in [&[1.0, 2.0, 5.0][..], &[1.0]] {
        let ladder: Vec<f64> = (-1..=13)
            .flat_map(|exponent| steps.iter().map(move |step| step * 10_f64.powi(exponent)))
            .collect();
        let first = ladder.iter().rposition(|value| *value <= low * SLACK).unwrap_or(0);
        let last = ladder.iter().position(|value| *value >= high / SLACK);
        let last = last.unwrap_or(ladder.len() - 1).max(first + 1);
        if last - first < MAX_TICKS || steps.len() == 1 {
            return ladder[first..=last].to_vec();
        }
    }
    unreachable!("the last ladder is always taken")
}

/// More labels than this crowd an axis.
const MAX_TICKS: usize = 10;
/// A value may reach over the end of an axis by a hair.
const SLACK: f64 = 1.02;

/// Places for labels `gap` apart between `low` and `high` and as near to `wanted` as that lets them be. The answer has
/// the order of `wanted`; where the room does not suffice it is shared out evenly.
pub(super) fn spread(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let count = wanted.len();
    let gap = if count > 1 { gap.min((high - low) / (count - 1) as f64) } else { gap };
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    // Less its place in the row, a label must only not stand before the one above it: a monotone fit, by pooling
    // neighbours (Barlow et al., 1972).
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (place, index) in order.iter().enumerate() {
        let mut pool = (wanted[*index] - gap * place as f64, 1);
        while let Some((mean, size)) = pools.pop_if(|(mean, _)| *mean > pool.0) {
            let all = size + pool.1;
            pool = ((mean * size as f64 + pool.0 * pool.1 as f64) / all as f64, all);
        }
        pools.push(pool);
    }
    let last_start = high - gap * count.saturating_sub(1) as f64;
    let starts = pools.iter().flat_map(|(mean, size)| std::iter::repeat_n(*mean, *size));
    let mut places = vec![0.0; count];
    for (place, (index, start)) in order.iter().zip(starts).enumerate() {
        places[*index] = start.clamp(low, last_start.max(low)) + gap * place as f64;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nine_takes_the_same_room() {
        let axis = Percentiles { nines: 4.0 };
        let at = |quantile| axis.map(&quantile, (0, 4_000));
        assert_eq!([0.0, 0.9, 0.99, 0.999, 0.9999].map(at), [0, 1_000, 2_000, 3_000, 4_000]);
        assert_eq!(axis.ticks().count(), 6);
    }

    #[test]
    fn ticks_enclose_the_values() {
        assert_eq!(log_ticks(62.0, 900.0), [50.0, 100.0, 200.0, 500.0, 1_000.0]);
        assert_eq!(log_ticks(100.0, 100.0), [100.0, 200.0]);
        let wide = log_ticks(1.0, 9e9);
        assert!(wide.len() <= MAX_TICKS + 2 && wide[0] <= 1.0 && *wide.last().unwrap() >= 9e9);
    }

    #[test]
    fn labels_keep_their_distance_and_stay_near() {
        for (wanted, want) in [
            (vec![100.0, 200.0], vec![100.0, 200.0]),
            (vec![100.0, 110.0], vec![85.0, 125.0]),
            (vec![110.0, 100.0], vec![125.0, 85.0]),
            (vec![5.0, 5.0, 5.0], vec![0.0, 40.0, 80.0]),
            (vec![300.0, 299.0], vec![300.0, 260.0]),
            (vec![], vec![]),
        ] {
            assert_eq!(spread(&wanted, 40.0, 0.0, 300.0), want, "{wanted:?}");
        }
        let crowded = spread(&[10.0; 31], 40.0, 0.0, 300.0);
        assert!(crowded.iter().all(|y| (0.0..=300.0001).contains(y)) && crowded.is_sorted());
    }
}
