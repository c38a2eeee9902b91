//! The connections of `thread-pool`: one epoll set that every worker waits on, and whatever waits in it.
//!
//! There is no dispatcher. A connection that is ready wakes one worker, which takes it out, drives it until it wants to
//! wait for its peer, and puts it back. So a connection that is idle, half-way through a request, or not reading its
//! answers holds no worker; and at most one worker has any connection, because each event is delivered once (`EPOLLONESHOT`) until it is armed again.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::backend::hash::BuildMix;
use crate::backend::http::socket::{ACCEPT_PAUSE, Limits};
use crate::backend::http::watch::{Connections, Wait, Watch};
use crate::poll::{EventFlags, ONE_SHOT, Poll, READABLE, WRITABLE};
use crate::units::Nanos;

/// The waiting connections are split into so many tables, each with its own lock.
const SHARDS: usize = 64;
/// The listener's token. Connections are numbered from 1.
const LISTENER: u64 = 0;
/// Connections that one worker accepts before it lets another, so that it gets to serve too.
const ACCEPT_MAX: usize = 64;

/// What the workers share. `F` makes a connection of an accepted stream.
pub(crate) struct Pool<F> {
    poll: Poll,
    listener: Arc<TcpListener>,
    connections: Arc<Connections>,
    waiting: [Mutex<HashMap<u64, Waiting, BuildMix>>; SHARDS],
    limits: Limits,
    open: F,
    sweeps: Sweeps,
}

/// A connection that no worker has.
struct Waiting {
    connection: ServedConnection,
    stream: Arc<TcpStream>,
    watch: Arc<Watch>,
    waker: Waker,
    /// What its peer is waited for, and until when.
    deadline: Option<(Wait, Instant)>,
}

impl<F: Fn(Arc<TcpStream>, Arc<Watch>) -> ServedConnection> Pool<F> {
    /// A pool that accepts from `listener`, and makes no progress until threads [`Self::work`].
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub(crate) fn new(
        listener: Arc<TcpListener>,
        connections: Arc<Connections>,
        limits: Limits,
        open: F,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let poll = Poll::new()?;
        poll.add(&*listener, LISTENER, READABLE | ONE_SHOT)?;
        let waiting = std::array::from_fn(|_| Mutex::default());
        let sweeps = Sweeps::new(&limits);
        Ok(Self { poll, listener, connections, waiting, limits, open, sweeps })
    }

    /// Takes whatever is ready, for ever: what each worker's thread does.
    pub(crate) fn work(&self) {
        let mut events = [MaybeUninit::uninit(); 1];
        loop {
            let ready = self.poll.wait(&mut events, Some(self.sweeps.every.into()));
            let ready = ready.expect("the set is ours and open");
            match ready.first().map(|event| event.data.u64()) {
                None => {}
                Some(LISTENER) => self.accept(),
                Some(id) => {
                    // One that was just swept out is ready no more.
                    let taken = self.shard(id).remove(&id);
                    if let Some(waiting) = taken {
                        self.serve(waiting);
                    }
                }
            }
            if self.sweeps.due(Instant::now()) {
                self.sweep();
            }
        }
    }

    /// Drives a connection whose peer has done something, on this thread, with its handlers, and puts it back.
    fn serve(&self, mut waiting: Waiting) {
        if let Some((Wait::Read(_), _)) = waiting.deadline {
            waiting.watch.let_read();
        }
        if let Some(interest) = self.go_on(&mut waiting) {
            let id = waiting.watch.id();
            let mut shard = self.shard(id);
            // Armed while the lock is held: who is woken by it finds the connection in the table.
            if self.poll.modify(&*waiting.stream, id, interest).is_ok() {
                shard.insert(id, waiting);
            }
        }
    }

    /// Drives a connection until it waits for its peer; gives what for, or nothing when it is over.
    fn go_on(&self, waiting: &mut Waiting) -> Option<EventFlags> {
        let Waiting { connection, watch, waker, .. } = waiting;
        // A handler's panic costs its connection and not the worker, as in the other models.
        let driven = catch_unwind(AssertUnwindSafe(|| drive(connection, watch, waker)));
        let (wait, interest, goes_on) = match driven.ok()? {
            Driven::Closed => return None,
            // A stay keeps its deadline, whatever part of a request has come.
            Driven::WantsRead => {
                let wait = Wait::Read(watch.stay());
                (wait, READABLE, waiting.deadline.is_some_and(|(before, _)| before == wait))
            }
            // The kernel says that there is room once much of it has been taken, so this is another wait each time.
            Driven::WantsWrite => (Wait::Write, WRITABLE, false),
        };
        if !goes_on {
            waiting.deadline = Some((wait, Instant::now() + wait.limit(&self.limits)));
        }
        Some(interest | ONE_SHOT)
    }

