//! When a gate looks at its rounds, and how much of its error each look may spend.
//!
//! Looking often and stopping when it suits is how a gate of 1 % becomes one of 15 %. This one looks four times, and the
//! levels of its looks add up to what it promises: by the union bound the promise holds whatever the looks have to do
//! with one another. A look at a share t of the rounds has spent alpha t^2 (the power family of Kim and DeMets, 1987):
//! little early, when an estimate is wild, and most at the end.

/// The shares of the most rounds at which a gate looks.
const SHARES: [f64; 4] = [0.3, 0.5, 0.75, 1.0];
/// The fewest rounds that a gate may be planned with: its first look then has 4.
pub const ROUNDS_MIN: u32 = 12;
/// The most rounds of a gate.
pub const ROUNDS_MAX: u32 = 40;
/// How often the whole gate may fail an equal candidate.
pub const ALPHA_FAIL: f64 = 0.01;
/// What of that failed requests may spend; the metrics share the rest.
pub const ALPHA_FAILURES: f64 = 0.0005;
/// How often a metric may pass a candidate that is worse by exactly its margin.
pub const ALPHA_PASS: f64 = 0.05;

/// The rounds after which a gate of at most `rounds_max` looks: 12, 20, 30 and 40 of 40.
pub fn looks(rounds_max: u32) -> [u32; 4] {
    SHARES.map(|share| (share * f64::from(rounds_max)).round() as u32)
}

/// What is left to spend of a level, look by look.
#[derive(Clone, Copy, Debug)]
pub struct Spending {
    alpha: f64,
    rounds_max: f64,
    /// The share of the rounds at the last look, squared.
    spent: f64,
    carried: f64,
}

impl Spending {
    /// The whole of `alpha`, for a gate of at most `rounds_max` rounds.
    pub fn of(alpha: f64, rounds_max: u32) -> Self {
        Self { alpha, rounds_max: f64::from(rounds_max), spent: 0.0, carried: 0.0 }
    }

    /// The one-sided level of the look at `rounds` rounds, in which `pairs` have a figure.
    ///
    /// `None` when not even `pairs` differences of one sign are so unlikely: nothing could be decided, and the level is
    /// carried to the next look.
    pub fn level(&mut self, rounds: u32, pairs: usize) -> Option<f64> {
        let share = (f64::from(rounds) / self.rounds_max).powi(2);
        let level = self.alpha * (share - self.spent) + self.carried;
        self.spent = share;
        let attained = pairs > 0 && level >= 0.5_f64.powi(pairs as i32);
        self.carried = if attained { 0.0 } else { level };
        attained.then_some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(alpha: f64, rounds_max: u32) -> Vec<Option<f64>> {
        let mut spending = Spending::of(alpha, rounds_max);
        looks(rounds_max).map(|n| spending.level(n, n as usize)).to_vec()
    }

    #[test]
    fn looks_are_shares_of_the_most_rounds() {
        assert_eq!(looks(40), [12, 20, 30, 40]);
        assert_eq!(looks(12), [4, 6, 9, 12]);
        for rounds_max in ROUNDS_MIN..=ROUNDS_MAX {
            let looks = looks(rounds_max);
            assert!(looks.windows(2).all(|pair| pair[0] < pair[1]) && looks[3] == rounds_max);
        }
    }

    #[test]
    fn levels_are_those_of_the_method() {
        let expected = [0.0009, 0.0016, 0.003125, 0.004375];
        for (found, expected) in levels(0.01, 40).into_iter().zip(expected) {
            assert!((found.unwrap() - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn what_cannot_be_attained_is_carried_on_and_nothing_is_lost() {
        // 12 rounds at .001: 0.09 of it is .00009, below 2^-12.
        let found = levels(0.001, 40);
        assert_eq!(found[0], None);
        assert!((found[1].unwrap() - 0.001 * 0.25).abs() < 1e-12);
        for alpha in [0.05, 0.01, 0.004, 0.001, ALPHA_FAILURES] {
            for rounds_max in ROUNDS_MIN..=ROUNDS_MAX {
                let levels = levels(alpha, rounds_max);
                let total: f64 = levels.iter().flatten().sum();
                assert!((total - alpha).abs() < 1e-12, "{alpha}, {rounds_max}: {levels:?}");
                for (level, n) in levels.iter().zip(looks(rounds_max)) {
                    assert!(level.is_none_or(|level| level >= 0.5_f64.powi(n as i32)));
                }
            }
        }
    }

    #[test]
    fn pairs_and_not_rounds_are_what_a_level_needs() {
        let mut spending = Spending::of(0.01, 40);
        assert_eq!(spending.level(12, 0), None);
        assert_eq!(spending.level(20, 8), None);
        let level = spending.level(30, 18).unwrap();
        assert!((level - 0.01 * 0.5625).abs() < 1e-12, "all that was carried");
    }
}
