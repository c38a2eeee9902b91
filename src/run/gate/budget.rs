//! What a gate's rounds are: how many of how long blocks the budget has room for, with which metrics, and at which rate. At
//! one that nearly fills the baseline the queue would be compared and not the code.

use crate::error::{Error, Result};
use crate::judge::gate::decision::{ROUNDS_MAX, ROUNDS_MIN};
use crate::record::Trial;
use crate::record::gate::{MetricPlan, Plan, Purpose};
use crate::run::gate::GateRequest;
use crate::run::gate::block::requests_needed;
use crate::run::warm::WarmUpLimits;
use crate::scenario::{Level, Scenario};
use crate::units::{Nanos, POISSON_MARGIN, Rate, Share, grouped, three_digits};

/// A block is as long as the scenario says, or until it has the requests that a percentile needs, if that is not longer.
const BLOCK_MAX: Nanos = Nanos(300 * Nanos::SECOND.0);
/// Where the budget has no room for the scenario's blocks they are so long, or as long as a gated percentile needs.
const BLOCK_SHORT: Nanos = Nanos(2 * Nanos::SECOND.0);
/// What comes before a window at least, where a pilot has to say how much: the load that leads in.
const LEAD_IN: Nanos = Nanos(500 * Nanos::MILLI.0);

/// How long the baseline's ceiling is probed, and how long a closed block is.
pub(super) const CLOSED: Nanos = Nanos(3 * Nanos::SECOND.0);
/// What a trial takes beside its load, where no probe has shown it: as the tour has seen it.
pub(super) const OVERHEAD: Nanos = Nanos(300 * Nanos::MILLI.0);

#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// Of so much; nothing has room for the most rounds.
    pub(super) all: Option<Nanos>,
    /// By probes and pilots.
    pub(super) spent: Nanos,
    pub(super) purpose: Purpose,
}

#[derive(Debug, PartialEq)]
pub(super) struct Room {
    pub(super) rounds: u32,
    pub(super) block: Nanos,
    pub(super) round: Nanos,
    /// What is other than the scenario says.
    pub(super) note: Option<String>,
}

/// A pilot has this part of a budget at most, but [`PILOT_MIN`].
const PILOT_PART: u64 = 18;
const PILOT_MIN: Nanos = Nanos(5 * Nanos::SECOND.0);
/// A warm-up of what is not steady has this part of it, within bounds. It comes twice in each of twelve rounds or more.
const UNSTEADY_PART: u64 = 90;
const UNSTEADY: [Nanos; 2] = [Nanos::SECOND, Nanos(10 * Nanos::SECOND.0)];

/// What pilots and warm-ups may take of a gate. Both builds are warmed up alike, so what a noisy machine does to a pilot must
/// not take the time of the rounds.
pub(super) fn limits(budget: Option<Nanos>) -> WarmUpLimits {
    let [least, most] = UNSTEADY;
    let usual = WarmUpLimits { unsteady: most, ..WarmUpLimits::default() };
    budget.map_or(usual, |budget| WarmUpLimits {
        pilot: Nanos(budget.0 / PILOT_PART).clamp(PILOT_MIN, usual.pilot),
        unsteady: Nanos(budget.0 / UNSTEADY_PART).clamp(least, most),
    })
}

/// Refuses a budget in which no gate of this scenario can end, before anything runs.
///
/// # Errors
/// Usage, with the least that could do.
pub(super) fn expect_some_room(request: &GateRequest) -> Result<()> {
    let Some(budget) = request.gate.budget else { return Ok(()) };
    let block = shortest(&request.scenario);
    let before = request.scenario.load.warm_up.asked();
    let before = before.map_or(LEAD_IN, |before| before.expected(None));
    let round = Nanos(2 * (OVERHEAD + before + block).0);
    let is_known = matches!(request.gate.rate, Level::Rate(_)) && request.scenario.slo.is_some();
    let probe = if is_known { Nanos(0) } else { CLOSED };
    let least = Nanos(round.0 * u64::from(ROUNDS_MIN)) + probe;
    if budget >= least {
        return Ok(());
    }
    Err(too_little(budget, &format!("{ROUNDS_MIN} rounds of two blocks of {block}")).help(format!(
        "give it {} and the time of warm-ups, which the gate says when it knows them; without --budget it has {ROUNDS_MAX} \
         rounds",
        least.whole_seconds()
    )))
}

