//! The flag by which a verb says nothing but its result.

use crate::text::harmless;

/// Flags of every verb that shows how far it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Quiet {
    /// No progress on stderr
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl Quiet {
    /// A sentence on stderr, unless it is to be quiet.
    pub(crate) fn say(&self, what: impl std::fmt::Display) {
        if !self.quiet {
            anstream::eprintln!("{}", harmless(&what.to_string()));
        }
    }
}
