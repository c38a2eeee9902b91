//! May the numbers of a trial be used? Each rule of the method is a function; its answer is a sentence or nothing.
//!
//! Blame decides what follows. Only rules about the machine and the generator void a round, and none of them looks at
//! how fast the contender was.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::load::outcome::{Kind, Outcome};
use crate::report::schema::{TrialVerdict, Validity};
use crate::run::hiccups::Hiccups;
use crate::stats::percentile::percentile;
use crate::units::Nanos;

/// Rules of the method that are not looked at yet.
pub(crate) const NOT_CHECKED: [&str; 6] = [
    "receive lag",
    "machine floor of each percentile",
    "cgroup throttling and migrations",
    "drift",
    "bound by dependency",
    "bound by pool",
];

/// Up to this share of a percentile may be the generator's own.
const OURS_VALID: f64 = 0.10;
/// Up to this share the percentile is kept and marked; beyond, it is withheld.
const OURS_SUSPECT: f64 = 0.25;
/// Less than this, in absolute terms, never withholds a percentile.
const OURS_SMALL: Nanos = Nanos(20_000);
/// A generator core busier than this, polling left out, may have been late by itself.
const GENERATOR_BUSY: f64 = 0.90;
/// Cores busier than this bind.
const CONTENDER_BUSY: f64 = 0.90;
/// More than this of the machine's time given to others is suspect.
const STEAL: f64 = 0.05;
/// A machine that takes more than this from a thread that only reads the clock is suspect.
const HICCUPS: f64 = 0.05;
/// The percentiles that a share is worked out for.
const RANKS: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999)];

/// What is known about a trial when it is judged.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    /// From the generator.
    pub(crate) outcome: &'a Outcome,
    /// Open loop: closed loop is bound by the generator by nature and has no response time.
    pub(crate) open: bool,
    /// Threads that sent.
    pub(crate) generator_threads: usize,
    /// Busy share of the contender's cores.
    pub(crate) contender_share: Option<f64>,
    /// Share of the machine's time given to others.
    pub(crate) steal_share: Option<f64>,
    /// What the machine took from an idle core before the run.
    pub(crate) hiccups: Hiccups,
    /// The percentile that the scenario is about: `p99` unless an expectation says otherwise.
    pub(crate) headline: &'a str,
}

/// What bound a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoundBy {
    /// Its core, descriptors or ports.
    Generator,
    /// Every one of them was busy while the contender was not.
    Connections,
    /// Its cores, or it fell behind.
    Contender,
    /// There was room everywhere.
    Nothing,
}

/// The trial's verdict on itself.
#[derive(Debug)]
pub(crate) struct Judged {
    /// For the report.
    pub(crate) validity: Validity,
    /// What bound it.
    pub(crate) bound_by: BoundBy,
    /// It fell behind without end.
    pub(crate) saturated: bool,
    /// Percentiles of each kind that are withheld because too much of them is ours.
    pub(crate) withheld: BTreeMap<String, Vec<&'static str>>,
}

/// Applies every rule.
pub(crate) fn judge(evidence: &Evidence<'_>) -> Judged {
    let outcome = evidence.outcome;
    let saturated = evidence.open && saturated(outcome);
    let bound_by = bound_by(evidence, saturated);
    let mut validity = Validity {
        verdict: TrialVerdict::Valid,
        reasons: Vec::new(),
        voids_round: false,
        our_share: BTreeMap::new(),
        steal_share: evidence.steal_share,
    };
    let mut withheld = BTreeMap::new();
    if evidence.open {
        for kind in &outcome.kinds {
            let names = judge_kind(kind, evidence.headline, saturated, &mut validity);
            withheld.insert(kind.name.clone(), names);
        }
    }
    if let Some(reason) = generator_bound(evidence).filter(|_| evidence.open) {
        validity.worsen(TrialVerdict::Invalid, reason);
        validity.voids_round = true;
    }
    if evidence.open && bound_by == BoundBy::Connections {
        let reason = format!(
            "all connections were busy for {} while the contender had room: more connections are needed",
            outcome.all_busy
        );
        validity.worsen(TrialVerdict::Suspect, reason);
    }
    if let Some(share) = evidence.steal_share.filter(|&share| share > STEAL) {
        let reason =
            format!("the hypervisor gave {:.0} % of the machine's time to others", share * 100.0);
        validity.worsen(TrialVerdict::Suspect, reason);
    }
    if evidence.hiccups.lost.0 > HICCUPS {
        let Hiccups { lost, worst } = evidence.hiccups;
        let reason = format!(
            "before the run the machine took {:.0} % of a core from a thread that only read the clock (worst pause {worst})",
            lost.0 * 100.0
        );
        validity.worsen(TrialVerdict::Suspect, reason);
    }
    Judged { validity, bound_by, saturated, withheld }
}

