//! Whether a contender fell behind without end.

use crate::load::outcome::Outcome;

/// Outstanding work that grew by more than this share of what was offered is no fluctuation of a service that keeps up.
const GROWTH: f64 = 0.01;
/// Standard deviations of the difference of two Poisson counts.
const DEVIATIONS: f64 = 3.0;

/// Outstanding work grew by more than 1 % of what was offered and by more than its own fluctuation.
pub(super) fn saturated(outcome: &Outcome) -> bool {
    let outstanding = outcome.outstanding;
    let growth = outstanding.at_end.saturating_sub(outstanding.at_start) as f64;
    growth > GROWTH * outcome.offered as f64
        && growth > DEVIATIONS * (2.0 * outstanding.mean + 1.0).sqrt()
}
