//! What a contender uses in a window, read from outside it: at the window's ends, and its memory between.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock;
use crate::load::Window;
use crate::load::plan::Peer;
use crate::machine::Cores;
use crate::machine::interference::Interference;
use crate::machine::resources::{MemorySamples, Switches, Tick, Used, memory_samples};
use crate::process::child::Contender;
use crate::process::http;
use crate::record::MemoryKind;
use crate::record::carried;
use crate::record::histogram;
use crate::units::Nanos;
use crate::why::Profiling;

/// Questions about a trial are answered at once or not at all.
pub(crate) const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// What a contender used in the window.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sampled {
    pub(crate) memory: Memory,
    pub(crate) rss_peak_bytes: Option<u64>,
    /// Between the window's ends.
    pub(crate) used: Used,
    /// CPU time of the window's halves.
    pub(crate) halves: Option<(Nanos, Nanos)>,
    /// The waits for a connection of the contender's pool, and the busy share of the pool.
    pub(crate) pool: Option<PoolWaits>,
    /// Context switches at the window's end and before the load.
    pub(crate) switches: Option<(Switches, Switches)>,
    /// Of the machine's time: stolen and throttled.
    pub(crate) shares: (Option<f64>, Option<f64>),
}

/// How the pool was used in the window.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PoolWaits {
    #[serde(with = "carried::times")]
    pub(crate) waits: Histogram<u64>,
    pub(crate) busy_share: f64,
}

/// What is sampled, and from where.
#[derive(Debug)]
pub(crate) struct Sampling<'a> {
    pub(crate) contender: &'a Contender,
    /// It has a pool, and one process that knows all of it.
    pub(crate) pooled: bool,
    /// Those from which memory is read.
    pub(crate) cores: &'a Cores,
    pub(crate) profiling: Option<&'a Profiling>,
}

impl Sampling<'_> {
    /// Samples at the instants of the window that comes; another message, or none any more, is that the load has ended. Does
    /// `begins` at the window's start and `ends` at its end, and waits in `over` for the end of the load.
    pub(crate) fn run(
        &self,
        window: Receiver<Window>,
        begins: impl FnOnce(),
        ends: impl FnOnce(),
        over: impl FnOnce(),
    ) -> Sampled {
        let watch = self.contender.watch();
        let (switches, taken) = (watch.switches(), Interference::now());
        let Samples { start, middle, end, memory, pss } = self.sample(&window, begins, ends);
        // Until now no connection has been closed.
        drop(window);
        over();
        let mut sampled = Sampled {
            memory: Memory::of(memory, pss),
            rss_peak_bytes: watch.rss_peak_bytes(),
            used: Used::default(),
            halves: None,
            pool: None,
            switches: None,
            shares: (taken.steal_share(), taken.throttled_share()),
        };
        if let (Some(start), Some(end)) = (start, end) {
            sampled.used = end.tick.since(start.tick);
            sampled.halves = middle
                .and_then(|middle| middle.since(start.tick).cpu.zip(end.tick.since(middle).cpu));
            let elapsed = sampled.used.elapsed;
            sampled.pool = start.pool.zip(end.pool).map(|(start, end)| end.since(&start, elapsed));
            sampled.switches = end.switches.zip(switches);
        }
        sampled
    }

    /// A window that has begun has an end, also where the load was stopped before it.
    fn sample(
        &self,
        window: &Receiver<Window>,
        begins: impl FnOnce(),
        ends: impl FnOnce(),
    ) -> Samples {
        let mut seen = Samples::default();
        let comes = |instant: Nanos| {
            let left = instant.saturating_sub(clock::now());
            window.recv_timeout(left.into()) == Err(RecvTimeoutError::Timeout)
        };
        let Ok(at) = window.recv() else { return seen };
        if !comes(at.start) {
            return seen;
        }
        let (watch, group) = (self.contender.watch(), self.contender.group());
        let pool = || self.pooled.then(|| PoolUse::of(self.contender.peer())).flatten();
        let (looking, running) = mpsc::channel();
        thread::scope(|scope| {
            let (watch, cores, ends_at) = (&watch, self.cores, (at.start, at.end));
            self.profiling.inspect(|profiling| profiling.begin());
            let tick = watch.tick();
            let memory =
                scope.spawn(move || memory_samples(watch, group, cores, ends_at, &running));
            begins();
            seen.start = Some(Sample { tick, pool: pool(), switches: None });
            if comes(at.middle) {
                seen.middle = Some(watch.tick());
                comes(at.end);
            }
            let tick = watch.tick();
            ends();
            self.profiling.inspect(|profiling| profiling.end());
            seen.end = Some(Sample { tick, pool: pool(), switches: watch.switches() });
            drop(looking);
            // With all connections open, and only where there is no group to be read.
            seen.pss = if group.is_none() { watch.pss_bytes() } else { None };
            seen.memory = memory.join().expect("looking at a process does not panic");
        });
        seen
    }
}

