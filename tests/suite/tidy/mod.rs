//! The invariants of the source, as tests. `ARCHITECTURE.md` says why the rules are there.

mod files;
mod imports;
pub(crate) mod source;
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

/// All rules in one test, which parses the source once.
#[test]
fn the_source_keeps_its_rules() {
    let (tests, program): (Vec<_>, Vec<_>) = source::all().into_iter().partition(|it| it.is_test);
    let breaches = [
        imports::upwards(&program),
        imports::circles(&program),
        words::forbidden(&program),
        crate::documents::mannered(&program),
        twins::unlike(&program),
        files::long(&program),
        files::types(&program),
        files::misnamed(tests.iter().chain(&program)),
        files::unused(tests.iter().chain(&program)),
    ];
    expect_none(breaches.into_iter().flatten().collect());
}
