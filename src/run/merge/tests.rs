//! Recorded trials of one run, divided among machines and joined again.

use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::judge::mock;
use crate::record::{
    BEGUN_SCHEMA, ContenderFiles, Fingerprint, LostBy, TrialVerdict, Verdict, trial_line,
};
use crate::scenario::{Bound, Metric, Statement, mocked};

const ORDER_SEED: u64 = 7;

/// Four contenders at one level, with a statement of each kind.
fn scenario(rounds: u32) -> Scenario {
    let mut scenario = Scenario { rounds, ..mocked() };
    let statement = |versus: Option<&str>, bound| Statement {
        text: format!("{bound:?}"),
        metric: Metric::CpuPerRequest,
        of: "work-stealing".into(),
        versus: versus.map(str::to_owned),
        at: scenario.rates.first().copied(),
        request: None,
        bound,
        decides: false,
    };
    let claims = vec![statement(Some("event-loop"), Bound::Within(1.2))];
    let expectations = vec![statement(None, Bound::AtMost(1e6))];
    (scenario.claims, scenario.expectations) = (claims, expectations);
    scenario
}

/// The trials of a round as a run has them.
fn recorded(scenario: &Scenario, rounds: impl IntoIterator<Item = u32>) -> Vec<Trial> {
    let one_round = mock::payments(1, &mock::MODELS).trials;
    let names: Vec<&str> = scenario.contenders.iter().map(|one| one.name.as_str()).collect();
    let mut trials = Vec::new();
    for round in rounds {
        let block = RandomizedBlock { scenario: 0, level: 0, round };
        let order = rounds::order(ORDER_SEED, block, names.len());
        trials.extend((0..).zip(order).map(|(order, contender)| {
            let own = one_round.iter().find(|trial| trial.contender == names[contender]);
            let mut trial = Trial { round, order, ..own.expect("it is a model").clone() };
            trial.scenario = scenario.name.clone();
            let cpu = trial.server.cpu_us_per_request.as_mut().expect("it was read");
            *cpu *= 1.0 + f64::from(round * 7 % 11) / 100.0 + f64::from(order) / 300.0;
            trial
        }));
    }
    trials
}

fn begun(shard: Option<&str>, boot_id: &str) -> Begun {
    let digest = |contender: &str| ContenderFiles {
        scenario: "tour-payment".into(),
        contender: contender.into(),
        digest: Some("0123".into()),
    };
    Begun {
        schema: BEGUN_SCHEMA.into(),
        order_seed: ORDER_SEED,
        started_utc: "2026-11-24T04:09:53Z".into(),
        fingerprint: Fingerprint {
            cpu_model: "a CPU".into(),
            cores: 2,
            bakeoff: env!("CARGO_PKG_VERSION").into(),
            binary: "b1".into(),
            scenario: "5ce0".into(),
            ..Fingerprint::default()
        },
        contenders: vec![digest("event-loop"), digest("thread-pool")],
        calibrations: vec![Calibrated { asked_ns: 600_000, rounds: 4_000, measured_ns: 601_000 }],
        words: vec!["tour-payment".into()],
        shard: shard.map(|shard| shard.parse().unwrap()),
        boot_id: boot_id.into(),
    }
}

/// What a shard leaves on disk.
fn put(folder: &Path, begun: &Begun, trials: &[Trial]) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    journal::begin(folder, begun).unwrap();
    let lines: String = trials.iter().map(|trial| trial_line(trial) + "\n").collect();
    fs::write(folder.join("trials.jsonl"), lines).unwrap();
    folder.to_owned()
}

/// The shards of a run, each on a machine of its own.
fn divided(root: &TempDir, trials: &[Trial], of: u32) -> Vec<PathBuf> {
    let shard = |number: u32| {
        let begun = begun(Some(&format!("{number}/{of}")), &format!("boot {number}"));
        let shard = begun.shard.unwrap();
        let own = trials.iter().filter(|trial| trial.round == 0 || shard.has(trial.round));
        let own: Vec<Trial> = own.cloned().collect();
        put(&root.path().join(number.to_string()), &begun, &own)
    };
    (1..=of).map(shard).collect()
}

