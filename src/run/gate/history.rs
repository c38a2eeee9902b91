//! `history.jsonl`: one line of each gate, kept by who runs gates.

use std::fs;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rustix::fs::{Access, access};

use crate::error::{Context, Error, Result};
use crate::files::{self, JsonLines};
use crate::record::gate::GateResult;
use crate::report::gate::history;
use crate::report::gate::history::History;

/// A file of more than this is no history: a line has about a kilobyte.
const BYTES_MAX: u64 = 32 << 20;

/// The gates of the past; none where there is no file yet.
///
/// # Errors
/// Usage, when the file cannot be read, or has a line that is half-written or another version's. Nothing is touched.
pub(super) fn read(path: Option<&Path>) -> Result<History> {
    match path {
        Some(path) if !matches!(path.try_exists(), Ok(false)) => stored(path).map_err(|error| {
            let (_, help) = error.parts();
            let help = help
                .map_or_else(String::new, |help| format!("{help}, or give another --history; "));
            error.help(format!("{help}nothing was measured, and nothing was written"))
        }),
        _ => Ok(history::read("")),
    }
}

/// A history that is there, as a gate, a report and a chart read it.
///
/// # Errors
/// Usage, when it cannot be read, or has a line that is half-written or another version's.
pub(crate) fn stored(path: &Path) -> Result<History> {
    let shown = path.display();
    let failed = || format!("cannot read the history {shown}");
    let mut lines = JsonLines::open(path, BYTES_MAX).usage(failed)?;
    let mut past = history::read("");
    while let Some(line) = lines.line().usage(failed)? {
        let History { gates, unreadable } = history::read(line);
        // What comes after it is not looked at: it may be of any size.
        if !unreadable.is_empty() {
            let help = match path.file_name() == Some("trials.jsonl".as_ref()) {
                true => "these are the trials of a run: give its folder",
                false => "it is incomplete, or another version's; fix or remove that line",
            };
            let line = lines.number;
            let said = format!("{shown}: line {line} is not a line of a history of gates");
            return Err(Error::usage(said).help(help));
        }
        past.gates.extend(gates);
    }
    Ok(past)
}

/// Whether a gate's line can be added, found out before any work. A file that is not there yet is not made: to remove it
/// again could take the line of another gate.
pub(super) fn writable(path: &Path) -> Result<()> {
    let folder = folder_of(path)?;
    match files::opened(File::options().append(true), path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            access(folder, Access::WRITE_OK | Access::EXEC_OK).usage(|| refused(path))
        }
        other => other.map(drop).usage(|| refused(path)),
    }
}

/// Adds a gate's line to the end, in one piece.
pub(super) fn append(path: &Path, result: &GateResult) -> Result<()> {
    let mut file = open(path)?;
    let mut last = [0];
    let torn = file.seek(SeekFrom::End(-1)).and_then(|_| file.read(&mut last)).ok();
    let line = history::addition(result, torn.map(|_| last[0]));
    file.write_all(line.as_bytes()).usage(|| refused(path))
}

fn open(path: &Path) -> Result<File> {
    folder_of(path)?;
    File::options().read(true).append(true).create(true).open(path).usage(|| refused(path))
}

/// The folder of the file, which is made if it is not there.
fn folder_of(path: &Path) -> Result<&Path> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => {
            fs::create_dir_all(folder).usage(|| refused(path))?;
            Ok(folder)
        }
        None => Ok(Path::new(".")),
    }
}

fn refused(path: &Path) -> String {
    format!("cannot write the history {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::gate::tests::sample;
    use std::thread;

    #[test]
    fn a_gate_that_looks_loses_no_line_of_another() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("gates/history.jsonl");
        writable(&path).unwrap();
        assert!(!path.exists(), "nothing is left");
        thread::scope(|scope| {
            let looking = scope.spawn(|| (0..20_000).try_for_each(|_| writable(&path)));
            while !looking.is_finished() {
                open(&path).unwrap().write_all(b"line\n").unwrap();
                assert_eq!(fs::read(&path).unwrap(), b"line\n");
                fs::remove_file(&path).unwrap();
            }
            looking.join().unwrap().unwrap();
        });
        let told = writable(root.path()).unwrap_err().to_string();
        assert!(told.contains("cannot write the history"), "{told}");
        assert!(writable(Path::new("/dev/null/history.jsonl")).is_err(), "it cannot be created");
    }

    #[test]
    fn the_first_bad_line_is_the_last_that_is_read() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("history.jsonl");
        let gate = history::addition(&sample(), None);
        fs::write(&path, [&*gate, "\n", &gate].concat()).unwrap();
        assert_eq!(stored(&path).unwrap().gates.len(), 2);
        // Line 3 has a string that is too long, and is not come to.
        let long = "x".repeat(2 << 20);
        fs::write(&path, [&*gate, "{}\n\"", &long].concat()).unwrap();
        let told = stored(&path).unwrap_err().to_string();
        assert!(told.contains("line 2 is not a line of a history"), "{told}");
        fs::write(&path, [&*gate, "\"", &long].concat()).unwrap();
        let told = stored(&path).unwrap_err().to_string();
        assert!(told.contains("line 2 has a string of over"), "{told}");
    }
}
