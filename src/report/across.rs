//! What each machine of a run shows alone, beside the others.

use super::document::Table;
use crate::record::metric::label;
use crate::record::{AcrossMachines, Direction, OnMachine, RunResult};
use crate::text::{WITHHELD, clean, percent, times};

/// The declared comparisons on each machine alone; nothing where there are not several machines.
pub(super) fn table(result: &RunResult) -> Option<Table> {
    let all = &result.across_machines;
    let several = result.trials.iter().any(|trial| trial.by_request.len() > 1);
    let rows = all.iter().map(|one| [name(one, several), each(one), direction(one)]);
    let columns = ["comparison", "each machine alone", "direction"];
    let n = result.machines.len();
    let by_chance = percent(0.5_f64.powi(n.saturating_sub(1) as i32), 2);
    let note = format!(
        "Estimates without intervals: the rounds of one machine are judged together with those of the others, not alone. \
         Where nothing differs, all {n} have one direction by chance in {by_chance} of comparisons."
    );
    (!all.is_empty()).then(|| Table::new("Machine by machine", columns, 0..0, rows).noted([note]))
}

/// `p99 at 50%: thread-pool against event-loop`
fn name(one: &AcrossMachines, several: bool) -> String {
    let kind = one.request.as_deref().filter(|_| several);
    let kind = kind.map_or_else(String::new, |kind| format!(" of {}", clean(kind)));
    let [at, of, versus] = [&one.at, &one.of, &one.versus].map(|text| clean(text));
    format!("{}{kind} at {at}: {of} against {versus}", label(&one.metric))
}

/// `1.31x, 1.28x, 1.40x (n = 4 each)`
fn each(one: &AcrossMachines) -> String {
    let ratio = |on: &OnMachine| match (on.ratio, on.lost_of + on.lost_versus) {
        (Some(ratio), _) => times(ratio),
        (None, 0) => WITHHELD.into(),
        (None, _) => "lost".into(),
    };
    let first = one.each.first().map_or(0, |on| on.n);
    if one.each.iter().all(|on| on.n == first) {
        let all: Vec<String> = one.each.iter().map(ratio).collect();
        return format!("{} (n = {first} each)", all.join(", "));
    }
    let all = one.each.iter().map(|on| format!("{} (n = {})", ratio(on), on.n));
    all.collect::<Vec<_>>().join(", ")
}

/// `all 3 higher`, or `2 higher, 1 lower`
fn direction(one: &AcrossMachines) -> String {
    let count = |side| one.each.iter().filter(|on| on.side == side).count();
    let parts = [
        (Direction::Higher, "higher"),
        (Direction::Lower, "lower"),
        (Direction::Inconclusive, "neither"),
    ];
    let parts = parts.into_iter().map(|(side, word)| (count(side), word)).filter(|(n, _)| *n > 0);
    let all: Vec<String> = parts.map(|(n, word)| format!("{n} {word}")).collect();
    if one.agree { format!("all {}", all.join(", ")) } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::record::Machine;
    use crate::report::summary;

    #[test]
    fn machines_stand_side_by_side_with_the_direction_of_each() {
        let mut result = mock::payments(8, &mock::MODELS[..2]);
        assert!(table(&result).is_none());
        result.machines = vec![Machine::default(); 3];
        let on = |ratio, side, n| OnMachine { ratio, side, n, ..OnMachine::default() };
        let across = |metric: &str, each: [OnMachine; 3], agree| AcrossMachines {
            metric: metric.into(),
            request: Some("payment".into()),
            at: "4,000/s".into(),
            of: "work-stealing".into(),
            versus: "event-loop".into(),
            each: each.into(),
            agree,
            ..AcrossMachines::default()
        };
        use Direction::{Higher, Inconclusive, Lower};
        let lost = OnMachine { lost_of: 2, ..on(None, Higher, 2) };
        result.across_machines = vec![
            across("p99", [1.31, 1.18, 1.4].map(|ratio| on(Some(ratio), Higher, 3)), true),
            across("p50", [on(Some(0.9), Lower, 3), lost, on(Some(1.0), Inconclusive, 3)], false),
            across(
                "rss",
                [on(None, Inconclusive, 0), on(None, Inconclusive, 0), on(None, Inconclusive, 0)],
                false,
            ),
        ];
        let rows = table(&result).unwrap().rows;
        assert_eq!(rows[0][0], "p99 at 4,000/s: work-stealing against event-loop");
        assert_eq!(rows[0][1..], ["1.31x, 1.18x, 1.40x (n = 3 each)", "all 3 higher"]);
        let mixed = "0.90x (n = 3), lost (n = 2), 1.00x (n = 3)";
        assert_eq!(rows[1][1..], [mixed, "1 higher, 1 lower, 1 neither"]);
        assert_eq!(rows[2][1..], ["-, -, - (n = 0 each)", "3 neither"]);
        let markdown = summary::markdown(&result);
        assert!(markdown.contains("Machine by machine"), "{markdown}");
        assert!(markdown.contains("all 3 have one direction by chance in 25 % of comparisons"));
    }
}
