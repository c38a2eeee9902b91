//! Everything a report says, as text without a format: the terminal and Markdown print this and cannot disagree.

use super::comparison::families;
use super::experiments::grids;
use super::reasons::marks;
use super::reasons::{self, Reason};
use super::table::Table;
use super::{sentences, setting, sizes};
use crate::judge::races::races;
use crate::record::{Judgement, RunResult, Verdict};
use crate::report::format::Grid;
use crate::text::clean;

/// A run in words and figures.
pub(crate) struct Findings {
    /// `tour: Both services, all four models`
    pub(crate) title: String,
    /// Machine, placement, load and build: one line each.
    pub(crate) about: Vec<String>,
    /// Each at its best size, where sizes are swept.
    pub(crate) headline: Vec<Grid>,
    /// A table for each workload and level.
    pub(crate) tables: Vec<Table>,
    /// Capacities, and the map.
    pub(crate) grids: Vec<Grid>,
    /// Judged statements that decide the exit code.
    pub(crate) expectations: Vec<Judged>,
    /// Judged statements that do not.
    pub(crate) claims: Vec<Judged>,
    /// Sentences that a person can repeat.
    pub(crate) closing: Vec<String>,
    /// What those sentences do not say.
    pub(crate) limits: Vec<String>,
    /// Why trials are not valid.
    pub(crate) reasons: Vec<Reason>,
    /// Voided rounds, notes, rules that are not checked.
    pub(crate) remarks: Vec<String>,
    pub(crate) verdict: &'static str,
    /// What the verdict means, with the exit code.
    pub(crate) verdict_gloss: String,
}

/// A statement with what was found.
pub(crate) struct Judged {
    /// `holds`, `fails` or `inconclusive`
    pub(crate) verdict: &'static str,
    pub(crate) text: String,
    pub(crate) reason: String,
}

impl Findings {
    pub(crate) fn of(result: &RunResult) -> Self {
        let races = races(result);
        Self {
            title: format!("{}: {}", clean(&result.scenario), clean(&result.title)),
            about: setting::about(result, &races),
            headline: sizes::grids(result, &races),
            tables: races.iter().map(|race| Table::of(result, race)).collect(),
            grids: grids(result),
            expectations: result.expectations.iter().map(judged).collect(),
            claims: result.claims.iter().map(judged).collect(),
            closing: sentences::closing(result, &races),
            limits: sentences::limits(result),
            reasons: reasons::reasons(result, &races),
            remarks: remarks(result),
            verdict: result.verdict.word(),
            verdict_gloss: verdict_gloss(result),
        }
    }
}

fn judged(judgement: &Judgement) -> Judged {
    let mut reason = clean(&judgement.reason);
    if !judgement.tested_with.is_empty() {
        reason += &format!(" (tested with {})", clean(&judgement.tested_with));
    }
    Judged { verdict: judgement.verdict.word(), text: clean(&judgement.text), reason }
}

fn remarks(result: &RunResult) -> Vec<String> {
    let voided = result.voided_rounds as usize;
    let mut remarks = vec![match voided {
        0 => "Voided rounds: 0.".to_owned(),
        n => format!(
            "Voided rounds: {n}, invalidated by the machine or the load generator and repeated."
        ),
    }];
    remarks.extend(families(&result.comparisons));
    remarks.extend(result.notes.iter().map(|note| clean(note)));
    remarks.extend(marks(result));
    if !result.not_checked.is_empty() {
        let rules: Vec<String> = result.not_checked.iter().map(|rule| clean(rule)).collect();
        remarks.push(format!("Not checked: {}.", rules.join(", ")));
    }
    remarks
}

pub(super) fn verdict_gloss(result: &RunResult) -> String {
    let code = result.exit_code;
    let text = match (result.verdict, result.self_check) {
        (Verdict::Fail, true) => "the canary fails, as it must: the alarm rings",
        (Verdict::Pass, true) => "the canary did not fail: the alarm is broken",
        (Verdict::Pass, false) if result.expectations.is_empty() => {
            "nothing was expected of this run"
        }
        (Verdict::Pass, false) => "every expectation holds",
        (Verdict::Fail, false) if !result.broken.is_empty() => "a contender does not work",
        (Verdict::Fail, false) => "an expectation fails",
        (Verdict::Inconclusive, _) => "an expectation could not be decided",
        (Verdict::Invalid, _) => "a contender lacks valid rounds",
        (Verdict::Interrupted, _) => "stopped by a signal; what was finished is here",
    };
    format!("{text} (exit code {code})")
}
