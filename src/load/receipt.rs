//! When the kernel received what a read gives. One read in a hundred asks, the others are plain reads.
//!
//! Only under an open load: while any socket wants stamps, the kernel reads its clock for every packet, which costs a
//! closed loop some percent of its CPU per request and tells it nothing, for it has no response time to be late for.
//!
//! SO_TIMESTAMPNS on a TCP socket: with the bytes comes the instant at which the last of their packets came up from the
//! device (`tcp_recvmsg`, since Linux 4.16).

use std::io::{self, IoSliceMut};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

use super::clock;
use crate::units::Nanos;

/// Of so many reads one asks.
const ONE_IN: u32 = 100;

/// Says which reads ask: counts down to the next one.
#[derive(Debug)]
pub(crate) struct Sampler(u32);

impl Sampler {
    /// For sockets that are stamped, or are not: then the first read to ask in vain would be the 2^32nd.
    pub(crate) fn new(stamped: bool) -> Self {
        Self(if stamped { 0 } else { u32::MAX })
    }

    /// Whether this read asks: the first does, and each hundredth after it.
    pub(crate) fn asks(&mut self) -> bool {
        let asks = self.0 == 0;
        self.0 = if asks { ONE_IN - 1 } else { self.0 - 1 };
        asks
    }
}

/// Has the kernel stamp what `socket` receives. A kernel that does not leaves the lag of its reads unknown.
pub(crate) fn stamp(socket: &impl AsFd) {
    let _ = setsockopt(socket, sockopt::ReceiveTimestampns, &true);
}

/// Reads once, and gives how long the last of what was read had been there.
///
/// Both instants are of CLOCK_REALTIME and microseconds apart, so no offset between clocks comes in; a step of the
/// clock between them would show as a lag longer than the request itself, which the recorder leaves out.
pub(crate) fn read(stream: &TcpStream, buffer: &mut [u8]) -> (io::Result<usize>, Option<Nanos>) {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut into = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::empty();
    match recvmsg::<()>(stream.as_raw_fd(), &mut into, Some(&mut control), flags) {
        Ok(message) => {
            let now = clock::realtime();
            let stamped = message.cmsgs().ok().and_then(|mut all| all.find_map(stamp_of));
            (Ok(message.bytes), stamped.map(|stamped| now.saturating_sub(stamped)))
        }
        Err(error) => (Err(error.into()), None),
    }
}

fn stamp_of(message: ControlMessageOwned) -> Option<Nanos> {
    match message {
        ControlMessageOwned::ScmTimestampns(at) => {
            Some(Nanos(at.tv_sec() as u64 * 1_000_000_000 + at.tv_nsec() as u64))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn one_read_in_a_hundred_asks() {
        let mut sampler = Sampler::new(true);
        let asked: Vec<usize> = (0..250).filter(|_| sampler.asks()).collect();
        assert_eq!(asked, [0, 100, 200]);
        let mut never = Sampler::new(false);
        assert!((0..1_000).all(|_| !never.asks()));
    }

    #[test]
    fn bytes_that_lay_for_a_while_say_for_how_long() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let reader = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stamp(&reader);
        let (mut writer, _) = listener.accept().unwrap();
        // The kernel begins to stamp some time after it is asked for the first time.
        let mut buffer = [0; 64];
        let stamps = |_: &usize| {
            writer.write_all(b"-").unwrap();
            thread::sleep(Duration::from_millis(5));
            read(&reader, &mut buffer).1.is_some()
        };
        assert!((0..12_000).find(stamps).is_some(), "this kernel stamps TCP");
        // A busy kernel may receive the bytes long after they were written.
        let lay_all_along = |_: &usize| {
            writer.write_all(b"first").unwrap();
            thread::sleep(Duration::from_millis(30));
            let written = Instant::now();
            writer.write_all(b" second").unwrap();
            thread::sleep(Duration::from_millis(20));
            let (read, lag) = read(&reader, &mut buffer);
            let most = written.elapsed();
            assert_eq!(&buffer[..read.unwrap()], b"first second");
            let lag = lag.expect("this kernel stamps TCP");
            assert!(Duration::from(lag) <= most, "{lag} of {most:?}");
            lag >= Nanos(19_000_000)
        };
        assert!((0..100).find(lay_all_along).is_some(), "the last byte lay for 20 ms");
    }

    #[test]
    fn the_end_of_a_connection_has_no_instant() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let reader = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stamp(&reader);
        drop(listener.accept().unwrap());
        assert!(matches!(read(&reader, &mut [0; 8]), (Ok(0), None)));
    }
}
