//! Delays that are known: none at all, and some ten milliseconds, both beside a plain client that sends at the same
//! instants on the same core. The two take turns, so that whatever the machine does it does to both; what the client sees
//! is what is expected of the generator. A turn in which others had a core for long says nothing of either.

use std::cell::RefCell;
use std::time::Duration;

use crate::error::Result;
use crate::load::plan::{Arrivals, Plan, WarmUp};
use crate::run::selftest::server::{Law, Process};
use crate::run::selftest::{Bench, Check, Row, Verdict, Wire, only, open, quantile, server};
use crate::stats::{hodges_lehmann, median};
use crate::text::{WITHHELD, or_withheld};
use crate::units::Nanos;
use crate::{clock, load};

/// The null server, by which the generator's own lateness is seen best.
const NULL: KnownDelay = KnownDelay {
    what: "p50 of a null server",
    delay: Nanos(0),
    gap: Duration::from_millis(2),
    count: 100,
    allowed: Nanos(25_000),
    wire: Wire::Plain,
};
/// No whole number of milliseconds: a clock that ticks in them cannot read it. 1 % of it is allowed.
const DELAY: KnownDelay = KnownDelay {
    what: "p50 with a delay of 10.4 ms",
    delay: Nanos(10_400_000),
    gap: Duration::from_millis(30),
    count: 10,
    allowed: Nanos(104_000),
    wire: Wire::Plain,
};
/// The same for the generator over TLS. The client is plain: what encryption adds is far below what is allowed.
const DELAY_TLS: KnownDelay =
    KnownDelay { what: "p50 with a delay of 10.4 ms over TLS", wire: Wire::Tls, ..DELAY };
/// Turns in one go: the fewest that have an interval of [`CONFIDENCE`].
const TURNS: usize = 8;
const CONFIDENCE: f64 = 0.99;
/// A turn counts in which the machine took less than this of either core.
const TAKEN_MAX: f64 = 0.05;
/// Load that is not measured, before each of the generator's turns.
const WARM_UP: Nanos = Nanos(60_000_000);

/// A delay, and how far the generator may be from the client.
#[derive(Clone, Copy, Debug)]
struct KnownDelay {
    what: &'static str,
    delay: Nanos,
    /// Between two requests, each of which is alone.
    gap: Duration,
    /// Requests of a turn.
    count: u32,
    allowed: Nanos,
    /// Of the generator.
    wire: Wire,
}

/// A median of the client's and one of the generator's.
#[derive(Clone, Copy, Debug)]
struct Turn {
    client: Nanos,
    generator: Nanos,
    /// What the machine took of the cores meanwhile, as a share of the time.
    taken: f64,
}

/// One check for each delay. Done again, it adds to the turns that it has.
pub(super) fn checks() -> Vec<Check> {
    [NULL, DELAY, DELAY_TLS]
        .into_iter()
        .map(|known| {
            let turns = RefCell::new(Vec::new());
            let run = move |bench: &Bench<'_>| {
                let mut turns = turns.borrow_mut();
                take(bench, known, &mut turns)?;
                Ok(vec![judge(known, &turns)])
            };
            let seconds = 2 + known.turn().as_secs_f64().ceil() as u64 * TURNS as u64;
            Check {
                name: format!("known delay: {}", known.what),
                ..Check::new("known delay", seconds, run)
            }
        })
        .collect()
}

impl KnownDelay {
    /// How long a turn takes, both parts of it.
    fn turn(self) -> Nanos {
        Nanos(2 * self.window().0 + WARM_UP.0)
    }

    fn window(self) -> Nanos {
        Nanos::from(self.gap * self.count)
    }
}

fn take(bench: &Bench<'_>, known: KnownDelay, turns: &mut Vec<Turn>) -> Result<()> {
    let server = Process::start(Law::Constant(known.delay), bench.server_cores())?;
    let shape = open(1.0 / known.gap.as_secs_f64(), Arrivals::Constant);
    let plan = known.wire.over(bench.plan(server.address, shape, known.window()))?;
    let plan = Plan { connections: 1, warm_up: WarmUp::Through(WARM_UP), ..plan };
    for turn in 0..TURNS {
        server.served()?;
        let mut held = Nanos(0);
        let (mut client, mut generator) = (Nanos(0), Nanos(0));
        // Each goes first in every second turn.
        for part in 0..2 {
            if part == turn % 2 {
                let before = clock::thread_held();
                client = server::plain_median(server.address, known.gap, known.count, &plan.cores)?;
                held += clock::thread_held().saturating_sub(before);
            } else {
                let outcome = load::run(&plan, bench.stop, None)?;
                generator = quantile(only(&outcome), &only(&outcome).response, 0.5);
                held += outcome.held;
            }
        }
        if bench.stopped() {
            break;
        }
        let taken = held.max(server.served()?.lost);
        let taken = taken.as_secs_f64() / known.turn().as_secs_f64();
        turns.push(Turn { client, generator, taken });
    }
    Ok(())
}

