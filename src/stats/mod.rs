//! Pure maths, one quantity a file: nothing here reads a clock, a file or a socket.
//!
//! - [`median()`]: the middle of a sample.
//! - [`percentile`]: what a histogram can say about its tail, and when it must say nothing.
//! - [`wilcoxon`]: the exact law of the signed-rank statistic.
//! - [`hodges_lehmann()`]: the centre of paired differences, with the interval that this law gives.
//! - [`mann_kendall`]: whether a series has a trend.
//! - [`ratio_of`]: one metric against another, round by round: ratio and difference.
//!
//! An estimate never travels without its `n` and its interval, and has no interval where `n` is too small for one.
//! Every function is total over finite numbers and refuses the others with `None`.

#[cfg(test)]
mod coverage;
pub mod hodges_lehmann;
pub mod mann_kendall;
pub mod median;
pub mod percentile;
pub mod ratio;
pub mod wilcoxon;

pub use hodges_lehmann::{Estimate, Interval, hodges_lehmann};
pub use median::median;
pub use ratio::{Paired, ratio_of};
