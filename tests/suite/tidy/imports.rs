//! Who names whom: the arrows between the folders of `src/`.

use super::source::{Source, all};
use super::{Breach, expect_none};

/// What each part may name besides itself. A part that is not here may name everything.
const ARROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("exit", &["error"]),
    ("interrupt", &["error"]),
    ("units", &[]),
    ("random", &[]),
    ("poll", &["units"]),
    ("reactor", &["clock", "error", "poll", "units"]),
    ("postgres", &[]),
    ("clock", &["units"]),
    ("listen", &["error"]),
    ("latency", &["error", "files", "random", "units"]),
    ("fault", &["units"]),
    ("files", &["error"]),
    ("sql", &[]),
    ("domain", &["units"]),
    ("stats", &["random", "units"]),
    ("load", &["clock", "domain", "error", "poll", "random", "units"]),
    ("backend", &["domain", "error", "listen", "poll", "postgres", "reactor", "sql", "units"]),
    (
        "standin",
        &[
            "clock", "domain", "error", "fault", "latency", "listen", "poll", "random", "reactor",
            "sql", "units",
        ],
    ),
    (
        "scenario",
        &[
            "backend", "domain", "error", "fault", "files", "latency", "load", "record", "text",
            "units",
        ],
    ),
    ("text", &["units"]),
    ("record", &["stats", "text", "units"]),
    (
        "judge",
        &["backend", "error", "exit", "load", "record", "scenario", "stats", "text", "units"],
    ),
    ("report", &["error", "files", "judge", "record", "stats", "text", "units"]),
    ("machine", &["error", "load", "record", "scenario", "stats", "units"]),
    ("process", &["error", "files", "interrupt", "load", "machine", "random", "scenario", "units"]),
    (
        "database",
        &[
            "clock",
            "domain",
            "error",
            "interrupt",
            "latency",
            "load",
            "machine",
            "postgres",
            "process",
            "random",
            "record",
            "sql",
            "stats",
            "units",
        ],
    ),
    ("doctor", &["database", "error", "machine", "record", "units"]),
    (
        "run",
        &[
            "backend",
            "clock",
            "database",
            "error",
            "exit",
            "fault",
            "files",
            "interrupt",
            "judge",
            "latency",
            "load",
            "machine",
            "poll",
            "process",
            "random",
            "record",
            "report",
            "scenario",
            "sql",
            "standin",
            "stats",
            "text",
            "units",
        ],
    ),
];

#[test]
fn the_arrows_point_one_way() {
    expect_none(all().iter().flat_map(breaches).collect());
}

/// A scenario may speak of models and plans; what it must not do is start anything.
const OF_BACKEND_IN_SCENARIO: &[&str] = &["client", "model", "CpuMode", "cpu", "Gather", "pitfall"];

#[test]
fn a_scenario_names_what_is_to_be_run_and_runs_nothing() {
    let files = all();
    let scenario = files.iter().filter(|file| file.place().starts_with("scenario/"));
    let wrong = scenario.flat_map(|file| {
        names(file).into_iter().filter_map(|(line, part, inner)| {
            let allowed = part != "backend" || OF_BACKEND_IN_SCENARIO.contains(&inner.as_str());
            let what = format!("names backend::{inner}");
            (!allowed).then(|| Breach { file: file.path.clone(), line, what })
        })
    });
    expect_none(wrong.collect());
}

fn breaches(file: &Source) -> Vec<Breach> {
    let part = part(file);
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == part) else {
        return Vec::new();
    };
    let wrong = names(file)
        .into_iter()
        .filter(|(_, named, _)| *named != part && !allowed.contains(&named.as_str()));
    let what = |named| format!("{part} must not name {named}, only {}", allowed.join(", "));
    wrong
        .map(|(line, named, _)| Breach { file: file.path.clone(), line, what: what(named) })
        .collect()
}

