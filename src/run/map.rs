//! Who wins at which CPU time and wait of a request: a paired comparison in each cell, the reader's own first, then its neighbours,
//! then outwards, so that whatever time there was went where it tells most.

use std::time::Instant;

use crate::error::Result;
use crate::judge::cell;
use crate::latency::Latency;
use crate::record::{Map, MapPlace};
use crate::run::paired;
use crate::run::paired::{OperatingPoint, Rules};
use crate::run::testbed::ExperimentContext;
use crate::scenario::{MapPlan, Scenario};
use crate::units::Nanos;

/// The map, and how many of its cells the time did not suffice for.
pub(crate) fn run(
    context: &mut ExperimentContext<'_, '_>,
    scenario: &Scenario,
    plan: &MapPlan,
) -> Result<(Map, usize)> {
    let mut map = Map {
        version: 1,
        workload: scenario.workload.name().into(),
        metric: plan.metric.name().into(),
        of: plan.of.clone(),
        versus: plan.versus.clone(),
        waits_ns: plan.waits.iter().map(|wait| wait.0).collect(),
        cpus_ns: plan.cpus.iter().map(|cpu| cpu.0).collect(),
        cells: Vec::new(),
        service: plan.mine.map(|(cpu, wait)| MapPlace { wait_ns: wait.0, cpu_ns: cpu.0 }),
    };
    let cells = order(plan);
    // Until a cell has been measured, as long as its blocks at least.
    let mut longest = plan.cell_estimate();
    for &(row, column) in &cells {
        if !context.budget.allows(longest) {
            break;
        }
        let began = Instant::now();
        let (cpu, wait) = (plan.cpus[row], plan.waits[column]);
        let point = OperatingPoint { cpu, wait: Latency::Constant(wait), pool: None };
        let number = row * plan.waits.len() + column;
        let rules = Rules { metric: plan.metric, rounds: plan.rounds, best: plan.best, number };
        let pair = [plan.of.as_str(), plan.versus.as_str()];
        let Some(found) = paired::compare_pair(context, scenario, pair, &point, rules)? else {
            break;
        };
        map.cells.push(found.cell(cpu, wait));
        longest = longest.max(Nanos::from(began.elapsed()));
    }
    let left = cells.len() - map.cells.len();
    cell::judge(&mut map.cells, &map.metric);
    Ok((map, left))
}

/// Rows and columns of the cells, from the reader's own service outwards, or from the middle.
fn order(plan: &MapPlan) -> Vec<(usize, usize)> {
    let nearest = |axis: &[Nanos], mine: Option<Nanos>| match mine {
        None => axis.len() / 2,
        Some(mine) => {
            let distance = |at: Nanos| ((at.0 as f64 + 1.0) / (mine.0 as f64 + 1.0)).ln().abs();
            let by = |a: &usize, b: &usize| distance(axis[*a]).total_cmp(&distance(axis[*b]));
            (0..axis.len()).min_by(by).expect("an axis has a place")
        }
    };
    let row = nearest(&plan.cpus, plan.mine.map(|(cpu, _)| cpu));
    let column = nearest(&plan.waits, plan.mine.map(|(_, wait)| wait));
    let columns = 0..plan.waits.len();
    let mut cells: Vec<(usize, usize)> =
        (0..plan.cpus.len()).flat_map(|r| columns.clone().map(move |c| (r, c))).collect();
    cells.sort_by_key(|&(r, c)| {
        let (down, across) = (r.abs_diff(row), c.abs_diff(column));
        (down.max(across), down + across)
    });
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::MapMetric;

    #[test]
    fn ones_own_cell_comes_first_then_its_neighbours_then_outwards() {
        let us = |times: &[u64]| times.iter().map(|us| Nanos(us * 1_000)).collect::<Vec<_>>();
        let mut plan = MapPlan {
            cpus: us(&[10, 100, 1_000]),
            waits: us(&[0, 1_000, 10_000, 100_000]),
            of: "a".into(),
            versus: "b".into(),
            best: false,
            mine: Some((Nanos(90_000), Nanos(1_200_000))),
            metric: MapMetric::Capacity,
            rounds: 6,
        };
        let cells = order(&plan);
        assert_eq!(cells.len(), 12);
        assert_eq!(cells[..5], [(1, 1), (0, 1), (1, 0), (1, 2), (2, 1)]);
        assert_eq!(cells[9..], [(1, 3), (0, 3), (2, 3)], "the far column is the last");
        plan.mine = None;
        assert_eq!(order(&plan)[0], (1, 2), "without one's own the middle");
    }
}
