//! Which request is sent next and when it was due: the loop's discipline without a socket and without a clock.
//!
//! Every method takes `now`, so that tests run it on a simulated clock. Nothing is queued: requests that are due and
//! wait for a connection are simply those between the next of the schedule and now, so a backlog of millions takes no
//! memory and a sender that stalls cannot skip one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::schedule::Cursor;
use crate::units::Nanos;

/// A request that has got its connection, or has waited too long for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) k: u64,
    pub(crate) intended: Nanos,
    pub(crate) woken: Nanos,
    /// The visit whose next step it is; none where it is the first step or no session's.
    pub(crate) visit: Option<u32>,
}

/// Steps of sessions after the first ones: when each is due, its visit and its k.
#[derive(Debug, Default)]
struct Later(BinaryHeap<Reverse<(Nanos, u32, u64)>>);

impl Later {
    fn next(&self) -> Option<Nanos> {
        self.0.peek().map(|Reverse((intended, ..))| *intended)
    }

    fn pop(&mut self) -> Option<(u64, Nanos, Option<u32>)> {
        self.0.pop().map(|Reverse((intended, visit, k))| (k, intended, Some(visit)))
    }
}

/// Hands out one thread's requests. A getter unless it says otherwise.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each thread, looked at for every request")]
pub(crate) enum Dispatch<'a> {
    Open(Open<'a>),
    Closed(Closed),
}

/// At intended instants.
#[derive(Debug)]
pub(crate) struct Open<'a> {
    cursor: Cursor<'a>,
    /// The schedule's zero on the clock.
    origin: Nanos,
    /// Since when every connection has been busy.
    starved_since: Option<Nanos>,
    /// How long requests were due meanwhile, inside the window.
    all_busy: Nanos,
    /// Up to when that has been added up.
    all_busy_until: Nanos,
    window: Range<Nanos>,
    /// No arrivals from here on: the window's end, or earlier when stopped.
    end: Nanos,
    later: Later,
}

/// Whenever a connection is free.
#[derive(Debug)]
pub(crate) struct Closed {
    k: u64,
    stride: u64,
    end: Nanos,
    /// No `k` from this one on.
    last: u64,
    later: Later,
    /// Free connections. A user who thinks keeps one from being another's.
    free: usize,
    arriving: Arriving,
}

/// The first sessions of users who think begin at equal distances, so that the users are not in phase.
#[derive(Clone, Copy, Debug, Default)]
struct Arriving {
    begun: usize,
    users: usize,
    from: Nanos,
    /// Between two users.
    every: Nanos,
}

impl<'a> Dispatch<'a> {
    /// The part of a schedule in `cursor`, counted from `origin`.
    pub(crate) fn open(cursor: Cursor<'a>, origin: Nanos, window: Range<Nanos>) -> Self {
        let end = window.end;
        Self::Open(Open {
            cursor,
            origin,
            starved_since: None,
            all_busy: Nanos(0),
            all_busy_until: Nanos(0),
            window,
            end,
            later: Later::default(),
        })
    }

    /// Every `stride`-th request from `first` on and below `last`, one after the other until `end`.
    pub(crate) fn closed(first: u64, stride: u64, end: Nanos, last: u64) -> Self {
        let (later, free, arriving) = (Later::default(), 0, Arriving::default());
        Self::Closed(Closed { k: first, stride, end, last, later, free, arriving })
    }

    /// The same, with the first sessions of `users` spread over `think` after `from`.
    pub(crate) fn spread(mut self, users: usize, from: Nanos, think: Nanos) -> Self {
        if let Self::Closed(closed) = &mut self
            && think > Nanos(0)
        {
            let all = users as u64 * closed.stride;
            let from = from + Nanos(think.0 * closed.k / all);
            closed.arriving =
                Arriving { begun: 0, users, from, every: Nanos(think.0 / users as u64) };
        }
        self
    }

    /// The k that is next, so that its request can be written ahead.
    pub(crate) fn upcoming(&self) -> Option<u64> {
        match self {
            Self::Open(open) => open.next().map(|(k, _)| k),
            Self::Closed(closed) => Some(closed.k),
        }
    }

