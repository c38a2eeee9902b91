//! On what and how a run was measured, and how it is made again.

use crate::judge::races::{Entry, Race, measured};
use crate::record::ArrivalKind;
use crate::record::{PlacementKind, RunResult, Trial};
use crate::report::machines;
use crate::text::{capital, clean, counted, distinct, is_name, listed};
use crate::units::{Nanos, Rate, grouped, three_digits};

/// `contender on core 1, generator on core 0 (apart, spin)`, each placement of the trials once.
pub(crate) fn placements<'a>(trials: impl Iterator<Item = &'a Trial>) -> Vec<String> {
    let told = |trial: &Trial| {
        let p = &trial.placement;
        let cores = |cores: &[u32]| {
            let list: Vec<String> = cores.iter().map(u32::to_string).collect();
            format!("core{} {}", if cores.len() == 1 { "" } else { "s" }, list.join(", "))
        };
        let how = if p.mode == PlacementKind::Shared { "co-located" } else { p.mode.name() };
        format!(
            "contender on {}, {} ({}, {})",
            cores(&p.contender_cores),
            match p.dependency_cores.as_slice() {
                [] => format!("generator on {}", cores(&p.generator_cores)),
                own if own == p.generator_cores => {
                    format!("generator and dependency on {}", cores(own))
                }
                own => format!(
                    "generator on {}, dependency on {}",
                    cores(&p.generator_cores),
                    cores(own)
                ),
            },
            clean(how),
            p.pace
        )
    };
    distinct(trials.map(told))
}

/// `open loop, Poisson arrivals, 64 connections, 1.3 s a trial`, each way of the trials once.
pub(crate) fn loads<'a>(trials: impl Iterator<Item = &'a Trial>) -> Vec<String> {
    let mut seen: Vec<(String, f64, f64)> = Vec::new();
    for trial in trials {
        let load = &trial.load;
        let arrivals = match load.arrivals {
            None => String::new(),
            Some(ArrivalKind::Poisson) => ", Poisson arrivals".into(),
            Some(arrivals) => format!(", {arrivals} arrivals"),
        };
        let arrivals = if load.steps.is_empty() { arrivals } else { arrivals + " in steps" };
        let connections = counted(load.connections as usize, "connection");
        let way = format!("{} loop{arrivals}, {connections}", load.kind);
        match seen.iter_mut().find(|(text, ..)| *text == way) {
            Some((_, low, high)) => {
                *low = low.min(load.duration_s);
                *high = high.max(load.duration_s);
            }
            None => seen.push((way, load.duration_s, load.duration_s)),
        }
    }
    seen.into_iter()
        .map(|(way, low, high)| match (three_digits(low), three_digits(high)) {
            (low, high) if low == high => format!("{way}, {low} s a trial"),
            (low, high) => format!("{way}, {low} to {high} s a trial"),
        })
        .collect()
}

/// What the contenders said that runs them, `Node.js 24.22.3`, each with those that it runs.
fn runtimes(result: &RunResult) -> Vec<(String, Vec<String>)> {
    let mut seen: Vec<(String, Vec<String>)> = Vec::new();
    for trial in measured(result) {
        let Some(runtime) = &trial.runtime else { continue };
        let (runtime, name) = (clean(runtime), clean(&trial.contender));
        match seen.iter_mut().find(|(other, _)| *other == runtime) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => seen.push((runtime, vec![name])),
        }
    }
    seen
}

/// `, Go 1.27.3, Node.js 24.22.3`, printed after the machine; empty if no version is known.
pub(crate) fn versions(result: &RunResult) -> String {
    runtimes(result).iter().map(|(runtime, _)| format!(", {runtime}")).collect()
}

