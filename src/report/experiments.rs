//! What experiments beside `compare` and `curve` found: capacities, the map and footprints, as tables without a format.

use super::document::Table;
use super::{setting, why};
use crate::judge::cell::{ROUNDS_MIN, quantity, winner};
use crate::judge::races::slo_of;
use crate::record::BoundBy;
use crate::record::{
    Capacity, Comparison, Direction, FileSet, Footprint, Map, MapCell, OverStarts, RunResult,
    Winner,
};
use crate::text::{capital, clean, counted, or_withheld, times};
use crate::units::{Nanos, Rate, bytes, decimals, grouped};

pub(crate) fn grids(result: &RunResult) -> Vec<Table> {
    let capacities = by_scenario(result);
    let mut grids: Vec<Table> = capacities.map(|all| capacity(result, all)).collect();
    grids.extend(result.map.as_ref().map(map));
    grids.extend(footprint(result));
    grids.extend(why::grids(result));
    grids
}

fn capacity(result: &RunResult, all: &[Capacity]) -> Table {
    let workload = &all[0].workload;
    let slo = slo_of(result, workload, &all[0].scenario);
    let within = slo.map_or(String::new(), |slo| format!(" within a p99 of {}", Nanos(slo.p99_ns)));
    let rate = |rps: Option<f64>| rps.map_or_else(|| "-".to_owned(), |rps| Rate(rps).to_string());
    let cores = |one: &Capacity| setting::cores_of(result, &one.scenario, &one.contender);
    let several = all.iter().any(|one| cores(one) > 1);
    // On one core the column would repeat the other two.
    let per_core = |one: &Capacity| {
        let each = |rps: Option<f64>| rate(rps.map(|rps| rps / cores(one) as f64));
        format!("{} to {}", each(one.at_least_rps), each(one.below_rps))
    };
    let row = |one: &Capacity| {
        let mut row = vec![
            clean(&one.contender),
            rate(one.at_least_rps),
            rate(one.below_rps),
            match one.bound_by {
                None => "-",
                Some(BoundBy::Pool) => "the pool: this is of the pool",
                Some(BoundBy::Dependency) => "the dependency: this is of the dependency",
                Some(other) => other.name(),
            }
            .to_owned(),
            one.trials.to_string(),
            clean(&one.reason),
        ];
        if several {
            row.insert(3, per_core(one));
        }
        row
    };
    let mut columns = vec!["contender", "at least", "below", "bound by", "trials", "remark"];
    if several {
        columns.insert(3, "per core");
    }
    let heading = format!("Capacity of {}{within}", clean(workload));
    let numbers = 1..if several { 4 } else { 3 };
    let notes = comparisons(result, &all[0]).map(compared);
    Table::new(heading, columns, numbers, all.iter().map(row)).noted(notes)
}

fn by_scenario(result: &RunResult) -> impl Iterator<Item = &[Capacity]> {
    result.capacity.chunk_by(|a, b| (&a.scenario, &a.workload) == (&b.scenario, &b.workload))
}

fn comparisons<'a>(
    result: &'a RunResult,
    of: &'a Capacity,
) -> impl Iterator<Item = &'a Comparison> {
    let here = (&of.scenario, &of.workload);
    let is = move |c: &&Comparison| (&c.scenario, &c.workload) == here && c.metric == "capacity";
    result.comparisons.iter().filter(is)
}

/// `event-loop carries 1.41x what thread-pool carries (1.35x to 1.47x, +1,200/s)`
fn compared(c: &Comparison) -> String {
    let (of, versus) = (clean(&c.of), clean(&c.versus));
    let range = match (c.low, c.high) {
        (Some(low), Some(high)) => format!("{} to {}", times(low), times(high)),
        (Some(low), None) => format!("at least {}", times(low)),
        (None, Some(high)) => format!("below {}", times(high)),
        (None, None) => "no interval".into(),
    };
    let more = c.difference.map_or(String::new(), |d| {
        format!(", {}{}", if d < 0.0 { "-" } else { "+" }, Rate(d.abs()))
    });
    match (c.verdict, c.ratio) {
        (Direction::Higher | Direction::Lower, Some(ratio)) => {
            format!("{of} carries {} what {versus} carries ({range}{more}).", times(ratio))
        }
        // An end is open: there is a bound of the ratio and no ratio.
        (Direction::Higher | Direction::Lower, None) => {
            format!("{of} carries {range} what {versus} carries.")
        }
        _ if (c.low, c.high) == (None, None) => {
            format!("The capacities of {of} and {versus} were not both found and are not compared.")
        }
        _ => format!("No clear difference in capacity of {of} and {versus} ({range}{more})."),
    }
}

