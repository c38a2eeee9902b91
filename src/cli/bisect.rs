//! `bakeoff bisect`

use std::path::{Component, Path, PathBuf};

use crate::cli::flags::{Blocks, Execution, Output};
use crate::cli::{Format, flags, print};
use crate::error::{Error, Result};
use crate::exit;
use crate::interrupt;
use crate::random;
use crate::record::bisect::{Bisection, Build, SearchEnd};
use crate::record::json;
use crate::report::bisect::{markdown, text};
use crate::run::bisect::{BisectRequest, run};
use crate::run::host::commits;
use crate::run::{Claim, ReportFolder};
use crate::scenario::{Contender, Gate, GateMetric, Kind, Level, Scenario};
use crate::units::Rate;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff bisect my.toml --good v1.2 --bad main --build 'cargo build --release' --binary target/release/server
  bakeoff bisect my.toml --binaries builds/1 builds/2 builds/3 builds/4 --metric p99
  bakeoff bisect my.toml --good v1.2 --bad main --build make --binary server --plan
  bakeoff bisect my.toml --resume reports/bisect/my/2026-12-01T10-00-00Z --binaries builds/1 builds/2 builds/3

It compares the last version with the first, then versions in between, in rounds as a gate does. All versions are builds
of one contender: of bakeoff for a `model`, of its program for a `command`. Commits are those by first parents; each is
built once, in a worktree below the report's folder. docs/bisect.md says how it decides.

