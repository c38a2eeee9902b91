//! The invariants of the source, as tests: what is absent, who names whom, how alike the twins are.
//!
//! Each rule is a function of text with a test of its own on a small bad example, so that it cannot quietly stop
//! working. `ARCHITECTURE.md` says why the rules are there.

mod imports;
mod manifest;
mod size;
mod source;
mod twins;
mod words;

use std::fmt;

/// A line that breaks a rule.
#[derive(Debug, PartialEq)]
pub(crate) struct Breach {
    /// Relative to the crate, `src/domain/payment.rs`.
    pub(crate) file: String,
    /// From 1.
    pub(crate) line: usize,
    /// What is wrong with it.
    pub(crate) what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Fails with every breach on a line of its own.
pub(crate) fn expect_none(breaches: Vec<Breach>) {
    let lines = breaches.iter().map(|breach| format!("\n  {breach}")).collect::<String>();
    assert!(breaches.is_empty(), "{} breaches:{lines}", breaches.len());
}