/// `domain` of `src/domain/payment.rs`, `units` of `src/units.rs`.
fn part(file: &Source) -> &str {
    let first = file.place().split('/').next().unwrap_or_default();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Every part that `file` names by `crate::` or by enough `super::`, with its line and the name after it.
fn names(file: &Source) -> Vec<(usize, String, String)> {
    let code = &file.code;
    let line_of = |at: usize| 1 + code[..at].matches('\n').count();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let own = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        if own {
            let paths = paths(&code[at + "crate::".len()..]);
            found.extend(paths.into_iter().map(|(part, inner)| (line_of(at), part, inner)));
        }
    }
    // A file that climbs out of its part names another.
    let depth = file.place().split('/').filter(|name| *name != "mod.rs").count();
    let climb = "super::".repeat(depth);
    for (at, _) in code.match_indices(&climb) {
        let rest = &code[at + climb.len()..];
        if !code[..at].ends_with("super::") && !rest.starts_with("super::") {
            found.extend(paths(rest).into_iter().map(|(part, inner)| (line_of(at), part, inner)));
        }
    }
    found
}

/// The first two names of each path at the start of `rest`: `a::b` is one, `{a::{b, c}, d}` are three.
fn paths(rest: &str) -> Vec<(String, String)> {
    let mut leaves = Vec::new();
    leaves_of(rest, "", &mut leaves);
    let two = |path: &String| {
        let mut names = path.split("::").map(str::to_owned);
        (names.next().unwrap_or_default(), names.next().unwrap_or_default())
    };
    leaves.iter().map(two).collect()
}

/// Adds the paths of the use tree at the start of `text`, each behind `prefix`; gives what follows the tree.
fn leaves_of<'a>(text: &'a str, prefix: &str, leaves: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let after = leaves_of(rest, prefix, leaves).trim_start();
            rest = after.strip_prefix(',').unwrap_or(after);
            if rest.len() == text.len() - 1 || rest.is_empty() {
                return rest;
            }
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let path = format!("{prefix}{}", &text[..end]);
    match text[end..].strip_prefix("::") {
        Some(rest) if rest.starts_with(|c: char| c.is_alphabetic() || c == '{' || c == '_') => {
            leaves_of(rest, &format!("{path}::"), leaves)
        }
        other => {
            leaves.push(path);
            let rest = other.unwrap_or(&text[end..]);
            // `name as other` ends at the comma or brace.
            rest.strip_prefix(" as ")
                .map_or(rest, |alias| &alias[alias.find([',', '}', ';']).unwrap_or(alias.len())..])
        }
    }
}

#[test]
fn every_way_to_name_a_part_is_seen() {
    for (place, code, expected) in [
        ("load/x.rs", "use crate::backend::serve;", "backend"),
        ("load/x.rs", "fn f() { crate::backend::serve() }", "backend"),
        ("load/x.rs", "use crate::{units::Nanos, run};", "run"),
        ("load/x.rs", "use crate::{\n    units::{Nanos, Rate as R},\n    report,\n};", "report"),
        ("load/x.rs", "use super::super::backend;", "backend"),
        ("load/mod.rs", "use super::backend::model;", "backend"),
        ("backend/runtime/threads/serve.rs", "use super::super::super::super::load;", "load"),
        ("backend/http/mod.rs", "use crate::stats::median;", "stats"),
        ("domain/payment.rs", "use crate::error::Result;", "error"),
        ("units.rs", "use crate::poll::Poll;", "poll"),
        ("report/terminal.rs", "use crate::backend::model::Model;", "backend"),
    ] {
        let found = breaches(&Source::new(&format!("src/{place}"), code));
        assert_eq!(found.len(), 1, "{place} {code}: {found:?}");
        assert!(found[0].what.contains(&format!("must not name {expected},")), "{}", found[0]);
    }
    for (place, code) in [
        ("load/x.rs", "use crate::{domain, error::{Context, Result}, units::Nanos};"),
        ("load/x.rs", "use super::plan; // crate::backend"),
        ("backend/runtime/threads/serve.rs", "use super::super::payment; use super::Limits;"),
        ("backend/runtime/threads/serve.rs", "#[cfg(test)]\nuse crate::load;"),
        ("run/x.rs", "use crate::{backend, load};"),
        ("cli/x.rs", "use crate::run;"),
        ("load/x.rs", "pub(crate) fn f() {} use othercrate::backend;"),
    ] {
        let found = breaches(&Source::new(&format!("src/{place}"), code));
        assert!(found.is_empty(), "{place} {code}: {found:?}");
    }
}
