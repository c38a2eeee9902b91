//! May the numbers of a trial be used? Each rule of the method is a function; its answer is a sentence or nothing.
//!
//! Blame decides what follows. Only rules about the machine and the generator void a round, and none of them looks at
//! how fast the contender was. What a contender does to itself (it crashes, it answers wrongly, it falls behind) is a
//! result and not noise: such a trial is lost and its round stands.

mod bound;
mod drift;
mod lateness;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::judge::failures;
use crate::record::outcome::{Kind, Outcome};
use crate::record::{BoundBy, Hiccups, LostBy, Trial, TrialVerdict, Validity};
use crate::stats::backlog;
use crate::stats::percentile::RANKS;
use crate::text::percent;
use crate::units::{Nanos, Share, grouped};
pub(crate) use bound::generator_share;
pub(crate) use lateness::{lag_limit, limit_of, receive_lag};

/// What is known about a trial when it is judged. `None` is unknown, and no rule marks a trial for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    /// From the generator.
    pub(crate) outcome: &'a Outcome,
    /// Open loop: closed loop is bound by the generator by nature and has no response time.
    pub(crate) open: bool,
    /// The window's last rate over its first, of a load in steps: what is under way then changes with it, and so do times.
    pub(crate) in_steps: Option<f64>,
    /// The percentile that the scenario is about: `p99` unless an expectation says otherwise.
    pub(crate) headline: &'a str,
    /// The share of requests that may fail.
    pub(crate) error_bound: Share,
    /// Over this generator lag p99 the round is void. None where there is no round, and lateness is marked alone.
    pub(crate) lag_limit: Option<Nanos>,
    /// Busy share of the contender's cores.
    pub(crate) contender_share: Option<f64>,
    /// Busy share of the dependency's core.
    pub(crate) dependency_share: Option<f64>,
    /// Busy share of the connections of the pool to the dependency.
    pub(crate) pool_share: Option<f64>,
    /// Waiting for a connection of that pool, ns.
    pub(crate) pool_wait: Option<&'a Histogram<u64>>,
    /// Share of the machine's time that the hypervisor gave to others.
    pub(crate) steal_share: Option<f64>,
    /// Share of the machine's time that a cgroup's quota held its tasks back.
    pub(crate) throttled_share: Option<f64>,
    /// What the machine took from an idle core before the run.
    pub(crate) hiccups: Option<Hiccups>,
    /// Cores of the machine, when generator and contender share them.
    pub(crate) shared_cores: Option<usize>,
}

/// The trial's verdict on itself.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) validity: Validity,
    pub(crate) bound_by: BoundBy,
    /// It fell behind without end.
    pub(crate) saturated: bool,
    /// The generator's share of each percentile, by kind.
    pub(crate) ours: BTreeMap<String, BTreeMap<String, f64>>,
    /// How many of the first reasons are the contender's own doing.
    blames: usize,
}

/// What a rule found: how bad, and why, in a sentence.
#[derive(Clone, Debug, PartialEq)]
struct Finding {
    verdict: TrialVerdict,
    reason: String,
}

impl<'a> Evidence<'a> {
    /// What the generator alone knows.
    pub(crate) fn of(outcome: &'a Outcome, open: bool) -> Self {
        Self {
            outcome,
            open,
            in_steps: None,
            headline: "p99",
            error_bound: Share(failures::USUAL),
            lag_limit: None,
            contender_share: None,
            dependency_share: None,
            pool_share: None,
            pool_wait: None,
            steal_share: None,
            throttled_share: None,
            hiccups: None,
            shared_cores: None,
        }
    }
}

/// Applies every rule.
pub(crate) fn judge(evidence: &Evidence<'_>) -> Judged {
    let mut validity = Validity {
        steal_share: evidence.steal_share,
        throttled_share: evidence.throttled_share,
        ..Validity::default()
    };
    let lateness = lateness::judge(evidence);
    validity.our_share = lateness.worst();
    validity.lag_limit_ns = evidence.lag_limit.filter(|_| evidence.open).map(|limit| limit.0);
    let late = lateness.void.is_some();
    // The generator's fault: the round is void.
    for finding in lateness.void.into_iter().chain(bound::generator(evidence)) {
        validity.voids_round = true;
        validity.add(finding);
    }
    // What piled up because it was sent late is not the contender's backlog.
    let saturated = evidence.open && !late && saturated(evidence);
    let bound_by = bound::by(evidence, saturated);
    validity.at_floor = marks(evidence, saturated);
    validity.drift = drift::of(evidence).verdict();
    let marked = lateness
        .marked
        .into_iter()
        .chain(bound::connections(evidence))
        .chain(bound::closes(evidence))
        .chain(by_hypervisor(evidence))
        .chain(by_quota(evidence))
        .chain(by_hiccups(evidence))
        .chain(crowded(evidence))
        .chain(worked_off(evidence))
        .chain(drift::finding(evidence, saturated));
    marked.for_each(|finding| validity.add(finding));
    Judged { validity, bound_by, saturated, ours: lateness.ours, blames: 0 }
}

