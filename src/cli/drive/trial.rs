//! From the flags of `drive` to the request that it sends, and from an outcome to a trial of result.json.

use std::path::Path;

use rustix::thread::{CpuSet, sched_getaffinity};

use super::Args;
use crate::error::{Context, Error, Result};
use crate::files;
use crate::judge::validity;
use crate::judge::validity::Evidence;
use crate::load::outcome::Outcome;
use crate::load::plan::{Fixed, Plan, Shape};
use crate::load::url::Url;
use crate::machine::interference::Interference;
use crate::record::{Audit, Placement, Trial};
use crate::run::trial::figures;
use crate::units::Nanos;

/// A body is held in memory and sent again and again.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// What is sent again and again.
pub(super) fn request(args: &Args, url: &Url) -> Result<Fixed> {
    let body = match &args.body {
        Some(text) => body(text)?,
        None => Vec::new(),
    };
    let with_body = if args.body.is_some() { "POST" } else { "GET" };
    let method = args.method.clone().unwrap_or_else(|| with_body.into()).to_ascii_uppercase();
    let mut host = url.host.clone();
    let mut headers = Vec::new();
    for text in &args.headers {
        let (name, value) = header(text)?;
        if name.eq_ignore_ascii_case("host") {
            host = value;
        } else {
            headers.push((name, value));
        }
    }
    Ok(Fixed {
        name: format!("{method} {}", url.path),
        method,
        path: url.path.clone(),
        host,
        headers,
        body,
        expect_status: args.expect_status,
    })
}

fn header(text: &str) -> Result<(String, String)> {
    match text.split_once(':') {
        Some((name, value)) => Ok((name.trim().into(), value.trim().into())),
        None => {
            Err(Error::usage(format!("`{text}` is not a header")).help("write it as 'name: value'"))
        }
    }
}

fn body(text: &str) -> Result<Vec<u8>> {
    let Some(path) = text.strip_prefix('@') else { return Ok(text.into()) };
    files::read(Path::new(path), BODY_BYTES_MAX).usage(|| format!("cannot read the body {path}"))
}

/// The trial that `plan` and `outcome` make; `taken` is of its start, `lag_limit` what the generator may be late by.
pub(super) fn trial(
    url: &str,
    plan: &Plan,
    outcome: &Outcome,
    taken: &Interference,
    lag_limit: Option<Nanos>,
) -> Trial {
    let open = plan.shape != Shape::Closed;
    let judged = validity::judge(&Evidence {
        steal_share: taken.steal_share(),
        throttled_share: taken.throttled_share(),
        lag_limit,
        ..Evidence::of(outcome, open, plan.threads)
    });
    let audit = Audit {
        verdict: "unavailable".into(),
        reasons: vec!["a server given by URL has no books to look at".into()],
    };
    Trial {
        workload: "http".into(),
        contender: url.into(),
        level: level(plan),
        placement: placement(plan),
        ..figures::seen(plan, outcome, judged, audit)
    }
}

fn level(plan: &Plan) -> String {
    match plan.shape {
        Shape::Open { rate, .. } => rate.to_string(),
        Shape::Ramp { from, to, .. } => format!("{from}..{to}"),
        Shape::Closed => "closed".into(),
    }
}

/// The cores that this process inherited; the contender's are not known.
fn placement(plan: &Plan) -> Placement {
    let mask = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    let cores = (0..CpuSet::MAX_CPU).filter(|&core| mask.is_set(core)).map(|core| core as u32);
    Placement {
        mode: "unknown".into(),
        contender_cores: Vec::new(),
        generator_cores: cores.collect(),
        pace: plan.pace.name().into(),
        dependency_cores: Vec::new(),
    }
}