impl BoundBy {
    /// As reports spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::Connections => "connections",
            Self::Contender => "contender",
            Self::Nothing => "nothing",
        }
    }
}

impl Validity {
    /// Adds a finding; the verdict is the worst of all.
    pub(crate) fn worsen(&mut self, verdict: TrialVerdict, reason: String) {
        self.verdict = self.verdict.max(verdict);
        self.reasons.push(reason);
    }
}

/// The generator's share of every percentile of a kind. Gives the percentiles to withhold.
fn judge_kind(
    kind: &Kind,
    headline: &str,
    saturated: bool,
    validity: &mut Validity,
) -> Vec<&'static str> {
    let mut withheld = Vec::new();
    for (name, rank) in RANKS {
        let Some(ours) = Ours::at(&kind.response, &kind.response_less_lag, rank) else { continue };
        let worst = validity.our_share.entry(name.to_owned()).or_insert(0.0);
        *worst = worst.max(ours.share);
        let verdict = ours.verdict();
        if verdict == TrialVerdict::Invalid {
            withheld.push(name);
        }
        // A saturated trial has no percentiles to protect; the other percentiles speak for themselves.
        if verdict == TrialVerdict::Valid || saturated || name != headline {
            continue;
        }
        let reason = format!(
            "{:.0} % ({}) of the {name} of {} is the generator's own lateness",
            ours.share * 100.0,
            ours.absolute,
            kind.name
        );
        validity.worsen(verdict, reason);
        validity.voids_round |= verdict == TrialVerdict::Invalid;
    }
    withheld
}

/// The generator's part in a percentile.
#[derive(Clone, Copy, Debug)]
struct Ours {
    share: f64,
    absolute: Nanos,
}

impl Ours {
    /// `1 - Q(response - lag) / Q(response)`; nothing where there are too few samples for the percentile.
    fn at(response: &Histogram<u64>, less_lag: &Histogram<u64>, rank: f64) -> Option<Self> {
        let whole = percentile(response, rank)?;
        let theirs = percentile(less_lag, rank)?.min(whole);
        let share = if whole == 0 { 0.0 } else { 1.0 - theirs as f64 / whole as f64 };
        Some(Self { share, absolute: Nanos(whole - theirs) })
    }

    fn verdict(self) -> TrialVerdict {
        if self.share <= OURS_VALID {
            TrialVerdict::Valid
        } else if self.share <= OURS_SUSPECT || self.absolute < OURS_SMALL {
            TrialVerdict::Suspect
        } else {
            TrialVerdict::Invalid
        }
    }
}

/// Outstanding work grew by more than 1 % of what was offered and by more than its own fluctuation.
fn saturated(outcome: &Outcome) -> bool {
    let outstanding = outcome.outstanding;
    let growth = outstanding.at_end.saturating_sub(outstanding.at_start) as f64;
    growth > 0.01 * outcome.offered as f64 && growth > 3.0 * (2.0 * outstanding.mean + 1.0).sqrt()
}

/// The first that applies, in the method's order.
fn bound_by(evidence: &Evidence<'_>, saturated: bool) -> BoundBy {
    let contender_busy = evidence.contender_share.is_some_and(|share| share > CONTENDER_BUSY);
    if generator_bound(evidence).is_some() && (evidence.open || !contender_busy) {
        BoundBy::Generator
    } else if evidence.open && evidence.outcome.all_busy > Nanos(0) && !contender_busy {
        BoundBy::Connections
    } else if contender_busy || saturated {
        BoundBy::Contender
    } else {
        BoundBy::Nothing
    }
}

