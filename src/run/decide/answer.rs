//! From what was measured to sentences: which model, and what would turn that round.

use std::collections::BTreeMap;

use crate::backend::services::payment::Calibration;
use crate::judge::cell::exploratory;
use crate::judge::failures::over_the_error_bound;
use crate::judge::races::Figure;
use crate::judge::statement::Family;
use crate::judge::{cell, races, statement};
use crate::record::BoundBy;
use crate::record::late::Late;
use crate::record::{
    Ceiling, Decided, Decision, Meeting, RunResult, Trial, TrialVerdict, Verdict, Winner, late,
};
use crate::run::decide::question::{ERROR_RATE, MODELS, Question, REQUESTS, WINDOW_MAX_S};
use crate::run::paired::Best;
use crate::scenario::Scenario;
use crate::stats::percentile::FAILED_NS;
use crate::units::Rate;
use crate::{exit, judge, record, stats};

pub(super) const AS_ASKED: &str = "as asked";

/// One model's row: medians of its rounds.
pub(super) fn row(model: &str, best: &Best, trials: &[Trial], question: &Question) -> Decided {
    let own = || {
        let usable = |trial: &&Trial| {
            trial.validity.verdict != TrialVerdict::Invalid
                || trial.saturated
                || trial.validity.lost
        };
        trials.iter().filter(|trial| trial.contender == model).filter(usable)
    };
    // A lost round has figures of what was left of it.
    let kept = || own().filter(|trial| !trial.validity.lost);
    let middle = |figure: fn(&Trial) -> Option<f64>| {
        let figures: Vec<f64> = kept().filter_map(figure).collect();
        stats::median(&figures)
    };
    let rounds = own().count();
    let saturated =
        2 * own().filter(|trial| trial.saturated || trial.validity.lost).count() > rounds;
    let p99 = kept().flat_map(|trial| {
        trial.by_request.values().map(|requests| races::response(trial, requests, 990))
    });
    let p99 = races::median(p99.collect());
    let (p99_ns, p99_at_least_ns) = match p99 {
        Figure::Value(ns) | Figure::Late { ns, .. } => (Some(ns), None),
        Figure::AtLeast(ns) => (Some(FAILED_NS as f64), Some(ns)),
        Figure::Unbounded => (Some(FAILED_NS as f64), None),
        Figure::Saturated | Figure::Lost | Figure::Withheld => (None, None),
    };
    let failures = |trial: &Trial| trial.errors.values().sum::<u64>();
    let over = |trial: &&Trial| over_the_error_bound(failures(trial), trial.requests, ERROR_RATE.0);
    let failing = 2 * own().filter(over).count() > rounds;
    let keeps = match (rounds, saturated, p99_ns) {
        (0, ..) => None,
        (_, true, _) => Some(false),
        _ if failing => Some(false),
        (_, false, Some(high)) => {
            late::at_most(p99.without_lateness().unwrap_or(high), high, question.slo.0 as f64)
        }
        (_, false, None) => None,
    };
    Decided {
        model: model.into(),
        size: best.words.clone(),
        closed_rps: best.closed_rps(),
        closed_bound_by: best.closed.as_ref().map(|trial| trial.bound_by),
        p99_ns: p99_ns.filter(|_| !saturated),
        p99_at_least_ns: p99_at_least_ns.filter(|_| !saturated),
        p99_without_lateness_ns: p99
            .without_lateness()
            .filter(|_| !saturated && p99.late() != Late::No),
        failures: own().map(failures).sum(),
        requests: own().map(|trial| trial.requests).sum(),
        cpu_us_per_request: middle(|trial| trial.server.cpu_us_per_request),
        rss_peak_bytes: middle(|trial| trial.server.rss_peak_bytes.map(|bytes| bytes as f64)),
        memory_peak_bytes: middle(|trial| trial.server.memory_peak_bytes.map(|b| b as f64)),
        rounds: rounds as u32,
        saturated,
        keeps_slo: keeps,
    }
}