    /// When the next request is or was due; nothing when there is none any more.
    pub(crate) fn next_instant(&self, now: Nanos) -> Option<Nanos> {
        match self {
            Self::Open(open) => {
                let next = open.next().map(|(_, intended)| intended);
                next.into_iter().chain(open.later.next()).min()
            }
            Self::Closed(closed) => closed.later.next().into_iter().chain(closed.next(now)).min(),
        }
    }

    /// A mutator: so many connections are free.
    pub(crate) fn has_free(&mut self, free: usize) {
        if let Self::Closed(closed) = self {
            closed.free = free;
        }
    }

    /// A mutator: the next step of a visit is due at `intended`.
    pub(crate) fn follow(&mut self, intended: Nanos, visit: u32, k: u64) {
        self.later().0.push(Reverse((intended, visit, k)));
    }

    /// A mutator: a step that is or will be due, whenever that is, is not sent.
    pub(crate) fn drop_step(&mut self) -> Option<Ticket> {
        let (k, intended, visit) = self.later().pop()?;
        Some(Ticket { k, intended, woken: intended, visit })
    }

    fn later(&mut self) -> &mut Later {
        match self {
            Self::Open(open) => &mut open.later,
            Self::Closed(closed) => &mut closed.later,
        }
    }

    pub(crate) fn is_due(&self, now: Nanos) -> bool {
        self.next_instant(now).is_some_and(|intended| intended <= now)
    }

    /// A mutator: the next request, which must be due, gets a connection now.
    pub(crate) fn take(&mut self, now: Nanos) -> Ticket {
        match self {
            Self::Open(open) => open.take(now),
            Self::Closed(closed) if closed.later.next().is_some_and(|at| at <= now) => {
                let (k, intended, visit) = closed.later.pop().expect("it is there");
                Ticket { k, intended, woken: now, visit }
            }
            Self::Closed(closed) => {
                let k = closed.k;
                closed.k += closed.stride;
                closed.arriving.begun += usize::from(!closed.is_idle());
                Ticket { k, intended: now, woken: now, visit: None }
            }
        }
    }

    /// A mutator: there is no free connection. A request that falls due from now on waits for one, not for the sender.
    pub(crate) fn pool_exhausted(&mut self, now: Nanos) {
        if let Self::Open(open) = self {
            open.starved_since.get_or_insert(now);
        }
    }

    /// A mutator: there is a free connection and nothing is due.
    pub(crate) fn pool_available(&mut self) {
        if let Self::Open(open) = self {
            open.starved_since = None;
        }
    }

    /// A mutator: the next request, when it has waited for a connection since before `now - patience`.
    pub(crate) fn give_up(&mut self, now: Nanos, patience: Nanos) -> Option<Ticket> {
        match self {
            Self::Open(_) => {
                let intended = self.next_instant(now)?;
                (intended + patience <= now).then(|| self.take(now))
            }
            Self::Closed(closed) => {
                let intended = closed.later.next()?;
                (intended + patience <= now).then(|| self.take(now))
            }
        }
    }

    /// A mutator: nothing that is due at `now` or later is sent.
    pub(crate) fn stop(&mut self, now: Nanos) {
        match self {
            Self::Open(open) => open.end = open.end.min(now),
            Self::Closed(closed) => closed.end = closed.end.min(now),
        }
    }

    /// How many requests due before `now` have not been taken.
    pub(crate) fn waiting(&self, now: Nanos) -> u64 {
        match self {
            Self::Open(open) => {
                let due = |step: &&Reverse<(Nanos, u32, u64)>| step.0.0 <= now;
                let steps = open.later.0.iter().filter(due).count() as u64;
                open.cursor.waiting(now.min(open.end).saturating_sub(open.origin)) + steps
            }
            Self::Closed(_) => 0,
        }
    }

    /// How long a request was due with every connection busy, inside the window.
    pub(crate) fn all_busy(&self) -> Nanos {
        match self {
            Self::Open(open) => open.all_busy,
            Self::Closed(_) => Nanos(0),
        }
    }
}

impl Closed {
    /// When a user begins a session; nothing where none does.
    fn next(&self, now: Nanos) -> Option<Nanos> {
        let Arriving { begun, users, from, every } = self.arriving;
        let at = match self.is_idle() {
            true => now,
            false if begun < users => now.max(from + Nanos(every.0 * begun as u64)),
            false => return None,
        };
        (at < self.end && self.k < self.last).then_some(at)
    }

