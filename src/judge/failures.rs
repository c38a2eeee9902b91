//! The failures of a trial: how many are too many, and what they were in words.

use crate::record::Trial;
use crate::scenario::Scenario;
use crate::stats::error_bound;
use crate::text::clean;
use crate::units::Share;

/// The share of requests beyond which a contender has lost a round: what the service promises, or the usual one.
pub(crate) fn error_bound(scenario: &Scenario) -> Share {
    scenario.slo.map_or(Share(error_bound::USUAL), |slo| slo.error_rate)
}

/// `50 bad_status (404: 30, 503: 20), 2 timeout`; `50 bad_status (404)`
pub(crate) fn error_counts(trial: &Trial) -> String {
    let one = trial.statuses.len() == 1;
    let status = |(status, count): (&String, &u64)| match one {
        true => status.clone(),
        false => format!("{status}: {count}"),
    };
    let statuses: Vec<String> = trial.statuses.iter().map(status).collect();
    let count = |(name, count): (&String, &u64)| match name.as_str() {
        "bad_status" if !statuses.is_empty() => format!("{count} {name} ({})", statuses.join(", ")),
        _ => format!("{count} {name}"),
    };
    trial.errors.iter().map(count).collect::<Vec<_>>().join(", ")
}

/// `first malformed: it is a frame of HTTP/2: ..`: of each kind of failure that tells more than its name.
pub(crate) fn firsts(trial: &Trial) -> Vec<String> {
    let told = |(name, what): (&String, &String)| format!("first {name}: {}", clean(what));
    trial.first_errors.iter().map(told).collect()
}
