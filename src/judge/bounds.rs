//! What bounds each contender, by Little's law from what is known: nothing but settings before a run, what a request
//! costs after it.

use crate::backend::model::{CONNECTION_THREADS, Model, POOL_THREADS, Pitfall};
use crate::record::Resource;
use crate::record::{Ceiling, Trial, TrialVerdict};
use crate::scenario::{Contender, Scenario, store};
use crate::stats::median;
use crate::units::Rate;

/// The ceilings of a scenario's contenders on so many cores each. `probed` are closed loops, `trials` whatever has run.
pub(crate) fn ceilings(
    scenario: &Scenario,
    cores: usize,
    probed: &[Ceiling],
    trials: &[Trial],
) -> Vec<Ceiling> {
    let of = |contender| ceiling(scenario, contender, cores, probed, trials);
    scenario.contenders.iter().map(of).collect()
}

/// The same in a sentence, with the floor: `payment-50ms-query: no answer before 51.1 ms (..); at most ..`.
pub(crate) fn sentence(scenario: &Scenario, ceilings: &[Ceiling]) -> Option<String> {
    let floor = scenario.floor();
    let floor =
        (floor.0 > 0).then(|| format!("no answer before {floor} ({})", scenario.floor_text()));
    let known: Vec<String> = ceilings.iter().filter_map(ceiling_text).collect();
    let most = (!known.is_empty()).then(|| format!("at most {}", known.join("; ")));
    let parts: Vec<String> = floor.into_iter().chain(most).collect();
    (!parts.is_empty()).then(|| format!("{}: {}", scenario.name, parts.join("; ")))
}

/// `event-loop 9,800/s (cpu), pool 13,563/s`: the ceiling that binds first.
fn ceiling_text(ceiling: &Ceiling) -> Option<String> {
    let mut known = known(ceiling);
    known.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let each: Vec<String> =
        known.iter().map(|(what, rps)| format!("{what} {}", Rate(*rps))).collect();
    (!each.is_empty()).then(|| format!("{} {}", ceiling.contender, each.join(", ")))
}

/// The ceilings that are known, by what they are of.
pub(crate) fn known(ceiling: &Ceiling) -> Vec<(Resource, f64)> {
    use Resource::{Cpu, Pool, Threads};
    [(Cpu, ceiling.cpu_rps), (Pool, ceiling.pool_rps), (Threads, ceiling.threads_rps)]
        .into_iter()
        .filter_map(|(what, rps)| Some((what, rps?)))
        .collect()
}

fn ceiling(
    scenario: &Scenario,
    contender: &Contender,
    cores: usize,
    probed: &[Ceiling],
    trials: &[Trial],
) -> Ceiling {
    let depends = scenario.store.dependency();
    let own = probed.iter().find(|one| one.is_of(&scenario.name, &contender.name));
    let costs: Vec<f64> = trials
        .iter()
        .filter(|trial| {
            trial.scenario == scenario.name
                && trial.contender == contender.name
                && !trial.voided
                && trial.validity.verdict != TrialVerdict::Invalid
        })
        .filter_map(|trial| trial.server.cpu_us_per_request.filter(|us| *us > 0.0))
        .collect();
    let built_in = contender.built_in();
    let has = |pitfall| built_in.is_some_and(|one| one.pitfalls.contains(&pitfall));
    let pool = depends.map_or(0, |one| match has(Pitfall::OneConnection) {
        true => 1,
        false => store::pool(built_in, one),
    });
    let threads = built_in.and_then(|one| match one.model {
        Model::ThreadPool => Some(one.threads.unwrap_or(POOL_THREADS)),
        Model::ThreadPerConnection => Some(one.threads.unwrap_or(CONNECTION_THREADS)),
        Model::EventLoop | Model::WorkStealing | Model::Null => None,
    });
    let in_turn = has(Pitfall::SequentialLookups);
    let mut ceiling = Ceiling {
        workload: scenario.workload.name().into(),
        scenario: scenario.name.clone(),
        contender: contender.name.clone(),
        closed_rps: own.and_then(|own| own.closed_rps),
        cpu_rps: median(&costs).map(|us| cores as f64 * 1e6 / us),
        pool_rps: scenario.pool_ceiling(pool).map(|rate| rate.0),
        threads_rps: threads
            .and_then(|threads| scenario.threads_ceiling(threads, pool, in_turn))
            .map(|rate| rate.0),
        binds: Resource::Unknown,
        dependency: depends.map(|one| one.describe()),
    };
    ceiling.binds = binds(&ceiling);
    ceiling
}

