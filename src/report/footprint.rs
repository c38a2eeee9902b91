//! The footprint of contenders as a table that every output shows.

use super::document::Table;
use crate::record::{FileSet, Footprint, OverStarts, RunResult};
use crate::text::{clean, or_withheld};
use crate::units::{Nanos, bytes, grouped};

/// None of the sizes but the image's contains another.
const COLUMNS: [&str; 9] = [
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

const NOTE: &str = "Start: from the program's start to its first answer, its files in the page cache. Payload, \
     runtime and shared libraries are three parts without overlap; the minimal image has all three and \
     nothing else, its layers as tar writes them.";

/// The table of a result; nothing where no footprint was asked for.
pub(super) fn grid(result: &RunResult) -> Option<Table> {
    let first = result.footprints.first()?;
    let starts = first.start_ns.as_ref().map_or(0, |starts| starts.n);
    let loaded = first.load.as_ref().map(|load| format!("; loaded RSS at {}", clean(load)));
    let heading = format!("Footprint: {starts} starts of each{}", loaded.unwrap_or_default());
    let marks = result.footprints.iter().map(mark).chain([NOTE.to_owned()]);
    let rows = result.footprints.iter().map(row);
    Some(Table::new(heading, COLUMNS, 1..COLUMNS.len(), rows).noted(marks))
}

fn row(one: &Footprint) -> Vec<String> {
    let part =
        |part: &FileSet| if part.files == 0 { "none".into() } else { bytes(part.bytes as f64) };
    let image = |size: fn(&crate::record::Image) -> u64| {
        or_withheld(one.image.as_ref().map(|image| size(image) as f64), bytes)
    };
    vec![
        clean(&one.contender),
        or_withheld(one.start_ns.as_ref().map(|starts| starts.median), time),
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
        between(&one.start_ns, time),
        between(&one.rss_idle_bytes, bytes),
        clean(&one.note)
    )
}

fn time(ns: f64) -> String {
    Nanos(ns as u64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::record;
    use crate::record::Image;
    use crate::report::summary;

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
        let found = grid(&result).unwrap();
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
        assert!(grid(&mock::everything()).is_none());
    }
}
