//! A socket of a thread: a call that cannot be done at once puts the thread to sleep in the kernel.

use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use rustix::io::Errno;
use rustix::net::RecvFlags;

use crate::backend::http::socket::{Limits, READ_BYTES, too_slow};
use crate::backend::http::watch::{Phase, Stay, Watch};

#[derive(Debug)]
pub(crate) struct Socket {
    stream: Arc<TcpStream>,
    watch: Arc<Watch>,
    limits: Limits,
    waiting: Waiting,
}

/// Differs: in how many parts a thread waits for a peer to read. A write that runs out of time says how much was taken,
/// and not when; so it has a part of the time alone, and only parts in which nothing was taken count.
const WRITE_PARTS: u32 = 20;

/// Who waits for what cannot be done at once.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// The thread that has the connection, in the kernel, which keeps the deadline.
    Here(KernelTimeout),
    /// The worker that holds the pool's epoll set, which keeps the deadline.
    Pool,
}

impl Socket {
    pub(crate) fn new(
        stream: Arc<TcpStream>,
        watch: Arc<Watch>,
        limits: Limits,
        waiting: Waiting,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        match waiting {
            Waiting::Here(_) => stream.set_write_timeout(Some(limits.write / WRITE_PARTS))?,
            Waiting::Pool => stream.set_nonblocking(true)?,
        }
        Ok(Self { stream, watch, limits, waiting })
    }

    /// Sees to it that the next `recv` sleeps only so long, or not at all.
    fn wait(&mut self) -> io::Result<RecvFlags> {
        match &mut self.waiting {
            Waiting::Pool if self.watch.is_late() => Err(too_slow()),
            Waiting::Pool => Ok(RecvFlags::DONTWAIT),
            Waiting::Here(timeout) => {
                timeout.set(&self.stream, self.watch.stay(), &self.limits)?;
                Ok(RecvFlags::empty())
            }
        }
    }

    /// What a write gives; a peer that does not read is waited for only so long.
    fn written(&self, write: impl Fn() -> io::Result<usize>) -> Poll<io::Result<usize>> {
        let tries = match self.waiting {
            Waiting::Here(_) => WRITE_PARTS,
            Waiting::Pool => 1,
        };
        let taken = (0..tries).map(|_| write()).find(|result| !would_block(result));
        self.watch.wrote(taken.is_none());
        Poll::Ready(match (taken, &self.waiting) {
            (Some(result), _) => result,
            (None, Waiting::Pool) if !self.watch.is_late() => return Poll::Pending,
            (None, _) => Err(too_slow()),
        })
    }
}

fn would_block(result: &io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

impl Read for Socket {
    /// Differs: the read is put off by one poll, so that hyper writes all that it has before the thread sleeps.
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.watch.ask_to_read() {
            self.watch.waits();
            return Poll::Pending;
        }
        let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
        let len = into.remaining().min(READ_BYTES);
        let flags = self.wait()?;
        loop {
            match rustix::net::recv(&*self.stream, &mut bytes[..len], flags) {
                Ok(((read, _), _)) => {
                    if !read.is_empty() {
                        self.watch.received();
                    }
                    into.put_slice(read);
                    return Poll::Ready(Ok(()));
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if flags == RecvFlags::DONTWAIT => {
                    self.watch.ask_to_read();
                    return Poll::Pending;
                }
                Err(Errno::AGAIN) => return Poll::Ready(Err(too_slow())),
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

impl Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written(|| (&*self.stream).write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.written(|| (&*self.stream).write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What was written is with the kernel already.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.stream.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}

/// Differs: what the kernel was last told about `recv`, so that it is told only what is new.
#[derive(Debug, Default)]
pub(crate) struct KernelTimeout {
    deadline: Option<(Stay, Instant)>,
    told: Option<Duration>,
}

/// Differs: a timer in the kernel has to be told, one in the runtime is asked.
impl KernelTimeout {
    fn set(&mut self, stream: &TcpStream, stay: Stay, limits: &Limits) -> io::Result<()> {
        let timeout = match stay.phase() {
            // Nothing has come since the wait began: all of it is left, and no clock is needed to say so.
            Phase::Idle => limits.idle,
            _ => self.left(stay, limits)?,
        };
        if self.told != Some(timeout) {
            stream.set_read_timeout(Some(timeout))?;
            self.told = Some(timeout);
        }
        Ok(())
    }

    /// What is left of a stay that began when it was first asked about.
    fn left(&mut self, stay: Stay, limits: &Limits) -> io::Result<Duration> {
        let now = Instant::now();
        let deadline = match self.deadline {
            Some((of, deadline)) if of == stay => deadline,
            _ => now + stay.limit(limits),
        };
        self.deadline = Some((stay, deadline));
        match deadline.saturating_duration_since(now) {
            Duration::ZERO => Err(too_slow()),
            left => Ok(left),
        }
    }
}