/// How many rounds of which length fit, each block with `beside` of both contenders around it. Where the scenario's blocks
/// do not fit, shorter ones; where those are too short for a percentile, `plan` leaves it out.
///
/// # Errors
/// Usage, where 12 rounds do not fit, with the least budget; or where a block would never end.
pub(super) fn room(
    left: Left,
    plan: &mut Plan,
    scenario: &Scenario,
    rate: Rate,
    beside: Nanos,
) -> Result<Room> {
    let needs = |metrics: &[MetricPlan]| rate.window_of(requests_needed(metrics, scenario));
    let full = scenario.load.duration.max(needs(&plan.metrics));
    let short = shortest(scenario);
    let kept =
        |metric: &MetricPlan| metric.required || needs(std::slice::from_ref(metric)) <= short;
    let keeps: Vec<MetricPlan> =
        plan.metrics.iter().filter(|metric| kept(metric)).cloned().collect();
    let keeps = if keeps.is_empty() { plan.metrics.clone() } else { keeps };
    let blocks = match left.purpose {
        Purpose::Gate => vec![full, short.max(needs(&plan.metrics)), short.max(needs(&keeps))],
        Purpose::Calibration => vec![full],
    };
    let round = |block: Nanos| beside + Nanos(2 * block.0);
    let fit = |block: Nanos| match (left.all, left.purpose) {
        (Some(all), _) => {
            let rounds = all.saturating_sub(left.spent).0 / round(block).0.max(1);
            rounds.min(u64::from(ROUNDS_MAX)) as u32
        }
        (None, Purpose::Gate) => ROUNDS_MAX,
        (None, Purpose::Calibration) => ROUNDS_MIN,
    };
    let fits = blocks.iter().position(|block| fit(*block) >= ROUNDS_MIN);
    let Some(found) = fits else {
        let block = *blocks.last().expect("there is one at least");
        let least = left.spent + Nanos(round(block).0 * u64::from(ROUNDS_MIN));
        let budget = left.all.expect("without a budget all fits");
        let what = format!(
            "{ROUNDS_MIN} rounds of {} after {} of probes and pilots",
            round(block),
            left.spent
        );
        return Err(
            too_little(budget, &what).help(format!("give it {} or more", least.whole_seconds()))
        );
    };
    let block = blocks[found];
    if block > BLOCK_MAX {
        let needed = grouped((requests_needed(&plan.metrics, scenario) * POISSON_MARGIN).round());
        return Err(Error::usage(format!("at {rate} a block would last {block}")).help(format!(
            "a gated percentile needs {needed} requests on average; raise the rate, or gate others"
        )));
    }
    let budget = left.all.unwrap_or(Nanos(0));
    let mut note =
        (found > 0).then(|| format!("Blocks of {block} in place of {full}: --budget is {budget}."));
    if found == 2 {
        for metric in
            plan.metrics.iter_mut().filter(|metric| needs(std::slice::from_ref(metric)) > block)
        {
            let wanted = grouped(requests_needed(std::slice::from_ref(metric), scenario).round());
            metric.left_out = Some(format!("{wanted} requests a block do not fit {budget}"));
            let longer = left.spent + Nanos(round(full).0 * u64::from(ROUNDS_MIN));
            note = Some(format!(
                "Blocks of {block} in place of {full}, and {} is not gated: --budget is {budget}; {} has room for it.",
                metric.label(),
                longer.whole_seconds()
            ));
        }
    }
    Ok(Room { rounds: fit(block), block, round: round(block), note })
}

fn shortest(scenario: &Scenario) -> Nanos {
    scenario.load.duration.min(BLOCK_SHORT)
}

fn too_little(budget: Nanos, what: &str) -> Error {
    Error::usage(format!("a budget of {budget} has no room for {what}, and a gate needs them"))
}

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
pub(crate) struct Strained {
    pub(crate) why: String,
    pub(crate) rate: Rate,
    pub(crate) counts: String,
}

/// Whether two ceilings are one.
pub(crate) fn agree(a: Rate, b: Rate) -> bool {
    a.0.max(b.0) <= STEADY * a.0.min(b.0)
}

/// A rate as people read it.
pub(crate) fn shown(rate: Rate) -> Rate {
    Rate(rate.0.round())
}