/// The lowest of all ceilings; unknown as long as what a request costs is.
fn binds(ceiling: &Ceiling) -> Resource {
    let lowest = known(ceiling).into_iter().min_by(|(_, a), (_, b)| a.total_cmp(b));
    lowest.filter(|_| ceiling.cpu_rps.is_some()).map_or(Resource::Unknown, |(what, _)| what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::builtin;

    #[test]
    fn a_small_pool_binds_both_and_a_large_one_neither() {
        let probed = |scenario: &Scenario| -> Vec<Ceiling> {
            let mut all = ceilings(scenario, 1, &[], &[]);
            for ceiling in &mut all {
                assert_eq!(ceiling.binds, Resource::Unknown, "what a request costs is not known");
                ceiling.cpu_rps = Some(8_000.0);
                ceiling.binds = binds(ceiling);
            }
            all
        };
        let small = builtin("payment-50ms-query-small-pool").unwrap();
        let all = probed(&small);
        assert!(all.iter().all(|ceiling| ceiling.binds == Resource::Pool), "{all:?}");
        assert_eq!(all[0].pool_rps.unwrap().round(), 424.0);
        let large = probed(&builtin("payment-50ms-query").unwrap());
        assert!(large.iter().all(|ceiling| ceiling.binds == Resource::Cpu), "{large:?}");
        assert_eq!(large[0].pool_rps.unwrap().round(), 13_563.0);
        let said = sentence(&small, &all).unwrap();
        assert!(said.contains("no answer before 51.1 ms"), "{said}");
        assert!(said.contains("event-loop pool 424/s, cpu 8,000/s"), "{said}");
    }

    #[test]
    fn scenarios_that_differ_in_a_setting_take_no_ceiling_and_no_cost_of_each_other() {
        let slow = builtin("payment-50ms-query").unwrap();
        let cpu = crate::units::Nanos(slow.request_cpu.0 / 2);
        let fast = Scenario { name: "fast".into(), request_cpu: cpu, ..slow.clone() };
        let name = &slow.contenders[0].name;
        let mut trials = crate::judge::mock::payments(2, &[(name.as_str(), 100.0, 1.0)]).trials;
        let mut probed = Vec::new();
        for (trial, (scenario, us)) in trials.iter_mut().zip([(&slow, 200.0), (&fast, 100.0)]) {
            trial.scenario = scenario.name.clone();
            trial.dependency = scenario.store.dependency().map(|one| one.describe());
            trial.server.cpu_us_per_request = Some(us);
            trial.achieved_rps = 0.9e6 / us;
            probed.push(crate::run::capacity::ceiling(trial, 1));
        }
        let own = |scenario: &Scenario| {
            let ceiling = ceilings(scenario, 1, &probed, &trials).remove(0);
            (ceiling.closed_rps, ceiling.cpu_rps)
        };
        assert_eq!(own(&slow), (Some(4_500.0), Some(5_000.0)));
        assert_eq!(own(&fast), (Some(9_000.0), Some(10_000.0)));
    }

    #[test]
    fn threads_bind_where_there_are_few() {
        let mut scenario = builtin("payment-50ms-query").unwrap();
        scenario.contenders.retain(|one| one.name == "thread-pool-1024");
        let ceiling = |scenario: &Scenario| ceilings(scenario, 1, &[], &[]).remove(0).threads_rps;
        assert_eq!(ceiling(&scenario).unwrap().round(), 20_078.0, "1,024 over 51 ms");
        let crate::scenario::Kind::BuiltIn(built_in) = &mut scenario.contenders[0].kind else {
            panic!("a model")
        };
        built_in.pitfalls.push(Pitfall::SequentialLookups);
        assert_eq!(ceiling(&scenario).unwrap().round(), 6_781.0, "1,024 over 151 ms");
    }
}
