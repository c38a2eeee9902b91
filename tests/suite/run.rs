//! `bakeoff run` from end to end, at smoke size: that it works, ends, cleans up and says what happened. Nothing here
//! asserts how fast anything is.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bakeoff::record::{self, RunResult, StatementVerdict, Trial, Verdict};

use crate::skipped;

/// A run on a busy machine of two cores.
const PATIENCE: Duration = Duration::from_secs(120);

fn bakeoff(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    // Nothing from the environment of whoever runs the tests.
    for name in ["OUT", "ROUNDS", "DURATION", "WARM_UP", "RATE", "SEED", "ORDER_SEED", "CONTENDER"]
    {
        command.env_remove(format!("BAKEOFF_{name}"));
    }
    command.args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    bakeoff(args).output().expect("the binary starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

fn result(out: &Path) -> RunResult {
    let text = fs::read_to_string(out.join("result.json")).expect("there is a result.json");
    record::from_json(&text).expect("it is of this schema")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Processes whose parent is `pid`.
fn children_of(pid: u32) -> Vec<u32> {
    let parent_of = |status: String| {
        status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse::<u32>().ok())
    };
    fs::read_dir("/proc")
        .expect("this is Linux")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|child| {
            fs::read_to_string(format!("/proc/{child}/status")).ok().and_then(parent_of)
                == Some(pid)
        })
        .collect()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_a_right_answer_costs_adds_up_by_mode_and_by_layer() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("why");
    let load = ["--smoke", "--why", "--duration", "300ms", "--warm-up", "50ms", "--verbose"];
    let args = [&["run", "payment-memory"], &load[..], &["--out", folder.to_str().unwrap()]];
    let output = run(&args.concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("What a correct response cost"), "{said}{}", stderr(&output));
    let result = result(&folder);
    let why = result.why.as_ref().expect("it was asked for");
    if matches!(why.level, record::WhyLevel::Full | record::WhyLevel::UserOnly) {
        assert!(!why.profiles.is_empty(), "{why:?}");
        for profile in &why.profiles {
            let sum: f64 = profile.layers.values().sum();
            assert!((sum / profile.cpu_us_per_request - 1.0).abs() < 1e-6, "{profile:?}");
            assert!(
                result.trials.iter().all(|trial| trial.round < 1_000),
                "a profiled trial is timed"
            );
        }
        assert!(folder.join("charts").read_dir().unwrap().flatten().any(|file| {
            file.file_name().to_string_lossy().starts_with("flame-payment-memory-")
        }));
    } else {
        skipped(format_args!("no profiler here: {:?}, {:?}", why.level, why.next));
    }
    let counted = result.trials.iter().map(|trial| &trial.server);
    // A window of this size may have no answer on a busy machine, or less than one tick of CPU.
    let counted: Vec<_> = counted.filter(|server| server.user_us_per_request.is_some()).collect();
    if counted.is_empty() {
        skipped(format_args!("the machine was too busy to count a request's CPU"));
        return;
    }
    for server in counted {
        let parts = server.user_us_per_request.unwrap() + server.system_us_per_request.unwrap();
        assert!((parts / server.cpu_us_per_request.unwrap() - 1.0).abs() < 1e-9, "{server:?}");
        assert!(server.switches_per_request().is_some_and(|n| n > 0.0), "{server:?}");
        assert!(server.faults_per_request().is_some(), "{server:?}");
        assert!(server.run_queue_us_per_request.is_some(), "{server:?}");
    }
}

/// Rounds of every model, enough to be stopped in the middle.
fn start_run(out: &Path) -> Child {
    let rounds = ["--rate", "200/s", "--rounds", "100", "--duration", "200ms", "--warm-up", "50ms"];
    let args = [&["run", "payment-memory"], &rounds[..], &["--out", out.to_str().unwrap()]];
    bakeoff(&args.concat()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn the_tour_runs_every_model_and_its_books_balance() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("tour");
    let short = ["--duration", "200ms", "--warm-up", "50ms"];
    let args = [&["run", "--smoke"], &short[..], &["--out", folder.to_str().unwrap()]].concat();
    let output = run(&args);
    let result = result(&folder);
    assert_eq!(code(&output), i32::from(result.exit_code), "{}", stderr(&output));
    let said = stderr(&output);
    // A busy machine may make a smoke run invalid, or answer nothing within the timeout.
    if result.verdict == Verdict::Fail {
        let mut errors = result.trials.iter().flat_map(|trial| trial.errors.keys());
        let in_time = |trial: &Trial| trial.validity.lost && trial.errors.is_empty();
        assert!(errors.all(|name| name == "timeout"), "{:?} {said}", result.broken);
        assert!(!result.trials.iter().any(in_time), "{:?} {said}", result.broken);
        skipped(format_args!("the machine was too busy for the tour: {:?}", result.broken));
        return;
    }
    assert!(matches!(result.verdict, Verdict::Pass | Verdict::Invalid), "{:?}", result.verdict);
    if said.contains("no contender gave a correct response in a closed loop") {
        assert_eq!(result.verdict, Verdict::Invalid, "{said}");
        skipped(format_args!("the machine was too busy for the tour: {said}"));
        return;
    }
    for scenario in bakeoff::scenario::tour() {
        for model in scenario.contenders.iter().map(|contender| contender.name.as_str()) {
            let own = |t: &&Trial| t.scenario == scenario.name && t.contender == model;
            let trials: Vec<_> = result.trials.iter().filter(own).collect();
            assert!(trials.len() >= 2, "{} under {model}: {} trials", scenario.name, trials.len());
            for trial in trials {
                assert_eq!(trial.audit.verdict.name(), "balanced", "{model}: {:?}", trial.audit);
                assert!(trial.requests > 0, "{model}: nothing was sent");
                // A machine can stop for longer than a window of this size; then nothing was answered in it.
                let cpu = trial.server.cpu_us_per_request;
                assert!(
                    trial.achieved_rps == 0.0 || cpu.is_some_and(|us| us > 0.0),
                    "{:?}",
                    trial.server
                );
            }
        }
    }
    let lines = fs::read_to_string(folder.join("trials.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), result.trials.len() + result.probes.len());
    for file in ["summary.md", "index.html", "charts"] {
        assert!(folder.join(file).exists(), "{file}");
    }
    // Where the machine voided every round there is no table.
    let shown = String::from_utf8(output.stdout).unwrap();
    let tables = result.trials.iter().any(|trial| !trial.voided);
    assert!(shown.contains("thread-pool") && (!tables || shown.contains("p99")), "{shown}");
}

#[test]
fn contenders_of_a_round_get_the_same_schedule_and_rounds_differ() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let output = run(&["run", "payment-memory", "--smoke", "--rate", "500/s", "--out", folder]);
    assert!(matches!(code(&output), 0 | 5), "{}", stderr(&output));
    let result = result(out.path());
    let hashes = |round| -> Vec<&str> {
        let trials = result.trials.iter().filter(|trial| trial.round == round);
        trials.map(|trial| trial.schedule_hash.as_str()).collect()
    };
    let (first, second) = (hashes(1), hashes(2));
    assert!(first.len() >= 4 && first.iter().all(|hash| *hash == first[0]), "{first:?}");
    assert_ne!(first[0], second[0]);
}

#[test]
#[ignore = "both cores for half a minute: a step of its own in the workflow"]
fn the_canary_fails_and_exits_3() {
    let out = tempfile::tempdir().unwrap();
    // With a promise, so that a generator that is late on a busy machine voids no round.
    let canary = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/canary.toml");
    let canary = fs::read_to_string(canary).unwrap() + "\n[slo]\np99 = \"40ms\"\n";
    let (file, folder) = (out.path().join("canary.toml"), out.path().join("report"));
    fs::write(&file, canary).unwrap();
    let [file, to] = [&file, &folder].map(|path| path.to_str().unwrap());
    // Six rounds are the least that have an interval.
    let short = ["--rounds", "6", "--warm-up", "100ms", "--duration", "400ms"];
    // A machine that is busy with something else can saturate both.
    crate::undisturbed(2, || {
        let output = run(&[&["run", file], &short[..], &["--out", to, "--force"]].concat());
        let result = result(&folder);
        assert!(result.self_check);
        let expected = &result.expectations[0];
        if expected.verdict != StatementVerdict::Fails {
            let saturated = result.trials.iter().any(|t| t.saturated);
            assert!(saturated || result.verdict == Verdict::Invalid, "{expected:?}");
            return Err(format!("{:?}", result.notes));
        }
        assert_eq!((code(&output), result.verdict), (3, Verdict::Fail), "{}", stderr(&output));
        Ok(())
    });
}

#[test]
fn ctrl_c_keeps_finished_trials_and_leaves_no_child() {
    let out = tempfile::tempdir().unwrap();
    let mut child = start_run(out.path());
    let journal = out.path().join("trials.jsonl");
    wait_until("two trials have finished", || {
        fs::read_to_string(&journal).is_ok_and(|lines| lines.lines().count() >= 2)
    });
    wait_until("a contender runs", || !children_of(child.id()).is_empty());
    let contenders = children_of(child.id());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let asked = Instant::now();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(30), "it ended after {:?}", asked.elapsed());
    for pid in contenders {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "contender {pid} is still there");
    }
    let result = result(out.path());
    assert_eq!((result.verdict, result.exit_code), (Verdict::Interrupted, 130));
    assert!(result.trials.len() + result.probes.len() >= 2);
}

#[test]
fn a_killed_orchestrator_leaves_no_orphan() {
    let out = tempfile::tempdir().unwrap();
    let mut child = start_run(out.path());
    wait_until("a contender runs", || !children_of(child.id()).is_empty());
    let contenders = children_of(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    // A zombie that nobody has collected yet has ended too.
    let gone = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
    };
    wait_until("its contenders have ended", || contenders.iter().all(gone));
}

#[test]
fn bad_input_is_named_and_exits_2() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("a-file");
    fs::write(&file, "").unwrap();
    let inside_a_file = file.join("report");
    for (args, named) in [
        (vec!["run", "payment-memry"], "payment-memory"),
        (vec!["run", "no-such.toml"], "no-such.toml"),
        (vec!["run", "--rate", "fast"], "300/s"),
        (vec!["run", "--duration", "5"], "5"),
        (vec!["run", "--rounds", "0"], "--rounds"),
        (vec!["run", "payment-memory", "--contender", "event-lop"], "event-loop"),
        (vec!["run", "--smoke", "--out", inside_a_file.to_str().unwrap()], "a-file"),
    ] {
        let output = run(&args);
        assert_eq!(code(&output), 2, "{args:?}: {}", stderr(&output));
        assert!(
            stderr(&output).contains(named),
            "{args:?} should name {named}: {}",
            stderr(&output)
        );
        assert!(output.stdout.is_empty(), "errors go to stderr");
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let out = tempfile::tempdir().unwrap();
    let small = ["run", "payment-memory", "--contender", "event-loop", "--smoke", "--quiet"];
    let mut child = bakeoff(&[&small[..], &["--out", out.path().to_str().unwrap()]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(matches!(code(&output), 0 | 5), "{}", stderr(&output));
    assert!(out.path().join("result.json").exists());
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}

/// Sends SIGINT while a contender of `args` runs, and gives how it ended.
fn interrupted(args: &[&str]) -> Output {
    let child =
        bakeoff(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait_until("a contender runs", || !children_of(child.id()).is_empty());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn ctrl_c_before_anything_was_measured_is_no_failure_of_the_scenario() {
    let out = tempfile::tempdir().unwrap();
    let probing = interrupted(&["run", "webhook-receiver", "--out", out.path().to_str().unwrap()]);
    assert_eq!((code(&probing), result(out.path()).exit_code), (130, 130), "{}", stderr(&probing));
    let question = ["--cpu", "100us", "--wait", "2ms", "--rate", "500/s", "--slo", "p99=100ms"];
    let asked = interrupted(&[&["decide"][..], &question].concat());
    assert_eq!(code(&asked), 130, "{}", stderr(&asked));
    assert!(String::from_utf8_lossy(&asked.stdout).contains("Nothing was measured"));
}

#[test]
fn a_contender_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (file, out) = (dir.path().join("mine.toml"), dir.path().join("out"));
    let text = format!(
        "schema = 1\nname = \"mine\"\ntitle = \"Mine\"\nworkload = \"http\"\n\
         experiment = {{ compare = {{ rates = [\"50%\"] }} }}\n\
         [[route]]\nname = \"main\"\npath = \"/\"\nstatus = [200]\n\
         [contender.absent]\nurl = \"http://{free}\"\n"
    );
    fs::write(&file, text).unwrap();
    let output = run(&["run", file.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    let said = stderr(&output);
    assert!(matches!(code(&output), 1 | 2 | 5), "{said}");
    assert!(said.contains("absent") && !said.contains("panicked"), "{said}");
}

#[test]
fn a_run_that_cannot_be_read_again_is_refused_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let write = |name: &str, text: &[u8]| fs::write(dir.path().join(name), text).unwrap();
    let refused = |wanted: &str| {
        let output = run(&["run", "payment-memory", "--resume", out]);
        let said = stderr(&output);
        assert!(code(&output) == 2 && said.contains(wanted), "{said}");
        // It is the first that is said: the machine was not looked at.
        assert!(said.starts_with("error: cannot read "), "{said}");
    };
    write("trials.jsonl", b"");
    write("begun.json", b"{");
    refused("begun.json");
    let huge = fs::File::create(dir.path().join("begun.json")).unwrap();
    huge.set_len(100 << 20).unwrap();
    refused("it has more than 33554432 bytes");
    write("begun.json", format!("{{\"a\": {}", "1".repeat(1 << 20)).as_bytes());
    refused("a number of over 32 digits");
}
