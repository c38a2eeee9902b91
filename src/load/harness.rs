//! What `benches/generator.rs` measures and `fuzz/` feeds. No part of the interface.

use super::answer::Reader;
use super::check::Acknowledged;
use super::plan::Arrivals;
use super::profile::Profile;
use super::recorder::{Recorder, Scope};
use super::schedule::Schedule;
use crate::load::connection::Instants;
use crate::units::{Nanos, Rate};

/// Makes a schedule and walks over all of it. Gives the number of arrivals and their last instant.
pub fn walk_schedule(round: u32, rate: Rate, arrivals: Arrivals, span: Nanos) -> (u64, Nanos) {
    let schedule = Schedule::new(42, round, Profile::Steady(rate), arrivals, span);
    let (mut cursor, mut count, mut last) = (schedule.part(0, 1), 0, Nanos(0));
    while let Some((_, intended)) = cursor.peek() {
        (count, last) = (count + 1, intended);
        cursor.advance();
    }
    (count, last)
}

/// The recorder of one thread, with one request kind.
#[derive(Debug)]
pub struct Record(Recorder);

impl Record {
    /// Records whatever is intended in the first twenty seconds.
    #[expect(clippy::new_without_default, reason = "a recorder has no default")]
    pub fn new() -> Self {
        let window = Nanos(0)..Nanos(20_000_000_000);
        let scope =
            Scope { closed: false, timeout: Nanos::SECOND, objective: None, timeline: false };
        Self(Recorder::new(["payment"], window, scope))
    }

    /// A right answer that took `service_ns` and was sent 3 us late; of those that come every 50 us, one read in a hundred
    /// is timed.
    pub fn success(&mut self, intended: Nanos, service: Nanos) {
        let woken = intended + Nanos(3_000);
        let done = woken + service;
        let (acquired, written) = (woken, woken);
        let (first_byte, received) = (done, done);
        let paused = Nanos(0);
        let at =
            Instants { intended, woken, acquired, written, first_byte, received, done, paused };
        self.0.success(0, &at, Acknowledged::Payment { amount_minor: 1, fee_minor: 1 });
        if (intended.0 / 50_000).is_multiple_of(100) {
            self.0.timed(0, &at, Nanos(5_000));
        }
    }

    pub fn requests(self) -> u64 {
        self.0.into_parts().0.iter().map(|kind| kind.requests).sum()
    }
}

/// Reads `bytes` as answers, whole and in pieces of `piece` bytes.
///
/// # Panics
/// When the two do not agree, or the reader has a defect.
pub fn read_answers(bytes: &[u8], piece: usize, head_request: bool) {
    let whole = first_answer(std::iter::once(bytes), head_request);
    let pieces = first_answer(bytes.chunks(piece), head_request);
    // In pieces an answer is taken when it is whole; in one read what follows it is seen and refused.
    if let (Some(whole), Some(pieces)) = (&whole, &pieces) {
        assert_eq!(whole, pieces);
    }
}

/// The status and the length of the body of the first answer; nothing where there is none.
fn first_answer<'a>(
    reads: impl Iterator<Item = &'a [u8]>,
    head_request: bool,
) -> Option<(u16, usize)> {
    let mut reader = Reader::default();
    for read in reads {
        if let Some(answer) = reader.push(read, head_request).ok()? {
            return Some((answer.status, answer.body.len().min(COMPARED)));
        }
    }
    let answer = reader.end().ok()?;
    Some((answer.status, answer.body.len().min(COMPARED)))
}

/// Of a long body in pieces only the beginning is kept.
const COMPARED: usize = 4 * 1024;
