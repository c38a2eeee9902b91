//! How many requests may fail before a contender has lost, whatever its other figures are.

/// The default share of requests that may fail.
pub const USUAL: f64 = 0.01;
/// So many requests more than the share allows: of a few requests one failure is no rate.
const EXCESS_MIN: f64 = 5.0;

/// Whether so many failures of so many requests are over the share `bound`, by at least five requests.
pub fn over_the_error_bound(failures: u64, requests: u64, bound: f64) -> bool {
    // Slack for shares that binary fractions cannot hold: 5 % of 100 requests are not 5.000000000000001.
    failures as f64 + 1e-6 >= bound * requests as f64 + EXCESS_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_the_share_and_five_requests_more() {
        for (failures, requests, bound, over) in [
            (0, 0, USUAL, false),
            (4, 4, USUAL, false),
            (5, 5, USUAL, false),
            (6, 6, USUAL, true),
            (14, 1_000, USUAL, false),
            (15, 1_000, USUAL, true),
            (10, 100, 0.05, true),
            (9, 100, 0.05, false),
            (104, 9_900, USUAL, true),
            (4, 1_000_000, 0.0, false),
            (5, 1_000_000, 0.0, true),
            (1_000, 1_000, 1.0, false),
        ] {
            let found = over_the_error_bound(failures, requests, bound);
            assert_eq!(found, over, "{failures} of {requests}, bound {bound}");
        }
    }

    #[test]
    fn more_failures_never_bring_it_back_within_the_bound() {
        let over = |failures| over_the_error_bound(failures, 20_000, 0.003);
        let first = (0..20_000).find(|failures| over(*failures)).unwrap();
        assert_eq!(first, 65);
        assert!((first..20_000).all(over));
    }
}
