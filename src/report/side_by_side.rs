//! Two results beside each other. They were not measured in one run, so there is no ratio and no verdict between them.

use super::document::{Document, Element, Table};
use super::figures;
use crate::judge::races::{Race, races};
use crate::record::{Fingerprint, RunResult};
use crate::report::format::place;
use crate::text::{capital, clean, distinct};
use crate::units::three_digits;

const SIDES: [&str; 2] = ["first", "second"];

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
        "Two runs at different times are no evidence of a difference. `bakeoff gate` compares two \
         builds in one run."
            .into(),
    ];
    if !unlike.is_empty() {
        warnings.push(format!("Unlike: {}.", unlike.join("; ")));
    }
    let (first, second) = (races(a), races(b));
    let of_first =
        first.iter().map(|race| [Some(race), second.iter().find(|other| other.is_like(race))]);
    // What only the second has is no less a finding.
    let alone = second.iter().filter(|race| !first.iter().any(|other| other.is_like(race)));
    let tables = of_first.chain(alone.map(|race| [None, Some(race)]));
    let tables = tables.map(|sides| table(sides, [a, b]));
    let warnings = warnings.into_iter().map(Element::Text);
    Document {
        title: format!("{}: two results", clean(&a.scenario)),
        blocks: warnings.chain(tables.map(Element::Table)).collect(),
        ..Document::default()
    }
}

/// Every contender that either side has, and below it what is to be known about each side.
fn table(sides: [Option<&Race<'_>>; 2], results: [&RunResult; 2]) -> Table {
    let both = || sides.into_iter().flatten();
    let names = distinct(both().flat_map(|race| race.entries.iter().map(|entry| entry.name)));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (name, (side, race)) in
        names.iter().flat_map(|name| SIDES.iter().zip(sides).map(move |it| (name, it)))
    {
        let found = race.and_then(|race| Some(figures::rows(race, race.entry(name)?)));
        let not_run = || {
            vec![std::array::from_fn(
                |place| if place == 0 { clean(name) } else { "not run".into() },
            )]
        };
        rows.extend(found.unwrap_or_else(not_run).into_iter().map(|row| {
            let (name, figures) = row.split_first().expect("a row has a name");
            let shown = figures.iter().take(figures::COLUMNS.len() - 2).cloned();
            std::iter::once(format!("{name} ({side})")).chain(shown).collect()
        }));
    }
    let columns = figures::COLUMNS[..8].iter().copied();
    let heading = both().next().map(|race| capital(&place(race))).unwrap_or_default();
    let table = Table::new(heading, columns, 1..7, rows);
    let marks = SIDES.iter().zip(sides).zip(results).flat_map(|((side, race), result)| {
        let marks = race.map(|race| figures::marks(result, race)).unwrap_or_default();
        marks.into_iter().map(move |mark| format!("{side}: {mark}"))
    });
    table.noted(marks)
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
        for (a, b, side) in [(&less, &more, "first"), (&more, &less, "second")] {
            let blocks = side_by_side(a, b, &[]).blocks.into_iter();
            let tables = blocks.filter_map(|block| match block {
                Element::Table(table) => Some(table),
                _ => None,
            });
            let tables: Vec<Table> = tables.collect();
            assert_eq!(tables.len(), 2, "the level that one side has alone is a table");
            assert!(tables[1].heading.contains("8,000/s"), "{}", tables[1].heading);
            let own_name = format!("{name} ({side})");
            for Table { rows, .. } in &tables {
                let mut own = rows.iter().filter(|row| row[0] == own_name).peekable();
                assert!(own.peek().is_some(), "so is the contender");
                assert!(own.all(|row| row[1..].iter().all(|cell| cell == "not run")), "{rows:?}");
            }
            let one =
                tables[0].rows.iter().find(|row| row[0].starts_with(mock::MODELS[0].0)).unwrap();
            assert!(!one.contains(&"not run".to_owned()), "what both have stands side by side");
        }
    }
}
