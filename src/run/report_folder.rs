//! The folder of a report: one process has it at a time, and it has the files of one run.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::fs::OFlags;

use crate::error::{Context, Error, Result};
use crate::files;
use crate::record::{self, RunResult};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// One that is not there yet: where it is, another one beside it, `NAME-2`.
    Fresh,
    /// This one, without anything in it.
    Empty,
    /// This one, and an earlier report in it is [deleted](clean) once this run writes: one that is refused deletes nothing.
    Forced,
    /// This one, as an earlier run left it.
    Resumed,
}

/// A report's folder, held by this process until it is dropped. Where nothing came of it, it is removed again.
#[derive(Debug)]
pub(crate) struct ReportFolder {
    path: PathBuf,
    /// A run without a trial in it is an earlier one's, and stays.
    stays: bool,
    /// Folders that were made for it, the deepest last.
    made: Vec<PathBuf>,
    /// The lock is the kernel's, and gone with the process.
    _lock: File,
}

impl ReportFolder {
    /// Makes the folder where it is not there, and takes it.
    ///
    /// # Errors
    /// Usage, when it cannot be made, another process has it, or there is something in it that would be mixed up with this
    /// run's files.
    pub(crate) fn claim(path: &Path, how: Claim) -> Result<Self> {
        let failed = || format!("cannot make the report folder {}", path.display());
        let missing: Vec<&Path> = path.ancestors().take_while(|it| !it.exists()).collect();
        let mut made: Vec<PathBuf> = missing.into_iter().rev().map(Path::to_owned).collect();
        let path = match how {
            Claim::Fresh => {
                let fresh = fresh(path).usage(failed)?;
                if made.last().is_none_or(|last| *last != fresh) {
                    made.pop_if(|last| last == path);
                    made.push(fresh.clone());
                }
                fresh
            }
            Claim::Empty | Claim::Forced => {
                fs::create_dir_all(path).usage(failed)?;
                path.to_owned()
            }
            Claim::Resumed => {
                made.clear();
                path.to_owned()
            }
        };
        let lock = locked(&path)?;
        expect_room(&path, how)?;
        let stays = how == Claim::Resumed || came_to_nothing(&path);
        Ok(Self { path, stays, made, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Deletes the earlier report in it, if it was claimed by force: else there is none.
    pub(crate) fn clean(&self) -> Result<()> {
        clean(&self.path)
    }
}

/// Nothing came of a folder that is empty, or in which no trial was written down.
impl Drop for ReportFolder {
    fn drop(&mut self) {
        if !self.stays && came_to_nothing(&self.path) {
            let _ = fs::remove_file(self.path.join(JOURNAL));
            let _ = fs::remove_file(self.path.join(RUN));
        }
        // What is not empty stays, and so does all above it.
        let _ = self.made.iter().rev().try_for_each(fs::remove_dir);
    }
}

/// Whether a folder has a run that has begun, and not one trial of it.
fn came_to_nothing(folder: &Path) -> bool {
    let without = |name: &str| !folder.join(name).exists();
    fs::metadata(folder.join(JOURNAL)).is_ok_and(|about| about.len() == 0)
        && ["result.json", "gate.json", "pilots.jsonl"].into_iter().all(without)
}

/// Fails where a folder has something in it that would be mixed up with a report, or overwritten by it.
fn expect_room(folder: &Path, how: Claim) -> Result<()> {
    let shown = folder.display();
    match how {
        Claim::Fresh | Claim::Resumed => Ok(()),
        Claim::Forced => foreign(folder).map_or(Ok(()), |file| {
            Err(Error::usage(format!(
                "{} is not a file of a report, and would be overwritten",
                file.display()
            ))
            .help("give another folder: --force deletes a report of bakeoff and nothing else"))
        }),
        Claim::Empty => match fs::read_dir(folder).map(|mut entries| entries.next()) {
            Ok(None) => Ok(()),
            Err(error) => Err(error).usage(|| format!("cannot read {shown}")),
            Ok(Some(_)) => {
                Err(Error::usage(format!("{shown} has files in it, and two runs are never mixed"))
                    .help("give an empty folder, or delete the report that is there with --force"))
            }
        },
    }
}

/// A file of the user's that has a report's name, in a folder without a report.
fn foreign(folder: &Path) -> Option<PathBuf> {
    let page = folder.join("index.html");
    if is_report(folder) || files::is_own(&page) {
        return None;
    }
    // A run that was killed leaves nothing but its lines.
    let is_ours = |path: &PathBuf| {
        let lines = path.extension().is_some_and(|ending| ending == "jsonl");
        files::may_be_written(path) || lines && files::starts_an_object(path)
    };
    NAMES.iter().map(|name| folder.join(name)).chain([page]).find(|path| !is_ours(path))
}

/// The first of `path`, `path-2`, `path-3`.. that was not there.
fn fresh(path: &Path) -> io::Result<PathBuf> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    for n in 1_u32.. {
        let candidate = match n {
            1 => path.to_owned(),
            n => PathBuf::from(format!("{}-{n}", path.display())),
        };
        match fs::create_dir(&candidate) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => return other.map(|()| candidate),
        }
    }
    unreachable!("a folder has no four billion neighbours")
}

fn locked(path: &Path) -> Result<File> {
    let shown = path.display();
    let flags = OFlags::DIRECTORY | OFlags::NONBLOCK;
    let folder = File::options().read(true).custom_flags(flags.bits() as i32).open(path);
    let folder = folder.usage(|| format!("cannot read {shown}"))?;
    match folder.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let who = holder(&folder).map_or_else(String::new, |pid| format!(" (process {pid})"));
            Err(Error::usage(format!("another bakeoff{who} writes to {shown}"))
                .help("wait for its end, or give another folder"))
        }
        // A file system without locks is no reason not to measure.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(folder),
    }
}

