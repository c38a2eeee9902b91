//! The folder of a report: one process has it at a time, and it has the files of one run.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};

/// How a folder is to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// One that is not there yet: where it is, another one beside it, `NAME-2`.
    Fresh,
    /// This one, without anything in it.
    Empty,
    /// This one, and an earlier report in it is deleted.
    Forced,
    /// This one, as an earlier run left it.
    Resumed,
}

/// A report's folder, held by this process until it is dropped. Where nothing came of it, it is removed again.
#[derive(Debug)]
pub(crate) struct ReportFolder {
    path: PathBuf,
    how: Claim,
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
        let folder = Self { path, how, made, _lock: lock };
        folder.prepare()?;
        Ok(folder)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn prepare(&self) -> Result<()> {
        let shown = self.path.display();
        match self.how {
            Claim::Fresh | Claim::Resumed => Ok(()),
            Claim::Forced => clean(&self.path).usage(|| format!("cannot clean {shown}")),
            Claim::Empty => match fs::read_dir(&self.path).map(|mut entries| entries.next()) {
                Ok(None) => Ok(()),
                Err(error) => Err(error).usage(|| format!("cannot read {shown}")),
                Ok(Some(_)) => Err(Error::usage(format!(
                    "{shown} has files in it, and two runs are never mixed"
                ))
                .help("give an empty folder, or delete the report that is there with --force")),
            },
        }
    }
}

/// Nothing came of a folder that is empty, or in which no trial was written down.
impl Drop for ReportFolder {
    fn drop(&mut self) {
        let journal = self.path.join("trials.jsonl");
        let without = |name: &str| !self.path.join(name).exists();
        if self.how != Claim::Resumed
            && fs::metadata(&journal).is_ok_and(|about| about.len() == 0)
            && ["result.json", "gate.json", "pilots.jsonl"].into_iter().all(without)
        {
            let _ = fs::remove_file(journal);
            let _ = fs::remove_file(self.path.join(RUN));
        }
        // What is not empty stays, and so does all above it.
        let _ = self.made.iter().rev().try_for_each(fs::remove_dir);
    }
}

/// The first of `path`, `path-2`, `path-3`.. that was not there.
fn fresh(path: &Path) -> std::io::Result<PathBuf> {
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
    let folder = File::open(path).usage(|| format!("cannot read {shown}"))?;
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

/// Deletes the files of a report and of the scenarios of a ledger, and no others.
fn clean(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.join(RUN).is_file() {
                clean(&path)?;
            } else if path.ends_with("charts") {
                for chart in fs::read_dir(&path)? {
                    remove(&chart?.path())?;
                }
            }
            // One with the user's own files in it stays.
            let _ = fs::remove_dir(&path);
        } else {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> std::io::Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let of_a_report =
        NAMES.contains(&&*name) || name.ends_with(".hgrm") || crate::files::is_own(path);
    if of_a_report { fs::remove_file(path) } else { Ok(()) }
}

/// The first file of a run.
const RUN: &str = "begun.json";

/// The files of runs, ledgers and gates that bear no mark.
const NAMES: [&str; 12] = [
    RUN,
    "trials.jsonl",
    "pilots.jsonl",
    "result.json",
    "summary.md",
    "ledger.json",
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
        for name in ["begun.json", "a.hgrm", "notes.txt"] {
            fs::write(out.join(name), "x").unwrap();
        }
        fs::create_dir(out.join("charts")).unwrap();
        fs::write(out.join("charts/a.svg"), format!("<svg>{}", crate::files::MARK)).unwrap();
        drop(first);
        assert!(told(Claim::Empty).contains("--force"));
        drop(ReportFolder::claim(&out, Claim::Resumed).unwrap());
        assert!(out.join("begun.json").exists());
        drop(ReportFolder::claim(&out, Claim::Forced).unwrap());
        let left: Vec<_> = fs::read_dir(&out).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.txt"], "what is not a report's stays");
    }
}
