//! Everything that the sessions share: rows, ledger, dials and counters. It knows no socket.

use super::Settings;
use super::dial::Dial;
use super::ledger::Ledger;
use super::stats::Stats;
use crate::clock;
use crate::domain::dataset::Dataset;
use crate::random::Stream;
use crate::standin::step::Key;
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
    pub(super) connections: usize,
    /// Whose statements are to be given up.
    pub(super) cancels: Vec<Key>,
    /// What the monotonic clock lacks of the date.
    since_1970: Nanos,
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
            cancels: Vec::new(),
            since_1970: clock::realtime().saturating_sub(clock::now()),
        }
    }

    /// Has the monotonic clock begin at `date`.
    #[cfg(test)]
    pub(super) fn start_dates_at(&mut self, date: Nanos) {
        self.since_1970 = date;
    }

    /// What the date is at `now`, since 1970.
    pub(super) fn date(&self, now: Nanos) -> Nanos {
        self.since_1970 + now
    }

    /// The key of the connection that is the `accepted`th and has that place.
    pub(super) fn key(&self, place: usize, accepted: u32) -> Key {
        let secret = Stream::of(self.seed).child(2).at(accepted.into()) as u32;
        Key { id: place as u32 + 1, secret }
    }

    /// Counters and faults begin here; what the ledger holds stays.
    pub(super) fn start_window(&mut self, now: Nanos) {
        self.dial.start_window(now);
        self.stats.start_window();
    }
}
