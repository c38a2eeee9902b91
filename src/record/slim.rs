//! Trials without histograms, where nothing reads more than their percentiles.

use super::{ByRequest, Distribution, Trial};

/// Empties every histogram of a trial. What was read off them stays.
pub(crate) fn drop_histograms(trial: &mut Trial) {
    drop_all_but_response_times(trial);
    trial.by_request.values_mut().for_each(|kind| empty(&mut kind.response_ns));
}

/// The same, save the response times by request kind.
pub(crate) fn drop_all_but_response_times(trial: &mut Trial) {
    let own = [
        &mut trial.response_ns,
        &mut trial.response_less_lag_ns,
        &mut trial.service_ns,
        &mut trial.backlog_ns,
        &mut trial.generator_lag_ns,
        &mut trial.pool_wait_ns,
        &mut trial.connect_ns,
        &mut trial.generator.receive_lag_ns,
    ];
    own.into_iter().for_each(empty);
    if let Some(standin) = &mut trial.standin {
        standin.latency_error_ns.hdr_v2 = String::new();
    }
    for kind in trial.by_request.values_mut() {
        let ByRequest { response_less_lag_ns, service_ns, backlog_ns, generator_lag_ns, .. } = kind;
        let others = [response_less_lag_ns, service_ns, backlog_ns, generator_lag_ns];
        others.into_iter().for_each(empty);
    }
}

fn empty(distribution: &mut Option<Distribution>) {
    if let Some(distribution) = distribution {
        distribution.hdr_v2 = String::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::record;
    use crate::record::RunResult;

    #[test]
    fn what_is_left_has_every_percentile_and_no_histogram() {
        let mut result = mock::everything();
        let whole = record::to_json(&result);
        result.trials.iter_mut().for_each(drop_histograms);
        let json = record::to_json(&result);
        assert!(!json.contains("hdr_v2") && whole.contains("hdr_v2"));
        let again = record::from_json(&json).unwrap();
        let p99 = |result: &RunResult| -> Vec<Option<u64>> {
            let kinds = result.trials.iter().flat_map(|trial| trial.by_request.values());
            kinds.filter_map(|kind| Some(kind.response_ns.as_ref()?.p99)).collect()
        };
        assert_eq!(p99(&again), p99(&record::from_json(&whole).unwrap()));
        assert!(!p99(&again).is_empty());
    }
}
