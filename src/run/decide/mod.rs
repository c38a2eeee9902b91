//! `decide`: the floor, the ceilings, one row for each model at its best size, and what would change the answer.
//!
//! It asks the machine and interpolates nothing: whatever a sentence names was measured.

mod answer;
mod question;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use question::MODELS;

use crate::error::{Error, Result};
use crate::judge::cell::{self, CEILING};
use crate::latency::Latency;
use crate::record::{Decided, Decision, Limit, Meeting, RunResult, Trial};
use crate::run::host::Host;
use crate::run::paired::{Best, OperatingPoint, Rules};
use crate::run::rounds::{Budget, RandomizedBlock};
use crate::run::testbed::{ExperimentContext, Testbed};
use crate::run::trial::spec::TrialSpec;
use crate::run::{Progress, capacity, paired, rounds};
use crate::scenario::{MapMetric, Scenario};
use crate::units::Nanos;
use crate::{clock, files, random, record, scenario};

pub use question::Question;

/// Rounds at the rate: the fewest that have an interval.
const ROUNDS: u32 = 6;
/// Rounds of a meeting. Seven are judged together, so that one that stands out alone needs p < 5 %/7; 9 rounds that all
/// agree have 2 / 2^9.
const MEETING_ROUNDS: u32 = 9;
/// What a trial takes beside its window: start, warm-up, lead-in and stop.
const BESIDE: Nanos = Nanos(1_500 * Nanos::MILLI.0);
/// A block of a meeting and of a size, with all that is around it.
const BLOCK: Nanos = Nanos(1_300 * Nanos::MILLI.0);
/// Trials of three sizes for each model with threads, and one of each other.
const SIZES: u64 = 8;
/// Blocks of a meeting, those that find the two sizes among them.
const BLOCKS: u64 = 2 * MEETING_ROUNDS as u64 + 3;
/// Meetings: as asked, and with half and double of CPU, wait and pool.
const MEETINGS: u64 = 7;
/// Trials of a search for the capacity take about so long for each model; without so much time it is not begun.
const SEARCH: Nanos = Nanos(60 * Nanos::SECOND.0);

/// What else is asked of `decide`.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// The time that all of it may take: what would end later is left out; what is left of it goes into a search for the
    /// capacities.
    pub budget: Option<Nanos>,
    /// Where the scenario is written.
    pub save: Option<PathBuf>,
    /// Whatever is there is overwritten.
    pub force: bool,
}

/// An answer, and the run that it rests on, as `report` and `chart` read it: nothing where there was none.
#[derive(Debug)]
pub struct Recommendation {
    /// For people.
    pub decision: Decision,
    pub result: Option<RunResult>,
}

/// Answers a question.
///
/// # Errors
/// Usage errors where the budget has no room for an answer, or where the question has no answer on this machine; else when a contender cannot be started.
pub fn decide(
    question: &Question,
    extras: &Extras,
    progress: &mut Progress,
    stop: &AtomicBool,
) -> Result<Recommendation> {
    question.check()?;
    if let Some(path) = &extras.save {
        files::reserve(path, extras.force)?;
    }
    let cores = question.cores()?;
    let unsized_models = MODELS.map(|model| (model, None));
    let base = question.scenario(&unsized_models)?;
    let started_utc = clock::utc();
    expect_room(&base, extras.budget)?;
    let budget = Budget::of(extras.budget);
    let mut testbed = Testbed::open(std::slice::from_ref(&base), progress, false)?;
    let order_seed = random::fresh_seed();
    let mut context = ExperimentContext { testbed: &mut testbed, order_seed, budget, stop };

    let point =
        OperatingPoint { cpu: question.cpu, wait: question.waits(), pool: Some(question.pool) };
    context.testbed.progress.expect(expected());
    let sizes = best_sizes(&mut context, &base, &point)?;
    if sizes.len() < MODELS.len() {
        context.testbed.progress.end();
        let stopped = stop.load(Ordering::Relaxed);
        let decision = concluded(question, &base, Measured::default(), stopped)?;
        return Ok(Recommendation { decision, result: None });
    }
    let threads: Vec<(&str, Option<usize>)> =
        MODELS.into_iter().zip(&sizes).map(|(model, best)| (model, best.threads)).collect();
    let scenario = question.scenario(&threads)?;
    if let Some(path) = &extras.save {
        let text = question.text(&threads)?;
        files::write(path, files::signed(&text).as_bytes(), extras.force)?;
    }
    let carried = sizes.iter().any(|best| best.closed_rps() >= question.rate.0);
    let rows = if carried { at_the_rate(&mut context, &scenario)? } else { Vec::new() };
    let models: Vec<Decided> = MODELS
        .into_iter()
        .zip(&sizes)
        .map(|(model, best)| answer::row(model, best, &rows, question))
        .collect();
    let two = answer::two_best(&models);
    let (meetings, left_out) = meet(&mut context, &scenario, two, &point)?;
    let closed = sizes.iter().filter_map(|best| best.closed.as_ref());
    let ceilings: Vec<record::Ceiling> =
        closed.map(|trial| capacity::ceiling(trial, cores)).collect();
    let capacity = match (enough_for_a_search(budget) && carried, scenario.experiments.capacity) {
        (true, Some(how)) => capacity::run(&mut context, &scenario, how, &ceilings)?.0,
        _ => Vec::new(),
    };
    context.testbed.progress.end();
    let measured = Measured { models, meetings, capacity, left_out };
    let decision = concluded(question, &scenario, measured, stop.load(Ordering::Relaxed))?;
    let ran = answer::Ran {
        started_utc,
        calibration: testbed.calibration(scenario.request_cpu),
        order_seed,
        ceilings,
        trials: rows,
    };
    let result = (!ran.trials.is_empty()).then(|| answer::result(&scenario, &decision, ran));
    Ok(Recommendation { decision, result })
}

