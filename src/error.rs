//! The one error type: what went wrong, what to do about it, and the exit code it means.

use std::fmt;

/// How a failure ends the program: its number is the exit code. What a verb found has codes of its own, in `exit.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A defect of bakeoff itself, or of the machine under it (1).
    Internal = 1,
    /// A flag, a scenario or a file that the user can fix (2).
    Usage = 2,
    /// A number was asked for and none that holds could be made (5).
    Invalid = 5,
    /// There is no baseline, or one that cannot be compared (6).
    Baseline = 6,
    /// A signal came first (130).
    Interrupted = 130,
}

/// A message that names its object, and where there is one the fix.
#[derive(Clone, Debug)]
pub struct Error {
    failure: Failure,
    message: String,
    help: Option<String>,
    rendered: bool,
    /// What a server under test wrote last, where it did this.
    by_contender: Option<String>,
    by_machine: bool,
}

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A defect of bakeoff or of the machine under it.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Failure::Internal, message)
    }

    /// A flag, a scenario or a file that the user can fix.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Failure::Usage, message)
    }

    /// No number that holds could be made.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Failure::Invalid, message)
    }

    /// A signal came first: nothing has failed.
    pub fn interrupted() -> Self {
        Self::new(Failure::Interrupted, "interrupted")
    }

    pub fn is_interrupt(&self) -> bool {
        self.failure == Failure::Interrupted
    }

    /// A message that is already a full report (a scenario error with its underlined source), shown as it is.
    pub fn rendered(message: impl Into<String>) -> Self {
        Self { rendered: true, ..Self::new(Failure::Usage, message) }
    }

    /// A failure of any kind.
    pub fn of(failure: Failure, message: impl Into<String>) -> Self {
        Self::new(failure, message)
    }

    fn new(failure: Failure, message: impl Into<String>) -> Self {
        Self {
            failure,
            message: message.into(),
            help: None,
            rendered: false,
            by_contender: None,
            by_machine: false,
        }
    }

    /// The same error with a sentence that says how to fix it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same error with one more sentence of help.
    #[must_use]
    pub fn and_help(mut self, more: &str) -> Self {
        self.help = Some(match self.help {
            Some(help) => format!("{help}\n  help: {more}"),
            None => more.to_owned(),
        });
        self
    }

    /// The same error, attributed to a server under test, with what it wrote last: it has lost, and the run continues.
    #[must_use]
    pub fn by_contender(mut self, wrote: impl Into<String>) -> Self {
        self.by_contender = Some(wrote.into());
        self
    }

    /// What a server under test wrote last, where it did this.
    pub fn contender_wrote(&self) -> Option<&str> {
        self.by_contender.as_deref()
    }

    /// The same error, attributed to the machine: the attempt may be repeated.
    #[must_use]
    pub fn by_machine(mut self) -> Self {
        self.by_machine = true;
        self
    }

    /// Whether the machine caused it.
    pub fn is_by_machine(&self) -> bool {
        self.by_machine
    }

    /// What went wrong, without the fix.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What went wrong and what to do about it, to be said in another form.
    pub fn parts(&self) -> (&str, Option<&str>) {
        (&self.message, self.help.as_deref())
    }

    pub fn exit_code(&self) -> u8 {
        self.failure as u8
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rendered {
            return f.write_str(&self.message);
        }
        write!(f, "error: {}", self.message)?;
        if let Some(wrote) = self.contender_wrote().filter(|wrote| !wrote.is_empty()) {
            write!(f, "; it wrote:\n{wrote}")?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Puts the object of a failed system call before its message: `cannot read a.toml: No such file or directory`.
pub trait Context<T> {
    /// An internal failure described by `what`.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
    /// A failure that the user can fix, described by `what`.
    fn usage(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| described(Failure::Internal, &what(), &error))
    }

    fn usage(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| described(Failure::Usage, &what(), &error))
    }
}

/// Apart from [`Context`], so that it is compiled once and not for every type of error and every closure.
fn described(failure: Failure, what: &str, error: &dyn fmt::Display) -> Error {
    Error::new(failure, format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_its_object_and_the_fix() {
        let error = Err::<(), _>("No such file").usage(|| "cannot read a.toml".into()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert_eq!(
            error.help("write one with `bakeoff init`").to_string(),
            "error: cannot read a.toml: No such file\n  help: write one with `bakeoff init`"
        );
        let both = Error::usage("no").help("first").and_help("second").to_string();
        assert_eq!(both, "error: no\n  help: first\n  help: second", "none replaces another");
    }
}
