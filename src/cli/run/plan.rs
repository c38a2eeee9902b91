//! `run --plan`: what would be run, without running it.

use std::fmt::Write;

use serde_json::json;

use crate::cli::Format;
use crate::run::{Planned, plan};
use crate::scenario::Scenario;
use crate::text::percent;
use crate::units::Nanos;

/// The plans of some scenarios, in the format that is asked for.
pub(super) fn shown<'a>(
    scenarios: impl Iterator<Item = &'a Scenario>,
    budget: Option<Nanos>,
    format: Format,
) -> String {
    let plans: Vec<Planned> = scenarios.map(plan).collect();
    let time = Nanos(plans.iter().map(|plan| plan.time.0).sum());
    match format {
        Format::Json => format!("{:#}\n", as_json(&plans, time)),
        Format::Text => as_text(&plans, time, budget, ""),
        Format::Markdown => as_text(&plans, time, budget, "- "),
    }
}

fn as_text(plans: &[Planned], time: Nanos, budget: Option<Nanos>, bullet: &str) -> String {
    let mut out = String::new();
    for plan in plans {
        let _ = writeln!(out, "{bullet}{}: about {}", plan.scenario, minutes(plan.time));
        for part in &plan.parts {
            let (least, most) = part.trials;
            let trials = match least == most {
                true => format!("{least} trials"),
                false => format!("{least} to {most} trials"),
            };
            let _ = writeln!(out, "    {:<9} {trials}: {}", part.name, part.what);
        }
        for sight in &plan.sees {
            let (scatter, difference) = (percent(sight.scatter, 0), percent(sight.difference, 0));
            let _ = writeln!(
                out,
                "    sees      {difference} 8 times of 10 where rounds scatter by {scatter} ({})",
                sight.usual
            );
        }
    }
    let _ = writeln!(out, "In all about {}; nothing was started.", minutes(time));
    if let Some(budget) = budget.filter(|budget| *budget < time) {
        let _ = writeln!(
            out,
            "The budget is {}: rounds and cells that would end later are left out.",
            minutes(budget)
        );
    }
    out
}

fn as_json(plans: &[Planned], time: Nanos) -> serde_json::Value {
    let plan = |plan: &Planned| {
        let part = |part: &crate::run::Part| {
            let (least, most) = part.trials;
            json!({ "experiment": part.name, "what": part.what, "trials_min": least, "trials_max": most })
        };
        let sight = |sight: &crate::run::Sight| json!({ "scatter": sight.scatter, "usual": sight.usual, "difference": sight.difference });
        json!({
            "scenario": plan.scenario,
            "time_s": plan.time.as_secs_f64().round(),
            "experiments": plan.parts.iter().map(part).collect::<Vec<_>>(),
            "sees": plan.sees.iter().map(sight).collect::<Vec<_>>(),
        })
    };
    json!({
        "plans": plans.iter().map(plan).collect::<Vec<_>>(),
        "time_s": time.as_secs_f64().round(),
    })
}

fn minutes(time: Nanos) -> String {
    let seconds = time.as_secs_f64();
    match seconds < 120.0 {
        true => format!("{seconds:.0} s"),
        false => format!("{:.1} min", seconds / 60.0),
    }
}
