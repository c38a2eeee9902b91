//! Is this machine suitable for benchmarks? What was found, why it matters, and the command that fixes it. Changes nothing.
//!
//! Each check is a function of figures that were read, and reading is apart from it, so that every finding has a test.

pub mod hosts;

use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};
use rustix::thread::set_current_timer_slack;

use crate::database;
use crate::error::{Context, Result};
use crate::machine::Cores;
use crate::machine::interference;
use crate::machine::interference::{Interference, Ticks, cpu_quota, throttled};
use crate::machine::proc::Lines;
use crate::record::{Hiccups, WhyLevel};
use crate::units::{Nanos, Share, bytes};
use crate::why;

#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was looked at, two words at most.
    pub check: &'static str,
    pub state: State,
    /// What was found, with its unit.
    pub found: String,
    /// Why it matters to a measurement.
    pub why: &'static str,
    /// A command, or a sentence, that fixes it; where there is something to fix.
    pub fix: Option<String>,
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Fine,
    /// Figures are better once it is fixed.
    Fix,
    /// The machine does not say.
    Unknown,
}

impl State {
    /// As reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Fix => "fix",
            Self::Unknown => "unknown",
        }
    }
}

/// Looks at everything, in about four seconds.
///
/// # Errors
/// When the affinity mask cannot be read or set, or a thread cannot have the timer slack of the generator.
pub fn examine() -> Result<Vec<Finding>> {
    let cores = crate::machine::allowed_cores()?;
    let mut findings = look_at_cores(&cores);
    findings.extend(look_at_time(&cores)?);
    findings.extend(look_at_limits());
    findings.extend(programs());
    Ok(findings)
}

impl Finding {
    /// Nothing to fix.
    fn fine(check: &'static str, found: impl Into<String>, why: &'static str) -> Self {
        Self { check, state: State::Fine, found: found.into(), why, fix: None }
    }

    /// Nothing to see.
    fn unknown(check: &'static str, found: impl Into<String>, why: &'static str) -> Self {
        Self { check, state: State::Unknown, found: found.into(), why, fix: None }
    }

    /// The same finding, if it is as it should be; else with what fixes it.
    fn unless(self, good: bool, fix: impl Into<String>) -> Self {
        if good { self } else { Self { state: State::Fix, fix: Some(fix.into()), ..self } }
    }
}

/// The trimmed text of a file of /proc or /sys; nothing where it is not there.
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The word in brackets: `always [madvise] never` is `madvise`.
fn chosen(text: &str) -> Option<&str> {
    text.split_once('[')?.1.split_once(']').map(|(word, _)| word)
}

/// Looks at this program and at what it may start.
pub(crate) fn programs() -> Vec<Finding> {
    let found = database::find_programs().map(|folder| folder.display().to_string());
    let (level, next) = why::level();
    vec![build(cfg!(debug_assertions)), database(found), profiler(level, next)]
}

fn profiler(level: WhyLevel, next: Option<String>) -> Finding {
    let why = "`run --why` shows as much of a request's CPU as the kernel allows";
    Finding::fine("profiler", level.name(), why).unless(next.is_none(), next.unwrap_or_default())
}

fn build(debug: bool) -> Finding {
    let why =
        "without optimisation contenders are several times slower, each by a different factor";
    let found = if debug { "a debug build" } else { "a release build" };
    Finding::fine("this build", found, why)
        .unless(!debug, "cargo build --release, then target/release/bakeoff")
}

fn database(folder: Result<String>) -> Finding {
    let why = "only [store.postgres] with url = \"auto\" needs it: a temporary server for each run";
    match folder {
        Ok(folder) => Finding::fine("PostgreSQL", folder, why),
        Err(error) => {
            let (message, help) = error.parts();
            Finding::fine("PostgreSQL", message, why)
                .unless(false, help.unwrap_or("apt-get install postgresql"))
        }
    }
}

