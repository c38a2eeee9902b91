//! `bakeoff gate` from end to end, at small size: that it finds what is there, blames whom it must, and writes what CI
//! systems read. Python's standard library has the servers; where there is no python3 the tests say that they are
//! skipped.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use bakeoff::judge::gate::judge;
use bakeoff::record::gate::{FaultKind, GateResult, Outcome, Purpose, Verdict, from_json};
use tempfile::TempDir;

use crate::{python, skipped};

/// A gate on a busy machine of two cores.
const PATIENCE: Duration = Duration::from_secs(120);
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/gate");

/// A folder with a scenario, its history and its report.
struct Gate {
    folder: TempDir,
    python: &'static str,
}

impl Gate {
    /// A scenario of anyone's service with these contenders; nothing without Python. Its margin is wide, so that even on a
    /// restless machine its metric is gated; what is worse here is worse many times over.
    fn of(contenders: &str) -> Option<Self> {
        let route =
            "workload = \"http\"\nroute = [{ name = \"greet\", path = \"/hello/{int:1..100}\" }]\n";
        Self::new(route, contenders)
    }

    fn new(workload: &str, contenders: &str) -> Option<Self> {
        let python = python()?;
        let folder = tempfile::tempdir().unwrap();
        let contenders = contenders.replace("PYTHON", python).replace("DATA", DATA);
        let text = format!(
            "schema = 1\nname = \"small\"\ntitle = \"A small gate\"\nplacement.mode = \"shared\"\n{workload}{contenders}\n\
             [load.open]\nwarm_up = \"none\"\nduration = \"150ms\"\nconnections = 40\n\
             [slo]\np99 = \"60ms\"\n\
             [gate]\nrate = \"300/s\"\nbudget = \"60s\"\nmetrics = [\"cpu_per_request\"]\n\
             margin = {{ cpu_per_request = \"50%\" }}\n"
        );
        fs::write(folder.path().join("small.toml"), text).unwrap();
        Some(Self { folder, python })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
        // Nothing from the environment of whoever runs the tests, and least of all from a CI system.
        for (name, _) in std::env::vars() {
            if name.starts_with("BAKEOFF_") || name.starts_with("GITHUB_") {
                command.env_remove(name);
            }
        }
        command.arg("gate").arg(self.path("small.toml")).args(args).stdin(Stdio::null());
        command
            .arg("--force")
            .arg("--out")
            .arg(self.path("out"))
            .arg("--history")
            .arg(self.path("history.jsonl"));
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary starts")
    }

