//! `run FOLDER`: every claim of a folder's scenarios at 99 %, as one ledger of statements.
//!
//! A refuted claim is a finding and no failure. What there was no time for, and what could not be started, is said so.

mod statements;

use std::fs;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};

use statements::{LedgerStatement, STATEMENTS, UNSETTLED};

use crate::error::Result;
use crate::record::{
    Begun, Fingerprint, Ledger, LedgerClaim, LedgerRow, NotRun, RunResult, StatementVerdict,
    Verdict,
};
use crate::run::host::Host;
use crate::run::rounds::Budget;
use crate::run::{Progress, Request, journal, report_folder};
use crate::scenario::{Scenario, builtin};
use crate::text::distinct;
use crate::units::Nanos;
use crate::{clock, exit, record, report, scenario, stats};

/// Many statements are judged side by side, so each interval is a wide one.
const CONFIDENCE: f64 = 0.99;
/// What stands for a verdict where nothing that decides was run.
const NOT_MEASURED: &str = "not measured";

#[derive(Debug)]
pub struct LedgerRequest {
    /// Of a folder, as they would be run alone.
    pub scenarios: Vec<Scenario>,
    /// Where the ledger goes, and a folder for each scenario.
    pub out: PathBuf,
    /// The time that all of it may take.
    pub budget: Option<Nanos>,
    /// Sets the order of the trials; fresh from the system unless given.
    pub order_seed: Option<u64>,
    /// A given database may be written to without asking.
    pub yes: bool,
    /// Goes on where an earlier ledger in `out` has stopped.
    pub resume: bool,
    /// What was asked, as words after `bakeoff run`.
    pub words: Vec<String>,
}

/// What will be run, and what will not.
#[derive(Debug)]
pub struct LedgerPlan {
    /// In the order in which they run, with their rounds.
    pub scenarios: Vec<Scenario>,
    pub not_run: Vec<NotRun>,
    /// About how long it takes.
    pub time: Nanos,
    /// What the budget took away from all of them, if it did.
    pub note: Option<String>,
}

/// Chooses scenarios and rounds: those that decide a statement first, statement by statement, then the others that claim
/// something. Where the budget does not hold them whole, each is [pared](Scenario::pared) to what decides; what is left of
/// the time goes into rounds, and what is still too much is left out. So one row is whole before the next one begins.
pub fn plan_ledger(scenarios: &[Scenario], budget: Option<Nanos>) -> LedgerPlan {
    let speaks = |one: &Scenario| STATEMENTS.iter().any(|s| s.is_tested_by(&one.name));
    let claims = |one: &Scenario| one.statements().next().is_some();
    let (due, silent): (Vec<_>, Vec<_>) =
        in_order(scenarios).into_iter().partition(|one| speaks(one) || claims(one));
    let level = |one: &Scenario| refuting_level(&one.name, scenarios);
    let due: Vec<Scenario> = due.into_iter().map(|one| judged(level(&one), one, 1.0)).collect();
    let whole = estimate(&due);
    let (due, note) = match budget {
        Some(budget) if whole > budget => (within(due, budget), Some(pared_note(budget, whole))),
        _ => (due, None),
    };
    let not_run =
        |one: &Scenario, why: &str| NotRun { scenario: one.name.clone(), why: why.into() };
    let mut plan = LedgerPlan { scenarios: Vec::new(), not_run: Vec::new(), time: Nanos(0), note };
    plan.not_run.extend(silent.iter().map(|one| not_run(one, "it claims nothing")));
    for one in due {
        let time = plan.time + one.estimate();
        if budget.is_some_and(|budget| time > budget) {
            plan.not_run.push(not_run(&one, "the budget does not reach so far"));
        } else {
            plan.time = time;
            plan.scenarios.push(one);
        }
    }
    plan
}

