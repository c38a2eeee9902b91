//! The gate: from rounds of a baseline and a candidate to one verdict. Pure: it runs nothing, and any verdict can be
//! made anew from the rounds in the report.
//!
//! ```text
//!     sensitivity::before(plan, round)      what it will be able to see, printed first
//!     loop {
//!         measure a round             (the caller)
//!         judge(plan, rounds)         until `finished`
//!     }
//! ```
//!
//! A round is one block of each contender, in random order, both restarted. Per metric d = ln(candidate / baseline),
//! turned so that positive is worse. With a randomized order the rounds of two equal contenders are
//! symmetric about zero whatever the machine does, and the limits of [`crate::stats::one_sided`] are exact.
//!
//! - [`metric`]: what is gated; weights, margins, which way is worse.
//! - [`decision`]: one metric, look by look: when to look, what each look may spend, and bad rounds that a centre does not
//!   show.
//! - [`failures`]: failed requests, gated whatever the metrics are; crashes, overload, and rounds that do not count.
//! - [`sensitivity`]: the smallest effect that can be seen, before and after.
//!
//! What a CI system reads of it is printed by `report::gate`.

pub mod decision;
pub mod failures;
pub mod metric;
pub mod sensitivity;
pub(crate) mod sentences;
#[cfg(test)]
mod simulated_tests;

use self::decision::{Decision, Rule, decide, intermittent};
use self::failures::failures;
use self::failures::{FailureAttribution, attribution};
use self::metric::{alpha, difference, is_a_failure};
use self::sensitivity::{sight, underpowered};
use self::sentences::{line, reasons, unfinished};
use crate::exit;
use crate::record::gate::{
    Block, FailureJudgement, Intermittent, Judgement, Look, MetricJudgement, OnInconclusive,
    Outcome, Plan, Round, Scatter, Verdict,
};
use crate::stats::{Difference, hodges_lehmann, median, residual_sd};

/// Figures that may be missing, as a share of the rounds, before a metric is not gated.
const MISSING_MAX: f64 = 0.25;

/// What follows from the rounds so far. Call it after every round and stop when it is `finished`.
///
/// A function of its arguments and of nothing else: the rounds of a report give the report's verdict again. It looks at
/// the rounds only after as many of them as [`decision::looks`] says; between looks a crash alone can end a gate.
pub fn judge(plan: &Plan, rounds: &[Round]) -> Judgement {
    let counted: Vec<&Round> = rounds.iter().filter(|round| round.void.is_none()).collect();
    let attribution = attribution(plan, rounds);
    let indices = 0..plan.metrics.len();
    let mut metrics: Vec<_> = indices.map(|index| of_metric(plan, index, &counted)).collect();
    let failures = failures(plan, &counted);
    let finished = attribution.is_some() || is_finished(plan, &metrics, &failures, counted.len());
    if finished {
        for (index, metric) in metrics.iter_mut().enumerate() {
            look_back(plan, index, metric, &counted);
        }
    }
    let verdict = verdict(plan, attribution.as_ref(), &metrics, &failures);
    Judgement {
        verdict,
        finished,
        exit_code: exit_code(plan, verdict, &metrics),
        line: line(plan, verdict, finished, attribution.as_ref(), &metrics, &failures),
        reasons: reasons(attribution.as_ref(), &metrics, &failures, &counted),
        rounds: counted.len() as u32,
        void_rounds: (rounds.len() - counted.len()) as u32,
        metrics,
        failures: Some(failures),
    }
}

impl Judgement {
    /// Of a gate that an interrupt ended before it was finished: its rounds have no verdict.
    pub fn interrupt(&mut self) {
        self.finished = false;
        self.verdict = Verdict::Interrupted;
        self.exit_code = exit::INTERRUPTED;
        self.line = unfinished(self, "");
    }

    /// Of a gate whose budget ended before its last look: what is open stays open.
    pub fn end_by_budget(&mut self) {
        self.line = unfinished(self, ", when the budget ended");
    }
}

