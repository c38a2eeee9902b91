//! `ledger.json`, `bakeoff.ledger/1`: what was said, and what a machine says of it.

use serde::{Deserialize, Serialize};

use super::{Fingerprint, Judgement, StatementVerdict, json};

/// The version that is written, and the only one that is read.
pub const LEDGER_SCHEMA: &str = "bakeoff.ledger/1";

/// A ledger of statements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ledger {
    /// [`LEDGER_SCHEMA`]
    pub schema: String,
    /// When it started, `2026-11-24T04:09:53Z`.
    pub started_utc: String,
    /// The machine and the build.
    pub fingerprint: Fingerprint,
    /// Every interval in it: 0.99.
    pub confidence: f64,
    /// What a budget took away from every scenario, in a sentence.
    pub note: Option<String>,
    /// What was asked, as words after `bakeoff run`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// One for each statement that a machine can test.
    pub rows: Vec<LedgerRow>,
    /// Claims of scenarios that no statement names.
    pub others: Vec<LedgerClaim>,
    /// Scenarios that were not run, and why.
    pub not_run: Vec<NotRun>,
    /// What was measured before this ledger began, or by another build, in a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Statements that no measurement settles.
    pub unsettled: Vec<String>,
    /// Stopped by a signal.
    pub interrupted: bool,
    /// What the program exits with: a refuted claim is no failure.
    pub exit_code: u8,
    /// The same statements in another run, on another day or machine; it has no second run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Box<Self>>,
}

impl Ledger {
    /// Puts another run of it beside this one.
    pub fn beside(self, second: Self) -> Self {
        Self { second: Some(Box::new(Self { second: None, ..second })), ..self }
    }

    /// The row of the same statement in the second run, if it was measured there.
    pub fn measured_again(&self, row: &LedgerRow) -> Option<&LedgerRow> {
        let rows = &self.second.as_ref()?.rows;
        rows.iter().find(|other| other.measured && other.statement == row.statement)
    }
}

/// A statement and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LedgerRow {
    /// Counted from 1.
    pub number: u32,
    /// Whose statement it is, `Java`; empty in ledgers of earlier versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub community: String,
    /// In our words.
    pub statement: String,
    /// By the claims that its wording needs.
    pub verdict: StatementVerdict,
    /// The figure behind it, or why there is none.
    pub figure: String,
    /// `Go 1.24 and Node.js 22`, `their scheduling shape in Rust (no GC, no JIT)` or `not measured`.
    pub tested_with: String,
    /// Any of the claims that it needs was judged.
    pub measured: bool,
    /// Those that the wording needs decide, the others stand beside it.
    pub claims: Vec<LedgerClaim>,
    /// Pictures, by their path from the ledger's folder.
    pub charts: Vec<String>,
}

/// A judged claim of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LedgerClaim {
    /// The scenario's name, and that of its folder beside the ledger.
    pub scenario: String,
    /// It decides its statement.
    pub decides: bool,
    /// What was found.
    pub judgement: Judgement,
}

/// A scenario that was not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotRun {
    /// Its name.
    pub scenario: String,
    /// In a sentence.
    pub why: String,
}

/// `ledger.json`.
pub fn ledger_json(ledger: &Ledger) -> String {
    json::pretty(ledger)
}

/// Reads a `ledger.json`.
///
/// # Errors
/// Where the text is no JSON or another schema's.
pub fn ledger_from(text: &str) -> Result<Ledger, String> {
    let ledger: Ledger = json::read(text)?;
    if ledger.schema == LEDGER_SCHEMA {
        Ok(ledger)
    } else {
        Err(format!("this is `{}`; this version reads `{LEDGER_SCHEMA}`", ledger.schema))
    }
}
