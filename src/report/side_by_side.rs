//! Two results beside each other. They were not measured in one run, so there is no ratio and no verdict between them.

use super::document::{Document, Element, Table};
use crate::judge::races::{Entry, Race, races};
use crate::record::{Fingerprint, RunResult};
use crate::report::format::{figure, place};
use crate::text::{capital, clean, or_withheld};
use crate::units::{bytes, grouped, three_digits};

const COLUMNS: [&str; 4] = ["contender", "metric", "first", "second"];

/// In what two results are unlike, in words; empty where they may stand beside each other.
pub(crate) fn mismatches(a: &Fingerprint, b: &Fingerprint) -> Vec<String> {
    let differ = |what: &str, a: String, b: String| {
        (a != b).then(|| format!("{what} {} and {}", clean(&a), clean(&b)))
    };
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
    let quota = |quota: Option<f64>| quota.map_or_else(|| "none".into(), three_digits);
    [
        differ("CPU", a.cpu_model.clone(), b.cpu_model.clone()),
        differ("cores", a.cores.to_string(), b.cores.to_string()),
        differ("kernel", a.kernel.clone(), b.kernel.clone()),
        differ("governor", known(&a.governor), known(&b.governor)),
        differ("quota", quota(a.cpu_quota), quota(b.cpu_quota)),
        differ("scenario", a.scenario.clone(), b.scenario.clone()),
        differ("debug build", a.debug_build.to_string(), b.debug_build.to_string()),
        // Older files do not name theirs.
        differ("profile", a.profile.clone(), b.profile.clone())
            .filter(|_| !a.profile.is_empty() && !b.profile.is_empty()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Puts two results beside each other; `unlike` is what [`mismatches`] found.
pub(crate) fn side_by_side(a: &RunResult, b: &RunResult, unlike: &[String]) -> Document<'static> {
    let named = |result: &RunResult| {
        let (started, binary) = (clean(&result.started_utc), clean(&result.fingerprint.binary));
        format!(
            "{} of {started}, binary {binary}: {}",
            clean(&result.scenario),
            result.verdict.word()
        )
    };
    let mut warnings = vec![
        format!("First: {}", named(a)),
        format!("Second: {}", named(b)),
        "Two runs on two occasions: the difference between them is no evidence. `bakeoff gate` \
         compares two builds in one run."
            .into(),
    ];
    if !unlike.is_empty() {
        warnings.push(format!("Unlike: {}.", unlike.join("; ")));
    }
    let (first, second) = (races(a), races(b));
    let of_first = first
        .iter()
        .map(|race| table(race, [Some(race), second.iter().find(|other| other.is_like(race))]));
    // What only the second has is no less a finding.
    let alone = second.iter().filter(|race| !first.iter().any(|other| other.is_like(race)));
    let tables = of_first.chain(alone.map(|race| table(race, [None, Some(race)])));
    let warnings = warnings.into_iter().map(Element::Text);
    Document {
        title: format!("{}: two results", clean(&a.scenario)),
        blocks: warnings.chain(tables.map(Element::Table)).collect(),
        ..Document::default()
    }
}

/// Every contender and request kind that either side has.
fn table(named: &Race<'_>, sides: [Option<&Race<'_>>; 2]) -> Table {
    let both = || sides.into_iter().flatten();
    let (mut names, mut kinds): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for name in both().flat_map(|race| race.entries.iter().map(|entry| entry.name)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for kind in both().flat_map(Race::kinds) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let mut rows = Vec::new();
    for name in names {
        let pair = sides.map(|race| race.and_then(|race| race.entry(name)));
        for kind in &kinds {
            for (metric, per_mille) in [("p50", 500), ("p99", 990)] {
                let of = |entry: &Entry<'_>| figure(entry.response(kind, per_mille));
                let metric = match kinds.len() {
                    1 => metric.into(),
                    _ => format!("{metric} of {}", clean(kind)),
                };
                rows.push(row(name, pair, metric, of));
            }
        }
        rows.extend(costs(name, pair));
    }
    Table::new(capital(&place(named)), COLUMNS, 2..4, rows)
}

/// The same contender in two results, where they have it.
type Pair<'e, 'r> = [Option<&'e Entry<'r>>; 2];

fn costs(name: &str, pair: Pair<'_, '_>) -> Vec<[String; 4]> {
    let achieved = |e: &Entry<'_>| or_withheld(e.middle(|t| Some(t.achieved_rps)), grouped);
    let cpu = |e: &Entry<'_>| or_withheld(e.middle(|t| t.server.cpu_us_per_request), three_digits);
    let memory = |e: &Entry<'_>| match (e.memory(), e.memory_kind()) {
        (Some(memory), Some(kind)) => format!("{} ({})", bytes(memory), clean(kind)),
        _ => or_withheld(None, bytes),
    };
    let rss = |e: &Entry<'_>| or_withheld(e.rss(), bytes);
    let valid = |e: &Entry<'_>| e.validity().to_string();
    let failed = |e: &Entry<'_>| {
        let (failures, requests) = e.failures();
        format!("{} of {}", grouped(failures as f64), grouped(requests as f64))
    };
    let fails = pair.into_iter().flatten().any(|entry| entry.failures().0 > 0);
    let failed = fails.then(|| row(name, pair, "failed".into(), failed));
    let figures = [
        row(name, pair, "achieved/s".into(), achieved),
        row(name, pair, "CPU us/request".into(), cpu),
        row(name, pair, "memory".into(), memory),
        row(name, pair, "peak RSS".into(), rss),
        row(name, pair, "validity".into(), valid),
    ];
    failed.into_iter().chain(figures).collect()
}