/// Those that keep the SLO go first, and among them those with the highest closed ceiling.
pub(super) fn two_best(models: &[Decided]) -> [&'static str; 2] {
    let mut order: Vec<usize> = (0..models.len()).collect();
    let worth = |index: usize| {
        let one = &models[index];
        (one.keeps_slo == Some(true), one.closed_rps)
    };
    order.sort_by(|&a, &b| {
        let (a, b) = (worth(a), worth(b));
        b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    [MODELS[order[0]], MODELS[order[1]]]
}

/// Who wins a meeting and how many times over, where that is certain.
fn winner(meeting: &Meeting) -> Option<(Winner, f64)> {
    cell::winner(&meeting.cell)
}

fn won(meeting: &Meeting) -> Option<Winner> {
    winner(meeting).map(|(side, _)| side)
}

pub(super) fn finding(
    models: &[Decided],
    meetings: &[Meeting],
    question: &Question,
    cores: usize,
) -> String {
    let most = models.iter().max_by(|a, b| a.closed_rps.total_cmp(&b.closed_rps));
    let Some(most) = most else { return "Nothing was measured.".into() };
    let cores_text = if cores == 1 { "one core".to_owned() } else { format!("{cores} cores") };
    if most.closed_rps < question.rate.0 {
        return format!(
            "No model carries {} on {cores_text}: the most is {} in closed loop, with {}, bound by its {}. It takes about {:.0} \
             times as much of that.",
            question.rate,
            Rate(most.closed_rps),
            most.model,
            bound(most.closed_bound_by),
            (question.rate.0 / most.closed_rps).ceil()
        );
    }
    let keep: Vec<&str> = models
        .iter()
        .filter(|one| one.keeps_slo == Some(true))
        .map(|one| one.model.as_str())
        .collect();
    let promise = format!("a p99 of {} at {} on {cores_text}", question.slo, question.rate);
    let kept = match keep.as_slice() {
        [] => format!("No model was seen to keep {promise}"),
        all if all.len() == models.len() => format!("Every model keeps {promise}"),
        some => format!(
            "{} keep{} {promise}",
            some.join(" and "),
            if some.len() == 1 { "s" } else { "" }
        ),
    };
    let Some(meeting) = meetings.first() else { return format!("{kept}.") };
    let (of, versus) = (&meeting.of, &meeting.versus);
    let cell = &meeting.cell;
    let compared = match (winner(meeting), cell.low, cell.high) {
        (Some((Winner::Of, by)), Some(low), Some(high)) => format!(
            "of the two best, {of} carries {by:.2}x what {versus} does ({low:.2} to {high:.2}, closed loop)"
        ),
        (Some((Winner::Versus, by)), Some(low), Some(high)) => format!(
            "of the two best, {versus} carries {by:.2}x what {of} does ({:.2} to {:.2}, closed loop)",
            1.0 / high,
            1.0 / low
        ),
        (None, Some(low), Some(high)) => format!(
            "between the two best, {of} and {versus}, there is no clear difference ({low:.2} to {high:.2}, closed loop): \
             choose by what you know best"
        ),
        _ => format!("{of} and {versus} do not differ clearly: {}", cell.reason),
    };
    format!("{kept}; {compared}.")
}

fn bound(by: Option<BoundBy>) -> &'static str {
    match by {
        Some(BoundBy::Contender) => "cores",
        None | Some(BoundBy::Nothing) => "threads",
        Some(other) => other.name(),
    }
}

/// What would turn the answer round, in a sentence: measured neighbours only.
pub(super) fn flips(meetings: &[Meeting]) -> String {
    let Some((base, neighbours)) = meetings.split_first() else {
        return "Nothing was measured beside it.".into();
    };
    if neighbours.is_empty() {
        return "No half and no double was measured beside it.".into();
    }
    let named = |meeting: &Meeting| {
        let Meeting { place, figures, of, versus, .. } = meeting;
        match winner(meeting) {
            Some((Winner::Of, by)) => format!("{place} ({of} {by:.2}x; {figures})"),
            Some((Winner::Versus, by)) => format!("{place} ({versus} {by:.2}x; {figures})"),
            None => format!("{place} ({figures})"),
        }
    };
    let all = |wanted: &dyn Fn(Option<Winner>) -> bool| {
        let those = neighbours.iter().filter(|meeting| wanted(won(meeting)));
        those.map(named).collect::<Vec<_>>().join(", ")
    };
    let places =
        neighbours.iter().map(|meeting| meeting.place.as_str()).collect::<Vec<_>>().join(", ");
    let Some(here) = won(base) else {
        let decided = all(&|there| there.is_some());
        return match decided.is_empty() {
            true => format!("Nothing tested decides between them ({places})."),
            false => format!("It would be decided by: {decided}."),
        };
    };
    let turned = all(&|there| there.is_some_and(|there| there != here));
    let even: Vec<&str> = neighbours
        .iter()
        .filter(|meeting| won(meeting).is_none())
        .map(|meeting| meeting.place.as_str())
        .collect();
    let even = match even.is_empty() {
        true => String::new(),
        false => format!("; no clear difference with {}", even.join(", ")),
    };
    match turned.is_empty() {
        true => format!("Nothing tested changes it ({places}){even}."),
        false => format!("It would change with: {turned}{even}."),
    }
}

/// What a reader should know.
pub(super) fn notes(cores: usize, question: &Question) -> Vec<String> {
    let mut notes = vec![
        "The throughput of a closed loop says nothing about response times. The comparisons are judged together: of those \
         that name a winner, 5 % are wrong on average. A difference of less than 5 % does not count."
            .to_owned(),
        "A request's CPU time is what you asked for and what the server spends on it. Sizes are the best of those named, within the same pool of connections."
            .to_owned(),
        "Tested with scheduling shapes in Rust: no garbage collector, no just-in-time compiler.".to_owned(),
    ];
    if cores == 1 {
        notes.push(
            "The service has one core: models of several threads are not tested here on CPU parallelism."
                .into(),
        );
    }
    if REQUESTS / question.rate.0 > WINDOW_MAX_S {
        let rate = question.rate;
        notes.push(format!(
            "A p99 needs 1,000 requests a trial, which {rate} may not give in {WINDOW_MAX_S} s: then it is withheld."
        ));
    }
    notes
}

/// 130 when it was stopped, 3 when no model keeps the promise.
pub(super) fn exit_code(decision: &Decision, interrupted: bool) -> u8 {
    let kept = decision.models.iter().any(|one| one.keeps_slo == Some(true));
    let broken = decision.models.iter().all(|one| one.keeps_slo == Some(false));
    let beyond = decision.models.iter().all(|one| one.closed_rps < decision.asked.rate_rps);
    match (interrupted, kept, broken || beyond) {
        (true, ..) => exit::INTERRUPTED,
        (_, false, true) => exit::FAILS,
        _ => exit::OK,
    }
}

pub(super) struct Ran {
    pub(super) started_utc: String,
    /// What the CPU time that was asked for came to.
    pub(super) calibration: Option<Calibration>,
    pub(super) order_seed: u64,
    /// Of each model at its best size.
    pub(super) ceilings: Vec<Ceiling>,
    /// At the rate.
    pub(super) trials: Vec<Trial>,
}

/// The result of the rounds at the rate, with the answer among its notes.
pub(super) fn result(scenario: &Scenario, decision: &Decision, ran: Ran) -> RunResult {
    let rounds = ran.trials.iter().map(|trial| trial.round).max().unwrap_or(0);
    let answer = [&decision.finding, &decision.flips].into_iter().chain(&decision.notes);
    let exit_code = decision.exit_code;
    // What `decide` says is in its own sentences: none of these comparisons is a headline.
    let told = Scenario { headline: None, ..scenario.clone() };
    let family = Family::of(std::slice::from_ref(&told));
    let comparisons = statement::comparisons(family, &told, &ran.trials);
    RunResult {
        schema: record::SCHEMA.into(),
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        seed: scenario.seed,
        order_seed: ran.order_seed,
        started_utc: ran.started_utc,
        fingerprint: decision.fingerprint.clone(),
        verdict: match exit_code {
            exit::INTERRUPTED => Verdict::Interrupted,
            exit::FAILS => Verdict::Fail,
            exit::INVALID => Verdict::Invalid,
            _ => Verdict::Pass,
        },
        exit_code,
        rounds,
        self_check: scenario.self_check,
        request_cpu_ns: scenario.request_cpu.0,
        request_cpu_measured_ns: ran.calibration.map_or(0, |it| it.measured.0),
        signature_rounds: ran.calibration.map_or(0, |it| it.rounds),
        floor_ns: judge::floor(std::slice::from_ref(scenario)),
        exploratory: exploratory(&comparisons),
        comparisons,
        capacity: decision.capacity.clone(),
        notes: answer.cloned().collect(),
        ceilings: ran.ceilings,
        trials: ran.trials,
        contenders: judge::contenders(scenario),
        lag_limits_ns: judge::lag_limit(scenario).into_iter().collect::<BTreeMap<_, _>>(),
        slos: judge::slo(scenario).into_iter().collect(),
        ..RunResult::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::MapCell;
    use crate::units::Nanos;

    fn meeting(place: &str, low: f64, high: f64) -> Meeting {
        let apart = low > cell::ZONE || high < 1.0 / cell::ZONE;
        let mut meeting = Meeting {
            place: place.into(),
            figures: Nanos(300_000).to_string(),
            cell: MapCell {
                wait_ns: 0,
                cpu_ns: 0,
                ratio: Some((low * high).sqrt()),
                low: Some(low),
                high: Some(high),
                n: 9,
                reason: String::new(),
                sizes: [String::new(), String::new()],
                rounds: Vec::new(),
                p: Some(if apart { 0.004 } else { 0.5 }),
                winner: None,
            },
            of: "event-loop".into(),
            versus: "thread-pool".into(),
        };
        cell::judge([&mut meeting.cell], cell::CEILING);
        meeting
    }

    #[test]
    fn a_p99_that_is_a_failure_keeps_no_promise_and_is_shown_as_one() {
        let mut trials = crate::judge::mock::payments(6, &[("event-loop", 100.0, 1.0)]).trials;
        let best = Best { threads: None, words: String::new(), closed: None };
        let question = super::super::question::tests::question();
        let sound = row("event-loop", &best, &trials, &question);
        assert_eq!((sound.keeps_slo, sound.failures, sound.requests), (Some(true), 0, 31_200));
        trials.iter_mut().for_each(|trial| crate::judge::mock::fail(trial, 12));
        let failing = row("event-loop", &best, &trials, &question);
        assert_eq!((failing.keeps_slo, failing.failures), (Some(false), 72), "0.1 % and five may");
        assert!(failing.p99_ns > sound.p99_ns && failing.p99_ns < Some(1e9));
        trials.iter_mut().for_each(|trial| crate::judge::mock::fail(trial, 60));
        let failing = row("event-loop", &best, &trials, &question);
        assert_eq!((failing.p99_ns, failing.p99_at_least_ns), (Some(FAILED_NS as f64), None));
    }

    #[test]
    fn only_a_measured_neighbour_on_the_other_side_flips() {
        let base = meeting(AS_ASKED, 1.2, 1.4);
        let same = meeting("half the CPU", 1.3, 1.5);
        let even = meeting("twice the wait", 0.97, 1.04);
        let turned = meeting("twice the CPU", 0.7, 0.8);
        let text = flips(&[base.clone(), same.clone(), even.clone()]);
        assert!(text.contains("Nothing tested changes it"), "{text}");
        assert!(text.contains("no clear difference with twice the wait"), "{text}");
        let text = flips(&[base, same.clone(), turned]);
        assert!(
            text.starts_with("It would change with: twice the CPU (thread-pool 1.34x"),
            "{text}"
        );
        let text = flips(&[even, same]);
        assert!(text.starts_with("It would be decided by: half the CPU (event-loop"), "{text}");
    }
}
