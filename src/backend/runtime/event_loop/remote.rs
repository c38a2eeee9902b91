//! Calls another server from an event loop: a task that waits for a connection or an answer yields the thread.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::backend::runtime::event_loop::helpers::FanOutPool;
use crate::backend::runtime::{
    ANSWER_WITHIN, ClientError, GREET_WITHIN, Gather, Peer, Protocol, READ_BYTES, Usage,
};

/// An event loop's connections to the database.
#[cfg(not(feature = "cross-check"))]
pub(crate) type Client = ClientPool<crate::backend::postgres::PostgresProtocol>;

/// The client of the database, without a connection yet.
#[cfg(not(feature = "cross-check"))]
pub(crate) fn client(
    _: &crate::backend::Settings,
    peer: crate::backend::runtime::Peer<crate::postgres::Server>,
) -> crate::error::Result<Client> {
    Ok(Client::new(peer))
}

/// Connections to one server, opened as they are first needed.
#[derive(Debug)]
pub(crate) struct ClientPool<P: Protocol> {
    peer: Peer<P::Target>,
    /// Connections that may still be taken. Callers get theirs in the order in which they came.
    free: Semaphore,
    idle: Mutex<Vec<PooledConnection<P>>>,
    usage: Usage,
    fan_out: FanOutPool,
}

impl<P: Protocol> ClientPool<P> {
    pub(crate) fn new(peer: Peer<P::Target>) -> Self {
        let size = peer.connections;
        let (free, idle) = (Semaphore::new(size), Mutex::default());
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
    pub(crate) async fn ask(&self, question: P::Question<'_>) -> Result<P::Answer, ClientError> {
        let mut lease = self.take().await?;
        lease.connection().send(question).await?;
        lease.receive().await
    }

    /// Asks several questions that do not depend on each other; the answers come in their order.
    ///
    /// # Errors
    /// The first error of any; those asked at once have all been answered by then.
    pub(crate) async fn ask_all<const N: usize>(
        &self,
        questions: [P::Question<'_>; N],
    ) -> Result<[P::Answer; N], ClientError> {
        let mut answers = Vec::with_capacity(N);
        match self.peer.gather {
            Gather::InTurn => {
                for question in questions {
                    answers.push(self.ask(question).await?);
                }
            }
            _ => answers = self.at_once(questions).await?,
        }
        Ok(answers.try_into().ok().expect("an answer for each question"))
    }

    /// Joined futures: each takes a connection of its own, asks and waits, while the others do.
    async fn at_once<const N: usize>(
        &self,
        questions: [P::Question<'_>; N],
    ) -> Result<Vec<P::Answer>, ClientError> {
        let asked = questions.map(|question| self.ask(question));
        join_all(asked).await.into_iter().collect()
    }

    /// A connection for this caller alone, after all who came before.
    async fn take(&self) -> Result<Lease<'_, P>, ClientError> {
        let came = Instant::now();
        let permit = self.free.acquire().await.expect("it is never closed");
        let since = self.usage.taken(came, 1);
        let idle = self.idle().pop();
        let mut lease = Lease { pool: self, connection: idle, since, _permit: permit };
        if lease.connection.is_none() {
            lease.connection = Some(PooledConnection::open(&self.peer).await?);
        }
        Ok(lease)
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
    _permit: SemaphorePermit<'a>,
}

impl<P: Protocol> Lease<'_, P> {
    fn connection(&mut self) -> &mut PooledConnection<P> {
        self.connection.as_mut().expect("a lease has its connection until it is dropped")
    }

    /// The answer to what was sent, and the end of the wait for it.
    async fn receive(mut self) -> Result<P::Answer, ClientError> {
        self.connection().receive().await
    }
}

impl<P: Protocol> Drop for Lease<'_, P> {
    fn drop(&mut self) {
        let whole = self.connection.take().filter(|connection| !connection.waiting);
        self.pool.idle().extend(whole);
        self.pool.usage.given_back(self.since);
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
    async fn open(peer: &Peer<P::Target>) -> Result<Self, ClientError> {
        timeout(GREET_WITHIN, Self::greeted(peer))
            .await
            .unwrap_or_else(|_| Err(ClientError::too_slow()))
    }

    async fn greeted(peer: &Peer<P::Target>) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(peer.address).await?;
        stream.set_nodelay(true)?;
        let protocol = P::begin(&peer.target);
        let mut connection = Self { stream, protocol, waiting: false };
        while !connection.protocol.greet()? {
            connection.flush().await?;
            connection.fill().await?;
        }
        Ok(connection)
    }

    async fn send(&mut self, question: P::Question<'_>) -> Result<(), ClientError> {
        self.waiting = true;
        self.protocol.ask(question);
        self.flush().await
    }

    async fn receive(&mut self) -> Result<P::Answer, ClientError> {
        loop {
            match self.protocol.answer() {
                Ok(Some(answer)) => {
                    self.waiting = false;
                    return Ok(answer);
                }
                Ok(None) => self.fill().await?,
                Err(error) => {
                    self.waiting = !error.is_harmless();
                    return Err(error);
                }
            }
        }
    }

    async fn flush(&mut self) -> Result<(), ClientError> {
        let outgoing = &mut self.protocol.buffers().outgoing;
        if !outgoing.is_empty() {
            self.stream.write_all(outgoing).await?;
            outgoing.clear();
        }
        Ok(())
    }

    /// Differs: a task that waits must be small, so bytes are read where they stay and not by way of its stack.
    async fn fill(&mut self) -> Result<(), ClientError> {
        let incoming = &mut self.protocol.buffers().incoming;
        incoming.reserve(READ_BYTES);
        let read = timeout(ANSWER_WITHIN, self.stream.read_buf(incoming));
        match read.await.map_err(|_| ClientError::too_slow())?? {
            0 => Err(ClientError::gone()),
            _ => Ok(()),
        }
    }
}
