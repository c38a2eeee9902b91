//! `bakeoff decide`

use std::path::{Path, PathBuf};

use crate::cli::flags::{Out, Output};
use crate::cli::{Format, print};
use crate::error::Result;
use crate::interrupt;
use crate::latency::Latency;
use crate::record::json;
use crate::report::decision::{markdown, text};
use crate::report::write::write_report;
use crate::run::{Extras, Question, decide};
use crate::units::{Nanos, Rate};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff decide --cpu 300us --wait p50=2ms,p99=9ms --rate 1500/s --slo p99=100ms --pool 50
  bakeoff decide --cpu 2ms --lookups 0 --rate 200/s --slo p99=50ms      a service without a database

It takes about 5 minutes, with --budget at least about 2; a shorter budget is an error that states the minimum.
The measurements are kept in a folder, for `bakeoff report` and `bakeoff chart`.

Exit codes: 0 answered, 1 internal error, 2 bad flag, 3 no model meets the SLO, 130 interrupted")]
pub(crate) struct Args {
    /// CPU time of a request, e.g. 300us
    #[arg(long, value_name = "TIME")]
    cpu: Nanos,
    /// Latency of a lookup: 2ms, uniform=1ms..3ms, or p50=2ms,p99=9ms
    #[arg(long, value_name = "LATENCY", default_value = "0ms")]
    wait: Latency,
    /// Concurrent lookups per request; 0 for state in memory
    #[arg(long, value_name = "N", default_value_t = 3)]
    lookups: u32,
    /// Arrival rate, e.g. 1500/s
    #[arg(long, value_name = "RATE")]
    rate: Rate,
    /// The objective: p99=100ms
    #[arg(long, value_name = "OBJECTIVE", value_parser = promise)]
    slo: Nanos,
    /// Cores of the service [default: half of the machine's]
    #[arg(long, value_name = "N")]
    cores: Option<usize>,
    /// Connections to its database
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=8192))]
    pool: u32,
    /// Write the measured scenario to this file, to run it again
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Overwrite the file of --save, and delete the report that is in --out
    #[arg(long)]
    force: bool,
    /// Time limit, e.g. 10m: neighbouring settings that do not fit are left out; time that remains is used to measure
    /// each model's capacity
    #[arg(long, value_name = "TIME")]
    budget: Option<Nanos>,
    /// The report's folder [default: reports/decide/UTC-TIME]
    #[arg(long, value_name = "DIR", env = "BAKEOFF_OUT")]
    out: Option<PathBuf>,
    /// Also print what would change the answer, and the limits computed before measuring
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    output: Output,
}

impl Args {
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
        let answer = decide(&question, &extras, &mut self.output.progress(), &stop)?;
        let decision = answer.decision;
        // The answer is printed even if the report cannot be written.
        let write = |result| folder.clean().and_then(|()| write_report(folder.path(), result));
        let written = answer.result.as_ref().map(write);
        let kept = matches!(written, Some(Ok(())));
        let kept = kept.then(|| format!("Report: {}", folder.path().join("index.html").display()));
        print(&match self.output.format {
            Format::Text => text(&decision, kept, self.verbose),
            Format::Json => json::pretty(&decision) + "\n",
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
        Some((name, _)) => Err(format!("`{name}` is not supported here; {example}")),
        None => Err(format!("`{text}` is not an objective; {example}")),
    }
}
