//! `bakeoff doctor`

use std::fmt::Write;
use std::path::PathBuf;

use owo_colors::{OwoColorize, Style};
use serde_json::json;

use super::{Format, print};
use crate::doctor;
use crate::doctor::{Finding, State};
use crate::error::Result;
use crate::hosts::nodes;
use crate::report::terminal::wrapped;
use crate::scenario::Hosts;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff doctor
  bakeoff doctor --hosts hosts.toml   starts an agent on each host and looks from there
  bakeoff doctor --format json | jq '.checks[] | select(.state != \"fine\")'

It takes about four seconds and changes nothing: run the commands that it suggests yourself.

Exit codes: 0 checked, whatever the findings, 1 internal error, 2 no agent could be started on a host")]
pub(crate) struct Args {
    /// Check the hosts of this file instead of this machine
    #[arg(long, value_name = "FILE")]
    hosts: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        let findings = match &self.hosts {
            Some(file) => doctor::hosts::examine(&nodes::expand(Hosts::read(file)?)?)?,
            None => doctor::examine()?,
        };
        print(&match self.format {
            Format::Text => text(&findings),
            Format::Json => json(&findings),
            Format::Markdown => markdown(&findings),
        })?;
        Ok(0)
    }
}

/// A line for each check; why and how only where there is something to fix.
fn text(findings: &[Finding]) -> String {
    let mut out = String::new();
    for one in findings {
        let state = format!("{:<7}", one.state.name());
        let state = state.style(style(one.state));
        let _ = writeln!(out, "{state} {:<12} {}", one.check, one.found);
        if let Some(fix) = &one.fix {
            let _ = writeln!(out, "{}", wrapped(&format!("{INDENT}{}", one.why), INDENT));
            // In one piece, to be copied.
            let _ = writeln!(out, "{INDENT}-> {fix}");
        }
    }
    let _ = writeln!(out, "\n{}", closing(findings));
    out
}

const INDENT: &str = "        ";

fn style(state: State) -> Style {
    match state {
        State::Fine => Style::new().green(),
        State::Fix => Style::new().yellow().bold(),
        State::Unknown => Style::new().dimmed(),
    }
}

fn markdown(findings: &[Finding]) -> String {
    let mut out = "| check | state | found | why | fix |\n|---|---|---|---|---|\n".to_owned();
    for one in findings {
        let fix = one.fix.as_deref().map(|fix| format!("`{fix}`")).unwrap_or_default();
        let cells = [one.check, one.state.name(), &one.found, one.why, &fix];
        let _ = writeln!(out, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    let _ = writeln!(out, "\n{}", closing(findings));
    out
}

fn closing(findings: &[Finding]) -> String {
    match findings.iter().filter(|one| one.state == State::Fix).count() {
        0 => "Nothing to fix.".into(),
        1 => "One problem to fix; nothing was changed.".into(),
        n => format!("{n} problems to fix; nothing was changed."),
    }
}

fn json(findings: &[Finding]) -> String {
    let checks = findings.iter().map(|one| {
        json!({
            "check": one.check,
            "state": one.state.name(),
            "found": one.found,
            "why": one.why,
            "fix": one.fix,
        })
    });
    let report = json!({ "schema": "bakeoff.doctor/1", "checks": checks.collect::<Vec<_>>() });
    format!("{report:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        let why =
            "a core that changes its clock with the load makes the quiet contender the slow one";
        vec![
            Finding {
                check: "cores",
                state: State::Fine,
                found: "2 usable".into(),
                why,
                fix: None,
            },
            Finding {
                check: "governor",
                state: State::Fix,
                found: "powersave".into(),
                why,
                fix: Some("sudo cpupower frequency-set -g performance".into()),
            },
        ]
    }

    #[test]
    fn what_is_fine_takes_a_line_and_what_is_not_says_why_and_how() {
        let text = anstream::adapter::strip_str(&text(&findings())).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "fine    cores        2 usable");
        assert_eq!(lines[1], "fix     governor     powersave");
        assert_eq!(
            lines[2],
            "        a core that changes its clock with the load makes the quiet contender"
        );
        assert_eq!(lines[4], "        -> sudo cpupower frequency-set -g performance");
        assert_eq!(*lines.last().unwrap(), "One problem to fix; nothing was changed.");
    }

    #[test]
    fn the_other_formats_have_everything() {
        let report: serde_json::Value = serde_json::from_str(&json(&findings())).unwrap();
        assert_eq!(report["checks"][1]["state"], "fix");
        assert!(report["checks"][0]["fix"].is_null());
        let markdown = markdown(&findings());
        assert!(markdown.contains("| governor | fix | powersave | a core"), "{markdown}");
        assert!(markdown.contains("| `sudo cpupower frequency-set -g performance` |"));
    }
}