/// Why the generator could not keep up, if it could not.
fn generator_bound(evidence: &Evidence<'_>) -> Option<String> {
    let outcome = evidence.outcome;
    if let Some(what) =
        ["descriptors", "ports"].into_iter().find(|what| outcome.refused.contains_key(what))
    {
        return Some(format!("the generator ran out of {what}"));
    }
    let share = generator_share(outcome, evidence.generator_threads);
    (share > GENERATOR_BUSY).then(|| {
        format!(
            "the generator's core was {:.0} % busy: it may have been late by itself",
            share * 100.0
        )
    })
}

/// Busy share of the generator's cores, polling for an instant left out.
pub(crate) fn generator_share(outcome: &Outcome, threads: usize) -> f64 {
    let available = outcome.window.0 as f64 * threads.max(1) as f64;
    outcome.cpu.saturating_sub(outcome.spun).0 as f64 / available.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::outcome::{Outstanding, Tally};
    use crate::units::Share;

    fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_max(10_000_000_000, 3).unwrap();
        values.into_iter().for_each(|value| histogram.record(value).unwrap());
        histogram
    }

    /// 2,000 answers at 500 us of which `lag_ns` was ours.
    fn outcome(lag_ns: u64) -> Outcome {
        let each = |value| histogram(std::iter::repeat_n(value, 2_000));
        Outcome {
            schedule_hash: 1,
            window: Nanos::SECOND,
            offered: 2_000,
            unfinished: 0,
            answered_in_window: 2_000,
            kinds: vec![Kind {
                name: "payment".into(),
                requests: 2_000,
                errors: BTreeMap::new(),
                response: each(500_000),
                response_less_lag: each(500_000 - lag_ns),
                service: each(500_000 - lag_ns),
                backlog: each(0),
                generator_lag: each(lag_ns),
            }],
            outstanding: Outstanding { at_start: 1, at_end: 1, mean: 1.0 },
            all_busy: Nanos(0),
            cpu: Nanos::SECOND,
            spun: Nanos(800_000_000),
            refused: BTreeMap::new(),
            reconnects: 0,
            connect: Histogram::new(3).unwrap(),
            tally: Tally::default(),
        }
    }

    fn judged(outcome: &Outcome, change: impl Fn(&mut Evidence<'_>)) -> Judged {
        let mut evidence = Evidence {
            outcome,
            open: true,
            generator_threads: 1,
            contender_share: Some(0.3),
            steal_share: Some(0.0),
            hiccups: Hiccups { worst: Nanos(0), lost: Share(0.0) },
            headline: "p99",
        };
        change(&mut evidence);
        judge(&evidence)
    }

    #[test]
    fn a_punctual_generator_is_valid() {
        let judged = judged(&outcome(2_000), |_| ());
        assert_eq!(judged.validity.verdict, TrialVerdict::Valid, "{judged:?}");
        assert!(!judged.validity.voids_round && judged.validity.reasons.is_empty());
        assert_eq!(judged.bound_by, BoundBy::Nothing);
    }

    #[test]
    fn a_late_generator_is_suspect_then_void() {
        let suspect = judged(&outcome(100_000), |_| ());
        assert_eq!(suspect.validity.verdict, TrialVerdict::Suspect);
        assert!(!suspect.validity.voids_round);
        let void = judged(&outcome(200_000), |_| ());
        assert_eq!(void.validity.verdict, TrialVerdict::Invalid);
        assert!(void.validity.voids_round);
        assert_eq!(void.withheld["payment"], ["p50", "p90", "p99"], "p99.9 has too few samples");
    }

    #[test]
    fn a_few_microseconds_never_withhold() {
        let mut outcome = outcome(0);
        outcome.kinds[0].response = histogram(std::iter::repeat_n(40_000, 2_000));
        outcome.kinds[0].response_less_lag = histogram(std::iter::repeat_n(25_000, 2_000));
        assert_eq!(judged(&outcome, |_| ()).validity.verdict, TrialVerdict::Suspect);
    }

    #[test]
    fn only_the_headline_percentile_decides() {
        let mut outcome = outcome(0);
        // The slowest 5 % are ours: p99 is spoilt, p50 is not.
        let mixed = |slow| histogram((0..2_000).map(|i| if i < 1_900 { 500_000 } else { slow }));
        outcome.kinds[0].response = mixed(5_000_000);
        outcome.kinds[0].response_less_lag = mixed(500_000);
        assert_eq!(judged(&outcome, |_| ()).validity.verdict, TrialVerdict::Invalid);
        let p50 = judged(&outcome, |evidence| evidence.headline = "p50");
        assert_eq!(p50.validity.verdict, TrialVerdict::Valid);
        assert_eq!(p50.withheld["payment"], ["p99"]);
    }

    #[test]
    fn a_busy_generator_voids_an_open_trial_and_is_normal_in_a_closed_one() {
        let mut outcome = outcome(0);
        outcome.spun = Nanos(0);
        let open = judged(&outcome, |_| ());
        assert_eq!((open.bound_by, open.validity.voids_round), (BoundBy::Generator, true));
        let closed = judged(&outcome, |evidence| evidence.open = false);
        assert_eq!(closed.validity.verdict, TrialVerdict::Valid);
        let full = judged(&outcome, |evidence| {
            evidence.open = false;
            evidence.contender_share = Some(0.99);
        });
        assert_eq!(full.bound_by, BoundBy::Contender);
    }

    #[test]
    fn exhausted_descriptors_are_the_generators_fault() {
        let mut outcome = outcome(0);
        outcome.refused.insert("descriptors", 3);
        let judged = judged(&outcome, |_| ());
        assert!(judged.validity.voids_round && judged.validity.reasons[0].contains("descriptors"));
    }

    #[test]
    fn too_few_connections_are_suspect_unless_the_contender_was_full() {
        let mut outcome = outcome(0);
        outcome.all_busy = Nanos::MILLI;
        let starved = judged(&outcome, |_| ());
        assert_eq!(starved.bound_by, BoundBy::Connections);
        assert_eq!(starved.validity.verdict, TrialVerdict::Suspect);
        let full = judged(&outcome, |evidence| evidence.contender_share = Some(0.97));
        assert_eq!(
            (full.bound_by, full.validity.verdict),
            (BoundBy::Contender, TrialVerdict::Valid)
        );
    }

    #[test]
    fn growth_beyond_its_fluctuation_is_saturation_and_nobody_elses_fault() {
        let mut outcome = outcome(0);
        outcome.outstanding = Outstanding { at_start: 2, at_end: 400, mean: 200.0 };
        let behind = judged(&outcome, |evidence| evidence.contender_share = Some(0.99));
        assert!(behind.saturated && behind.bound_by == BoundBy::Contender);
        assert_eq!(behind.validity.verdict, TrialVerdict::Valid);
        outcome.outstanding = Outstanding { at_start: 2, at_end: 21, mean: 200.0 };
        assert!(!judged(&outcome, |_| ()).saturated, "19 is less than 1 % of 2,000");
    }

    #[test]
    fn steal_is_suspect() {
        let judged = judged(&outcome(0), |evidence| evidence.steal_share = Some(0.08));
        assert_eq!(judged.validity.verdict, TrialVerdict::Suspect);
        assert!(judged.validity.reasons[0].contains("8 %"));
    }

    #[test]
    fn a_machine_with_hiccups_is_suspect_whatever_it_says_of_steal() {
        let hiccups = Hiccups { worst: Nanos(316_000_000), lost: Share(0.6) };
        let judged = judged(&outcome(0), |evidence| evidence.hiccups = hiccups);
        assert_eq!(judged.validity.verdict, TrialVerdict::Suspect);
        assert!(!judged.validity.voids_round && judged.validity.reasons[0].contains("316 ms"));
    }
}