fn row(
    name: &str,
    pair: Pair<'_, '_>,
    metric: String,
    of: impl Fn(&Entry<'_>) -> String,
) -> [String; 4] {
    let [first, second] = pair.map(|entry| entry.map_or_else(|| "not run".into(), &of));
    [clean(name), metric, first, second]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::record::Trial;
    use crate::report::terminal::write_text;

    #[test]
    fn unlike_machines_are_told_apart() {
        let a = mock::payments(6, &mock::MODELS).fingerprint;
        let mut b = a.clone();
        assert!(mismatches(&a, &b).is_empty());
        b.binary = "another".into();
        assert!(mismatches(&a, &b).is_empty(), "two builds are what one compares");
        (b.cores, b.kernel) = (8, "6.9".into());
        assert_eq!(mismatches(&a, &b), ["cores 2 and 8", "kernel 6.8.0-45-generic and 6.9"]);
        b.profile = "dist".into();
        assert_eq!(mismatches(&a, &b)[2], "profile release and dist");
        b.profile = String::new();
        assert_eq!(mismatches(&a, &b).len(), 2, "an older file does not name its own");
    }

    #[test]
    fn figures_stand_beside_each_other_without_a_verdict() {
        let a = mock::payments(6, &mock::MODELS);
        let b = mock::payments(6, &mock::MODELS[..3]);
        let text = write_text(&side_by_side(&a, &b, &[]), false);
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }

    #[test]
    fn what_one_side_alone_has_is_shown_whichever_it_is() {
        let less = mock::payments(6, &mock::MODELS[..1]);
        let mut more = mock::payments(6, &mock::MODELS[..2]);
        let others = more.trials.clone().into_iter();
        more.trials.extend(others.map(|trial| Trial { level: "8,000/s".into(), ..trial }));
        let name = mock::MODELS[1].0;
        for (a, b, column) in [(&less, &more, 2), (&more, &less, 3)] {
            let blocks = side_by_side(a, b, &[]).blocks.into_iter();
            let tables = blocks.filter_map(|block| match block {
                Element::Table(table) => Some(table),
                _ => None,
            });
            let tables: Vec<Table> = tables.collect();
            assert_eq!(tables.len(), 2, "the level that one side has alone is a table");
            assert!(tables[1].heading.contains("8,000/s"), "{}", tables[1].heading);
            for Table { rows, .. } in &tables {
                let mut own = rows.iter().filter(|row| row[0] == name).peekable();
                assert!(own.peek().is_some(), "so is the contender");
                assert!(own.all(|row| row[column] == "not run"), "{rows:?}");
            }
            let one = tables[0].rows.iter().find(|row| row[0] == mock::MODELS[0].0).unwrap();
            assert!(!one.contains(&"not run".to_owned()), "what both have stands side by side");
        }
    }
}
