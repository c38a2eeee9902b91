//! epoll, level-triggered or one-shot, with waits in nanoseconds: what the generator, the thread pool and
//! the stand-in sleep in.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::units::Nanos;

pub use rustix::event::epoll::{Event, EventFlags};

/// Readable, or hung up by the other side.
pub const READABLE: EventFlags = EventFlags::IN.union(EventFlags::RDHUP);
pub const WRITABLE: EventFlags = EventFlags::OUT;
/// At most one event until the descriptor is armed again.
pub const ONE_SHOT: EventFlags = EventFlags::ONESHOT;

/// One epoll set. Several threads may wait on it: every method takes `&self`.
#[derive(Debug)]
pub struct Poll {
    epoll: OwnedFd,
}

impl Poll {
    /// An empty set.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Watches `fd` for `interest`; its events carry `token`.
    ///
    /// # Errors
    /// When `fd` is already in the set, or the system is out of watches.
    pub fn add(&self, fd: impl AsFd, token: u64, interest: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(token), interest)?)
    }

    /// Watches `fd` for something else, or arms a one-shot again.
    pub fn modify(&self, fd: impl AsFd, token: u64, interest: EventFlags) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, EventData::new_u64(token), interest)?)
    }

    /// Forgets `fd`. Closing a descriptor does it too.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    /// Waits until something is ready or `timeout` is over (`None`: forever); an interrupted wait is empty.
    pub fn wait<'a>(
        &self,
        events: &'a mut [MaybeUninit<Event>],
        timeout: Option<Nanos>,
    ) -> io::Result<&'a [Event]> {
        let timeout = timeout.map(|Nanos(ns)| Timespec {
            tv_sec: (ns / 1_000_000_000) as i64,
            tv_nsec: (ns % 1_000_000_000) as _,
        });
        match epoll::wait(&self.epoll, events, timeout.as_ref()) {
            Ok((ready, _)) => Ok(ready),
            Err(rustix::io::Errno::INTR) => Ok(&[]),
            Err(error) => Err(error.into()),
        }
    }
}

/// Lets this process have `needed` descriptors: up to the hard limit; what is missing then shows as refused connections.
pub(crate) fn raise_descriptor_limit(needed: u64) {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        limit.current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_one_shot_speaks_once_until_armed_again() {
        let (mut writer, reader) = UnixStream::pair().unwrap();
        let poll = Poll::new().unwrap();
        poll.add(&reader, 7, READABLE | ONE_SHOT).unwrap();
        writer.write_all(b"x").unwrap();
        let mut events = [MaybeUninit::uninit(); 4];
        let ready = poll.wait(&mut events, Some(Nanos::SECOND)).unwrap();
        assert_eq!(ready.iter().map(|e| e.data.u64()).collect::<Vec<_>>(), [7]);
        assert!(poll.wait(&mut events, Some(Nanos::MILLI)).unwrap().is_empty());
        poll.modify(&reader, 8, READABLE | ONE_SHOT).unwrap();
        let ready = poll.wait(&mut events, Some(Nanos::SECOND)).unwrap();
        assert_eq!(ready.len(), 1);
        poll.remove(&reader).unwrap();
        assert!(poll.wait(&mut events, Some(Nanos(0))).unwrap().is_empty());
    }
}
