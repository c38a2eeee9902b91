//! What PostgreSQL calls an error: a code of five characters (its manual's appendix A) and a message.

use std::borrow::Cow;

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SqlError {
    /// SQLSTATE.
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
    pub(super) hint: Option<Cow<'static, str>>,
}

impl SqlError {
    pub(super) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same with what would be right.
    pub(super) fn hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The client has broken the protocol; its connection is closed.
    pub(super) fn protocol(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("08P01", message)
    }

    /// A figure does not fit into its type.
    pub(super) fn out_of_range(kind: &str) -> Self {
        Self::new("22003", format!("{kind} out of range"))
    }
}
