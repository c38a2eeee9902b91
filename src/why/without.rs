//! A build without a profiler.

use std::io;

use crate::record::WhyLevel;
use crate::why::Sampled;

/// What can be seen, and the setting that gives the next level.
pub(crate) fn level() -> (WhyLevel, Option<String>) {
    (WhyLevel::CountersOnly, Some("build with the default feature `why`".into()))
}

/// Samples nothing.
#[derive(Debug)]
pub(crate) struct Profiler;

impl Profiler {
    pub(crate) fn open(_level: WhyLevel) -> io::Result<Self> {
        Err(io::Error::other("this build has no profiler"))
    }

    pub(crate) fn begin(&self) {}

    pub(crate) fn end(&self) {}

    pub(crate) fn named(self, _others: &[u32]) -> Sampled {
        Sampled::default()
    }
}
