//! What a right answer cost a contender: CPU by mode, waits for a core, context switches, page faults.

use crate::judge::races::{Race, races};
use crate::record::RunResult;
use crate::record::trial::Server;
use crate::report::format::{Grid, place};
use crate::text::{clean, or_withheld};
use crate::units::three_digits;

/// A column and its figure of a trial.
type Column = (&'static str, fn(&Server) -> Option<f64>);

const COLUMNS: [Column; 8] = [
    ("CPU us", |server| server.cpu_us_per_request),
    ("user us", |server| server.user_us_per_request),
    ("system us", |server| server.system_us_per_request),
    ("run queue us", |server| server.run_queue_us_per_request),
    ("voluntary switches", |server| server.switches_voluntary_per_request),
    ("involuntary", |server| server.switches_involuntary_per_request),
    ("minor faults", |server| server.faults_minor_per_request),
    ("major", |server| server.faults_major_per_request),
];

const NOTE: &str = "Medians of the rounds. CPU and page faults are of the window. The run queue (ready to run, and another \
     had the core) and context switches are of the load up to the window's end, with its warm-up. Waiting is not CPU.";

/// A table for each race, where `--why` asked for them.
pub(crate) fn grids(result: &RunResult) -> Vec<Grid> {
    if !result.words.iter().any(|word| word == "--why") {
        return Vec::new();
    }
    races(result).iter().map(counters).collect()
}

fn counters(race: &Race<'_>) -> Grid {
    let rows = race.entries.iter().map(|entry| {
        let figure =
            |(_, of): &Column| or_withheld(entry.middle(|trial| of(&trial.server)), three_digits);
        std::iter::once(clean(entry.name)).chain(COLUMNS.iter().map(figure)).collect()
    });
    Grid {
        heading: format!("What a right answer cost: {}", place(race)),
        columns: std::iter::once("contender")
            .chain(COLUMNS.iter().map(|(name, _)| *name))
            .map(str::to_owned)
            .collect(),
        rows: rows.collect(),
        notes: vec![NOTE.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    #[test]
    fn counters_are_shown_where_they_are_asked_for() {
        let mut result = mock::payments(6, &mock::MODELS[..2]);
        assert!(grids(&result).is_empty());
        result.words.push("--why".into());
        result.trials.iter_mut().for_each(|trial| trial.server.run_queue_us_per_request = None);
        let [grid] = &grids(&result)[..] else { panic!("one race") };
        assert_eq!(grid.columns.len(), 9);
        let row = &grid.rows[0];
        assert_eq!(row[4], "-", "not known, and not 0");
        assert_eq!((&*row[5], &*row[8]), ("0.95", "0"));
    }
}
