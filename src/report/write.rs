//! The report folder: `result.json`, `index.html`, `summary.md`, `charts/` and `*.hgrm`, each file complete or not there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};
use crate::record::CertificateCheck;
use crate::record::histogram::{Ranked, requests};
use crate::record::{RunResult, Trial, TrialVerdict};
use crate::report::charts::{CHART_FOLDER, Picture, Shade, Size, pictures};
use crate::report::hgrm::hgrm;
use crate::report::summary::{html_with, markdown_with};
use crate::text::{clean, slug};
use crate::{files, record};

/// Writes every file of a report into `dir`, which is its own and is made if it is not there.
///
/// # Errors
/// When the folder or a file in it cannot be written; the message names it.
pub fn write_report(dir: &Path, result: &RunResult) -> Result<()> {
    fs::create_dir_all(dir).usage(|| format!("cannot make the report folder {}", dir.display()))?;
    put(dir, "result.json", &record::to_json(result))?;
    write_prose(dir, result, true)?;
    for (name, text) in histograms(result)? {
        put(dir, &name, &text)?;
    }
    Ok(())
}

/// Writes what people read, `summary.md`, `index.html` and `charts/`, into `dir`, which is made if it is not there.
///
/// The charts of an earlier report are deleted.
///
/// # Errors
/// When the folder or a file in it cannot be written; the message names it. Usage, when a file would be overwritten that
/// bakeoff did not write, and that is not forced; then nothing is written.
pub fn write_prose(dir: &Path, result: &RunResult, force: bool) -> Result<()> {
    let charts = dir.join(CHART_FOLDER);
    let pictures = pictures(result);
    let drawn: Vec<(PathBuf, &Picture<'_>, Shade)> = pictures
        .iter()
        .flat_map(|picture| Shade::ALL.map(|shade| (picture, shade)))
        .map(|(picture, shade)| {
            (charts.join(format!("{}-{}.svg", picture.stem, shade.name())), picture, shade)
        })
        .collect();
    let summary = markdown_with(result, &pictures);
    expect_page_writable(dir, &[("summary.md", &summary)], force)?;
    drawn.iter().try_for_each(|(path, ..)| files::expect_writable(path, force))?;
    fs::create_dir_all(&charts)
        .usage(|| format!("cannot make the report folder {}", dir.display()))?;
    for old in fs::read_dir(&charts).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if files::is_own(&old) {
            fs::remove_file(&old).usage(|| format!("cannot delete {}", old.display()))?;
        }
    }
    put(dir, "summary.md", &summary)?;
    put(dir, "index.html", &html_with(result, &pictures))?;
    for (path, picture, shade) in drawn {
        let name = path.file_name().expect("it was just made").to_string_lossy();
        put(&charts, &name, &picture.svg(shade, Size::Blog))?;
    }
    Ok(())
}

/// Fails where a page and the texts beside it would overwrite what bakeoff did not write. Texts have no mark: they are
/// bakeoff's where the page is, or where they say the same already.
///
/// # Errors
/// Usage, with the file.
pub(super) fn expect_page_writable(dir: &Path, beside: &[(&str, &str)], force: bool) -> Result<()> {
    let page = dir.join("index.html");
    files::expect_writable(&page, force)?;
    if files::is_own(&page) {
        return Ok(());
    }
    beside.iter().try_for_each(|(name, text)| {
        let path = dir.join(name);
        let same = || files::read(&path, text.len() as u64).is_ok_and(|old| old == text.as_bytes());
        if same() { Ok(()) } else { files::expect_writable(&path, force) }
    })
}

/// A file for each of [`merged`]. Names that look alike as a file's have a number, and each file says whose it is.
fn histograms(result: &RunResult) -> Result<Vec<(String, String)>> {
    let mut files: Vec<(String, String)> = Vec::new();
    for (of, (merged, insecure)) in merged(result)? {
        let stem = of.iter().map(|part| slug(part)).collect::<Vec<_>>().join("-");
        let names = (1_u32..).map(|n| match n {
            1 => format!("{stem}.hgrm"),
            n => format!("{stem}-{n}.hgrm"),
        });
        let free = |name: &String| !files.iter().any(|(taken, _)| taken == name);
        let name = names.into_iter().find(free).expect("there is always a next number");
        let of: Vec<String> = of.iter().map(|part| clean(part)).collect();
        let listing = hgrm(&merged, insecure);
        files.push((name, format!("{listing}#[Of      = {}]\n", of.join(", "))));
    }
    Ok(files)
}

/// Requests by scenario, workload, contender, level and request kind, of all trials that count: merged, never averaged. Beside
/// them, whether the certificate of the server was not verified.
fn merged(result: &RunResult) -> Result<BTreeMap<Vec<&str>, (Ranked, bool)>> {
    let mut merged: BTreeMap<Vec<&str>, (Ranked, bool)> = BTreeMap::new();
    let counts = |trial: &&Trial| !trial.voided && trial.validity.verdict != TrialVerdict::Invalid;
    for trial in result.trials.iter().filter(counts) {
        for (kind, of_kind) in &trial.by_request {
            let Some(response) = &of_kind.response_ns else { continue };
            let mut parts = vec![&*trial.workload, &trial.contender, &trial.level, kind];
            // Scenarios of one run may share all of these.
            if !trial.scenario.is_empty() && trial.scenario != result.scenario {
                parts.insert(0, &trial.scenario);
            }
            let one = requests(response).map_err(Error::internal)?;
            match merged.get_mut(&parts) {
                Some((sum, _)) => sum.add(&one).map_err(Error::internal)?,
                None => {
                    let insecure = trial.load.tls == Some(CertificateCheck::Insecure);
                    merged.insert(parts, (one, insecure));
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
    let path = dir.join(name);
    files::replace(&path, text.as_bytes()).usage(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    #[test]
    fn histograms_of_two_scenarios_are_never_merged() {
        let mut result = mock::payments(6, &mock::MODELS[..1]);
        let names = |result: &RunResult| {
            histograms(result).unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        let alone = names(&result);
        assert_eq!(alone.len(), 1);
        let others = result.trials.clone().into_iter();
        result.trials.extend(others.map(|trial| Trial { scenario: "waits".into(), ..trial }));
        assert_eq!(names(&result), [alone[0].clone(), format!("waits-{}", alone[0])]);
        let all = merged(&result).unwrap();
        let samples: Vec<u64> = all.values().map(|(one, _)| one.requests()).collect();
        assert_eq!(samples[0], samples[1]);
    }

    #[test]
    fn names_that_look_alike_have_a_file_each() {
        let mut result = mock::payments(6, &mock::MODELS[..1]);
        let one = std::mem::take(&mut result.trials);
        for (contender, kinds) in
            [("v1.2", ["get", "GET"]), ("v1_2", ["get", "GET"]), ("v1", ["2-4000-get", "get"])]
        {
            for (trial, kind) in one.iter().flat_map(|trial| kinds.map(|kind| (trial, kind))) {
                let of_kind = trial.by_request.values().next().unwrap().clone();
                result.trials.push(Trial {
                    contender: contender.into(),
                    by_request: [(kind.to_owned(), of_kind)].into(),
                    ..trial.clone()
                });
            }
        }
        let files = histograms(&result).unwrap();
        let mut names: Vec<&String> = files.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 6, "{names:?}");
        for (contender, kind) in [("v1.2", "GET"), ("v1_2", "GET"), ("v1", "2-4000-get")] {
            let of = format!("#[Of      = payment, {contender}, 4,000/s, {kind}]");
            assert_eq!(files.iter().filter(|(_, text)| text.contains(&of)).count(), 1, "{of}");
        }
    }
}
