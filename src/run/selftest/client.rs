//! A plain client beside the generator: one socket, one thread, the standard library. What it sees at the generator's
//! instants and on the generator's core is what this machine gives to any program.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::error::{Context, Error, Result};
use crate::machine::cores;
use crate::machine::cores::Cores;
use crate::units::Nanos;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// No request begins before everything is in its place.
const LEAD: Duration = Duration::from_millis(5);
/// A server that has not answered by then does not.
const PATIENCE: Duration = Duration::from_secs(2);

/// The median response time, from its intended instant, of `count` requests `gap` apart, to a server of known times.
///
/// # Errors
/// When the server does not answer.
pub(super) fn median(
    address: SocketAddr,
    gap: Duration,
    count: u32,
    cores: &Cores,
) -> Result<Nanos> {
    let times = cores::on_cores(cores, || times(address, gap, count))?;
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
        answer(&mut stream)?;
        times.push(intended.elapsed());
    }
    Ok(times)
}

/// Reads one answer, which ends with its body.
fn answer(stream: &mut TcpStream) -> std::io::Result<()> {
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
