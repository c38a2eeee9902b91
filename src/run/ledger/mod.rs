//! `run FOLDER`: every claim of a folder's scenarios at 99 %, as one ledger of statements.
//!
//! A refuted claim is a finding and no failure. What there was no time for, and what could not be started, is said so.

mod statements;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock;
use crate::error::Result;
use crate::exit;
use crate::report;
use crate::report::schema::{
    self, Ledger, LedgerClaim, LedgerRow, NotRun, RunResult, StatementVerdict, Verdict,
};
use crate::run::budget::Budget;
use crate::run::{Progress, Request, fingerprint};
use crate::scenario::Scenario;
use crate::units::Nanos;

use statements::{STATEMENTS, Statement, UNSETTLED};

/// Many statements are judged side by side, so each interval is a wide one.
const CONFIDENCE: f64 = 0.99;
/// The fewest rounds that have such an interval.
const ROUNDS: u32 = 8;

/// A ledger that is asked for.
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
    /// The others.
    pub not_run: Vec<NotRun>,
    /// About how long it takes.
    pub time: Nanos,
    /// What the budget took away from all of them, if it did.
    pub note: Option<String>,
}

/// Chooses scenarios and rounds: those that speak to a statement first, one for each, then the rest that claim something.
/// Where the budget does not hold them whole, each is [pared](Scenario::pared) to its deciding statement; what is left of
/// the time goes into rounds, and what is still too much is left out.
pub fn plan_ledger(scenarios: &[Scenario], budget: Option<Nanos>) -> LedgerPlan {
    let speaks = |one: &Scenario| STATEMENTS.iter().any(|s| s.is_tested_by(&one.name));
    let claims = |one: &Scenario| !one.claims.is_empty() || !one.expectations.is_empty();
    let (due, silent): (Vec<_>, Vec<_>) =
        in_order(scenarios).into_iter().partition(|one| speaks(one) || claims(one));
    let due: Vec<Scenario> = due.into_iter().map(|one| judged(one, 1.0)).collect();
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

/// With the ledger's confidence and a share of its own rounds, but as many as that confidence needs.
fn judged(one: Scenario, share: f64) -> Scenario {
    let rounds = (f64::from(one.rounds) * share) as u32;
    Scenario { confidence: CONFIDENCE, rounds: rounds.max(ROUNDS), ..one }
}

fn within(due: Vec<Scenario>, budget: Nanos) -> Vec<Scenario> {
    let pared: Vec<Scenario> = due.into_iter().map(Scenario::pared).collect();
    let share = budget.as_secs_f64() / estimate(&pared).as_secs_f64();
    pared.into_iter().map(|one| judged(one, share.min(1.0))).collect()
}

fn pared_note(budget: Nanos, whole: Nanos) -> String {
    let minutes = |time: Nanos| time.as_secs_f64() / 60.0;
    format!(
        "In {:.0} min instead of about {:.0} each scenario ran with the contenders and the level of its first statement \
         alone.",
        minutes(budget),
        minutes(whole)
    )
}

fn estimate(scenarios: &[Scenario]) -> Nanos {
    Nanos::from_secs_f64(scenarios.iter().map(|one| one.estimate().as_secs_f64()).sum())
}

/// The first scenario of each statement, as the statement names them, then the second of each, and so on; those of no
/// statement are the last.
fn in_order(scenarios: &[Scenario]) -> Vec<Scenario> {
    let place = |scenario: &Scenario| {
        let of = |statement: &Statement| {
            let turn = statement.scenarios.iter().position(|name| *name == scenario.name)?;
            Some((turn, statement.number))
        };
        STATEMENTS.iter().filter_map(of).min().unwrap_or((usize::MAX, 0))
    };
    let mut ordered = scenarios.to_vec();
    ordered.sort_by_key(place);
    ordered
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
    let started_utc = clock::utc();
    let budget = Budget::of(request.budget);
    let mut plan = plan_ledger(&request.scenarios, request.budget);
    let fingerprint = fingerprint::take(&plan.scenarios);
    let mut results: Vec<RunResult> = Vec::new();
    for scenario in plan.scenarios {
        let mut skip = |why: String| {
            plan.not_run.push(NotRun { scenario: scenario.name.clone(), why });
        };
        if stop.load(Ordering::Relaxed) {
            skip("interrupted".into());
            continue;
        }
        let out = request.out.join(&scenario.name);
        let of_one = Request {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            resume: request.resume && out.join("begun.json").exists(),
            out,
            scenarios: vec![scenario.clone()],
            order_seed: request.order_seed,
            words: request.words.clone(),
            yes: request.yes,
            budget: budget.left(),
        };
        match super::run(&of_one, &mut progress(), stop) {
            Ok(result) => results.push(result),
            Err(error) => skip(format!("it could not be run: {}", error.message())),
        }
    }
    let mut ledger = Ledger {
        schema: schema::LEDGER_SCHEMA.into(),
        started_utc,
        fingerprint,
        confidence: CONFIDENCE,
        rows: STATEMENTS
            .iter()
            .map(|one| row(one, &results, &plan.not_run, &request.out))
            .collect(),
        others: others(&results),
        note: plan.note,
        words: request.words.clone(),
        not_run: plan.not_run,
        unsettled: UNSETTLED.map(str::to_owned).to_vec(),
        interrupted: stop.load(Ordering::Relaxed),
        exit_code: 0,
    };
    let failed = results.iter().any(|result| result.verdict == Verdict::Fail);
    ledger.exit_code = match (ledger.interrupted, failed) {
        (true, _) => exit::INTERRUPTED,
        (false, true) => exit::FAILS,
        (false, false) => exit::OK,
    };
    report::ledger::write(&request.out, &ledger)?;
    Ok(ledger)
}

fn row(statement: &Statement, results: &[RunResult], not_run: &[NotRun], out: &Path) -> LedgerRow {
    let own: Vec<&RunResult> =
        results.iter().filter(|result| statement.is_tested_by(&result.scenario)).collect();
    let claims: Vec<LedgerClaim> = own.iter().flat_map(|result| claims(result)).collect();
    let deciding: Vec<&LedgerClaim> = claims.iter().filter(|claim| claim.decides).collect();
    let figure = match deciding.as_slice() {
        [] => untested(statement, not_run),
        some => {
            let figure =
                |claim: &&LedgerClaim| format!("{}: {}", claim.scenario, claim.judgement.reason);
            some.iter().map(figure).collect::<Vec<_>>().join("; ")
        }
    };
    let mut with: Vec<&str> = Vec::new();
    for one in deciding.iter().map(|claim| shape(&claim.judgement.tested_with)) {
        if !with.contains(&one) {
            with.push(one);
        }
    }
    let tested_with = if with.is_empty() { "not tested here".into() } else { with.join("; ") };
    LedgerRow {
        number: statement.number,
        statement: statement.text.into(),
        verdict: together(deciding.iter().map(|claim| claim.judgement.verdict)),
        figure,
        tested_with,
        charts: own.iter().filter_map(|result| chart(out, &result.scenario)).collect(),
        claims,
    }
}

/// One clear counterexample refutes; it takes all of them to hold.
fn together(verdicts: impl Iterator<Item = StatementVerdict>) -> StatementVerdict {
    let verdicts: Vec<StatementVerdict> = verdicts.collect();
    let all = |verdict| verdicts.iter().all(|one| *one == verdict);
    if verdicts.contains(&StatementVerdict::Fails) {
        StatementVerdict::Fails
    } else if !verdicts.is_empty() && all(StatementVerdict::Holds) {
        StatementVerdict::Holds
    } else {
        StatementVerdict::Inconclusive
    }
}

fn untested(statement: &Statement, not_run: &[NotRun]) -> String {
    let own: Vec<String> = not_run
        .iter()
        .filter(|one| statement.is_tested_by(&one.scenario))
        .map(|one| format!("{}: {}", one.scenario, one.why))
        .collect();
    match (own.is_empty(), statement.number) {
        (false, _) => format!("not tested here ({})", own.join("; ")),
        (true, 15) => "not tested here (bakeoff decide answers it for one service)".into(),
        (true, _) => "not tested here (no such scenario)".into(),
    }
}

/// The statements of a result, the first of which decides.
fn claims(result: &RunResult) -> Vec<LedgerClaim> {
    let judged = result.claims.iter().chain(&result.expectations);
    judged
        .enumerate()
        .map(|(place, judgement)| LedgerClaim {
            scenario: result.scenario.clone(),
            decides: place == 0,
            judgement: judgement.clone(),
        })
        .collect()
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
    use crate::scenario::{BUILTIN, builtin};

    fn all() -> Vec<Scenario> {
        BUILTIN.iter().filter_map(|(name, _)| builtin(name)).filter(|one| !one.self_check).collect()
    }

    #[test]
    fn a_budget_cuts_claims_and_rounds_and_then_scenarios_and_says_so() {
        let whole = plan_ledger(&all(), None);
        assert!(
            whole.scenarios.iter().all(|one| one.rounds >= ROUNDS && one.confidence == CONFIDENCE)
        );
        let names = |plan: &LedgerPlan| -> Vec<String> {
            plan.scenarios.iter().map(|one| one.name.clone()).collect()
        };
        assert!(!names(&whole).contains(&"map-cpu-wait".to_owned()), "it claims nothing");
        let budget = Nanos(whole.time.0 / 10);
        let cut = plan_ledger(&all(), Some(budget));
        assert!(cut.time <= budget && cut.scenarios.len() < whole.scenarios.len());
        assert!(cut.scenarios.iter().all(|one| one.contenders.len() <= 2), "only what decides");
        let spoken =
            STATEMENTS.iter().filter(|s| names(&cut).iter().any(|one| s.is_tested_by(one)));
        assert_eq!(spoken.count(), STATEMENTS.len() - 1, "each has one, but that of `decide`");
        assert_eq!(
            cut.scenarios.len() + cut.not_run.len(),
            whole.scenarios.len() + whole.not_run.len()
        );
        assert!(cut.note.is_some() && whole.note.is_none());
        assert!(cut.not_run.iter().any(|one| one.why.contains("budget")));
    }

    #[test]
    fn every_statement_has_its_first_scenario_before_any_has_its_second() {
        let all = all();
        let order: Vec<String> = in_order(&all).into_iter().map(|one| one.name).collect();
        let place = |name: &str| order.iter().position(|one| one == name).unwrap();
        assert!(place("payment-parallel-lookups") < place("loyalty-fanout-1000-pool-64"));
        assert!(place("tour-payment") > place("payment-parallel-lookups"));
    }

    #[test]
    fn one_counterexample_refutes_and_nothing_at_all_decides_nothing() {
        use StatementVerdict::{Fails, Holds, Inconclusive};
        let verdict = |all: &[StatementVerdict]| together(all.iter().copied());
        assert_eq!(verdict(&[Holds, Holds]), Holds);
        assert_eq!(verdict(&[Holds, Fails, Inconclusive]), Fails);
        assert_eq!(verdict(&[Holds, Inconclusive]), Inconclusive);
        assert_eq!(verdict(&[]), Inconclusive);
        let untested = |statement, not_run: &[NotRun]| super::untested(statement, not_run);
        assert!(untested(&STATEMENTS[0], &[]).contains("no such scenario"));
        let not_run = NotRun { scenario: "go-vs-node-raw".into(), why: "x".into() };
        assert!(untested(&STATEMENTS[0], &[not_run]).contains("go-vs-node-raw: x"));
    }
}
