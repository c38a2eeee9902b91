//! Everything that the sessions share: rows, ledger, dials and counters. It knows no socket.

use super::Settings;
use super::dial::Dial;
use super::ledger::Ledger;
use super::stats::Stats;
use crate::domain::dataset::Dataset;
use crate::units::Nanos;

/// The one state behind all connections.
#[derive(Debug)]
pub(super) struct World {
    pub(super) name: String,
    pub(super) seed: u64,
    pub(super) data: Dataset,
    pub(super) ledger: Ledger,
    pub(super) dial: Dial,
    pub(super) stats: Stats,
    /// Open connections.
    pub(super) connections: usize,
}

impl World {
    pub(super) fn new(settings: &Settings) -> Self {
        let data = Dataset::new(settings.seed);
        Self {
            name: settings.name.clone(),
            seed: settings.seed,
            data,
            ledger: Ledger::new(data),
            dial: Dial::new(settings),
            stats: Stats::new(),
            connections: 0,
        }
    }

    /// Counters and faults begin here; what the ledger holds stays.
    pub(super) fn start_window(&mut self, now: Nanos) {
        self.dial.start_window(now);
        self.stats.start_window();
    }
}
