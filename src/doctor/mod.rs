//! Is this machine fit to measure? What was found, why it matters, and the command that fixes it. Changes nothing.
//!
//! Each check is a function of figures that were read, and reading is apart from it, so that every finding has a test.

mod cores;
mod limits;
mod time;

use crate::database::programs;
use crate::error::Result;

#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was looked at, two words at most.
    pub check: &'static str,
    pub state: State,
    /// What was found, with its unit.
    pub found: String,
    /// Why it matters to a measurement.
    pub why: &'static str,
    /// A command, or a sentence, that fixes it; where there is something to fix.
    pub mend: Option<String>,
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Fine,
    /// Figures are better once it is fixed.
    Mend,
    /// The machine does not say.
    Unknown,
}

impl State {
    /// As reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Mend => "mend",
            Self::Unknown => "unknown",
        }
    }
}

/// Looks at everything, in about four seconds.
///
/// # Errors
/// When the affinity mask cannot be read or set, or a thread cannot have the timer slack of the generator.
pub fn examine() -> Result<Vec<Finding>> {
    let cores = crate::machine::cores::allowed()?;
    let mut findings = cores::look(&cores);
    findings.extend(time::look(&cores)?);
    findings.extend(limits::look());
    findings.extend(programs());
    Ok(findings)
}

impl Finding {
    /// Nothing to fix.
    fn fine(check: &'static str, found: impl Into<String>, why: &'static str) -> Self {
        Self { check, state: State::Fine, found: found.into(), why, mend: None }
    }

    /// Nothing to see.
    fn unknown(check: &'static str, found: impl Into<String>, why: &'static str) -> Self {
        Self { check, state: State::Unknown, found: found.into(), why, mend: None }
    }

    /// The same finding, if it is as it should be; else with what fixes it.
    fn unless(self, good: bool, mend: impl Into<String>) -> Self {
        if good { self } else { Self { state: State::Mend, mend: Some(mend.into()), ..self } }
    }
}

/// The trimmed text of a file of /proc or /sys; nothing where it is not there.
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The word in brackets: `always [madvise] never` is `madvise`.
fn chosen(text: &str) -> Option<&str> {
    text.split_once('[')?.1.split_once(']').map(|(word, _)| word)
}

/// Looks at this program and at what it may start.
pub(crate) fn programs() -> Vec<Finding> {
    let found = programs::find().map(|folder| folder.display().to_string());
    vec![build(cfg!(debug_assertions)), database(found)]
}

fn build(debug: bool) -> Finding {
    let why = "without optimisation the contenders are a few times slower, each by another factor";
    let found = if debug { "a debug build" } else { "a release build" };
    Finding::fine("this build", found, why)
        .unless(!debug, "cargo build --release, then target/release/bakeoff")
}

fn database(folder: Result<String>) -> Finding {
    let why =
        "only [store.postgres] with url = \"auto\" needs it: a throw-away server for each run";
    match folder {
        Ok(folder) => Finding::fine("PostgreSQL", folder, why),
        Err(error) => {
            let (message, help) = error.parts();
            Finding::fine("PostgreSQL", message, why)
                .unless(false, help.unwrap_or("apt-get install postgresql"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn every_check_says_why_and_only_what_is_to_be_mended_has_a_command() {
        let findings = examine().unwrap();
        for one in &findings {
            assert!(!one.found.is_empty() && one.why.len() > 20, "{one:?}");
            assert_eq!(one.mend.is_some(), one.state == State::Mend, "{one:?}");
        }
        let mut names: Vec<_> = findings.iter().map(|one| one.check).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), findings.len(), "a check has one row");
    }

    #[test]
    fn the_chosen_word_is_in_brackets() {
        assert_eq!(chosen("always [madvise] never"), Some("madvise"));
        assert_eq!(chosen("never"), None);
    }

    #[test]
    fn a_debug_build_and_a_missing_database_are_told() {
        assert_eq!((build(false).state, build(true).state), (State::Fine, State::Mend));
        assert_eq!(database(Ok("/usr/bin".into())).state, State::Fine);
        let missing = database(Err(Error::usage("not installed").help("apt-get install it")));
        assert_eq!(
            (missing.found.as_str(), missing.mend.unwrap().as_str()),
            ("not installed", "apt-get install it")
        );
    }
}