/// Machine, runtimes, placement, load, dials and build: one line each.
pub(super) fn about(result: &RunResult, races: &[Race<'_>]) -> Vec<String> {
    let print = &result.fingerprint;
    let mut lines = machines::lines(result);
    let runs =
        |(runtime, names): (String, Vec<String>)| format!("{runtime} runs {}", listed(&names));
    let runs: Vec<String> = runtimes(result).into_iter().map(runs).collect();
    lines.extend((!runs.is_empty()).then(|| runs.join("; ")));
    lines.extend(placements(measured(result).iter()).iter().map(|text| capital(text)));
    let contenders = races.iter().map(|race| race.entries.len()).max().unwrap_or(0);
    let rounds = counted(result.rounds as usize, "round");
    let load = listed(&loads(result.trials.iter()));
    if !races.is_empty() {
        lines.push(format!("{rounds} of {}, {load}", counted(contenders, "contender")));
    } else if !result.probes.is_empty() {
        let trials = counted(result.probes.len(), "trial");
        lines.push(format!("A search of {trials}: {}", loads(result.probes.iter()).join("; ")));
    }
    let mut dials = format!("Seed {}, order seed {}", result.seed, result.order_seed);
    if result.request_cpu_ns > 0 {
        dials += &format!("; signature set to {}", Nanos(result.request_cpu_ns));
    }
    // Each of several machines has its own.
    if result.request_cpu_ns > 0 && result.machines.is_empty() {
        dials += &format!(
            ", measured {} ({} SHA-256 rounds)",
            Nanos(result.request_cpu_measured_ns),
            grouped(f64::from(result.signature_rounds))
        );
    }
    if let Some(floor) = result.floor_ns {
        dials += &format!("; floor {}", Nanos(floor));
    }
    lines.push(dials);
    lines.push(format!(
        "bakeoff {}{}, binary {}, scenario {}, {}",
        clean(&print.bakeoff),
        print.unusual_build(),
        clean(&print.binary),
        clean(&print.scenario),
        clean(&result.started_utc)
    ));
    lines
}

/// `2,050/s per core`; nothing on one core, where it would be the figure itself.
pub(crate) fn per_core(rps: f64, cores: usize) -> Option<String> {
    (cores > 1).then(|| format!("{} per core", Rate(rps / cores as f64)))
}

/// Cores of a scenario's contender, as its trials have them; 1 where none was run.
pub(crate) fn cores_of(result: &RunResult, scenario: &str, contender: &str) -> usize {
    let trials = result.trials.iter().chain(&result.probes);
    let own = |trial: &&Trial| trial.scenario == scenario && trial.contender == contender;
    let cores = trials.filter(own).map(|trial| trial.placement.contender_cores.len());
    cores.max().unwrap_or(1).max(1)
}

/// `Per core of 2: event-loop 540/s, event-loop-x2 (2 processes) 470/s`: what each carries in closed loop.
pub(crate) fn per_core_mark(result: &RunResult, race: &Race<'_>) -> Option<String> {
    let cores = race.cores();
    let figure = |entry: &Entry<'_>| {
        let achieved = entry.middle(|trial| Some(trial.achieved_rps))?;
        let processes = race.info(result, entry.name).and_then(|info| info.processes);
        let processes = processes.map_or_else(String::new, |n| format!(" ({n} processes)"));
        Some(format!("{}{processes} {}", clean(entry.name), Rate(achieved / cores as f64)))
    };
    let shown = cores > 1 && race.is_closed();
    let each: Vec<String> = race.entries.iter().filter(|_| shown).filter_map(figure).collect();
    (!each.is_empty()).then(|| format!("Per core of {cores}: {}", each.join(", ")))
}

/// `bakeoff run payment-memory --rounds 10 --order-seed 7301`; none of a scenario whose name cannot be one.
pub(crate) fn command(result: &RunResult) -> Option<String> {
    if !result.words.is_empty() {
        return Some(format!("{} --order-seed {}", typed(&result.words), result.order_seed));
    }
    let scenario = match result.scenario.as_str() {
        "tour" => String::new(),
        name if is_name(name) => format!(" {name}"),
        _ => return None,
    };
    let (rounds, seed, order) = (result.rounds, result.seed, result.order_seed);
    Some(format!("bakeoff run{scenario} --rounds {rounds} --seed {seed} --order-seed {order}"))
}

/// Words after `bakeoff run`, for a shell.
pub(super) fn typed(words: &[String]) -> String {
    let words = words.iter().map(|word| format!(" {}", quoted(&clean(word))));
    format!("bakeoff run{}", words.collect::<String>())
}

/// What the command does not say.
pub(crate) fn reproduction(result: &RunResult) -> String {
    let print = &result.fingerprint;
    let (machine, with, divided) = match result.machines.first().and_then(|one| one.shards.first())
    {
        None => ("this machine", "with", String::new()),
        Some(shard) => {
            let of = clean(shard.rsplit('/').next().unwrap_or_default());
            let divided = format!(
                " It was run in shards (--shard I/{of} on each machine, then bakeoff merge); the command runs all \
                 rounds on one machine."
            );
            ("these machines", "and", divided)
        }
    };
    format!(
        "The same arrivals, bodies and order of trials follow from the seeds; the figures also need {machine} ({} \
         {with} {} cores, Linux {}), this build (binary {}) and this scenario (hash {} after flags; name its file \
         where it is not built in).{divided}",
        machines::cpu(result),
        print.cores,
        clean(&print.kernel),
        clean(&print.binary),
        clean(&print.scenario)
    )
}