fn map(map: &Map) -> Table {
    let waits: Vec<String> = map.waits_ns.iter().map(|wait| time(*wait)).collect();
    let columns = std::iter::once("CPU/wait").chain(waits.iter().map(String::as_str));
    let row = |cpu: &u64| -> Vec<String> {
        let cell = |wait: &u64| {
            let measured = map.cells.iter().find(|c| (c.cpu_ns, c.wait_ns) == (*cpu, *wait));
            measured.map_or_else(|| "not measured".to_owned(), |cell| words(map, cell))
        };
        std::iter::once(time(*cpu)).chain(map.waits_ns.iter().map(cell)).collect()
    };
    let n = map.cells.iter().map(|cell| cell.n).max().unwrap_or(0);
    let heading = capital(&format!(
        "{} of {}, {} / {}, by CPU time and wait of a request",
        quantity(&map.metric),
        clean(&map.workload),
        clean(&map.of),
        clean(&map.versus)
    ));
    let few = match n < ROUNDS_MIN {
        true => format!("; that needs {ROUNDS_MIN} rounds"),
        false => String::new(),
    };
    let note = format!(
        "Closed loop, {} a cell. {}{few}. Sizes of each cell are in result.json.",
        counted(n as usize, "paired round"),
        winner_rule("cell"),
    );
    Table::new(heading, columns, 0..0, map.cpus_ns.iter().map(row)).noted([note])
}

/// By which rule there is no clear difference, without a full stop.
pub(super) fn winner_rule(noun: &str) -> String {
    format!(
        "A {noun} has a winner where it differs by more than 5 %, all {noun}s judged together: of those with a winner at \
         most 5 % have the wrong one, on average (Benjamini-Hochberg)"
    )
}

fn time(ns: u64) -> String {
    if ns == 0 { "0".into() } else { Nanos(ns).to_string() }
}

fn words(map: &Map, cell: &MapCell) -> String {
    cell_words(cell, &clean(&map.of), &clean(&map.versus))
}

/// Who wins a cell and by how much.
pub(super) fn cell_words(cell: &MapCell, of: &str, versus: &str) -> String {
    let (Some(_), Some(low), Some(high)) = (cell.ratio, cell.low, cell.high) else {
        return match (cell.ratio, cell.reason.is_empty()) {
            (Some(ratio), true) => format!("{}, no interval", times(ratio)),
            _ => clean(&cell.reason),
        };
    };
    match winner(cell) {
        Some((Winner::Of, by)) => format!("{of} {}", times(by)),
        Some((Winner::Versus, by)) => format!("{versus} {}", times(by)),
        None => {
            format!("no clear difference ({} to {})", decimals(low, 2), decimals(high, 2))
        }
    }
}

/// What they say in sentences.
pub(crate) fn sentences(result: &RunResult) -> Vec<String> {
    let mut sentences = Vec::new();
    for all in by_scenario(result) {
        sentences.extend(comparisons(result, &all[0]).map(compared));
    }
    sentences.extend(result.map.as_ref().map(|map| {
        let won = |side| map.cells.iter().filter(|cell| cell.winner == Some(side)).count();
        let (of, versus) = (won(Winner::Of), won(Winner::Versus));
        format!(
            "Of {} measured, {} wins {of} and {} {versus}; {} show no clear difference.",
            counted(map.cells.len(), "cell"),
            clean(&map.of),
            clean(&map.versus),
            map.cells.len() - of - versus
        )
    }));
    sentences
}

// The footprint of contenders as a table that every output shows.

/// None of the sizes but the image's contains another.
const FOOTPRINT_COLUMNS: [&str; 9] = [
    "contender",
    "start",
    "idle RSS",
    "loaded RSS",
    "payload",
    "runtime",
    "libraries",
    "image raw",
    "image gzip",
];

const FOOTPRINT_NOTE: &str = "Start: from the program's start to its first answer, its files in the page cache. Payload, \
     runtime and shared libraries are three parts without overlap; the minimal image has all three and \
     nothing else, its layers as tar writes them.";

/// The table of a result; nothing where no footprint was asked for.
pub(super) fn footprint(result: &RunResult) -> Option<Table> {
    let first = result.footprints.first()?;
    let starts = first.start_ns.as_ref().map_or(0, |starts| starts.n);
    let loaded = first.load.as_ref().map(|load| format!("; loaded RSS at {}", clean(load)));
    let heading = format!("Footprint: {starts} starts of each{}", loaded.unwrap_or_default());
    let marks = result.footprints.iter().map(mark).chain([FOOTPRINT_NOTE.to_owned()]);
    let rows = result.footprints.iter().map(row);
    Some(Table::new(heading, FOOTPRINT_COLUMNS, 1..FOOTPRINT_COLUMNS.len(), rows).noted(marks))
}

