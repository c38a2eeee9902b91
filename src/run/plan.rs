//! What a run comes to before anything is started: its trials, its time, and the differences that it can see.

use crate::run::capacity;
use crate::run::{rounds, why};
use crate::scenario::{LoadKind, MapPlan, PILOT_REQUESTS, PILOT_TIME, Scenario, counted};
use crate::units::{Nanos, Rate};
use crate::{stats, text};

/// A scenario's run, before it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    pub scenario: String,
    /// Who runs on which host, in sentences; empty where all is here.
    pub hosts: Vec<String>,
    /// One for each experiment, in their order.
    pub parts: Vec<Part>,
    /// About how long all of it takes.
    pub time: Nanos,
    /// What `rounds` paired rounds see, where contenders are compared in rounds.
    pub sees: Vec<Sight>,
}

/// An experiment, or what comes before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// `compare`, `curve`, `capacity`, `map`, `ceilings`, `pilots` or `profiled`
    pub name: &'static str,
    pub what: String,
    /// Trials at least, and at most.
    pub trials: (u64, u64),
}

/// A difference that is found 8 times of 10.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sight {
    /// Where rounds scatter like this, 0.07 for 7 %, and what scatters so.
    pub scatter: f64,
    pub usual: &'static str,
    /// The true difference, 0.12 for 12 %.
    pub difference: f64,
}

/// How rounds scatter, as seen; what it will be here is known only afterwards.
const SCATTERS: [(f64, &str); 3] =
    [(0.02, "CPU per request"), (0.07, "p99 on a calm machine"), (0.20, "p99 on a noisy one")];
/// One end of a 95 % interval.
const ALPHA: f64 = 0.025;

/// What a scenario's run comes to, with its profiled rounds where they are asked for.
pub fn plan(scenario: &Scenario, profiled: bool) -> Planned {
    let contenders = scenario.contenders.len() as u64;
    let mut parts = Vec::new();
    let levels = match scenario.load.kind {
        LoadKind::Closed => (1, 0),
        LoadKind::Open(_) => {
            let compared = scenario.experiments.compared;
            (compared, scenario.rates.len() - compared)
        }
    };
    if crate::run::capacity::needed(scenario) {
        let what = format!("{contenders} closed loops of 3 s, one of each contender");
        parts.push(Part { name: "ceilings", what, trials: (contenders, contenders) });
    }
    let pilots = scenario.piloted().count() as u64;
    if pilots > 0 {
        let names: Vec<&str> = scenario.piloted().map(|one| one.name.as_str()).collect();
        let what = format!(
            "{} or {PILOT_TIME} of {}, to see when each is warm, in all about {:.0} s",
            counted(PILOT_REQUESTS),
            names.join(", "),
            scenario.pilots_estimate().as_secs_f64()
        );
        parts.push(Part { name: "pilots", what, trials: (pilots, pilots) });
    }
    for (name, levels) in [("compare", levels.0), ("curve", levels.1)] {
        let rounds = scenario.rounds;
        let once = levels as u64 * contenders;
        if once > 0 {
            let what = format!(
                "{} of {} at {}, {} each",
                text::counted(rounds as usize, "round"),
                text::counted(contenders as usize, "contender"),
                text::counted(levels, "level"),
                scenario.load.duration
            );
            let most = u64::from(rounds + rounds::extra_rounds(rounds)) * once;
            parts.push(Part { name, what, trials: (u64::from(rounds) * once, most) });
        }
    }
    if scenario.experiments.capacity.is_some() {
        let cost = capacity::cost(scenario, Rate(1_000.0));
        let what = format!(
            "for each of {contenders} contenders up to {} short trials, then {} to {} that decide",
            cost.short_max, cost.deciding_min, cost.deciding_max
        );
        let least = (1 + cost.deciding_min) as u64;
        let most = (cost.short_max + cost.deciding_max) as u64;
        parts.push(Part {
            name: "capacity",
            what,
            trials: (least * contenders, most * contenders),
        });
    }
    parts.extend(scenario.experiments.map.as_ref().map(map_part));
    let (part, profiling) = why::planned(scenario).filter(|_| profiled).map(profiled_part).unzip();
    parts.extend(part);
    let sees = sees(if contenders > 1 && levels != (0, 0) { scenario.rounds } else { 0 });
    let time = scenario.estimate() + profiling.unwrap_or(Nanos(0));
    Planned { scenario: scenario.name.clone(), hosts: scenario.hosts_told(), parts, time, sees }
}

