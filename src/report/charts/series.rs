//! What a percentile chart shows of each contender: a line, or the reason why there is none.

use super::plot::nines;
use super::theme::Style;
use super::view::Member;
use crate::judge::races::{Entry, Race};
use crate::record::TrialVerdict;
use crate::record::histogram::Ranked;
use crate::record::late::Late;
use crate::report::sentences::saturated;
use crate::stats::percentile::{PRINTED, at_rank, supported};
use crate::units::grouped;

pub(super) struct Series {
    pub(super) name: String,
    pub(super) style: Style,
    /// Quantile and response time in ns, from the least to the last quantile that is supported; empty if none is.
    pub(super) response: Vec<(f64, f64)>,
    /// The same of the service time.
    pub(super) service: Vec<(f64, f64)>,
    /// The quantile from which on the line is an upper bound, the generator having been late; beyond its end where it is
    /// none.
    pub(super) bound_from: f64,
    /// Response time at p99, where the line reaches it.
    pub(super) p99_ns: Option<f64>,
    /// Merged requests.
    pub(super) n: u64,
    /// Why there is no line, or what must be known of it.
    pub(super) remark: Option<String>,
}

/// Each contender of a race, in the order of `members`.
pub(super) fn series(race: &Race<'_>, members: &[Member<'_>], kind: &str) -> Vec<Series> {
    members.iter().filter_map(|member| Some(one(race.entry(member.name)?, kind, member))).collect()
}

fn one(entry: &Entry<'_>, kind: &str, member: &Member<'_>) -> Series {
    let mut series = Series {
        name: member.label.clone(),
        style: member.style,
        response: Vec::new(),
        service: Vec::new(),
        bound_from: bound_from(entry, kind),
        p99_ns: None,
        n: 0,
        remark: remark(entry),
    };
    if entry.is_saturated() {
        series.remark = saturated(entry).map(|rates| format!("saturated: {rates}"));
        return series;
    }
    match entry.merged(kind, |requests| requests.response_ns.as_ref()) {
        Ok(Some(requests)) => {
            let limit = last_quantile(&requests);
            series.n = requests.requests();
            series.response = points(&requests, limit);
            series.p99_ns = timed(&requests, 0.99).filter(|_| limit >= 0.99);
            if let Ok(Some(service)) = entry.merged(kind, |requests| requests.service_ns.as_ref()) {
                series.service = points(&service, limit);
            }
            if series.response.is_empty() {
                series.remark = Some(why_empty(series.n));
            }
        }
        // Its remark says that it lost them.
        Ok(None) if entry.lost().next().is_some() => {}
        Ok(None) if entry.usable().count() == 0 => {
            series.remark = Some("no round that holds".into())
        }
        Ok(None) => series.remark = Some("no response time".into()),
        Err(_) => series.remark = Some("its histogram cannot be read".into()),
    }
    series
}

/// The lowest of the percentiles that are upper bounds.
fn bound_from(entry: &Entry<'_>, kind: &str) -> f64 {
    let bound = |per_mille: &u64| entry.response(kind, *per_mille).late() == Late::Bound;
    [500, 900, 990, 999].iter().find(|it| bound(it)).map_or(1.0, |it| *it as f64 / 1_000.0)
}

/// Why not even the median may be shown.
fn why_empty(n: u64) -> String {
    if supported(n, 0.5) {
        "most requests failed".into()
    } else {
        format!("too few samples: {}", grouped(n as f64))
    }
}

/// What must be known of a line: rounds that are marked, or saturated while most are not.
pub(super) fn remark(entry: &Entry<'_>) -> Option<String> {
    let (validity, saturated) = (entry.validity(), entry.saturated_rounds());
    let lost = entry.lost().count();
    if lost > 0 {
        return Some(format!("lost {lost} of {} rounds", entry.counted().count()));
    }
    if saturated > 0 {
        return Some(format!("saturated in {saturated} of {} rounds", validity.rounds));
    }
    (validity.worst > TrialVerdict::Valid).then(|| {
        let verdict = validity.worst.word();
        format!("{verdict}: {} of {} rounds valid", validity.valid, validity.rounds)
    })
}

/// How far a line may be drawn: enough samples beyond, and fewer failures than lie beyond.
fn last_quantile(merged: &Ranked) -> f64 {
    let sampled = 1.0 - PRINTED as f64 / merged.requests() as f64;
    let answered = merged.times.len() as f64 / merged.requests() as f64;
    sampled.min(answered).min(MAX_QUANTILE)
}

/// Six nines: ten million samples, beyond any run.
const MAX_QUANTILE: f64 = 0.999_999;

/// The requests from the fastest to `limit` or the first failure, at even steps of the axis; nothing below the median.
pub(super) fn points(requests: &Ranked, limit: f64) -> Vec<(f64, f64)> {
    if limit < 0.5 {
        return Vec::new();
    }
    let end = nines(limit);
    (0..=STEPS)
        .map(|step| 1.0 - 10_f64.powf(-end * f64::from(step) / f64::from(STEPS)))
        .map_while(|quantile| Some((quantile, timed(requests, quantile)?)))
        .collect()
}

/// The time at a quantile, ns; nothing where it is a failure's.
pub(super) fn timed(requests: &Ranked, quantile: f64) -> Option<f64> {
    at_rank(&requests.times, requests.failures, quantile).time().map(|ns| ns.max(1) as f64)
}

/// Finer than a reader sees at 1,200 px.
const STEPS: u32 = 240;
