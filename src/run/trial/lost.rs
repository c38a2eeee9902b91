//! Trials without figures: of a contender that did not start or broke down before it could be measured, which has lost; and
//! of one that the machine gave no port, which is void.

use std::collections::BTreeMap;

use super::figures;
use crate::error::Error;
use crate::record;
use crate::record::{Audit, LostBy, Trial, TrialVerdict, Validity};
use crate::run::trial::spec::PreparedTrial;

/// The trial of a contender that did `error` in a way of its own.
pub(crate) fn lost(prepared: &PreparedTrial<'_>, by: LostBy, error: &Error) -> Trial {
    let validity = Validity {
        verdict: TrialVerdict::Invalid,
        reasons: vec![error.message().to_owned()],
        lost: true,
        lost_by: Some(by),
        wrote: error.contender_wrote().unwrap_or_default().to_owned(),
        ..Validity::default()
    };
    without_figures(prepared, validity)
}

/// The trial that the machine made impossible.
pub(super) fn void(prepared: &PreparedTrial<'_>, error: &Error) -> Trial {
    let validity = Validity {
        verdict: TrialVerdict::Invalid,
        reasons: vec![error.message().to_owned()],
        voids_round: true,
        ..Validity::default()
    };
    without_figures(prepared, validity)
}

fn without_figures(prepared: &PreparedTrial<'_>, validity: Validity) -> Trial {
    Trial {
        workload: prepared.spec.scenario.workload.name().into(),
        scenario: prepared.spec.scenario.name.clone(),
        contender: prepared.spec.contender.name.clone(),
        round: prepared.spec.round,
        order: prepared.spec.place,
        level: prepared.spec.level.clone(),
        placement: figures::placement(prepared.placement),
        schedule_hash: String::new(),
        load: record::Load {
            kind: if prepared.spec.rate.is_some() { "open".into() } else { "closed".into() },
            rate: prepared.spec.rate.map(|rate| rate.0),
            connections: prepared.spec.scenario.load.connections as u32,
            ..record::Load::default()
        },
        offered_rps: 0.0,
        achieved_rps: 0.0,
        requests: 0,
        errors: BTreeMap::new(),
        statuses: BTreeMap::new(),
        first_errors: BTreeMap::new(),
        response_ns: None,
        response_less_lag_ns: None,
        service_ns: None,
        backlog_ns: None,
        generator_lag_ns: None,
        pool_wait_ns: None,
        connect_ns: None,
        by_request: BTreeMap::new(),
        server: record::Server::default(),
        generator: record::Generator::default(),
        bound_by: "nothing".into(),
        saturated: false,
        audit: Audit { verdict: "unavailable".into(), reasons: validity.reasons.clone() },
        validity,
        voided: false,
        led_in: None,
        standin: None,
        dependency: prepared
            .spec
            .scenario
            .store
            .dependency()
            .map(|dependency| dependency.describe()),
        pool: None,
        timeline: None,
        accounts_per_s: None,
        goodput_rps: None,
        recovery: None,
        runtime: None,
    }
}
