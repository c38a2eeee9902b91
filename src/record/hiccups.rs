//! What the machine took from an idle core: data alone, so that judgements can rest on it.

use crate::stats::percentile::RANKS;
use crate::units::{Nanos, Share};

/// What one core lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hiccups {
    /// The longest pause.
    pub(crate) worst: Nanos,
    /// All pauses over the time watched.
    pub(crate) lost: Share,
    /// What the pauses alone make of each percentile of [`RANKS`]: by so much they put off a request that comes at any
    /// time and needs the core at once.
    pub(crate) floor: [Nanos; RANKS.len()],
}
