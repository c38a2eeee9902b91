//! What a contender uses, read from outside it: its CPU clock and its files under /proc.
//!
//! The CPU clock counts nanoseconds of every thread, the ended ones too. Reading it costs one system call, so it is
//! read exactly at the window's ends; what takes many files is read before and after the load.
//!
//! A contender of several processes is all that lives below its supervisor at that instant, and what those and the
//! supervisor have waited for: the kernel adds the CPU time of a child that was waited for to its parent. That part
//! comes in hundredths of a second.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use nix::time::ClockId;
use nix::unistd::Pid;

use crate::clock;
use crate::machine::cgroup::Cgroup;
use crate::machine::proc;
use crate::machine::proc::{Lines, Spent, Stat};
use crate::machine::{Cores, stay_on_cores};
use crate::units::Nanos;

#[derive(Debug)]
pub(crate) enum Watch {
    One(Member),
    /// Everything below a supervisor, which is given, and not itself.
    Below(u32),
    /// Nothing: a server in other hands.
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Member {
    pid: u32,
    clock: Option<ClockId>,
}

/// Processes of one contender that are looked at.
const MEMBERS_MAX: usize = 4_096;

/// The CPU clock at one instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick {
    at: Nanos,
    cpu: Option<Nanos>,
    spent: Option<Spent>,
    threads: Option<u64>,
}

/// Context switches, migrations and waits for a core of all threads that live.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Switches {
    /// It waited.
    pub(crate) voluntary: u64,
    /// It was made to.
    pub(crate) involuntary: u64,
    /// It went on on another core; nothing where the kernel does not say (CONFIG_SCHED_DEBUG).
    pub(crate) migrations: Option<u64>,
    /// It was ready to run and did not; nothing where the kernel does not say (CONFIG_SCHED_INFO).
    pub(crate) run_queue: Option<Nanos>,
}

/// What was used between two ticks.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Used {
    /// CPU time of all threads.
    pub(crate) cpu: Option<Nanos>,
    /// The time between the ticks.
    pub(crate) elapsed: Nanos,
    /// Of which mode the CPU time was, and page faults.
    pub(crate) spent: Option<Spent>,
    /// Threads at the later tick.
    pub(crate) threads: Option<u64>,
}

impl Watch {
    pub(crate) fn new(pid: u32) -> Self {
        Self::One(Member::new(pid))
    }

    /// The process that stands between this one and a contender of any program.
    pub(crate) fn supervisor(&self) -> Option<u32> {
        match self {
            Self::Below(supervisor) => Some(*supervisor),
            Self::One(_) | Self::Nothing => None,
        }
    }

    /// The CPU clock and the number of threads now.
    pub(crate) fn tick(&self) -> Tick {
        match self {
            Self::One(one) => {
                let (at, cpu, stat) = (clock::now(), one.cpu(), one.stat());
                Tick { at, cpu, spent: stat.map(|stat| stat.own), threads: stat.map(|s| s.threads) }
            }
            Self::Nothing => Tick { at: clock::now(), cpu: None, spent: None, threads: None },
            Self::Below(supervisor) => {
                let members = below(*supervisor);
                let at = clock::now();
                let known: Vec<(Nanos, Stat)> =
                    members.iter().filter_map(|one| Some((one.cpu()?, one.stat()?))).collect();
                let ended = Member::new(*supervisor).stat().unwrap_or_default().waited_for;
                let waited = known.iter().map(|(_, stat)| stat.waited_for).fold(ended, Spent::and);
                let cpu = known.iter().fold(waited.cpu(), |sum, (cpu, _)| sum + *cpu);
                let spent = known.iter().map(|(_, stat)| stat.own).fold(waited, Spent::and);
                let some = !members.is_empty();
                Tick {
                    at,
                    cpu: some.then_some(cpu),
                    spent: some.then_some(spent),
                    threads: some.then(|| known.iter().map(|(_, stat)| stat.threads).sum()),
                }
            }
        }
    }

