//! A server of known service times: one thread, one request at a time, each by watching the clock. It never sleeps, so
//! nothing has to wake it, and it counts what it cannot help: how long a service really took, and when its core stopped.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustls::ServerConnection;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::{Context, Error, Result};
use crate::machine::Cores;
use crate::machine::{self, proc};
use crate::poll::{Event, Poll, READABLE};
use crate::process::http;
use crate::random::Stream;
use crate::units::Nanos;

/// How long a service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// Always the same.
    Constant(Nanos),
    /// Without memory, of this mean.
    Exponential(Nanos),
}

const LISTENER: u64 = u64::MAX;
/// Events taken from the kernel at once.
const EVENTS: usize = 256;
/// A request is a head of one short line and a few fields.
const REQUEST_BYTES_MAX: usize = 4 * 1024;
/// Between two looks at the clock there is at most one system call: longer, and the core was taken away.
const PAUSE: Nanos = Nanos(100_000);
/// Sets the service times; of what value makes no difference.
const SEED: u64 = 7;

/// The type of the record that begins a connection of TLS: a handshake's.
const HANDSHAKE: u8 = 22;
/// A certificate for `localhost` and its key, both known to everybody. Nothing but the selftest's server shows it.
const KNOWN_PEM: &[u8] = include_bytes!("known.pem");

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Serves on a free port of 127.0.0.1, which is printed, until the process is ended.
pub fn serve(law: Law) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").context(|| "cannot listen".into())?;
    let address = listener.local_addr().context(|| "cannot listen".into())?;
    listener.set_nonblocking(true).context(|| "cannot listen".into())?;
    let poll = Poll::new().context(|| "cannot create an epoll set".into())?;
    poll.add(&listener, LISTENER, READABLE).context(|| "cannot watch the listener".into())?;
    println!("listening {address}");
    let clock = Clock { zero: Instant::now(), last: Nanos(0), log: Log::default() };
    KnownServer { law, poll, listener, peers: Vec::new(), clock, drawn: 0 }
        .run()
        .context(|| "the epoll set failed".into())
}

impl FromStr for Law {
    type Err = Error;

    /// `constant:400us`, `exponential:400us`
    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || Error::usage(format!("`{text}` is neither constant:TIME nor exponential:TIME"));
        let (name, time) = text.split_once(':').ok_or_else(wrong)?;
        let time = time.parse().map_err(|_| wrong())?;
        match name {
            "constant" => Ok(Self::Constant(time)),
            "exponential" => Ok(Self::Exponential(time)),
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for Law {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Constant(time) => write!(f, "constant:{}ns", time.0),
            Self::Exponential(time) => write!(f, "exponential:{}ns", time.0),
        }
    }
}

impl Law {
    fn draw(self, n: u64) -> Nanos {
        match self {
            Self::Constant(time) => time,
            Self::Exponential(mean) => {
                Nanos((-Stream::of(SEED).unit(n).ln() * mean.0 as f64).round() as u64)
            }
        }
    }
}

struct KnownServer {
    law: Law,
    poll: Poll,
    listener: TcpListener,
    peers: Vec<Option<Caller>>,
    clock: Clock,
    /// Service times so far.
    drawn: u64,
}

struct Caller {
    stream: TcpStream,
    /// Where it began with a handshake.
    tls: Option<Box<ServerConnection>>,
    half: Vec<u8>,
}

impl Caller {
    /// Takes in what was read; gives whether the connection is still of use.
    fn take(&mut self, mut bytes: &[u8]) -> bool {
        if self.tls.is_none() && self.half.is_empty() && bytes.first() == Some(&HANDSHAKE) {
            self.tls = session().ok().map(Box::new);
        }
        let Some(tls) = &mut self.tls else {
            self.half.extend_from_slice(bytes);
            return true;
        };
        while !bytes.is_empty() {
            if tls.read_tls(&mut bytes).is_err() || tls.process_new_packets().is_err() {
                return false;
            }
            let mut plain = [0; REQUEST_BYTES_MAX];
            while let Ok(count @ 1..) = tls.reader().read(&mut plain) {
                self.half.extend_from_slice(&plain[..count]);
            }
        }
        self.flush().is_ok()
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(bytes)?,
            None => self.stream.write_all(bytes)?,
        }
        self.flush()
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }
}

/// A connection's side of TLS.
fn session() -> Result<ServerConnection> {
    let wrong = || "the selftest's certificate cannot be used".to_owned();
    let chain = vec![CertificateDer::from_pem_slice(KNOWN_PEM).context(wrong)?];
    let key = PrivateKeyDer::from_pem_slice(KNOWN_PEM).context(wrong)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context(wrong)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context(wrong)?;
    ServerConnection::new(Arc::new(config)).context(wrong)
}

