//! `trials.jsonl`: every finished trial, written down before anything else happens, and read again by a run that goes on.
//!
//! The course of a run is a function of its scenarios, its order seed and what its trials came to. So a run that goes on
//! asks for the same trials in the same order, and takes those that had finished from here.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};
use crate::report::schema::{self, Begun, Pilot, Trial};
use crate::run::testbed::Ask;

/// The file, open.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// Trials of an earlier run that have not been asked for again yet.
    finished: VecDeque<Trial>,
    /// The pilots of an earlier run.
    pilots: Vec<Pilot>,
}

impl Journal {
    /// An empty one in a report's folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn create(out: &Path) -> Result<Self> {
        fs::create_dir_all(out)
            .usage(|| format!("cannot make the report folder {}", out.display()))?;
        let path = out.join("trials.jsonl");
        let file = File::create(&path).usage(|| format!("cannot write {}", path.display()))?;
        // Pilots of another run in this folder are not this one's.
        let _ = fs::remove_file(out.join(PILOTS));
        Ok(Self { path, file, finished: VecDeque::new(), pilots: Vec::new() })
    }

    /// One that goes on where an earlier run stopped. A last line that was not finished is dropped.
    ///
    /// # Errors
    /// When there is none, it cannot be written, or a line in it is no trial.
    pub(crate) fn resume(out: &Path) -> Result<Self> {
        let path = out.join("trials.jsonl");
        let text = fs::read_to_string(&path).usage(|| format!("cannot read {}", path.display()))?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut finished = VecDeque::new();
        for (number, line) in (1..).zip(text[..whole].lines()) {
            let trial = schema::trial_from(line);
            finished.push_back(trial.usage(|| format!("{}:{number} is no trial", path.display()))?);
        }
        let file = File::options().append(true).open(&path);
        let file = file.usage(|| format!("cannot write {}", path.display()))?;
        file.set_len(whole as u64).usage(|| format!("cannot write {}", path.display()))?;
        let pilots = pilots(&out.join(PILOTS))?;
        Ok(Self { path, file, finished, pilots })
    }

    /// What an earlier run found when it asked for this, if it came so far.
    ///
    /// # Errors
    /// When it had asked for something else.
    pub(crate) fn found(&mut self, ask: &Ask<'_>) -> Result<Option<Trial>> {
        let Some(trial) = self.finished.pop_front() else { return Ok(None) };
        let name = |scenario, contender, level, round, place| {
            format!("{contender} of {scenario} at {level}, round {round}, place {place}")
        };
        let asked =
            name(&*ask.scenario.name, &*ask.contender.name, &*ask.level, ask.round, ask.place);
        let had = name(&*trial.scenario, &trial.contender, &trial.level, trial.round, trial.order);
        if asked == had {
            return Ok(Some(trial));
        }
        Err(Error::usage(format!(
            "{} has {had}, where this run asks for {asked}",
            self.path.display()
        ))
        .help("it is another run's; start anew without --resume"))
    }

    /// What an earlier run knows of when its contenders are warm.
    pub(crate) fn pilots(&self) -> &[Pilot] {
        &self.pilots
    }

    /// Appends a pilot to those of the run.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn keep_pilot(&self, pilot: &Pilot) -> Result<()> {
        let path = self.path.with_file_name(PILOTS);
        let file = File::options().create(true).append(true).open(&path);
        file.and_then(|mut file| writeln!(file, "{}", schema::pilot_line(pilot)))
            .usage(|| format!("cannot write {}", path.display()))
    }

    /// Appends a trial.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn keep(&mut self, trial: &Trial) -> Result<()> {
        writeln!(self.file, "{}", schema::trial_line(trial))
            .and_then(|()| self.file.flush())
            .usage(|| format!("cannot write {}", self.path.display()))
    }
}

/// Writes what a run has drawn and measured before its first trial.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn begin(out: &Path, begun: &Begun) -> Result<()> {
    let path = out.join(BEGUN);
    fs::write(&path, schema::begun_json(begun)).usage(|| format!("cannot write {}", path.display()))
}

/// What an earlier run of the same scenarios on the same machine had drawn and measured.
///
/// # Errors
/// When there is none, or it was of another scenario, machine or build.
pub(crate) fn begun(out: &Path, now: &schema::Fingerprint) -> Result<Begun> {
    let path = out.join(BEGUN);
    let text = fs::read_to_string(&path).usage(|| format!("cannot read {}", path.display()))?;
    let begun = schema::begun_from(&text).usage(|| format!("cannot read {}", path.display()))?;
    let then = &begun.fingerprint;
    let differs = [
        ("scenario, or other flags", then.scenario != now.scenario),
        ("build of bakeoff", then.binary != now.binary),
        ("machine", (&then.cpu_model, then.cores) != (&now.cpu_model, now.cores)),
        ("kernel", then.kernel != now.kernel),
    ];
    match differs.into_iter().find(|(_, differs)| *differs) {
        None => Ok(begun),
        Some((what, _)) => {
            Err(Error::usage(format!("{} was begun with another {what}", out.display()))
                .help("go on with the same scenario, flags and build, or start anew"))
        }
    }
}

/// The pilots that had ended; a last line that was not finished is none. No file is no pilot.
fn pilots(path: &Path) -> Result<Vec<Pilot>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let read =
        |line| schema::pilot_from(line).usage(|| format!("{} has no pilots", path.display()));
    text[..whole].lines().map(read).collect()
}

/// Pilots, one a line: written only where there are some.
const PILOTS: &str = "pilots.jsonl";
const BEGUN: &str = "begun.json";
