//! How much of each percentile is the generator's own lateness.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::load::outcome::{Kind, Outcome};
use crate::report::schema::TrialVerdict;
use crate::run::rank;
use crate::stats::percentile::percentile;
use crate::units::Nanos;

use super::{Evidence, Finding, RANKS, percent};

/// Up to this share of a percentile may be ours.
const OURS_VALID: f64 = 0.10;
/// Up to this share the percentile is kept and marked; beyond, it is withheld.
const OURS_SUSPECT: f64 = 0.25;
/// Less than this, in absolute terms, never withholds a percentile.
const OURS_SMALL: Nanos = Nanos(20_000);

/// What was found of all kinds.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    /// The worst kind's share of each percentile.
    pub(super) our_share: BTreeMap<String, f64>,
    /// Percentiles to withhold, by kind.
    pub(super) withheld: BTreeMap<String, Vec<&'static str>>,
    /// About the headline percentile alone: the others speak for themselves by being withheld.
    pub(super) findings: Vec<Finding>,
}

/// Every percentile of every kind; nothing in closed loop, which has no response time.
pub(super) fn judge(evidence: &Evidence<'_>) -> Lateness {
    let mut lateness = Lateness::default();
    for kind in evidence.outcome.kinds.iter().filter(|_| evidence.open) {
        for (name, rank) in RANKS {
            let Some(ours) = Ours::at(kind, rank) else { continue };
            let worst = lateness.our_share.entry(name.to_owned()).or_insert(0.0);
            *worst = worst.max(ours.share);
            if ours.verdict() == TrialVerdict::Invalid {
                lateness.withheld.entry(kind.name.clone()).or_default().push(name);
            }
            if name == evidence.headline {
                lateness.findings.extend(ours.finding(name, &kind.name));
            }
        }
    }
    lateness
}

/// The generator's part in a percentile.
#[derive(Clone, Copy, Debug)]
struct Ours {
    share: f64,
    absolute: Nanos,
}

impl Ours {
    /// `1 - Q(response - lag) / Q(response)`, where the lag is that of both ends: of the writes as it was in each
    /// request, of the reads as the one in a hundred says that was timed. Nothing where there are too few samples, or the
    /// percentile is a failure, of which nothing is ours.
    fn at(kind: &Kind, rank: f64) -> Option<Self> {
        let whole = rank::of(kind, &kind.response, rank).time()?;
        let theirs = rank::of(kind, &kind.response_less_lag, rank).time()?.min(whole);
        let theirs = theirs.saturating_sub(received_late(kind, rank));
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

    fn finding(self, name: &str, kind: &str) -> Option<Finding> {
        let reason = format!(
            "{} ({}) of the {name} of {kind} is the generator's own lateness",
            percent(self.share),
            self.absolute
        );
        match self.verdict() {
            TrialVerdict::Valid => None,
            verdict => Some(Finding { verdict, reason }),
        }
    }
}

/// What late reads add to the percentile `rank`, ns: by how much it is lower in the timed requests without their receive
/// lag. Where a hundredth of the requests is too few for that rank, the highest lower one that they support stands for
/// it; none at all is 0. Timed were right answers alone, among which the same request has a higher rank.
fn received_late(kind: &Kind, rank: f64) -> u64 {
    let timed = &kind.timed;
    let all_to_right = kind.requests as f64 / kind.response.len().max(1) as f64;
    let ranks = RANKS.iter().rev().map(|&(_, rank)| rank).filter(|&lower| lower <= rank);
    let at = |rank: f64| {
        let rank = rank * all_to_right;
        Some((percentile(&timed.less_lag, rank)?, percentile(&timed.less_both, rank)?))
    };
    ranks.into_iter().find_map(at).map_or(0, |(with, without)| with.saturating_sub(without))
}

/// How late the generator read, all kinds together; nothing where no read was timed.
pub(crate) fn receive_lag(outcome: &Outcome) -> Option<Histogram<u64>> {
    let mut kinds = outcome.kinds.iter().map(|kind| &kind.timed.receive_lag);
    let mut all = kinds.next()?.clone();
    for other in kinds {
        all.add(other).expect("histograms of one plan have the same bounds");
    }
    (!all.is_empty()).then_some(all)
}
