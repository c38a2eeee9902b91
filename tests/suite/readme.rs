//! Every command of the README and of `docs/`, as it stands there: each parses, and each runs at smoke size unless it is
//! in a short list with the reason.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;

const BAKEOFF: &str = env!("CARGO_BIN_EXE_bakeoff");
/// What README.md and `docs/` show of the ledger: this version must be able to read it.
const KEPT_LEDGER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/reports/reference/ledger/ledger.json");

/// Commands that only parse here, and why; with ` ..` at the end all that start so.
const NOT_RUN: &[(&str, &str)] = &[
    ("bakeoff run", "the tour takes a minute; the tests of `run` run it"),
    ("bakeoff run scenarios/..", "takes hours; experiments.rs runs a folder"),
    ("bakeoff run go-vs-node-..", "needs contenders/build; tests/conformance runs the servers"),
    ("bakeoff run footprint", "needs contenders/build; its parts have tests of their own"),
    ("bakeoff doctor --hosts ..", "needs other hosts; hosts.rs has three on this one"),
    ("bakeoff run payment-memory --hosts ..", "needs other hosts; hosts.rs has three on this one"),
    (
        "bakeoff run payment-memory --rounds 12 --shard ..",
        "minutes on each machine; merge.rs runs two",
    ),
    ("bakeoff merge ..", "needs shards; merge.rs has two"),
    ("bakeoff conform ..", "needs a server; tests/conformance makes its checks"),
    ("bakeoff selftest", "takes two minutes; selftest.rs runs the quick one"),
    ("bakeoff selftest --quick", "takes a minute; selftest.rs runs it"),
    ("bakeoff decide ..", "takes four minutes; it has tests of its own"),
    ("bakeoff drive http://127.0.0.1:8080/ --slo ..", "takes minutes; drive.rs runs it"),
    ("bakeoff drive https://..", "needs a server with a certificate; tls.rs runs it"),
    ("bakeoff drive unix:..", "needs a server on a socket; drive.rs runs it"),
    ("bakeoff probe postgres ..", "needs a database; postgres/ runs it"),
    (
        "bakeoff chart reports/my-service --kind flame..",
        "needs profiles of a run; the charts' tests draw them",
    ),
    (
        "bakeoff chart reports/my-service --kind layers..",
        "needs profiles of a run; the charts' tests draw them",
    ),
    ("bakeoff bisect ..", "takes minutes and many builds; bisect.rs runs it"),
    ("bakeoff gate ..", "takes minutes and two builds; it has tests of its own"),
];

/// README.md and the pages of `docs/`, in the order in which people read them.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md")];
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    paths.extend(docs.filter(|path| path.extension().is_some_and(|it| it == "md")));
    paths.sort();
    let read =
        |path: &std::path::PathBuf| (path.display().to_string(), fs::read_to_string(path).unwrap());
    paths.iter().map(read).collect()
}

/// The commands of a page: lines of its code blocks that start with `bakeoff`, or with `cargo run` in its place, without
/// what is said about them behind two blanks or a `#`.
fn commands(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        let code = if fenced { Some(line) } else { line.strip_prefix("    ") };
        let command = code.map(|code| code.replace("cargo run --release -- ", "bakeoff "));
        let Some(command) = command.filter(|it| it == "bakeoff" || it.starts_with("bakeoff "))
        else {
            continue;
        };
        let end = [command.find("  "), command.find(" #")].into_iter().flatten().min();
        found.push(command[..end.unwrap_or(command.len())].to_owned());
    }
    found
}

/// As a shell splits it: blanks separate, single quotes hold together.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, part) in command.split('\'').enumerate() {
        match place % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

fn not_run(command: &str) -> bool {
    NOT_RUN.iter().any(|(entry, _)| is(command, entry))
}

fn is(command: &str, entry: &str) -> bool {
    entry.strip_suffix("..").map_or(command == entry, |start| command.starts_with(start))
}

#[test]
fn every_command_parses() {
    let mut all = 0;
    for (page, text) in pages() {
        for command in commands(&text) {
            all += 1;
            if let Err(error) = bakeoff::cli::command().try_get_matches_from(words(&command)) {
                panic!("{page}: {command}\n{error}");
            }
        }
    }
    assert!(all > 25, "{all} commands: they are not where they were");
}

#[test]
fn what_is_not_run_is_still_there() {
    let all: Vec<String> = pages().iter().flat_map(|(_, text)| commands(text)).collect();
    for (entry, reason) in NOT_RUN {
        assert!(all.iter().any(|command| is(command, entry)), "{entry} ({reason})");
    }
}