    fn result(&self) -> GateResult {
        let text = fs::read_to_string(self.path("out/gate.json")).expect("there is a gate.json");
        from_json(&text).expect("it is of this schema")
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A gate that the machine lets decide.
fn decided(gate: &Gate, run: impl Fn() -> Output) -> Option<(Output, GateResult)> {
    crate::undisturbed(2, || {
        let _ = fs::remove_file(gate.path("history.jsonl"));
        let output = run();
        let result = gate.result();
        let void = result.judgement.verdict == Verdict::Invalid
            && result.judgement.void_rounds > result.plan.rounds_max / 4;
        let line = result.judgement.line.clone();
        let cut = ["when the budget ended", "nothing left to gate"];
        match void || cut.iter().any(|said| line.contains(said)) {
            true => Err(line),
            false => Ok((output, result)),
        }
    })
}

const GREETERS: &str = "\
[contender.base]\ncommand = [\"PYTHON\", \"DATA/server.py\", \"{port}\"]\n\
[contender.head]\ncommand = [\"PYTHON\", \"DATA/server.py\", \"{port}\", \"--spin\", \"40000\"]\n";

#[test]
fn a_foreign_service_is_gated_and_the_verdict_follows_from_its_rounds() {
    let Some(gate) = Gate::of(GREETERS) else { return };
    let (summary, outputs) = (gate.path("summary"), gate.path("outputs"));
    let run = || {
        fs::write(&outputs, "earlier=1\n").unwrap();
        let _ = fs::remove_file(&summary);
        let mut command = gate.command(&["--baseline", "base", "--candidate", "head"]);
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
        command.env("GITHUB_OUTPUT", &outputs).output().unwrap()
    };
    let Some((output, result)) = decided(&gate, run) else { return };
    assert!(stderr(&output).contains("The gate takes 12 to 40 rounds"), "{}", stderr(&output));
    assert_eq!(judge(&result.plan, &result.rounds), result.judgement, "made anew from the file");
    assert_eq!(code(&output), 3, "{}\n{}", stdout(&output), stderr(&output));
    assert_eq!(result.judgement.verdict, Verdict::Regressed);
    let metric = &result.judgement.metrics[0];
    assert_eq!(metric.outcome, Outcome::Regressed);
    assert!(metric.medians[1] > metric.medians[0], "in us: {:?}", metric.medians);
    let orders = |first| result.rounds.iter().filter(|round| round.baseline_first == first).count();
    assert_eq!(orders(true) + orders(false), result.rounds.len());
    let trials = fs::read_to_string(gate.path("out/trials.jsonl")).unwrap();
    assert!(trials.lines().count() >= 2 * result.judgement.rounds as usize);
    assert!(stdout(&output).starts_with("REGRESSED (cpu/request +"), "{}", stdout(&output));
    // What GitHub reads.
    assert!(
        stderr(&output).contains("::error title=bakeoff gate::REGRESSED"),
        "{}",
        stderr(&output)
    );
    let outputs = fs::read_to_string(outputs).unwrap();
    assert!(outputs.starts_with("earlier=1\nverdict=regressed\nexit-code=3\n"), "{outputs}");
    let summary = fs::read_to_string(summary).unwrap();
    assert!(summary.starts_with("# bakeoff gate: small\n\n**REGRESSED ("), "{summary}");
    the_other_formats_read(&gate);
}

/// Each format by a reader that is not ours.
fn the_other_formats_read(gate: &Gate) {
    let read = |name: &str| fs::read_to_string(gate.path("out").join(name)).unwrap();
    let junit = read("junit.xml");
    let junit = roxmltree::Document::parse(&junit).unwrap();
    assert_eq!(junit.root_element().attribute("failures"), Some("2"));
    let json = |name: &str| serde_json::from_str::<serde_json::Value>(&read(name)).unwrap();
    assert!(json("bencher.json")["small"]["cpu-per-request"]["value"].is_f64());
    assert_eq!(json("benchmark-smaller-is-better.json")[0]["unit"], "us");
    assert_eq!(json("benchmark-bigger-is-better.json"), serde_json::json!([]));
    let history = fs::read_to_string(gate.path("history.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(history.trim()).unwrap();
    assert_eq!((&line["verdict"], &line["purpose"]), (&"regressed".into(), &"gate".into()));
}

#[test]
fn a_calibration_tells_the_next_gate_what_it_can_see() {
    let Some(gate) = Gate::of(GREETERS) else { return };
    let text = fs::read_to_string(gate.path("small.toml")).unwrap();
    fs::write(gate.path("small.toml"), text.replace("budget = \"60s\"\n", "")).unwrap();
    let run = || gate.run(&["--calibrate", "--baseline", "base"]);
    let Some((output, result)) = decided(&gate, run) else { return };
    assert_eq!(result.about.purpose, Purpose::Calibration);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(result.judgement.rounds, 12, "all of them, whatever the looks say");
    // Stopped at its first round: what it can see is said before.
    let mut child = gate
        .command(&["--baseline", "base", "--candidate", "head"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let told = |said: &str| {
        said.contains("cpu/request catches 8 of 10 at +") || said.contains("NOT GATED")
    };
    let mut said = String::new();
    while !told(&said) && stderr.read_line(&mut said).unwrap() > 0 {}
    assert!(told(&said), "{said}");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let asked = Instant::now();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(asked.elapsed() < PATIENCE);
    let history = fs::read_to_string(gate.path("history.jsonl")).unwrap();
    assert_eq!(history.lines().count(), 1, "an interrupted gate is none");
}

#[test]
fn a_candidate_that_crashes_has_regressed_and_a_baseline_that_does_is_broken() {
    let crash = |name: &str| {
        format!("[contender.{name}]\ncommand = [\"PYTHON\", \"-c\", \"raise SystemExit(7)\"]\n")
    };
    let good = |name: &str| {
        format!("[contender.{name}]\ncommand = [\"PYTHON\", \"DATA/server.py\", \"{{port}}\"]\n")
    };
    let Some(gate) = Gate::of(&(good("base") + &crash("head"))) else { return };
    if let Some((output, result)) = decided(&gate, || gate.run(&[])) {
        // A round that the machine made void blames nobody and is run again.
        let counted = result.rounds.iter().filter(|round| round.void.is_none());
        let faults = counted.flat_map(|round| &round.candidate.faults);
        let blamed: Vec<FaultKind> = faults.map(|fault| fault.kind).collect();
        assert_eq!(blamed, [FaultKind::Crashed]);
        assert_eq!(code(&output), 3, "{}", stderr(&output));
        let line = &result.judgement.line;
        assert!(line.starts_with("REGRESSED: the candidate crashed in round"), "{line}");
        assert!(line.contains("exit status 7"), "{line}");
    }
    drop(gate);

    // Twice the same, so that there is nothing to find: said once, and then it is the baseline that is to blame.
    let Some(gate) = Gate::of(&(crash("base") + &crash("head"))) else { return };
    let output = gate.run(&[]);
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    let line = gate.result().judgement.line;
    assert!(line.starts_with("INVALID: the baseline is broken: it crashed in round 1"), "{line}");
    assert!(stderr(&output).contains("are the same build"), "{}", stderr(&output));
}

/// A gate that has said `what`, and is interrupted then.
fn interrupted_after(gate: &Gate, what: &str) -> GateResult {
    let mut child = gate.command(&[]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains(what) && stderr.read_line(&mut said).unwrap() > 0 {}
    assert!(said.contains(what), "{said}");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    gate.result()
}

#[test]
fn a_rate_that_an_interrupt_left_untried_is_not_said_to_be_borne() {
    let Some(gate) = Gate::of(GREETERS) else { return };
    let text = fs::read_to_string(gate.path("small.toml")).unwrap();
    fs::write(gate.path("small.toml"), text.replace("\"300/s\"", "\"60%\"")).unwrap();
    let result = interrupted_after(&gate, "to see whether it sustains that");
    assert!(result.rounds.is_empty() && result.judgement.verdict == Verdict::Interrupted);
    let told = |note: &&String| note.starts_with("Both get");
    assert_eq!(result.about.notes.iter().find(told), None);
}

#[test]
fn without_an_slo_the_baseline_says_how_late_the_generator_may_be() {
    let spins = GREETERS.replace(r#""{port}"]"#, r#""{port}", "--spin", "300000"]"#);
    let Some(gate) = Gate::of(&spins) else { return };
    let text = fs::read_to_string(gate.path("small.toml")).unwrap();
    let without = text.replace("\"300/s\"", "\"60%\"").replace("[slo]\np99 = \"60ms\"\n", "");
    assert_ne!(without, text);
    fs::write(gate.path("small.toml"), without).unwrap();
    let result = interrupted_after(&gate, "because no SLO is stated");
    // A response takes milliseconds of a core, and waits for others.
    let limit = result.about.lag_limit_ns.unwrap();
    assert!((200_000..100_000_000).contains(&limit), "{limit}");
}

#[test]
fn a_budget_is_kept_though_rounds_take_longer_than_planned() {
    // Both take ten times as long to start as any is expected to: at most five rounds and not 22. Six would have to be void
    // before the machine is to blame.
    let slow = |name: &str| {
        let command = "[\"sh\", \"-c\", \"sleep 4; exec PYTHON DATA/server.py {port}\"]";
        format!("[contender.{name}]\ncommand = {command}\n")
    };
    let Some(gate) = Gate::of(&(slow("base") + &slow("head"))) else { return };
    let output = gate.run(&["--budget", "20s"]);
    let result = gate.result();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let line = &result.judgement.line;
    assert!(line.starts_with("INCONCLUSIVE after ") && line.contains("when the budget ended"));
    assert!((1..=5).contains(&result.rounds.len()), "{line}");
    let told = |note: &String| note.starts_with("The budget of 20 s ended after ");
    assert!(result.about.notes.iter().any(told), "{:?}", result.about.notes);
}

#[test]
fn a_candidate_that_answers_wrongly_has_regressed() {
    let contenders = "[request]\ncpu = \"1us\"\n[contender.base]\nmodel = \"event-loop\"\n\
                      [contender.head]\ncommand = [\"PYTHON\", \"DATA/liar.py\", \"{port}\"]\n";
    let Some(gate) = Gate::new("workload = \"payment\"\n", contenders) else { return };
    let Some((output, result)) = decided(&gate, || gate.run(&[])) else { return };
    assert_eq!(code(&output), 3, "{}\n{}", stdout(&output), stderr(&output));
    assert!(
        result.judgement.line.contains("the candidate answered wrongly in round"),
        "{}",
        result.judgement.line
    );
}

#[test]
fn a_contender_by_url_is_reported_and_never_fails() {
    let Some(gate) = Gate::of("") else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (server, port) = (format!("{DATA}/server.py"), port.to_string());
    // Some milliseconds of work, beside which the generator is never late.
    let args = [server.as_str(), &port, "--spin", "40000"];
    let mut server = Command::new(gate.python).args(args).spawn().unwrap();
    let text = fs::read_to_string(gate.path("small.toml")).unwrap();
    let url = |name: &str| format!("[contender.{name}]\nurl = \"http://127.0.0.1:{port}\"\n");
    let text = text.replace("[load.open]", &(url("base") + &url("head") + "[load.open]"));
    fs::write(gate.path("small.toml"), text.replace("cpu_per_request", "p50")).unwrap();
    let ran = decided(&gate, || gate.run(&[]));
    server.kill().unwrap();
    server.wait().unwrap();
    let Some((output, _)) = ran else { return };
    assert_eq!(code(&output), 0, "{}\n{}", stdout(&output), stderr(&output));
    assert!(
        stdout(&output).starts_with("REPORT ONLY (`base` is given by URL"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn bad_input_is_named_and_nothing_is_touched() {
    let Some(gate) = Gate::of(GREETERS) else { return };
    let torn = "{\"schema\":\"bakeoff.gate-history/1\",\"star";
    fs::write(gate.path("history.jsonl"), torn).unwrap();
    let output = gate.run(&[]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("history.jsonl: line 1")
            && stderr(&output).contains("is incomplete")
    );
    assert_eq!(fs::read_to_string(gate.path("history.jsonl")).unwrap(), torn);
    assert!(!gate.path("out").exists(), "nothing was measured");
    fs::remove_file(gate.path("history.jsonl")).unwrap();
    let missing = gate.path("nowhere");
    let missing = missing.to_str().unwrap();
    // The report of an earlier gate, which --force would delete.
    let old = ["gate.json", "junit.xml", "trials.jsonl"].map(|name| gate.path("out").join(name));
    fs::create_dir(gate.path("out")).unwrap();
    old.iter().for_each(|path| fs::write(path, "{\"schema\":\"bakeoff.gate/1\"}").unwrap());
    for (args, named) in [
        (vec!["--baseline", "base", "--candidate", "haed"], "did you mean `head`?"),
        (vec!["--baseline", "base", "--candidate", "base"], "--calibrate compares"),
        (vec!["--budget", "3s"], "has no room for 12 rounds"),
        (
            vec!["--baseline-bin", missing, "--candidate-bin", missing],
            "has no contender with a model",
        ),
        (vec!["--baseline-bin", missing], "--candidate-bin"),
    ] {
        let output = gate.run(&args);
        assert_eq!(code(&output), 2, "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(named), "{args:?}: {}", stderr(&output));
        assert!(old.iter().all(|path| path.exists()), "{args:?}: the old report is gone");
    }
}

#[test]
fn a_binary_that_is_no_bakeoff_has_regressed_and_one_that_is_not_there_is_a_usage_error() {
    let model = "[request]\ncpu = \"1us\"\n[contender.model]\nmodel = \"event-loop\"\n";
    let Some(gate) = Gate::new("workload = \"payment\"\n", model) else { return };
    let own = env!("CARGO_BIN_EXE_bakeoff");
    let output = gate.run(&["--baseline-bin", own, "--candidate-bin", "/no/such/file"]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("--candidate-bin: cannot read /no/such/file"),
        "{}",
        stderr(&output)
    );
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let output = gate.run(&["--baseline-bin", own, "--candidate-bin", readme.to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("is not a program that can be run"), "{}", stderr(&output));
    let run = || gate.run(&["--baseline-bin", own, "--candidate-bin", "/bin/true"]);
    let Some((output, result)) = decided(&gate, run) else { return };
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(
        result.judgement.line.contains("the candidate crashed in round"),
        "{}",
        result.judgement.line
    );
}

fn self_test(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    command.args(["gate", "--self-test", "--quick", "--out"]).arg(folder.path());
    command
}

/// What it ends with is in the test below.
#[test]
fn the_self_test_hears_an_interrupt() {
    let folder = tempfile::tempdir().unwrap();
    let mut child =
        self_test(&folder).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("in a closed loop") && stderr.read_line(&mut said).unwrap() > 0 {}
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
}

#[test]
#[ignore = "two gates, most of a minute of both cores: a step of its own in the workflow"]
fn the_self_test_rings_when_it_must() {
    let folder = tempfile::tempdir().unwrap();
    let output = self_test(&folder).output().unwrap();
    let said = stdout(&output);
    if said.contains("undecided") {
        skipped(format_args!("the machine was too busy: {said}"));
        return;
    }
    assert_eq!(code(&output), 0, "{said}\n{}", stderr(&output));
    assert_eq!(said.matches("holds: ").count(), 2, "{said}");
}
