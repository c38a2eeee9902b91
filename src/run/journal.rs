//! `trials.jsonl`: every finished trial, written down before anything else happens, and read again by a resumed run.
//!
//! The course of a run is a function of its scenarios, its order seed and what its trials came to. So a resumed run
//! asks for the same trials in the same order, and takes those that had finished from here.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Result};
use crate::files::JsonLines;
use crate::record::{Begun, ContenderFiles, Pilot, Trial};
use crate::run::report_folder;
use crate::run::trial::spec::TrialSpec;
use crate::scenario::{Contender, Kind, Scenario};
use crate::{files, record};

#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    /// Nothing while the lines are held back.
    file: Option<File>,
    /// Trials and pilots that are held back, as lines.
    held: [String; 2],
    /// Trials of an earlier run that have not been asked for again yet.
    finished: VecDeque<Trial>,
    /// The pilots of an earlier run.
    pilots: Vec<Pilot>,
}

impl Journal {
    /// An empty one in a report's folder, which is made if it is not there. An earlier report there is deleted.
    pub(crate) fn create(out: &Path) -> Result<Self> {
        let mut journal = Self::held_back(out);
        journal.write_down()?;
        Ok(journal)
    }

    /// One that touches no file before [`Journal::write_down`]: the run may still be refused.
    pub(crate) fn held_back(out: &Path) -> Self {
        let (finished, pilots) = (VecDeque::new(), Vec::new());
        Self {
            path: out.join("trials.jsonl"),
            file: None,
            held: Default::default(),
            finished,
            pilots,
        }
    }

    /// Creates the files, with the lines that were held back.
    pub(crate) fn write_down(&mut self) -> Result<()> {
        let out = self.path.parent().expect("it is in a folder");
        fs::create_dir_all(out)
            .usage(|| format!("cannot make the report folder {}", out.display()))?;
        report_folder::clean(out)?;
        let failed = || format!("cannot write {}", self.path.display());
        let mut file = File::create(&self.path).usage(failed)?;
        // Pilots of another run in this folder are not this one's.
        let _ = fs::remove_file(out.join(PILOTS));
        let [trials, pilots] = std::mem::take(&mut self.held);
        file.write_all(trials.as_bytes()).usage(failed)?;
        self.file = Some(file);
        if pilots.is_empty() { Ok(()) } else { self.append_pilots(&pilots) }
    }

    /// One that goes on where an earlier run stopped. A last line that was torn is dropped.
    ///
    /// # Errors
    /// When there is none, it cannot be written, or another line in it is no trial.
    pub(crate) fn resume(out: &Path) -> Result<Self> {
        let path = out.join("trials.jsonl");
        let finished = without_torn_end(&path, "trial", record::trial_from)?.into();
        let file = File::options().append(true).open(&path);
        let file = file.usage(|| format!("cannot write {}", path.display()))?;
        let pilots = out.join(PILOTS);
        let pilots = match pilots.exists() {
            true => without_torn_end(&pilots, "pilot", record::pilot_from)?,
            false => Vec::new(),
        };
        Ok(Self { path, file: Some(file), held: Default::default(), finished, pilots })
    }

    /// What an earlier run found when it asked for this, if it came so far.
    pub(crate) fn found(&mut self, spec: &TrialSpec<'_>) -> Result<Option<Trial>> {
        let Some(trial) = self.finished.pop_front() else { return Ok(None) };
        let name = |scenario, contender, level, round, place| {
            format!("{contender} of {scenario} at {level}, round {round}, place {place}")
        };
        let asked =
            name(&*spec.scenario.name, &*spec.contender.name, &*spec.level, spec.round, spec.place);
        let had = name(&*trial.scenario, &trial.contender, &trial.level, trial.round, trial.order);
        if asked == had {
            return Ok(Some(trial));
        }
        Err(Error::usage(format!(
            "{} has {had}, where this run asks for {asked}",
            self.path.display()
        ))
        .help("it belongs to another run; start a new one without --resume"))
    }

    /// What an earlier run knows of when its contenders are warm.
    pub(crate) fn pilots(&self) -> &[Pilot] {
        &self.pilots
    }

    pub(crate) fn keep_pilot(&mut self, pilot: &Pilot) -> Result<()> {
        let line = record::pilot_line(pilot) + "\n";
        if self.file.is_none() {
            self.held[1] += &line;
            return Ok(());
        }
        self.append_pilots(&line)
    }

