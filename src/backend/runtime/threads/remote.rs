//! Calls another server from a thread: a thread that waits for a connection or an answer sleeps in the kernel.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::backend::runtime::threads::helpers::FanOutPool;
use crate::backend::runtime::{
    ANSWER_WITHIN, ClientError, GREET_WITHIN, Gather, Peer, Protocol, READ_BYTES, Usage,
};

/// Connections to one server, opened as they are first needed.
#[derive(Debug)]
pub(crate) struct ClientPool<P: Protocol> {
    peer: Peer<P::Target>,
    /// Connections that may still be taken. Callers get theirs in the order in which they came.
    free: FifoSemaphore,
    idle: Mutex<Vec<PooledConnection<P>>>,
    usage: Usage,
    fan_out: FanOutPool,
}

impl<P: Protocol> ClientPool<P> {
    pub(crate) fn new(peer: Peer<P::Target>) -> Self {
        let size = peer.connections;
        let (free, idle) = (FifoSemaphore::new(size), Mutex::default());
        Self { peer, free, idle, usage: Usage::new(size), fan_out: FanOutPool::new(size) }
    }

    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// As many workers as connections, for requests with more questions than that.
    pub(crate) fn fan_out(&self) -> &FanOutPool {
        &self.fan_out
    }

    /// Asks one question over one connection.
    ///
    /// # Errors
    /// As [`Protocol::answer`], or when no connection can be had.
    pub(crate) fn ask(&self, question: P::Question<'_>) -> Result<P::Answer, ClientError> {
        let mut lease = self.take()?;
        lease.connection().send(question)?;
        lease.receive()
    }

    /// Asks several questions that do not depend on each other; the answers come in their order.
    ///
    /// # Errors
    /// The first error of any; those asked at once have all been answered by then.
    pub(crate) fn ask_all<const N: usize>(
        self: &Arc<Self>,
        questions: [P::Question<'static>; N],
    ) -> Result<[P::Answer; N], ClientError> {
        let mut answers = Vec::with_capacity(N);
        match self.peer.gather {
            Gather::InTurn => {
                for question in questions {
                    answers.push(self.ask(question)?);
                }
            }
            Gather::AtOnce => answers = self.at_once(questions)?,
            Gather::Pool => answers = self.handed_out(questions)?,
            Gather::Scoped => answers = self.spawned(questions)?,
        }
        Ok(answers.try_into().ok().expect("an answer for each question"))
    }

    /// Split-phase: one thread takes as many connections as there are questions, writes all of them, and then reads. Who
    /// took them one by one would hold some while waiting for others, and so might everyone.
    fn at_once<const N: usize>(
        &self,
        questions: [P::Question<'_>; N],
    ) -> Result<Vec<P::Answer>, ClientError> {
        let mut answers = Vec::with_capacity(N);
        for questions in questions.chunks(self.usage.size()) {
            let mut leases = self.take_several(questions.len())?;
            let mut sent = Vec::with_capacity(N);
            for (lease, question) in leases.iter_mut().zip(questions) {
                sent.push(lease.connection().send(*question));
            }
            let received = |(lease, sent): (Lease<'_, P>, Result<(), ClientError>)| {
                sent.and_then(|()| lease.receive())
            };
            answers.extend(leases.into_iter().zip(sent).map(received));
        }
        answers.into_iter().collect()
    }

    /// Differs: a thread can ask one question at a time, so others ask the rest: those of a fixed pool.
    fn handed_out<const N: usize>(
        self: &Arc<Self>,
        questions: [P::Question<'static>; N],
    ) -> Result<Vec<P::Answer>, ClientError> {
        let (first, rest) = questions.split_first().expect("there is a question");
        let hand_out = |question: &P::Question<'static>| {
            let (pool, question) = (Arc::clone(self), *question);
            self.fan_out.submit(move || pool.ask(question))
        };
        let others: Vec<_> = rest.iter().map(hand_out).collect();
        let first = self.ask(*first);
        let others = others.into_iter().map(|other| other.recv().expect("asking does not panic"));
        std::iter::once(first).chain(others).collect()
    }

    /// Differs: or those that are started for it.
    fn spawned<const N: usize>(
        &self,
        questions: [P::Question<'_>; N],
    ) -> Result<Vec<P::Answer>, ClientError> {
        let (first, rest) = questions.split_first().expect("there is a question");
        thread::scope(|scope| {
            let others: Vec<_> =
                rest.iter().map(|question| scope.spawn(|| self.ask(*question))).collect();
            let first = self.ask(*first);
            let others =
                others.into_iter().map(|other| other.join().expect("asking does not panic"));
            std::iter::once(first).chain(others).collect()
        })
    }

    /// A connection for this caller alone, after all who came before.
    fn take(&self) -> Result<Lease<'_, P>, ClientError> {
        Ok(self.take_several(1)?.pop().expect("one was asked for"))
    }

    /// Differs: a thread that waits for one connection while it holds another could wait for ever.
    fn take_several(&self, count: usize) -> Result<Vec<Lease<'_, P>>, ClientError> {
        let came = Instant::now();
        self.free.take(count);
        let since = self.usage.taken(came, count);
        let mut leases: Vec<_> =
            (0..count).map(|_| Lease { pool: self, connection: None, since }).collect();
        let mut idle = self.idle();
        leases.iter_mut().for_each(|lease| lease.connection = idle.pop());
        drop(idle);
        for lease in &mut leases {
            if lease.connection.is_none() {
                lease.connection = Some(PooledConnection::open(&self.peer)?);
            }
        }
        Ok(leases)
    }

    /// Nothing panics while the list is locked.
    fn idle(&self) -> MutexGuard<'_, Vec<PooledConnection<P>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is taken. Dropping it gives it back, unless an answer is still to come on it.
struct Lease<'a, P: Protocol> {
    pool: &'a ClientPool<P>,
    connection: Option<PooledConnection<P>>,
    since: Instant,
}

impl<P: Protocol> Lease<'_, P> {
    fn connection(&mut self) -> &mut PooledConnection<P> {
        self.connection.as_mut().expect("a lease has its connection until it is dropped")
    }

