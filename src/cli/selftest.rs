//! `bakeoff selftest`, and the server of known times that it starts.

use std::sync::atomic::Ordering;

use comfy_table::{Table, presets};

use super::flags::{Parent, Quiet};
use super::{Format, print};
use crate::error::Result;
use crate::run::selftest::server::{self, Law};
use crate::run::selftest::{self, Report, Verdict};
use crate::{exit, interrupt};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff selftest                       known stalls, queues and delays; A/A; the canary
  bakeoff selftest --quick -q --format json

Exit codes: 0 everything is as expected, 1 internal error, 5 a check failed or is undecided, 130 interrupted")]
pub(crate) struct Args {
    /// Shorter and with fewer queues, for CI
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    quiet: Quiet,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServerArgs {
    /// constant:TIME or exponential:TIME
    law: Law,
    #[command(flatten)]
    parent: Parent,
}

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        let stop = interrupt::listen()?;
        let say = |what: &str| self.quiet.say(format_args!("selftest: {what}"));
        let report = selftest::run(self.quick, &say, &stop)?;
        print(&match self.format {
            Format::Text => text(&report),
            Format::Markdown => markdown(&report),
            Format::Json => json(&report),
        })?;
        Ok(match report.verdict() {
            _ if stop.load(Ordering::Relaxed) => exit::INTERRUPTED,
            Verdict::Holds => exit::OK,
            Verdict::Fails | Verdict::Undecided => exit::INVALID,
        })
    }
}

impl ServerArgs {
    /// Serves until it is ended.
    pub(crate) fn run(self) -> Result<u8> {
        if !self.parent.is_there()? {
            return Ok(0);
        }
        server::serve(self.law)?;
        Ok(0)
    }
}

fn text(report: &Report) -> String {
    let mut table = table(report);
    table.load_style(presets::NOTHING);
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n\n{}\n", lines.join("\n"), closing(report))
}

fn markdown(report: &Report) -> String {
    let mut table = table(report);
    table.load_style(presets::ASCII_MARKDOWN);
    format!("### bakeoff selftest\n\n{table}\n\n{}\n", closing(report))
}

fn table(report: &Report) -> Table {
    let mut table = Table::new();
    table.set_header(["check", "figure", "expected", "measured", "verdict"]);
    for row in &report.rows {
        let verdict = row.verdict.name();
        table.add_row([row.check, &row.what, &row.expected, &row.measured, verdict]);
    }
    table
}

fn closing(report: &Report) -> String {
    let open = report.rows.iter().filter_map(|row| {
        let needs = row.needs.as_ref()?;
        Some(format!("undecided: {}, {}: needs {needs}\n", row.check, row.what))
    });
    let open: String = open.collect();
    let what = match report.verdict() {
        Verdict::Holds => "everything is as expected",
        Verdict::Fails => "a figure is not what it must be: trust no result of this build here",
        Verdict::Undecided => "what the machine did hides some figures; nothing else failed",
    };
    format!("{open}{} in {}: {what}", report.verdict().name(), report.took)
}

fn json(report: &Report) -> String {
    let rows = report.rows.iter().map(|row| {
        serde_json::json!({
            "check": row.check,
            "figure": row.what,
            "expected": row.expected,
            "measured": row.measured,
            "verdict": row.verdict.name().to_lowercase(),
            "needs": row.needs,
        })
    });
    let report = serde_json::json!({
        "schema": "bakeoff.selftest/1",
        "verdict": report.verdict().name().to_lowercase(),
        "took_ns": report.took.0,
        "checks": rows.collect::<Vec<_>>(),
    });
    format!("{report:#}\n")
}