/// Who has a lock on a file, as `/proc/locks` says.
fn holder(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // `1: FLOCK  ADVISORY  WRITE 2151 fd:01:1310739 0 EOF`
    locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|words| {
        let [_, "FLOCK", _, _, pid, place, ..] = words[..] else { return None };
        (place.rsplit(':').next() == Some(&*inode)).then(|| pid.parse().ok())?
    })
}

/// The result in a folder, where there is one that can be read.
pub(super) fn result(folder: &Path) -> Option<RunResult> {
    let text = files::read_json(&folder.join("result.json"), files::RESULT_BYTES_MAX).ok()?;
    record::from_json(&text).ok()
}

/// Deletes the files of the report that is in a folder, and those of the scenarios of a ledger: no others, and none where no
/// report is.
pub(super) fn clean(folder: &Path) -> Result<()> {
    emptied(folder).usage(|| format!("cannot clean {}", folder.display()))
}

fn emptied(folder: &Path) -> io::Result<()> {
    if !is_report(folder) {
        return Ok(());
    }
    let of_ledger = files::is_own_json(&folder.join(LEDGER));
    for entry in fs::read_dir(folder)? {
        // Its type is its own, and not that of what a link leads to.
        let (entry, path) = entry.map(|entry| (entry.file_type(), entry.path()))?;
        if !entry?.is_dir() {
            remove(&path)?;
            continue;
        }
        if path.ends_with("charts") {
            for chart in fs::read_dir(&path)? {
                remove(&chart?.path())?;
            }
        } else if of_ledger && is_report(&path) {
            emptied(&path)?;
        } else {
            continue;
        }
        // One with the user's own files in it stays.
        let _ = fs::remove_dir(&path);
    }
    Ok(())
}

/// Whether a report is in a folder, finished or begun.
fn is_report(folder: &Path) -> bool {
    [RUN, "result.json", "gate.json", LEDGER]
        .into_iter()
        .any(|name| files::is_own_json(&folder.join(name)))
}

fn remove(path: &Path) -> io::Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let of_a_report = NAMES.contains(&&*name) || name.ends_with(".hgrm") || files::is_own(path);
    if of_a_report { fs::remove_file(path) } else { Ok(()) }
}

/// The first file of a run.
const RUN: &str = "begun.json";
const JOURNAL: &str = "trials.jsonl";
/// The last file of a ledger, which has a folder for each scenario.
const LEDGER: &str = "ledger.json";