/// Looks at the `cores` that this process may use.
pub(crate) fn look_at_cores(cores: &Cores) -> Vec<Finding> {
    let online = read("/sys/devices/system/cpu/online").map_or(cores.len(), |list| count(&list));
    let siblings: Vec<Cores> = cores.iter().filter_map(|&core| siblings_of(core)).collect();
    let governors: Vec<String> = cores.iter().filter_map(|&core| governor_of(core)).collect();
    vec![
        number(cores.len()),
        affinity(cores, online),
        apart(cores, &siblings),
        quota(cpu_quota(), cores.len(), throttled()),
        governor(&governors),
    ]
}

fn number(cores: usize) -> Finding {
    let why = "generator, contender and dependency each need a core of their own; on two cores the \
               generator and the dependency share one, and a contender cannot show how it scales";
    Finding::fine("cores", format!("{cores} usable"), why).unless(
        cores >= 2,
        "let this process use two cores or more (taskset, cpuset, a larger machine)",
    )
}

fn affinity(cores: &Cores, online: usize) -> Finding {
    let why = "bakeoff places processes only on the cores of the affinity mask that it inherits";
    let found = format!("{} of {online} cores", cores.len());
    let all = format!("taskset -a -p -c 0-{} $$", online.saturating_sub(1));
    Finding::fine("affinity", found, why).unless(cores.len() >= online, all)
}

/// Two hardware threads of one core slow each other down.
fn apart(cores: &Cores, siblings: &[Cores]) -> Finding {
    let why = "two hardware threads share one core: the generator would slow the contender down";
    let shared =
        siblings.iter().find(|group| group.iter().filter(|core| cores.contains(core)).count() > 1);
    match shared {
        None if siblings.len() < cores.len() => {
            Finding::unknown("siblings", "the machine does not say", why)
        }
        None => Finding::fine("siblings", "no two usable cores are threads of one core", why),
        Some(group) => {
            let found = format!(
                "cores {} are threads of one core",
                group.iter().map(usize::to_string).collect::<Vec<_>>().join(" and ")
            );
            let mut first: Cores =
                siblings.iter().filter_map(|group| group.iter().min().copied()).collect();
            first.sort_unstable();
            first.dedup();
            let list = first.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            let fix = match first.len() {
                0 | 1 => "nothing on this machine: it has one core with two threads".into(),
                _ => format!("taskset -c {list} bakeoff run .."),
            };
            Finding::fine("siblings", found, why).unless(false, fix)
        }
    }
}

fn quota(quota: Option<f64>, cores: usize, throttled: Option<Nanos>) -> Finding {
    let why = "a group that has used up its quota is stopped until the next period: for tens of \
               milliseconds nothing answers";
    let lost = match throttled {
        Some(Nanos(0)) | None => String::new(),
        Some(lost) => format!(", held back for {lost} so far"),
    };
    match quota {
        None => Finding::fine("CPU quota", format!("none{lost}"), why),
        Some(quota) => Finding::fine("CPU quota", format!("{quota:.1} of {cores} cores{lost}"), why).unless(
            quota >= cores as f64,
            "start the container with --cpuset-cpus instead of --cpus; or systemctl set-property UNIT CPUQuota=",
        ),
    }
}

fn governor(governors: &[String]) -> Finding {
    let why = "a core that slows down at low load makes a contender with little work look slow";
    let Some(first) = governors.first() else {
        return Finding::unknown("governor", "not visible: a virtual machine", why);
    };
    let slow = governors.iter().find(|name| *name != "performance");
    Finding::fine("governor", slow.unwrap_or(first), why)
        .unless(slow.is_none(), "sudo cpupower frequency-set -g performance")
}

fn siblings_of(core: usize) -> Option<Cores> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    read(&path).map(|list| listed(&list))
}

