//! Experiments from end to end, at the smallest size: that they work, stop in time, go on where they stopped, and say what
//! was left out. Nothing here asserts how fast anything is, or that a figure holds: so they run side by side.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bakeoff::record::{self, RunResult};

use crate::skipped;

fn run(args: &[&str]) -> Output {
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
    command.args(args).stdin(Stdio::null()).output().expect("the binary starts")
}

/// Runs a file within a budget. A busy machine may make it invalid; it never makes it fail.
fn run_within(file: &Path, budget: &str, out: &Path) -> Output {
    let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
    let output = run(&["run", file, "-q", "--budget", budget, "--out", out]);
    assert!(matches!(code(&output), 0 | 5), "{}", stderr(&output));
    output
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn result(out: &Path) -> RunResult {
    let text = fs::read_to_string(out.join("result.json")).expect("there is a result.json");
    record::from_json(&text).expect("it is of this schema")
}

/// Two contenders in memory, in tiny windows; without a promise in `rest` with one that any machine keeps.
fn scenario(folder: &Path, name: &str, experiment: &str, rest: &str) -> PathBuf {
    let slo = if rest.contains("[slo]") { "" } else { "[slo]\np99 = \"100ms\"\n" };
    let text = format!(
        "schema = 1\nname = \"{name}\"\ntitle = \"Small\"\nworkload = \"payment\"\nrounds = 2\n\
         headline = \"none\"\n\
         experiment = {{ {experiment} }}\nrequest.cpu = \"5us\"\nplacement.mode = \"shared\"\n\
         [contender.event-loop]\nmodel = \"event-loop\"\n\
         [contender.thread-pool]\nmodel = \"thread-pool\"\n\
         [load.open]\nwarm_up = \"50ms\"\nduration = \"200ms\"\nconnections = 512\n{slo}{rest}"
    );
    let path = folder.join(format!("{name}.toml"));
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_plan_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    for name in ["payment-memory", "capacity-payment", "curve-payment-50ms", "map-cpu-wait"] {
        let output = run(&["run", name, "--plan", "--out", out]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stdout(&output).contains("nothing was started"), "{}", stdout(&output));
    }
    let output = run(&["run", "payment-memory", "--plan", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(plan["plans"][0]["experiments"][1]["trials_min"], 120);
    assert!(!Path::new(out).exists());
}

#[test]
fn a_run_goes_on_where_it_stopped_and_refuses_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let path =
        scenario(folder.path(), "resumed", "curve = { rates = [\"1000/s\", \"2000/s\"] }", "");
    let (path, out) = (path.to_str().unwrap(), folder.path().join("out"));
    let first = run(&["run", path, "-q", "--out", out.to_str().unwrap()]);
    assert!(matches!(code(&first), 0 | 5), "{}", stderr(&first));
    let before = result(&out);
    let journal = out.join("trials.jsonl");
    let lines = fs::read_to_string(&journal).unwrap();
    assert!(lines.lines().count() >= 8, "two levels, two rounds, two contenders");

    // The third trial was being written when the machine went down.
    let kept: String = lines.split_inclusive('\n').take(2).collect();
    let half = lines.lines().nth(2).unwrap();
    fs::write(&journal, format!("{kept}{}", &half[..half.len() / 2])).unwrap();
    let again = run(&["run", path, "-q", "--resume", out.to_str().unwrap()]);
    assert!(matches!(code(&again), 0 | 5), "{}", stderr(&again));
    let after = result(&out);
    assert_eq!(after.order_seed, before.order_seed);
    assert_eq!(after.started_utc, before.started_utc);
    let lines = fs::read_to_string(&journal).unwrap();
    assert!(lines.starts_with(&kept), "what had finished is not run again");
    assert_eq!(lines.lines().count(), after.trials.len() + after.probes.len());
    let of = |result: &RunResult| -> Vec<(String, String, u32)> {
        let key = |t: &record::Trial| (t.contender.clone(), t.level.clone(), t.round);
        result.trials.iter().take(8).map(key).collect()
    };
    assert_eq!(of(&after), of(&before), "the same trials in the same order");

    let other = run(&["run", path, "-q", "--rounds", "3", "--resume", out.to_str().unwrap()]);
    assert_eq!(code(&other), 2, "{}", stderr(&other));
    assert!(stderr(&other).contains("another scenario"), "{}", stderr(&other));
}

#[test]
fn a_capacity_is_searched_and_a_budget_ends_the_search() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = "capacity = { short = \"200ms\", deciding = \"200ms\" }";
    let rest = "[slo]\np99 = \"40ms\"\nerror_rate = \"1%\"\n\
                [[claim]]\ntext = \"Either carries something\"\nmetric = \"capacity\"\n\
                of = \"thread-pool\"\nversus = \"event-loop\"\nat_least = 0.001\n";
    let path = scenario(folder.path(), "searched", experiment, rest);
    let out = folder.path().join("out");
    let output = run_within(&path, "30s", &out);
    let result = result(&out);
    assert_eq!(result.capacity.len(), 2, "one for each contender");
    for one in &result.capacity {
        assert!(one.trials > 0, "{one:?}");
        if let (Some(least), Some(below)) = (one.at_least_rps, one.below_rps) {
            assert!(least < below, "{one:?}");
        }
    }
    assert!(result.comparisons.iter().any(|c| c.metric == "capacity"), "{:?}", result.comparisons);
    let shown = stdout(&output);
    assert!(shown.contains("Capacity of payment within a p99 of 40 ms"), "{shown}");

    // What was found decides the claim, and every output says so.
    let [claim] = result.claims.as_slice() else { panic!("one claim: {:?}", result.claims) };
    assert!(claim.reason.contains("asked: at least 0.001x"), "{claim:?}");
    let read = |file: &str| fs::read_to_string(out.join(file)).unwrap();
    for text in [&shown, &read("summary.md"), &read("index.html")] {
        assert!(text.contains("Either carries something"), "{text}");
    }
    let bounded = |one: &record::Capacity| one.at_least_rps.is_some() && one.below_rps.is_some();
    if result.capacity.iter().all(bounded) {
        assert_eq!(claim.verdict, record::StatementVerdict::Holds, "{claim:?}");
    }

    // The histograms of the rates that were tried stay in the journal.
    let histograms = |file: &str| read(file).matches("hdr_v2").count();
    assert!(3 * histograms("result.json") < histograms("trials.jsonl"));
    let again = run(&["report", out.to_str().unwrap()]);
    assert!(stdout(&again).contains("Either carries something"), "{}", stderr(&again));

    // They are a chart, unless the machine was so busy that one of them at most was carried.
    let tried = result.probes.iter().filter(|trial| trial.load.kind.name() == "open");
    let carried = |trial: &&record::Trial| {
        !trial.saturated
            && trial.validity.verdict != record::TrialVerdict::Invalid
            && trial.response_ns.as_ref().is_some_and(|times| times.p99.is_some())
    };
    let levels: BTreeSet<&String> = tried.filter(carried).map(|trial| &trial.level).collect();
    if levels.len() > 1 {
        assert!(out.join("charts/load-payment-light.svg").exists());
        let picture = folder.path().join("lead.svg");
        let args = ["chart", out.to_str().unwrap(), "-o", picture.to_str().unwrap()];
        assert_eq!(code(&run(&args)), 0);
        assert!(picture.exists());
    }
}

#[test]
fn a_sweep_is_a_contender_of_each_size_and_a_headline() {
    let folder = tempfile::tempdir().unwrap();
    let path = scenario(folder.path(), "swept", "compare = { rates = [\"1000/s\"] }", "");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("\"thread-pool\"\n", "\"thread-pool\"\nthreads = [2, 8]\n");
    fs::write(&path, text).unwrap();
    let out = folder.path().join("out");
    let output = run_within(&path, "60s", &out);
    let result = result(&out);
    let mut names: Vec<&str> = result.trials.iter().map(|trial| &*trial.contender).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, ["event-loop", "thread-pool-2", "thread-pool-8"]);
    if result.trials.iter().all(|trial| trial.voided) {
        skipped(format_args!("the machine was too busy for a single round: {:?}", result.notes));
        return;
    }
    let summary = fs::read_to_string(out.join("summary.md")).unwrap();
    for text in [&stdout(&output), &summary] {
        assert!(text.contains("Each at its best size: payment at 1,000/s"), "{text}");
    }
    assert!(summary.contains("| thread-pool | 2 threads |") || summary.contains("| 8 threads |"));
}

