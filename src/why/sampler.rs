//! Samples of stacks: the kernel's software clock on each core, inherited by what the opening thread starts.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use blazesym::symbolize::source::{Kernel, Process, Source};
use blazesym::symbolize::{Input, Symbolizer};
use blazesym::{MaybeDefault, Pid};
use perf_event::data::Record;
use perf_event::events::{Event, Hardware, Software, Tracepoint};
use perf_event::{Builder, Counter, ReadFormat, SampleFlag, Sampler};

use crate::machine;
use crate::record::WhyLevel;
use crate::why::{SAMPLES_PER_S, Sampled, StackSample, UNKNOWN, shared_name};

/// Bytes of a core's ring buffer, a power of two: with its first page what a user without rights may lock. The deepest
/// stacks fill it in half a second.
const RING_BYTES: usize = 512 << 10;
/// Between two readings of the buffers.
const EVERY: Duration = Duration::from_millis(100);

/// Samples the processes that the opening thread starts from then on. It and its other threads are sampled too while the
/// window is open, and left out by [`Profiler::named`].
#[derive(Debug)]
pub(crate) struct Profiler {
    shared: Arc<Shared>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    rings: Mutex<Rings>,
    over: AtomicBool,
}

struct Rings {
    /// One for each core.
    rings: Vec<Sampler>,
    seen: Vec<AddressSample>,
    lost: u64,
    syscalls: Option<Counted>,
    instructions: Option<Counted>,
}

/// A count of what the started programs do. It begins with their exec, so that it has nothing of this process.
struct Counted {
    counter: Counter,
    /// At the window's beginning, and then in it.
    count: u64,
}

impl Counted {
    /// Nothing where the kernel or the machine has no such event.
    fn of(event: impl Event, kernel: bool) -> Option<Self> {
        let mut builder = Builder::new(event);
        builder.observe_self().any_cpu().inherit(true).enabled(false).enable_on_exec(true);
        builder.exclude_kernel(!kernel);
        Some(Self { counter: builder.build().ok()?, count: 0 })
    }

    fn mark(&mut self) {
        self.count = self.counter.read().map_or(0, |count| count.saturating_sub(self.count));
    }
}

/// Where the kernel says by which number it knows its events, of those that are mounted.
const TRACING: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

fn system_calls() -> Option<Tracepoint> {
    let id = |root| std::fs::read_to_string(format!("{root}/events/raw_syscalls/sys_enter/id"));
    let id = TRACING.into_iter().find_map(|root| id(root).ok())?;
    Some(Tracepoint::with_id(id.trim().parse().ok()?))
}

impl std::fmt::Debug for Rings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rings").field("seen", &self.seen.len()).finish_non_exhaustive()
    }
}

/// A sample as addresses, the innermost first, with marks where kernel and program begin.
#[derive(Debug)]
struct AddressSample {
    pid: u32,
    chain: Vec<u64>,
}

/// What can be seen, and the setting that gives the next level.
pub(crate) fn level() -> (WhyLevel, Option<String>) {
    let paranoid = "sysctl kernel.perf_event_paranoid=1".to_owned();
    if clock(0, true).and_then(|clock| clock.sampled(1)).is_ok() {
        return match kernel_is_named() {
            true => (WhyLevel::Full, None),
            false => (WhyLevel::UserOnly, Some("sysctl kernel.kptr_restrict=0".into())),
        };
    }
    match clock(0, false).and_then(|clock| clock.sampled(1)) {
        Ok(_) => (WhyLevel::UserOnly, Some(paranoid)),
        // A container's filter of system calls gives this whatever the setting is.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let found = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
            let open = found.is_ok_and(|text| text.trim().parse().is_ok_and(|n: i32| n < 3));
            let container = "run the container with --cap-add PERFMON".to_owned();
            (WhyLevel::CountersOnly, Some(if open { container } else { paranoid }))
        }
        Err(_) => (WhyLevel::CountersOnly, None),
    }
}

/// Whether the kernel shows the addresses of its functions.
fn kernel_is_named() -> bool {
    use std::io::{BufRead, BufReader};
    let Ok(symbols) = std::fs::File::open("/proc/kallsyms") else { return false };
    let first = BufReader::new(symbols).lines().next().and_then(Result::ok);
    first.is_some_and(|line| line.bytes().take_while(|b| *b != b' ').any(|b| b != b'0'))
}

/// The software clock of this thread and of what it starts, on one core, stopped.
fn clock(core: usize, kernel: bool) -> io::Result<Counter> {
    let mut builder = Builder::new(Software::CPU_CLOCK);
    builder.observe_self().one_cpu(core).inherit(true).enabled(false);
    builder.exclude_kernel(!kernel).read_format(ReadFormat::empty());
    builder.sample_period(1_000_000_000 / u64::from(SAMPLES_PER_S));
    builder.sample(SampleFlag::TID | SampleFlag::CALLCHAIN);
    // Nobody waits for a buffer: they are read now and then.
    builder.wakeup_watermark(RING_BYTES - 1);
    builder.build()
}

