//! A request that cannot be sent, and why.

use crate::error::Error;

/// What cannot be sent, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRequest {
    pub what: String,
    pub help: Option<String>,
}

impl InvalidRequest {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: None }
    }

    /// The same with a sentence on what to write.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// As an error of whoever gave it.
    pub(crate) fn into_error(self) -> Error {
        let error = Error::usage(self.what);
        match self.help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}
