//! Whether outstanding requests grew over a window as those of a server do that cannot keep up.

/// More than this share of what was offered is no fluctuation of a server that keeps up.
const CHANGE: f64 = 0.01;
/// Standard deviations of the difference of two Poisson counts.
const DEVIATIONS: f64 = 3.0;
/// With steady growth the mean rises by half of what the end does, with a pause at the end by next to nothing.
const STEADY: f64 = 0.125;

/// Whether a change in the number of outstanding requests between two instants is more than fluctuation.
///
/// `mean` is their mean number over the window, `offered` how many requests were due in it.
pub fn changed(change: f64, mean: f64, offered: u64) -> bool {
    change > CHANGE * offered as f64 && change > DEVIATIONS * (2.0 * mean + 1.0).sqrt()
}

/// Whether outstanding requests grew all along the window from `start` to `end`, with `mean` in between.
///
/// A collection or another pause shortly before the end leaves as many outstanding as a server that is too slow, but
/// not for long.
pub fn grew(start: f64, end: f64, mean: f64, offered: u64) -> bool {
    changed(end - start, mean, offered) && mean - start >= STEADY * (end - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_growth_is_told_from_a_pause_before_the_end() {
        // 2,350/s behind 50 ms for a second: 118 are under way. A server of 90 % of that leaves 235 more.
        assert!(grew(118.0, 353.0, 236.0, 2_350));
        // One that stops for 35 ms before the end leaves 82 more, and 5 in the mean.
        assert!(!grew(118.0, 200.0, 123.0, 2_350));
        assert!(changed(82.0, 123.0, 2_350), "as many as growth would leave");
        // From the middle on is growth.
        assert!(grew(118.0, 353.0, 177.0, 2_350));
    }

    #[test]
    fn a_change_is_more_than_a_share_and_more_than_fluctuation() {
        assert!(!changed(19.0, 1.0, 2_000) && changed(21.0, 1.0, 2_000));
        assert!(!changed(130.0, 1_000.0, 2_000) && changed(140.0, 1_000.0, 2_000));
    }
}
