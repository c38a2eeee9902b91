//! The report folder: `result.json`, `index.html`, `summary.md`, `charts/` and `*.hgrm`, each file complete or not there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::{Context, Error, Result};
use crate::report::charts::{CHART_FOLDER, Shade, Size, pictures};
use crate::report::distribution::{Ranked, requests};
use crate::report::hgrm::hgrm;
use crate::report::html::html_with;
use crate::report::markdown::markdown_with;
use crate::report::schema::{self, RunResult, Trial, TrialVerdict};
use crate::report::words::slug;

/// Writes every file of a report into `dir`, which is made if it is not there.
///
/// # Errors
/// When the folder or a file in it cannot be written; the message names it.
pub fn write_report(dir: &Path, result: &RunResult) -> Result<()> {
    fs::create_dir_all(dir).usage(|| format!("cannot make the report folder {}", dir.display()))?;
    put(dir, "result.json", &schema::to_json(result))?;
    write_prose(dir, result)?;
    for (stem, merged) in merged(result)? {
        put(dir, &format!("{stem}.hgrm"), &hgrm(&merged))?;
    }
    Ok(())
}

/// Writes what people read, `summary.md`, `index.html` and `charts/`, into `dir`, which is made if it is not there.
///
/// # Errors
/// When the folder or a file in it cannot be written; the message names it.
pub fn write_prose(dir: &Path, result: &RunResult) -> Result<()> {
    let charts = dir.join(CHART_FOLDER);
    fs::create_dir_all(&charts)
        .usage(|| format!("cannot make the report folder {}", dir.display()))?;
    let pictures = pictures(result);
    put(dir, "summary.md", &markdown_with(result, &pictures))?;
    put(dir, "index.html", &html_with(result, &pictures))?;
    for picture in &pictures {
        for shade in [Shade::Light, Shade::Dark] {
            let name = format!("{}-{}.svg", picture.stem, shade.name());
            put(&charts, &name, &picture.svg(shade, Size::Blog))?;
        }
    }
    Ok(())
}

/// Requests by scenario, workload, contender, level and request kind, of all trials that count: merged, never averaged.
fn merged(result: &RunResult) -> Result<BTreeMap<String, Ranked>> {
    let mut merged: BTreeMap<String, Ranked> = BTreeMap::new();
    let counts = |trial: &&Trial| !trial.voided && trial.validity.verdict != TrialVerdict::Invalid;
    for trial in result.trials.iter().filter(counts) {
        for (kind, of_kind) in &trial.by_request {
            let Some(response) = &of_kind.response_ns else { continue };
            let mut parts = vec![&trial.workload, &trial.contender, &trial.level, kind];
            // Scenarios of one run may share all of these.
            if !trial.scenario.is_empty() && trial.scenario != result.scenario {
                parts.insert(0, &trial.scenario);
            }
            let parts: Vec<String> = parts.into_iter().map(|part| slug(part)).collect();
            let stem = parts.join("-");
            let one = requests(response).map_err(Error::internal)?;
            match merged.get_mut(&stem) {
                Some(sum) => sum.add(&one).map_err(Error::internal)?,
                None => {
                    merged.insert(stem, one);
                }
            }
        }
    }
    Ok(merged)
}

/// Writes beside and renames, so that a reader never sees half a file.
///
/// # Errors
/// When it cannot be written; the message names it.
pub(super) fn put(dir: &Path, name: &str, text: &str) -> Result<()> {
    let (path, beside) = (dir.join(name), dir.join(format!(".{name}.part")));
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, &path))
        .usage(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::mock;

    #[test]
    fn histograms_of_two_scenarios_are_never_merged() {
        let mut result = mock::payments(6, &mock::MODELS[..1]);
        let stems = |result: &RunResult| merged(result).unwrap().into_keys().collect::<Vec<_>>();
        let alone = stems(&result);
        assert_eq!(alone.len(), 1);
        let others = result.trials.clone().into_iter();
        result.trials.extend(others.map(|trial| Trial { scenario: "waits".into(), ..trial }));
        let (own, other) = (alone[0].clone(), format!("waits-{}", alone[0]));
        assert_eq!(stems(&result), [own, other]);
        let samples = |stem| merged(&result).unwrap()[stem].requests();
        assert_eq!(samples(&alone[0]), samples(&format!("waits-{}", alone[0])));
    }
}
