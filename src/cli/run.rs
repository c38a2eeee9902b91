//! `bakeoff run`

use std::fmt::Write;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::FromArgMatches;
use serde_json::json;

use crate::cli::flags::{Out, Quiet, without_empty};
use crate::cli::{Format, command, print};
use crate::error::{Context, Error, Result};
use crate::hosts::nodes;
use crate::record::{RunResult, Shard, Verdict};
use crate::run::{Claim, LedgerRequest, Planned, Progress, ReportFolder, Request, plan};
use crate::scenario::{Hosts, Overrides, Scenario, WarmUp};
use crate::text::percent;
use crate::units::{Nanos, Rate};
use crate::{exit, files, interrupt, record, report, run, scenario};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff run                          the tour: both services, all four models, about five minutes
  bakeoff run payment-memory           a built-in scenario (bakeoff list shows them)
  bakeoff run my.toml --rounds 20      your own, with more rounds
  bakeoff run scenarios/ --budget 60m  a folder: one ledger of all its claims, at 99 %
  bakeoff run --smoke                  check that everything works (no speed measured)
  bakeoff run my.toml --shard 1/4 --order-seed 7 --out shards/1    every 4th round

Exit codes: 0 pass or inconclusive, 1 internal error, 2 bad scenario or flag, 3 an expectation failed or
a contender does not work, 5 invalid, 130 interrupted; with several scenarios the most
severe")]
pub(crate) struct Args {
    /// Files, folders of files, or names of built-in scenarios; none runs the tour
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    #[command(flatten)]
    out: Out,
    /// Also write the figures of all trials to this file in the OpenMetrics text format; --force overwrites it
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Rounds: trials of each contender at each load level
    #[arg(long, value_name = "N", env = "BAKEOFF_ROUNDS", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// The measured window of each trial, e.g. 5s
    #[arg(long, value_name = "TIME", env = "BAKEOFF_DURATION")]
    duration: Option<Nanos>,
    /// Load before the window, not recorded: auto, 10s, '20000 requests' or none
    #[arg(long, value_name = "AMOUNT", env = "BAKEOFF_WARM_UP")]
    warm_up: Option<WarmUp>,
    /// One load level instead of the scenario's, e.g. 4000/s
    #[arg(long, value_name = "RATE", env = "BAKEOFF_RATE")]
    rate: Option<Rate>,
    /// Seed of the dataset, the arrivals and the bodies
    #[arg(long, value_name = "N", env = "BAKEOFF_SEED")]
    seed: Option<u64>,
    /// Seed of the order of the trials [default: random; the report has it]
    #[arg(long, value_name = "N", env = "BAKEOFF_ORDER_SEED")]
    order_seed: Option<u64>,
    /// Part I (from 1 to N) of a run that N machines share, to be joined by `merge`: every N-th round of `compare` and
    /// `curve`, beginning with round I. Needs --order-seed, the same for all
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Only these contenders
    #[arg(long, value_name = "NAME", num_args = 1.., env = "BAKEOFF_CONTENDER", value_delimiter = ',')]
    contender: Vec<String>,
    /// File with [host.NAME] and [placement] for a run on several hosts, beside or instead of the scenario's
    #[arg(long, value_name = "FILE")]
    hosts: Option<PathBuf>,
    /// Two short rounds at the lowest level: checks that everything works, does not measure speed
    #[arg(long)]
    smoke: bool,
    /// Write to a database that is given by URL without asking for confirmation
    #[arg(long)]
    yes: bool,
    /// Print the trials, the expected time and the detectable differences, and start nothing
    #[arg(long)]
    plan: bool,
    /// Time limit for everything, e.g. 10m; what does not fit is left out and listed
    #[arg(long, value_name = "TIME", env = "BAKEOFF_BUDGET")]
    budget: Option<Nanos>,
    /// Continue the interrupted run in this report folder; scenario and flags must be the same
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "force", "order_seed"])]
    resume: Option<PathBuf>,
    /// Also run 12 profiled rounds, and show where a request's CPU goes: by mode, layer and function (docs/why.md)
    #[arg(long)]
    why: bool,
    /// Print every comparison, maximum throughput and reason, as the report has them
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    quiet: Quiet,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    /// Those of a run that was asked for by some words.
    ///
    /// # Errors
    /// Usage, when this version does not know them.
    pub(crate) fn of_words(words: &[String]) -> Result<Self> {
        let all = ["bakeoff", "run"].into_iter().chain(words.iter().map(String::as_str));
        let matches = without_empty(command()).try_get_matches_from(all);
        let args = matches.and_then(|matches| {
            let (_, run) = matches.subcommand().expect("`run` is one");
            Self::from_arg_matches(run)
        });
        args.usage(|| format!("cannot read `bakeoff run {}`", words.join(" ")))
    }

    /// Gives the most severe exit code of all runs.
    pub(crate) fn run(self) -> Result<u8> {
        if let Some(folder) = self.folder() {
            self.expect_no_shard(&format!("the folder {folder}"))?;
            return run_folder(&self, folder);
        }
        let mut requests = self.requests()?;
        if requests.len() > 1 {
            self.expect_no_shard(&format!("{} scenarios", requests.len()))?;
        }
        requests.iter().try_for_each(Request::check)?;
        let elsewhere = |one: &Scenario| one.hosts.roles.is_some();
        if self.why && requests.iter().flat_map(|request| &request.scenarios).any(elsewhere) {
            return Err(Error::usage("--why profiles only contenders on this host"));
        }
        if self.plan {
            let scenarios = requests.iter_mut().flat_map(|request| &mut request.scenarios);
            let scenarios: Vec<&Scenario> = scenarios.map(|one| self.own_part(one)).collect();
            print(&show_plans(scenarios.into_iter(), self.budget, self.format, self.why))?;
            return Ok(0);
        }
        let stop = interrupt::listen()?;
        // All of them before the first one runs: what cannot be written is said now.
        let folders = requests.iter_mut().map(|request| self.claim(request));
        let _folders = folders.collect::<Result<Vec<_>>>()?;
        if let Some(path) = &self.metrics {
            files::reserve(path, self.out.force)?;
        }
        let (mut codes, began) = (Vec::new(), Instant::now());
        let mut trials = Vec::new();
        for mut request in requests {
            // A budget is for all of them together.
            let gone = Nanos::from(began.elapsed());
            request.budget = request.budget.map(|budget| budget.saturating_sub(gone));
            let request = &request;
            let mut progress = Progress::new(self.quiet.quiet);
            let run::Ended { result, unwritten } =
                run::run_to_its_end(request, &mut progress, &stop)?;
            print(&self.show_plans(&result, &request.out))?;
            codes.push(match (result.exit_code, unwritten) {
                (code, None) => code,
                (code, Some(error)) => {
                    let _ = writeln!(anstream::stderr(), "{error}");
                    if code == exit::OK { error.exit_code() } else { code }
                }
            });
            trials.extend(result.trials);
            if result.verdict == Verdict::Interrupted {
                break;
            }
        }
        if let Some(path) = &self.metrics {
            let text = report::openmetrics::openmetrics(&trials);
            files::write(path, text.as_bytes(), self.out.force)?;
        }
        Ok(exit::gravest(&codes))
    }

    /// Shards are of one scenario.
    fn expect_no_shard(&self, named: &str) -> Result<()> {
        self.shard.map_or(Ok(()), |shard| {
            Err(Error::usage(format!("--shard {shard} is of one scenario, and this is {named}"))
                .help("run the shards of each scenario by themselves"))
        })
    }

    /// A scenario with the rounds that are run here, for a plan.
    fn own_part<'s>(&self, scenario: &'s mut Scenario) -> &'s Scenario {
        let shard = self.shard.unwrap_or(Shard::WHOLE);
        scenario.rounds = (1..=scenario.rounds).filter(|round| shard.has(*round)).count() as u32;
        scenario
    }

    /// One for each scenario; the tour is one of four.
    pub(crate) fn requests(&self) -> Result<Vec<Request>> {
        if self.scenarios.is_empty() {
            let scenarios = scenario::tour().into_iter().map(|scenario| self.apply(scenario));
            return Ok(vec![Request {
                name: "tour".into(),
                title: "Two services, four concurrency models".into(),
                scenarios: scenarios.collect::<Result<_>>()?,
                order_seed: self.order_seed,
                out: self.out().unwrap_or_default(),
                yes: self.yes,
                budget: self.budget,
                resume: self.resume.is_some(),
                words: self.words(&[]),
                shard: self.shard,
            }]);
        }
        let mut loaded = Vec::new();
        for argument in &self.scenarios {
            let all = scenario::load(argument)?;
            loaded.extend(all.into_iter().map(|scenario| (argument.clone(), scenario)));
        }
        let several = loaded.len() > 1;
        let names = || loaded.iter().map(|(_, scenario)| &scenario.name);
        let twice =
            names().enumerate().find(|(place, name)| names().take(*place).any(|it| it == *name));
        if let (Some((_, name)), Some(_)) = (twice, self.out()) {
            return Err(Error::usage(format!("two scenarios are named `{name}`"))
                .help("their reports would share a folder; run them without --out, or give one another `name`"));
        }
        loaded
            .into_iter()
            .map(|(argument, scenario)| {
                let scenario = self.apply(scenario)?;
                let out = match self.out() {
                    Some(out) if several => out.join(&scenario.name),
                    out => out.unwrap_or_default(),
                };
                Ok(Request {
                    order_seed: self.order_seed,
                    out,
                    yes: self.yes,
                    budget: self.budget,
                    resume: self.resume.is_some(),
                    words: self.words(&[argument]),
                    shard: self.shard,
                    ..Request::of(scenario)
                })
            })
            .collect()
    }

    /// Takes the folder of a request, and tells the request where it is.
    fn claim(&self, request: &mut Request) -> Result<ReportFolder> {
        let folder = match (&self.resume, &self.out.out) {
            (Some(all), _) => {
                // Of several that go on the later ones may not have begun.
                request.resume = request.out == *all || request.out.join("begun.json").exists();
                let how = if request.resume { Claim::Resumed } else { Claim::Empty };
                ReportFolder::claim(&request.out, how)?
            }
            (None, Some(_)) => ReportFolder::claim(&request.out, self.out.how())?,
            (None, None) => self.out.claim(&Path::new("reports").join(&request.name))?,
        };
        request.out = folder.path().to_owned();
        Ok(folder)
    }

    /// The one folder of scenarios that is named, of which a ledger is made.
    fn folder(&self) -> Option<&str> {
        match self.scenarios.as_slice() {
            [only] if scenario::builtin(only).is_none() && Path::new(only).is_dir() => Some(only),
            _ => None,
        }
    }

    /// The folder that is given, to begin in or to go on in.
    fn out(&self) -> Option<PathBuf> {
        self.resume.clone().or_else(|| self.out.out.clone())
    }

    fn apply(&self, scenario: Scenario) -> Result<Scenario> {
        let given = self.hosts.as_deref().map_or_else(|| Ok(Hosts::default()), Hosts::read)?;
        let hosts = nodes::expand(scenario.hosts.clone().with(&given))?;
        scenario.with(&Overrides {
            rounds: self.rounds,
            duration: self.duration,
            warm_up: self.warm_up,
            rate: self.rate,
            seed: self.seed,
            contenders: self.contender.clone(),
            hosts,
            smoke: self.smoke,
        })
    }

    /// The scenarios and the flags that change what is run, to run it again.
    fn words(&self, scenarios: &[String]) -> Vec<String> {
        let mut words = scenarios.to_vec();
        let mut flag = |name: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [format!("--{name}"), value]));
        };
        flag("rounds", self.rounds.map(|n| n.to_string()));
        flag("duration", self.duration.map(Nanos::spelled));
        flag("warm-up", self.warm_up.map(|warm_up| warm_up.to_string().replace(' ', "")));
        flag("rate", self.rate.map(|rate| format!("{}/s", rate.0)));
        flag("seed", self.seed.map(|n| n.to_string()));
        flag("shard", self.shard.map(|shard| shard.to_string()));
        flag("contender", (!self.contender.is_empty()).then(|| self.contender.join(",")));
        flag("budget", self.budget.map(Nanos::spelled));
        flag("hosts", self.hosts.as_ref().map(|file| file.display().to_string()));
        words.extend(self.smoke.then(|| "--smoke".to_owned()));
        words.extend(self.why.then(|| "--why".to_owned()));
        words
    }

    fn show_plans(&self, result: &RunResult, out: &Path) -> String {
        match self.format {
            Format::Text => report::summary::text(result, Some(out), self.verbose),
            Format::Json => record::to_json(result) + "\n",
            Format::Markdown => report::summary::markdown(result),
        }
    }
}