/// Refuses a budget in which the models cannot have their rounds and the two best one meeting.
fn expect_room(scenario: &Scenario, budget: Option<Nanos>) -> Result<()> {
    let Some(budget) = budget else { return Ok(()) };
    let least = with_meetings(scenario, 1);
    if budget >= least {
        return Ok(());
    }
    Err(Error::usage(format!(
        "a budget of {budget} has no room for {ROUNDS} rounds of {} models and one meeting of the two best",
        MODELS.len()
    ))
    .help(format!(
        "give it {least} or more; without --budget it takes about {}",
        with_meetings(scenario, MEETINGS)
    )))
}

/// What sizes, rounds and so many meetings take, about.
fn with_meetings(scenario: &Scenario, meetings: u64) -> Nanos {
    let trial = scenario.load.duration + BESIDE;
    let rounds = Nanos(trial.0 * MODELS.len() as u64 * u64::from(ROUNDS));
    let blocks = Nanos(BLOCK.0 * (SIZES + meetings * BLOCKS));
    (rounds + blocks).whole_seconds()
}

/// What a decision rests on; nothing where it was stopped before every model had its size.
#[derive(Default)]
struct Measured {
    models: Vec<Decided>,
    meetings: Vec<Meeting>,
    capacity: Vec<record::Capacity>,
    /// Meetings that the budget had no room for.
    left_out: Vec<&'static str>,
}

fn concluded(
    question: &Question,
    scenario: &Scenario,
    measured: Measured,
    stopped: bool,
) -> Result<Decision> {
    let cores = question.cores()?;
    let Measured { models, meetings, capacity, left_out } = measured;
    let mut notes = answer::notes(cores, question);
    if !left_out.is_empty() {
        notes.push(format!("The budget had no room for: {}.", left_out.join(", ")));
    }
    let short = models.iter().map(|one| one.rounds).min().filter(|rounds| *rounds < ROUNDS);
    if let Some(rounds) = short.filter(|_| !meetings.is_empty()) {
        notes.push(format!("A model has {rounds} of {ROUNDS} rounds that count."));
    }
    let mut decision = Decision {
        schema: record::DECISION_SCHEMA.into(),
        asked: question.asked(cores),
        started_utc: clock::utc(),
        fingerprint: Host::describe(&[scenario::fingerprint(scenario)]),
        floor_ns: question.floor().0,
        floor: question.floor_text(),
        ceilings: limits(question, scenario, cores),
        finding: answer::finding(&models, &meetings, question, cores),
        flips: answer::flips(&meetings),
        models,
        meetings,
        capacity,
        notes,
        exit_code: 0,
    };
    decision.exit_code = answer::exit_code(&decision, stopped);
    Ok(decision)
}

/// Trials, about: sizes, rounds at the rate, and the meetings with their sizes.
fn expected() -> u64 {
    SIZES + MODELS.len() as u64 * u64::from(ROUNDS) + MEETINGS * BLOCKS
}

/// Each model at the best of three sizes, in closed loop.
fn best_sizes(
    context: &mut ExperimentContext<'_, '_>,
    base: &Scenario,
    point: &OperatingPoint,
) -> Result<Vec<Best>> {
    let scenario = paired::at(base, &MODELS, point)?;
    let mut sizes = Vec::new();
    for index in 0..MODELS.len() {
        let tried = paired::sizes(&scenario, index, point)?;
        sizes.extend(paired::best_of(context, &scenario, index, point, &tried)?);
    }
    Ok(sizes)
}

