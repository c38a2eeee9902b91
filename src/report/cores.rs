//! Figures per core, where contenders have several: a total over two cores cannot be compared with that of one.

use crate::judge::races::{Entry, Race};
use crate::record::{RunResult, Trial};
use crate::text::clean;
use crate::units::Rate;

/// `2,050/s per core`; nothing on one core, where it would be the figure itself.
pub(crate) fn each(rps: f64, cores: usize) -> Option<String> {
    (cores > 1).then(|| format!("{} per core", Rate(rps / cores as f64)))
}

/// Cores of a scenario's contender, as its trials have them; 1 where none was run.
pub(crate) fn of(result: &RunResult, scenario: &str, contender: &str) -> usize {
    let trials = result.trials.iter().chain(&result.probes);
    let own = |trial: &&Trial| trial.scenario == scenario && trial.contender == contender;
    let cores = trials.filter(own).map(|trial| trial.placement.contender_cores.len());
    cores.max().unwrap_or(1).max(1)
}

/// `Per core of 2: event-loop 540/s, event-loop-x2 (2 processes) 470/s`: what each carries in closed loop.
pub(crate) fn mark(result: &RunResult, race: &Race<'_>) -> Option<String> {
    let cores = race.cores();
    let figure = |entry: &Entry<'_>| {
        let achieved = entry.middle(|trial| Some(trial.achieved_rps))?;
        let processes = race.info(result, entry.name).and_then(|info| info.processes);
        let processes = processes.map_or_else(String::new, |n| format!(" ({n} processes)"));
        Some(format!("{}{processes} {}", clean(entry.name), Rate(achieved / cores as f64)))
    };
    let shown = cores > 1 && race.level == "closed";
    let each: Vec<String> = race.entries.iter().filter(|_| shown).filter_map(figure).collect();
    (!each.is_empty()).then(|| format!("Per core of {cores}: {}", each.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::record::{Capacity, ContenderInfo};
    use crate::report::findings::Findings;
    use crate::report::{html, markdown, terminal};

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
        assert!(Findings::of(&two).tables[0].marks.contains(&race.to_owned()));
        let outputs = |result: &RunResult| {
            let text = terminal::terminal(result, None);
            let text = anstream::adapter::strip_str(&text).to_string();
            let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
            [joined, markdown::markdown(result), html::html(result)]
        };
        for output in outputs(&two) {
            assert!(output.contains(race), "{output}");
            assert!(output.contains("per core"), "{output}");
            assert!(output.contains("2,000/s to 2,300/s"), "{output}");
        }
        for output in outputs(&on(1)) {
            assert!(!output.to_lowercase().contains("per core"), "{output}");
        }
        assert_eq!(of(&two, "", "event-loop"), 2);
    }
}