fn request(scenario: &Scenario) -> Request {
    Request::of(scenario.clone())
}

fn merged(scenario: &Scenario, folders: &[PathBuf]) -> Result<RunResult> {
    joined(&request(scenario), read_shards(folders)?)
}

fn refused(scenario: &Scenario, folders: &[PathBuf]) -> String {
    merged(scenario, folders).unwrap_err().to_string()
}

/// The same trials as one machine judges them that ran them all, block by block.
fn whole(scenario: &Scenario, mut trials: Vec<Trial>) -> RunResult {
    let mut voided_rounds = 0;
    for block in trials.chunks_mut(scenario.contenders.len()) {
        let void = block.iter().any(|trial| trial.validity.voids_round);
        block.iter_mut().for_each(|trial| trial.voided = void);
        voided_rounds += u32::from(void);
    }
    voided_rounds -= validity::settle(&mut trials, &scenario.name);
    let request = request(scenario);
    let begun = begun(None, "here");
    let measured = Measured {
        request: &request,
        order_seed: begun.order_seed,
        started_utc: begun.started_utc.clone(),
        rounds: scenario.rounds,
        needed: [None; 2],
        cores: vec![Some(1)],
        ceilings: Vec::new(),
        calibration: calibration(&begun, scenario),
        fingerprint: begun.fingerprint,
        probes: Vec::new(),
        trials,
        voided_rounds,
        capacity: Vec::new(),
        map: None,
        footprints: Vec::new(),
        pilots: Vec::new(),
        why: None,
        notes: Vec::new(),
        interrupted: false,
    };
    measured.judged()
}

/// Everything that a run says, without the machines on which it was run.
fn said(result: &RunResult) -> String {
    let alike = RunResult {
        machines: Vec::new(),
        across_machines: Vec::new(),
        notes: Vec::new(),
        ..result.clone()
    };
    crate::record::to_json(&alike)
}

