//! What a round says of two contenders: by how much they differ, or who of them has lost it.

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

    #[test]
    fn who_has_lost_alone_is_worse_without_end_and_of_two_nothing_is_known() {
        let of = |a, b, better| Difference::between(a, b, better, |a, b| a - b);
        assert_eq!(of(3.0, 1.0, Better::Less).known(), Some(2.0));
        for (better, worse) in [(Better::Less, f64::INFINITY), (Better::More, f64::NEG_INFINITY)] {
            assert_eq!(of(LOST, 1.0, better).known(), Some(worse));
            assert_eq!(of(1.0, LOST, better).known(), Some(-worse));
            assert_eq!(of(LOST, LOST, better), Difference::UNKNOWN);
            assert_eq!(of(LOST, LOST, better).known(), None);
        }
    }
}
