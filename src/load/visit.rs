//! The sessions that a sending thread has under way: a visit is one of them.

use super::connection::Instants;
use super::mix::Turn;
use crate::units::Nanos;

/// All visits of a thread. A place is used again when its visit is over.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    places: Vec<Visit>,
    free: Vec<u32>,
}

/// One session under way, or over until its place is used again.
#[derive(Debug, Default)]
pub(crate) struct Visit {
    /// The step that is under way or due.
    pub(crate) turn: Turn,
    /// The steps that have come to an end, the last of them perhaps with a failure.
    pub(crate) past: Vec<Past>,
    /// What they have captured.
    pub(crate) values: Vec<Vec<u8>>,
}

/// A step that has come to its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Past {
    pub(crate) at: Instants,
    /// 0 where there was no answer.
    pub(crate) status: u16,
    /// How late its answer was read, where that was timed: in every step of a session or in none.
    pub(crate) receive_lag: Option<Nanos>,
    /// It was answered rightly, and was the first on its connection.
    pub(crate) first: bool,
}

impl Visits {
    /// Starts the session `k`; gives its place.
    pub(crate) fn begin(&mut self, k: u64, operation: usize) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Visit::default());
            self.places.len() as u32 - 1
        });
        let visit = &mut self.places[place as usize];
        visit.turn = Turn { k, operation, step: 0 };
        visit.past.clear();
        visit.values.clear();
        place
    }

    pub(crate) fn get(&self, place: u32) -> &Visit {
        &self.places[place as usize]
    }

    /// A step was answered rightly, or is the last; takes what it captured.
    pub(crate) fn passed(&mut self, place: u32, past: Past, values: &mut Vec<Vec<u8>>) -> &Visit {
        let visit = &mut self.places[place as usize];
        visit.turn.step += 1;
        visit.past.push(past);
        visit.values.append(values);
        visit
    }

    /// The session is over.
    pub(crate) fn end(&mut self, place: u32) -> &Visit {
        self.free.push(place);
        &self.places[place as usize]
    }

    /// What the first visit, which is over, has captured.
    pub(crate) fn into_values(mut self) -> Vec<Vec<u8>> {
        self.places.first_mut().map(|visit| std::mem::take(&mut visit.values)).unwrap_or_default()
    }
}

/// A session as one request: its parts are the sums of its steps' parts, and what its user thought is no part of it.
/// There is at least one step.
pub(crate) fn whole(past: &[Past]) -> Instants {
    let sum = |of: fn(&Instants) -> Nanos| Nanos(past.iter().map(|one| of(&one.at).0).sum());
    let (intended, done) = (past[0].at.intended, past[past.len() - 1].at.done);
    let decrypted = sum(|at| at.done - at.received);
    let woken = intended + sum(Instants::generator_lag) - decrypted;
    let acquired = woken + sum(Instants::backlog);
    let received = acquired + sum(Instants::service);
    let paused = (done - decrypted) - received;
    let (written, first_byte) = (acquired, received);
    Instants { intended, woken, acquired, written, first_byte, received, done, paused }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_the_sum_of_its_steps_without_the_pauses() {
        let step = |intended: u64| {
            let at = |after: u64| Nanos(intended + after);
            let (woken, acquired, written) = (at(3), at(10), at(11));
            let (first_byte, received, done) = (at(20), at(50), at(53));
            let (intended, paused) = (at(0), Nanos(0));
            let at =
                Instants { intended, woken, acquired, written, first_byte, received, done, paused };
            Past { at, status: 200, ..Past::default() }
        };
        let all = whole(&[step(1_000), step(5_000), step(9_000)]);
        assert_eq!((all.intended, all.done), (Nanos(1_000), Nanos(9_053)));
        let parts = (all.generator_lag(), all.backlog(), all.service());
        assert_eq!(parts, (Nanos(21), Nanos(21), Nanos(117)));
        assert_eq!(all.response(), Nanos(159), "three steps of 53 each");
    }

    #[test]
    fn a_place_is_used_again_and_forgets() {
        let mut visits = Visits::default();
        let (one, other) = (visits.begin(1, 0), visits.begin(2, 0));
        let past = Past::default();
        visits.passed(one, past, &mut vec![b"x".to_vec()]);
        assert_eq!((visits.get(one).turn.step, visits.get(other).turn.step), (1, 0));
        visits.end(one);
        let again = visits.begin(3, 1);
        assert_eq!((again, visits.get(again).turn), (one, Turn { k: 3, operation: 1, step: 0 }));
        assert!(visits.get(again).values.is_empty());
    }
}
