//! May the numbers of a trial be used? Each rule of the method is a function; its answer is a sentence or nothing.
//!
//! Blame decides what follows. Only rules about the machine and the generator void a round, and none of them looks at
//! how fast the contender was. What a contender does to itself (it crashes, it answers wrongly, it falls behind) is a
//! result and not noise: such a trial is lost and its round stands.

mod bound;
mod drift;
mod lateness;
pub(crate) mod machine;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::record::outcome::Outcome;
use crate::record::{BoundBy, Hiccups, LostBy, Trial, TrialVerdict, Validity};
use crate::units::Nanos;
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
    let saturated = evidence.open && !late && machine::saturated(evidence);
    let bound_by = bound::by(evidence, saturated);
    validity.at_floor = machine::marks(evidence, saturated);
    validity.drift = drift::of(evidence).verdict();
    let marked = lateness
        .marked
        .into_iter()
        .chain(bound::connections(evidence))
        .chain(bound::closes(evidence))
        .chain(machine::by_hypervisor(evidence))
        .chain(machine::by_quota(evidence))
        .chain(machine::by_hiccups(evidence))
        .chain(machine::crowded(evidence))
        .chain(machine::worked_off(evidence))
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
