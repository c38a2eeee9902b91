//! What a new user types first: the first screen, a look at the machine, a scenario of one's own, and how it is run.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

const BAKEOFF: &str = env!("CARGO_BIN_EXE_bakeoff");

fn bakeoff(dir: &TempDir, args: &[&str]) -> Output {
    Command::new(BAKEOFF).args(args).current_dir(dir).output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A server in other hands, ended with the test.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn start() -> Self {
        let mut child = Command::new(BAKEOFF)
            .args(["serve", "--model", "event-loop", "--die-with-parent"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening ").expect("that is what it says");
        Self { url: format!("http://{address}/null"), child }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whatever the figures of a busy machine are judged to be, everything was done and written.
fn ran(dir: &TempDir, file: &str) {
    let done = bakeoff(dir, &["run", file, "--smoke", "--quiet", "--out", "report"]);
    let code = done.status.code();
    assert!(matches!(code, Some(0 | 3 | 4 | 5)), "{code:?}: {}", text(&done.stderr));
    let result = fs::read_to_string(dir.path().join("report/result.json")).unwrap();
    assert!(result.contains("\"contender\": \"mine\""), "{result:.2000}");
    assert!(!text(&done.stdout).lines().any(|line| line.chars().count() > 80));
}

#[test]
fn a_scenario_for_a_server_that_runs_is_written_once_and_runs() {
    let (dir, server) = (TempDir::new().unwrap(), Served::start());
    let init = ["init", "--url", &server.url];
    let done = bakeoff(&dir, &init);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stdout).contains("bakeoff run my-service.toml"));
    let file = dir.path().join("my-service.toml");
    let written = fs::read_to_string(&file).unwrap();
    let again = bakeoff(&dir, &init);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("my-service.toml is there already"));
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
    ran(&dir, "my-service.toml");
}

#[test]
fn a_scenario_for_a_server_that_is_started_runs() {
    let dir = TempDir::new().unwrap();
    let command = format!("{BAKEOFF} serve --model null --port {{port}}");
    let done = bakeoff(&dir, &["init", "--command", &command, "--out", "null.toml"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    ran(&dir, "null.toml");
}

#[test]
fn a_program_that_is_not_there_is_told_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    let done = bakeoff(&dir, &["init", "--command", "./serv --port {port}"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("there is no program `./serv`"), "{}", text(&done.stderr));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}

#[test]
fn the_doctor_ends_with_0_whatever_it_finds_and_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let done = bakeoff(&dir, &["doctor", "--format", "json"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let state =
        |name: &str| checks.iter().find(|one| one["check"] == name).unwrap()["state"].clone();
    assert_eq!(state("this build"), if cfg!(debug_assertions) { "fix" } else { "fine" });
    assert!(checks.len() >= 15);
}

#[test]
fn the_schemas_are_those_of_the_repository() {
    let dir = TempDir::new().unwrap();
    let here = |path: &str| fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR")));
    for (of, path) in [
        ("scenario", "scenarios/bakeoff.schema.json"),
        ("result", "contracts/result.schema.json"),
        ("gate", "contracts/gate.schema.json"),
        ("bisect", "contracts/bisect.schema.json"),
        ("ledger", "contracts/ledger.schema.json"),
        ("decision", "contracts/decision.schema.json"),
    ] {
        assert_eq!(text(&bakeoff(&dir, &["schema", of]).stdout), here(path).unwrap());
    }
}

#[test]
fn no_verb_is_the_first_screen_and_a_usage_error() {
    let dir = TempDir::new().unwrap();
    let done = bakeoff(&dir, &[]);
    assert_eq!(done.status.code(), Some(2));
    let help = bakeoff(&dir, &["--help"]);
    assert!(help.status.success());
    assert_eq!(text(&done.stderr), text(&help.stdout), "the same screen");
}

/// `bakeoff .. | head -1`: whoever read enough has gone away, and nobody complains.
#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let result = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/result.json");
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["list"],
        &["schema", "scenario"],
        &["completions", "bash"],
        &["man"],
        &["report", result],
        &["report", result, "--format", "json"],
    ] {
        let mut child = Command::new(BAKEOFF)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let result = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/result.json");
    let coloured = |variables: &[&str]| {
        let mut command = Command::new(BAKEOFF);
        command.args(["report", result]).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command.envs(variables.iter().map(|name| (name, "1")));
        text(&command.output().unwrap().stdout).contains('\x1b')
    };
    assert!(!coloured(&[]) && coloured(&["CLICOLOR_FORCE"]));
    assert!(!coloured(&["CLICOLOR_FORCE", "NO_COLOR"]), "who wants none has none");
}