/// `run FOLDER`: one ledger of every claim in it. Gives the exit code.
fn run_folder(args: &Args, named: &str) -> Result<u8> {
    let scenarios = scenario::load(named)?.into_iter().map(|scenario| args.apply(scenario));
    let scenarios = scenarios.collect::<Result<Vec<Scenario>>>()?;
    let planned = run::plan_ledger(&scenarios, args.budget);
    if args.plan {
        let not_run =
            planned.not_run.iter().map(|one| format!("not run: {}: {}", one.scenario, one.why));
        let lines: Vec<String> = planned.note.iter().cloned().chain(not_run).collect();
        print(&show_plans(planned.scenarios.iter(), args.budget, args.format, false))?;
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
        Format::Text => report::ledger::text(&ledger, Some(&request.out), args.verbose),
        Format::Json => record::ledger_json(&ledger) + "\n",
        Format::Markdown => report::ledger::markdown(&ledger),
    })?;
    Ok(ledger.exit_code)
}

/// The plans of some scenarios, in the format that is asked for.
pub(crate) fn show_plans<'a>(
    scenarios: impl Iterator<Item = &'a Scenario>,
    budget: Option<Nanos>,
    format: Format,
    profiled: bool,
) -> String {
    let plans: Vec<Planned> = scenarios.map(|one| plan(one, profiled)).collect();
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
        for told in &plan.hosts {
            let _ = writeln!(out, "    {:<9} {told}", "hosts");
        }
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
                "    detects   {difference} in 8 of 10 runs if rounds vary by {scatter} ({})",
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
        let mut plan_json = json!({
            "scenario": plan.scenario,
            "time_s": plan.time.as_secs_f64().round(),
            "experiments": plan.parts.iter().map(part).collect::<Vec<_>>(),
            "sees": plan.sees.iter().map(sight).collect::<Vec<_>>(),
        });
        if !plan.hosts.is_empty() {
            plan_json["hosts"] = json!(plan.hosts);
        }
        plan_json
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_told_as_it_can_be_typed_again() {
        let parsed = |line: &str| {
            let all = ["bakeoff", "run"].into_iter().chain(line.split_whitespace());
            let matches = crate::cli::command().try_get_matches_from(all).unwrap();
            let (_, run) = matches.subcommand().unwrap();
            <Args as clap::FromArgMatches>::from_arg_matches(run).unwrap()
        };
        let args = parsed(
            "payment-memory --rate 90/min --contender null event-loop --duration 1500ms --smoke -q",
        );
        let words = args.words(&args.scenarios);
        assert_eq!(
            words.join(" "),
            "payment-memory --duration 1500ms --rate 1.5/s --contender null,event-loop --smoke"
        );
        assert_eq!(Args::of_words(&words).unwrap().words(&args.scenarios), words);
        let shard = parsed("payment-memory --shard 2/3 --order-seed 7").words(&[]);
        assert_eq!(shard, ["--shard", "2/3"]);
        let again = parsed(&words.join(" "));
        assert_eq!(again.words(&again.scenarios), words);
    }
}
