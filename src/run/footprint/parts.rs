//! What has to be on a machine for a contender to run: its own files, what runs them, and what those are linked with.
//! Three parts that are never added up unsaid.

use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use crate::error::{Context, Error, Result};
use crate::run::footprint::image::Packed;
use crate::run::host::Host;
use crate::scenario::{Contender, Kind, Setup};

/// Files of a payload: a tree that is larger was named by mistake.
const FILES_MAX: usize = 200_000;
/// Where a payload is in an image.
const APP: &str = "app";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// What is deployed: a program of its own, or the files that a runtime runs.
    pub(crate) payload: Vec<Packed>,
    /// The program that runs the payload, where the payload is none itself.
    pub(crate) runtime: Vec<Packed>,
    /// The shared libraries and the loader that the program is linked with; `None` where that could not be found out.
    pub(crate) base: Option<Vec<Packed>>,
    /// What a reader of its size should know.
    pub(crate) note: String,
}

impl Parts {
    /// The parts of `contender`; `stripped` is where a copy of this program without its symbols goes.
    pub(crate) fn of(contender: &Contender, stripped: &Path) -> Result<Self> {
        match &contender.kind {
            Kind::Command { argv, setup } => Self::of_command(argv, setup),
            Kind::BuiltIn(_) | Kind::Url { .. } => Self::of_model(stripped),
        }
    }

    /// A built-in model: this very program, in the form in which one would deploy it.
    fn of_model(stripped: &Path) -> Result<Self> {
        let own = Host::own_program()?;
        let found = static_build(&own);
        let program = found.clone().unwrap_or(own);
        let to_strip = Command::new("strip").arg("-o").arg(stripped).arg(&program).output();
        let is_stripped = to_strip.is_ok_and(|output| output.status.success());
        let program = if is_stripped { stripped.to_owned() } else { program };
        let base = libraries(&program);
        let what = match (&found, base.as_deref()) {
            (Some(_), Some([])) | (None, Some([])) => "static",
            _ => "linked with glibc (no static build of it is beside it)",
        };
        let symbols = if is_stripped { "stripped" } else { "not stripped: there is no `strip`" };
        Ok(Self {
            payload: vec![Packed { at: format!("{APP}/bakeoff"), from: program }],
            runtime: Vec::new(),
            base,
            note: format!("all of bakeoff, {symbols}, {what}"),
        })
    }

    /// A program by command: what lies at a path is deployed, what is found on PATH or beside a payload runs it.
    fn of_command(argv: &[String], setup: &Setup) -> Result<Self> {
        let [program, ..] = argv else { return Ok(Self::default()) };
        let by_path = program.contains('/');
        let named = match setup.payload.as_slice() {
            [] if by_path => std::slice::from_ref(program),
            named => named,
        };
        let mut payload = Vec::new();
        for path in named {
            let Packed { at, from } = placed(&setup.folder.join(path));
            walk(&from, &at, &mut payload)
                .usage(|| format!("cannot read the payload {}", from.display()))?;
        }
        payload.sort();
        let at_path = placed(&setup.folder.join(program)).from;
        let own = by_path && payload.iter().any(|file| file.from == at_path);
        let located = if by_path { at_path } else { on_path(program)? };
        let runtime = Packed { at: without_root(&located), from: real(&located) };
        let note = match (payload.is_empty(), own) {
            (true, _) => "the scenario does not name its payload".into(),
            (false, true) => "its own program, as it was built".into(),
            (false, false) => format!("run by {}", located.display()),
        };
        Ok(Self {
            payload,
            base: libraries(&runtime.from),
            runtime: if own { Vec::new() } else { vec![runtime] },
            note,
        })
    }
}

/// The bytes of files; a link counts as what it says.
pub(crate) fn bytes(files: &[Packed]) -> Result<u64> {
    let size = |file: &Packed| fs::symlink_metadata(&file.from).map(|about| about.len());
    let sizes = files.iter().map(size).sum::<io::Result<u64>>();
    sizes.usage(|| "cannot look at the files of a contender".into())
}

/// A build of this program without shared libraries, where cargo puts one: for musl, or for glibc with `+crt-static`.
fn static_build(own: &Path) -> Option<PathBuf> {
    let (profile, target) = (own.parent()?, own.parent()?.parent()?);
    let arch = std::env::consts::ARCH;
    let build = |rest: &str| {
        let folder = target.join(format!("{arch}-{rest}"));
        Some(folder.join(profile.file_name()?).join("bakeoff"))
    };
    let built = ["unknown-linux-musl", "unknown-linux-gnu"].into_iter().filter_map(build);
    let is_static = |path: &PathBuf| libraries(path).is_some_and(|linked| linked.is_empty());
    built.filter(|path| path.is_file()).find(is_static)
}

