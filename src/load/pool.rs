//! The connections of one sending thread: opened, watched, given out in turn and opened again.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

use hdrhistogram::Histogram;
use rustix::io::Errno;

use super::check::CHECKED_BYTES_MAX;
use super::clock;
use super::connection::{Connection, Phase};
use super::flight::Flight;
use super::handshake::{Handshakes, OPENED};
use super::peer::{Address, Peer};
use super::plan::{Plan, Shape};
use super::recorder::times_within;
use super::tls;
use super::wire::Wire;
use crate::error::{Context, Error, Result};
use crate::poll::{Event, Poll};
use crate::record::outcome::RequestError;
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
    target: Address,
    /// Opens connections with TLS.
    handshakes: Option<Handshakes>,
    timeout: Nanos,
    /// Whether connections are opened ahead and used again; else each request opens its own.
    pub(crate) keep_alive: bool,
    /// Whether connections note when they receive.
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
    /// How long the connects that succeeded took.
    pub(crate) connect: Histogram<u64>,
    /// How long the TLS handshakes took.
    pub(crate) handshake: Histogram<u64>,
    /// The first handshake that failed, in words.
    told: Option<(String, &'static str)>,
}

impl Pool {
    /// Opens `count` connections of a plan; those of an open load note when they receive. Those that are refused while
    /// others are not are tried again later. Without `keep_alive` it opens one, to see that it can, and closes it.
    ///
    /// # Errors
    /// When not a single one could be opened within the timeout; interrupted, when `stop` was set before one was.
    pub(crate) fn open(plan: &Plan, count: usize, stop: &AtomicBool) -> Result<Self> {
        let (timeout, keep_alive) = (plan.timeout, plan.keep_alive);
        let stamped = plan.shape != Shape::Closed;
        let poll = Poll::new().context(|| "cannot create an epoll set".into())?;
        let Peer { at: target, tls } = plan.target.clone();
        let handshakes = match (tls, &target) {
            (Some(tls), Address::Tcp(at)) => {
                let started = Handshakes::start(*at, &tls, (timeout, stamped), &plan.cores, &poll);
                Some(started.context(|| "cannot start a thread for handshakes".into())?)
            }
            _ => None,
        };
        let looks = plan.mix.iter().map(|(operation, _)| operation.looks_at());
        let looks = looks.fold((false, false), |sum, one| (sum.0 || one.0, sum.1 || one.1));
        let connection = || match looks {
            (false, false) => Connection::default(),
            (_, heads) => Connection::keeping(CHECKED_BYTES_MAX, heads),
        };
        let mut pool = Self {
            poll,
            connections: (0..count).map(|_| connection()).collect(),
            target,
            handshakes,
            timeout,
            keep_alive,
            stamped,
            free: VecDeque::with_capacity(count),
            flight: Flight::new(count),
            connecting: 0,
            retries: VecDeque::with_capacity(count),
            refusing: false,
            refused: BTreeMap::new(),
            reconnects: 0,
            connect: times_within(timeout),
            handshake: times_within(timeout),
            told: None,
        };
        let deadline = clock::now() + timeout;
        for index in 0..if keep_alive { count } else { 1 } {
            pool.connect(index, clock::now());
            // A server that accepts meanwhile needs no long backlog; one that refuses is asked once.
            pool.progress(Nanos(0))?;
            if !pool.refused.is_empty() && pool.free.is_empty() {
                break;
            }
        }
        while pool.connecting > 0 && clock::now() < deadline && !stop.load(Ordering::Relaxed) {
            pool.progress(Nanos::MILLI)?;
        }
        if pool.free.is_empty() && stop.load(Ordering::Relaxed) {
            return Err(Error::interrupted());
        }
        if pool.free.is_empty() {
            return Err(pool.connect_error());
        }
        if !keep_alive {
            pool.connections[0].close();
            pool.connect.reset();
            pool.handshake.reset();
            pool.free = (0..count).collect();
        }
        Ok(pool)
    }

    /// Whether a connection is ready for a request.
    pub(crate) fn has_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// Connections that are ready.
    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    /// Whether no connection is open and the last attempt to open one failed.
    pub(crate) fn is_down(&self) -> bool {
        self.refusing && self.free.is_empty() && self.under_way() == 0
    }

    pub(crate) fn under_way(&self) -> usize {
        self.flight.len() - self.connecting
    }