    /// Takes in connections that have come, then lets another worker do so.
    fn accept(&self) {
        for _ in 0..ACCEPT_MAX {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(Arc::new(stream)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) if self.connections.stopping() => return,
                Err(_) => {
                    rest();
                    break;
                }
            }
        }
        let _ = self.poll.modify(&*self.listener, LISTENER, READABLE | ONE_SHOT);
    }

    fn admit(&self, stream: Arc<TcpStream>) {
        let watch = self.connections.open();
        let connection = (self.open)(Arc::clone(&stream), Arc::clone(&watch));
        let (id, waker) = (watch.id(), Waker::from(Arc::clone(&watch)));
        let mut waiting = Waiting { connection, stream, watch, waker, deadline: None };
        // Up to its first read, as in the other models: a connection has its buffers whether it says anything or not.
        if let Some(interest) = self.go_on(&mut waiting) {
            let mut shard = self.shard(id);
            if self.poll.add(&*waiting.stream, id, interest).is_ok() {
                shard.insert(id, waiting);
            }
        }
    }

    /// Closes the connections whose peers have taken too long.
    fn sweep(&self) {
        let now = Instant::now();
        for shard in &self.waiting {
            let is_late =
                |waiting: &Waiting| waiting.deadline.is_some_and(|(_, deadline)| deadline <= now);
            let late: Vec<_> = lock(shard).extract_if(|_, waiting| is_late(waiting)).collect();
            for (_, Waiting { mut connection, watch, waker, .. }) in late {
                // It may have something to say before it is closed.
                watch.fail();
                let _ = catch_unwind(AssertUnwindSafe(|| drive(&mut connection, &watch, &waker)));
            }
        }
    }

    fn shard(&self, id: u64) -> MutexGuard<'_, HashMap<u64, Waiting, BuildMix>> {
        lock(&self.waiting[id as usize % SHARDS])
    }
}

/// When to look for late connections. Any worker that is awake does it.
#[derive(Debug)]
struct Sweeps {
    every: Duration,
    start: Instant,
    next_ns: AtomicU64,
}

impl Sweeps {
    /// The share of the shortest deadline by which one may be missed.
    const PART: u32 = 8;
    const EVERY_MIN: Duration = Duration::from_millis(10);
    const EVERY_MAX: Duration = Duration::from_secs(1);

    fn new(limits: &Limits) -> Self {
        let shortest = limits.head.min(limits.body).min(limits.idle).min(limits.write);
        let every = (shortest / Self::PART).clamp(Self::EVERY_MIN, Self::EVERY_MAX);
        Self { every, start: Instant::now(), next_ns: AtomicU64::new(0) }
    }

    /// Whether this caller is the one to sweep now.
    fn due(&self, now: Instant) -> bool {
        let now = Nanos::from(now.saturating_duration_since(self.start)).0;
        let next = self.next_ns.load(Relaxed);
        let after = now + Nanos::from(self.every).0;
        now >= next && self.next_ns.compare_exchange(next, after, Relaxed, Relaxed).is_ok()
    }
}

/// Nothing panics while a table is locked, so a poisoned one is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that can be driven, from whatever thread.
pub(crate) type ServedConnection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Differs: accepting goes on in a moment, for the pool too. The process is out of descriptors.
pub(crate) fn rest() {
    thread::sleep(ACCEPT_PAUSE);
}

/// What a connection has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driven {
    Closed,
    /// It can do nothing until there are bytes to read; everything that it had to say is written.
    WantsRead,
    /// It has something to say that its peer has no room for. Where a thread waits in the write, it never comes to this.
    WantsWrite,
}

/// Differs: the one place where hyper is polled by hand. It runs the connection as far as it goes without reading.
///
/// # Panics
/// When the connection waits for neither a read nor a write: then nothing would ever wake it.
pub(crate) fn drive(connection: &mut ServedConnection, watch: &Watch, waker: &Waker) -> Driven {
    let mut context = Context::from_waker(waker);
    loop {
        match connection.as_mut().poll(&mut context) {
            task::Poll::Ready(()) => return Driven::Closed,
            task::Poll::Pending if watch.take_woken() => {}
            task::Poll::Pending if watch.wants_write() => return Driven::WantsWrite,
            task::Poll::Pending if watch.wants_read() => return Driven::WantsRead,
            task::Poll::Pending => {
                panic!("a connection waits for something that no thread will do")
            }
        }
    }
}