/// How much later the generator is than the client, turn by turn.
fn judge(known: KnownDelay, turns: &[Turn]) -> Row {
    let KnownDelay { what, allowed, .. } = known;
    let all = turns.len();
    let turns: Vec<Turn> = turns.iter().copied().filter(|turn| turn.taken < TAKEN_MAX).collect();
    let clients: Vec<f64> = turns.iter().map(|turn| turn.client.0 as f64).collect();
    let client = or_withheld(median(&clients), |client| Nanos(client as u64).to_string());
    let later: Vec<f64> =
        turns.iter().map(|turn| turn.generator.0 as f64 - turn.client.0 as f64).collect();
    let us = |ns: f64| format!("{:+.1}", ns / 1e3);
    let limit = allowed.0 as f64;
    let mut row = Row {
        check: "known delay",
        what: format!("{what}, {} of {all} turns", turns.len()),
        expected: format!("a plain client's {client}, within {allowed}"),
        measured: WITHHELD.into(),
        verdict: Verdict::Undecided,
        needs: None,
    };
    let estimate = hodges_lehmann(&later, CONFIDENCE);
    let Some((value, interval)) = estimate.and_then(|it| Some((it.value, it.interval?))) else {
        let most = 100.0 * TAKEN_MAX;
        row.needs =
            Some(format!("{TURNS} turns in which others have less than {most} % of either core"));
        return row;
    };
    row.measured = format!("{} us ({} to {})", us(value), us(interval.low), us(interval.high));
    row.verdict = match (interval.low, interval.high) {
        (low, high) if low > limit || high < -limit => Verdict::Fails,
        (low, high) if low >= -limit && high <= limit => Verdict::Holds,
        _ => Verdict::Undecided,
    };
    row.needs = (row.verdict == Verdict::Undecided).then(|| {
        let half = (interval.high - interval.low) / 2.0;
        let room = (limit - value.abs()).abs().max(limit / 10.0);
        // An interval narrows with the root of the turns.
        let more = turns.len() as f64 * ((half / room).powi(2) - 1.0).max(0.0);
        let more = (more.ceil() as usize).max(TURNS);
        let time = Nanos(known.turn().0 * more as u64);
        format!("about {more} more turns, {time}, on a machine as noisy as this")
    });
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns of a client that sees `client` and a generator that sees what `generator` makes of it, on a machine that
    /// scatters by some us and stops now and then for the one or for the other.
    fn judged(known: KnownDelay, n: u64, client: u64, generator: impl Fn(u64) -> u64) -> Row {
        let turns: Vec<Turn> = (0..n)
            .map(|turn| {
                let scatter = |of: u64| (turn * 7_919 + of * 104_729) % 9_000;
                let stop = |of: u64| if turn % 11 == of { 3_000_000 } else { 0 };
                Turn {
                    client: Nanos(client + scatter(1) + stop(3)),
                    generator: Nanos(generator(client + scatter(2)) + stop(9)),
                    taken: 0.01,
                }
            })
            .collect();
        judge(known, &turns)
    }

    #[test]
    fn a_sound_generator_sees_what_the_client_sees_however_slow_the_machine_is() {
        for client in [20_000, 60_000, 400_000] {
            let row = judged(NULL, 24, client, |time| time + 5_000);
            assert_eq!((row.verdict, &row.needs), (Verdict::Holds, &None), "{row:?}");
        }
        let row = judged(DELAY, 24, 10_600_000, |time| time);
        assert_eq!(row.verdict, Verdict::Holds, "{row:?}");
    }

    #[test]
    fn a_generator_that_is_50_us_late_is_caught() {
        let row = judged(NULL, 24, 57_000, |time| time + 50_000);
        assert_eq!(row.verdict, Verdict::Fails, "{row:?}");
        assert!(row.expected.contains("a plain client's 6"), "{row:?}");
    }

    #[test]
    fn a_clock_of_one_millisecond_is_caught() {
        for client in [10_430_000, 10_600_000] {
            let row = judged(DELAY, 24, client, |time| time / 1_000_000 * 1_000_000);
            assert_eq!(row.verdict, Verdict::Fails, "{row:?}");
            let row = judged(DELAY, 24, client, |time| time.div_ceil(1_000_000) * 1_000_000);
            assert_eq!(row.verdict, Verdict::Fails, "{row:?}");
        }
    }

    #[test]
    fn what_is_undecided_says_what_would_decide_it() {
        let few = judged(NULL, 7, 20_000, |time| time);
        let needs = few.needs.unwrap();
        assert!(needs.starts_with("8 turns in which others have less than 5 %"), "{needs}");
        let row = judged(NULL, 8, 20_000, |time| time);
        assert_eq!(
            row.verdict,
            Verdict::Undecided,
            "one turn in which the machine stopped: {row:?}"
        );
        let needs = row.needs.unwrap();
        assert!(needs.starts_with("about ") && needs.contains(" more turns, "), "{needs}");
    }

    #[test]
    fn turns_in_which_others_had_a_core_say_nothing() {
        let turn = Turn { client: Nanos(20_000), generator: Nanos(4_000_000), taken: 0.4 };
        let row = judge(NULL, &[turn; 16]);
        assert_eq!((row.verdict, row.measured.as_str()), (Verdict::Undecided, WITHHELD), "{row:?}");
        assert!(row.what.ends_with("0 of 16 turns"), "{row:?}");
    }
}
