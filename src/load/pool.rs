//! The connections of one sending thread: opened, watched, given out in turn and opened again.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;

use rustix::io::Errno;

use super::clock;
use super::connection::{Connection, Phase};
use super::flight::Flight;
use crate::error::{Context, Error, Result};
use crate::poll::{Event, Poll};
use crate::units::Nanos;

/// After a connection was refused, or closed before it carried an answer, so long passes before the next attempt.
const RETRY_AFTER: Nanos = Nanos(50_000_000);

/// Events taken from the kernel at a time.
pub(crate) const EVENTS: usize = 256;

/// All connections of a thread.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) poll: Poll,
    pub(crate) connections: Vec<Connection>,
    target: SocketAddr,
    timeout: Nanos,
    stamped: bool,
    /// Idle connections, longest idle first. In turn and not the latest one first: a connection stands for a user, every
    /// one is used alike, and none is warm by being a favourite or closed by the server for being forgotten.
    free: VecDeque<usize>,
    /// Requests and connects under way.
    flight: Flight,
    connecting: usize,
    /// Places without a socket, and when to try again; in order.
    retries: VecDeque<(Nanos, usize)>,
    /// Whether the last attempt to connect failed.
    refusing: bool,
    pub(crate) refused: BTreeMap<&'static str, u64>,
    pub(crate) reconnects: u64,
}

impl Pool {
    /// Opens `count` connections to `target`; `stamped` ones note when they receive. Those that are refused while others are not are tried again later.
    ///
    /// # Errors
    /// When not a single one could be opened within `timeout`.
    pub(crate) fn open(
        target: SocketAddr,
        count: usize,
        timeout: Nanos,
        stamped: bool,
    ) -> Result<Self> {
        let mut pool = Self {
            poll: Poll::new().context(|| "cannot create an epoll set".into())?,
            connections: (0..count).map(|_| Connection::default()).collect(),
            target,
            timeout,
            stamped,
            free: VecDeque::with_capacity(count),
            flight: Flight::new(count),
            connecting: 0,
            retries: VecDeque::with_capacity(count),
            refusing: false,
            refused: BTreeMap::new(),
            reconnects: 0,
        };
        let deadline = clock::now() + timeout;
        for index in 0..count {
            pool.connect(index, clock::now());
            // A server that accepts meanwhile needs no long backlog; one that refuses is asked once.
            pool.progress(Nanos(0))?;
            if !pool.refused.is_empty() && pool.free.is_empty() {
                break;
            }
        }
        while pool.connecting > 0 && clock::now() < deadline {
            pool.progress(Nanos::MILLI)?;
        }
        if pool.free.is_empty() {
            return Err(pool.nobody_there());
        }
        Ok(pool)
    }

    /// Whether a connection is ready for a request.
    pub(crate) fn has_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// Whether no connection is open and the last attempt to open one failed.
    pub(crate) fn is_down(&self) -> bool {
        self.refusing && self.free.is_empty() && self.under_way() == 0
    }

    /// Requests under way.
    pub(crate) fn under_way(&self) -> usize {
        self.flight.len() - self.connecting
    }

    /// Takes a connection for a request.
    pub(crate) fn acquire(&mut self) -> Option<usize> {
        self.free.pop_front()
    }

    /// The request on `index` counts as under way since `now`.
    pub(crate) fn depart(&mut self, index: usize, now: Nanos) {
        self.flight.start(index, now);
    }

    /// The exchange on `index` is over and the connection can carry another.
    pub(crate) fn release(&mut self, index: usize) {
        self.flight.end(index);
        let connection = &mut self.connections[index];
        connection.phase = Phase::Idle;
        connection.proven = true;
        self.free.push_back(index);
    }

    /// The connection `index` is of no more use: closes it and opens another in its place.
    pub(crate) fn replace(&mut self, index: usize, proven: bool, now: Nanos) {
        if self.flight.end(index) && self.connections[index].phase == Phase::Connecting {
            self.connecting -= 1;
        }
        self.connections[index].close();
        self.reconnects += 1;
        if proven {
            self.connect(index, now);
        } else {
            self.retries.push_back((now + RETRY_AFTER, index));
        }
    }