Exit codes: 0 found; 1 internal error; 2 bad scenario or flag; 4 a range of versions; 5 invalid, or the last version is
not clearly worse; 130 interrupted")]
pub(crate) struct Args {
    /// A file, or the name of a built-in scenario
    #[arg(value_name = "SCENARIO")]
    scenario: String,
    /// The last commit known to be good
    #[arg(long, value_name = "REV", requires_all = ["bad", "build", "binary"], conflicts_with = "binaries")]
    good: Option<String>,
    /// A later commit that is bad
    #[arg(long, value_name = "REV", requires = "good")]
    bad: Option<String>,
    /// Builds a commit, run by a shell in a worktree
    #[arg(long, value_name = "COMMAND", requires = "good")]
    build: Option<String>,
    /// The file that the build makes, by its path in the worktree
    #[arg(long, value_name = "FILE", requires = "good")]
    binary: Option<String>,
    /// The repository of the commits
    #[arg(long, value_name = "DIR", default_value = ".")]
    repository: PathBuf,
    /// Binaries in place of commits, a good one first and a bad one last
    #[arg(long, value_name = "FILE", num_args = 2.., required_unless_present = "good")]
    binaries: Vec<PathBuf>,
    /// What became worse: a metric of the scenario's [gate], such as p99 or 'p99 of charge'
    #[arg(long, value_name = "METRIC", default_value = "cpu_per_request")]
    metric: String,
    /// The contender of which the versions are builds [default: the [gate] contender, else the first]
    #[arg(long, value_name = "NAME")]
    contender: Option<String>,
    /// The load, e.g. 4000/s [default: [gate] rate, else 60 % of the first version's maximum throughput]
    #[arg(long, value_name = "RATE", env = "BAKEOFF_RATE")]
    rate: Option<Rate>,
    #[command(flatten)]
    blocks: Blocks,
    /// Print what it costs at most, and run nothing
    #[arg(long)]
    plan: bool,
    /// The report's folder, which must be empty or new [default: reports/bisect/NAME/UTC-TIME]
    #[arg(long, value_name = "DIR", env = "BAKEOFF_OUT")]
    out: Option<PathBuf>,
    /// Continue the search in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "plan"])]
    resume: Option<PathBuf>,
    #[command(flatten)]
    execution: Execution,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        let stop = interrupt::listen()?;
        let mut request = self.request()?;
        if self.plan {
            print(&(request.cost() + "\n"))?;
            return Ok(exit::OK);
        }
        let folder = self.claim(&request.scenario.name)?;
        request.out = folder.path().to_owned();
        let record = run(&request, &mut self.output.progress(), &stop)?;
        print(&match self.output.format {
            Format::Text => text(&record, format!("Report: {}", folder.path().display())),
            Format::Json => json::pretty(&record) + "\n",
            Format::Markdown => markdown(&record),
        })?;
        Ok(exit_code(&record))
    }

    fn request(&self) -> Result<BisectRequest> {
        let scenario = self.blocks.of(&self.scenario, "a search")?;
        let gate = self.gate(&scenario)?;
        let contender = self.contender(&scenario, &gate)?;
        let (versions, builds) = match (&self.good, &self.bad, &self.build, &self.binary) {
            (Some(good), Some(bad), Some(command), Some(binary)) => {
                let below = |part| matches!(part, Component::Normal(_) | Component::CurDir);
                if !Path::new(binary).components().all(below) {
                    let message =
                        format!("--binary: `{}` is not in the worktree", binary.escape_debug());
                    return Err(Error::usage(message)
                        .help("give its path from the top of the repository, without `..`"));
                }
                let build = Build { command: command.clone(), binary: binary.clone() };
                let commits = commits(&self.repository, good, bad)?;
                (commits, Some((self.repository.clone(), build)))
            }
            _ => (self.binaries.iter().map(|path| path.display().to_string()).collect(), None),
        };
        if versions.len() < 2 {
            return Err(Error::usage("a search needs at least two versions"));
        }
        Ok(BisectRequest {
            scenario,
            gate,
            contender,
            versions,
            builds,
            order_seed: self.execution.order_seed.unwrap_or_else(random::fresh_seed),
            out: PathBuf::new(),
            resume: self.resume.is_some(),
            yes: self.execution.yes,
        })
    }

    /// The scenario's gate, of the one metric.
    fn gate(&self, scenario: &Scenario) -> Result<Gate> {
        let gate = scenario.gate.clone().unwrap_or_else(|| Gate::usual(&scenario.mix));
        let named = |metric: &&GateMetric| {
            metric.to_string() == self.metric || metric.figure.name() == self.metric
        };
        let Some(metric) = gate.metrics.iter().find(named).cloned() else {
            let known: Vec<String> = gate.metrics.iter().map(ToString::to_string).collect();
            let message = format!("the gate of {} has no metric `{}`", scenario.name, self.metric);
            return Err(Error::usage(message).help(format!("it has {}", known.join(", "))));
        };
        let rate = self.rate.map_or(gate.rate, Level::Rate);
        Ok(Gate { metrics: vec![metric], rate, ..gate })
    }

    fn contender(&self, scenario: &Scenario, gate: &Gate) -> Result<Contender> {
        let contender = match self.contender.as_ref().or(gate.contender.as_ref()) {
            Some(name) => scenario.contender(name)?,
            None => &scenario.contenders[0],
        };
        match contender.kind {
            Kind::Url { .. } => Err(Error::usage(format!(
                "`{}` is given by URL, but a search starts its versions itself",
                contender.name
            ))
            .help("give it a `command`, or name another with --contender")),
            _ => Ok(contender.clone()),
        }
    }

    fn claim(&self, name: &str) -> Result<ReportFolder> {
        match (&self.resume, &self.out) {
            (Some(resume), _) => ReportFolder::claim(resume, Claim::Resumed),
            (None, Some(out)) => ReportFolder::claim(out, Claim::Empty),
            (None, None) => {
                let usual = Path::new("reports/bisect").join(name).join(flags::now());
                ReportFolder::claim(&usual, Claim::Fresh)
            }
        }
    }
}

fn exit_code(record: &Bisection) -> u8 {
    match record.found {
        Some(SearchEnd::Version(_)) => exit::OK,
        Some(SearchEnd::Range(..)) => exit::UNDECIDED,
        Some(SearchEnd::Nothing) | None => exit::INVALID,
    }
}
