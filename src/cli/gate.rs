//! `bakeoff gate`

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::flags::{Blocks, Execution, Out, Output};
use crate::cli::{Format, flags, print};
use crate::error::{Context, Error, Result};
use crate::exit;
use crate::files;
use crate::interrupt;
use crate::record::gate::{GateResult, Purpose, to_json};
use crate::report::gate::ci::{annotations, outputs};
use crate::report::gate::shown;
use crate::run::ReportFolder;
use crate::run::gate::selftest::{Check, selftest};
use crate::run::gate::{self, Ended, GateRequest, Pair};
use crate::scenario::{Gate, Level, Scenario};
use crate::units::{Nanos, Rate};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff gate my.toml --baseline base --candidate head       two contenders of a scenario
  bakeoff gate payment-memory --baseline-bin old/bakeoff --candidate-bin new/bakeoff
  bakeoff gate my.toml --calibrate                            measure what can be detected here, for the history
  bakeoff gate --self-test                                    detects a planted regression, no false alarm

In every round both builds are started again, in randomized order. A stored baseline from another day would not be
comparable. docs/gate.md says which metric detects what and how to choose margins.

Under GitHub Actions the verdict also goes to the step's summary, outputs and annotations.

Exit codes: 0 pass, or inconclusive with on_inconclusive = \"warn\"; 1 internal error; 2 bad scenario or flag;
3 regressed; 4 inconclusive with \"fail\", or a required metric could not be gated; 5 invalid; 130 interrupted")]
pub(crate) struct Args {
    /// A file, or the name of a built-in scenario
    #[arg(value_name = "SCENARIO", required_unless_present = "self_test")]
    scenario: Option<String>,
    /// The contender in use [default: the first of the scenario's two]
    #[arg(long, value_name = "NAME", conflicts_with = "baseline_bin")]
    baseline: Option<String>,
    /// The contender that replaces it [default: the other one]
    #[arg(long, value_name = "NAME", conflicts_with = "candidate_bin")]
    candidate: Option<String>,
    /// A build of bakeoff that serves the scenario's [gate] contender
    #[arg(long, value_name = "FILE")]
    baseline_bin: Option<PathBuf>,
    /// The build that replaces it
    #[arg(long, value_name = "FILE", requires = "baseline_bin")]
    candidate_bin: Option<PathBuf>,
    /// Time limit, e.g. 6m: sets the maximum number of rounds, 12 to 40, and shorter blocks if the scenario's do not fit.
    /// The minimum of 12 rounds takes about 90 s for a model of bakeoff and 3m for a server of 500/s [default: the
    /// scenario's, else enough for 40 rounds]
    #[arg(long, value_name = "TIME", env = "BAKEOFF_BUDGET")]
    budget: Option<Nanos>,
    /// The load of both, e.g. 4000/s [default: [gate] rate, else 60 % of the baseline's maximum throughput, and less if
    /// that nearly saturates it; the experiment's `rates` are for run]
    #[arg(long, value_name = "RATE", env = "BAKEOFF_RATE")]
    rate: Option<Rate>,
    #[command(flatten)]
    blocks: Blocks,
    /// Fail only if a regression is shown to exceed the margin, not only zero
    #[arg(long)]
    prove_margin: bool,
    /// Fail on occasional large slowdowns even if the median is unchanged
    #[arg(long)]
    fail_intermittent: bool,
    /// After a regression in CPU time or p50, also run 12 profiled rounds, beyond the budget, and name the function that
    /// grew; the verdict and the exit code stay as they are
    #[arg(long, conflicts_with_all = ["calibrate", "self_test"])]
    why: bool,
    /// Run the baseline against itself and store how much rounds vary on this machine
    #[arg(long, conflicts_with_all = ["candidate", "candidate_bin", "self_test"])]
    calibrate: bool,
    /// Run two gates whose verdict is known: a build against itself, and against one with a busy loop
    #[arg(long, conflicts_with_all = ["scenario", "baseline", "candidate", "baseline_bin", "calibrate"])]
    self_test: bool,
    /// Make --self-test shorter, for CI
    #[arg(long, requires = "self_test")]
    quick: bool,
    /// File with one line per gate; the next gate reads there how much rounds vary on this machine
    #[arg(
        long,
        value_name = "FILE",
        env = "BAKEOFF_HISTORY",
        default_value = "reports/gate/history.jsonl"
    )]
    history: PathBuf,
    #[command(flatten)]
    out: Out,
    /// The candidate's commit, for the history
    #[arg(long, value_name = "SHA", env = "GITHUB_SHA")]
    commit: Option<String>,
    #[command(flatten)]
    execution: Execution,
    /// Also print how each metric was judged, and which regression would be detected
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        let stop = interrupt::listen()?;
        if self.self_test {
            return self.self_test(&stop);
        }
        let mut request = self.request()?;
        let folder = self.claim(&request.scenario.name)?;
        request.out = folder.path().to_owned();
        if !self.calibrate {
            github_files().try_for_each(|(variable, path)| opened(variable, &path).map(drop))?;
        }
        let ended = gate::run(&request, &mut self.output.progress(), &stop)?;
        let Ended { result, mut unwritten } = ended;
        unwritten.extend(print(&self.shown(&result, &request.out)).err());
        if !self.calibrate {
            unwritten.extend(tell_github(&result));
        }
        for error in &unwritten {
            let _ = writeln!(anstream::stderr(), "{error}");
        }
        Ok(match (exit_code(&result, &stop), unwritten.first()) {
            (exit::OK, Some(error)) => error.exit_code(),
            (verdict, _) => verdict,
        })
    }

    fn request(&self) -> Result<GateRequest> {
        let name = self.scenario.as_deref().expect("clap requires it");
        let scenario = self.blocks.of(name, "a gate")?;
        let gate = self.gate(&scenario)?;
        let pair = self.pair(&scenario, &gate)?;
        Ok(GateRequest {
            pair,
            gate,
            purpose: if self.calibrate { Purpose::Calibration } else { Purpose::Gate },
            prove_margin: self.prove_margin,
            fail_intermittent: self.fail_intermittent,
            commit: self.commit.clone(),
            order_seed: self.execution.order_seed,
            out: PathBuf::new(),
            history: Some(self.history.clone()),
            yes: self.execution.yes,
            why: self.why,
            scenario,
        })
    }

    fn gate(&self, scenario: &Scenario) -> Result<Gate> {
        let mut gate = scenario.gate.clone().unwrap_or_else(|| Gate::usual(&scenario.mix));
        gate.budget = self.budget.or(gate.budget);
        if let Some(rate) = self.rate {
            gate.rate = Level::Rate(rate);
        }
        Ok(gate)
    }

    fn pair(&self, scenario: &Scenario, gate: &Gate) -> Result<Pair> {
        let named = || (self.baseline.as_deref(), self.candidate.as_deref());
        match (&self.baseline_bin, &self.candidate_bin) {
            (Some(baseline), _) if self.calibrate => {
                let pair = Pair::of_binaries(scenario, gate, baseline, baseline)?;
                Ok(Pair::same(&pair.baseline))
            }
            (Some(baseline), Some(candidate)) => {
                Pair::of_binaries(scenario, gate, baseline, candidate)
            }
            (Some(_), None) => Err(Error::usage("--baseline-bin without --candidate-bin")
                .help("a gate compares two builds; --calibrate needs the baseline alone")),
            (None, _) if self.calibrate => {
                let first = &scenario.contenders[0].name;
                let name = self.baseline.as_ref().or(gate.contender.as_ref()).unwrap_or(first);
                Ok(Pair::same(scenario.contender(name)?))
            }
            (None, _) => {
                let (baseline, candidate) = named();
                Pair::named(scenario, baseline, candidate)
            }
        }
    }

    fn claim(&self, name: &str) -> Result<ReportFolder> {
        self.out.claim(&Path::new("reports/gate").join(name))
    }

    fn shown(&self, result: &GateResult, out: &Path) -> String {
        let files = format!("Reasons: --verbose or {}", out.join("summary.md").display());
        match self.output.format {
            Format::Text => shown::text(result, Some(files), self.verbose),
            Format::Json => to_json(result) + "\n",
            Format::Markdown => shown::markdown(result),
        }
    }

    fn self_test(&self, stop: &AtomicBool) -> Result<u8> {
        let folder = self.claim("self-test")?;
        let checks = selftest(self.quick, folder.path(), || self.output.progress(), stop)?;
        print(&match self.output.format {
            Format::Json => {
                let gates = checks.iter().map(|check| to_json(&check.result));
                format!("[{}]\n", gates.collect::<Vec<_>>().join(","))
            }
            Format::Text | Format::Markdown => checks.iter().map(line).collect(),
        })?;
        Ok(match checks.iter().all(|check| check.holds == Some(true)) {
            _ if stop.load(Ordering::Relaxed) => exit::INTERRUPTED,
            true => exit::OK,
            false => exit::INVALID,
        })
    }
}