/// As one word of a shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::judge::races::races;
    use crate::record::{Capacity, ContenderInfo};
    use crate::report::{charts, figures, note, summary};

    #[test]
    fn what_runs_a_contender_is_on_every_output_with_its_version() {
        let mut result = mock::payments(6, &mock::MODELS);
        let names: Vec<String> =
            races(&result)[0].entries.iter().map(|entry| entry.name.to_owned()).collect();
        let told = |result: &RunResult| about(result, &races(result)).join("\n");
        assert!(!told(&result).contains(" runs "), "without a version nothing is printed");
        for trial in &mut result.trials {
            let place = names.iter().position(|name| *name == trial.contender).unwrap();
            let of = ["Go 1.27.3", "Node.js 24.22.3", "Node.js 24.22.3"];
            trial.runtime = of.get(place).map(|&runtime| runtime.to_owned());
        }
        let [go, node, other, ..] = &names[..] else { panic!("{names:?}") };
        let line = format!("Go 1.27.3 runs {go}; Node.js 24.22.3 runs {node} and {other}");
        assert!(told(&result).lines().any(|one| one == line), "{}", told(&result));
        assert!(summary::markdown(&result).contains(&line));
        let picture = &charts::pictures(&result)[0];
        let note = note::note(&result, picture, "", "a.png");
        assert!(note.contains(", Go 1.27.3, Node.js 24.22.3: "), "{note}");
        let svg = picture.svg(charts::Shade::Light, charts::Size::Blog);
        assert!(svg.contains("1.27.3, ") && svg.contains("24.22.3; "), "{svg}");
        // What was begun with one and ended with another says so.
        let mut result = result.clone();
        result.trials.last_mut().unwrap().runtime = Some("Node.js 26.1.0".into());
        assert!(told(&result).contains("Node.js 26.1.0 runs "), "{}", told(&result));
    }

    /// Two contenders in closed loop, one of them two processes, with a capacity each.
    fn on(cores: u32) -> RunResult {
        let mut result = mock::payments(6, &mock::MODELS[..2]);
        for trial in &mut result.trials {
            trial.level = "closed".into();
            trial.placement.contender_cores = (0..cores).collect();
            trial.achieved_rps = 900.0;
        }
        result.contenders = vec![ContenderInfo {
            workload: "payment".into(),
            contender: "work-stealing".into(),
            processes: Some(2),
            ..ContenderInfo::default()
        }];
        let capacity = |name: &str| Capacity {
            workload: "payment".into(),
            contender: name.into(),
            at_least_rps: Some(4_000.0),
            below_rps: Some(4_600.0),
            ..Capacity::default()
        };
        result.capacity = ["event-loop", "work-stealing"].map(capacity).to_vec();
        result
    }

    #[test]
    fn what_a_core_carries_stands_in_every_output_and_not_on_one_core() {
        let two = on(2);
        let race = "Per core of 2: event-loop 450/s, work-stealing (2 processes) 450/s";
        assert!(figures::marks(&two, &races(&two)[0]).contains(&race.to_owned()));
        let outputs = |result: &RunResult| {
            let text = summary::text(result, None, true);
            let text = anstream::adapter::strip_str(&text).to_string();
            let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
            [joined, summary::markdown(result), summary::html(result)]
        };
        for output in outputs(&two) {
            assert!(output.contains(race), "{output}");
            assert!(output.contains("per core"), "{output}");
            assert!(output.contains("2,000/s to 2,300/s"), "{output}");
        }
        for output in outputs(&on(1)) {
            assert!(!output.to_lowercase().contains("per core"), "{output}");
        }
        assert_eq!(cores_of(&two, "", "event-loop"), 2);
    }

    #[test]
    fn a_run_is_told_as_it_was_asked() {
        let mut result = crate::judge::mock::payments(6, &crate::judge::mock::MODELS);
        let told = |result: &RunResult| command(result).unwrap_or_default();
        assert_eq!(told(&result), "bakeoff run --rounds 6 --seed 42 --order-seed 7301");
        result.scenario = "my-own".into();
        assert!(told(&result).starts_with("bakeoff run my-own --rounds 6 "), "{}", told(&result));
        for hostile in ["tour'</script><script>", "a b", "--yes", "../a", ""] {
            result.scenario = hostile.into();
            assert_eq!(command(&result), None, "{hostile}");
            let picture = &charts::pictures(&result)[0];
            let outputs = [
                summary::text(&result, None, true),
                summary::markdown(&result),
                summary::html(&result),
                note::note(&result, picture, "bakeoff chart", "a.png"),
            ];
            for output in outputs {
                assert!(!output.contains("bakeoff run"), "{hostile}: {output}");
            }
        }
        result.words = ["my service.toml", "--contender", "a,b"].map(str::to_owned).to_vec();
        assert_eq!(
            told(&result),
            "bakeoff run 'my service.toml' --contender a,b --order-seed 7301"
        );
    }

    #[test]
    fn a_word_stays_one_word() {
        assert_eq!(quoted("payment-memory"), "payment-memory");
        assert_eq!(quoted("a b; rm -rf ~"), "'a b; rm -rf ~'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
