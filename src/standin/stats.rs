//! What the stand-in says of itself: how late its answers were, how many there were, and the CPU time they took.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde_json::{Value, json};

use crate::clock;
use crate::sql::Statement;
use crate::units::Nanos;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatementKind {
    Statement(Statement),
    Other,
    /// A lookup over HTTP.
    Upstream,
}

const OTHER: usize = Statement::ALL.len();
const UPSTREAM: usize = OTHER + 1;
const KINDS: usize = UPSTREAM + 1;

/// An answer that is later counts as late as this: a minute, after which no trial is worth anything.
const ERROR_MAX: Nanos = Nanos(60_000_000_000);

/// Counters and one histogram, all since the window's start.
#[derive(Debug)]
pub(super) struct Stats {
    /// From the instant that was due to the write of the answer, in nanoseconds, to three digits.
    error: Histogram<u64>,
    counts: [u64; KINDS],
    /// CPU time of the thread when the window started.
    cpu_at_start: Nanos,
    /// When the answers were due that the next write carries.
    due: Vec<Nanos>,
}

impl Stats {
    pub(super) fn new() -> Self {
        Self {
            error: Histogram::new_with_max(ERROR_MAX.0, 3).expect("the bounds are in order"),
            counts: [0; KINDS],
            cpu_at_start: Nanos(0),
            due: Vec::new(),
        }
    }

    /// Everything counts from here.
    pub(super) fn start_window(&mut self) {
        self.error.reset();
        self.counts = [0; KINDS];
        self.cpu_at_start = clock::thread_cpu();
    }

    pub(super) fn count(&mut self, kind: StatementKind) {
        self.counts[match kind {
            StatementKind::Statement(statement) => statement as usize,
            StatementKind::Other => OTHER,
            StatementKind::Upstream => UPSTREAM,
        }] += 1;
    }

    /// The answer that was due at `due` goes out with the next write.
    pub(super) fn answers(&mut self, due: Nanos) {
        self.due.push(due);
    }

    /// Whether the next write carries an answer whose time is taken.
    pub(super) fn awaits_write(&self) -> bool {
        !self.due.is_empty()
    }

    /// The answers have been written by `now`.
    pub(super) fn written(&mut self, now: Nanos) {
        for due in self.due.drain(..) {
            self.error.saturating_record(now.saturating_sub(due).0);
        }
    }

    /// As `GET /stats` gives it.
    pub(super) fn json(&self, connections: usize) -> Value {
        let mut names: Vec<_> = Statement::ALL.into_iter().map(Statement::name).collect();
        names.extend(["other", "upstream"]);
        let counts = names.into_iter().zip(self.counts);
        let counts: serde_json::Map<_, _> =
            counts.map(|(name, count)| (name.to_owned(), count.into())).collect();
        let mut bytes = Vec::new();
        let written = V2DeflateSerializer::new().serialize(&self.error, &mut bytes);
        written.expect("a histogram in memory is always written");
        json!({
            "latency_error_ns": BASE64_STANDARD.encode(bytes),
            "statements": counts,
            "cpu_ns": clock::thread_cpu().saturating_sub(self.cpu_at_start).0,
            "connections": connections,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::Deserializer;

    #[test]
    fn errors_and_counts_are_given_since_the_windows_start() {
        let mut stats = Stats::new();
        for round in 0..2 {
            stats.count(StatementKind::Statement(Statement::Capture));
            stats.count(StatementKind::Upstream);
            stats.answers(Nanos(1_000));
            stats.answers(Nanos(2_000));
            assert!(stats.awaits_write());
            stats.written(Nanos(5_002_000));
            assert!(!stats.awaits_write());
            let json = stats.json(3);
            assert_eq!(json["statements"]["capture"], 1);
            assert_eq!(json["statements"]["upstream"], 1);
            assert_eq!(
                (&json["statements"]["other"], &json["connections"]),
                (&json!(0), &json!(3))
            );
            let bytes = BASE64_STANDARD.decode(json["latency_error_ns"].as_str().unwrap()).unwrap();
            let error: Histogram<u64> =
                Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
            assert_eq!(error.len(), 2, "round {round}");
            // Beyond the first bucket of a histogram, which is where one without a bound stays.
            let five_ms = 4_990_000..=5_010_000;
            assert!(five_ms.contains(&error.min()) && five_ms.contains(&error.max()), "{error:?}");
            stats.start_window();
            assert_eq!(stats.json(3)["statements"]["capture"], 0);
        }
    }

    #[test]
    fn a_statement_is_its_place_in_the_list() {
        for (at, statement) in Statement::ALL.into_iter().enumerate() {
            assert_eq!(statement as usize, at);
        }
    }
}