impl Profiler {
    /// On the thread that starts the contender, before it does.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn open(level: WhyLevel) -> io::Result<Self> {
        let kernel = level == WhyLevel::Full;
        let allowed = machine::allowed_cores()
            .map_err(|error| io::Error::other(error.message().to_owned()))?;
        let rings = allowed.into_iter().map(|core| clock(core, kernel)?.sampled(RING_BYTES));
        let rings = rings.collect::<io::Result<_>>()?;
        let rings = Mutex::new(Rings {
            rings,
            seen: Vec::new(),
            lost: 0,
            syscalls: system_calls().and_then(|event| Counted::of(event, kernel)),
            instructions: Counted::of(Hardware::INSTRUCTIONS, kernel),
        });
        let shared = Arc::new(Shared { rings, over: AtomicBool::new(false) });
        Ok(Self { shared, reader: Mutex::default() })
    }

    /// The window begins.
    pub(crate) fn begin(&self) {
        self.shared.rings().switch(true);
        let shared = self.shared.clone();
        let reader = std::thread::spawn(move || {
            while !shared.over.load(Ordering::Relaxed) {
                std::thread::park_timeout(EVERY);
                shared.rings().read();
            }
        });
        *self.reader.lock().expect("no reader panics") = Some(reader);
    }

    /// The window ends.
    pub(crate) fn end(&self) {
        let mut rings = self.shared.rings();
        if !self.shared.over.swap(true, Ordering::Relaxed) {
            rings.switch(false);
        }
        rings.read();
    }

    /// The samples with names, but not those of this process and of `others`. Names are those of processes that still live.
    pub(crate) fn named(self, others: &[u32]) -> Sampled {
        self.end();
        if let Some(reader) = self.reader.lock().expect("no reader panics").take() {
            reader.thread().unpark();
            reader.join().expect("a reader does not panic");
        }
        let mut rings = self.shared.rings();
        let mut names = Names::new();
        let samples = std::mem::take(&mut rings.seen).into_iter();
        let samples = samples.filter(|raw| !others.contains(&raw.pid));
        Sampled {
            samples: samples.map(|raw| names.sample(&raw)).collect(),
            lost: rings.lost,
            syscalls: rings.syscalls.as_ref().map(|counted| counted.count),
            instructions: rings.instructions.as_ref().map(|counted| counted.count),
        }
    }
}

impl Shared {
    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().expect("no reader panics")
    }
}

impl Rings {
    /// Starts or stops the clocks, and with them all that were inherited from them.
    fn switch(&mut self, on: bool) {
        for ring in &mut self.rings {
            // A clock that does not start gives no samples, which is seen.
            let _ = if on { ring.enable() } else { ring.disable() };
        }
        self.syscalls.iter_mut().chain(&mut self.instructions).for_each(Counted::mark);
    }

    fn read(&mut self) {
        let Self { rings, seen, lost, .. } = self;
        let own = std::process::id();
        for ring in rings {
            while let Some(record) = ring.next_record() {
                match record.parse_record() {
                    Ok(Record::Sample(sample)) => {
                        let (pid, chain) = (sample.pid(), sample.callchain());
                        seen.extend(
                            pid.filter(|pid| *pid != own)
                                .zip(chain)
                                .map(|(pid, chain)| AddressSample { pid, chain: chain.to_vec() }),
                        );
                    }
                    Ok(Record::Lost(some)) => *lost += some.lost,
                    _ => {}
                }
            }
        }
    }
}

/// Marks in a chain of addresses (PERF_CONTEXT_* of linux/perf_event.h): from here on addresses are the kernel's, or the
/// program's.
const KERNEL: u64 = (-128_i64) as u64;
const USER: u64 = (-512_i64) as u64;
/// Every mark is above this.
const MARKS: u64 = (-4_096_i64) as u64;

/// Names of addresses; each address of a process is looked up once.
struct Names {
    symbols: Symbolizer,
    known: HashMap<(u32, u64), Arc<str>>,
    unknown: Arc<str>,
}

impl Names {
    fn new() -> Self {
        let symbols =
            Symbolizer::builder().enable_code_info(false).enable_inlined_fns(false).build();
        Self { symbols, known: HashMap::new(), unknown: UNKNOWN.into() }
    }

    fn sample(&mut self, raw: &AddressSample) -> StackSample {
        let (mut sample, mut kernel) = (StackSample::default(), false);
        let mut innermost = true;
        for &address in &raw.chain {
            if address >= MARKS {
                (kernel, innermost) = (address == KERNEL, address == USER || address == KERNEL);
                continue;
            }
            // But for the innermost, an address is where a call returns to.
            let at = if innermost { address } else { address.saturating_sub(1) };
            innermost = false;
            let name = self.name(if kernel { 0 } else { raw.pid }, at);
            if kernel { &mut sample.kernel } else { &mut sample.user }.push(name);
        }
        sample
    }