/// With the ledger's confidence and a share of its own rounds, but as many as its levels need.
fn judged(refutes_at: f64, one: Scenario, share: f64) -> Scenario {
    let rounds = (f64::from(one.rounds) * share) as u32;
    let rounds = rounds.max(stats::fewest_pairs(CONFIDENCE.max(refutes_at)) as u32);
    Scenario { confidence: CONFIDENCE, refutes_at, rounds, ..one }
}

/// The level at which one of the claims that a statement needs refutes it, so that their number changes nothing: with k of
/// them 1 - 0.01/k.
fn refuting_level(scenario: &str, scenarios: &[Scenario]) -> f64 {
    let statement = STATEMENTS.iter().find(|one| one.is_tested_by(scenario));
    let needed = statement.map_or(1, |statement| needed(statement, scenarios).len().max(1));
    1.0 - (1.0 - CONFIDENCE) / needed as f64
}

/// A claim that the wording of a statement needs.
#[derive(Debug, PartialEq)]
struct Needed {
    scenario: String,
    text: String,
}

/// Those of a statement's scenarios; of one that is not at hand those of the built-in one.
fn needed(statement: &LedgerStatement, scenarios: &[Scenario]) -> Vec<Needed> {
    let of = |name: &&str| {
        let own = scenarios.iter().find(|one| one.name == **name).cloned();
        own.or_else(|| builtin(name))
    };
    let deciding = |one: Scenario| {
        let texts = one.statements().filter(|one| one.decides).map(|one| one.text.clone());
        let needed = texts.map(|text| Needed { scenario: one.name.clone(), text });
        needed.collect::<Vec<_>>()
    };
    statement.scenarios.iter().filter_map(of).flat_map(deciding).collect()
}

fn within(due: Vec<Scenario>, budget: Nanos) -> Vec<Scenario> {
    let pared: Vec<Scenario> = due.into_iter().map(Scenario::pared).collect();
    let share = budget.as_secs_f64() / estimate(&pared).as_secs_f64();
    pared.into_iter().map(|one| judged(one.refutes_at, one, share.min(1.0))).collect()
}

fn pared_note(budget: Nanos, whole: Nanos) -> String {
    let minutes = |time: Nanos| time.as_secs_f64() / 60.0;
    format!(
        "In {:.0} min instead of about {:.0} each scenario runs with the contenders and the levels of the claims that \
         decide alone, and one row is whole before the next begins.",
        minutes(budget),
        minutes(whole)
    )
}

fn estimate(scenarios: &[Scenario]) -> Nanos {
    Nanos::from_secs_f64(scenarios.iter().map(|one| one.estimate().as_secs_f64()).sum())
}

/// Those that decide the first statement, as it names them, then those of the second, and so on; then those that stand
/// beside a statement; those of none are the last.
fn in_order(scenarios: &[Scenario]) -> Vec<Scenario> {
    let place = |scenario: &Scenario| {
        let of = |statement: &LedgerStatement| {
            let turn = statement.scenarios.iter().position(|name| *name == scenario.name)?;
            Some((statement.number, turn))
        };
        let beside = !scenario.statements().any(|one| one.decides);
        STATEMENTS.iter().find_map(of).map_or((true, u32::MAX, 0), |(n, turn)| (beside, n, turn))
    };
    let mut ordered = scenarios.to_vec();
    ordered.sort_by_key(place);
    ordered
}