/// What `program` is linked with, at the paths where its loader looks: none of a static one. `None` without `ldd`.
fn libraries(program: &Path) -> Option<Vec<Packed>> {
    let output = Command::new("ldd").arg(program).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x..)`, and the loader without an arrow.
    let path = |line: &str| {
        let named = line.split_once("=>").map_or(line, |(_, path)| path).trim();
        let path = named.split(" (0x").next()?;
        path.starts_with('/').then(|| PathBuf::from(path))
    };
    let mut files: Vec<Packed> = text
        .lines()
        .filter_map(path)
        .map(|path| Packed { at: without_root(&path), from: real(&path) })
        .collect();
    files.sort();
    files.dedup();
    Some(files)
}

/// Adds a file, or every file below a folder.
fn walk(from: &Path, at: &str, files: &mut Vec<Packed>) -> io::Result<()> {
    if !fs::symlink_metadata(from)?.is_dir() {
        files.push(Packed { at: at.to_owned(), from: from.to_owned() });
        return match files.len() > FILES_MAX {
            true => Err(io::Error::other(format!("it has more than {FILES_MAX} files"))),
            false => Ok(()),
        };
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        walk(&entry.path(), &format!("{at}/{}", name.to_string_lossy()), files)?;
    }
    Ok(())
}

fn on_path(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(program));
    places
        .find(|place| place.is_file())
        .ok_or_else(|| Error::usage(format!("there is no program `{program}` on PATH")))
}

/// A named part of a payload and its place in an image.
fn placed(path: &Path) -> Packed {
    let from = plain(path);
    let name = from.file_name().unwrap_or_default().to_string_lossy();
    Packed { at: format!("{APP}/{name}"), from }
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn without_root(path: &Path) -> String {
    path.display().to_string().trim_start_matches('/').to_owned()
}

/// Without `..` and `.`.
fn plain(path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = whole.pop(),
            Component::CurDir => (),
            part => whole.push(part),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Ready;
    use crate::units::Nanos;

    fn setup(folder: &Path, payload: &[&str]) -> Setup {
        Setup {
            payload: payload.iter().map(|path| (*path).to_owned()).collect(),
            folder: folder.join("scenarios"),
            ..Setup::plain(Ready::Tcp, Nanos::SECOND)
        }
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_program_by_path_is_the_payload_and_one_of_the_system_runs_it() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        fs::create_dir_all(folder.join("dist/lib")).unwrap();
        fs::write(folder.join("dist/main.js"), "12345").unwrap();
        fs::write(folder.join("dist/lib/a.js"), "1234567").unwrap();

        // A script stands for a program without libraries.
        let argv = words(&["../dist/main.js", "--port", "{port}"]);
        let own = Parts::of_command(&argv, &setup(folder, &[])).unwrap();
        assert_eq!((own.payload.len(), bytes(&own.payload).unwrap()), (1, 5));
        assert!(own.runtime.is_empty());
        assert_eq!(own.payload[0].at, "app/main.js");

        let argv = words(&["sh", "../dist/main.js", "http"]);
        let run = Parts::of_command(&argv, &setup(folder, &["../dist"])).unwrap();
        let places: Vec<_> = run.payload.iter().map(|file| file.at.as_str()).collect();
        assert_eq!(places, ["app/dist/lib/a.js", "app/dist/main.js"]);
        assert_eq!(bytes(&run.payload).unwrap(), 12);
        assert!(bytes(&run.runtime).unwrap() > 10_000, "{:?}", run.runtime);
        assert!(run.runtime[0].at.ends_with("/sh"), "{:?}", run.runtime);
        let libraries = run.base.as_ref().expect("this machine has ldd");
        assert!(libraries.iter().all(|file| file.from.is_file() && !file.at.starts_with('/')));
        assert!(!libraries.iter().any(|file| run.payload.contains(file)), "parts are apart");

        // Beside the payload, by a link: the same program.
        fs::create_dir(folder.join("bin")).unwrap();
        std::os::unix::fs::symlink(&run.runtime[0].from, folder.join("bin/js")).unwrap();
        let argv = words(&["../bin/js", "../dist/main.js", "http"]);
        let beside = Parts::of_command(&argv, &setup(folder, &["../dist"])).unwrap();
        assert_eq!((&beside.payload, &beside.base), (&run.payload, &run.base));
        assert_eq!(beside.runtime[0].from, run.runtime[0].from);
        assert!(beside.note.starts_with("run by ") && beside.note.ends_with("/bin/js"));
        let argv = words(&["../dist/main.js"]);
        let within = Parts::of_command(&argv, &setup(folder, &["../dist"])).unwrap();
        assert!(within.payload == run.payload && within.runtime.is_empty(), "{within:?}");

        let error = Parts::of_command(&argv, &setup(folder, &["../gone"])).unwrap_err().to_string();
        assert!(error.contains("cannot read the payload") && error.contains("gone"), "{error}");
    }

    #[test]
    fn a_model_is_this_program_without_its_symbols() {
        let scratch = tempfile::tempdir().unwrap();
        let parts = Parts::of_model(&scratch.path().join("stripped")).unwrap();
        let own = fs::metadata(std::env::current_exe().unwrap()).unwrap().len();
        let size = bytes(&parts.payload).unwrap();
        assert!(size <= own && size > 1_000_000, "{size} of {own}");
        assert_eq!(parts.payload[0].at, "app/bakeoff");
        assert!(parts.note.contains("all of bakeoff"), "{}", parts.note);
    }
}
