//! The generator's own part in a percentile. Lateness only adds, so the truth lies between Q(response - lag) and
//! Q(response), and a late percentile is still a number.

/// Over this share a percentile is marked.
pub(crate) const MARKED: f64 = 0.10;
/// Over this share it is an upper bound.
pub(crate) const BOUND: f64 = 0.25;

/// What the generator's part makes of a percentile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// It is what it says.
    No,
    /// It is kept and marked.
    Marked,
    /// It is printed as a bound: `<= 91 us`.
    Bound,
}

impl Late {
    /// Of the generator's share.
    pub(crate) fn of(share: f64) -> Self {
        match share {
            share if share > BOUND => Self::Bound,
            share if share > MARKED => Self::Marked,
            _ => Self::No,
        }
    }

    /// A time with its mark.
    pub(crate) fn shown(self, time: &str) -> String {
        match self {
            Self::No => time.to_owned(),
            Self::Marked => format!("{time}{MARK}"),
            Self::Bound => format!("<= {time}"),
        }
    }
}

/// Behind a time of which over [`MARKED`] is the generator's.
pub(crate) const MARK: &str = "*";

/// What the marks of [`Late::shown`] mean.
pub(crate) const LATE_NOTE: &str =
    "* over 10 %, <= over 25 % of it is the generator's own lateness";

/// 1 - Q(response - lag) / Q(response).
pub(crate) fn share(whole: f64, without: f64) -> f64 {
    if whole > 0.0 { (1.0 - without / whole).clamp(0.0, 1.0) } else { 0.0 }
}

/// What is left of a percentile without the generator's share: the other end of the interval.
pub(crate) fn without(whole: f64, share: f64) -> f64 {
    whole * (1.0 - share)
}

/// Whether a percentile between `low` and `high` is at most `bound`; nothing where its ends differ about it.
pub(crate) fn at_most(low: f64, high: f64, bound: f64) -> Option<bool> {
    match (low <= bound, high <= bound) {
        (_, true) => Some(true),
        (true, false) => None,
        (false, false) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_marked_over_a_tenth_and_a_bound_over_a_quarter() {
        let late = [0.0, 0.1, 0.100_1, 0.25, 0.250_1, 1.0].map(Late::of);
        assert_eq!(
            late,
            [Late::No, Late::No, Late::Marked, Late::Marked, Late::Bound, Late::Bound]
        );
        assert_eq!(late.map(|it| it.shown("91 us"))[3..], ["91 us*", "<= 91 us", "<= 91 us"]);
    }

    #[test]
    fn the_share_leads_from_one_end_of_the_interval_to_the_other() {
        assert_eq!(share(500.0, 300.0), 0.4);
        assert_eq!(without(500.0, 0.4), 300.0);
        assert_eq!(share(500.0, 501.0), 0.0, "resolution of a histogram is no negative lateness");
        assert_eq!(share(0.0, 0.0), 0.0);
    }

    #[test]
    fn a_promise_between_the_ends_is_neither_kept_nor_broken() {
        assert_eq!(
            [9.0, 10.0, 15.0, 20.0, 21.0].map(|bound| at_most(10.0, 20.0, bound)),
            [Some(false), None, None, Some(true), Some(true)]
        );
        assert_eq!(at_most(f64::INFINITY, f64::INFINITY, 9.0), Some(false));
    }
}