    /// Context switches and waits so far. Reads three files for each thread.
    pub(crate) fn switches(&self) -> Option<Switches> {
        match self {
            Self::One(one) => one.switches(),
            Self::Below(supervisor) => {
                below(*supervisor).iter().filter_map(Member::switches).reduce(Switches::and)
            }
            Self::Nothing => None,
        }
    }

    /// What is resident of it now, in bytes. Nothing of several processes: a sum would have shared pages in each.
    pub(crate) fn rss_bytes(&self) -> Option<u64> {
        self.of_the_only(Member::rss_bytes)
    }

    /// The most that was resident of it, in bytes; nothing of several processes.
    pub(crate) fn rss_peak_bytes(&self) -> Option<u64> {
        self.of_the_only(Member::rss_peak_bytes)
    }

    fn of_the_only(&self, figure: impl Fn(&Member) -> Option<u64>) -> Option<u64> {
        match self {
            Self::One(one) => figure(one),
            Self::Below(supervisor) => match &below(*supervisor)[..] {
                [only] => figure(only),
                _ => None,
            },
            Self::Nothing => None,
        }
    }

    /// What the machine gave to all its processes, by their own files: shared pages once, page tables and kernel stacks
    /// too. Reading it stops each of them for a moment.
    pub(crate) fn pss_bytes(&self) -> Option<u64> {
        match self {
            Self::One(one) => proc::proportional_bytes(one.pid),
            Self::Below(supervisor) => {
                let all = below(*supervisor).into_iter();
                all.filter_map(|one| proc::proportional_bytes(one.pid)).reduce(|a, b| a + b)
            }
            Self::Nothing => None,
        }
    }
}

/// Everything that lives below the process `root`.
fn below(root: u32) -> Vec<Member> {
    let mut found = proc::children(root);
    let mut next = 0;
    while next < found.len() && found.len() < MEMBERS_MAX {
        found.extend(proc::children(found[next]));
        next += 1;
    }
    found.into_iter().map(Member::new).collect()
}

impl Member {
    fn new(pid: u32) -> Self {
        Self { pid, clock: ClockId::pid_cpu_clock_id(Pid::from_raw(pid as i32)).ok() }
    }

    fn cpu(&self) -> Option<Nanos> {
        let cpu = self.clock?.now().ok()?;
        Some(Nanos(cpu.tv_sec() as u64 * 1_000_000_000 + cpu.tv_nsec() as u64))
    }

    fn stat(&self) -> Option<Stat> {
        Stat::of(self.pid)
    }

    fn switches(&self) -> Option<Switches> {
        let threads = proc::threads(self.pid);
        threads.filter_map(|thread| Switches::of(&thread)).reduce(Switches::and)
    }

    fn rss_bytes(&self) -> Option<u64> {
        proc::resident_bytes(self.pid)
    }

    fn rss_peak_bytes(&self) -> Option<u64> {
        Lines::read(format!("/proc/{}/status", self.pid))?.number("VmHWM")
    }
}

impl Switches {
    /// Of the thread whose folder this is; nothing of one that has ended.
    fn of(thread: &Path) -> Option<Self> {
        let status = Lines::read(thread.join("status"))?;
        let sched = Lines::read(thread.join("sched"));
        Some(Self {
            voluntary: status.number("voluntary_ctxt_switches")?,
            involuntary: status.number("nonvoluntary_ctxt_switches")?,
            migrations: sched.and_then(|sched| sched.number("se.nr_migrations")),
            run_queue: proc::run_queue_delay(thread),
        })
    }

    fn and(self, other: Self) -> Self {
        Self {
            voluntary: self.voluntary + other.voluntary,
            involuntary: self.involuntary + other.involuntary,
            migrations: self.migrations.zip(other.migrations).map(|(own, other)| own + other),
            run_queue: self.run_queue.zip(other.run_queue).map(|(own, other)| own + other),
        }
    }
}

impl Tick {
    /// What was used since an earlier one.
    pub(crate) fn since(self, start: Self) -> Used {
        Used {
            cpu: start.cpu.zip(self.cpu).map(|(start, end)| end.saturating_sub(start)),
            elapsed: self.at.saturating_sub(start.at),
            spent: self.spent.zip(start.spent).and_then(|(end, start)| end.since(start)),
            threads: self.threads,
        }
    }
}

