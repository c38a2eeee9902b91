//! The canary: a server with ten times the work, of which it is expected that it is as quick. This must fail.

use super::scratch::Scratch;
use super::{Bench, Row, Verdict};
use crate::error::Result;
use crate::record;
use crate::run::{self, Progress, Request};
use crate::scenario::{self, Overrides, WarmUp};
use crate::units::Nanos;

/// The built-in scenario, with shorter trials.
pub(super) fn check(bench: &Bench<'_>) -> Result<Vec<Row>> {
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