fn line(check: &Check) -> String {
    let holds = match check.holds {
        Some(true) => "holds",
        Some(false) => "FAILS",
        None => "undecided",
    };
    let Check { what, expected, result, .. } = check;
    format!("{holds}: {what} must be {expected}: {}\n", result.judgement.line)
}

/// A calibration has no verdict to fail by.
fn exit_code(result: &GateResult, stop: &AtomicBool) -> u8 {
    let all = result.judgement.rounds >= result.plan.rounds_max;
    match result.about.purpose {
        Purpose::Calibration if stop.load(Ordering::Relaxed) => exit::INTERRUPTED,
        Purpose::Gate => result.judgement.exit_code,
        Purpose::Calibration if all => exit::OK,
        Purpose::Calibration => exit::INVALID,
    }
}

/// Under GitHub Actions: the files for the step's summary and its outputs.
fn github_files() -> impl Iterator<Item = (&'static str, OsString)> {
    let variables = ["GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"].into_iter();
    variables.filter_map(|variable| Some((variable, flags::variable(variable)?)))
}

fn opened(variable: &str, path: &OsStr) -> Result<File> {
    let file = files::opened(File::options().append(true).create(true), path.as_ref());
    file.usage(|| refused(variable, path))
}

fn refused(variable: &str, path: &OsStr) -> String {
    format!("cannot write to ${variable}, {}", path.display())
}

/// Writes the step's summary, its outputs and its annotations; gives what could not be written.
fn tell_github(result: &GateResult) -> Vec<Error> {
    let write = |(variable, path): (&str, OsString)| -> Result<()> {
        let text = match variable {
            "GITHUB_OUTPUT" => outputs(result),
            _ => shown::markdown(result),
        };
        let written = opened(variable, &path)?.write_all(text.as_bytes());
        written.usage(|| refused(variable, &path))
    };
    let unwritten = github_files().filter_map(|file| write(file).err()).collect();
    if flags::variable("GITHUB_ACTIONS").is_some() {
        // The runner reads commands on stderr too, and stdout may be a file of JSON.
        anstream::eprint!("{}", annotations(result));
    }
    unwritten
}