fn map_part(map: &MapPlan) -> Part {
    let cells = (map.cpus.len() * map.waits.len()) as u64;
    let blocks = u64::from(2 * map.rounds);
    let what = format!(
        "{cells} cells of {} paired rounds{}, about {:.0} s each",
        map.rounds,
        if map.best { " and up to 6 blocks to find the best sizes" } else { "" },
        map.cell_estimate().as_secs_f64()
    );
    let most = blocks + if map.best { 6 } else { 0 };
    Part { name: "map", what, trials: (cells * blocks, cells * most) }
}

fn profiled_part((rounds, contenders, time): (u32, usize, Nanos)) -> (Part, Nanos) {
    let what = format!(
        "{} of {} with a profiler, in no statistic of the others; how much CPU it costs is in the report",
        text::counted(rounds as usize, "round"),
        text::counted(contenders, "contender")
    );
    let trials = u64::from(rounds) * contenders as u64;
    (Part { name: "profiled", what, trials: (trials, trials) }, time)
}

/// What so many paired rounds see; nothing where they have no interval.
fn sees(rounds: u32) -> Vec<Sight> {
    const FEWEST: u32 = 6;
    let sight = |(scatter, usual)| {
        let found = stats::detectable(scatter, rounds as usize, ALPHA, 0.0)?;
        Some(Sight { scatter, usual, difference: found.usually })
    };
    if rounds < FEWEST { Vec::new() } else { SCATTERS.into_iter().filter_map(sight).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::builtin;

    #[test]
    fn every_experiment_is_counted() {
        let planned = plan(&builtin("payment-memory").unwrap(), false);
        let names: Vec<_> = planned.parts.iter().map(|part| part.name).collect();
        assert_eq!(names, ["ceilings", "compare"]);
        assert_eq!(planned.parts[1].trials, (120, 156));
        assert_eq!(planned.sees.len(), 3);
        let profiled = plan(&builtin("payment-memory").unwrap(), true);
        match why::planned(&builtin("payment-memory").unwrap()) {
            Some((12, 4, time)) => {
                let part = profiled.parts.last().unwrap();
                assert_eq!((part.name, part.trials), ("profiled", (48, 48)));
                assert_eq!(profiled.time, planned.time + time);
            }
            Some(other) => panic!("{other:?}"),
            None => eprintln!("SKIPPED: no stacks are to be had here"),
        }
        let planned = plan(&builtin("capacity-payment").unwrap(), false);
        assert!(planned.parts.iter().any(|part| part.name == "capacity"), "{planned:?}");
        let planned = plan(&builtin("map-cpu-wait").unwrap(), false);
        assert_eq!(planned.parts[0].trials, (500, 650));
        let planned = plan(&builtin("curve-payment-50ms").unwrap(), false);
        assert_eq!(planned.parts[1].name, "curve");
    }

    #[test]
    fn more_rounds_see_smaller_differences() {
        assert!(sees(5).is_empty(), "no interval, nothing to see");
        let (few, many) = (sees(6), sees(24));
        assert!(few.iter().zip(&many).all(|(few, many)| many.difference < few.difference));
        assert!(few[0].difference < few[2].difference);
    }

    #[test]
    fn the_built_in_experiments_keep_their_time() {
        for (name, minutes) in
            [("capacity-payment", 4.0), ("curve-payment-50ms", 5.0), ("map-cpu-wait", 15.0)]
        {
            let time = builtin(name).unwrap().estimate().as_secs_f64() / 60.0;
            assert!(time <= minutes, "{name}: {time} minutes");
        }
    }
}