    /// When something here has to be looked at even if no event comes.
    pub(crate) fn deadline(&self) -> Option<Nanos> {
        let overdue = self.flight.oldest().map(|(_, since)| since + self.timeout);
        let retry = self.retries.front().map(|&(at, _)| at);
        overdue.into_iter().chain(retry).min()
    }

    /// A request that has been under way for longer than the timeout. Connects that have are tried again on the way.
    pub(crate) fn overdue(&mut self, now: Nanos) -> Option<usize> {
        loop {
            let (index, since) = self.flight.oldest()?;
            if since + self.timeout > now {
                return None;
            }
            if self.connections[index].phase == Phase::Busy {
                return Some(index);
            }
            self.refuse(index, &Errno::TIMEDOUT.into(), now);
        }
    }

    /// Tries again what is to be tried again by now.
    pub(crate) fn retry(&mut self, now: Nanos) {
        while self.retries.front().is_some_and(|&(at, _)| at <= now) {
            let (_, index) = self.retries.pop_front().expect("it was there just now");
            self.connect(index, now);
        }
    }

    /// Deals with an event unless it is one of an exchange: then it gives the connection.
    pub(crate) fn route(&mut self, event: &Event) -> Option<usize> {
        let token = event.data.u64();
        let index = (token & u64::from(u32::MAX)) as usize;
        let connection = self.connections.get_mut(index).filter(|it| it.owns(token))?;
        match connection.phase {
            Phase::Busy => return Some(index),
            Phase::Connecting => {
                let opened = connection.opened(index, &self.poll);
                let now = clock::now();
                match opened {
                    Ok(()) => {
                        self.flight.end(index);
                        self.connecting -= 1;
                        self.refusing = false;
                        self.free.push_back(index);
                    }
                    Err(error) => self.refuse(index, &error, now),
                }
            }
            // Nothing was asked, so whatever comes is the end of it.
            Phase::Idle => {
                let proven = connection.proven;
                self.free.retain(|&free| free != index);
                self.replace(index, proven, clock::now());
            }
            Phase::Down => {}
        }
        None
    }

    fn connect(&mut self, index: usize, now: Nanos) {
        match self.connections[index].open(self.target, self.stamped, index, &self.poll) {
            Ok(()) => {
                self.connecting += 1;
                self.flight.start(index, now);
            }
            Err(error) => self.refuse(index, &error, now),
        }
    }

    fn refuse(&mut self, index: usize, error: &io::Error, now: Nanos) {
        let reason = match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => "descriptors",
            Some(Errno::ADDRNOTAVAIL) => "ports",
            _ => "connect",
        };
        *self.refused.entry(reason).or_default() += 1;
        self.refusing = true;
        if self.flight.end(index) {
            self.connecting -= 1;
        }
        self.connections[index].close();
        self.retries.push_back((now + RETRY_AFTER, index));
    }

    fn progress(&mut self, patience: Nanos) -> Result<()> {
        let mut events = [MaybeUninit::uninit(); EVENTS];
        let ready = self.poll.wait(&mut events, Some(patience)).context(|| "epoll".into())?;
        for event in ready {
            self.route(event);
        }
        Ok(())
    }

    fn nobody_there(&self) -> Error {
        let target = self.target;
        if self.refused.contains_key("descriptors") {
            return Error::usage("this process has no descriptor left for a connection")
                .help("raise the limit with `ulimit -n`");
        }
        if self.refused.contains_key("ports") {
            return Error::usage(format!("no local port is left for a connection to {target}"))
                .help("wait a minute, until those of closed connections are free again");
        }
        if self.refused.contains_key("connect") {
            return Error::usage(format!("nothing listens on {target}"))
                .help("start the server first, and look at its port");
        }
        Error::usage(format!("{target} accepted no connection within {}", self.timeout))
    }
}
