//! The headline of a run with sweeps: each model once, at its best size.

use super::document::Table;
use crate::judge::best_size::{BestSizes, SizeFamily, Sized, best_sizes};
use crate::judge::races::Race;
use crate::record::RunResult;
use crate::report::format::{figure, place};
use crate::text::{WITHHELD, clean, listed, or_withheld};
use crate::units::{bytes, grouped, three_digits};

const COLUMNS: [&str; 6] = ["contender", "size", "p99", "achieved/s", "CPU us/request", "memory"];
const NOTE: &str = "Of the sizes that are not clearly worse than the best (95 % interval of the paired rounds) the smallest \
     stands here, within the same pool of connections. A fixed size is the file's.";
/// A table for each scenario that sweeps sizes, at the highest of its rates.
pub(crate) fn grids(result: &RunResult, races: &[Race<'_>]) -> Vec<Table> {
    best_sizes(result, races).iter().map(grid).collect()
}

fn grid(found: &BestSizes<'_, '_>) -> Table {
    let heading =
        format!("Each at its best size{}: {}", within(&found.families), place(found.race));
    let notes = found.families.iter().filter_map(|family| note(found, family));
    let rows = found.families.iter().map(|family| row(found, family));
    Table::new(heading, COLUMNS, 2..COLUMNS.len(), rows).noted(notes.chain([NOTE.to_owned()]))
}

/// ` within 256 MiB`
fn within(families: &[SizeFamily<'_, '_>]) -> String {
    let members = families.iter().flat_map(|family| &family.members);
    let budget = members.filter_map(|one| one.info?.memory_max_bytes).next();
    budget.map_or_else(String::new, |budget| format!(" within {}", bytes(budget as f64)))
}

fn name(family: &SizeFamily<'_, '_>) -> String {
    let pool = family.pool.map_or_else(String::new, |pool| format!(", pool {pool}"));
    clean(family.name) + &pool
}

fn row(found: &BestSizes<'_, '_>, family: &SizeFamily<'_, '_>) -> Vec<String> {
    let Sized { entry, info } = family.best();
    let threads = info.and_then(|info| info.threads);
    let over = if family.best().is_over_the_budget() { ", over the budget" } else { "" };
    let size = match (threads, family.members.len()) {
        (None, _) => WITHHELD.to_owned(),
        (Some(threads), 1) => format!("{} threads, fixed", grouped(f64::from(threads))),
        (Some(threads), _) => format!("{} threads", grouped(f64::from(threads))),
    };
    vec![
        name(family),
        size + over,
        if found.closed { WITHHELD.into() } else { figure(entry.response(found.kind, 990)) },
        or_withheld(entry.middle(|trial| Some(trial.achieved_rps)), grouped),
        or_withheld(entry.middle(|trial| trial.server.cpu_us_per_request), three_digits),
        or_withheld(entry.memory(), bytes),
    ]
}

/// `thread-pool: 128 threads of 64 (30 ms), 128 (12 ms) and 512 (12.3 ms)`
fn note(found: &BestSizes<'_, '_>, family: &SizeFamily<'_, '_>) -> Option<String> {
    let size = |one: &Sized<'_, '_>| {
        let threads = one.info.and_then(|info| info.threads);
        threads.map_or_else(|| clean(one.entry.name), |threads| grouped(f64::from(threads)))
    };
    let each = family.members.iter().map(|one| {
        let shown = match found.closed {
            true => or_withheld(one.entry.middle(|trial| Some(trial.achieved_rps)), |rps| {
                format!("{}/s", grouped(rps))
            }),
            false => format!("p99 {}", figure(one.entry.response(found.kind, 990))),
        };
        format!("{} ({shown})", size(one))
    });
    let several = family.members.len() > 1;
    several.then(|| {
        let each: Vec<String> = each.collect();
        let chosen = size(family.best());
        format!("{}: {chosen} threads, of {}.", name(family), listed(&each))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::judge::races::races;
    use crate::record::{ContenderInfo, SloInfo};

    /// Payments at 4,000/s by an event loop and a pool of three sizes, each with so long a median.
    fn swept(sizes: [f64; 3]) -> RunResult {
        let names = ["thread-pool-16", "thread-pool-64", "thread-pool-256"];
        let mut shapes = vec![("event-loop", 96.0, 1.0)];
        shapes.extend(names.iter().zip(sizes).map(|(name, us)| (*name, us, 1.0)));
        let mut result = mock::payments(6, &shapes);
        for (name, threads) in names.into_iter().zip([16, 64, 256]) {
            result.contenders.push(ContenderInfo {
                workload: "payment".into(),
                contender: name.into(),
                sweep: Some("thread-pool".into()),
                threads: Some(threads),
                pool: Some(64),
                ..ContenderInfo::default()
            });
        }
        result
    }

    fn rows(result: &RunResult) -> Vec<[String; 2]> {
        let grids = grids(result, &races(result));
        grids[0].rows.iter().map(|row| [row[0].clone(), row[1].clone()]).collect()
    }

    #[test]
    fn a_model_stands_once_at_the_smallest_of_its_best_sizes() {
        let result = swept([300.0, 110.0, 110.0]);
        assert_eq!(
            rows(&result),
            [["event-loop", "-"], ["thread-pool", "64 threads"]].map(|row| row.map(String::from))
        );
        let note = &grids(&result, &races(&result))[0].notes[0];
        assert!(note.starts_with("thread-pool: 64 threads, of 16 (p99 "), "{note}");
        assert_eq!(rows(&swept([300.0, 140.0, 110.0]))[1][1], "256 threads");
        assert_eq!(rows(&swept([90.0, 140.0, 110.0]))[1][1], "16 threads");
    }

    #[test]
    fn what_loses_or_misses_the_slo_stands_behind() {
        let mut result = swept([100.0, 110.0, 120.0]);
        mock::saturate(&mut result, "thread-pool-16");
        assert_eq!(rows(&result)[1][1], "64 threads");
        let p99 = |result: &RunResult, name: &str| {
            let trial = result.trials.iter().find(|trial| trial.contender == name).unwrap();
            trial.response_ns.as_ref().unwrap().p99.unwrap()
        };
        let between =
            u64::midpoint(p99(&result, "thread-pool-64"), p99(&result, "thread-pool-256"));
        result.slos = vec![SloInfo {
            workload: "payment".into(),
            p99_ns: between,
            error_rate: 0.001,
            ..SloInfo::default()
        }];
        assert_eq!(rows(&result)[1][1], "64 threads", "the other one misses it");
        result.slos[0].p99_ns = 1_000_000_000;
        for trial in result.trials.iter_mut().filter(|one| one.contender == "thread-pool-64") {
            mock::fail(trial, 26);
            trial.validity.lost = true;
        }
        assert_eq!(rows(&result)[1][1], "256 threads", "the other one fails too often");
        result.trials.iter_mut().for_each(|trial| trial.level = "closed".into());
        assert_eq!(rows(&result)[1][1], "256 threads", "in closed loop too");
    }

    #[test]
    fn a_size_beyond_the_memory_stands_for_nothing_but_itself() {
        let mut result = swept([300.0, 140.0, 110.0]);
        let within = |result: &mut RunResult, budget: u64| {
            result.contenders.iter_mut().for_each(|one| one.memory_max_bytes = Some(budget));
            rows(result)[1][1].clone()
        };
        // The mock's contenders hold 3.1 MB more each, by their order.
        assert_eq!(within(&mut result, 40_000_000), "256 threads");
        assert_eq!(within(&mut result, 32_500_000), "64 threads");
        assert_eq!(within(&mut result, 1_000), "256 threads, over the budget");
        let heading = &grids(&result, &races(&result))[0].heading;
        assert!(heading.starts_with("Each at its best size within 0.977 KiB"), "{heading}");
    }

    #[test]
    fn unlike_pools_are_no_sizes_of_each_other_and_without_a_sweep_there_is_no_table() {
        let mut result = swept([300.0, 140.0, 110.0]);
        result.contenders[0].pool = Some(16);
        let found = rows(&result);
        assert_eq!(found[1], ["thread-pool, pool 16", "16 threads, fixed"].map(String::from));
        assert_eq!(found[2], ["thread-pool, pool 64", "256 threads"].map(String::from));
        result.contenders.iter_mut().for_each(|one| one.sweep = None);
        assert!(grids(&result, &races(&result)).is_empty());
    }
}