/// Why the baseline does not bear `rate`, which `trial` had, and the rate to try in its place; nothing where it does.
/// `share` of a ceiling was asked for.
///
/// A closed loop can be faster than any open one: full batches cost less. So the CPU time that a request costs under this
/// very load says how many fit into `cores`.
pub(crate) fn strained(trial: &Trial, rate: Rate, share: Share, cores: usize) -> Option<Strained> {
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
        None => {
            (lower(f64::INFINITY), "the highest of the tried rates that it sustains".to_owned())
        }
    };
    let failed = trial.errors.values().sum::<u64>();
    let why = if trial.saturated {
        format!("it answered {}", shown(Rate(trial.achieved_rps)))
    } else if trial.validity.lost {
        let [failed, requests] = [failed, trial.requests].map(|n| grouped(n as f64));
        format!("{failed} of {requests} requests failed")
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
    use crate::record::gate::{Metric, OnInconclusive};
    use crate::scenario::builtin;

    const SECOND: u64 = Nanos::SECOND.0;

    fn of(budget_s: Option<u64>, rate: f64, required: bool) -> (Result<Room>, Plan) {
        let mut scenario = builtin("payment-memory").expect("it is built in");
        scenario.load.duration = Nanos(5 * SECOND);
        let metrics = [Metric::P99, Metric::CpuPerRequest, Metric::P50].map(MetricPlan::of);
        let mut plan = Plan {
            rounds_max: ROUNDS_MAX,
            metrics: metrics.to_vec(),
            prove_margin: false,
            fail_intermittent: false,
            on_inconclusive: OnInconclusive::Warn,
            report_only: None,
        };
        plan.metrics[0].required = required;
        let left = Left {
            all: budget_s.map(|s| Nanos(s * SECOND)),
            spent: Nanos(30 * SECOND),
            purpose: Purpose::Gate,
        };
        let found = room(left, &mut plan, &scenario, Rate(rate), Nanos(4 * SECOND));
        (found, plan)
    }

    #[test]
    fn a_budget_sets_the_rounds() {
        let (room, plan) = of(None, 1_000.0, false);
        let room = room.unwrap();
        assert_eq!((room.rounds, room.block, room.note), (40, Nanos(5 * SECOND), None));
        assert!(plan.metrics.iter().all(|metric| metric.left_out.is_none()));
        let (room, _) = of(Some(30 + 25 * 14), 1_000.0, false);
        assert_eq!(room.unwrap().rounds, 25);
    }

    #[test]
    fn too_short_a_budget_has_shorter_blocks_and_then_no_p99() {
        // 2,000 requests and what a Poisson window wants beside take 2.1 s at 1,000/s.
        let (room, plan) = of(Some(30 + 12 * 10), 1_000.0, false);
        let room = room.unwrap();
        assert!(room.block < Nanos(3 * SECOND) && room.rounds >= 12, "{room:?}");
        assert!(room.note.unwrap().ends_with("in place of 5 s: --budget is 150 s."));
        assert!(plan.metrics[0].left_out.is_none());
        let (room, plan) = of(Some(30 + 12 * 10), 400.0, false);
        let room = room.unwrap();
        assert_eq!((room.block, room.rounds), (Nanos(2 * SECOND), 15), "{room:?}");
        assert!(room.note.unwrap().contains("p99 is not gated"));
        let why = plan.metrics[0].left_out.as_deref();
        assert_eq!(why, Some("2,000 requests a block do not fit 150 s"));
        assert!(plan.metrics[1].left_out.is_none());
    }

    #[test]
    fn what_is_required_stays_and_the_least_budget_is_told() {
        let (refused, _) = of(Some(30 + 12 * 10), 400.0, true);
        let error = refused.unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("give it 2"), "{error}");
        let (refused, _) = of(Some(60), 1_000.0, false);
        let told = refused.unwrap_err();
        let least = told.parts().1.unwrap().strip_prefix("give it ").unwrap();
        let least: Nanos =
            least.strip_suffix(" or more").unwrap().replace(' ', "").parse().unwrap();
        let (room, _) = of(Some(least.0 / SECOND), 1_000.0, false);
        assert_eq!(room.unwrap().rounds, 12, "what it says is enough");
    }

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
    fn pilots_and_warm_ups_leave_most_of_a_budget_to_the_rounds() {
        let of = |seconds: Option<u64>| {
            let limits = limits(seconds.map(|seconds| Nanos(seconds * SECOND)));
            [limits.pilot, limits.unsteady].map(|limit| limit.0 / SECOND)
        };
        assert_eq!(of(None), [60, 10]);
        assert_eq!(of(Some(180)), [10, 2]);
        assert_eq!(of(Some(20)), [5, 1]);
        assert_eq!(of(Some(3_600)), [60, 10]);
    }

    #[test]
    fn probes_agree_within_a_tenth() {
        assert!(agree(Rate(1_000.0), Rate(1_090.0)) && !agree(Rate(752.0), Rate(1_218.0)));
    }
}
