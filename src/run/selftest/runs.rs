//! Whole runs whose verdict is known: A/A, two copies of one contender, whose ratio must cover 1; and the canary, a
//! server with ten times the work, which must fail.

use crate::error::Result;
use crate::judge::statement::series::{paired, ratio};
use crate::record::{Trial, TrialVerdict};
use crate::run::selftest::{Bench, Row, Scratch, Verdict};
use crate::run::{Progress, Request};
use crate::scenario::{Overrides, WarmUp};
use crate::stats::{Better, LOST};
use crate::units::Nanos;
use crate::{record, run, scenario};

const SCENARIO: &str = r#"
schema = 1
name = "same"
title = "Two copies of one contender"
workload = "payment"
rounds = 10
experiment = { compare = { rates = ["1500/s"] } }
[contender.one]
model = "event-loop"
[contender.other]
model = "event-loop"
[load.open]
warm_up = "100ms"
duration = "700ms"
connections = 64
"#;

/// The most that ten rounds can give. By chance alone one such interval in five hundred does not cover 1.
const CONFIDENCE: f64 = 0.998;

pub(super) fn same(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let out = Scratch::new("same");
    let request = Request {
        name: "same".into(),
        title: "A/A".into(),
        scenarios: vec![scenario::parse("same.toml", SCENARIO)?],
        out: out.0.clone(),
        ..Request::default()
    };
    let result = run::run(&request, &mut Progress::new(true), bench.stop)?;
    let of = |contender: &str, metric: Metric| -> Vec<(u32, f64)> {
        let own = result.trials.iter().filter(|trial| trial.contender == contender);
        let counted = own.filter(|t| {
            !t.voided && (t.validity.lost || t.validity.verdict != TrialVerdict::Invalid)
        });
        let value = |trial: &Trial| match trial.validity.lost {
            true => Some(LOST),
            false => metric(trial),
        };
        counted.filter_map(|trial| Some((trial.round, value(trial)?))).collect()
    };
    Ok(METRICS
        .map(|(name, metric)| {
            let (one, other) = (of("one", metric), of("other", metric));
            let ratio = ratio(&one, &other, Better::Less, CONFIDENCE);
            let interval = ratio.and_then(|ratio| Some((ratio.value, ratio.interval?)));
            let (measured, verdict, needs) = match interval {
                Some((value, interval)) => (
                    format!("{value:.3} ({:.3} to {:.3})", interval.low, interval.high),
                    Verdict::of((interval.low..=interval.high).contains(&1.0)),
                    None,
                ),
                None => {
                    let counted = paired(&one, &other).0.len();
                    let needs = format!("10 valid rounds instead of {counted}");
                    (format!("{counted} rounds"), Verdict::Undecided, Some(needs))
                }
            };
            Row {
                check: "A/A",
                what: format!("ratio of {name}, two copies"),
                expected: "covers 1".into(),
                measured,
                verdict,
                needs,
            }
        })
        .into())
}

type Metric = fn(&Trial) -> Option<f64>;

const METRICS: [(&str, Metric); 2] = [
    ("p50", |trial| trial.response_ns.as_ref()?.at(500).worth()),
    ("CPU/request", |trial| trial.server.cpu_us_per_request),
];

/// The built-in scenario, with shorter trials.
pub(super) fn canary(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let out = Scratch::new("canary");
    let canary = scenario::builtin("canary").expect("the canary is built in");
    let canary = canary.with(&Overrides {
        duration: Some(bench.span(Nanos(700_000_000), Nanos(400_000_000))),
        warm_up: Some(WarmUp::Through(Nanos(100_000_000))),
        ..Overrides::default()
    })?;
    let request = Request {
        name: canary.name.clone(),
        title: canary.title.clone(),
        scenarios: vec![canary],
        out: out.0.clone(),
        ..Request::default()
    };
    let result = run::run(&request, &mut Progress::new(true), bench.stop)?;
    let measured = result.expectations.first().map_or("nothing judged", |it| &it.reason);
    let needs = matches!(result.verdict, record::Verdict::Invalid).then(|| {
        let why = result.notes.first().map_or("too few rounds were valid", |note| note);
        format!("a run that is valid; {why}")
    });
    let row = Row {
        check: "canary",
        what: "ten times the work".into(),
        expected: "fails, exit code 3".into(),
        measured: format!("exit code {}: {measured}", result.exit_code),
        verdict: Verdict::of(result.verdict == record::Verdict::Fail),
        needs: None,
    };
    Ok(vec![row.excused(needs.as_deref())])
}