#[test]
fn a_map_has_ones_own_cell_first_and_says_what_it_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = "map = { cpu = [\"20us\", \"200us\"], wait = [\"0ms\"], of = \"event-loop\", \
                      versus = \"thread-pool\", size = \"given\", rounds = 1, mine = { cpu = \"150us\", wait = \"0ms\" } }";
    let path = scenario(folder.path(), "mapped", experiment, "");
    let out = folder.path().join("out");
    let output = run_within(&path, "8s", &out);
    let map = result(&out).map.expect("a map was made");
    assert_eq!(map.cells.first().map(|cell| cell.cpu_ns), Some(200_000), "{map:?}");
    let shown = stdout(&output);
    assert!(shown.contains("not measured") || map.cells.len() == 2, "{shown}");
}

#[test]
fn a_folder_is_one_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let claim = "[[claim]]\ntext = \"Alike\"\nmetric = \"cpu_per_request\"\nof = \"thread-pool\"\n\
                 versus = \"event-loop\"\nwithin = 100.0\n";
    let compare = "compare = { rates = [\"500/s\"] }";
    scenario(folder.path(), "io-concurrency", compare, claim);
    scenario(folder.path(), "silent", compare, "");
    let out = folder.path().join("out");
    let output = run(&[
        "run",
        folder.path().to_str().unwrap(),
        "-q",
        "--duration",
        "200ms",
        "--warm-up",
        "none",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(matches!(code(&output), 0 | 5), "{}", stderr(&output));
    let text = fs::read_to_string(out.join("ledger.json")).unwrap();
    let ledger: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = ledger["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 19);
    assert_eq!(rows[0]["figure"], "not measured (go-vs-node-raw: it is not in this folder)");
    assert_eq!(rows[7]["claims"][0]["judgement"]["text"], "Alike");
    assert_eq!(ledger["not_run"][0]["scenario"], "silent");
    assert!(out.join("io-concurrency/result.json").exists());
    // A ledger can be shown again, and its pages written anew.
    let pages = || ["ledger.md", "index.html"].map(|file| fs::read(out.join(file)).unwrap());
    let (written, folder) = (pages(), out.to_str().unwrap());
    for file in ["ledger.md", "index.html"] {
        fs::remove_file(out.join(file)).unwrap();
    }
    let again = run(&["report", folder, "--out", folder]);
    assert_eq!(stdout(&again), stdout(&output), "{}", stderr(&again));
    assert_eq!(code(&again), 0, "{}", stderr(&again));
    assert_eq!(pages(), written);
    let newest = run(&["report", out.parent().unwrap().to_str().unwrap(), "--format", "json"]);
    assert_eq!(stdout(&newest).trim_end(), text.trim_end());
    let twice = run(&["report", folder, folder]);
    assert_eq!(code(&twice), 0, "{}", stderr(&twice));
}

/// Names another build in a file that has a fingerprint.
fn of_another_build(path: &Path) {
    let mut value: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    value["fingerprint"]["binary"] = "0".repeat(64).into();
    fs::write(path, value.to_string()).unwrap();
}

#[test]
fn a_resumed_ledger_keeps_what_another_build_measured_whole() {
    let folder = tempfile::tempdir().unwrap();
    let claim = "[[claim]]\ntext = \"Alike\"\nmetric = \"cpu_per_request\"\nof = \"thread-pool\"\n\
                 versus = \"event-loop\"\nwithin = 100.0\n";
    scenario(folder.path(), "io-concurrency", "compare = { rates = [\"500/s\"] }", claim);
    let (path, out) = (folder.path().to_str().unwrap(), folder.path().join("out"));
    let flags = ["-q", "--duration", "200ms", "--warm-up", "none"];
    let ledger = |how: &str| {
        let output = run(&[&["run", path, how, out.to_str().unwrap()][..], &flags].concat());
        assert!(matches!(code(&output), 0 | 5), "{}", stderr(&output));
        let text = fs::read_to_string(out.join("ledger.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    ledger("--out");
    let of = out.join("io-concurrency");
    let journal = || fs::read_to_string(of.join("trials.jsonl")).unwrap();
    let (before, binary) = (journal(), result(&of).fingerprint.binary);
    for file in ["begun.json", "result.json"] {
        of_another_build(&of.join(file));
    }
    let resumed = ledger("--resume");
    assert!(journal() == before, "it was measured again");
    assert_eq!(resumed["rows"][7]["claims"][0]["judgement"]["text"], "Alike");
    let source = resumed["sources"][0].as_str().unwrap();
    assert!(source.contains("by another build"), "{source}");

    // Two builds make no pair: what the other one left unfinished is measured again.
    fs::remove_file(of.join("result.json")).unwrap();
    let resumed = ledger("--resume");
    assert!(journal() != before, "it was not measured again");
    assert_eq!(resumed["rows"][7]["claims"][0]["judgement"]["text"], "Alike");
    assert_eq!(result(&of).fingerprint.binary, binary);
}

#[test]
fn a_question_without_an_answer_is_told_why() {
    let ask = |more: &[&str]| {
        let mut args = vec!["decide", "--cpu", "300us", "--wait", "2ms", "--rate", "1500/s"];
        args.extend(more);
        let output = run(&args);
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        stderr(&output)
    };
    assert!(ask(&["--slo", "p99=1ms"]).contains("the floor is 2.3 ms"));
    assert!(ask(&["--slo", "p99=1s", "--cores", "4096"]).contains("this machine has"));
    assert!(ask(&["--slo", "p50=1s"]).contains("p99=100ms"));
    assert!(ask(&["--slo", "p99=1s", "--lookups", "5"]).contains("--lookups 3"));
}

#[test]
fn a_budget_without_room_for_a_round_is_refused_with_the_least() {
    let folder = tempfile::tempdir().unwrap();
    let path = scenario(folder.path(), "short", "compare = { rates = [\"1000/s\"] }", "");
    let out = folder.path().join("out");
    let (file, out) = (path.to_str().unwrap(), out.to_str().unwrap());
    let refused = run(&["run", file, "-q", "--budget", "100ms", "--out", out]);
    let told = stderr(&refused);
    assert_eq!(code(&refused), 2, "{told}");
    assert!(told.contains("a budget of 100 ms has no room for one round"), "{told}");
    let least = told.split("give it ").nth(1).unwrap().split(" or more").next().unwrap();
    assert!(!Path::new(out).exists(), "nothing was measured");
    run_within(&path, &least.replace(' ', ""), Path::new(out));
}