impl Judged {
    /// Judges the generator on one of several hosts by its own part: one that was too late or too busy voids the round,
    /// however the others were.
    pub(crate) fn judge_part(&mut self, host: &str, evidence: &Evidence<'_>) {
        if bound::by(evidence, false) == BoundBy::Generator {
            self.bound_by = BoundBy::Generator;
        }
        let late = lateness::judge(evidence).void;
        for finding in late.into_iter().chain(bound::generator(evidence)) {
            let reason = format!("on host {host} {}", finding.reason);
            self.validity.voids_round = true;
            self.validity.add(Finding { reason, ..finding });
        }
    }

    /// A reason to doubt it that no rule here sees.
    pub(crate) fn doubt(&mut self, reason: String) {
        self.validity.doubt(reason);
    }

    /// The contender did this to itself: it has lost the trial, and the round stands.
    pub(crate) fn lose(&mut self, by: LostBy, reason: String) {
        self.validity.lost = true;
        self.validity.lost_by.get_or_insert(by);
        self.validity.voids_round = false;
        self.validity.verdict = TrialVerdict::Invalid;
        // Its blame comes first, in the order found, before what else was marked.
        let place = self.blames.min(self.validity.reasons.len());
        self.validity.reasons.insert(place, reason);
        self.blames += 1;
    }
}

impl Validity {
    /// A reason to doubt the trial that its own figures do not show.
    pub(crate) fn doubt(&mut self, reason: String) {
        self.add(Finding::suspect(reason));
    }

    /// Adds a finding; the verdict is the worst of all.
    fn add(&mut self, finding: Finding) {
        self.verdict = self.verdict.max(finding.verdict);
        self.reasons.push(finding.reason);
    }
}

impl Finding {
    fn suspect(reason: String) -> Self {
        Self { verdict: TrialVerdict::Suspect, reason }
    }

    fn invalid(reason: String) -> Self {
        Self { verdict: TrialVerdict::Invalid, reason }
    }
}

// What machine and load leave of a trial: interference by others, the machine's floor, a contender that fell behind, and
// a generator that shares the contender's cores.

/// More than this of the machine's time given to others is suspect.
const STEAL: f64 = 0.05;
/// More than this of its time held back by a quota is suspect too.
const THROTTLED: f64 = 0.05;
/// A machine that takes more than this from a thread that only reads the clock is suspect.
const HICCUPS: f64 = 0.05;

/// Stolen time, as the kernel counts it.
fn by_hypervisor(evidence: &Evidence<'_>) -> Option<Finding> {
    let share = evidence.steal_share.filter(|&share| share > STEAL)?;
    let share = percent(share, 0);
    Some(Finding::suspect(format!("the hypervisor gave {share} of the machine's time to others")))
}

/// Time in which tasks of this cgroup, or of one around it, were ready and not allowed to run.
fn by_quota(evidence: &Evidence<'_>) -> Option<Finding> {
    let share = evidence.throttled_share.filter(|&share| share > THROTTLED)?;
    let share = percent(share, 0);
    Some(Finding::suspect(format!(
        "a CPU quota (cgroup) held tasks back for {share} of the machine's time"
    )))
}

/// Time that was gone before the run, whatever the kernel says of it.
fn by_hiccups(evidence: &Evidence<'_>) -> Option<Finding> {
    let Hiccups { lost, worst, .. } =
        evidence.hiccups.filter(|hiccups| hiccups.lost.0 > HICCUPS)?;
    let lost = percent(lost.0, 0);
    Some(Finding::suspect(format!(
        "before the run the machine took {lost} of a core from a thread that only read the clock (worst pause {worst})"
    )))
}

/// A percentile is at the floor when the floor is at least this share of it.
const AT_FLOOR: f64 = 0.5;

/// The percentiles at the floor, by kind; a saturated trial has none.
fn marks(evidence: &Evidence<'_>, saturated: bool) -> BTreeMap<String, Vec<String>> {
    let mut marks = BTreeMap::new();
    for kind in evidence.outcome.kinds.iter().filter(|_| evidence.open && !saturated) {
        let names: Vec<String> = (0..RANKS.len())
            .filter(|&index| at_floor(evidence, kind, index))
            .map(|index| RANKS[index].0.to_owned())
            .collect();
        if !names.is_empty() {
            marks.insert(kind.name.clone(), names);
        }
    }
    marks
}

