//! What single-threaded servers wait in: one epoll set with a listener, the signals and precise timers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::os::unix::net::UnixStream;

use rustix::thread::set_current_timer_slack;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::clock;
use crate::error::{Context as _, Result};
use crate::poll::{Event, Poll, READABLE};
use crate::units::Nanos;

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
