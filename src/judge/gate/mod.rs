//! The gate: from rounds of a baseline and a candidate to one verdict. Pure: it runs nothing, and any verdict can be
//! made anew from the rounds in the report.
//!
//! ```text
//!     sensitivity::before(plan, round)      what it will be able to see, printed first
//!     loop {
//!         measure a round             (the caller)
//!         judge(plan, rounds)         until `finished`
//!     }
//! ```
//!
//! A round is one block of each contender, in random order, both restarted. Per metric d = ln(candidate / baseline),
//! turned so that positive is worse. With a randomized order the rounds of two equal contenders are
//! symmetric about zero whatever the machine does, and the limits of [`crate::stats::one_sided`] are exact.
//!
//! - [`metric`]: what is gated; weights, margins, which way is worse.
//! - [`decision`]: one metric, look by look: when to look, what each look may spend, and bad rounds that a centre does not
//!   show.
//! - [`failures`]: failed requests, gated whatever the metrics are; crashes, overload, and rounds that do not count.
//! - [`sensitivity`]: the smallest effect that can be seen, before and after.
//! - [`verdict`]: the whole gate, and its exit code.
//!
//! What a CI system reads of it is printed by `report::gate`.

pub mod decision;
pub mod failures;
pub mod metric;
pub mod sensitivity;
pub(crate) mod sentences;
#[cfg(test)]
mod tests;
pub mod verdict;

pub use verdict::judge;