/// Every model at the rate, in paired rounds; a void round is run again.
fn at_the_rate(context: &mut ExperimentContext<'_, '_>, scenario: &Scenario) -> Result<Vec<Trial>> {
    let (mut kept, mut held, mut round) = (Vec::new(), 0, 0);
    let most = ROUNDS + rounds::extra_rounds(ROUNDS);
    let mut longest = Nanos(0);
    // One meeting belongs to the answer.
    let meeting = Nanos(BLOCK.0 * BLOCKS);
    while held < ROUNDS && round < most && context.budget.allows(longest + meeting) {
        let began = Instant::now();
        round += 1;
        let randomized = RandomizedBlock { scenario: 0, level: 0, round };
        let order = rounds::order(context.order_seed, randomized, scenario.contenders.len());
        let mut trials = Vec::new();
        for (place, index) in order.into_iter().enumerate() {
            let level = scenario.rates[0];
            let crate::scenario::Level::Rate(rate) = level else {
                unreachable!("a question has a rate")
            };
            let spec = TrialSpec {
                scenario,
                contender: &scenario.contenders[index],
                rate: Some(rate),
                level: level.to_string(),
                duration: scenario.load.duration,
                round,
                place: place as u32,
            };
            let Some(trial) = context.testbed.trial(&spec, context.stop)? else { return Ok(kept) };
            trials.push(trial);
        }
        if !trials.iter().any(|trial| trial.validity.voids_round) {
            held += 1;
            kept.extend(trials);
        }
        longest = longest.max(began.elapsed().into());
    }
    Ok(kept)
}

/// The two best models in closed loop: as asked, then with half and double of everything; and what the budget left out.
fn meet(
    context: &mut ExperimentContext<'_, '_>,
    scenario: &Scenario,
    two: [&'static str; 2],
    point: &OperatingPoint,
) -> Result<(Vec<Meeting>, Vec<&'static str>)> {
    let (mut meetings, mut left_out) = (Vec::new(), Vec::new());
    let mut longest = Nanos(BLOCK.0 * BLOCKS);
    for (number, (name, point)) in neighbours(point).into_iter().enumerate() {
        if !context.budget.allows(longest) {
            left_out.push(name);
            continue;
        }
        let began = Instant::now();
        let rules =
            Rules { metric: MapMetric::Capacity, rounds: MEETING_ROUNDS, best: true, number };
        let Some(found) = paired::compare_pair(context, scenario, two, &point, rules)? else {
            break;
        };
        meetings.push(Meeting {
            place: name.into(),
            figures: point.to_string(),
            cell: found.cell(point.cpu, point.wait.median()),
            of: two[0].into(),
            versus: two[1].into(),
        });
        longest = longest.max(began.elapsed().into());
    }
    cell::judge(meetings.iter_mut().map(|meeting| &mut meeting.cell), CEILING);
    Ok((meetings, left_out))
}

/// Where they meet, with what to call it.
fn neighbours(point: &OperatingPoint) -> Vec<(&'static str, OperatingPoint)> {
    let mut all = vec![
        (answer::AS_ASKED, point.clone()),
        ("half the CPU", OperatingPoint { cpu: Nanos(point.cpu.0 / 2), ..point.clone() }),
        ("twice the CPU", OperatingPoint { cpu: Nanos(point.cpu.0 * 2), ..point.clone() }),
    ];
    if point.wait == Latency::ZERO {
        return all;
    }
    let pool = point.pool.unwrap_or(1);
    all.extend([
        ("half the wait", OperatingPoint { wait: point.wait.scaled(0.5), ..point.clone() }),
        ("twice the wait", OperatingPoint { wait: point.wait.scaled(2.0), ..point.clone() }),
        ("half the pool", OperatingPoint { pool: Some((pool / 2).max(1)), ..point.clone() }),
        ("twice the pool", OperatingPoint { pool: Some(pool * 2), ..point.clone() }),
    ]);
    all
}

fn enough_for_a_search(budget: Budget) -> bool {
    budget.left().is_some_and(|left| left >= SEARCH)
}

/// Ceilings by Little's law, before anything is measured.
fn limits(question: &Question, scenario: &Scenario, cores: usize) -> Vec<Limit> {
    let cpu = question.cpu.as_secs_f64();
    let cpu = (cpu > 0.0).then(|| Limit {
        of: format!("CPU: {cores} / {}, if a request cost nothing else", question.cpu),
        rps: cores as f64 / cpu,
    });
    let pool = scenario.pool_ceiling(question.pool).map(|rate| Limit {
        of: format!("pool: {} connections, three for each wait", question.pool),
        rps: rate.0,
    });
    cpu.into_iter().chain(pool).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_refused_with_the_least_one() {
        let question = question::tests::question();
        let scenario = question.scenario(&MODELS.map(|model| (model, None))).unwrap();
        assert!(expect_room(&scenario, None).is_ok());
        let error = expect_room(&scenario, Some(Nanos(60 * Nanos::SECOND.0))).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let help = error.parts().1.unwrap();
        let least = help.strip_prefix("give it ").unwrap().split(" or more").next().unwrap();
        let least: Nanos = least.replace(' ', "").parse().unwrap();
        assert!(expect_room(&scenario, Some(least)).is_ok(), "what it says is enough");
        assert!(least < with_meetings(&scenario, MEETINGS), "{help}");
    }
}