#[test]
fn every_command_runs() {
    let dir = TempDir::new().unwrap();
    let stored = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/result.json");
    let report = dir.path().join("reports/tour/2026-11-24T04-09-53Z");
    fs::create_dir_all(&report).unwrap();
    fs::copy(stored, report.join("result.json")).unwrap();
    let ledger = dir.path().join("reports/ledger/2026-11-24T04-09-53Z");
    for folder in [&ledger, &dir.path().join("first"), &dir.path().join("second")] {
        fs::create_dir_all(folder).unwrap();
        fs::copy(KEPT_LEDGER, folder.join("ledger.json")).unwrap();
    }
    fs::write(dir.path().join("access.log"), "0.01\n0.02\n0.05\n").unwrap();
    let (mut server, port) = listening(&words("bakeoff serve --model null"));
    let mut done: Vec<String> = Vec::new();
    let mut races = Vec::new();
    for (page, text) in pages() {
        for command in commands(&text) {
            if not_run(&command) || done.contains(&command) {
                continue;
            }
            let mut words = words(&command.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}")));
            small(&mut words);
            match words[1].as_str() {
                "run" => races.push((page.clone(), command.clone(), words)),
                _ => {
                    ran(&dir, &words).unwrap_or_else(|why| panic!("{page}: {command}: {why}"));
                }
            }
            done.push(command);
        }
    }
    at_once(&dir, &races);
    end(&mut server);
    assert!(done.len() > 20, "{done:?}");
}

/// Races wait more than they work, and what they find does not count here: a few at a time, after everything that writes
/// the files that they read.
fn at_once(dir: &TempDir, races: &[(String, String, Vec<String>)]) {
    let next = AtomicUsize::new(0);
    let in_turn = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some((page, command, words)) = races.get(place) else { return };
            let mut words = words.clone();
            // Two that start in the same second would be of the same folder.
            if !words.iter().any(|word| word == "--out" || word == "--resume") {
                words.extend(["--out".to_owned(), format!("races/{place}")]);
            }
            ran(dir, &words).unwrap_or_else(|why| panic!("{page}: {command}: {why}"));
        }
    };
    thread::scope(|scope| {
        (0..4).for_each(|_| {
            scope.spawn(in_turn);
        });
    });
}

/// Makes a command take seconds.
fn small(words: &mut Vec<String>) {
    let has = |words: &[String], flag: &str| words.iter().any(|word| word == flag);
    let short: &[&str] = match words[1].as_str() {
        "run" => &["--smoke", "--duration=100ms", "--warm-up=20ms"],
        "drive" => &["--duration=200ms"],
        _ => &[],
    };
    let wanted = |flag: &&&str| !has(words, flag.split('=').next().unwrap_or(flag));
    let more: Vec<String> = short.iter().filter(wanted).map(|&flag| flag.to_owned()).collect();
    words.extend(more);
    // Within that time.
    if let Some(spike) = words.iter().position(|word| word == "--spike") {
        words[spike + 1] = "x5@50ms+50ms".into();
    }
}

/// Figures of a busy machine may be judged anyhow; an error, a usage error or a panic is one.
fn ran(dir: &TempDir, words: &[String]) -> Result<(), String> {
    if matches!(words[1].as_str(), "serve" | "standin") {
        let (mut server, _) = listening(words);
        end(&mut server);
        return Ok(());
    }
    let done = Command::new(BAKEOFF).args(&words[1..]).current_dir(dir).output().unwrap();
    match done.status.code() {
        Some(0 | 3 | 4 | 5) => Ok(()),
        code => Err(format!("ended with {code:?}: {}", String::from_utf8_lossy(&done.stderr))),
    }
}

/// Starts what serves until it is ended; gives its port.
fn listening(words: &[String]) -> (Child, String) {
    let mut child = Command::new(BAKEOFF)
        .args(&words[1..])
        .arg("--die-with-parent")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().strip_prefix("listening 127.0.0.1:");
    (child, port.unwrap_or_else(|| panic!("{words:?} said {line:?}")).to_owned())
}

fn end(server: &mut Child) {
    let _ = server.kill();
    let _ = server.wait();
}

#[test]
fn commands_are_found_with_their_words() {
    let page = "text\n\n    bakeoff run a.toml   one\n    cargo run --release -- run   # the tour\n\n```sh\nbakeoff drive http://x/ --header 'a: b'\n```\n    diff a b\n";
    let found = commands(page);
    assert_eq!(
        found,
        ["bakeoff run a.toml", "bakeoff run", "bakeoff drive http://x/ --header 'a: b'"]
    );
    assert_eq!(words(&found[2])[4..], ["a: b"]);
    assert!(
        not_run("bakeoff run")
            && !not_run("bakeoff run a.toml")
            && not_run("bakeoff decide --cpu 1ms")
    );
}
