//! What several generators record of a load, carried between hosts and merged, is what one recorder has of all of it.

use proptest::prelude::*;

use super::check::Acknowledged;
use super::connection::Instants;
use super::plan::{Arrivals, Operation, Plan, Shape};
use super::recorder::{FailedRequest, Recorder};
use crate::record::outcome::{Outcome, RequestError};
use crate::units::{Nanos, Rate};

const START: Nanos = Nanos(1_000_000_000);

fn plan() -> Plan {
    let shape = Shape::Open { rate: Rate(100.0), arrivals: Arrivals::Poisson };
    let mix = vec![(Operation::AccountRead, 1), (Operation::Payment { rounds: 1 }, 1)];
    let objective = Some(Nanos(20_000_000));
    Plan { shape, objective, timeline: true, ..super::mix::tests::plan(mix) }
}

fn recorder(plan: &Plan) -> Recorder {
    let names = plan.mix.iter().map(|(operation, _)| operation.name());
    Recorder::new(names, START..START + plan.duration, plan.into())
}

/// A request: its kind, when it was due, how late it was sent, how long it took, and what came.
#[derive(Clone, Debug)]
struct Event {
    kind: usize,
    due: u64,
    late: u64,
    took: u64,
    came: u8,
}

fn record(recorder: &mut Recorder, event: &Event) {
    let intended = Nanos(event.due);
    let woken = intended + Nanos(event.late);
    let done = woken + Nanos(event.took);
    let (acquired, written, first_byte, received) = (woken, woken, done, done);
    let paused = Nanos(0);
    let at = Instants { intended, woken, acquired, written, first_byte, received, done, paused };
    match event.came {
        0 => recorder.failed(event.kind, &at, &RequestError::Reset.into()),
        1 => recorder.failed(
            event.kind,
            &at,
            &FailedRequest { written: true, ..RequestError::Timeout.into() },
        ),
        2 => recorder.failed(
            event.kind,
            &at,
            &FailedRequest {
                status: 500 + event.late as u16 % 3,
                ..RequestError::BadStatus.into()
            },
        ),
        _ => {
            recorder.answered(event.kind, &at, 200);
            let payment = Acknowledged::Payment { amount_minor: event.took, fee_minor: 1 };
            recorder.success(event.kind, &at, payment);
            recorder.timed(event.kind, &at, Nanos(event.took / 2));
            recorder.first_on_connection(&at);
        }
    }
}

fn outcome(plan: &Plan, recorder: Recorder) -> Outcome {
    let mut outcome = super::empty(plan, 7, plan.duration);
    outcome.answered_in_first_half = recorder.answered_in_first_half();
    outcome.first_service = recorder.first_service().clone();
    (outcome.kinds, outcome.answered_in_window, outcome.tally) = recorder.into_parts();
    outcome.offered = outcome.kinds.iter().map(|kind| kind.requests).sum();
    outcome
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event =
        (0..2_usize, 900_000_000..2_100_000_000_u64, 0..9_000_000_u64, 1..90_000_000_u64, 0..9_u8);
    let event =
        event.prop_map(|(kind, due, late, took, came)| Event { kind, due, late, took, came });
    prop::collection::vec(event, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn merged_parts_are_what_one_recorder_has(events in events(), of in 1..5_usize, deal: u64) {
        let plan = plan();
        let mut whole = recorder(&plan);
        let mut parts = vec![recorder(&plan); of];
        for (k, event) in events.iter().enumerate() {
            record(&mut whole, event);
            let part = crate::random::mix(deal ^ k as u64) as usize % of;
            record(&mut parts[part], event);
        }
        let carried = parts.into_iter().map(|part| {
            let text = serde_json::to_string(&outcome(&plan, part)).unwrap();
            serde_json::from_str::<Outcome>(&text).unwrap()
        });
        let merged = carried.reduce(|mut all, part| { all.merge(part); all }).unwrap();
        let whole = outcome(&plan, whole);
        // Encoded histograms of equal counts may differ in their bytes.
        for (merged, whole) in merged.kinds.iter().zip(&whole.kinds) {
            prop_assert_eq!(&merged.response, &whole.response);
            prop_assert_eq!(&merged.generator_lag, &whole.generator_lag);
            prop_assert_eq!(&merged.slices, &whole.slices);
            prop_assert_eq!(&merged.buckets, &whole.buckets);
            prop_assert_eq!(&merged.breakdown, &whole.breakdown);
            prop_assert_eq!((&merged.errors, &merged.statuses), (&whole.errors, &whole.statuses));
        }
        let text = |outcome: &Outcome| serde_json::to_string(outcome).unwrap();
        prop_assert_eq!(text(&merged), text(&whole));
    }
}

/// What a frame brings that this program has no word for would be lost.
#[test]
fn a_failure_without_a_name_is_refused() {
    let plan = plan();
    let text = serde_json::to_string(&outcome(&plan, recorder(&plan))).unwrap();
    let unknown = text.replacen("\"errors\":{}", "\"errors\":{\"melted\":1}", 1);
    let error = serde_json::from_str::<Outcome>(&unknown).unwrap_err().to_string();
    assert!(error.contains("`melted` is not a kind of failure"), "{error}");
}