impl KnownServer {
    fn run(mut self) -> std::io::Result<()> {
        let mut events = [MaybeUninit::uninit(); EVENTS];
        // The end of the service before, while the server has not been idle since.
        let mut busy_until = None;
        loop {
            let ready = self.poll.wait(&mut events, Some(Nanos(0)))?;
            let now = match busy_until {
                Some(_) => self.clock.look(),
                None => self.clock.look_idle(),
            };
            if ready.is_empty() {
                busy_until = None;
            }
            for &Event { data, .. } in ready {
                match data.u64() {
                    LISTENER => self.accept(),
                    index => {
                        let start = busy_until.unwrap_or(now);
                        busy_until = self.attend(index as usize, start).or(busy_until);
                    }
                }
            }
        }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            let index = self.peers.len();
            let set = stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true));
            let added = set.and_then(|()| self.poll.add(&stream, index as u64, READABLE));
            let caller = Caller { stream, tls: None, half: Vec::new() };
            self.peers.push(added.is_ok().then_some(caller));
        }
    }

    /// Reads, and serves what is whole. Gives when the last service ended, if there was one.
    fn attend(&mut self, index: usize, start: Nanos) -> Option<Nanos> {
        let peer = self.peers[index].as_mut()?;
        let mut bytes = [0; REQUEST_BYTES_MAX];
        match peer.stream.read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Ok(count)
                if count > 0
                    && peer.half.len() + count <= REQUEST_BYTES_MAX
                    && peer.take(&bytes[..count]) => {}
            _ => {
                self.peers[index] = None;
                return None;
            }
        }
        let mut ended = None;
        while let Some(end) = memchr::memmem::find(&peer.half, b"\r\n\r\n") {
            let head: Vec<u8> = peer.half.drain(..end + 4).collect();
            if head.starts_with(b"GET /stats ") {
                let _ = peer.write(&answer(&self.clock.take_log().to_json()));
                self.peers[index] = None;
                break;
            }
            let start = ended.unwrap_or(start);
            let until = start + self.law.draw(self.drawn);
            self.drawn += 1;
            while self.clock.look() < until {}
            let sent = peer.write(ANSWER);
            let now = self.clock.look();
            self.clock.log.served(now.saturating_sub(start));
            ended = Some(now);
            if sent.is_err() {
                self.peers[index] = None;
                break;
            }
        }
        ended
    }
}

fn answer(body: &str) -> Vec<u8> {
    let len = body.len();
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {len}\r\n\r\n{body}").into()
}

/// The clock, which notices when it has not been looked at for too long.
struct Clock {
    zero: Instant,
    last: Nanos,
    log: Log,
}

impl Clock {
    fn look(&mut self) -> Nanos {
        self.pause();
        self.last
    }

    /// The same, where there was nothing to do since the last look: such a pause is part of no service.
    fn look_idle(&mut self) -> Nanos {
        self.log.idle_squares_ns2 += (self.pause().0 as f64).powi(2);
        self.last
    }

    /// For how long the core stood still since the last look.
    fn pause(&mut self) -> Nanos {
        let now = Nanos::from(self.zero.elapsed());
        let since = now.saturating_sub(self.last);
        self.last = now;
        let pause = if since > PAUSE { since } else { Nanos(0) };
        self.log.lost += pause;
        pause
    }

    fn take_log(&mut self) -> Log {
        std::mem::take(&mut self.log)
    }
}

/// What happened since it was last asked for.
#[derive(Clone, Copy, Debug, Default)]
struct Log {
    services: u64,
    sum_ns: f64,
    sum_squares_ns2: f64,
    lost: Nanos,
    idle_squares_ns2: f64,
}

impl Log {
    fn served(&mut self, time: Nanos) {
        self.services += 1;
        self.sum_ns += time.0 as f64;
        self.sum_squares_ns2 += (time.0 as f64).powi(2);
    }

    fn to_json(self) -> String {
        let Self { services, sum_ns, sum_squares_ns2, lost, idle_squares_ns2 } = self;
        serde_json::json!({
            "services": services,
            "sum_ns": sum_ns,
            "sum_squares_ns2": sum_squares_ns2,
            "lost_ns": lost.0,
            "idle_squares_ns2": idle_squares_ns2,
        })
        .to_string()
    }
}

/// The server answers between two services, of at most 10 ms and a freeze of 1 s; the rest is for a crowded machine.
const STATS_WITHIN: Duration = Duration::from_secs(20);

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pub(super) address: SocketAddr,
}

/// What a server measured since it was last asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    /// E[S], ns
    pub(super) mean: f64,
    /// E[S^2], ns^2
    pub(super) mean_square: f64,
    /// How many.
    pub(super) services: u64,
    /// For how long its core stood still.
    pub(super) lost: Nanos,
    /// The squares of those times in which it had nothing to do, added up, ns^2
    pub(super) idle_squares: f64,
}

