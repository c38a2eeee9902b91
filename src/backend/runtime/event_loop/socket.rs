//! A socket of the event loop: a call that cannot be done at once gives the thread away and is woken later.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::backend::http::socket::{Limits, READ_BYTES, too_slow};
use crate::backend::http::watch::{Wait, Watch};

#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    watch: Arc<Watch>,
    limits: Limits,
    /// The deadline of whichever of the two is waited for.
    timer: Pin<Box<Sleep>>,
    timer_of: Option<Wait>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, watch: Arc<Watch>, limits: Limits) -> Self {
        let timer = Box::pin(sleep(limits.idle));
        Self { stream, watch, limits, timer, timer_of: None }
    }

    /// Goes to sleep until the peer has done something, or has taken too long.
    fn wait(&mut self, wait: Wait, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.timer_of != Some(wait) {
            self.timer_of = Some(wait);
            self.timer.as_mut().reset(Instant::now() + wait.limit(&self.limits));
        }
        self.timer.as_mut().poll(cx).map(|()| too_slow())
    }

    /// What a write gave; a peer that does not read is waited for only so long.
    fn written(
        &mut self,
        result: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if result.is_pending() {
            return self.wait(Wait::Write, cx).map(Err);
        }
        if self.timer_of == Some(Wait::Write) {
            self.timer_of = None;
        }
        result
    }
}

impl Read for Socket {
    /// Differs: the read is tried at once. When there is nothing, the task sleeps and hyper writes what it has.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
        let len = into.remaining().min(READ_BYTES);
        let mut bytes = ReadBuf::uninit(&mut bytes[..len]);
        match Pin::new(&mut self.stream).poll_read(cx, &mut bytes) {
            Poll::Ready(Ok(())) => {
                if !bytes.filled().is_empty() {
                    self.watch.received();
                }
                into.put_slice(bytes.filled());
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // The answer before is still being written, and its deadline is the one that counts.
            Poll::Pending if self.timer_of == Some(Wait::Write) => Poll::Pending,
            Poll::Pending => {
                let stay = self.watch.waits();
                self.wait(Wait::Read(stay), cx).map(Err)
            }
        }
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(result, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.written(result, cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What was written is with the kernel already.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
