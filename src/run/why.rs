//! Profiled rounds: trials with a profiler beside them, after the timed ones and apart from them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Result;
use crate::judge;
use crate::record::{Flame, Profile, Stack, Trial, TrialVerdict, Why, WhyLevel};
use crate::run::rounds::{self, Budget, RandomizedBlock};
use crate::run::testbed::Testbed;
use crate::run::trial::spec::TrialSpec;
use crate::scenario::{LoadKind, Scenario};
use crate::units::Nanos;
use crate::why;
use crate::why::profile::{Exact, Scaled, mean, pool_rare, scaled};
use crate::why::{SAMPLES_PER_S, Sampled};

/// Profiled rounds of a run, and of a smoke.
const ROUNDS: u32 = 8;
const SMOKE_ROUNDS: u32 = 2;
/// The rounds of timed trials are fewer: no profiled trial has the arrivals of one.
const FIRST_ROUND: u32 = 1 << 20;

/// Rounds of a scenario, and whether a machine of this level has any.
fn rounds_of(scenario: &Scenario) -> u32 {
    if scenario.smoke { SMOKE_ROUNDS } else { ROUNDS }
}

fn has_stacks(level: WhyLevel) -> bool {
    matches!(level, WhyLevel::Full | WhyLevel::UserOnly)
}

/// The profiled rounds of a scenario before anything is started: how many, of how many contenders, and about how long they
/// take. Nothing where there are none.
pub(super) fn planned(scenario: &Scenario) -> Option<(u32, usize, Nanos)> {
    let contenders = scenario.contenders.iter().filter(|one| !one.is_url()).count();
    let closed = scenario.load.kind == LoadKind::Closed;
    if contenders == 0
        || !(closed || scenario.experiments.compared > 0)
        || !has_stacks(why::level().0)
    {
        return None;
    }
    let rounds = rounds_of(scenario);
    Some((rounds, contenders, Nanos(scenario.round_estimate(0..1).0 * u64::from(rounds))))
}