    /// The answer to what was sent, and the end of the wait for it.
    fn receive(mut self) -> Result<P::Answer, ClientError> {
        self.connection().receive()
    }
}

impl<P: Protocol> Drop for Lease<'_, P> {
    fn drop(&mut self) {
        let whole = self.connection.take().filter(|connection| !connection.waiting);
        self.pool.idle().extend(whole);
        self.pool.usage.given_back(self.since);
        self.pool.free.give_back();
    }
}

/// One connection, with at most one question under way.
#[derive(Debug)]
struct PooledConnection<P> {
    stream: TcpStream,
    protocol: P,
    /// A question was sent whose answer has not been read.
    waiting: bool,
}

impl<P: Protocol> PooledConnection<P> {
    fn open(peer: &Peer<P::Target>) -> Result<Self, ClientError> {
        let connection = Self::greeted(peer)?;
        connection.stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(connection)
    }

    fn greeted(peer: &Peer<P::Target>) -> Result<Self, ClientError> {
        let until = Instant::now() + GREET_WITHIN;
        let stream = TcpStream::connect_timeout(&peer.address, GREET_WITHIN)?;
        stream.set_nodelay(true)?;
        let protocol = P::begin(&peer.target);
        let mut connection = Self { stream, protocol, waiting: false };
        while !connection.protocol.greet()? {
            connection.flush()?;
            // A thread has a limit for each read: all of them together have what a task's one limit is.
            let left = until.saturating_duration_since(Instant::now());
            connection.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            connection.fill()?;
        }
        Ok(connection)
    }

    fn send(&mut self, question: P::Question<'_>) -> Result<(), ClientError> {
        self.waiting = true;
        self.protocol.ask(question);
        self.flush()
    }

    fn receive(&mut self) -> Result<P::Answer, ClientError> {
        loop {
            match self.protocol.answer() {
                Ok(Some(answer)) => {
                    self.waiting = false;
                    return Ok(answer);
                }
                Ok(None) => self.fill()?,
                Err(error) => {
                    self.waiting = !error.is_harmless();
                    return Err(error);
                }
            }
        }
    }