/// One scenario of the ledger. A resumed one keeps what an earlier build measured to its end, of the same programs on the same
/// machine. Anything else that is not of this build begins again.
fn measured(
    request: &LedgerRequest,
    scenario: &Scenario,
    budget: Option<Nanos>,
    progress: &mut Progress,
    stop: &AtomicBool,
) -> Result<RunResult> {
    let out = request.out.join(&scenario.name);
    let of_one = |resume| Request {
        resume,
        out: out.clone(),
        order_seed: request.order_seed,
        words: request.words.clone(),
        yes: request.yes,
        budget,
        ..Request::of(scenario.clone())
    };
    if !request.resume || !journal::has_begun(&out) {
        return super::run(&of_one(false), progress, stop);
    }
    let one = slice::from_ref(scenario);
    let now = Host::describe(&scenario::fingerprints(one));
    let then = journal::read_begun(&out)?;
    if then.fingerprint.binary == now.binary || then.fingerprint.scenario != now.scenario {
        return super::run(&of_one(true), progress, stop);
    }
    let as_then = Begun {
        fingerprint: Fingerprint { binary: then.fingerprint.binary.clone(), ..now },
        contenders: journal::contender_files(one),
        ..then
    };
    let comparable = journal::begun(&out, &as_then).is_ok();
    match report_folder::result(&out).filter(|it| it.verdict != Verdict::Interrupted) {
        Some(whole) if comparable => Ok(whole),
        _ => {
            report_folder::clean(&out)?;
            super::run(&of_one(false), progress, stop)
        }
    }
}

/// Runs what the plan has, and writes the ledger.
///
/// # Errors
/// When the ledger cannot be written. A scenario that cannot be run is a row that says so.
pub fn ledger(
    request: &LedgerRequest,
    progress: impl Fn() -> Progress,
    stop: &AtomicBool,
) -> Result<Ledger> {
    if !request.resume {
        report_folder::clean(&request.out)?;
    }
    let started_utc = clock::utc();
    let budget = Budget::of(request.budget);
    let mut plan = plan_ledger(&request.scenarios, request.budget);
    let fingerprint = Host::describe(&scenario::fingerprints(&plan.scenarios));
    let mut results: Vec<RunResult> = Vec::new();
    for scenario in plan.scenarios {
        let mut skip = |why: String| {
            plan.not_run.push(NotRun { scenario: scenario.name.clone(), why });
        };
        if stop.load(Ordering::Relaxed) {
            skip("interrupted".into());
            continue;
        }
        match measured(request, &scenario, budget.left(), &mut progress(), stop) {
            Ok(result) => results.push(result),
            Err(error) => skip(format!("it could not be run: {}", error.message())),
        }
    }
    let made = (&fingerprint, started_utc.as_str());
    let sources = results.iter().filter_map(|result| source(result, made)).collect();
    let mut ledger = Ledger {
        schema: record::LEDGER_SCHEMA.into(),
        started_utc,
        fingerprint,
        confidence: CONFIDENCE,
        rows: STATEMENTS
            .iter()
            .map(|one| {
                let needed = needed(one, &request.scenarios);
                row(one, &needed, &results, &plan.not_run, &request.out)
            })
            .collect(),
        others: others(&results),
        note: plan.note,
        words: request.words.clone(),
        not_run: plan.not_run,
        sources,
        unsettled: UNSETTLED.map(str::to_owned).to_vec(),
        interrupted: stop.load(Ordering::Relaxed),
        exit_code: 0,
        second: None,
    };
    let failed = results.iter().any(|result| result.verdict == Verdict::Fail);
    ledger.exit_code = match (ledger.interrupted, failed) {
        (true, _) => exit::INTERRUPTED,
        (false, true) => exit::FAILS,
        (false, false) => exit::OK,
    };
    report::ledger::write(&request.out, &ledger, true)?;
    Ok(ledger)
}

fn row(
    statement: &LedgerStatement,
    needed: &[Needed],
    results: &[RunResult],
    not_run: &[NotRun],
    out: &Path,
) -> LedgerRow {
    let own: Vec<&RunResult> =
        results.iter().filter(|result| statement.is_tested_by(&result.scenario)).collect();
    let claims: Vec<LedgerClaim> = own.iter().flat_map(|result| claims(result)).collect();
    let deciding: Vec<&LedgerClaim> = claims.iter().filter(|claim| claim.decides).collect();
    let missing: Vec<&Needed> = needed
        .iter()
        .filter(|one| {
            !deciding.iter().any(|c| (&c.scenario, &c.judgement.text) == (&one.scenario, &one.text))
        })
        .collect();
    let with = distinct(deciding.iter().map(|claim| shape(&claim.judgement.tested_with)));
    let measured = !deciding.is_empty();
    LedgerRow {
        number: statement.number,
        community: statement.community.into(),
        statement: statement.text.into(),
        verdict: together(deciding.iter().map(|claim| claim.judgement.verdict), &missing),
        figure: match measured {
            true => figure(&deciding, &missing, not_run),
            false => unmeasured(statement, &missing, not_run),
        },
        tested_with: if measured { with.join("; ") } else { NOT_MEASURED.into() },
        measured,
        charts: own.iter().filter_map(|result| chart(out, &result.scenario)).collect(),
        claims,
    }
}