/// Profiles each of `due`, contenders of a scenario side by side, round by round in random order. `timed` gives a right
/// answer's CPU time in its trials without a profiler, us.
pub(super) fn run(
    testbed: &mut Testbed<'_>,
    due: &[TrialSpec<'_>],
    timed: &dyn Fn(&TrialSpec<'_>) -> Vec<f64>,
    order_seed: u64,
    budget: Budget,
    stop: &AtomicBool,
) -> Result<Why> {
    let (level, next) = why::level();
    let mut why = Why {
        level,
        next,
        samples_per_s: SAMPLES_PER_S,
        profiles: Vec::new(),
        flames: Vec::new(),
        differences: Vec::new(),
        functions: Vec::new(),
    };
    if !has_stacks(level) {
        return Ok(why);
    }
    let due: Vec<&TrialSpec<'_>> = due.iter().filter(|spec| !spec.contender.is_url()).collect();
    let groups: Vec<&[&TrialSpec<'_>]> =
        due.chunk_by(|a, b| a.scenario.name == b.scenario.name).collect();
    let trials =
        groups.iter().map(|group| u64::from(rounds_of(group[0].scenario)) * group.len() as u64);
    testbed.progress.expect(trials.sum());
    testbed.progress.say("profiled rounds: their times are in no statistic");
    let mut stacks: BTreeMap<(String, String), Vec<Vec<Stack>>> = BTreeMap::new();
    for (place, group) in groups.iter().enumerate() {
        for round in 1..=rounds_of(group[0].scenario) {
            let time: u64 = group.iter().map(|spec| 2 * spec.duration.0).sum();
            if stop.load(Ordering::Relaxed) || !budget.allows(Nanos(time)) {
                break;
            }
            let block = RandomizedBlock { scenario: place, level: 0, round: FIRST_ROUND + round };
            for (place, index) in
                rounds::order(order_seed, block, group.len()).into_iter().enumerate()
            {
                let spec =
                    TrialSpec { round: block.round, place: place as u32, ..group[index].clone() };
                let (trial, sampled) = testbed.profiled(&spec, level, stop)?;
                let Some((profile, own)) = profile(&trial, sampled, round) else { continue };
                let of = (profile.scenario.clone(), profile.contender.clone());
                stacks.entry(of).or_default().push(own);
                why.profiles.push(profile);
            }
        }
    }
    for spec in due {
        let of = (spec.scenario.name.clone(), spec.contender.name.clone());
        if let Some(stacks) = stacks.remove(&of) {
            let flame = flame(&mut why, spec, timed(spec), &stacks);
            why.flames.push(flame);
        }
    }
    why.differences = judge::why::differences(&why);
    why.functions = judge::why::functions(&why);
    Ok(why)
}

/// What the profiled rounds of a contender come to; rare functions of its scenario are pooled before the first.
fn flame(why: &mut Why, spec: &TrialSpec<'_>, timed: Vec<f64>, stacks: &[Vec<Stack>]) -> Flame {
    let (scenario, contender) = (&spec.scenario.name, &spec.contender.name);
    if !why.flames.iter().any(|flame| flame.scenario == *scenario) {
        let own = why.profiles.iter_mut().filter(|one| one.scenario == *scenario);
        pool_rare(&mut own.collect::<Vec<_>>());
    }
    let own = why.profiles.iter();
    let own = own.filter(|one| (&one.scenario, &one.contender) == (scenario, contender));
    let own: Vec<&Profile> = own.collect();
    Flame {
        functions: judge::why::costs(&own),
        overhead: judge::why::overhead(&own, timed),
        withheld: judge::why::withheld(&own),
        scenario: scenario.clone(),
        contender: contender.clone(),
        level: spec.level.clone(),
        stacks: mean(stacks),
    }
}

/// Nothing of a trial whose figures do not count.
fn profile(trial: &Trial, sampled: Option<Sampled>, round: u32) -> Option<(Profile, Vec<Stack>)> {
    if trial.validity.lost
        || (trial.validity.verdict == TrialVerdict::Invalid && trial.requests == 0)
    {
        return None;
    }
    let server = &trial.server;
    let cpu = server.cpu_us_per_request?;
    let modes = server.user_us_per_request.zip(server.system_us_per_request);
    let sampled = sampled?;
    let Scaled { samples, lost, cut_share, unnamed_share, layers, functions, sample_us, stacks } =
        scaled(&sampled, Exact { cpu, modes })?;
    let answered = trial.achieved_rps * trial.load.duration_s;
    let over_answers = |n: u64| n as f64 / answered;
    let profile = Profile {
        scenario: trial.scenario.clone(),
        contender: trial.contender.clone(),
        level: trial.level.clone(),
        round,
        samples,
        lost,
        cut_share,
        unnamed_share,
        cpu_us_per_request: cpu,
        layers,
        functions,
        sample_us,
        syscalls_per_request: sampled.syscalls.map(over_answers),
        instructions_per_request: sampled.instructions.map(over_answers),
    };
    Some((profile, stacks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Progress;
    use crate::scenario::{Kind, builtin};
    use crate::stats::hodges_lehmann;
    use crate::units::Rate;

    #[test]
    #[ignore = "minutes of load, and a build to measure: BAKEOFF=target/release/bakeoff"]
    fn profiled_trials_cost_less_than_5_percent() {
        let level = why::level().0;
        let Some(binary) = std::env::var_os("BAKEOFF").filter(|_| has_stacks(level)) else {
            eprintln!("SKIPPED: BAKEOFF names no build, or no stacks are to be had here");
            return;
        };
        let binary = std::fs::canonicalize(binary).unwrap();
        let mut scenario = builtin("payment-memory").unwrap();
        scenario
            .contenders
            .retain(|one| matches!(&*one.name, "event-loop" | "thread-per-connection"));
        for contender in &mut scenario.contenders {
            let Kind::BuiltIn(own) = &mut contender.kind else { panic!("{contender:?}") };
            own.binary = Some(binary.clone());
        }
        let (mut progress, stop) = (Progress::new(true), AtomicBool::new(false));
        let scenarios = [scenario];
        let mut testbed = Testbed::open(&scenarios, &mut progress, true).unwrap();
        for contender in &scenarios[0].contenders {
            let mut logarithms = Vec::new();
            for round in 1..=16 {
                let spec = TrialSpec {
                    scenario: &scenarios[0],
                    contender,
                    rate: Some(Rate(3_000.0)),
                    level: "3,000/s".into(),
                    duration: Nanos(3 * Nanos::SECOND.0),
                    round,
                    place: 0,
                };
                let block = RandomizedBlock { scenario: 0, level: 0, round };
                let mut cpu = [None; 2];
                for side in rounds::order(24, block, 2) {
                    let trial = match side {
                        0 => testbed.trial(&spec, &stop).unwrap().unwrap(),
                        _ => testbed.profiled(&spec, level, &stop).unwrap().0,
                    };
                    cpu[side] = trial.server.cpu_us_per_request;
                }
                logarithms
                    .extend(cpu[0].zip(cpu[1]).map(|(timed, profiled)| (profiled / timed).ln()));
            }
            let found =
                hodges_lehmann(&logarithms, 0.95).unwrap().map(|ln| 100.0 * (ln.exp() - 1.0));
            println!("{}: {found:?} % more CPU with a profiler", contender.name);
            assert!(found.value < 5.0, "{}: {found:?}", contender.name);
        }
    }
}