fn governor_of(core: usize) -> Option<String> {
    read(&format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"))
}

fn count(list: &str) -> usize {
    listed(list).len()
}

/// The cores of a kernel's list: `0-2,5` are four.
fn listed(list: &str) -> Cores {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some(from.trim().parse::<usize>().ok()?..=to.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// Descriptors for a thousand connections on either side, and some more.
const DESCRIPTORS_WANTED: u64 = 4_096;
/// A thread for each of a thousand connections, beside all else.
const THREADS_WANTED: u64 = 4_096;
/// A run that opens a connection for each request leaves one port a request in TIME-WAIT, for a minute.
const PORTS_WANTED: u64 = 16_384;
/// What every server here asks for.
const BACKLOG: u64 = 4_096;

pub(crate) fn look_at_limits() -> Vec<Finding> {
    let ports = read("/proc/sys/net/ipv4/ip_local_port_range");
    let somaxconn = read("/proc/sys/net/core/somaxconn").and_then(|text| text.parse().ok());
    let open = getrlimit(Resource::Nofile);
    let memory = Lines::read("/proc/meminfo");
    let of = |name| memory.as_ref()?.number(name);
    let swap = of("SwapTotal").zip(of("SwapFree"));
    vec![
        descriptors(open.current, open.maximum),
        threads(getrlimit(Resource::Nproc).current, read("/sys/fs/cgroup/pids.max").as_deref()),
        free_ports(ports.as_deref()),
        backlog(somaxconn),
        huge_pages(read("/sys/kernel/mm/transparent_hugepage/enabled").as_deref()),
        available(of("MemAvailable"), swap.map_or(0, |(total, free)| total.saturating_sub(free))),
    ]
}

/// No limit is `None`.
fn descriptors(soft: Option<u64>, hard: Option<u64>) -> Finding {
    let why = "each connection of the generator and of a server needs a descriptor; without enough, connects fail";
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= DESCRIPTORS_WANTED);
    let fix = match enough(hard) {
        true => format!("ulimit -n {}", hard.unwrap_or(65_536).min(65_536)),
        false => "sudo prlimit --nofile=65536 --pid $$".into(),
    };
    Finding::fine("descriptors", shown(soft), why).unless(enough(soft), fix)
}

fn threads(processes: Option<u64>, group: Option<&str>) -> Finding {
    let why = "a thread for each connection needs as many threads as connections";
    let group = group.and_then(|text| text.parse().ok());
    let least = [processes, group].into_iter().flatten().min();
    let fix = match group.is_some() && group == least {
        true => {
            "start the container with --pids-limit -1, or systemctl set-property UNIT TasksMax=infinity"
        }
        false => "ulimit -u 16384",
    };
    Finding::fine("threads", shown(least), why)
        .unless(least.is_none_or(|least| least >= THREADS_WANTED), fix)
}

fn free_ports(range: Option<&str>) -> Finding {
    let why =
        "each connection to one server takes a port here, and keeps it for a minute after its end";
    let ends = range.and_then(|text| {
        let mut ends = text.split_whitespace().map(str::parse::<u64>);
        Some((ends.next()?.ok()?, ends.next()?.ok()?))
    });
    let Some((from, to)) = ends else {
        return Finding::unknown("ports", "the machine does not say", why);
    };
    let number = (to + 1).saturating_sub(from);
    Finding::fine("ports", format!("{number} ({from} to {to})"), why)
        .unless(number >= PORTS_WANTED, "sudo sysctl -w net.ipv4.ip_local_port_range='16384 65535'")
}

fn backlog(most: Option<u64>) -> Finding {
    let why = "in a burst, connects beyond it are dropped and retried a second later";
    match most {
        None => Finding::unknown("backlog", "the machine does not say", why),
        Some(most) => Finding::fine("backlog", format!("at most {most}"), why)
            .unless(most >= BACKLOG, format!("sudo sysctl -w net.core.somaxconn={BACKLOG}")),
    }
}

fn shown(limit: Option<u64>) -> String {
    limit.map_or("no limit".into(), |limit| format!("at most {limit}"))
}

/// The tour needs less.
const AVAILABLE_WANTED: u64 = 1 << 30;

fn huge_pages(enabled: Option<&str>) -> Finding {
    let why = "with `always`, peak RSS moves in steps of 2 MiB, and the kernel's compaction stops threads";
    match enabled.and_then(chosen) {
        None => Finding::unknown("huge pages", "the machine does not say", why),
        Some(word) => Finding::fine("huge pages", word, why).unless(
            word != "always",
            "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
        ),
    }
}

fn available(available: Option<u64>, swapped: u64) -> Finding {
    let why = "on a machine that swaps, response times are those of its disk";
    let Some(free) = available else {
        return Finding::unknown("memory", "the machine does not say", why);
    };
    let swap =
        if swapped > 0 { format!(", {} in swap", bytes(swapped as f64)) } else { String::new() };
    Finding::fine("memory", format!("{} available{swap}", bytes(free as f64)), why)
        .unless(free >= AVAILABLE_WANTED, "end what uses it: ps -eo rss,args --sort -rss | head")
}

/// How long others are watched while this process sleeps.
const QUIET: Duration = Duration::from_secs(1);
/// A machine of which others use less is quiet.
const BUSY_MAX: f64 = 0.05;
/// Beyond it a trial is SUSPECT.
const STEAL_MAX: f64 = 0.05;
/// A percentile that is no longer than this says little about a server on such a machine.
const FLOOR_MAX: Nanos = Nanos::MILLI;
/// Sleeps that are timed.
const SLEEPS: usize = 1_000;
/// How long each is meant to be.
const SLEEP: Duration = Duration::from_micros(200);
/// The generator wakes this long before an instant and polls the rest.
const EARLY: Nanos = Nanos(60_000);
/// Readings of the clock that are timed.
const READINGS: u32 = 100_000;
/// Through the vDSO it is some 20 ns, through the kernel some hundreds.
const READING_MAX: Nanos = Nanos(150);

/// Looks at the machine for three seconds.
pub(crate) fn look_at_time(cores: &Cores) -> Result<Vec<Finding>> {
    let busy = busy_share(QUIET);
    let before = Interference::now();
    let hiccups = interference::watch(cores, interference::WATCH)?;
    let steal = before.steal_share();
    let late = thread::spawn(lateness).join().expect("sleeping does not panic")?;
    Ok(vec![
        others(busy),
        stolen(steal),
        stops(&hiccups),
        timer(late),
        clock(read("/sys/devices/system/clocksource/clocksource0/current_clocksource"), reading()),
    ])
}

fn others(busy: Option<f64>) -> Finding {
    let why = "other processes take cores from the contender in one round and not in the next";
    match busy {
        None => Finding::unknown("other work", "the machine does not say", why),
        Some(busy) => Finding::fine("other work", format!("{} of the machine", Share(busy)), why)
            .unless(busy <= BUSY_MAX, "end other processes, or wait: top -o %CPU shows them"),
    }
}

fn stolen(steal: Option<f64>) -> Finding {
    let why = "the hypervisor gives a virtual core's time to others; beyond 5 % a trial is SUSPECT";
    match steal {
        None => Finding::unknown("steal", "the kernel does not say", why),
        Some(steal) => Finding::fine("steal", format!("{} in a second", Share(steal)), why).unless(
            steal <= STEAL_MAX,
            "measure at another time, or on a machine with cores of its own",
        ),
    }
}

/// With the percentile that they set a floor to.
fn stops(hiccups: &Hiccups) -> Finding {
    let why = "a thread that only reads the clock should not pause; no percentile can be measured below \
               the machine's own pauses, its floor";
    let p99 = hiccups.floor[2];
    let (worst, lost) = (hiccups.worst, Share(hiccups.lost.0));
    let found = format!("longest pause {worst}, {lost} of the time; floor of p99: {p99}");
    Finding::fine("hiccups", found, why).unless(
        p99 <= FLOOR_MAX,
        "end other processes; on a virtual machine, measure more rounds, or use dedicated cores",
    )
}

/// With the lateness of sleeps, p50 and p99.
fn timer((p50, p99): (Nanos, Nanos)) -> Finding {
    let why =
        "the generator sleeps until shortly before it must send; if it oversleeps, it is late";
    Finding::fine("timer", format!("a sleep ends {p50} late, p99 {p99}"), why).unless(
        p50 <= EARLY,
        "give the generator a core of its own, where it polls: mode = \"apart\", bakeoff drive --pace spin",
    )
}

fn clock(source: Option<String>, reading: Nanos) -> Finding {
    let why =
        "the clock is read six times per request, which is expensive if it needs a system call";
    let source = source.unwrap_or_else(|| "unknown source".into());
    Finding::fine("clock", format!("{source}, {reading} a reading"), why).unless(
        reading <= READING_MAX,
        "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource",
    )
}

/// The share of the machine's time in which anybody computed while this process slept.
fn busy_share(time: Duration) -> Option<f64> {
    let before = Ticks::now()?;
    thread::sleep(time);
    Some(1.0 - Ticks::now()?.idle_since(before).min(1.0))
}

/// How much later than asked sleeps end, p50 and p99, with the timer slack that the generator has.
fn lateness() -> Result<(Nanos, Nanos)> {
    set_current_timer_slack(NonZeroU64::new(1)).context(|| "cannot set the timer slack".into())?;
    let mut late: Vec<Nanos> = (0..SLEEPS)
        .map(|_| {
            let asleep = Instant::now();
            thread::sleep(SLEEP);
            asleep.elapsed().saturating_sub(SLEEP).into()
        })
        .collect();
    late.sort_unstable();
    Ok((late[SLEEPS / 2], late[SLEEPS * 99 / 100]))
}

/// What one reading of the clock costs.
fn reading() -> Nanos {
    let start = Instant::now();
    for _ in 0..READINGS {
        std::hint::black_box(Instant::now());
    }
    (start.elapsed() / READINGS).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::error::Error;

    #[test]
    fn every_check_says_why_and_only_what_is_to_be_fixed_has_a_command() {
        let findings = examine().unwrap();
        for one in &findings {
            assert!(!one.found.is_empty() && one.why.len() > 20, "{one:?}");
            assert_eq!(one.fix.is_some(), one.state == State::Fix, "{one:?}");
        }
        let mut names: Vec<_> = findings.iter().map(|one| one.check).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), findings.len(), "a check has one row");
    }

    #[test]
    fn the_chosen_word_is_in_brackets() {
        assert_eq!(chosen("always [madvise] never"), Some("madvise"));
        assert_eq!(chosen("never"), None);
    }

    #[test]
    fn a_debug_build_and_a_missing_database_are_told() {
        assert_eq!((build(false).state, build(true).state), (State::Fine, State::Fix));
        assert_eq!(database(Ok("/usr/bin".into())).state, State::Fine);
        let missing = database(Err(Error::usage("not installed").help("apt-get install it")));
        assert_eq!(
            (missing.found.as_str(), missing.fix.unwrap().as_str()),
            ("not installed", "apt-get install it")
        );
    }

    #[test]
    fn a_list_of_cores_is_read() {
        assert_eq!(listed("0-2,5"), [0, 1, 2, 5]);
        assert_eq!((listed("7"), listed("")), (vec![7], vec![]));
    }

    #[test]
    fn too_few_cores_and_a_narrow_mask_are_told() {
        assert_eq!(number(2).state, State::Fine);
        assert_eq!(number(1).state, State::Fix);
        assert_eq!(affinity(&vec![0, 1], 2).state, State::Fine);
        assert!(affinity(&vec![1], 4).fix.unwrap().contains("-c 0-3"));
    }

    #[test]
    fn threads_of_one_core_are_told_apart() {
        let four = vec![0, 1, 2, 3];
        let pairs = [vec![0, 2], vec![1, 3], vec![0, 2], vec![1, 3]];
        let found = apart(&four, &pairs);
        assert_eq!(found.found, "cores 0 and 2 are threads of one core");
        assert!(found.fix.unwrap().contains("taskset -c 0,1 "));
        assert_eq!(apart(&vec![0, 1], &[vec![0, 2], vec![1, 3]]).state, State::Fine);
        assert_eq!(apart(&vec![0, 1], &[]).state, State::Unknown);
        assert!(apart(&vec![0, 1], &[vec![0, 1], vec![0, 1]]).fix.unwrap().contains("nothing"));
    }

    #[test]
    fn a_quota_and_a_slow_governor_are_told() {
        assert_eq!(quota(None, 2, Some(Nanos(0))).found, "none");
        assert_eq!(quota(Some(2.0), 2, None).state, State::Fine);
        let held = quota(Some(1.5), 2, Some(Nanos(1_500_000_000)));
        assert_eq!(
            (held.state, held.found.as_str()),
            (State::Fix, "1.5 of 2 cores, held back for 1.5 s so far")
        );
        let names =
            |names: &[&str]| governor(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&[]).state, State::Unknown);
        assert_eq!(names(&["performance", "performance"]).state, State::Fine);
        assert_eq!(
            (
                names(&["performance", "powersave"]).state,
                names(&["performance", "powersave"]).found.as_str()
            ),
            (State::Fix, "powersave")
        );
    }

    #[test]
    fn a_low_limit_is_told_with_what_can_be_done_without_and_with_rights() {
        assert_eq!(descriptors(None, None).found, "no limit");
        assert_eq!(descriptors(Some(4_096), Some(4_096)).state, State::Fine);
        assert_eq!(descriptors(Some(1_024), Some(20_000)).fix.unwrap(), "ulimit -n 20000");
        assert!(descriptors(Some(1_024), Some(1_024)).fix.unwrap().contains("prlimit"));
    }

    #[test]
    fn the_lower_of_two_limits_on_threads_counts() {
        assert_eq!(threads(None, Some("max")).found, "no limit");
        assert!(threads(Some(90_000), Some("512")).fix.unwrap().contains("--pids-limit"));
        assert_eq!(threads(Some(1_000), Some("8192")).fix.unwrap(), "ulimit -u 16384");
    }

    #[test]
    fn few_ports_and_a_short_backlog_are_told() {
        assert_eq!(free_ports(Some("32768\t60999")).found, "28232 (32768 to 60999)");
        assert_eq!(free_ports(Some("60000 60999")).state, State::Fix);
        assert_eq!(free_ports(Some("?")).state, State::Unknown);
        assert_eq!(
            (backlog(Some(4_096)).state, backlog(Some(128)).state),
            (State::Fine, State::Fix)
        );
    }

    #[test]
    fn pages_that_come_unasked_and_too_little_memory_are_told() {
        assert_eq!(huge_pages(Some("always [madvise] never")).state, State::Fine);
        assert!(huge_pages(Some("[always] madvise never")).fix.unwrap().contains("echo madvise"));
        assert_eq!(huge_pages(None).state, State::Unknown);
        assert_eq!(available(Some(4 << 30), 0).found, "4 GiB available");
        assert_eq!(available(Some(1 << 20), 1 << 20).state, State::Fix);
    }

    #[test]
    fn a_restless_machine_is_told() {
        assert_eq!(others(Some(0.01)).state, State::Fine);
        assert!(others(Some(0.5)).fix.is_some() && others(None).state == State::Unknown);
        assert_eq!(stolen(Some(0.06)).state, State::Fix);
        let calm = Hiccups { worst: Nanos(300_000), lost: Share(0.001), floor: [Nanos(0); 4] };
        let found = "longest pause 300 us, 0.1% of the time; floor of p99: 0 ns";
        assert_eq!(stops(&calm).found, found);
        let restless =
            Hiccups { floor: [Nanos(0), Nanos(0), Nanos(2_500_000), Nanos(4_000_000)], ..calm };
        assert_eq!(stops(&restless).state, State::Fix);
    }

    #[test]
    fn a_coarse_timer_and_a_dear_clock_are_told() {
        assert_eq!(timer((Nanos(52_000), Nanos(300_000))).state, State::Fine);
        assert_eq!(timer((Nanos(1_000_000), Nanos(1_100_000))).state, State::Fix);
        assert_eq!(clock(Some("tsc".into()), Nanos(22)).found, "tsc, 22 ns a reading");
        assert!(clock(Some("acpi_pm".into()), Nanos(900)).fix.unwrap().contains("echo tsc"));
    }
}
