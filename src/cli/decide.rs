//! `bakeoff decide`

use std::path::{Path, PathBuf};

use crate::cli::out::Out;
use crate::cli::quiet::Quiet;
use crate::cli::{Format, print};
use crate::error::Result;
use crate::interrupt;
use crate::latency::Latency;
use crate::record::decision_json;
use crate::report::decision::{markdown, text};
use crate::report::write::write_report;
use crate::run::{Extras, Progress, Question, decide};
use crate::units::{Nanos, Rate};

/// Flags of `decide`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff decide --cpu 300us --wait p50=2ms,p99=9ms --rate 1500/s --slo p99=100ms --pool 50
  bakeoff decide --cpu 2ms --lookups 0 --rate 200/s --slo p99=50ms      nothing is waited for

It takes about 4 minutes, and under --budget at least about 2: then a budget that is too short is refused, with the least
one. What was measured is kept in a folder, for `bakeoff report` and `bakeoff chart`.

Exit codes: 0 answered, 1 internal error, 2 cannot be asked, 3 no model keeps the SLO, 130 interrupted")]
pub(crate) struct Args {
    /// CPU time of a request, e.g. 300us
    #[arg(long, value_name = "TIME")]
    cpu: Nanos,
    /// What a lookup takes: 2ms, uniform=1ms..3ms, or p50=2ms,p99=9ms
    #[arg(long, value_name = "LAW", default_value = "0ms")]
    wait: Latency,
    /// Lookups of a request, asked at once: 3, or 0 for state in memory
    #[arg(long, value_name = "N", default_value_t = 3)]
    lookups: u32,
    /// Requests that come, e.g. 1500/s
    #[arg(long, value_name = "RATE")]
    rate: Rate,
    /// What is promised: p99=100ms
    #[arg(long, value_name = "PROMISE", value_parser = promise)]
    slo: Nanos,
    /// Cores of the service [default: half of the machine's]
    #[arg(long, value_name = "N")]
    cores: Option<usize>,
    /// Connections to its database
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=8192))]
    pool: u32,
    /// Write the scenario that is measured, to run it again
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Overwrite the file of --save, and delete the report that is in --out
    #[arg(long)]
    force: bool,
    /// The time that it may take, e.g. 10m: neighbours that would end later are left out, and what is left after the answer
    /// goes into the capacity of each model
    #[arg(long, value_name = "TIME")]
    budget: Option<Nanos>,
    /// The report's folder [default: reports/decide/UTC-TIME]
    #[arg(long, value_name = "DIR", env = "BAKEOFF_OUT")]
    out: Option<PathBuf>,
    #[command(flatten)]
    quiet: Quiet,
    /// How the answer is written to stdout
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    /// Gives the exit code.
    pub(crate) fn run(self) -> Result<u8> {
        let nothing = self.wait == Latency::ZERO;
        let question = Question {
            cpu: self.cpu,
            lookups: if nothing { 0 } else { self.lookups },
            wait: self.wait,
            rate: self.rate,
            slo: self.slo,
            cores: self.cores,
            pool: self.pool as usize,
        };
        let extras = Extras { budget: self.budget, save: self.save, force: self.force };
        let stop = interrupt::listen()?;
        let folder = Out { out: self.out, force: self.force }.claim(Path::new("reports/decide"))?;
        let answer = decide(&question, &extras, &mut Progress::new(self.quiet.quiet), &stop)?;
        let decision = answer.decision;
        // The answer is told whatever cannot be written.
        let write = |result| folder.clean().and_then(|()| write_report(folder.path(), result));
        let written = answer.result.as_ref().map(write);
        let kept = match &written {
            Some(Ok(())) => format!("\nFiles: {}\n", folder.path().display()),
            _ => String::new(),
        };
        print(&match self.format {
            Format::Text => text(&decision) + &kept,
            Format::Json => decision_json(&decision) + "\n",
            Format::Markdown => markdown(&decision),
        })?;
        written.transpose()?;
        Ok(decision.exit_code)
    }
}

/// `p99=100ms`
fn promise(text: &str) -> std::result::Result<Nanos, String> {
    let example = "write it as p99=100ms";
    match text.split_once('=') {
        Some(("p99", bound)) => bound.parse(),
        Some((name, _)) => Err(format!("`{name}` is not promised here; {example}")),
        None => Err(format!("`{text}` is no promise; {example}")),
    }
}