impl Used {
    /// The busy share of `cores`.
    pub(crate) fn cpu_share(&self, cores: usize) -> Option<f64> {
        let elapsed = self.elapsed.0 as f64 * cores as f64;
        (elapsed > 0.0).then_some(self.cpu?.0 as f64 / elapsed)
    }
}

/// Samples in a window, one at the end of each of as many equal parts.
pub(crate) const SAMPLES: u32 = 30;
/// Between two samples of the group, the last of which is the window's end.
const GROUP_EVERY: Nanos = Nanos(100 * Nanos::MILLI.0);

/// What was seen in a window, in bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MemorySamples {
    /// Resident at each sample; empty where that cannot be read.
    pub(crate) resident: Vec<u64>,
    /// The most that the group held.
    pub(crate) group_peak: Option<u64>,
}

/// Looks at `watch` and `group` between two instants, from one of `cores`; no longer than the other side of `running` is
/// there.
pub(crate) fn memory_samples(
    watch: &Watch,
    group: Option<&Cgroup>,
    cores: &Cores,
    (start, end): (Nanos, Nanos),
    running: &Receiver<()>,
) -> MemorySamples {
    stay_on_cores(cores);
    let mut seen = MemorySamples::default();
    let (mut sample, mut group_at) = (1, start);
    while sample <= SAMPLES {
        let at = start + Nanos((end - start).0 * u64::from(sample) / u64::from(SAMPLES));
        let next = if group.is_some() { at.min(group_at) } else { at };
        let over = running.recv_timeout(next.saturating_sub(clock::now()).into());
        let over = over != Err(RecvTimeoutError::Timeout);
        if over || next == at {
            seen.resident.extend(watch.rss_bytes());
            sample += 1;
        }
        if over || sample > SAMPLES || next == group_at {
            seen.group_peak = seen.group_peak.max(group.and_then(Cgroup::bytes));
            group_at += GROUP_EVERY;
        }
        if over {
            break;
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::mpsc;
    use std::time::Instant;

    #[test]
    fn a_busy_thread_shows_on_the_clock_even_after_its_end() {
        let watch = Watch::new(std::process::id());
        let start = watch.tick();
        std::thread::spawn(|| {
            let begun = Instant::now();
            while begun.elapsed().as_millis() < 30 {
                std::hint::spin_loop();
            }
        })
        .join()
        .unwrap();
        let used = watch.tick().since(start);
        assert!(used.cpu.unwrap() > Nanos(5_000_000), "{used:?}");
        let (now, peak) = (watch.rss_bytes().unwrap(), watch.rss_peak_bytes().unwrap());
        assert!(now > 100_000 && now < peak * 2, "{now} {peak}");
        assert!(watch.pss_bytes().is_some_and(|bytes| bytes > 100_000));
        assert!(watch.switches().is_some() && used.threads.unwrap() >= 1);
    }

    #[test]
    fn processes_below_count_and_so_do_those_that_have_ended() {
        use std::io::{BufRead, BufReader};
        // A shell whose first child burns CPU and is waited for, and whose second one waits.
        let script =
            "i=0; (while [ $i -lt 60000 ]; do i=$((i+1)); done); sleep 100 & echo done; wait";
        let mut shell = std::process::Command::new("sh")
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "done\n");
        let whole = Watch::Below(std::process::id());
        let members = below(shell.id());
        let tick = whole.tick();
        assert_eq!(members.len(), 1, "the one that sleeps");
        assert!(tick.threads.unwrap() >= 2, "{tick:?}");
        assert!(tick.cpu.unwrap() > Nanos(10_000_000), "{tick:?}");
        assert!(whole.pss_bytes().is_some() && whole.switches().is_some());
        for member in members {
            let pid = rustix::process::Pid::from_raw(member.pid as i32).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        shell.wait().unwrap();
    }

    #[test]
    fn every_process_and_helper_thread_of_a_cluster_of_node_counts() {
        use std::io::{BufRead, BufReader};
        // A primary that does nothing; two workers, each of which touches 64 MiB, burns CPU and has a thread burn as
        // much. The shell stands for the supervisor.
        let program = r#"
            const cluster = require("node:cluster"), { Worker } = require("node:worker_threads");
            const burn = "const until = Date.now() + 150; while (Date.now() < until);";
            if (cluster.isPrimary) {
                let done = 0;
                for (let i = 0; i < 2; i++) cluster.fork().on("message", () => ++done === 2 && console.log("done"));
            } else {
                globalThis.kept = Buffer.alloc(64 << 20, 1);
                new Worker(burn, { eval: true }).on("exit", () => process.send("done"));
                eval(burn);
            }"#;
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("cluster.cjs");
        std::fs::write(&file, program).unwrap();
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "node \"$1\" & wait", "sh", file.to_str().unwrap()])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let watch = Watch::Below(shell.id());
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            shell.wait().unwrap();
            eprintln!("SKIPPED: no Node.js: contenders/build says how to get it");
            return;
        }
        let members = below(shell.id());
        let (tick, held, rss) = (watch.tick(), watch.pss_bytes(), watch.rss_bytes());
        for member in members.iter().rev() {
            let pid = rustix::process::Pid::from_raw(member.pid as i32).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        shell.wait().unwrap();
        assert_eq!(members.len(), 3, "the primary and its workers");
        // Clocks of the wall bound each burn, so on a busy machine it comes to less CPU; two of four would not do.
        assert!(tick.cpu.unwrap() > Nanos(100_000_000), "{tick:?}");
        assert!(tick.threads.unwrap() >= 3 * 5, "{tick:?}");
        assert!(held.unwrap() > 128 << 20 && rss.is_none(), "{held:?} {rss:?}");
    }

    #[test]
    fn a_server_in_other_hands_has_no_figures() {
        let tick = Watch::Nothing.tick();
        assert!(tick.cpu.is_none() && tick.threads.is_none());
        assert!(Watch::Nothing.switches().is_none() && Watch::Nothing.rss_peak_bytes().is_none());
    }

    #[test]
    fn a_process_that_is_gone_has_no_figures() {
        // PID_MAX_LIMIT: no process ever has this number.
        let watch = Watch::new(1 << 22);
        assert!(watch.tick().cpu.is_none() && watch.rss_peak_bytes().is_none());
    }

    /// Of a window that begins now; `cut` is one that ends at once.
    fn seen(group: Option<&Cgroup>, window: Nanos, cut: bool) -> MemorySamples {
        let (watch, now) = (Watch::new(std::process::id()), clock::now());
        let (end, running) = mpsc::channel();
        let end = (!cut).then_some(end);
        let seen = memory_samples(&watch, group, &vec![0], (now, now + window), &running);
        drop(end);
        seen
    }

    #[test]
    fn a_window_has_thirty_samples_and_one_cut_short_fewer() {
        let all = seen(None, Nanos(60_000_000), false).resident;
        assert_eq!(all.len(), 30);
        assert!(all.iter().all(|bytes| *bytes > 100_000), "{all:?}");
        assert_eq!(seen(None, Nanos(3_000_000_000_000), true).resident.len(), 1);
    }

    #[test]
    fn a_group_is_looked_at_to_the_windows_end() {
        let Some(group) = Cgroup::make() else {
            eprintln!("SKIPPED: no control group can be made here, so that memory is read as PSS");
            return;
        };
        let whole = seen(Some(&group), Nanos(250_000_000), false);
        assert_eq!((whole.resident.len(), whole.group_peak), (30, Some(0)), "it has no process");
        let none = seen(None, Nanos(60_000_000), false);
        assert_eq!((none.resident.len(), none.group_peak), (30, None));
        let cut = seen(Some(&group), Nanos(60_000_000_000), true);
        assert_eq!((cut.resident.len(), cut.group_peak), (1, Some(0)));
    }
}
