//! Asking another server from a thread: whoever waits, for a connection or for an answer, sleeps in the kernel.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::backend::remote::{
    ANSWER_WITHIN, GREET_WITHIN, Gather, Peer, Protocol, READ_BYTES, Trouble, Usage,
};
use crate::backend::runtime::threads::fan_out::Hands;

/// Connections to one server, opened as they are first needed.
#[derive(Debug)]
pub(crate) struct Pool<P: Protocol> {
    peer: Peer<P::Target>,
    /// Connections that may still be taken. Callers get theirs in the order in which they came.
    free: Line,
    idle: Mutex<Vec<Connection<P>>>,
    usage: Usage,
    hands: Hands,
}

impl<P: Protocol> Pool<P> {
    /// A pool without a connection yet.
    pub(crate) fn new(peer: Peer<P::Target>) -> Self {
        let size = peer.connections;
        let (free, idle) = (Line::new(size), Mutex::default());
        Self { peer, free, idle, usage: Usage::new(size), hands: Hands::new(size) }
    }

    /// Who waited how long.
    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// As many hands as connections, for requests that have more questions than that.
    pub(crate) fn hands(&self) -> &Hands {
        &self.hands
    }

    /// Asks one question over one connection.
    ///
    /// # Errors
    /// As [`Protocol::answer`], or when no connection can be had.
    pub(crate) fn ask(&self, question: P::Question<'_>) -> Result<P::Answer, Trouble> {
        let mut lease = self.take()?;
        lease.connection().send(question)?;
        lease.receive()
    }

    /// Asks several questions that do not depend on each other; the answers come in their order.
    ///
    /// # Errors
    /// The first trouble of any; those asked at once have all been answered by then.
    pub(crate) fn ask_all<const N: usize>(
        self: &Arc<Self>,
        questions: [P::Question<'static>; N],
    ) -> Result<[P::Answer; N], Trouble> {
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
    ) -> Result<Vec<P::Answer>, Trouble> {
        let mut answers = Vec::with_capacity(N);
        for questions in questions.chunks(self.usage.size()) {
            let mut leases = self.take_several(questions.len())?;
            let mut sent = Vec::with_capacity(N);
            for (lease, question) in leases.iter_mut().zip(questions) {
                sent.push(lease.connection().send(*question));
            }
            let received = |(lease, sent): (Lease<'_, P>, Result<(), Trouble>)| {
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
    ) -> Result<Vec<P::Answer>, Trouble> {
        let (first, rest) = questions.split_first().expect("there is a question");
        let hand_out = |question: &P::Question<'static>| {
            let (pool, question) = (Arc::clone(self), *question);
            self.hands.hand(move || pool.ask(question))
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
    ) -> Result<Vec<P::Answer>, Trouble> {
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
    fn take(&self) -> Result<Lease<'_, P>, Trouble> {
        Ok(self.take_several(1)?.pop().expect("one was asked for"))
    }

    /// Differs: a thread that waits for one connection while it holds another could wait for ever.
    fn take_several(&self, count: usize) -> Result<Vec<Lease<'_, P>>, Trouble> {
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
                lease.connection = Some(Connection::open(&self.peer)?);
            }
        }
        Ok(leases)
    }

    /// Nothing panics while the list is locked.
    fn idle(&self) -> MutexGuard<'_, Vec<Connection<P>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is taken. Dropping it gives it back, unless an answer is still to come on it.
struct Lease<'a, P: Protocol> {
    pool: &'a Pool<P>,
    connection: Option<Connection<P>>,
    since: Instant,
}

