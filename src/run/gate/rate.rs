//! Which rate the baseline bears: at one that nearly fills it, the queue is compared and not the code.

use crate::record::Trial;
use crate::units::{Rate, Share, three_digits};

/// Two probes agree within so much of the lower one.
const STEADY: f64 = 1.10;
/// Busier than this the baseline's queue is most of its response time; a higher share may be asked for.
const BUSY: f64 = 0.70;
/// What a share of a ceiling may differ from the share of the time that is busy: the rest is the contender's own.
const ROOM: f64 = 0.10;
/// A rate that is not borne is lowered to so much of it at most.
const LOWERED: f64 = 0.80;

/// A rate that the baseline does not bear.
#[derive(Debug, PartialEq)]
pub(super) struct Strained {
    pub(super) why: String,
    pub(super) rate: Rate,
    pub(super) counts: String,
}

/// Whether two ceilings are one.
pub(super) fn agree(a: Rate, b: Rate) -> bool {
    a.0.max(b.0) <= STEADY * a.0.min(b.0)
}

/// A rate as people read it.
pub(super) fn shown(rate: Rate) -> Rate {
    Rate(rate.0.round())
}

/// Why the baseline does not bear `rate`, which `trial` had, and the rate to try in its place; nothing where it does.
/// `share` of a ceiling was asked for.
///
/// A closed loop can be faster than any open one: full batches cost less. So the CPU time that a request costs under this
/// very load says how many fit into `cores`.
pub(super) fn strained(trial: &Trial, rate: Rate, share: Share, cores: usize) -> Option<Strained> {
    let fits = trial.server.cpu_us_per_request.filter(|us| *us > 0.0);
    let fits = fits.map(|us| Rate(cores as f64 * 1e6 / us));
    let busy = fits.map(|fits| trial.achieved_rps / fits.0);
    let limit = BUSY.max(share.0 + ROOM).min(0.95);
    let lower = |most: f64| Rate(most.min(LOWERED * rate.0));
    let of_cpu = || match fits {
        Some(fits) => (
            lower(share.0 * fits.0),
            format!("{share} of the {} at which its CPU is full", shown(fits)),
        ),
        None => (lower(f64::INFINITY), "the highest of the tried rates that it bears".to_owned()),
    };
    let failed = trial.errors.values().sum::<u64>();
    let why = if trial.saturated {
        format!("it answered {}", shown(Rate(trial.achieved_rps)))
    } else if trial.validity.lost {
        format!("{failed} of {} requests failed", trial.requests)
    } else if let Some(busy) = busy.filter(|busy| *busy > limit) {
        format!("its CPU is {} % busy", three_digits((100.0 * busy).round()))
    } else {
        return None;
    };
    let (rate, counts) = of_cpu();
    Some(Strained { why, rate, counts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    fn seen(change: impl Fn(&mut Trial)) -> Option<Strained> {
        let mut trial = mock::payments(1, &mock::MODELS[..1]).trials.remove(0);
        (trial.achieved_rps, trial.saturated) = (620.0, false);
        trial.server.cpu_us_per_request = Some(900.0);
        change(&mut trial);
        strained(&trial, Rate(620.0), Share(0.6), 1)
    }

    #[test]
    fn a_rate_that_leaves_room_is_borne() {
        assert_eq!(seen(|_| ()), None, "56 % busy");
        assert_eq!(seen(|trial| trial.server.cpu_us_per_request = None), None, "a server by URL");
    }

    #[test]
    fn a_baseline_that_is_nearly_full_gets_less() {
        // 1,033/s in a closed loop, and 1.25 ms of CPU a request in an open one.
        let found = seen(|trial| trial.server.cpu_us_per_request = Some(1_250.0)).unwrap();
        assert_eq!(found.why, "its CPU is 78 % busy");
        assert_eq!(found.rate, Rate(480.0));
        assert_eq!(found.counts, "60% of the 800/s at which its CPU is full");
        let found = seen(|trial| (trial.saturated, trial.achieved_rps) = (true, 580.0)).unwrap();
        assert_eq!((found.why.as_str(), found.rate), ("it answered 580/s", Rate(496.0)));
    }

    #[test]
    fn probes_agree_within_a_tenth() {
        assert!(agree(Rate(1_000.0), Rate(1_090.0)) && !agree(Rate(752.0), Rate(1_218.0)));
    }
}
