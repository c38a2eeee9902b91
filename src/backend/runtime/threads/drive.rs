//! Drives a hyper connection over a blocking socket.

use crate::backend::http::limits::ACCEPT_PAUSE;
use crate::backend::http::watch::Watch;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;

/// A connection that can be driven, from whatever thread.
pub(crate) type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

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
/// When the connection waits for neither a read nor a write: then nobody would ever wake it.
pub(crate) fn drive(connection: &mut Connection, watch: &Watch, waker: &Waker) -> Driven {
    let mut context = Context::from_waker(waker);
    loop {
        match connection.as_mut().poll(&mut context) {
            Poll::Ready(()) => return Driven::Closed,
            Poll::Pending if watch.take_woken() => {}
            Poll::Pending if watch.wants_write() => return Driven::WantsWrite,
            Poll::Pending if watch.wants_read() => return Driven::WantsRead,
            Poll::Pending => panic!("a connection waits for something that no thread will do"),
        }
    }
}