/// The files of runs, ledgers and gates that bear no mark.
const NAMES: [&str; 12] = [
    RUN,
    JOURNAL,
    "pilots.jsonl",
    "result.json",
    "summary.md",
    LEDGER,
    "ledger.md",
    "gate.json",
    "junit.xml",
    "bencher.json",
    "benchmark-smaller-is-better.json",
    "benchmark-bigger-is-better.json",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_in_one_second_have_a_folder_each() {
        let root = tempfile::tempdir().unwrap();
        let wanted = root.path().join("reports/a/2026-11-24T04-09-53Z");
        let claim = || ReportFolder::claim(&wanted, Claim::Fresh).unwrap();
        let (first, second) = (claim(), claim());
        assert_eq!(first.path(), wanted);
        assert!(second.path().ends_with("2026-11-24T04-09-53Z-2"));
        fs::write(first.path().join("begun.json"), "{}").unwrap();
        let gone = second.path().to_owned();
        drop((first, second));
        assert!(!gone.exists() && wanted.exists(), "what nothing came of leaves nothing");
        fs::remove_dir_all(root.path().join("reports")).unwrap();
        drop(claim());
        assert!(!root.path().join("reports").exists());
        let begun = claim();
        for name in [RUN, "trials.jsonl"] {
            fs::write(begun.path().join(name), "").unwrap();
        }
        drop(begun);
        assert!(!root.path().join("reports").exists(), "no trial had finished");
    }

    #[test]
    fn a_folder_is_one_processs_and_one_runs() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("out");
        let told = |how| ReportFolder::claim(&out, how).unwrap_err().to_string();
        let first = ReportFolder::claim(&out, Claim::Empty).unwrap();
        for how in [Claim::Empty, Claim::Forced, Claim::Resumed] {
            let told = told(how);
            let process = format!("another bakeoff (process {})", std::process::id());
            assert!(told.contains(&process), "{told}");
        }
        fs::write(out.join("notes.txt"), "x").unwrap();
        drop(first);
        assert!(told(Claim::Empty).contains("--force"));
    }

    /// A report with what a kind of run leaves.
    fn report(folder: &Path, first: &str) {
        fs::create_dir_all(folder.join("charts")).unwrap();
        fs::write(folder.join(first), "{\n  \"schema\": \"bakeoff.x/1\"").unwrap();
        for name in [JOURNAL, "a.hgrm", "summary.md"] {
            fs::write(folder.join(name), "x").unwrap();
        }
        fs::write(folder.join("charts/a.svg"), format!("<svg>{}", files::MARK)).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_claim_deletes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path();
        report(out, RUN);
        // One that was killed before its first trial, too.
        for text in ["x", ""] {
            fs::write(out.join(JOURNAL), text).unwrap();
            let before = names(out);
            for how in [Claim::Forced, Claim::Resumed] {
                drop(ReportFolder::claim(out, how).unwrap());
                assert_eq!(names(out), before, "{how:?}");
            }
            ReportFolder::claim(out, Claim::Empty).unwrap_err();
            assert_eq!(names(out), before, "a refused one");
        }
    }

    #[test]
    fn only_the_report_in_the_folder_itself_is_deleted() {
        for first in [RUN, "result.json", "gate.json"] {
            let root = tempfile::tempdir().unwrap();
            let (out, elsewhere) = (root.path().join("out"), root.path().join("elsewhere"));
            report(&out, first);
            report(&out.join("2026-11-24T04-09-53Z"), RUN);
            report(&elsewhere, RUN);
            std::os::unix::fs::symlink(&elsewhere, out.join("link")).unwrap();
            fs::create_dir(out.join("empty")).unwrap();
            fs::write(out.join("notes.txt"), "x").unwrap();
            clean(&out).unwrap();
            assert_eq!(names(&out), ["2026-11-24T04-09-53Z", "empty", "link", "notes.txt"]);
            for other in [&out.join("2026-11-24T04-09-53Z"), &elsewhere] {
                assert_eq!(names(other), ["a.hgrm", RUN, "charts", "summary.md", JOURNAL]);
            }
        }
    }

    #[test]
    fn a_ledger_is_deleted_with_its_scenarios() {
        let root = tempfile::tempdir().unwrap();
        let (out, elsewhere) = (root.path().join("out"), root.path().join("elsewhere"));
        report(&out, LEDGER);
        report(&out.join("scenario"), RUN);
        report(&elsewhere, RUN);
        std::os::unix::fs::symlink(&elsewhere, out.join("link")).unwrap();
        fs::create_dir(out.join("empty")).unwrap();
        clean(&out).unwrap();
        assert_eq!(names(&out), ["empty", "link"]);
        assert_eq!(names(&elsewhere).len(), 5);
    }

    #[test]
    fn the_users_files_are_neither_deleted_nor_overwritten() {
        let root = tempfile::tempdir().unwrap();
        for name in ["junit.xml", "summary.md", "index.html", "result.json"] {
            let out = root.path().join(name);
            fs::create_dir_all(out.join("charts")).unwrap();
            for name in [name, "a.hgrm"] {
                fs::write(out.join(name), "{}").unwrap();
            }
            let before = names(&out);
            let told = ReportFolder::claim(&out, Claim::Forced).unwrap_err().to_string();
            assert!(told.contains(name), "{told}");
            clean(&out).unwrap();
            assert_eq!(names(&out), before);
        }
        let lines = root.path().join("lines");
        fs::create_dir_all(&lines).unwrap();
        fs::write(lines.join(JOURNAL), "mine").unwrap();
        assert!(ReportFolder::claim(&lines, Claim::Forced).is_err());
        // What a run that was killed has left.
        fs::write(lines.join(JOURNAL), "{\"round\":1}\n").unwrap();
        drop(ReportFolder::claim(&lines, Claim::Forced).unwrap());
    }
}
