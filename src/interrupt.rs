//! Whether the user or the system has asked this process to end: SIGINT, SIGTERM or SIGHUP.
//!
//! A signal is sent to a process and not to a part of it, so its flag is the process's as well. Loads are handed the flag as
//! they are handed their plan. What merely waits (for a server to be ready, for a program to end) asks [`asked`]: such waits
//! lie many calls deep, and in destructors, which take no arguments.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use std::{fs, thread};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::{Context, Error, Failure, Result};

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// How soon a wait notices.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);
/// One interrupt may come as several signals: `timeout` sends it to its child and to the group that the child is in.
const SECOND_AFTER: Duration = Duration::from_millis(500);
/// How long a started process may take to end once its results are no longer needed; then it is killed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// Listens for the signals; gives the flag that they set. A second one, [`SECOND_AFTER`] the first, ends the program at once.
pub(crate) fn listen() -> Result<Arc<AtomicBool>> {
    let heard = [SIGINT, SIGTERM].into_iter().chain((!is_ignored(SIGHUP)).then_some(SIGHUP));
    let mut signals = Signals::new(heard).context(|| "cannot listen for signals".into())?;
    let first_sets_second_ends = move || {
        let mut first: Option<Instant> = None;
        for _ in &mut signals {
            let now = Instant::now();
            if is_second(*first.get_or_insert(now), now) {
                signal_hook::low_level::exit(Failure::Interrupted as i32);
            }
            ASKED.store(true, Ordering::Relaxed);
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(first_sets_second_ends)
        .context(|| "cannot start a thread".into())?;
    Ok(Arc::clone(&ASKED))
}

/// Whether a signal that comes `now` is another interrupt than the `first`.
fn is_second(first: Instant, now: Instant) -> bool {
    now.duration_since(first) >= SECOND_AFTER
}

/// Asks for the end as a signal would.
pub(crate) fn ask() {
    ASKED.store(true, Ordering::Relaxed);
}

/// Whether the end was asked for.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Goes on unless the end was asked for.
pub(crate) fn check() -> Result<()> {
    if asked() { Err(Error::interrupted()) } else { Ok(()) }
}

/// What an interrupt cut short has not failed.
pub(crate) fn forgiven(result: Result<()>) -> Result<()> {
    result.or_else(|error| if error.is_interrupt() { Ok(()) } else { Err(error) })
}

/// The next message, if one comes within a time and before the end is asked for.
pub(crate) fn receive<T>(from: &Receiver<T>, within: Duration) -> Option<T> {
    let began = Instant::now();
    loop {
        let left = within.saturating_sub(began.elapsed());
        match from.recv_timeout(left.min(LOOK_EVERY)) {
            Ok(message) => return Some(message),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if left.is_zero() || asked() => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// What `look` finds, which may show only a while after it has happened; nothing where the time is over.
pub(crate) fn seen_within<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        let seen = look();
        if seen.is_some() || Instant::now() >= deadline {
            return seen;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether this process was started with a signal ignored, as `nohup` does with SIGHUP: then it stays ignored.
fn is_ignored(signal: i32) -> bool {
    ignores(&fs::read_to_string("/proc/self/status").unwrap_or_default(), signal)
}

/// The same of the text of `/proc/PID/status`.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_signal_that_is_ignored_from_the_start_is_known() {
        let status =
            |mask: &str| format!("Name:\tSigIgn:\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(ignores(&status("0000000000001001"), SIGHUP), "nohup, and SIGPIPE");
        assert!(!ignores(&status("0000000000001000"), SIGHUP));
        assert!(!ignores(&status("0000000000001001"), SIGINT));
        assert!(!ignores("", SIGHUP));
    }

    #[test]
    fn signals_that_come_together_are_one_interrupt() {
        let first = Instant::now();
        assert!(!is_second(first, first));
        assert!(!is_second(first, first + Duration::from_millis(100)));
        assert!(is_second(first, first + Duration::from_secs(1)));
    }

    #[test]
    fn what_shows_later_is_seen_and_what_never_does_is_given_up() {
        let mut looks = 0;
        let third = || {
            looks += 1;
            (looks == 3).then_some(looks)
        };
        assert_eq!(seen_within(Duration::from_secs(60), third), Some(3));
        assert_eq!(seen_within(Duration::ZERO, || Some(1)), Some(1));
        assert_eq!(seen_within(Duration::from_millis(10), || None::<u8>), None);
    }

    #[test]
    fn a_message_is_waited_for_no_longer_than_said() {
        let (sender, from) = mpsc::channel();
        assert_eq!(receive::<u8>(&from, Duration::ZERO), None);
        sender.send(7).unwrap();
        assert_eq!(receive(&from, Duration::from_secs(60)), Some(7));
        drop(sender);
        assert_eq!(receive(&from, Duration::from_secs(60)), None, "nobody can send any more");
    }
}