/// Whether the floor is so much of a percentile.
fn at_floor(evidence: &Evidence<'_>, kind: &Kind, index: usize) -> bool {
    let Some(hiccups) = evidence.hiccups else { return false };
    let Some(value) = failures::percentile(kind, &kind.response, RANKS[index].1).time() else {
        return false;
    };
    let floor = hiccups.floor[index];
    floor > Nanos(0) && floor.0 as f64 >= AT_FLOOR * value as f64
}

/// Outstanding requests grew all along the window, by more than fluctuation.
fn saturated(evidence: &Evidence<'_>) -> bool {
    let Outcome { outstanding, offered, began_empty, .. } = evidence.outcome;
    let (start, end) = (outstanding.at_start as f64, outstanding.at_end as f64);
    // Before the first request of all nothing is under way, and soon as much as ever. Of what grows without end, the mean
    // is half of the end.
    if *began_empty {
        return backlog::changed(end - start.max(outstanding.mean), outstanding.mean, *offered);
    }
    match evidence.in_steps {
        // The mean of steps tells nothing of growth.
        Some(steps) => backlog::changed(end - start * steps, outstanding.mean, *offered),
        None => backlog::grew(start, end, outstanding.mean, *offered),
    }
}

/// Outstanding requests fell by as much: what the window measured was a backlog from before it.
fn worked_off(evidence: &Evidence<'_>) -> Option<Finding> {
    let Outcome { outstanding, offered, .. } = evidence.outcome;
    let (start, end) = (outstanding.at_start, outstanding.at_end);
    // By Little's law as much is under way at the end of steps as the rates differ by.
    let fell = start as f64 * evidence.in_steps.unwrap_or(1.0) - end as f64;
    let fell = evidence.open && backlog::changed(fell, outstanding.mean, *offered);
    fell.then(|| {
        let [start, end] = [start, end].map(|n| grouped(n as f64));
        Finding::suspect(format!(
            "a backlog was worked off: {start} requests were outstanding at the window's start and {end} at its end"
        ))
    })
}

/// More than this of the machine is too much for a load generator.
const CROWDED: f64 = 0.05;

/// The generator's CPU time, polling included, of all cores that it shares.
fn crowded(evidence: &Evidence<'_>) -> Option<Finding> {
    let available = evidence.outcome.window.0 as f64 * evidence.shared_cores? as f64;
    let share = evidence.outcome.cpu.0 as f64 / available.max(1.0);
    (share > CROWDED).then(|| {
        Finding::suspect(format!(
            "co-located: the generator took {} of the machine that it shares with the contender",
            percent(share, 0)
        ))
    })
}

// Chance voids the rounds of all contenders alike. A contender in whose trials most voids arise causes them, and would
// otherwise have its bad rounds run again until they are good.

/// Fewer void rounds are attributed to none.
const LEAST: usize = 3;

/// The contender in whose trials more than half of the voids arose, and at least three of them.
pub(crate) fn culprit<'a>(voiding: &[&'a str]) -> Option<&'a str> {
    let of = |name: &str| voiding.iter().filter(|other| **other == name).count();
    voiding.iter().copied().find(|name| of(name) >= LEAST && 2 * of(name) > voiding.len())
}

/// Where a contender of a scenario voids most rounds, its trials are invalid and those of the others stand, but in rounds
/// that others voided too. Gives how many rounds count again.
pub(crate) fn settle(trials: &mut [Trial], scenario: &str) -> u32 {
    let own = |trial: &&Trial| trial.scenario == scenario;
    let voids = |trial: &&Trial| trial.validity.voids_round;
    let voiding: Vec<&str> =
        trials.iter().filter(own).filter(voids).map(|trial| trial.contender.as_str()).collect();
    let Some(culprit) = culprit(&voiding).map(str::to_owned) else { return 0 };
    let n = voiding.iter().filter(|name| **name == culprit).count();
    let reason = format!(
        "{n} of {} void trials were its own: rounds with it are not run again, and none of its trials counts",
        voiding.len()
    );
    let heat = |trial: &Trial| (trial.level.clone(), trial.round);
    let others = trials.iter().filter(own).filter(voids).filter(|one| one.contender != culprit);
    let still: Vec<_> = others.map(heat).collect();
    let mut again: Vec<_> = Vec::new();
    for trial in trials.iter_mut().filter(|trial| trial.scenario == scenario) {
        let here = heat(trial);
        if trial.voided && trial.validity.voids_round && !still.contains(&here) {
            again.push(here.clone());
        }
        if trial.contender == culprit && !trial.validity.reasons.contains(&reason) {
            trial.validity.verdict = TrialVerdict::Invalid;
            trial.validity.reasons.push(reason.clone());
        }
    }
    for trial in trials.iter_mut().filter(|trial| trial.scenario == scenario) {
        trial.voided &= !again.contains(&heat(trial));
    }
    again.len() as u32
}