/// One that fails refutes, whatever else was not run; it takes all of them to hold.
fn together(
    verdicts: impl Iterator<Item = StatementVerdict>,
    missing: &[&Needed],
) -> StatementVerdict {
    let verdicts: Vec<StatementVerdict> = verdicts.collect();
    let all = |verdict| verdicts.iter().all(|one| *one == verdict);
    if verdicts.contains(&StatementVerdict::Fails) {
        StatementVerdict::Fails
    } else if !verdicts.is_empty() && missing.is_empty() && all(StatementVerdict::Holds) {
        StatementVerdict::Holds
    } else {
        StatementVerdict::Inconclusive
    }
}

/// What each deciding claim came to: those that fail, those that are open, those that were not run, those that hold.
fn figure(deciding: &[&LedgerClaim], missing: &[&Needed], not_run: &[NotRun]) -> String {
    let alone = deciding.len() + missing.len() == 1;
    let told = |verdict| {
        deciding.iter().filter(move |one| one.judgement.verdict == verdict).map(move |claim| {
            let LedgerClaim { scenario, judgement, .. } = claim;
            match alone {
                true => format!("{scenario}: {}", judgement.reason),
                false => format!(
                    "{scenario}: {}: {}: {}",
                    judgement.verdict.name(),
                    judgement.text,
                    judgement.reason
                ),
            }
        })
    };
    let untold = missing.iter().map(|one| {
        format!("{}: not run: {} ({})", one.scenario, one.text, why_not(&one.scenario, not_run))
    });
    told(StatementVerdict::Fails)
        .chain(told(StatementVerdict::Inconclusive))
        .chain(untold)
        .chain(told(StatementVerdict::Holds))
        .collect::<Vec<_>>()
        .join("; ")
}

fn unmeasured(statement: &LedgerStatement, missing: &[&Needed], not_run: &[NotRun]) -> String {
    let mut scenarios: Vec<&str> = missing.iter().map(|one| one.scenario.as_str()).collect();
    scenarios.dedup();
    let own: Vec<String> =
        scenarios.iter().map(|name| format!("{name}: {}", why_not(name, not_run))).collect();
    match (own.is_empty(), statement.number) {
        (false, _) => format!("{NOT_MEASURED} ({})", own.join("; ")),
        (true, 15) => format!("{NOT_MEASURED} (bakeoff decide answers it for one service)"),
        (true, _) => format!("{NOT_MEASURED} (no such scenario)"),
    }
}

fn why_not<'a>(scenario: &str, not_run: &'a [NotRun]) -> &'a str {
    let known = not_run.iter().find(|one| one.scenario == scenario);
    known.map_or("it is not in this folder", |one| one.why.as_str())
}

fn claims(result: &RunResult) -> Vec<LedgerClaim> {
    let judged = result.claims.iter().chain(&result.expectations);
    judged
        .map(|judgement| LedgerClaim {
            scenario: result.scenario.clone(),
            decides: judgement.decides,
            judgement: judgement.clone(),
        })
        .collect()
}