    fn append_pilots(&self, lines: &str) -> Result<()> {
        let path = self.path.with_file_name(PILOTS);
        let file = File::options().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(lines.as_bytes()))
            .usage(|| format!("cannot write {}", path.display()))
    }

    pub(crate) fn keep(&mut self, trial: &Trial) -> Result<()> {
        let line = record::trial_line(trial) + "\n";
        let Some(file) = &mut self.file else {
            self.held[0] += &line;
            return Ok(());
        };
        file.write_all(line.as_bytes()).usage(|| format!("cannot write {}", self.path.display()))
    }
}

/// Writes what a run has drawn and measured before its first trial.
pub(crate) fn begin(out: &Path, begun: &Begun) -> Result<()> {
    let path = out.join(BEGUN);
    fs::write(&path, record::begun_json(begun)).usage(|| format!("cannot write {}", path.display()))
}

/// What the contenders of some scenarios run now.
pub(crate) fn contender_files(scenarios: &[Scenario]) -> Vec<ContenderFiles> {
    let of = |scenario: &Scenario| {
        let name = scenario.name.clone();
        let program = |contender: &Contender| ContenderFiles {
            scenario: name.clone(),
            contender: contender.name.clone(),
            digest: program_digest(contender),
        };
        scenario.contenders.iter().map(program).collect::<Vec<_>>()
    };
    scenarios.iter().flat_map(of).collect()
}

/// Whether a run has begun in a folder.
pub(crate) fn has_begun(out: &Path) -> bool {
    out.join(BEGUN).exists()
}

/// What an earlier run of the same scenarios on the same machine had drawn and measured; `now` is what this one would begin
/// with.
///
/// # Errors
/// When there is none, or it was of another scenario, shard, machine, build or program of a contender.
pub(crate) fn begun(out: &Path, now: &Begun) -> Result<Begun> {
    let begun = read_begun(out)?;
    let (then, own) = (&begun.fingerprint, &now.fingerprint);
    let differs = [
        ("scenario, or other flags", then.scenario != own.scenario),
        ("build of bakeoff", then.binary != own.binary),
        ("machine", (&then.cpu_model, then.cores) != (&own.cpu_model, own.cores)),
        ("kernel", then.kernel != own.kernel),
        ("--shard, or without one", begun.shard != now.shard),
    ];
    let differs = differs.into_iter().find(|(_, differs)| *differs);
    let rebuilt = || {
        let rebuilt = now.contenders.iter().find(|own| !begun.contenders.contains(own))?;
        Some(format!("another build of `{}`", rebuilt.contender))
    };
    if let Some(what) = differs.map(|(what, _)| format!("another {what}")).or_else(rebuilt) {
        return Err(Error::usage(format!("{} was started with {what}", out.display()))
            .help("continue with the same scenario, flags and programs, or start a new run"));
    }
    if let Some(shard) = now.shard.filter(|_| begun.boot_id != now.boot_id) {
        return Err(Error::usage(format!(
            "{} was started on another machine, or before this one was booted: all rounds of shard {shard} are run on \
             one machine",
            out.display()
        ))
        .help("start this shard again: without --resume, with --order-seed, --out and --force"));
    }
    Ok(begun)
}

/// What a run of whatever build, machine and scenario had begun with.
///
/// # Errors
/// When there is none that can be read.
pub(crate) fn read_begun(out: &Path) -> Result<Begun> {
    let path = out.join(BEGUN);
    let text = files::read_json(&path, files::RESULT_BYTES_MAX);
    let text = text.usage(|| format!("cannot read {}", path.display()))?;
    record::begun_from(&text).usage(|| format!("cannot read {}", path.display()))
}

/// What a run had begun with, its finished trials and its pilots. Nothing is written.
///
/// # Errors
/// When these cannot be read, or a line that is not torn is no trial or no pilot.
pub(crate) fn read(out: &Path) -> Result<(Begun, Vec<Trial>, Vec<Pilot>)> {
    let begun = read_begun(out)?;
    let (trials, _) = whole_lines(&out.join("trials.jsonl"), "trial", record::trial_from)?;
    let pilots = out.join(PILOTS);
    let pilots = match pilots.exists() {
        true => whole_lines(&pilots, "pilot", record::pilot_from)?.0,
        false => Vec::new(),
    };
    Ok((begun, trials, pilots))
}

