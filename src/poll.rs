//! epoll, level-triggered or one-shot, with waits in nanoseconds: what the generator and the thread pool wait in; and
//! `Reactor`, the loop of single-threaded servers on it.

use crate::clock;
use crate::error::{Context as _, Result};
use crate::units::Nanos;
use rustix::event::epoll::{CreateFlags, EventData};
pub use rustix::event::epoll::{Event, EventFlags};
use rustix::event::{Timespec, epoll};
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::set_current_timer_slack;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Readable, or hung up by the other side.
pub const READABLE: EventFlags = EventFlags::IN.union(EventFlags::RDHUP);
pub const WRITABLE: EventFlags = EventFlags::OUT;
/// At most one event until the descriptor is armed again.
pub const ONE_SHOT: EventFlags = EventFlags::ONESHOT;

/// One epoll set. Several threads may wait on it: every method takes `&self`.
#[derive(Debug)]
pub struct Poll {
    epoll: OwnedFd,
}

impl Poll {
    /// An empty set.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Watches `fd` for `interest`; its events carry `token`.
    ///
    /// # Errors
    /// When `fd` is already in the set, or the system is out of watches.
    pub fn add(&self, fd: impl AsFd, token: u64, interest: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(token), interest)?)
    }

    /// Watches `fd` for something else, or arms a one-shot again.
    pub fn modify(&self, fd: impl AsFd, token: u64, interest: EventFlags) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, EventData::new_u64(token), interest)?)
    }

    /// Forgets `fd`. Closing a descriptor does it too.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    /// Waits until something is ready or `timeout` is over (`None`: forever); an interrupted wait is empty.
    pub fn wait<'a>(
        &self,
        events: &'a mut [MaybeUninit<Event>],
        timeout: Option<Nanos>,
    ) -> io::Result<&'a [Event]> {
        let timeout = timeout.map(|Nanos(ns)| Timespec {
            tv_sec: (ns / 1_000_000_000) as i64,
            tv_nsec: (ns % 1_000_000_000) as _,
        });
        match epoll::wait(&self.epoll, events, timeout.as_ref()) {
            Ok((ready, _)) => Ok(ready),
            Err(rustix::io::Errno::INTR) => Ok(&[]),
            Err(error) => Err(error.into()),
        }
    }
}

/// Lets this process have `needed` descriptors: up to the hard limit; what is missing then shows as refused connections.
pub(crate) fn raise_descriptor_limit(needed: u64) {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        limit.current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

// What single-threaded servers wait in: one epoll set with a listener, the signals and precise timers.

/// Events taken from the kernel at once.
pub(crate) const EVENTS: usize = 256;
pub(crate) const LISTENER: u64 = u64::MAX;
/// Events of a signal that asks for the end.
pub(crate) const SIGNAL: u64 = u64::MAX - 1;

pub(crate) type Events = [MaybeUninit<Event>; EVENTS];

/// How a server waits for what is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Pace {
    /// In the kernel, which wakes it some ten microseconds late
    #[default]
    Sleep,
    /// Polling all the time: for a core of its own
    Spin,
}

/// An epoll set and timers. Tokens below [`SIGNAL`] are its user's.
#[derive(Debug)]
pub(crate) struct Reactor {
    pub(crate) poll: Poll,
    listener: TcpListener,
    /// Kept open, since the other end is what the signals write to.
    _signal: UnixStream,
    timers: BinaryHeap<Reverse<(Nanos, u64)>>,
    pace: Pace,
    /// Whether the listener is left alone until a descriptor is free again.
    exhausted: bool,
}

impl Reactor {
    /// Watches `listener`, SIGTERM and SIGINT, and has the kernel wake this thread on time.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub(crate) fn new(listener: TcpListener, pace: Pace) -> Result<Self> {
        let context = || "cannot set up an epoll set".into();
        let (signal, sender) = UnixStream::pair().context(context)?;
        for number in [SIGTERM, SIGINT] {
            pipe::register(number, sender.try_clone().context(context)?).context(context)?;
        }
        listener.set_nonblocking(true).context(context)?;
        let poll = Poll::new().context(context)?;
        poll.add(&listener, LISTENER, READABLE).context(context)?;
        poll.add(&signal, SIGNAL, READABLE).context(context)?;
        // The default of 50 us would show in every answer; 0 would mean the default.
        set_current_timer_slack(NonZeroU64::new(1)).context(context)?;
        let timers = BinaryHeap::new();
        Ok(Self { poll, listener, _signal: signal, timers, pace, exhausted: false })
    }

    /// Waits for events, and no longer than until the next timer.
    pub(crate) fn wait<'a>(&self, events: &'a mut Events) -> io::Result<&'a [Event]> {
        let patience = match self.pace {
            Pace::Spin => Some(Nanos(0)),
            Pace::Sleep => {
                self.timers.peek().map(|Reverse((due, _))| due.saturating_sub(clock::now()))
            }
        };
        self.poll.wait(events, patience)
    }

    /// [`Self::expired`] will give `token` at `due`.
    pub(crate) fn wake_at(&mut self, due: Nanos, token: u64) {
        self.timers.push(Reverse((due, token)));
    }

    /// A token whose timer has run out by `now`.
    pub(crate) fn expired(&mut self, now: Nanos) -> Option<u64> {
        self.timers.peek().filter(|Reverse((due, _))| *due <= now)?;
        self.timers.pop().map(|Reverse((_, token))| token)
    }

    pub(crate) fn accept(&mut self) -> Option<TcpStream> {
        match self.listener.accept() {
            Ok((stream, _)) => {
                let set = stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true));
                set.ok().map(|()| stream)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            // Out of descriptors: the listener would be ready again at once and for ever.
            Err(_) => {
                self.exhausted = self.poll.remove(&self.listener).is_ok();
                None
            }
        }
    }

    /// A connection has been closed, so that there may be room for another.
    pub(crate) fn closed(&mut self) {
        if self.exhausted {
            self.exhausted = self.poll.add(&self.listener, LISTENER, READABLE).is_err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_one_shot_speaks_once_until_armed_again() {
        let (mut writer, reader) = UnixStream::pair().unwrap();
        let poll = Poll::new().unwrap();
        poll.add(&reader, 7, READABLE | ONE_SHOT).unwrap();
        writer.write_all(b"x").unwrap();
        let mut events = [MaybeUninit::uninit(); 4];
        let ready = poll.wait(&mut events, Some(Nanos::SECOND)).unwrap();
        assert_eq!(ready.iter().map(|e| e.data.u64()).collect::<Vec<_>>(), [7]);
        assert!(poll.wait(&mut events, Some(Nanos::MILLI)).unwrap().is_empty());
        poll.modify(&reader, 8, READABLE | ONE_SHOT).unwrap();
        let ready = poll.wait(&mut events, Some(Nanos::SECOND)).unwrap();
        assert_eq!(ready.len(), 1);
        poll.remove(&reader).unwrap();
        assert!(poll.wait(&mut events, Some(Nanos(0))).unwrap().is_empty());
    }
}
