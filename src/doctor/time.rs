//! Time: what the machine takes away, what others use, how late a sleep ends, and what reading the clock costs.

use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::set_current_timer_slack;

use crate::doctor::{Finding, read};
use crate::error::{Context, Result};
use crate::machine::cores::Cores;
use crate::machine::hiccups;
use crate::machine::interference::{Interference, Ticks};
use crate::record::hiccups::Hiccups;
use crate::units::{Nanos, Share};

/// How long others are watched while this process sleeps.
const QUIET: Duration = Duration::from_secs(1);
/// A machine of which others use less is quiet.
const BUSY_MAX: f64 = 0.05;
/// Beyond it a trial is SUSPECT.
const STEAL_MAX: f64 = 0.05;
/// A percentile that is no longer than this says little about a server on such a machine.
const FLOOR_MAX: Nanos = Nanos::MILLI;
/// Sleeps that are timed.
const SLEEPS: usize = 1_000;
/// How long each is meant to be.
const SLEEP: Duration = Duration::from_micros(200);
/// The generator wakes this long before an instant and polls the rest.
const EARLY: Nanos = Nanos(60_000);
/// Readings of the clock that are timed.
const READINGS: u32 = 100_000;
/// Through the vDSO it is some 20 ns, through the kernel some hundreds.
const READING_MAX: Nanos = Nanos(150);

/// Looks at the machine for three seconds.
pub(crate) fn look(cores: &Cores) -> Result<Vec<Finding>> {
    let busy = busy_share(QUIET);
    let before = Interference::now();
    let hiccups = hiccups::watch(cores, hiccups::WATCH)?;
    let steal = before.steal_share();
    let late = thread::spawn(lateness).join().expect("sleeping does not panic")?;
    Ok(vec![
        others(busy),
        stolen(steal),
        stops(&hiccups),
        timer(late),
        clock(read("/sys/devices/system/clocksource/clocksource0/current_clocksource"), reading()),
    ])
}

fn others(busy: Option<f64>) -> Finding {
    let why =
        "who else computes here takes cores from the contender in one round and not in the next";
    match busy {
        None => Finding::unknown("other work", "the machine does not say", why),
        Some(busy) => Finding::fine("other work", format!("{} of the machine", Share(busy)), why)
            .unless(busy <= BUSY_MAX, "end what runs here, or wait: top -o %CPU shows it"),
    }
}

fn stolen(steal: Option<f64>) -> Finding {
    let why = "the hypervisor gives a virtual core's time to others; beyond 5 % a trial is SUSPECT";
    match steal {
        None => Finding::unknown("steal", "the kernel does not say", why),
        Some(steal) => Finding::fine("steal", format!("{} in a second", Share(steal)), why).unless(
            steal <= STEAL_MAX,
            "measure at another time, or on a machine with cores of its own",
        ),
    }
}

/// With the percentile that they set a floor to.
fn stops(hiccups: &Hiccups) -> Finding {
    let why = "a thread that only reads the clock should not stop: a percentile cannot be shorter than \
               the machine's own stops";
    let p99 = hiccups.floor[2];
    let found =
        format!("longest {}, {} lost, floor of p99 {p99}", hiccups.worst, Share(hiccups.lost.0));
    Finding::fine("hiccups", found, why).unless(
        p99 <= FLOOR_MAX,
        "end what else runs here; on a virtual machine measure more rounds, or move to cores of your own",
    )
}

/// With the lateness of sleeps, p50 and p99.
fn timer((p50, p99): (Nanos, Nanos)) -> Finding {
    let why = "the generator sleeps until shortly before an instant; a later end of the sleep is its own lateness";
    Finding::fine("timer", format!("a sleep ends {p50} late, p99 {p99}"), why).unless(
        p50 <= EARLY,
        "give the generator a core of its own, where it polls: mode = \"apart\", bakeoff drive --pace spin",
    )
}

fn clock(source: Option<String>, reading: Nanos) -> Finding {
    let why = "six instants of every request are read; a clock behind a system call makes each of them expensive";
    let source = source.unwrap_or_else(|| "unknown source".into());
    Finding::fine("clock", format!("{source}, {reading} a reading"), why).unless(
        reading <= READING_MAX,
        "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource",
    )
}

/// The share of the machine's time in which anybody computed while this process slept.
fn busy_share(time: Duration) -> Option<f64> {
    let before = Ticks::now()?;
    thread::sleep(time);
    Some(1.0 - Ticks::now()?.idle_since(before).min(1.0))
}

/// How much later than asked sleeps end, p50 and p99, with the timer slack that the generator has.
fn lateness() -> Result<(Nanos, Nanos)> {
    set_current_timer_slack(NonZeroU64::new(1)).context(|| "cannot set the timer slack".into())?;
    let mut late: Vec<Nanos> = (0..SLEEPS)
        .map(|_| {
            let asleep = Instant::now();
            thread::sleep(SLEEP);
            asleep.elapsed().saturating_sub(SLEEP).into()
        })
        .collect();
    late.sort_unstable();
    Ok((late[SLEEPS / 2], late[SLEEPS * 99 / 100]))
}

/// What one reading of the clock costs.
fn reading() -> Nanos {
    let start = Instant::now();
    for _ in 0..READINGS {
        std::hint::black_box(Instant::now());
    }
    (start.elapsed() / READINGS).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_restless_machine_is_told() {
        assert_eq!(others(Some(0.01)).state, State::Fine);
        assert!(others(Some(0.5)).mend.is_some() && others(None).state == State::Unknown);
        assert_eq!(stolen(Some(0.06)).state, State::Mend);
        let calm = Hiccups { worst: Nanos(300_000), lost: Share(0.001), floor: [Nanos(0); 4] };
        assert_eq!(stops(&calm).found, "longest 300 us, 0.1% lost, floor of p99 0 ns");
        let restless =
            Hiccups { floor: [Nanos(0), Nanos(0), Nanos(2_500_000), Nanos(4_000_000)], ..calm };
        assert_eq!(stops(&restless).state, State::Mend);
    }

    #[test]
    fn a_coarse_timer_and_a_dear_clock_are_told() {
        assert_eq!(timer((Nanos(52_000), Nanos(300_000))).state, State::Fine);
        assert_eq!(timer((Nanos(1_000_000), Nanos(1_100_000))).state, State::Mend);
        assert_eq!(clock(Some("tsc".into()), Nanos(22)).found, "tsc, 22 ns a reading");
        assert!(clock(Some("acpi_pm".into()), Nanos(900)).mend.unwrap().contains("echo tsc"));
    }
}