/// What came of a trial, by a number of 0 to 39.
fn had(trial: &mut Trial, fate: u8) {
    match fate {
        0 | 1 => trial.validity.voids_round = true,
        2 => {
            trial.validity.verdict = TrialVerdict::Invalid;
            (trial.validity.lost, trial.validity.lost_by) = (true, Some(LostBy::Crash));
        }
        3 => trial.saturated = true,
        4 => trial.validity.verdict = TrialVerdict::Suspect,
        _ => trial.achieved_rps += f64::from(fate),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn shards_that_are_joined_are_judged_as_the_whole_run(
        rounds in 8_u32..=13,
        of in 1_u32..=4,
        fates in prop::collection::vec(0_u8..40, 13 * 4),
    ) {
        let scenario = scenario(rounds);
        let mut trials = recorded(&scenario, 1..=rounds);
        trials.iter_mut().zip(fates).for_each(|(trial, fate)| had(trial, fate));
        let root = TempDir::new().unwrap();
        let folders = divided(&root, &trials, of);
        let joined = merged(&scenario, &folders).unwrap();
        let whole = whole(&scenario, trials);
        prop_assert_eq!(said(&joined), said(&whole));
        prop_assert_eq!(joined.machines.len(), of as usize);
        prop_assert_eq!(joined.across_machines.is_empty(), of == 1);
    }
}

#[test]
fn rounds_are_those_of_the_machines_that_ran_them() {
    let scenario = scenario(12);
    let mut trials = recorded(&scenario, 1..=12);
    // On the second machine work-stealing is cheaper.
    let second = |trial: &&mut Trial| trial.round % 3 == 2 && trial.contender == "work-stealing";
    for trial in trials.iter_mut().filter(second) {
        trial.server.cpu_us_per_request = trial.server.cpu_us_per_request.map(|us| us / 2.0);
    }
    let root = TempDir::new().unwrap();
    let result = merged(&scenario, &divided(&root, &trials, 3)).unwrap();
    let rounds = result.machines.iter().map(|machine| machine.rounds.as_slice());
    assert!(rounds.eq([[1, 4, 7, 10], [2, 5, 8, 11], [3, 6, 9, 12]]), "{:?}", result.machines);
    assert!(result.machines.iter().all(|machine| machine.signature_rounds == 4_000));
    let claim = result.across_machines.iter().find(|one| one.metric == "cpu_per_request").unwrap();
    assert!(claim.each.iter().all(|on| on.n == 4) && !claim.agree, "{claim:?}");
    let [first, second, third] = [0, 1, 2].map(|place| claim.each[place].ratio.unwrap());
    assert!(first > 1.0 && second < 1.0 && third > 1.0, "{claim:?}");
    let [p50, ..] = &result.across_machines[..] else { panic!("no headline") };
    assert_eq!((&*p50.metric, p50.statement.as_deref()), ("p50", None));
    let judged = result.comparisons.iter().find(|c| c.metric == "cpu_per_request").unwrap();
    assert_eq!(judged.n, 12, "the interval is of all");
}

#[test]
fn what_is_missing_is_said_and_makes_fewer_rounds() {
    let scenario = scenario(12);
    let trials = recorded(&scenario, 1..=12);
    let root = TempDir::new().unwrap();
    let mut folders = divided(&root, &trials, 3);
    folders.pop();
    // The second shard was ended in its last round.
    let own: Vec<Trial> = trials.iter().filter(|trial| trial.round % 3 == 2).cloned().collect();
    put(&folders[1], &begun(Some("2/3"), "boot 2"), &own[..own.len() - 1]);
    let journal = folders[1].join("trials.jsonl");
    let torn = fs::read_to_string(&journal).unwrap() + "{\"workload\":";
    fs::write(&journal, &torn).unwrap();
    let result = merged(&scenario, &folders).unwrap();
    assert_eq!(fs::read_to_string(&journal).unwrap(), torn, "a shard is only read");
    assert_eq!(result.verdict, Verdict::Pass, "{:?}", result.notes);
    assert!(result.comparisons.iter().all(|c| c.n == 7), "{:?}", result.comparisons);
    let notes = result.notes.join("\n");
    for said in [
        "has not finished: round 11 is missing",
        "shard 3/3 was not given: rounds 3, 6, 9 and 12 are missing",
        "every figure and interval is of 7 rounds instead of 12",
    ] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
    let rounds: Vec<u32> = result.machines.iter().flat_map(|one| one.rounds.clone()).collect();
    assert_eq!((rounds.len(), result.rounds), (7, 12));
}

#[test]
fn a_void_round_counts_as_the_one_that_was_run_in_its_place() {
    let scenario = scenario(8);
    let mut trials = recorded(&scenario, (1..=8).chain([9]));
    trials[0].validity.voids_round = true;
    let root = TempDir::new().unwrap();
    let folders = divided(&root, &trials, 2);
    let result = merged(&scenario, &folders).unwrap();
    assert_eq!((result.voided_rounds, result.verdict), (1, Verdict::Pass), "{:?}", result.notes);
    assert!(result.comparisons.iter().all(|c| c.n == 8));
    // Without it a round is lacking.
    let without: Vec<Trial> = trials.iter().filter(|trial| trial.round < 9).cloned().collect();
    let root = TempDir::new().unwrap();
    let result = merged(&scenario, &divided(&root, &without, 2)).unwrap();
    assert_eq!(result.verdict, Verdict::Invalid);
    assert!(result.notes[0].contains("has 7 rounds that count of the 8"), "{:?}", result.notes);
}

#[test]
fn ceilings_are_each_machines_own_and_the_lowest_stands_for_all() {
    let scenario = scenario(8);
    let mut trials = recorded(&scenario, 1..=8);
    for (place, rps) in [9_000.0, 7_000.0].into_iter().enumerate() {
        let mut probe = trials[place].clone();
        (probe.round, probe.order, probe.achieved_rps) = (0, 0, rps);
        (probe.level, probe.contender) = ("closed".into(), "event-loop".into());
        trials.push(probe);
    }
    let root = TempDir::new().unwrap();
    let folders = divided(&root, &trials, 2);
    for (folder, probe) in folders.iter().zip(&trials[32..]) {
        let n = folder.file_name().unwrap().to_str().unwrap();
        let shard = format!("{n}/2");
        let begun = begun(Some(&shard), n);
        let own = trials[..32].iter().filter(|trial| begun.shard.unwrap().has(trial.round));
        let own: Vec<Trial> = [probe].into_iter().chain(own).cloned().collect();
        put(folder, &begun, &own);
    }
    let result = merged(&scenario, &folders).unwrap();
    let of = |ceilings: &[Ceiling]| {
        ceilings.iter().find(|one| one.contender == "event-loop").and_then(|one| one.closed_rps)
    };
    assert_eq!(of(&result.ceilings), Some(7_000.0));
    let each: Vec<_> = result.machines.iter().map(|machine| of(&machine.ceilings)).collect();
    assert_eq!(each, [Some(9_000.0), Some(7_000.0)]);
    assert_eq!((result.probes.len(), result.trials.len()), (2, 32));
}

#[test]
fn shards_of_different_runs_are_not_joined() {
    let scenario = scenario(8);
    let trials = recorded(&scenario, 1..=8);
    let root = TempDir::new().unwrap();
    let folders = divided(&root, &trials, 2);
    let own: Vec<Trial> = trials.iter().filter(|trial| trial.round % 2 == 0).cloned().collect();
    merged(&scenario, &folders).unwrap();
    let with = |change: &dyn Fn(&mut Begun)| {
        let mut begun = begun(Some("2/2"), "boot 2");
        change(&mut begun);
        put(&folders[1], &begun, &own);
        refused(&scenario, &folders)
    };
    type Change<'a> = (&'a dyn Fn(&mut Begun), &'a str);
    let changes: [Change<'_>; 8] = [
        (
            &|it| it.fingerprint.scenario = "other".into(),
            "other scenario or flags (5ce0 and other)",
        ),
        (&|it| it.order_seed = 8, "other order seeds (7 and 8)"),
        (&|it| it.shard = "2/3".parse().ok(), "other numbers of shards (2 and 3)"),
        (&|it| it.fingerprint.binary = "b2".into(), "other builds of bakeoff (b1 and b2)"),
        (&|it| it.contenders[1].digest = Some("4567".into()), "other builds of `thread-pool`"),
        (
            &|it| it.fingerprint.bakeoff = "0.0.1".into(),
            "was written by bakeoff 0.0.1, and this is",
        ),
        (&|it| it.shard = None, "is a whole one and no shard"),
        (&|it| it.shard = "1/2".parse().ok(), "are both shard 1/2: its rounds would count twice"),
    ];
    for (change, why) in changes {
        let said = with(change);
        assert!(said.contains(why) && said.contains("help: "), "{why}: {said}");
    }
    put(&folders[1], &begun(Some("2/2"), "boot 2"), &own);
    let twice = [&folders[..], &folders[..1]].concat();
    assert!(refused(&scenario, &twice).contains("are both shard 1/2"));
    let none = refused(&scenario, &[root.path().join("none")]);
    assert!(none.contains("none"), "{none}");
    let held = ReportFolder::claim(&folders[0], Claim::Resumed).unwrap();
    let said = refused(&scenario, &folders);
    assert!(said.contains("another bakeoff") && said.contains("wait for its end"), "{said}");
    drop(held);
}

#[test]
fn a_journal_with_trials_that_the_run_does_not_have_is_refused() {
    let scenario = scenario(8);
    let trials = recorded(&scenario, 1..=8);
    let root = TempDir::new().unwrap();
    let own: Vec<Trial> = trials.iter().filter(|trial| trial.round % 2 == 1).cloned().collect();
    let told = |trials: &[Trial]| {
        let folder = put(&root.path().join("1"), &begun(Some("1/2"), "boot"), trials);
        refused(&scenario, &[folder])
    };
    let elsewhere = Trial { round: 2, ..own[0].clone() };
    let said = told(&[&own[..], &[elsewhere]].concat());
    assert!(said.contains("round 2, place 0, which shard 1/2 does not run"), "{said}");
    let mut turned = own.clone();
    (turned[0].order, turned[1].order) = (1, 0);
    assert!(told(&turned).contains("place 1, which shard 1/2 does not run"));
    assert!(told(&[&own[..], &own[..1]].concat()).contains("round 1, place 0, twice"));
    let other = Trial { scenario: "other".into(), ..own[0].clone() };
    assert!(told(&[other]).contains("does not run"));
    assert!(told(&own[..3]).contains("none of the shards has finished a round"));
    assert!(told(&[]).contains("none of the shards has finished a round"));
}

#[test]
fn shards_of_one_machine_ran_one_after_the_other() {
    let scenario = scenario(8);
    let trials = recorded(&scenario, 1..=8);
    let root = TempDir::new().unwrap();
    let on = |boot_ids: [&str; 2], begins: [u32; 2]| {
        let shards = (1..).zip(boot_ids).zip(begins).map(|((number, boot_id), begins)| {
            let begun = begun(Some(&format!("{number}/2")), boot_id);
            let shard = begun.shard.unwrap();
            let own = trials.iter().filter(|trial| shard.has(trial.round)).cloned();
            let at = |second: u32| format!("2026-11-24T04:{:02}:{:02}Z", second / 60, second % 60);
            let own: Vec<Trial> = (begins..)
                .zip(own)
                .map(|(second, trial)| Trial {
                    ran_utc: Some([at(second), at(second + 1)]),
                    ..trial
                })
                .collect();
            put(&root.path().join(number.to_string()), &begun, &own)
        });
        let folders: Vec<PathBuf> = shards.collect();
        merged(&scenario, &folders)
    };
    let after = on(["one", "one"], [0, 16]).unwrap();
    assert_eq!((after.machines.len(), after.machines[0].shards.len()), (1, 2));
    assert!(after.across_machines.is_empty(), "one machine has no other");
    assert_eq!(on(["one", "two"], [0, 0]).unwrap().machines.len(), 2);
    for begins in [[0, 15], [15, 0], [3, 3]] {
        let said = on(["one", "one"], begins).unwrap_err().to_string();
        assert!(said.contains("ran on one machine at the same time"), "{begins:?}: {said}");
        assert!(said.contains("1/2") && said.contains("2/2"), "{said}");
    }
}

#[test]
fn what_shards_say_of_their_machines_is_said_once_and_by_name() {
    let scenario = scenario(8);
    let trials = recorded(&scenario, 1..=8);
    let root = TempDir::new().unwrap();
    let folders = divided(&root, &trials, 2);
    for (folder, own) in folders.iter().zip([&["a busy neighbour"][..], &[]]) {
        let notes = ["said by both"].iter().chain(own).map(|&note| note.to_owned()).collect();
        let shard = format!("{}/2", folder.file_name().unwrap().to_str().unwrap());
        let told = told(shard.parse().unwrap(), 8);
        let mut result = RunResult { notes, ..mock::empty("tour-payment", "") };
        result.notes.push(told);
        fs::write(folder.join("result.json"), crate::record::to_json(&result)).unwrap();
    }
    let mut slower = begun(Some("2/2"), "boot 2");
    slower.fingerprint.cores = 8;
    journal::begin(&folders[1], &slower).unwrap();
    let notes = merged(&scenario, &folders).unwrap().notes;
    assert_eq!(
        notes[..3],
        ["machines 1 and 2 differ: cores 2 and 8", "said by both", "shard 1/2: a busy neighbour"]
    );
    assert!(!notes.iter().any(|note| note.contains("bakeoff merge")), "{notes:?}");
}