impl Process {
    /// Starts this very binary as a server on `cores`.
    pub(super) fn start(law: Law, cores: &Cores) -> Result<Self> {
        let binary = proc::own_program()?;
        let mut command = Command::new(binary);
        command.arg("selftest-server").arg(law.to_string());
        command.arg(format!("--die-with-parent={}", std::process::id()));
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = machine::on_cores(cores, || command.spawn())?
            .context(|| "cannot start the selftest's server".into())?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut process = Self { child, address: ([127, 0, 0, 1], 0).into() };
        let mut line = String::new();
        // It prints its line at once or ends, which ends the pipe.
        let read = BufReader::new(stdout).read_line(&mut line);
        read.context(|| "cannot hear the selftest's server".into())?;
        let address = line.trim().strip_prefix("listening ").and_then(|text| text.parse().ok());
        process.address = address
            .ok_or_else(|| Error::internal("the selftest's server ended before it listened"))?;
        Ok(process)
    }

    /// What it has done since this was last asked.
    pub(super) fn served(&self) -> Result<Served> {
        let wrong = || "the selftest's server has no figures".to_owned();
        let body = http::get(&self.address.into(), "/stats", STATS_WITHIN).context(wrong)?;
        let log: serde_json::Value = serde_json::from_slice(&body).context(wrong)?;
        let number = |name: &str| log[name].as_f64().unwrap_or(0.0);
        let n = number("services").max(1.0);
        Ok(Served {
            mean: number("sum_ns") / n,
            mean_square: number("sum_squares_ns2") / n,
            services: number("services") as u64,
            lost: Nanos(number("lost_ns") as u64),
            idle_squares: number("idle_squares_ns2"),
        })
    }

    /// Its process, for signals.
    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be frozen; then only this ends it. It has nothing to put away.
        let _ = kill_process(self.pid(), Signal::KILL);
        let _ = self.child.wait();
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// No request begins before everything is in its place.
const LEAD: Duration = Duration::from_millis(5);
/// A server that has not answered by then does not.
const PATIENCE: Duration = Duration::from_secs(2);

/// The median response time, from its intended instant, of `count` requests `gap` apart, to a server of known times.
pub(crate) fn plain_median(
    address: SocketAddr,
    gap: Duration,
    count: u32,
    cores: &Cores,
) -> Result<Nanos> {
    let times = machine::on_cores(cores, || times(address, gap, count))?;
    let mut times = times.context(|| format!("the plain client got no answer of {address}"))?;
    times.sort_unstable();
    let place = times.len().div_ceil(2).checked_sub(1);
    let median = place.map(|index| times[index].into());
    median.ok_or_else(|| Error::internal("a median of no requests"))
}

fn times(address: SocketAddr, gap: Duration, count: u32) -> std::io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    // It asks again and again, as the generator does: neither's core goes to sleep between two requests.
    stream.set_nonblocking(true)?;
    let first = Instant::now() + LEAD;
    let mut times = Vec::with_capacity(count as usize);
    for k in 0..count {
        let intended = first + gap * k;
        while Instant::now() < intended {
            std::hint::spin_loop();
        }
        stream.write_all(REQUEST)?;
        read_answer(&mut stream)?;
        times.push(intended.elapsed());
    }
    Ok(times)
}

/// Reads one answer, which ends with its body.
fn read_answer(stream: &mut TcpStream) -> std::io::Result<()> {
    let asked = Instant::now();
    let (mut bytes, mut filled) = ([0; 256], 0);
    loop {
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if bytes[..filled].ends_with(b"\r\n\r\nok") {
            return Ok(());
        }
        if asked.elapsed() > PATIENCE {
            return Err(ErrorKind::TimedOut.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_are_read_as_they_are_written() {
        for law in [Law::Constant(Nanos(0)), Law::Exponential(Nanos(400_000))] {
            assert_eq!(law.to_string().parse::<Law>().unwrap(), law);
        }
        assert!("constant".parse::<Law>().is_err() && "normal:1ms".parse::<Law>().is_err());
    }

    #[test]
    fn the_known_certificate_can_be_used() {
        session().unwrap();
    }

    #[test]
    fn exponential_times_have_their_moments() {
        let law = Law::Exponential(Nanos(400_000));
        let n = 100_000;
        let times = || (0..n).map(|k| law.draw(k).0 as f64);
        let mean = times().sum::<f64>() / n as f64;
        let square = times().map(|time| time * time).sum::<f64>() / n as f64;
        // Five standard deviations: 1/sqrt(n) of the mean, and twice that and more of the square.
        assert!((mean / 400_000.0 - 1.0).abs() < 5.0 / (n as f64).sqrt(), "{mean}");
        assert!((square / (2.0 * 400_000.0_f64.powi(2)) - 1.0).abs() < 0.04, "{square}");
    }
}
