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

/// Profiled rounds of a run, and of a smoke. Of eight, a function that grew by 3 % of a request was named in 4 gates of 5: the
/// t quantile of 200 intervals together is 10 for eight rounds, and 6 for twelve.
const ROUNDS: u32 = 12;
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
    use std::fs;

    use super::*;
    use crate::random::Stream;

    /// What the profiled rounds of tests/data/gate/functions.toml name.
    const GROWN: &str = "f137";

    const GATES: u64 = 1_000;

    /// Gates whose rounds are drawn with replacement from those that ran.
    #[test]
    #[ignore = "needs rounds that were recorded: tests/data/gate/functions.toml says how"]
    fn a_grown_function_is_named_in_95_of_100_gates_and_none_in_99_without_one() {
        let recorded = std::env::var_os("RECORDED").expect("RECORDED=DIR: folders of results");
        let folders = fs::read_dir(recorded).unwrap().map(|folder| folder.unwrap().path());
        let ran: Vec<Why> = folders
            .map(|folder| {
                let text = fs::read_to_string(folder.join("result.json")).unwrap();
                let mut result: serde_json::Value = serde_json::from_str(&text).unwrap();
                serde_json::from_value(result["why"].take()).unwrap()
            })
            .collect();
        let found = ["grown", "again"].map(|of| {
            let pairs: Vec<[&Profile; 2]> = ran.iter().flat_map(|why| pairs(why, of)).collect();
            let named = (0..GATES).filter(|gate| {
                let draw = Stream::of(24).child(*gate);
                let drawn = |place: u64| pairs[draw.below(place, pairs.len() as u64) as usize];
                let drawn: Vec<_> = (0..u64::from(ROUNDS)).map(drawn).collect();
                let name = named(&ran[0], &drawn);
                name.is_some_and(|name| of == "again" || name == GROWN)
            });
            let named = named.count() as u64;
            println!(
                "{of}: named in {named} of {GATES} gates of {ROUNDS} rounds out of {}",
                pairs.len()
            );
            named
        });
        assert!(found[0] * 100 >= GATES * 95, "{found:?}");
        assert!(found[1] * 100 <= GATES, "{found:?}");
    }

    /// The profiles of `of` and of the service before it, by round.
    fn pairs<'a>(why: &'a Why, of: &str) -> Vec<[&'a Profile; 2]> {
        let one = |name: &str, round: u32| {
            why.profiles.iter().find(|one| one.contender == name && one.round == round)
        };
        let rounds = why.profiles.iter().map(|one| one.round).max().unwrap_or(0);
        (1..=rounds).filter_map(|n| Some([one(of, n)?, one("before", n)?])).collect()
    }

    /// The function that a gate with these rounds names.
    fn named(like: &Why, rounds: &[[&Profile; 2]]) -> Option<String> {
        let mut profiles = Vec::new();
        for (place, pair) in rounds.iter().enumerate() {
            profiles.extend(pair.map(|one| Profile { round: place as u32, ..one.clone() }));
        }
        let flame = |name: &str| like.flames.iter().find(|one| one.contender == name).cloned();
        let flames = ["before", &rounds[0][0].contender].map(|name| flame(name).unwrap());
        let (differences, functions) = (Vec::new(), Vec::new());
        let why = Why { profiles, flames: flames.into(), differences, functions, ..like.clone() };
        judge::why::grown(&judge::why::functions(&why)).map(|one| one.function.clone())
    }
}