    /// Of an address of a process; those of the kernel are process 0's.
    fn name(&mut self, pid: u32, address: u64) -> Arc<str> {
        if let Some(known) = self.known.get(&(pid, address)) {
            return known.clone();
        }
        let source = if pid == 0 {
            // What runs, and not a file that may be of another build.
            Source::Kernel(Kernel { vmlinux: MaybeDefault::None, ..Kernel::default() })
        } else {
            Source::Process(Process::new(Pid::from(pid)))
        };
        let found = self.symbols.symbolize_single(&source, Input::AbsAddr(address));
        let found = found.ok().and_then(|found| found.into_sym());
        let name = found.map_or_else(|| self.unknown.clone(), |one| shared_name(&one.name).into());
        self.known.insert((pid, address), name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::why::layers::{Layer, of_all};

    #[test]
    fn a_buffer_holds_what_comes_between_two_readings() {
        if let (level @ (WhyLevel::CountersOnly | WhyLevel::Nothing), _) = level() {
            eprintln!("SKIPPED: no samples are to be had here: {level:?}");
            return;
        }
        let profiler = Profiler::open(level().0).unwrap();
        let mut rings = profiler.shared.rings();
        rings.switch(true);
        // About 0.2 s of CPU time. Nobody reads before its end, however long that takes.
        let busy = "i=0; while [ $i -lt 150000 ]; do i=$((i + 1)); done";
        assert!(Command::new("sh").args(["-c", busy]).status().unwrap().success());
        rings.switch(false);
        rings.read();
        let read = rings.seen.len();
        if system_calls().is_some() && level().0 == WhyLevel::Full {
            let calls = rings.syscalls.as_ref().map_or(0, |counted| counted.count);
            assert!((20..100_000).contains(&calls), "a shell that starts and counts: {calls}");
        }
        assert!(read > 60 && rings.lost == 0, "{read} were read and {} lost", rings.lost);
    }

    // Programs whose cost is known, each in a process of its own: nine tenths of what the kernel does for them must fall
    // into their layer.

    /// Two threads that wake each other by a futex.
    const PING_PONG: &str = r#"
import ctypes, threading
libc, word = ctypes.CDLL(None), (ctypes.c_int * 2)()
def play(own):
    other = 1 - own
    while True:
        libc.syscall(202, ctypes.byref(word, 4 * own), 0, 0, ctypes.byref((ctypes.c_long * 2)(0, 50000)), 0, 0)
        libc.syscall(202, ctypes.byref(word, 4 * other), 1, 1, None, 0, 0)
threading.Thread(target=play, args=(0,)).start()
print("ready", flush=True)
play(1)
"#;
    /// A byte that goes to and fro between two processes.
    const ECHO: &str = r#"
import os, socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
peer, _ = server.accept()
if os.fork() == 0:
    client.close()
    while data := peer.recv(64): peer.sendall(data)
    os._exit(0)
peer.close()
print("ready", flush=True)
while True:
    client.sendall(b"x"); client.recv(64)
"#;
    /// Fresh memory, a byte of each page written.
    const TOUCHER: &str = r#"
import mmap
print("ready", flush=True)
while True:
    fresh = mmap.mmap(-1, 64 << 20)
    for at in range(0, len(fresh), 4096): fresh[at] = 1
    fresh.close()
"#;

    #[test]
    #[ignore = "needs seconds of an idle core: cargo test known_cost -- --ignored"]
    fn nine_tenths_of_a_known_cost_are_in_its_layer() {
        if level().0 != WhyLevel::Full {
            eprintln!("SKIPPED: the kernel's stacks are not to be had here: {:?}", level());
            return;
        }
        if Command::new("python3").arg("--version").output().is_err() {
            eprintln!("SKIPPED: no python3");
            return;
        }
        for (program, layer) in
            [(PING_PONG, Layer::Scheduling), (ECHO, Layer::Network), (TOUCHER, Layer::Memory)]
        {
            let (own, all, told) = share(program, layer);
            assert!(all >= 20, "{all} samples in the kernel for {}", layer.name());
            assert!(own * 10 >= all * 9, "{own} of {all} are {}: {told:?}", layer.name());
        }
    }

    /// A program that would run for ever: it ends with the test, also where that fails.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Samples in the kernel that are of `layer`, and all; with the others' stacks.
    fn share(program: &str, layer: Layer) -> (usize, usize, Vec<String>) {
        let profiler = Profiler::open(WhyLevel::Full).unwrap();
        let mut python = Command::new("python3");
        python.args(["-c", program]).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = Running(python.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        profiler.begin();
        // Until there is enough: the machine may be busy with others.
        std::thread::sleep(Duration::from_millis(1_500));
        let sampled = profiler.named(&[]);
        drop(child);
        let layers = of_all(&sampled.samples);
        let kernel =
            || sampled.samples.iter().zip(&layers).filter(|(one, _)| !one.kernel.is_empty());
        let others = kernel().filter(|(_, of)| **of != layer);
        let told = others.take(5).map(|(one, of)| format!("{of:?} {one:?}")).collect();
        (kernel().filter(|(_, of)| **of == layer).count(), kernel().count(), told)
    }
}