/// A metric's looks so far, and whether it was gated from the start.
fn of_metric(plan: &Plan, index: usize, counted: &[&Round]) -> MetricJudgement {
    let chosen = &plan.metrics[index];
    let alpha = alpha(plan, index);
    let rule = Rule {
        alpha,
        margin: chosen.margin,
        prove_margin: plan.prove_margin,
        rounds_max: plan.rounds_max,
    };
    let d: Vec<_> = counted.iter().map(|round| difference(chosen.metric, index, round)).collect();
    let Decision { outcome, decided_at, improved, looks } = decide(&d, &rule);
    let sight_before = chosen.calibration.and_then(|scatter| sight(plan, index, scatter));
    let blind =
        || chosen.calibration.and_then(|_| underpowered(chosen.margin, sight_before.as_ref()));
    let not_gated = chosen.left_out.clone().or_else(blind);
    MetricJudgement {
        metric: chosen.metric,
        request: chosen.request.clone(),
        margin: chosen.margin,
        alpha,
        outcome,
        decided_at,
        not_gated,
        improved,
        looks,
        difference: None,
        medians: [None; 2],
        intermittent: None,
        sight_before,
        sight_after: None,
    }
}

/// What can be said of a metric when the gate has ended: the sizes, the bad rounds, and what could be seen.
fn look_back(plan: &Plan, index: usize, metric: &mut MetricJudgement, counted: &[&Round]) {
    // A percentile that fell on a failure is worse than any time, and no size.
    let sized = |value: &f64| {
        value.is_finite() && !(metric.metric.is_a_response_time() && is_a_failure(*value))
    };
    let value = |block: &Block| block.values.get(index).copied().flatten().filter(sized);
    let both: Vec<(f64, f64)> = counted
        .iter()
        .filter_map(|round| value(&round.baseline).zip(value(&round.candidate)))
        .collect();
    let differences: Vec<f64> =
        both.iter().map(|(baseline, candidate)| candidate - baseline).collect();
    metric.difference = hodges_lehmann(&differences, 0.95).map(|estimate| estimate.value);
    let (baseline, candidate): (Vec<f64>, Vec<f64>) = both.into_iter().unzip();
    metric.medians = [median(&baseline), median(&candidate)];
    let d: Vec<Difference> =
        counted.iter().filter_map(|round| difference(metric.metric, index, round)).collect();
    // Where both lost a round, the sign of the difference is unknown.
    let known: Vec<f64> = d.iter().filter_map(|d| d.known()).collect();
    // At an earlier look there are too few bad rounds to find, and stopping there would choose the rounds.
    let last_look = counted.len() >= plan.rounds_max as usize;
    metric.intermittent = if last_look { intermittent(&known, 0.0) } else { None };
    let finite = known.iter().filter(|d| d.is_finite()).count();
    let scatter = residual_sd(&known).map(|s| Scatter { s, rounds: finite as u32 });
    metric.sight_after = scatter.and_then(|scatter| sight(plan, index, scatter));
    let missing = counted.len() - d.len();
    let decided = metric.outcome == Outcome::Regressed || metric.not_gated.is_some();
    if !decided && missing as f64 > MISSING_MAX * counted.len() as f64 {
        let rounds = counted.len();
        let bound = |block: &Block| block.at_most.get(index).copied().flatten().is_some();
        let late = counted.iter().filter(|round| bound(&round.baseline) || bound(&round.candidate));
        metric.not_gated = Some(match late.count() {
            0 => format!("no figure in {missing} of {rounds} rounds"),
            late => format!(
                "in {late} of {rounds} rounds over a quarter of it is the generator's own lateness"
            ),
        });
    }
    // What was calibrated has had its say before the first round: these rounds cannot talk themselves out of it.
    let uncalibrated = plan.metrics[index].calibration.is_none();
    if uncalibrated && metric.outcome == Outcome::Inconclusive && metric.not_gated.is_none() {
        metric.not_gated = underpowered(metric.margin, metric.sight_after.as_ref());
    }
}

fn is_finished(
    plan: &Plan,
    metrics: &[MetricJudgement],
    failures: &FailureJudgement,
    counted: usize,
) -> bool {
    let mut gated = metrics.iter().filter(|metric| metric.not_gated.is_none()).peekable();
    let nothing_to_gate = gated.peek().is_none();
    let gated = gated.map(|metric| metric.outcome);
    let outcomes: Vec<Outcome> = gated.chain([failures.outcome]).collect();
    // Only the last look tells bad rounds from chance: who wants to fail on them waits for it.
    let settled = !outcomes.contains(&Outcome::Open) && !plan.fail_intermittent;
    nothing_to_gate
        || settled
        || (outcomes.contains(&Outcome::Regressed) && !another_follows(metrics))
        || counted >= plan.rounds_max as usize
}

