//! The six instants of a request, and what their differences are called.

use crate::units::Nanos;

/// When each step of one request happened, on CLOCK_MONOTONIC. In this order, each at or after the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instants {
    /// When the schedule wants it sent. In closed loop the same as `written`.
    pub(crate) intended: Nanos,
    /// When the sender saw that it was due: the first look at the clock after `intended`. While every connection is
    /// busy a request is seen as it falls due, since there is nothing that the sender could have done for it.
    pub(crate) woken: Nanos,
    /// When it got a connection.
    pub(crate) acquired: Nanos,
    /// When its write began: the bytes leave during the call.
    pub(crate) written: Nanos,
    /// When the first bytes of its answer had been read.
    pub(crate) first_byte: Nanos,
    /// When its whole answer had been read, or it was given up.
    pub(crate) done: Nanos,
}

impl Instants {
    /// The generator's own lateness.
    pub(crate) fn generator_lag(&self) -> Nanos {
        (self.woken - self.intended) + (self.written - self.acquired)
    }

    /// Waiting for a free connection.
    pub(crate) fn backlog(&self) -> Nanos {
        self.acquired - self.woken
    }

    /// From the write to the answer.
    pub(crate) fn service(&self) -> Nanos {
        self.done - self.written
    }

    /// What a user who came at the intended instant waited: the sum of the three.
    pub(crate) fn response(&self) -> Nanos {
        self.done - self.intended
    }

    /// A request that was given up at `done` while it waited for a connection: all of its time is backlog and lag.
    pub(crate) fn never_sent(intended: Nanos, woken: Nanos, done: Nanos) -> Self {
        Self { intended, woken, acquired: done, written: done, first_byte: done, done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_backlog_and_service_add_up_to_the_response() {
        let instants = Instants {
            intended: Nanos(100),
            woken: Nanos(103),
            acquired: Nanos(110),
            written: Nanos(111),
            first_byte: Nanos(140),
            done: Nanos(150),
        };
        assert_eq!(instants.generator_lag(), Nanos(4));
        assert_eq!(instants.backlog(), Nanos(7));
        assert_eq!(instants.service(), Nanos(39));
        assert_eq!(
            instants.generator_lag() + instants.backlog() + instants.service(),
            instants.response()
        );
        let unsent = Instants::never_sent(Nanos(5), Nanos(6), Nanos(20));
        assert_eq!((unsent.service(), unsent.backlog()), (Nanos(0), Nanos(14)));
    }
}
