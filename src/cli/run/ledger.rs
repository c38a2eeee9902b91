//! `run FOLDER`: one ledger of every claim in it.

use std::path::Path;

use super::{Args, plan};
use crate::cli::{Format, print};
use crate::error::Result;
use crate::interrupt;
use crate::record;
use crate::report;
use crate::run::{self, Claim, LedgerRequest, Progress, ReportFolder};
use crate::scenario::{self, Scenario};

/// Runs a folder and gives the exit code.
pub(super) fn run(args: &Args, named: &str) -> Result<u8> {
    let scenarios = scenario::load(named)?.into_iter().map(|scenario| args.apply(scenario));
    let scenarios = scenarios.collect::<Result<Vec<Scenario>>>()?;
    let planned = run::plan_ledger(&scenarios, args.budget);
    if args.plan {
        let not_run =
            planned.not_run.iter().map(|one| format!("not run: {}: {}", one.scenario, one.why));
        let lines: Vec<String> = planned.note.iter().cloned().chain(not_run).collect();
        print(&plan::shown(planned.scenarios.iter(), args.budget, args.format))?;
        if args.format != Format::Json && !lines.is_empty() {
            print(&(lines.join("\n") + "\n"))?;
        }
        return Ok(0);
    }
    args.quiet.say(format_args!(
        "{} scenarios at 99 %, about {:.0} min; {} are not run",
        planned.scenarios.len(),
        planned.time.as_secs_f64() / 60.0,
        planned.not_run.len()
    ));
    let folder = match &args.resume {
        Some(begun) => ReportFolder::claim(begun, Claim::Resumed)?,
        None => args.out.claim(Path::new("reports/ledger"))?,
    };
    let request = LedgerRequest {
        scenarios,
        out: folder.path().to_owned(),
        budget: args.budget,
        order_seed: args.order_seed,
        yes: args.yes,
        resume: args.resume.is_some(),
        words: args.words(&args.scenarios),
    };
    let stop = interrupt::listen()?;
    let ledger = run::ledger(&request, || Progress::new(args.quiet.quiet), &stop)?;
    print(&match args.format {
        Format::Text => report::ledger::text(&ledger, Some(&request.out)),
        Format::Json => record::ledger_json(&ledger) + "\n",
        Format::Markdown => report::ledger::markdown(&ledger),
    })?;
    Ok(ledger.exit_code)
}