fn row(one: &Footprint) -> Vec<String> {
    let part =
        |part: &FileSet| if part.files == 0 { "none".into() } else { bytes(part.bytes as f64) };
    let image = |size: fn(&crate::record::Image) -> u64| {
        or_withheld(one.image.as_ref().map(|image| size(image) as f64), bytes)
    };
    vec![
        clean(&one.contender),
        or_withheld(one.start_ns.as_ref().map(|starts| starts.median), start_time),
        or_withheld(one.rss_idle_bytes.as_ref().map(|starts| starts.median), bytes),
        or_withheld(one.rss_load_bytes, bytes),
        part(&one.payload),
        part(&one.runtime),
        one.base.as_ref().map_or_else(|| crate::text::WITHHELD.into(), part),
        image(|image| image.raw_bytes),
        image(|image| image.compressed_bytes),
    ]
}

/// `go: starts in 3.1 ms to 3.4 ms, 8.2 MiB to 8.4 MiB idle; payload of 1 file, its own program`
fn mark(one: &Footprint) -> String {
    let between = |starts: &Option<OverStarts>, show: fn(f64) -> String| {
        let limits = starts.as_ref().and_then(|starts| Some((starts.low?, starts.high?)));
        limits.map_or_else(
            || "no interval".into(),
            |(low, high)| format!("{} to {}", show(low), show(high)),
        )
    };
    let files = match one.payload.files {
        1 => "1 file".to_owned(),
        count => format!("{} files", grouped(count as f64)),
    };
    format!(
        "{}: start {}, idle {}; payload of {files}: {}",
        clean(&one.contender),
        between(&one.start_ns, start_time),
        between(&one.rss_idle_bytes, bytes),
        clean(&one.note)
    )
}

fn start_time(ns: f64) -> String {
    Nanos(ns as u64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::record;
    use crate::record::Image;
    use crate::report::summary;

    #[test]
    fn capacities_and_the_map_are_told_in_words() {
        let result = mock::everything();
        let grids = grids(&result);
        assert_eq!(grids.len(), 2);
        for grid in &grids {
            assert!(
                grid.rows.iter().all(|row| row.len() == grid.columns.len()),
                "{}",
                grid.heading
            );
        }
        assert!(grids[0].notes[0].contains("carries"), "{:?}", grids[0].notes);
        let cells: Vec<&String> = grids[1].rows.iter().flat_map(|row| &row[1..]).collect();
        assert!(cells.iter().any(|cell| cell.starts_with("no clear difference (")), "{cells:?}");
        assert!(cells.iter().any(|cell| **cell == "the pool binds both"), "{cells:?}");
        assert_eq!(sentences(&result).len(), 2);
    }

    fn result() -> RunResult {
        let mut result = mock::everything();
        let over = |median: f64| {
            let (low, high) = (Some(median * 0.9), Some(median * 1.1));
            Some(OverStarts { n: 10, median, low, high, values: vec![median; 10] })
        };
        result.footprints = vec![Footprint {
            start_ns: over(3.1e6),
            rss_idle_bytes: over(8.0 * 1024.0 * 1024.0),
            rss_load_bytes: None,
            load: None,
            payload: FileSet { files: 1, bytes: 6 << 20 },
            base: Some(FileSet::default()),
            image: Some(Image { raw_bytes: 7 << 20, compressed_bytes: 3 << 20, layers: 1 }),
            note: "its own <program>".into(),
            ..mock::footprint("go")
        }];
        result
    }

    #[test]
    fn every_output_has_it_and_it_is_read_again() {
        let result = result();
        let found = footprint(&result).unwrap();
        assert_eq!(found.rows[0], ["go", "3.1", "8", "-", "6", "none", "none", "7", "3"]);
        assert_eq!(found.columns[1..3], ["start ms", "idle RSS MiB"]);
        assert_eq!(
            found.notes[0],
            "go: start 2.79 ms to 3.41 ms, idle 7.2 MiB to 8.8 MiB; payload of 1 file: its own <program>"
        );
        let text = summary::text(&result, None, false);
        assert!(text.contains("Footprint: 10 starts of each") && text.contains("3.1"), "{text}");
        let text = summary::markdown(&result);
        assert!(text.contains("| go | 3.1 | 8 |") && text.contains("&lt;program&gt;"), "{text}");
        let text = summary::html(&result);
        assert!(text.contains("image gzip") && !text.contains("<program>"), "{text}");
        let again = record::from_json(&record::to_json(&result)).unwrap();
        assert_eq!(again.footprints, result.footprints);
        assert!(footprint(&mock::everything()).is_none());
    }
}