/// What a contender held in the window.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Resident, by window of the load.
    pub(crate) resident: Vec<u64>,
    /// What the machine gave it at most, and how that was read.
    pub(crate) peak: Option<u64>,
    pub(crate) kind: Option<MemoryKind>,
}

impl Memory {
    fn of(usage: MemorySamples, pss: Option<u64>) -> Self {
        let (kind, peak) = match usage.group_peak {
            Some(bytes) => (MemoryKind::Cgroup, Some(bytes)),
            None => (MemoryKind::Pss, pss),
        };
        Self { resident: usage.resident, peak, kind: peak.map(|_| kind) }
    }
}

#[derive(Default)]
struct Samples {
    start: Option<Sample>,
    middle: Option<Tick>,
    end: Option<Sample>,
    memory: MemorySamples,
    pss: Option<u64>,
}

/// What was looked at from outside at an end of the window.
struct Sample {
    tick: Tick,
    pool: Option<PoolUse>,
    /// At the window's end: a thread that ends with its connection takes its count along.
    switches: Option<Switches>,
}

/// How a contender's pool was used up to an instant.
#[derive(Debug)]
pub(crate) struct PoolUse {
    size: u64,
    busy: Nanos,
    waits: Histogram<u64>,
}

impl PoolUse {
    /// As the contender tells it; nothing where it has no pool or does not say.
    pub(crate) fn of(contender: &Peer) -> Option<Self> {
        let stats = stats(contender)?;
        let pool = stats.get("pool")?;
        Some(Self {
            size: pool.get("size")?.as_u64()?,
            busy: Nanos(pool.get("busy_ns")?.as_u64()?),
            waits: histogram::decode(stats.get("pool_wait")?.as_str()?).ok()?,
        })
    }

    /// The waits since `earlier`, and the share of the pool that was busy in the `window` between.
    pub(crate) fn since(mut self, earlier: &Self, window: Nanos) -> PoolWaits {
        let busy = self.busy.saturating_sub(earlier.busy).0 as f64;
        // What was there earlier is there still, so nothing is taken that there is not.
        let _ = self.waits.subtract(&earlier.waits);
        let busy_share = busy / (self.size.max(1) as f64 * window.0.max(1) as f64);
        PoolWaits { waits: self.waits, busy_share }
    }
}

/// What a server says of itself; nothing where it does not.
pub(crate) fn stats(server: &Peer) -> Option<Value> {
    // Once: it is asked at the ends of the measured window, and who has no such page pays for each time.
    let body = http::once("GET", server, "/stats", ANSWERS_WITHIN).ok()?;
    serde_json::from_slice(&body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use crate::load::plan::Address;

    /// It is asked inside the measured window: each time costs a contender that has no such page what its answers do
    /// not count.
    #[test]
    fn a_contender_without_stats_is_asked_for_them_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        let (asked, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                if !line.is_empty() {
                    asked.send(line).unwrap();
                }
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
            }
        });
        assert!(PoolUse::of(&Peer { at: address, tls: None }).is_none());
        let all: Vec<String> = lines.try_iter().collect();
        assert_eq!(all, ["GET /stats HTTP/1.1\r\n"]);
    }

    #[test]
    fn a_pools_use_is_that_of_the_window_alone() {
        let used = |waits: &[u64], busy_ms: u64| {
            let mut histogram = Histogram::new(3).unwrap();
            waits.iter().for_each(|wait| histogram.record(*wait).unwrap());
            PoolUse { size: 4, busy: Nanos(busy_ms * 1_000_000), waits: histogram }
        };
        let (before, after) = (used(&[900_000, 5], 700), used(&[900_000, 5, 70, 70], 1_500));
        let PoolWaits { waits, busy_share: share } = after.since(&before, Nanos::SECOND);
        assert_eq!((waits.len(), waits.max()), (2, 70), "the wait of the warm-up is not in it");
        assert!((share - 0.2).abs() < 1e-9, "0.8 s of four connections in a second: {share}");
    }
}
