//! Who may name whom: the arrows between the folders of `src/`, and no circle between its files.

use std::collections::{BTreeMap, BTreeSet};

use super::Breach;
use super::source::Source;

/// The parts of `src/` from top to bottom. A part names only parts in rows below its own.
const ROWS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["run"],
    &["conform", "doctor", "report"],
    &["hosts", "judge", "database"],
    &["process"],
    &["why"],
    &["machine"],
    &["scenario"],
    &["backend", "load", "standin"],
    &["record"],
    &["domain", "latency", "poll", "postgres", "stats", "text"],
    &["clock", "exit", "fault", "files", "interrupt", "listen", "random", "sql"],
    &["error", "units", "words"],
];

/// What a part must not name although it stands in a row below.
const NEVER: &[(&str, &[&str], &str)] = &[
    ("report", OUTSIDE, "a printer reads records and findings"),
    (
        "judge",
        &["database", "hosts", "process", "machine", "why"],
        "a verdict is a function of records",
    ),
    ("record", &["domain", "postgres"], "records are plain values"),
    ("backend", &["stats", "record"], "a server does not know that it is measured"),
    ("load", &["stats", "postgres"], "the generator records, and judges nothing"),
    ("domain", &["clock", "files", "listen", "poll", "interrupt"], "the rules are pure"),
    ("stats", &["clock", "files", "listen", "poll", "interrupt"], "statistics are pure"),
];
const OUTSIDE: &[&str] = &[
    "database", "hosts", "process", "machine", "scenario", "backend", "load", "standin", "domain",
];

/// What in `run/` names machine, process and database: the rest asks the host. The self-test signals servers of its own.
const HOST: &[&str] = &["src/run/host.rs", "src/run/selftest/server.rs"];
const OF_HOST: &[&str] = &["database", "process", "machine"];

/// A scenario names models and plans. It must not start anything.
const OF_BACKEND_IN_SCENARIO: &[&str] = &["model", "CpuMode", "cpu", "Gather"];

/// Names of a part that does not stand below.
pub(super) fn upwards(program: &[Source]) -> Vec<Breach> {
    let row = |part: &str| ROWS.iter().position(|row| row.contains(&part));
    let mut found = Vec::new();
    for file in program.iter().filter(|file| file.path != "src/lib.rs") {
        let part = file.part();
        let own = row(part).unwrap_or_else(|| panic!("{}: `{part}` has no row", file.path));
        for (line, name) in file.imports() {
            let Some(other) = name.first().filter(|other| *other != part) else { continue };
            // A macro or another item at the crate's root is in no row.
            let Some(below) = row(other) else { continue };
            let never =
                NEVER.iter().find(|(p, not, _)| *p == part && not.contains(&other.as_str()));
            let inner = name.get(1).map_or("", String::as_str);
            let starts = part == "scenario" && other == "backend";
            let why = if below <= own {
                Some("it does not stand in a row below")
            } else if starts && !OF_BACKEND_IN_SCENARIO.contains(&inner) {
                Some("a scenario starts nothing")
            } else if part == "run" && OF_HOST.contains(&&**other) && !HOST.contains(&&*file.path) {
                Some("run/host.rs does, and is asked")
            } else {
                never.map(|(_, _, why)| *why)
            };
            let what = why.map(|why| format!("{part} must not name {}: {why}", name.join("::")));
            found.extend(what.map(|what| Breach { file: file.path.clone(), line, what }));
        }
    }
    found
}

/// Imports in a circle; a folder's own file and the files in it are none.
pub(super) fn circles(program: &[Source]) -> Vec<Breach> {
    let modules: BTreeMap<Vec<String>, &Source> =
        program.iter().map(|file| (file.module(), file)).collect();
    let mut arrows: BTreeSet<(&Vec<String>, &Vec<String>)> = BTreeSet::new();
    for (from, file) in &modules {
        for (_, name) in file.imports() {
            let longest =
                (1..=name.len()).rev().find_map(|end| modules.get_key_value(&name[..end]));
            let Some((to, _)) = longest else { continue };
            if !to.starts_with(from) && !from.starts_with(to) {
                arrows.insert((from, to));
            }
        }
    }
    assert!(arrows.len() > 500, "imports are not seen: {}", arrows.len());
    // What is left when each file is taken away that nobody names, or that names nobody.
    loop {
        let before = arrows.len();
        let from: BTreeSet<_> = arrows.iter().map(|(from, _)| *from).collect();
        let to: BTreeSet<_> = arrows.iter().map(|(_, to)| *to).collect();
        arrows.retain(|(a, b)| to.contains(a) && from.contains(b));
        if arrows.len() == before {
            break;
        }
    }
    let what = |to: &Vec<String>| format!("is in a circle of imports, with {}", to.join("::"));
    let breach = |(from, to): &(&Vec<String>, &Vec<String>)| Breach {
        file: modules[*from].path.clone(),
        line: 1,
        what: what(to),
    };
    arrows.iter().map(breach).collect()
}