/// Whether a metric is about to be found worse as well: the look at which another one regressed is the last so far, and
/// its own estimate is over its margin. Then the gate goes on to the next look, so that both are named.
fn another_follows(metrics: &[MetricJudgement]) -> bool {
    let gated = || metrics.iter().filter(|metric| metric.not_gated.is_none());
    let regressed = gated().filter(|metric| metric.outcome == Outcome::Regressed);
    let first = regressed.filter_map(|metric| metric.decided_at).min();
    let worse = |metric: &MetricJudgement| {
        let last = metric.looks.last();
        let is_first = |look: &&Look| Some(look.rounds) == first;
        last.filter(is_first)
            .and_then(|look| look.ratio)
            .is_some_and(|ratio| ratio >= 1.0 + metric.margin)
    };
    gated().any(|metric| metric.outcome == Outcome::Open && worse(metric))
}

fn verdict(
    plan: &Plan,
    attribution: Option<&FailureAttribution>,
    metrics: &[MetricJudgement],
    failures: &FailureJudgement,
) -> Verdict {
    match attribution {
        Some(FailureAttribution::Baseline(_) | FailureAttribution::Machine(_)) => {
            return Verdict::Invalid;
        }
        Some(FailureAttribution::Candidate(_)) => return Verdict::Regressed,
        None => {}
    }
    let gated: Vec<_> = metrics.iter().filter(|metric| metric.not_gated.is_none()).collect();
    let failed = |outcome: Outcome, bad_rounds: Option<Intermittent>| {
        let found = bad_rounds.is_some_and(|found| found.found);
        outcome == Outcome::Regressed || (plan.fail_intermittent && found)
    };
    if failed(failures.outcome, failures.intermittent)
        || gated.iter().any(|metric| failed(metric.outcome, metric.intermittent))
    {
        Verdict::Regressed
    } else if gated.is_empty() {
        Verdict::Invalid
    } else if gated.iter().all(|metric| metric.outcome == Outcome::Pass) {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    }
}

