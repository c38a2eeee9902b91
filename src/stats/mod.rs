//! Pure maths: nothing here reads a clock, a file or a socket.
//!
//! - [`median()`]: the middle of a sample.
//! - [`percentile`]: what requests can say about their tail, failures ranked above every time.
//! - [`Difference`]: by how much a round differs, or who has lost it.
//! - [`significance`]: the exact law of the signed-rank statistic; [`fewest_pairs`] that a confidence needs, and how often an
//!   interval [`misses`].
//! - [`hodges_lehmann()`]: the centre of paired differences, with the interval that this law gives.
//! - [`one_sided`]: the same centre with a limit on either side, each at a level of its own.
//! - [`beyond`]: how likely chance takes the centre so far from zero; [`discoveries`]: which of many such to believe.
//! - [`ratio_of`]: one metric against another, round by round: ratio and difference.
//! - [`rounds_to_decide`]: how many rounds would settle what these did not.
//! - [`residual_sd`]: the scatter of paired differences, whatever a few bad rounds did.
//! - [`detectable`]: the smallest effect that a gate of so many rounds finds.
//! - [`SignTest`]: whether more differences are positive than chance allows.
//! - [`quantile_interval`]: a quantile of independent values, between two of them.
//! - [`batch_means()`]: the mean of a correlated series.
//! - [`mean_difference()`]: of paired counts, one of hundreds of comparisons.
//! - [`mann_kendall()`]: whether a series rises or falls.
//! - [`spread()`]: the largest of a series over its median.
//! - [`recovery()`]: when a promise is kept again after a fault.
//! - [`capacity`]: the search for the highest rate that is kept, one trial at a time.
//!
//! An estimate never travels without its `n` and its interval, and has no interval where `n` is too small for one.
//! Every function is total over finite numbers; where lost rounds count, infinite ones stand for them; the others are
//! refused with `None`.

pub mod backlog;
pub mod capacity;
pub mod hodges_lehmann;
pub mod percentile;
pub mod power;
pub mod ratio;
pub mod recovery;
pub mod series;
pub mod significance;
#[cfg(test)]
pub(crate) mod tests;

pub use hodges_lehmann::{
    Better, Difference, Estimate, Interval, LOST, Limits, beyond, hodges_lehmann, one_sided,
    residual_sd,
};
pub use percentile::{Failures, Quantile, quantile_interval, quantile_ranks};
pub use power::{Detectable, detectable, rounds_to_decide};
pub use ratio::{Paired, ratio_of};
pub use recovery::{Recovery, SloBucket, recovery};
pub use series::{Trend, batch_means, mann_kendall, mean_difference, median, spread};
pub use significance::{SignTest, discoveries, fewest_pairs, misses};
