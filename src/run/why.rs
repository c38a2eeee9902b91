//! Profiled rounds: trials with a profiler beside them, after the timed ones and apart from them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Result;
use crate::judge;
use crate::record::{Flame, Profile, Stack, Trial, TrialVerdict, Why, WhyLevel};
use crate::run::rounds::{self, Budget, RandomizedBlock};
use crate::run::testbed::Testbed;
use crate::run::trial::spec::TrialSpec;
use crate::units::Nanos;
use crate::why;
use crate::why::profile::{Exact, Scaled, mean, scaled};
use crate::why::{SAMPLES_PER_S, Sampled};

/// Profiled rounds of a run, and of a smoke.
const ROUNDS: u32 = 8;
const SMOKE_ROUNDS: u32 = 2;
/// The rounds of timed trials are fewer: no profiled trial has the arrivals of one.
const FIRST_ROUND: u32 = 1 << 20;

/// Profiles each of `due`, contenders of a scenario side by side, round by round in random order.
pub(super) fn run(
    testbed: &mut Testbed<'_>,
    due: &[TrialSpec<'_>],
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
    };
    if !matches!(level, WhyLevel::Full | WhyLevel::UserOnly) {
        return Ok(why);
    }
    let due: Vec<&TrialSpec<'_>> = due.iter().filter(|spec| !spec.contender.is_url()).collect();
    let groups: Vec<&[&TrialSpec<'_>]> =
        due.chunk_by(|a, b| a.scenario.name == b.scenario.name).collect();
    let rounds_of =
        |group: &[&TrialSpec<'_>]| if group[0].scenario.smoke { SMOKE_ROUNDS } else { ROUNDS };
    let trials = groups.iter().map(|group| u64::from(rounds_of(group)) * group.len() as u64);
    testbed.progress.expect(trials.sum());
    testbed.progress.say("profiled rounds: their times are in no statistic");
    let mut stacks: BTreeMap<(String, String), Vec<Vec<Stack>>> = BTreeMap::new();
    for (place, group) in groups.iter().enumerate() {
        for round in 1..=rounds_of(group) {
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
        why.flames.extend(stacks.remove(&of).map(|stacks| Flame {
            scenario: of.0,
            contender: of.1,
            level: spec.level.clone(),
            stacks: mean(&stacks),
        }));
    }
    why.differences = judge::why::differences(&why);
    Ok(why)
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
    let Scaled { samples, lost, cut_share, unnamed_share, layers, stacks } =
        scaled(&sampled?, Exact { cpu, modes })?;
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
    };
    Some((profile, stacks))
}
