//! The time that a run may take. Nothing is started that would not end within it.

use std::time::{Duration, Instant};

use crate::units::Nanos;

/// An instant that a run should have ended by, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budget {
    until: Option<Instant>,
}

impl Budget {
    /// So much time from now on; without limit where there is none.
    pub(crate) fn of(time: Option<Nanos>) -> Self {
        Self { until: time.map(|time| Instant::now() + Duration::from(time)) }
    }

    /// Whether what takes so long ends within it.
    pub(crate) fn allows(&self, next: Nanos) -> bool {
        self.until.is_none_or(|until| Instant::now() + Duration::from(next) <= until)
    }

    /// What is left of it; nothing where there is no limit.
    pub(crate) fn left(&self) -> Option<Nanos> {
        let until = self.until?;
        Some(Nanos::from(until.saturating_duration_since(Instant::now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_later_is_not_allowed() {
        let minute = Nanos(60 * Nanos::SECOND.0);
        assert!(Budget::of(None).allows(Nanos(1_000 * minute.0)));
        let budget = Budget::of(Some(minute));
        assert!(budget.allows(Nanos::SECOND) && !budget.allows(minute + Nanos::SECOND));
        assert!(budget.left().is_some_and(|left| left <= minute));
    }
}