/// Says of a result that it was not measured for this ledger, or by another build: a ledger that is gone on with keeps what
/// it has.
fn source(result: &RunResult, (own, started): (&Fingerprint, &str)) -> Option<String> {
    let RunResult { scenario, started_utc, fingerprint, .. } = result;
    let earlier = started_utc.as_str() < started;
    let other = fingerprint.binary != own.binary;
    let build =
        if other { format!(" by another build ({})", fingerprint.bakeoff) } else { String::new() };
    (earlier || other).then(|| format!("{scenario}: measured from {started_utc} on{build}"))
}

fn others(results: &[RunResult]) -> Vec<LedgerClaim> {
    let of_none =
        |result: &&RunResult| !STATEMENTS.iter().any(|s| s.is_tested_by(&result.scenario));
    results.iter().filter(of_none).flat_map(claims).collect()
}

/// A model is a shape, and says so.
fn shape(tested_with: &str) -> &str {
    match tested_with {
        "Rust models" => "their scheduling shape in Rust (no GC, no JIT)",
        real => real,
    }
}

/// The picture that says most: every metric of two contenders, or else the first.
fn chart(out: &Path, scenario: &str) -> Option<String> {
    let folder = fs::read_dir(out.join(scenario).join("charts")).ok()?;
    let mut names: Vec<String> = folder
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with("-light.svg"))
        .collect();
    names.sort_by_key(|name| (!name.starts_with("forest"), name.clone()));
    Some(format!("{scenario}/charts/{}", names.first()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::record::Judgement;
    use crate::scenario::BUILTIN;

    fn all() -> Vec<Scenario> {
        BUILTIN.iter().filter_map(|(name, _)| builtin(name)).filter(|one| !one.self_check).collect()
    }

    #[test]
    fn a_budget_cuts_claims_and_rounds_and_then_scenarios_and_says_so() {
        let whole = plan_ledger(&all(), None);
        assert!(whole.scenarios.iter().all(|one| one.rounds >= 8 && one.confidence == CONFIDENCE));
        let names = |plan: &LedgerPlan| -> Vec<String> {
            plan.scenarios.iter().map(|one| one.name.clone()).collect()
        };
        assert!(!names(&whole).contains(&"map-cpu-wait".to_owned()), "it claims nothing");
        let budget = Nanos(whole.time.0 / 8);
        let cut = plan_ledger(&all(), Some(budget));
        assert!(cut.time <= budget && cut.scenarios.len() < whole.scenarios.len());
        let decides = |one: &Scenario| one.statements().any(|one| one.decides);
        let deciding = cut.scenarios.iter().take_while(|one| decides(one)).count();
        assert!(deciding > 3 && !cut.scenarios[deciding..].iter().any(decides), "they come first");
        assert_eq!(
            cut.scenarios.len() + cut.not_run.len(),
            whole.scenarios.len() + whole.not_run.len()
        );
        assert!(cut.note.is_some() && whole.note.is_none());
        assert!(cut.not_run.iter().any(|one| one.why.contains("budget")));
    }

    #[test]
    fn a_row_is_whole_before_the_next_begins() {
        let all = all();
        let order: Vec<String> = in_order(&all).into_iter().map(|one| one.name).collect();
        let place = |name: &str| order.iter().position(|one| one == name).unwrap();
        assert!(place("go-vs-node-cpu-mixed") == place("go-vs-node-cpu") + 1);
        assert!(place("go-vs-node-payment-50ms") < place("go-vs-node-loyalty"));
        assert!(place("payment-50ms-query") > place("go-vs-node-webhook"), "it stands beside");
        assert!(place("tour-payment") > place("loyalty-fanout-1000"), "of no statement");
    }

    #[test]
    fn a_row_of_many_claims_needs_more_to_fail_and_the_rounds_for_it() {
        let all = all();
        assert_eq!(needed(&STATEMENTS[5], &all).len(), 4);
        assert_eq!(refuting_level("go-vs-node-memory", &all), 0.9975);
        assert_eq!(refuting_level("go-vs-node-raw", &all), 0.99);
        // Those of a scenario that is not at hand count.
        let alone: Vec<Scenario> =
            all.iter().filter(|one| one.name == "go-vs-node-cpu").cloned().collect();
        assert_eq!(refuting_level("go-vs-node-cpu", &alone), 0.995);
        let memory = plan_ledger(&all, None).scenarios;
        let memory = memory.iter().find(|one| one.name == "go-vs-node-memory").unwrap();
        assert_eq!((memory.refutes_at, memory.rounds), (0.9975, 10));
    }

    #[test]
    fn what_is_said_of_go_and_node_is_decided_by_them() {
        for statement in STATEMENTS {
            let deciding = statement.scenarios.iter().filter_map(|name| builtin(name));
            let deciding: Vec<Scenario> =
                deciding.filter(|one| one.statements().any(|one| one.decides)).collect();
            assert_eq!(deciding.is_empty(), statement.scenarios.is_empty(), "{statement:?}");
            let named = ["Go", "Node", "Both", "either", "That difference", "single thread"];
            if !named.iter().any(|name| statement.text.contains(name)) {
                continue;
            }
            for scenario in deciding {
                let real = |name: &String| scenario.contender(name).unwrap().system.is_some();
                let decided = scenario.statements().filter(|one| one.decides);
                for one in decided {
                    assert!(real(&one.of), "{}: {}", scenario.name, one.text);
                }
            }
        }
    }

    fn judged_as(verdict: StatementVerdict, text: &str) -> RunResult {
        let judgement = Judgement {
            text: text.into(),
            verdict,
            reason: "a figure".into(),
            decides: true,
            tested_with: "Go".into(),
            ..Judgement::default()
        };
        let mut result = mock::payments(2, &[("go", 100.0, 1.0), ("node", 200.0, 1.0)]);
        result.scenario = "go-vs-node-memory".into();
        result.claims = vec![judgement];
        result
    }

    #[test]
    fn one_that_fails_refutes_and_one_that_was_not_run_keeps_a_row_open() {
        use StatementVerdict::{Fails, Holds, Inconclusive};
        let statement = &STATEMENTS[5];
        let needed = ["low", "predictable"]
            .map(|text| Needed { scenario: "go-vs-node-memory".into(), text: text.into() });
        let row = |results: &[RunResult], needed: &[Needed]| {
            let not_run = [NotRun { scenario: "go-vs-node-memory".into(), why: "it broke".into() }];
            row(statement, needed, results, &not_run, Path::new("/nonexistent"))
        };
        let low = |verdict| row(&[judged_as(verdict, "low")], &needed);
        let told = |row: &LedgerRow| (row.verdict, row.measured);
        assert_eq!(told(&low(Fails)), (Fails, true));
        assert_eq!(told(&low(Holds)), (Inconclusive, true));
        assert!(low(Holds).figure.contains("not run: predictable (it broke)"), "{:?}", low(Holds));
        assert!(low(Fails).figure.starts_with("go-vs-node-memory: fails: low: a figure"));
        assert_eq!(told(&row(&[judged_as(Holds, "low")], &needed[..1])), (Holds, true));
        assert_eq!(
            told(&row(&[judged_as(Inconclusive, "low")], &needed[..1])),
            (Inconclusive, true)
        );
        let nothing = row(&[], &needed);
        assert_eq!(told(&nothing), (Inconclusive, false));
        assert_eq!(nothing.figure, "not measured (go-vs-node-memory: it broke)");
    }

    #[test]
    fn what_was_measured_earlier_or_by_another_build_is_said() {
        let result = judged_as(StatementVerdict::Holds, "low");
        let own = result.fingerprint.clone();
        let now = result.started_utc.clone();
        assert_eq!(source(&result, (&own, &now)), None);
        let later = source(&result, (&own, "9999"));
        assert!(later.unwrap().contains(&format!("measured from {now} on")));
        let other = Fingerprint { binary: "another".into(), ..own };
        assert!(source(&result, (&other, &now)).unwrap().contains("by another build"));
    }
}