    /// Whether a user who has begun has no session. All have begun where nobody thinks.
    fn is_idle(&self) -> bool {
        let Arriving { begun, users, .. } = self.arriving;
        let later = self.later.0.len();
        (begun == users && later == 0) || self.free + begun > users + later
    }
}

impl Open<'_> {
    fn next(&self) -> Option<(u64, Nanos)> {
        let (k, offset) = self.cursor.peek()?;
        let intended = self.origin + offset;
        (intended < self.end).then_some((k, intended))
    }

    fn take(&mut self, now: Nanos) -> Ticket {
        let next = self.next();
        let step = self.later.next().filter(|at| next.is_none_or(|(_, intended)| *at < intended));
        let (k, intended, visit) = match step.and_then(|_| self.later.pop()) {
            Some(step) => step,
            None => {
                let (k, intended) = next.expect("a request that is due is there");
                self.cursor.advance();
                (k, intended, None)
            }
        };
        let woken = self.starved_since.unwrap_or(now).max(intended);
        // Waits overlap, and both their ends are in order: what this one adds lies after the one before.
        let from = woken.max(self.all_busy_until).max(self.window.start);
        self.all_busy += now.min(self.window.end).saturating_sub(from);
        self.all_busy_until = self.all_busy_until.max(now);
        Ticket { k, intended, woken, visit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::plan::Arrivals;
    use crate::load::profile::Profile;
    use crate::load::schedule::Schedule;
    use crate::units::Rate;
    use proptest::prelude::*;

    const ORIGIN: Nanos = Nanos(1_000_000_000);

    fn schedule(seed: u64, rate: f64, arrivals: Arrivals) -> Schedule {
        Schedule::new(seed, 1, Profile::Steady(Rate(rate)), arrivals, Nanos::SECOND)
    }

    fn dispatch(schedule: &Schedule) -> Dispatch<'_> {
        Dispatch::open(schedule.part(0, 1), ORIGIN, ORIGIN..ORIGIN + Nanos::SECOND)
    }

    /// A sender on a simulated clock: `connections` to a server that takes `service(k)` for each; between two looks at
    /// the clock the sender is away for `stall(look)`. Gives each ticket with when it was acquired and done.
    fn simulate(
        schedule: &Schedule,
        connections: usize,
        service: impl Fn(u64) -> Nanos,
        stall: impl Fn(u64) -> Nanos,
    ) -> Vec<(Ticket, Nanos, Nanos)> {
        let mut dispatch = dispatch(schedule);
        let mut busy_until = vec![Nanos(0); connections];
        let mut sent = Vec::new();
        let mut now = ORIGIN;
        for look in 0.. {
            while dispatch.is_due(now) {
                match busy_until.iter_mut().find(|until| **until <= now) {
                    Some(until) => {
                        let ticket = dispatch.take(now);
                        *until = now + service(ticket.k);
                        sent.push((ticket, now, *until));
                    }
                    None => break,
                }
            }
            if busy_until.iter().all(|until| *until > now) {
                dispatch.pool_exhausted(now);
            } else {
                dispatch.pool_available();
            }
            let Some(next) = dispatch.next_instant(now) else { break };
            let free = busy_until.iter().copied().min().unwrap();
            now = now.max(next.max(free)) + stall(look);
        }
        sent
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_sender_that_stalls_skips_nothing_and_is_charged_for_it(
            seed: u64, stall_ns in 0..50_000_000_u64, connections in 1..4_usize
        ) {
            let schedule = schedule(seed, 2_000.0, Arrivals::Poisson);
            let stall = |look: u64| Nanos(u64::from(look.is_multiple_of(7)) * stall_ns);
            let sent = simulate(&schedule, connections, |k| Nanos(100_000 + k % 3 * 400_000), stall);
            let ks: Vec<u64> = sent.iter().map(|(ticket, ..)| ticket.k).collect();
            prop_assert_eq!(ks, (0..schedule.len()).collect::<Vec<_>>());
            for (ticket, acquired, _) in sent {
                prop_assert_eq!(ticket.intended, ORIGIN + schedule.intended(ticket.k));
                prop_assert!(ticket.intended <= ticket.woken && ticket.woken <= acquired);
            }
        }

        /// One connection and fixed service times are a queue with one server, whose waiting times Lindley's recursion
        /// gives exactly: W(k+1) = max(0, W(k) + S(k) - A(k+1)).
        #[test]
        fn one_connection_waits_as_lindley_says(seed: u64, rate in 100.0..3_000.0_f64) {
            let schedule = schedule(seed, rate, Arrivals::Poisson);
            let service = |k: u64| Nanos(200_000 + k * 7919 % 300_000);
            let mut wait = 0_i64;
            let mut before: Option<(u64, Nanos)> = None;
            for (ticket, acquired, done) in simulate(&schedule, 1, service, |_| Nanos(0)) {
                if let Some((k, intended)) = before {
                    wait += service(k).0 as i64 - (ticket.intended.0 - intended.0) as i64;
                    wait = wait.max(0);
                }
                before = Some((ticket.k, ticket.intended));
                prop_assert_eq!((acquired - ticket.intended).0 as i64, wait);
                prop_assert_eq!(done - acquired, service(ticket.k));
                prop_assert_eq!(ticket.woken, ticket.intended, "the sender was never late");
            }
        }
    }

    #[test]
    fn lateness_with_a_free_connection_is_lag_and_without_one_backlog() {
        let schedule = schedule(1, 1_000.0, Arrivals::Constant);
        let mut dispatch = dispatch(&schedule);
        let at = |us: u64| ORIGIN + Nanos(us * 1_000);
        assert_eq!(dispatch.take(at(0)).woken, at(0));
        // The sender comes 300 us late for k = 1 and has a connection.
        assert!(!dispatch.is_due(at(999)) && dispatch.is_due(at(1_300)));
        assert_eq!(
            dispatch.take(at(1_300)),
            Ticket { k: 1, intended: at(1_000), woken: at(1_300), visit: None }
        );
        // It comes 200 us late for k = 2 and has none; one is free at 5,500.
        dispatch.pool_exhausted(at(2_200));
        dispatch.pool_exhausted(at(3_000));
        assert_eq!(dispatch.waiting(at(5_001)), 4, "2, 3, 4 and 5");
        assert_eq!(dispatch.take(at(5_500)).woken, at(2_200));
        assert_eq!(dispatch.take(at(5_500)).woken, at(3_000), "k = 3 fell due while none was free");
        assert_eq!(dispatch.take(at(5_500)).woken, at(4_000));
        assert_eq!(dispatch.take(at(5_600)).woken, at(5_000));
        assert_eq!(dispatch.all_busy(), Nanos(3_400_000), "from 2,200 to 5,600");
        assert!(!dispatch.is_due(at(5_600)));
        dispatch.pool_available();
        assert_eq!(dispatch.take(at(6_001)).woken, at(6_001), "late again, and charged again");
        // Busy again from 6,100; k = 7 falls due at 7,000 and is seen when a connection is free, at 7,400.
        dispatch.pool_exhausted(at(6_100));
        assert_eq!(dispatch.take(at(7_400)).woken, at(7_000), "there was nothing to do before");
        assert_eq!(dispatch.all_busy(), Nanos(3_800_000));
    }

    #[test]
    fn patience_ends_and_a_stop_cuts_the_rest() {
        let schedule = schedule(1, 1_000.0, Arrivals::Constant);
        let mut dispatch = dispatch(&schedule);
        let patience = Nanos(10_000_000);
        dispatch.pool_exhausted(ORIGIN);
        assert_eq!(dispatch.give_up(ORIGIN + Nanos(9_999_999), patience), None);
        let given_up = dispatch.give_up(ORIGIN + patience, patience).unwrap();
        assert_eq!((given_up.k, given_up.woken), (0, ORIGIN));
        dispatch.stop(ORIGIN + Nanos(2_500_000));
        assert_eq!(dispatch.waiting(ORIGIN + Nanos::SECOND), 2, "1 and 2");
        dispatch.take(ORIGIN + patience);
        dispatch.take(ORIGIN + patience);
        assert_eq!(dispatch.next_instant(ORIGIN), None);
    }

    #[test]
    fn a_closed_loop_is_always_due_until_its_end() {
        let mut closed = Dispatch::closed(1, 2, Nanos(100), u64::MAX);
        assert!(closed.is_due(Nanos(99)) && !closed.is_due(Nanos(100)));
        let ticket = closed.take(Nanos(5));
        let expected = Ticket { k: 1, intended: Nanos(5), woken: Nanos(5), visit: None };
        assert_eq!(ticket, expected);
        assert_eq!(closed.upcoming(), Some(3));
    }

    #[test]
    fn a_step_is_due_between_arrivals_and_waits_as_they_do() {
        let schedule = schedule(1, 1_000.0, Arrivals::Constant);
        let mut dispatch = dispatch(&schedule);
        let at = |us: u64| ORIGIN + Nanos(us * 1_000);
        assert_eq!(dispatch.take(at(0)).k, 0);
        dispatch.follow(at(1_500), 7, 0);
        dispatch.follow(at(600), 8, 5);
        assert_eq!((dispatch.next_instant(at(0)), dispatch.upcoming()), (Some(at(600)), Some(1)));
        assert_eq!((dispatch.waiting(at(700)), dispatch.waiting(at(1_600))), (1, 3));
        dispatch.pool_exhausted(at(500));
        let taken = [0; 3].map(|_| dispatch.take(at(1_600)));
        assert_eq!(taken.map(|it| (it.k, it.visit)), [(5, Some(8)), (1, None), (0, Some(7))]);
        assert_eq!(
            taken.map(|it| it.woken),
            [at(600), at(1_000), at(1_500)],
            "all for want of one"
        );
        assert_eq!(dispatch.all_busy(), Nanos(1_000_000));
        // It goes on after the last arrival.
        dispatch.stop(at(1_700));
        dispatch.follow(at(9_000), 7, 0);
        assert_eq!(dispatch.next_instant(at(1_700)), Some(at(9_000)));
        assert_eq!(dispatch.give_up(at(9_009), Nanos(10_000)), None);
        assert!(dispatch.give_up(at(9_010), Nanos(10_000)).is_some_and(|it| it.visit == Some(7)));
        assert_eq!(dispatch.next_instant(at(9_010)), None);
    }

    #[test]
    fn users_who_think_begin_one_after_the_other() {
        let mut closed =
            Dispatch::closed(1, 2, Nanos(1_000), u64::MAX).spread(2, Nanos(100), Nanos(80));
        closed.has_free(2);
        assert_eq!(closed.next_instant(Nanos(100)), Some(Nanos(120)), "the second of four");
        assert_eq!(closed.take(Nanos(120)).k, 1);
        closed.has_free(1);
        assert_eq!(closed.next_instant(Nanos(121)), Some(Nanos(160)), "the fourth");
        // The session of the first one is over before that, and the next one is its user's.
        closed.has_free(2);
        assert_eq!(closed.next_instant(Nanos(130)), Some(Nanos(130)));
        assert_eq!(closed.take(Nanos(130)).k, 3);
        closed.has_free(1);
        assert_eq!(closed.next_instant(Nanos(131)), Some(Nanos(160)));
        closed.take(Nanos(160));
        closed.has_free(2);
        assert_eq!(closed.next_instant(Nanos(170)), Some(Nanos(170)), "all have begun");
    }

    #[test]
    fn a_user_who_thinks_in_a_closed_loop_is_not_replaced() {
        let mut closed = Dispatch::closed(0, 1, Nanos(100), u64::MAX);
        closed.has_free(2);
        assert_eq!(closed.take(Nanos(1)).k, 0);
        closed.follow(Nanos(50), 3, 0);
        assert_eq!(closed.next_instant(Nanos(2)), Some(Nanos(2)), "the other connection's user");
        closed.has_free(1);
        assert_eq!(closed.next_instant(Nanos(2)), Some(Nanos(50)), "the one that is free is taken");
        let step = closed.take(Nanos(50));
        assert_eq!((step.visit, step.intended), (Some(3), Nanos(50)));
        closed.follow(Nanos(200), 3, 0);
        assert_eq!(closed.next_instant(Nanos(150)), Some(Nanos(200)), "after the end");
        assert_eq!(closed.give_up(Nanos(209), Nanos(10)), None);
        assert!(closed.give_up(Nanos(210), Nanos(10)).is_some());
        assert!(closed.next_instant(Nanos(210)).is_none() && closed.drop_step().is_none());
    }
}