/// Invalid before regressed before undecided, as everywhere in the program.
fn exit_code(plan: &Plan, verdict: Verdict, metrics: &[MetricJudgement]) -> u8 {
    let blind = plan
        .metrics
        .iter()
        .zip(metrics)
        .any(|(chosen, metric)| chosen.required && metric.not_gated.is_some());
    match verdict {
        Verdict::Interrupted => exit::INTERRUPTED,
        Verdict::Invalid => exit::INVALID,
        _ if plan.report_only.is_some() => exit::OK,
        Verdict::Regressed => exit::FAILS,
        _ if blind => exit::UNDECIDED,
        Verdict::Inconclusive if plan.on_inconclusive == OnInconclusive::Fail => exit::UNDECIDED,
        Verdict::Inconclusive | Verdict::Pass => exit::OK,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::judge::gate::sentences::mid_sentence;
    use crate::record::gate::{Fault, FaultKind, Metric, MetricPlan};
    use crate::stats::percentile::FAILED_NS;
    use crate::stats::tests::Random;

    /// A plan with the metrics' own margins.
    pub(crate) fn plan(rounds_max: u32, metrics: &[Metric]) -> Plan {
        Plan {
            rounds_max,
            metrics: metrics.iter().map(|&metric| MetricPlan::of(metric)).collect(),
            prove_margin: false,
            fail_intermittent: false,
            on_inconclusive: OnInconclusive::Warn,
            report_only: None,
        }
    }

    /// A round without faults.
    pub(crate) fn round(number: u32, baseline: &[f64], candidate: &[f64]) -> Round {
        let block = |values: &[f64]| Block {
            values: values.iter().map(|&value| Some(value)).collect(),
            requests: 5_000,
            ..Block::default()
        };
        Round {
            round: number,
            baseline_first: number.is_multiple_of(2),
            void: None,
            baseline: block(baseline),
            candidate: block(candidate),
        }
    }

    pub(crate) fn fault(kind: FaultKind) -> Fault {
        Fault { kind, what: "exit status 139".into() }
    }

    /// `n` rounds of metrics that are 1,000 times `1 + effect` on a machine that scatters with `sd`.
    pub(crate) fn rounds(n: u32, effects: &[f64], sd: f64) -> Vec<Round> {
        let mut random = Random(81);
        let mut values = |factor: &dyn Fn(f64) -> f64| -> Vec<f64> {
            effects.iter().map(|&e| 1_000.0 * factor(e) * (sd * random.normal()).exp()).collect()
        };
        (1..=n).map(|number| round(number, &values(&|_| 1.0), &values(&|e| 1.0 + e))).collect()
    }

    const TWO: [Metric; 2] = [Metric::CpuPerRequest, Metric::P50];

    #[test]
    fn all_pass_at_the_first_look_and_the_gate_ends() {
        let (plan, rounds) = (plan(40, &TWO), rounds(12, &[0.0, 0.0], 0.01));
        assert!(!judge(&plan, &[]).finished);
        let open = judge(&plan, &rounds[..11]);
        assert!(!open.finished && open.verdict == Verdict::Inconclusive, "{}", open.line);
        let found = judge(&plan, &rounds);
        assert!(found.finished);
        assert_eq!((found.verdict, found.exit_code, found.rounds), (Verdict::Pass, 0, 12));
        assert_eq!(found.line, "PASS (cpu/request, p50)");
    }

    #[test]
    fn a_percentile_that_is_a_bound_is_not_gated_and_says_so() {
        let plan = plan(40, &TWO);
        let late = |n: u32| {
            let mut rounds = rounds(12, &[0.0, 0.0], 0.01);
            for round in rounds.iter_mut().filter(|round| round.round <= n) {
                round.candidate.at_most = vec![None, round.candidate.values[1].take()];
            }
            judge(&plan, &rounds)
        };
        let gated = late(3);
        assert_eq!(gated.metrics[1].not_gated, None, "a quarter of the rounds may miss it");
        let mut rounds = rounds(40, &[0.0, 0.0], 0.01);
        for round in rounds.iter_mut().filter(|round| round.round <= 20) {
            round.candidate.at_most = vec![None, round.candidate.values[1].take()];
        }
        let found = judge(&plan, &rounds);
        assert!(
            found.line.contains(
                "p50 NOT GATED: in 20 of 40 rounds over a quarter of it is the generator's own lateness"
            ),
            "{}",
            found.line
        );
    }

    #[test]
    fn an_interrupt_is_a_verdict_of_its_own() {
        let mut found = judge(&plan(40, &TWO), &rounds(3, &[0.0, 0.0], 0.01));
        found.interrupt();
        assert_eq!((found.verdict, found.exit_code), (Verdict::Interrupted, 130));
        assert_eq!(found.line, "INTERRUPTED after 3 rounds. OPEN (cpu/request, p50)");
        let mut found = judge(&plan(40, &TWO), &rounds(3, &[0.0, 0.0], 0.01));
        found.end_by_budget();
        assert_eq!((found.verdict, found.exit_code), (Verdict::Inconclusive, 0));
        let line = "INCONCLUSIVE after 3 rounds, when the budget ended. OPEN (cpu/request, p50)";
        assert_eq!(found.line, line);
    }

    #[test]
    fn a_line_is_one_line_of_200_characters_whatever_a_contender_wrote() {
        let plan = plan(40, &[Metric::CpuPerRequest, Metric::P50, Metric::P99]);
        let mut rounds = rounds(3, &[0.0, 0.0, 0.0], 0.01);
        let wrote = format!("::error::{}\r\nno database, no service", "x\u{1b}[31m".repeat(900));
        let what = format!("exit status 3; it wrote: {wrote}");
        rounds[2].candidate.faults.push(Fault { kind: FaultKind::Crashed, what: what.clone() });
        let found = judge(&plan, &rounds);
        assert!(found.line.chars().count() <= 200 && !found.line.contains('\n'), "{}", found.line);
        let said =
            "crashed in round 3 (exit status 3; it wrote last: no database, no service). OPEN";
        assert!(found.line.contains(said), "{}", found.line);
        rounds[2].candidate.faults[0].what = "a reason of any length, ".repeat(90);
        let found = judge(&plan, &rounds);
        assert!(found.line.chars().count() <= 200, "{}", found.line);
        assert!(found.line.ends_with("... OPEN (cpu/request, p50, p99)"), "{}", found.line);
        rounds[2].candidate.faults[0].what.clone_from(&what);
        let found = judge(&plan, &rounds);
        assert!(found.reasons[0].contains(&what), "the reasons have the whole");
    }

    #[test]
    fn one_regression_ends_it() {
        let found = judge(&plan(40, &TWO), &rounds(12, &[0.25, 0.04], 0.02));
        assert!(found.finished);
        assert_eq!((found.verdict, found.exit_code), (Verdict::Regressed, 3));
        assert!(found.line.starts_with("REGRESSED (cpu/request +2"), "{}", found.line);
        assert!(found.metrics[0].difference.unwrap() > 200.0);
    }

    #[test]
    fn what_looks_worse_as_well_is_decided_at_the_next_look() {
        // Of 12 rounds p99 may be decided at the third look, after 9, and CPU per request not before the 12th.
        let plan = plan(12, &[Metric::P99, Metric::CpuPerRequest, Metric::P50, Metric::Memory]);
        let worse = rounds(12, &[0.9, 0.3, 0.0, 0.0], 0.03);
        let found = judge(&plan, &worse[..9]);
        assert!(
            !found.finished && found.metrics[0].outcome == Outcome::Regressed,
            "{}",
            found.line
        );
        let found = judge(&plan, &worse);
        assert_eq!(found.metrics[1].outcome, Outcome::Regressed, "{}", found.line);
        assert!(found.finished && !found.line.contains("OPEN"), "{}", found.line);
        // The gate does not wait for what does not look worse, and explains OPEN.
        let found = judge(&plan, &rounds(9, &[0.9, 0.02, 0.0, 0.0], 0.03));
        assert!(found.finished, "{}", found.line);
        assert!(
            found.reasons.iter().any(|reason| reason.starts_with("OPEN:")),
            "{:?}",
            found.reasons
        );
    }

    #[test]
    fn undecided_at_the_end_is_a_warning_or_a_failure() {
        let (mut plan, rounds) = (plan(40, &TWO), rounds(40, &[0.03, 0.0], 0.08));
        plan.metrics[0].calibration = Some(Scatter { s: 0.05, rounds: 40 });
        let found = judge(&plan, &rounds);
        assert_eq!((found.verdict, found.exit_code), (Verdict::Inconclusive, 0), "{}", found.line);
        assert_eq!(found.line, "INCONCLUSIVE (cpu/request). PASS (p50)");
        plan.on_inconclusive = OnInconclusive::Fail;
        assert_eq!(judge(&plan, &rounds).exit_code, 4);
    }

    #[test]
    fn what_is_not_gated_stands_in_the_verdict_line() {
        let mut plan = plan(40, &[Metric::CpuPerRequest, Metric::P50, Metric::P99]);
        plan.metrics[2].calibration = Some(Scatter { s: 0.33, rounds: 12 });
        let rounds = rounds(12, &[0.0, 0.0, 0.0], 0.01);
        let found = judge(&plan, &rounds);
        assert_eq!(
            found.line,
            "PASS (cpu/request, p50). p99 NOT GATED: detects +25 %, margin 10 %"
        );
        assert_eq!((found.verdict, found.exit_code), (Verdict::Pass, 0));
        plan.metrics[2].required = true;
        assert_eq!(judge(&plan, &rounds).exit_code, 4, "required and not gated");
    }

    #[test]
    fn without_calibration_the_rounds_themselves_say_what_was_not_seen() {
        let found = judge(&plan(40, &TWO), &rounds(40, &[0.0, 0.0], 0.2));
        assert!(found.metrics.iter().all(|metric| metric.not_gated.is_some()), "{}", found.line);
        assert_eq!((found.verdict, found.exit_code), (Verdict::Invalid, 5));
        assert!(found.line.starts_with("INVALID: nothing left to gate."), "{}", found.line);
    }

    #[test]
    fn a_percentile_that_is_a_failure_is_no_size_and_still_worse() {
        let mut rounds = rounds(20, &[0.0, 0.0], 0.01);
        rounds.iter_mut().for_each(|it| it.candidate.values[1] = Some(FAILED_NS as f64));
        let found = judge(&plan(40, &TWO), &rounds);
        assert_eq!(found.metrics[1].outcome, Outcome::Regressed);
        assert!(found.metrics[1].difference.is_none() && found.metrics[1].medians[1].is_none());
    }

    #[test]
    fn missing_figures_are_not_a_pass() {
        let mut rounds = rounds(12, &[0.0, 0.0], 0.01);
        rounds[..4].iter_mut().for_each(|round| round.candidate.values[1] = None);
        let found = judge(&plan(40, &TWO), &rounds);
        let expected = "PASS (cpu/request). p50 NOT GATED: no figure in 4 of 12 rounds";
        assert_eq!(found.line, expected);
        let mut rounds = self::rounds(40, &[0.0], 0.01);
        rounds[..11].iter_mut().for_each(|round| round.candidate.values[0] = None);
        let found = judge(&plan(40, &[Metric::P50]), &rounds);
        assert!(found.line.contains("no figure in 11 of 40 rounds"), "{}", found.line);
        assert_eq!(found.exit_code, 5);
    }

    #[test]
    fn blame_comes_before_figures() {
        let plan = plan(40, &TWO);
        let mut rounds = rounds(3, &[0.0, 0.0], 0.01);
        rounds[2].candidate.faults.push(fault(FaultKind::Crashed));
        let found = judge(&plan, &rounds);
        assert!(found.finished);
        assert_eq!((found.verdict, found.exit_code), (Verdict::Regressed, 3));
        let why = "the candidate crashed in round 3 (exit status 139)";
        assert_eq!(found.line, format!("REGRESSED: {why}. OPEN (cpu/request, p50)"));
        assert_eq!(mid_sentence(&found.reasons[0]), format!("{why}."));
        rounds[1].baseline.faults.push(fault(FaultKind::Wrong));
        let found = judge(&plan, &rounds);
        assert_eq!((found.verdict, found.exit_code), (Verdict::Invalid, 5));
        assert!(
            found.line.contains("the baseline is broken: it answered wrongly"),
            "{}",
            found.line
        );
    }

    #[test]
    fn a_saturating_candidate_regressed() {
        let mut rounds = rounds(12, &[0.0, 0.0], 0.01);
        rounds.iter_mut().for_each(|round| {
            round.candidate.faults.push(fault(FaultKind::Saturated));
            round.candidate.values[1] = None;
        });
        let found = judge(&plan(40, &TWO), &rounds);
        assert_eq!((found.verdict, found.exit_code), (Verdict::Regressed, 3));
        let why = "the candidate was saturated in 12 of 12 rounds";
        assert!(found.line.contains(why), "{}", found.line);
    }

    #[test]
    fn an_intermittent_regression_fails_only_when_asked_to() {
        let mut plan = plan(40, &TWO);
        plan.metrics.iter_mut().for_each(|metric| metric.margin = 0.011);
        let mut rounds = rounds(40, &[0.0, 0.0], 0.01);
        rounds.iter_mut().step_by(5).for_each(|round| round.candidate.values[1] = Some(2_500.0));
        let found = judge(&plan, &rounds);
        let p50 = &found.metrics[1];
        assert!(p50.intermittent.unwrap().found, "{found:?}");
        assert_ne!(found.verdict, Verdict::Regressed);
        assert!(found.line.contains("p50 INTERMITTENT"), "{}", found.line);
        plan.fail_intermittent = true;
        assert_eq!(judge(&plan, &rounds).exit_code, 3);
        let early = judge(&plan, &self::rounds(20, &[0.0, 0.0], 0.01));
        assert!(!early.finished, "all pass, and the bad rounds may still come");
        assert!(early.metrics.iter().all(|metric| metric.intermittent.is_none()));
    }

    #[test]
    fn void_rounds_are_left_out_and_report_only_never_fails() {
        let mut plan = plan(40, &TWO);
        let mut rounds = rounds(12, &[0.5, 0.0], 0.02);
        rounds[3].void = Some("steal was 9 %".into());
        let found = judge(&plan, &rounds);
        assert_eq!((found.finished, found.rounds, found.void_rounds), (false, 11, 1));
        rounds[3].void = None;
        plan.report_only = Some("the candidate is a URL".into());
        let found = judge(&plan, &rounds);
        assert_eq!((found.verdict, found.exit_code), (Verdict::Regressed, 0));
        assert!(found.line.starts_with("REPORT ONLY (the candidate is a URL): REGRESSED"));
    }
}