    /// Bytes of HTTP received and written so far.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let sum = |of: fn(&Connection) -> u64| self.connections.iter().map(of).sum();
        (sum(|one| one.received_bytes), sum(|one| one.sent_bytes))
    }

    /// Takes a connection for a request.
    pub(crate) fn acquire(&mut self) -> Option<usize> {
        self.free.pop_front()
    }

    /// The request on `index` counts as under way since `now`.
    pub(crate) fn depart(&mut self, index: usize, now: Nanos) {
        self.flight.start(index, now);
    }

    /// Starts to open the connection `index` for the request on it.
    pub(crate) fn open_for_request(
        &mut self,
        index: usize,
        now: Nanos,
    ) -> std::result::Result<(), RequestError> {
        let opened = self.begin(index, now);
        self.connections[index].phase = Phase::Opening;
        opened.map_err(|error| self.note(&error))
    }

    /// Takes in what the thread for handshakes has done: connections that are free from now on, and one that was opened for a
    /// request, or could not be, which it gives. To be called until it gives nothing.
    pub(crate) fn handshaken(&mut self) -> Option<(usize, std::result::Result<(), RequestError>)> {
        self.handshakes.as_ref()?.quieten();
        while let Some(done) = self.handshakes.as_ref()?.next() {
            let index = (done.token & u64::from(u32::MAX)) as usize;
            if !self.connections[index].owns(done.token) {
                // It has been given up meanwhile.
                continue;
            }
            let installed = done.opened.and_then(|opened| {
                let wire = Wire::Tls(opened.secured);
                self.connections[index].install(wire, index, &self.poll)?;
                Ok((opened.connect, opened.handshake))
            });
            let for_request = self.connections[index].phase == Phase::Opening;
            match installed {
                Ok((connect, handshake)) => {
                    self.connect.saturating_record(connect.0);
                    self.handshake.saturating_record(handshake.0);
                    self.refusing = false;
                    match for_request {
                        true => return Some((index, Ok(()))),
                        false => self.opened(index),
                    }
                }
                Err(error) if for_request => return Some((index, Err(self.note(&error)))),
                Err(error) => self.refuse(index, &error, clock::now()),
            }
        }
        None
    }

    /// Something has come of the connect for the request on `index`.
    pub(crate) fn opened_for_request(
        &mut self,
        index: usize,
        now: Nanos,
    ) -> std::result::Result<(), RequestError> {
        match self.connections[index].opened(index, &self.poll, now) {
            Ok(took) => {
                self.refusing = false;
                self.connect.saturating_record(took.0);
                Ok(())
            }
            Err(error) => Err(self.note(&error)),
        }
    }

    /// The exchange on `index` is over and the connection can carry another.
    pub(crate) fn release(&mut self, index: usize) {
        if !self.keep_alive {
            return self.replace(index, true, Nanos(0));
        }
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
        if proven && !self.keep_alive {
            self.free.push_back(index);
            return;
        }
        self.reconnects += u64::from(self.keep_alive);
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
            if matches!(self.connections[index].phase, Phase::Busy | Phase::Opening) {
                return Some(index);
            }
            self.refuse(index, &Errno::TIMEDOUT.into(), now);
        }
    }

    /// Tries again what is to be tried again by now.
    pub(crate) fn retry(&mut self, now: Nanos) {
        while self.retries.front().is_some_and(|&(at, _)| at <= now) {
            let (_, index) = self.retries.pop_front().expect("it was there just now");
            if self.keep_alive {
                self.connect(index, now);
            } else {
                self.free.push_back(index);
            }
        }
    }

    /// Lends out no connection on which an event shows that it has been closed; [`Self::route`] puts another in its place.
    pub(crate) fn withdraw(&mut self, event: &Event) {
        let token = event.data.u64();
        let index = (token & u64::from(u32::MAX)) as usize;
        let own = self.connections.get_mut(index).filter(|it| it.owns(token));
        if own.is_some_and(|connection| connection.phase == Phase::Idle && !connection.is_idle()) {
            self.free.retain(|&free| free != index);
        }
    }

    /// Deals with an event unless it is one of an exchange: then it gives the connection.
    pub(crate) fn route(&mut self, event: &Event) -> Option<usize> {
        let token = event.data.u64();
        let index = (token & u64::from(u32::MAX)) as usize;
        let connection = self.connections.get_mut(index).filter(|it| it.owns(token))?;
        match connection.phase {
            Phase::Busy | Phase::Opening => return Some(index),
            Phase::Connecting => {
                let now = clock::now();
                match connection.opened(index, &self.poll, now) {
                    Ok(took) => {
                        self.connect.saturating_record(took.0);
                        self.refusing = false;
                        self.opened(index);
                    }
                    Err(error) => self.refuse(index, &error, now),
                }
            }
            // Nothing was asked, so whatever comes is the end of it, but for what TLS has to say.
            Phase::Idle => {
                if !connection.is_idle() {
                    let proven = connection.proven;
                    self.free.retain(|&free| free != index);
                    self.replace(index, proven, clock::now());
                }
            }
            Phase::Down => {}
        }
        None
    }

    fn connect(&mut self, index: usize, now: Nanos) {
        match self.begin(index, now) {
            Ok(()) => {
                self.connecting += 1;
                self.flight.start(index, now);
            }
            Err(error) => self.refuse(index, &error, now),
        }
    }

    fn begin(&mut self, index: usize, now: Nanos) -> io::Result<()> {
        let connection = &mut self.connections[index];
        match &self.handshakes {
            Some(handshakes) => handshakes.ask(connection.await_wire(index, now), now),
            None => connection.open(&self.target, self.stamped, index, &self.poll, now)?,
        }
        Ok(())
    }

    /// The connection `index` is open and free.
    fn opened(&mut self, index: usize) {
        self.connections[index].phase = Phase::Idle;
        self.flight.end(index);
        self.connecting -= 1;
        self.free.push_back(index);
    }

    fn refuse(&mut self, index: usize, error: &io::Error, now: Nanos) {
        self.note(error);
        if self.flight.end(index) {
            self.connecting -= 1;
        }
        self.connections[index].close();
        self.retries.push_back((now + RETRY_AFTER, index));
    }

    /// Counts a refused connect by its reason.
    fn note(&mut self, error: &io::Error) -> RequestError {
        let reason = match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => "descriptors",
            Some(Errno::ADDRNOTAVAIL) => "ports",
            None if self.handshakes.is_some() => {
                self.told.get_or_insert_with(|| tls::told(error));
                "handshake"
            }
            _ => "connect",
        };
        *self.refused.entry(reason).or_default() += 1;
        self.refusing = true;
        RequestError::Connect
    }

    fn progress(&mut self, patience: Nanos) -> Result<()> {
        let mut events = [MaybeUninit::uninit(); EVENTS];
        let ready = self.poll.wait(&mut events, Some(patience)).context(|| "epoll".into())?;
        for event in ready {
            match event.data.u64() {
                OPENED => while self.handshaken().is_some() {},
                _ => _ = self.route(event),
            }
        }
        Ok(())
    }

    fn connect_error(&self) -> Error {
        let target = &self.target;
        if let Some((why, help)) = &self.told {
            return Error::usage(format!("{target}: {why}")).help(*help).by_contender("");
        }
        if self.refused.contains_key("descriptors") {
            return Error::usage("this process has no descriptor left for a connection")
                .help("raise the limit with `ulimit -n`");
        }
        if self.refused.contains_key("ports") {
            return Error::usage(format!("no local port is left for a connection to {target}"))
                .help("wait a minute, until those of closed connections are free again");
        }
        if self.refused.contains_key("connect") {
            let help = match target.is_there() {
                true => "start the server first, and look at its port",
                false => "there is no such socket: start the server first, and look at its path",
            };
            return Error::usage(format!("nothing listens on {target}"))
                .help(help)
                .by_contender("");
        }
        Error::usage(format!("{target} accepted no connection within {}", self.timeout))
            .by_contender("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_connection_whose_close_is_known_is_not_lent_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let plan = Plan {
            target: listener.local_addr().unwrap().into(),
            shape: Shape::Closed,
            timeout: Nanos::SECOND,
            ..crate::load::mix::tests::plan(Vec::new())
        };
        let mut pool = Pool::open(&plan, 2, &AtomicBool::new(false)).unwrap();
        let (first, _second) = (listener.accept().unwrap(), listener.accept().unwrap());
        drop(first);
        let mut events = [MaybeUninit::uninit(); EVENTS];
        let patience = Some(Nanos(60 * Nanos::SECOND.0));
        let ready = pool.poll.wait(&mut events, patience).unwrap();
        assert_eq!(ready.len(), 1, "one was closed");
        pool.withdraw(&ready[0]);
        assert_eq!((pool.acquire(), pool.acquire()), (Some(1), None), "the other one alone");
        assert_eq!((pool.route(&ready[0]), pool.reconnects), (None, 1), "and it is opened again");
    }
}