    fn flush(&mut self) -> Result<(), ClientError> {
        let outgoing = &mut self.protocol.buffers().outgoing;
        if !outgoing.is_empty() {
            self.stream.write_all(outgoing)?;
            outgoing.clear();
        }
        Ok(())
    }

    /// Differs: a thread has a stack of its own, so bytes come by way of it.
    fn fill(&mut self) -> Result<(), ClientError> {
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(ClientError::gone()),
            Ok(read) => {
                self.protocol.buffers().incoming.extend_from_slice(&bytes[..read]);
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => self.fill(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                Err(ClientError::too_slow())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Differs: tokio's semaphore for threads. Waiters are served in order, each with all the permits that it wants.
#[derive(Debug)]
struct FifoSemaphore {
    permits: Mutex<Permits>,
}

/// Differs: see [`FifoSemaphore`].
#[derive(Debug)]
struct Permits {
    free: usize,
    waiting: VecDeque<Arc<Waiter>>,
}

/// Differs: see [`FifoSemaphore`].
#[derive(Debug)]
struct Waiter {
    wanted: usize,
    thread: Thread,
    granted: AtomicBool,
}

/// Differs: see [`FifoSemaphore`].
impl FifoSemaphore {
    fn new(free: usize) -> Self {
        Self { permits: Mutex::new(Permits { free, waiting: VecDeque::new() }) }
    }

    /// Takes `wanted` permits at once, after every earlier waiter.
    fn take(&self, wanted: usize) {
        let mut permits = self.permits();
        if permits.waiting.is_empty() && permits.free >= wanted {
            permits.free -= wanted;
            return;
        }
        let waiter =
            Arc::new(Waiter { wanted, thread: thread::current(), granted: AtomicBool::new(false) });
        permits.waiting.push_back(Arc::clone(&waiter));
        drop(permits);
        while !waiter.granted.load(Acquire) {
            thread::park();
        }
    }

    /// Returns one permit, and wakes the first waiters that have enough.
    fn give_back(&self) {
        let mut permits = self.permits();
        permits.free += 1;
        while let Some(waiter) =
            permits.waiting.front().filter(|waiter| waiter.wanted <= permits.free)
        {
            let waiter = Arc::clone(waiter);
            permits.free -= waiter.wanted;
            permits.waiting.pop_front();
            waiter.granted.store(true, Release);
            waiter.thread.unpark();
        }
    }

    /// Nothing panics while the semaphore is locked.
    fn permits(&self) -> MutexGuard<'_, Permits> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn everyone_may_want_three_of_three_places() {
        let (semaphore, start) = (FifoSemaphore::new(3), Barrier::new(8));
        thread::scope(|scope| {
            for thread in 0..8_usize {
                let (semaphore, start) = (&semaphore, &start);
                scope.spawn(move || {
                    start.wait();
                    for turn in 0..2_000 {
                        let wanted = 1 + (thread + turn) % 3;
                        semaphore.take(wanted);
                        (0..wanted).for_each(|_| semaphore.give_back());
                    }
                });
            }
        });
        assert_eq!(semaphore.permits().free, 3);
        assert!(semaphore.permits().waiting.is_empty());
    }

    #[test]
    fn who_wants_little_does_not_pass_who_wants_much() {
        let semaphore = FifoSemaphore::new(2);
        semaphore.take(1);
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for (came, (wanted, name)) in (1..).zip([(2, "much"), (1, "little")]) {
                let (semaphore, order) = (&semaphore, &order);
                scope.spawn(move || {
                    semaphore.take(wanted);
                    order.lock().unwrap().push(name);
                    (0..wanted).for_each(|_| semaphore.give_back());
                });
                // Waiting, or wrongly past it, before the next one comes.
                while semaphore.permits().waiting.len() + order.lock().unwrap().len() < came {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            semaphore.give_back();
        });
        assert_eq!(*order.lock().unwrap(), ["much", "little"]);
    }
}