/// What stands in a file's lines. A last one that cannot be read is what a kill or a full disk has torn, in whatever bytes:
/// it alone is cut off, so that the next one begins a line.
fn without_torn_end<T>(
    path: &Path,
    what: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>> {
    let (found, whole) = whole_lines(path, what, read)?;
    let file = File::options().write(true).open(path);
    file.and_then(|file| file.set_len(whole as u64))
        .usage(|| format!("cannot write {}", path.display()))?;
    Ok(found)
}

/// The same, left as it is; with the length of the lines that are whole.
fn whole_lines<T>(
    path: &Path,
    what: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<(Vec<T>, usize)> {
    let shown = path.display();
    let failed = || format!("cannot read {shown}");
    let mut lines = JsonLines::open(path, LINES_BYTES_MAX).usage(failed)?;
    let (mut found, mut whole) = (Vec::new(), 0);
    while let Some(line) = lines.line().usage(failed)? {
        let text = std::str::from_utf8(line).map_err(|error| error.to_string());
        let (one, len, ends) = (text.and_then(&read), line.len(), line.ends_with(b"\n"));
        match one {
            Ok(one) if ends => {
                found.push(one);
                whole += len;
            }
            _ if lines.is_over().usage(failed)? => break,
            Ok(_) => unreachable!("only the last line has no end"),
            Err(error) => {
                return Err(error).usage(|| format!("{shown}:{} is not a {what}", lines.number));
            }
        }
    }
    Ok((found, whole))
}

/// A trial has some kilobytes, and a result has trials for a quarter of it.
const LINES_BYTES_MAX: u64 = 128 << 20;

/// Pilots, one a line: written only where there are some.
const PILOTS: &str = "pilots.jsonl";
const BEGUN: &str = "begun.json";

/// Larger files are told apart by their lengths and times: to read them would take seconds at each start.
const READ_BYTES_MAX: u64 = 256 << 20;
/// Read at once.
const PIECE_BYTES: usize = 1 << 16;

/// A digest of every file that a contender's command names, and of the words that are none: the first 16 digits of the
/// SHA-256. Nothing for a contender that runs already, or where the program is not there.
pub(crate) fn program_digest(contender: &Contender) -> Option<String> {
    let mut digest = Sha256::new();
    match &contender.kind {
        Kind::BuiltIn(built_in) => {
            let path = built_in.binary.clone().or_else(|| env::current_exe().ok())?;
            digest_file(&mut digest, &path)?;
        }
        Kind::Command { argv, setup } => {
            for (place, word) in argv.iter().enumerate() {
                let beside = setup.folder.join(word);
                let found = match place == 0 && !word.contains('/') {
                    true => in_path(word).and_then(|path| digest_file(&mut digest, &path)),
                    false => digest_file(&mut digest, &beside),
                };
                if found.is_none() {
                    digest.update(word);
                }
                digest.update([0]);
            }
        }
        Kind::Url { .. } => return None,
    }
    Some(digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// Adds what is in a regular file, and nothing of another.
fn digest_file(digest: &mut Sha256, path: &Path) -> Option<()> {
    let (file, len) = files::regular(path).ok()?;
    if len > READ_BYTES_MAX {
        let about = file.metadata().ok()?;
        [len as i64, about.mtime(), about.mtime_nsec()]
            .iter()
            .for_each(|number| digest.update(number.to_le_bytes()));
        return Some(());
    }
    // One of /proc has no length, and one that is written to may grow meanwhile.
    let (mut file, mut piece) = (file.take(READ_BYTES_MAX), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece).ok()? {
            0 => return Some(()),
            n => digest.update(&piece[..n]),
        }
    }
}

/// The program that a bare name stands for.
fn in_path(name: &str) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::judge::mock;
    use crate::record::{Fingerprint, trial_line};
    use crate::scenario::parse;

    #[test]
    fn a_torn_last_line_in_whatever_bytes_loses_itself_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.jsonl");
        let trials = mock::payments(6, &mock::MODELS[..1]).trials;
        let [first, second] = [&trials[0], &trials[1]].map(|trial| trial_line(trial) + "\n");
        let cut = &second.as_bytes()[..second.len() / 2];
        for torn in [cut, b"\xff\xfe{", b"\0\0\0\0\n", b"", second.trim_end().as_bytes()] {
            fs::write(&path, [first.as_bytes(), torn].concat()).unwrap();
            let mut journal = Journal::resume(folder.path()).unwrap();
            assert!(
                journal.finished.iter().map(trial_line).eq([trial_line(&trials[0])]),
                "{torn:?}"
            );
            journal.keep(&trials[1]).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), first.clone() + &second);
        }
        let told = |text: String| {
            fs::write(&path, text).unwrap();
            Journal::resume(folder.path()).unwrap_err().to_string()
        };
        let said = told(["\u{fffd}\n", &first].concat());
        assert!(said.contains("trials.jsonl:1 is not a trial"), "{said}");
        let said = told([&*first, "{\"scenario\": \"", &"x".repeat(2 << 20)].concat());
        assert!(said.contains("line 2 has a string of over"), "{said}");
    }

    #[test]
    fn what_is_held_back_touches_no_file_and_loses_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name));
        let (old, trials) =
            ("{\"schema\":\"bakeoff.gate/1\"}", mock::payments(6, &mock::MODELS[..1]).trials);
        for name in ["gate.json", "trials.jsonl", PILOTS] {
            fs::write(folder.path().join(name), old).unwrap();
        }
        let mut journal = Journal::held_back(folder.path());
        journal.keep(&trials[0]).unwrap();
        for name in ["gate.json", "trials.jsonl", PILOTS] {
            assert_eq!(read(name).unwrap(), old);
        }
        journal.write_down().unwrap();
        journal.keep(&trials[1]).unwrap();
        assert!(read("gate.json").is_err() && read(PILOTS).is_err(), "the old report is gone");
        let lines = trials[..2].iter().map(|trial| trial_line(trial) + "\n");
        assert_eq!(read("trials.jsonl").unwrap(), lines.collect::<String>());
    }

    #[test]
    fn a_run_goes_on_with_the_same_programs_and_a_shard_on_the_same_machine_only() {
        let folder = tempfile::tempdir().unwrap();
        let with = |digest: &str, shard: Option<&str>, boot_id: &str| Begun {
            schema: record::BEGUN_SCHEMA.into(),
            order_seed: 1,
            started_utc: String::new(),
            fingerprint: Fingerprint::default(),
            contenders: vec![ContenderFiles {
                scenario: "a".into(),
                contender: "one".into(),
                digest: Some(digest.into()),
            }],
            calibrations: Vec::new(),
            words: Vec::new(),
            shard: shard.map(|shard| shard.parse().unwrap()),
            boot_id: boot_id.into(),
        };
        let told = |now: &Begun| begun(folder.path(), now).unwrap_err().to_string();
        let whole = with("0123", None, "here");
        begin(folder.path(), &whole).unwrap();
        assert_eq!(begun(folder.path(), &whole).unwrap(), whole);
        begun(folder.path(), &with("0123", None, "elsewhere")).unwrap();
        let said = told(&with("4567", None, "here"));
        assert!(said.contains("was started with another build of `one`"), "{said}");
        let said = told(&with("0123", Some("2/3"), "here"));
        assert!(said.contains("was started with another --shard, or without one"), "{said}");

        let shard = with("0123", Some("2/3"), "here");
        begin(folder.path(), &shard).unwrap();
        assert_eq!(begun(folder.path(), &shard).unwrap(), shard);
        for other in [None, Some("1/3")] {
            let said = told(&with("0123", other, "here"));
            assert!(said.contains("was started with another --shard"), "{said}");
        }
        let said = told(&with("0123", Some("2/3"), "elsewhere"));
        assert!(said.contains("all rounds of shard 2/3 are run on one machine"), "{said}");
    }

    #[test]
    fn a_rebuilt_file_of_a_command_changes_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let server = folder.path().join("server");
        let put = |text: &str| std::fs::write(&server, text).unwrap();
        let scenario = format!(
            "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"http\"\n\
             experiment.compare.rates = [\"100/s\"]\n[[route]]\nname = \"a\"\npath = \"/\"\n\
             [contender.one]\ncommand = [\"sh\", \"{}\", \"{{port}}\"]\n\
             [contender.two]\nurl = \"http://127.0.0.1:1/\"\n",
            server.display()
        );
        put("one");
        let scenario = parse("a.toml", &scenario).unwrap();
        let of = |place: usize| program_digest(&scenario.contenders[place]);
        let before = of(0).expect("a command has one");
        assert_eq!((before.len(), of(0).as_ref()), (16, Some(&before)));
        put("two");
        assert_ne!(of(0).unwrap(), before);
        assert_eq!(of(1), None);
        // A sparse file of a terabyte, which is not read, and a file without an end.
        let huge = std::fs::File::create(&server).unwrap();
        huge.set_len(1 << 40).unwrap();
        let at = |seconds| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        huge.set_modified(at(1)).unwrap();
        let before = of(0);
        assert_eq!(of(0), before);
        huge.set_modified(at(2)).unwrap();
        assert_ne!(of(0), before);
        assert_eq!(digest_file(&mut Sha256::new(), Path::new("/dev/zero")), None);
        assert!(in_path("sh").is_some() && in_path("no-such-program-of-ours").is_none());
    }
}
