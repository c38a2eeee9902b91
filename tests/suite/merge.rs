//! `bakeoff run --shard` and `bakeoff merge` from outside, at smoke size: what is asked wrongly, and shards of one machine that
//! are run one after the other. What is judged of them is tested beside `src/run/merge.rs`, on recorded trials.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use bakeoff::record::{self, RunResult, Verdict};
use tempfile::TempDir;

fn run(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    for name in [
        "OUT",
        "ROUNDS",
        "DURATION",
        "WARM_UP",
        "RATE",
        "SEED",
        "ORDER_SEED",
        "CONTENDER",
        "BUDGET",
    ] {
        command.env_remove(format!("BAKEOFF_{name}"));
    }
    let args = line.split_whitespace();
    command.args(args).current_dir(folder).stdin(Stdio::null()).output().expect("it starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn refused(folder: &Path, line: &str) -> String {
    let output = run(folder, line);
    assert_eq!(output.status.code(), Some(2), "{line}: {}", stderr(&output));
    stderr(&output)
}

fn result(out: &Path) -> RunResult {
    let text = fs::read_to_string(out.join("result.json")).expect("there is a result.json");
    record::from_json(&text).expect("it is of this schema")
}

#[test]
fn what_cannot_be_divided_is_refused_before_anything_starts() {
    let folder = TempDir::new().unwrap();
    for (line, said) in [
        ("run payment-memory --shard 1/2", "--shard 1/2 needs --order-seed"),
        ("run payment-memory --shard 3/2 --order-seed 7", "1/3, 2/3 or 3/3"),
        ("run payment-memory --shard 0/2 --order-seed 7", "1/3, 2/3 or 3/3"),
        ("run payment-memory --shard 1/20 --order-seed 7", "20 shards of 10 rounds"),
        ("run capacity-payment --shard 1/2 --order-seed 7", "`capacity` search"),
        ("run map-cpu-wait --shard 1/2 --order-seed 7", "cells of a `map`"),
        ("run --shard 1/2 --order-seed 7", "is of one scenario, and this is tour"),
        ("run payment-memory loyalty-memory --shard 1/2 --order-seed 7", "this is 2 scenarios"),
        ("run . --shard 1/2 --order-seed 7", "this is the folder ."),
        ("run payment-memory --shard 1/2 --order-seed 7 --budget 9m", "--budget leaves out rounds"),
        ("run payment-memory --shard 1/2 --order-seed 7 --why", "--why profiles"),
        ("merge", "<DIR>"),
        ("merge nowhere", "nowhere"),
    ] {
        let told = refused(folder.path(), line);
        assert!(told.contains(said), "{line}: {told}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is written");
    let planned = run(folder.path(), "run payment-memory --shard 1/5 --order-seed 7 --plan");
    let planned = String::from_utf8_lossy(&planned.stdout).into_owned();
    assert!(planned.contains("2 rounds of 4 contenders"), "{planned}");
}

#[test]
fn shards_of_a_smoke_run_are_merged_and_resumed_on_their_machine_only() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let asked =
        "payment-memory --smoke --rate 200/s --duration 200ms --contender event-loop,thread-pool";
    for number in [1, 2] {
        let flags = format!("--shard {number}/2 --order-seed 7 --out shards/{number}");
        let output = run(folder.path(), &format!("run {asked} {flags}"));
        let result = result(&path(&format!("shards/{number}")));
        assert_eq!(output.status.code(), Some(i32::from(result.exit_code)), "{}", stderr(&output));
        assert!(result.trials.iter().all(|trial| trial.round == number), "{number}");
        assert_eq!(result.rounds, 1);
        assert!(result.title.ends_with(&format!("(shard {number}/2)")), "{}", result.title);
        assert!(result.trials.iter().all(|trial| trial.ran_utc.is_some() || trial.validity.lost));
    }

    let output = run(folder.path(), "merge shards/1 shards/2 --out merged");
    let result = result(&path("merged"));
    assert_eq!(output.status.code(), Some(i32::from(result.exit_code)), "{}", stderr(&output));
    assert_ne!(result.verdict, Verdict::Interrupted);
    assert_eq!((result.machines.len(), result.rounds, result.trials.len()), (1, 2, 4));
    assert!(!result.words.contains(&"--shard".to_owned()), "{:?}", result.words);
    assert!(path("merged/index.html").exists() && path("merged/summary.md").exists());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("On 1 machine: "), "{said}");
    let again = run(folder.path(), "report merged --format markdown");
    assert!(String::from_utf8_lossy(&again.stdout).contains("On 1 machine: "));

    for (line, said) in [
        ("merge shards/1 merged", "merged"),
        ("merge shards/1 shards/1 --out again", "are both shard 1/2"),
        ("merge shards/1 shards/2 --out merged", "has files in it"),
        ("merge shards/1 shards/2 --out shards/1 --force", "is one of the shards"),
        ("merge shards/1 --scenario loyalty-memory --out again", "--scenario FILE"),
    ] {
        let told = refused(folder.path(), line);
        assert!(told.contains(said), "{line}: {told}");
    }
    assert!(!path("again").exists(), "what is refused leaves nothing");

    let resume = format!("run {asked} --resume shards/1");
    let told = refused(folder.path(), &resume);
    assert!(told.contains("was started with another --shard, or without one"), "{told}");
    let own = format!("{resume} --shard 1/2");
    let output = run(folder.path(), &own);
    assert!(matches!(output.status.code(), Some(0 | 3 | 5)), "{}", stderr(&output));
    let begun = path("shards/1/begun.json");
    let text = fs::read_to_string(&begun).unwrap();
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(text.contains(boot_id.trim()), "{text}");
    fs::write(&begun, text.replace(boot_id.trim(), "another")).unwrap();
    let told = refused(folder.path(), &own);
    assert!(told.contains("all rounds of shard 1/2 are run on one machine"), "{told}");
}
