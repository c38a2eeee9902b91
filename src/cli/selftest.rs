//! `bakeoff selftest`, and the server of known times that it starts.

use std::sync::atomic::Ordering;

use super::flags::{Output, Parent};
use super::{Format, print};
use crate::error::Result;
use crate::report::document::{Document, Element, Table};
use crate::report::markdown::write_markdown;
use crate::report::terminal::write_text;
use crate::run::selftest::server::{self, Law};
use crate::run::selftest::{self, Report, Row, Verdict};
use crate::{exit, interrupt};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff selftest                       known stalls, queues and delays; A/A; the canary
  bakeoff selftest --quick -q --format json

Exit codes: 0 everything is as expected, 1 internal error, 5 a check failed or is undecided, 130 interrupted")]
pub(crate) struct Args {
    /// Fewer and shorter checks, for CI
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    output: Output,
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
        let say = |what: &str| self.output.quiet.say(format_args!("selftest: {what}"));
        let report = selftest::run(self.quick, &say, &stop)?;
        print(&match self.output.format {
            Format::Text => write_text(&document(&report), false),
            Format::Markdown => write_markdown(&document(&report)),
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

fn document(report: &Report) -> Document<'static> {
    let what = match report.verdict() {
        _ if report.interrupted.is_some() => "no verdict",
        Verdict::Holds => "everything is as expected",
        Verdict::Fails => "a figure is not as expected: do not trust results of this build here",
        Verdict::Undecided => "machine noise hides some figures; no check failed",
    };
    let row = |row: &Row| {
        let verdict = row.verdict.name().to_owned();
        [
            row.check.to_owned(),
            row.what.clone(),
            row.expected.clone(),
            row.measured.clone(),
            verdict,
        ]
    };
    let columns = ["check", "figure", "expected", "measured", "verdict"];
    let mut document = Document {
        title: "bakeoff selftest".into(),
        answer: vec![format!("{} in {}: {what}", ending(report), report.took)],
        blocks: vec![Element::Table(Table::new("", columns, 0..0, report.rows.iter().map(row)))],
        ..Document::default()
    };
    let open = report.rows.iter().filter_map(|row| {
        let needs = row.needs.as_ref()?;
        Some(format!("undecided: {}, {}: needs {needs}", row.check, row.what))
    });
    document.add_list("", open.collect());
    document
}

/// `holds`, or `interrupted, 3 of 12 checks done`
fn ending(report: &Report) -> String {
    match report.interrupted {
        Some((done, all)) => format!("interrupted, {done} of {all} checks done"),
        None => report.verdict().name().to_owned(),
    }
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
        "verdict": match report.interrupted {
            Some(_) => "interrupted".to_owned(),
            None => report.verdict().name().to_lowercase(),
        },
        "took_ns": report.took.0,
        "checks": rows.collect::<Vec<_>>(),
    });
    format!("{report:#}\n")
}