impl<P: Protocol> Lease<'_, P> {
    fn connection(&mut self) -> &mut Connection<P> {
        self.connection.as_mut().expect("a lease has its connection until it is dropped")
    }

    /// The answer to what was sent, and the end of the wait for it.
    fn receive(mut self) -> Result<P::Answer, Trouble> {
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
struct Connection<P> {
    stream: TcpStream,
    protocol: P,
    /// A question was sent whose answer has not been read.
    waiting: bool,
}

impl<P: Protocol> Connection<P> {
    fn open(peer: &Peer<P::Target>) -> Result<Self, Trouble> {
        let connection = Self::greeted(peer)?;
        connection.stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(connection)
    }

    fn greeted(peer: &Peer<P::Target>) -> Result<Self, Trouble> {
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

    fn send(&mut self, question: P::Question<'_>) -> Result<(), Trouble> {
        self.waiting = true;
        self.protocol.ask(question);
        self.flush()
    }

    fn receive(&mut self) -> Result<P::Answer, Trouble> {
        loop {
            match self.protocol.answer() {
                Ok(Some(answer)) => {
                    self.waiting = false;
                    return Ok(answer);
                }
                Ok(None) => self.fill()?,
                Err(trouble) => {
                    self.waiting = !trouble.is_harmless();
                    return Err(trouble);
                }
            }
        }
    }

    fn flush(&mut self) -> Result<(), Trouble> {
        let outgoing = &mut self.protocol.buffers().outgoing;
        if !outgoing.is_empty() {
            self.stream.write_all(outgoing)?;
            outgoing.clear();
        }
        Ok(())
    }

    /// Differs: a thread has a stack of its own, so bytes come by way of it.
    fn fill(&mut self) -> Result<(), Trouble> {
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(Trouble::gone()),
            Ok(read) => {
                self.protocol.buffers().incoming.extend_from_slice(&bytes[..read]);
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => self.fill(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                Err(Trouble::too_slow())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Differs: what tokio's semaphore is for tasks. Threads stand in line, the first for as many places as it wants.
#[derive(Debug)]
struct Line {
    places: Mutex<Places>,
}

/// Differs: see [`Line`].
#[derive(Debug)]
struct Places {
    free: usize,
    waiting: VecDeque<Arc<Turn>>,
}

/// Differs: see [`Line`].
#[derive(Debug)]
struct Turn {
    wanted: usize,
    thread: Thread,
    come: AtomicBool,
}

/// Differs: see [`Line`].
impl Line {
    fn new(free: usize) -> Self {
        Self { places: Mutex::new(Places { free, waiting: VecDeque::new() }) }
    }

    /// Takes `wanted` places, all together, when everyone who came before has theirs.
    fn take(&self, wanted: usize) {
        let mut places = self.places();
        if places.waiting.is_empty() && places.free >= wanted {
            places.free -= wanted;
            return;
        }
        let turn =
            Arc::new(Turn { wanted, thread: thread::current(), come: AtomicBool::new(false) });
        places.waiting.push_back(Arc::clone(&turn));
        drop(places);
        while !turn.come.load(Acquire) {
            thread::park();
        }
    }

    /// Gives one place back, and to the first in line as soon as it has enough.
    fn give_back(&self) {
        let mut places = self.places();
        places.free += 1;
        while let Some(turn) = places.waiting.front().filter(|turn| turn.wanted <= places.free) {
            let turn = Arc::clone(turn);
            places.free -= turn.wanted;
            places.waiting.pop_front();
            turn.come.store(true, Release);
            turn.thread.unpark();
        }
    }

    /// Nothing panics while the line is locked.
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn everyone_may_want_three_of_three_places() {
        let (line, start) = (Line::new(3), Barrier::new(8));
        thread::scope(|scope| {
            for thread in 0..8_usize {
                let (line, start) = (&line, &start);
                scope.spawn(move || {
                    start.wait();
                    for turn in 0..2_000 {
                        let wanted = 1 + (thread + turn) % 3;
                        line.take(wanted);
                        (0..wanted).for_each(|_| line.give_back());
                    }
                });
            }
        });
        assert_eq!(line.places().free, 3);
        assert!(line.places().waiting.is_empty());
    }

    #[test]
    fn who_wants_little_does_not_pass_who_wants_much() {
        let line = Line::new(2);
        line.take(1);
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for (came, (wanted, name)) in (1..).zip([(2, "much"), (1, "little")]) {
                let (line, order) = (&line, &order);
                scope.spawn(move || {
                    line.take(wanted);
                    order.lock().unwrap().push(name);
                    (0..wanted).for_each(|_| line.give_back());
                });
                // In line, or wrongly past it, before the next one comes.
                while line.places().waiting.len() + order.lock().unwrap().len() < came {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            line.give_back();
        });
        assert_eq!(*order.lock().unwrap(), ["much", "little"]);
    }
}
