//! CPU time that tasks on this machine did not get: taken by the hypervisor, or withheld by a CPU quota (cgroup, version 1
//! or 2) of this process's group or of one around it.

use std::collections::BTreeSet;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::error::Result;
use crate::machine;
use crate::machine::proc;
use crate::machine::proc::{Group, Mount};
use crate::record::Hiccups;
use crate::stats::percentile::RANKS;
use crate::units::{Nanos, Share};

/// The time in which tasks were ready and not allowed to run, summed over cores, of the group that lost the most: since
/// the groups were made. Nothing where no controller of CPU time is mounted.
pub(crate) fn throttled() -> Option<Nanos> {
    around()?.iter().filter_map(|folder| read(folder)).max()
}

/// How many cores' time the tightest of the groups allows; nothing where none has a quota.
pub(crate) fn cpu_quota() -> Option<f64> {
    around()?.iter().filter_map(|folder| quota(folder)).reduce(f64::min)
}

/// The folders of this process's groups and of those around them that have the CPU controller.
fn around() -> Option<Vec<PathBuf>> {
    let (groups, mounts) = (proc::groups()?, proc::mounts()?);
    Some(groups.iter().filter_map(|group| folders(group, &mounts)).flatten().collect())
}

/// The folder of a group with the CPU controller and those of the groups around it.
fn folders(group: &Group, mounts: &[Mount]) -> Option<Vec<PathBuf>> {
    let cpu = |names: &[String]| names.iter().any(|name| name == "cpu");
    let mount = mounts.iter().find(|mount| match cpu(&group.controllers) {
        true => mount.kind == "cgroup" && cpu(&mount.options),
        false => group.hierarchy == 0 && mount.kind == "cgroup2",
    })?;
    Some(upwards(&mount.at, &group.path))
}

/// `path` below `mount`, and each folder above it up to the mount. In a container the path may be that of the host and
/// lie outside what is mounted: what is not there is not read.
fn upwards(mount: &Path, path: &str) -> Vec<PathBuf> {
    let folder = mount.join(path.trim_start_matches('/'));
    folder.ancestors().take_while(|at| at.starts_with(mount)).map(Path::to_owned).collect()
}

/// `cpu.max` (version 2) or quota over period (version 1), in cores; nothing of a group without a quota.
fn quota(folder: &Path) -> Option<f64> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|&number| number > 0.0);
    let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
    if let Some(max) = read("cpu.max") {
        let (quota, period) = max.trim().split_once(' ')?;
        return Some(number(quota)? / number(period)?);
    }
    Some(number(&read("cpu.cfs_quota_us")?)? / number(&read("cpu.cfs_period_us")?)?)
}

/// `throttled_usec` (version 2) or `throttled_time` in ns (version 1) of a group's `cpu.stat`.
fn read(folder: &Path) -> Option<Nanos> {
    let text = fs::read_to_string(folder.join("cpu.stat")).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        let value: u64 = value.trim().parse().ok()?;
        match name {
            "throttled_usec" => Some(Nanos(value.saturating_mul(1_000))),
            "throttled_time" => Some(Nanos(value)),
            _ => None,
        }
    })
}

/// Ticks of all cores up to an instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks {
    idle: u64,
    stolen: u64,
    all: u64,
}

impl Ticks {
    /// So far; nothing where the kernel does not say.
    pub(crate) fn now() -> Option<Self> {
        Self::of(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// Of the text of `/proc/stat`.
    fn of(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        // Guest time, which follows, is inside user.
        let ticks = line.split_whitespace().take(8).map(|tick| tick.parse().ok());
        let ticks = ticks.collect::<Option<Vec<u64>>>()?;
        let [_user, _nice, _system, idle, io_wait, _irq, _soft_irq, stolen] = ticks[..] else {
            return None;
        };
        Some(Self { idle: idle + io_wait, stolen, all: ticks.iter().sum() })
    }

    /// The idle share since `earlier`, including waits for a disk.
    pub(crate) fn idle_since(self, earlier: Self) -> f64 {
        self.share(earlier, |ticks| ticks.idle)
    }

    /// The share that the hypervisor gave to others since `earlier`.
    pub(crate) fn stolen_since(self, earlier: Self) -> f64 {
        self.share(earlier, |ticks| ticks.stolen)
    }

    fn share(self, earlier: Self, of: fn(Self) -> u64) -> f64 {
        let all = self.all.saturating_sub(earlier.all).max(1);
        of(self).saturating_sub(of(earlier)) as f64 / all as f64
    }
}

/// What the machine has given to others up to an instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interference {
    at: Instant,
    ticks: Option<Ticks>,
    throttled: Option<Nanos>,
}

impl Interference {
    pub(crate) fn now() -> Self {
        Self { at: Instant::now(), ticks: Ticks::now(), throttled: throttled() }
    }

    /// The share of the machine's time that the hypervisor gave to others since.
    pub(crate) fn steal_share(&self) -> Option<f64> {
        Ticks::now().zip(self.ticks).map(|(now, before)| now.stolen_since(before))
    }

    /// The share of the machine's time that a quota held tasks back since.
    pub(crate) fn throttled_share(&self) -> Option<f64> {
        let lost = throttled()?.saturating_sub(self.throttled?);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Some(lost.as_secs_f64() / (self.at.elapsed().as_secs_f64() * cores as f64))
    }
}

/// Begins the names; `@` stands for the byte 0 of an abstract one.
const PREFIX: &str = "bakeoff-measures-";

/// This process as one that measures, and those that were seen beside it.
#[derive(Debug)]
pub(crate) struct Neighbours {
    own: u32,
    now: BTreeSet<u32>,
    seen: BTreeSet<u32>,
    /// Nothing where another part of this process has the name: it is seen anyway.
    _name: Option<UnixListener>,
}

impl Neighbours {
    /// From now on others see this process.
    pub(crate) fn announced() -> Self {
        let own = std::process::id();
        let name = SocketAddr::from_abstract_name(format!("{PREFIX}{own}"));
        let listener = name.and_then(|name| UnixListener::bind_addr(&name)).ok();
        let [now, seen] = [const { BTreeSet::new() }; 2];
        Self { own, now, seen, _name: listener }
    }

    /// Looks around; a sentence where there is one that was not seen before.
    pub(crate) fn look(&mut self) -> Option<String> {
        let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
        self.now = processes(&sockets).filter(|pid| *pid != self.own).collect();
        let new = self.now.iter().copied();
        let new: Vec<u32> = new.filter(|pid| self.seen.insert(*pid)).collect();
        (!new.is_empty()).then(|| sentence(new.into_iter()))
    }

    /// About those of the latest look: what was measured beside them is to be doubted.
    pub(crate) fn doubt(&self) -> Option<String> {
        (!self.now.is_empty()).then(|| sentence(self.now.iter().copied()))
    }

    pub(crate) fn note(&self) -> Option<String> {
        (!self.seen.is_empty()).then(|| sentence(self.seen.iter().copied()))
    }
}

fn sentence(pids: impl Iterator<Item = u32>) -> String {
    let pids: Vec<String> = pids.map(|pid| pid.to_string()).collect();
    let (who, processes, measure) = match pids.len() {
        1 => ("another bakeoff", "process", "measures"),
        _ => ("other bakeoffs", "processes", "measure"),
    };
    format!(
        "{who} ({processes} {}) {measure} on this machine at the same time: each disturbs the figures of the other",
        pids.join(", ")
    )
}

/// `0000000000000000: 00000002 00000000 00010000 0001 01 40235 @bakeoff-measures-2151`
fn processes(sockets: &str) -> impl Iterator<Item = u32> {
    sockets.lines().filter_map(|line| line.rsplit_once('@')?.1.strip_prefix(PREFIX)?.parse().ok())
}

/// How long each core is watched at most.
pub(crate) const WATCH: Duration = Duration::from_millis(1_000);
/// A pause between two readings that is no longer the cost of reading.
const PAUSE: Duration = Duration::from_micros(100);

/// A watch sees no more pauses than fit into it.
const PAUSES_KEPT_MAX: usize = (WATCH.as_micros() / PAUSE.as_micros()) as usize + 1;

/// Watches `cores`, all at once, for `time` or [`WATCH`] where that is less, and gives the worst of what was seen.
pub(crate) fn watch(cores: &[usize], time: Duration) -> Result<Hiccups> {
    let none = Hiccups { worst: Nanos(0), lost: Share(0.0), floor: [Nanos(0); RANKS.len()] };
    thread::scope(|scope| {
        let watchers: Vec<_> = cores
            .iter()
            .map(|&core| {
                scope.spawn(move || machine::on_cores(&vec![core], || read_clock(time.min(WATCH))))
            })
            .collect();
        watchers.into_iter().try_fold(none, |worst, watcher| {
            let one = watcher.join().expect("reading a clock does not panic")?;
            Ok(Hiccups {
                worst: worst.worst.max(one.worst),
                lost: Share(worst.lost.0.max(one.lost.0)),
                floor: std::array::from_fn(|rank| worst.floor[rank].max(one.floor[rank])),
            })
        })
    })
}

/// Reads the clock until the time is over.
fn read_clock(time: Duration) -> Hiccups {
    let start = Instant::now();
    let (mut last, mut pauses) = (start, Vec::with_capacity(PAUSES_KEPT_MAX));
    while last.duration_since(start) < time {
        let now = Instant::now();
        let pause = now.duration_since(last);
        if pause > PAUSE && pauses.len() < PAUSES_KEPT_MAX {
            pauses.push(Nanos::from(pause));
        }
        last = now;
    }
    of(&mut pauses, last.duration_since(start).into())
}

/// What `pauses` in the time `watched` come to.
fn of(pauses: &mut [Nanos], watched: Nanos) -> Hiccups {
    pauses.sort_unstable_by(|a, b| b.cmp(a));
    let lost: u64 = pauses.iter().map(|pause| pause.0).sum();
    Hiccups {
        worst: pauses.first().copied().unwrap_or_default(),
        lost: Share(lost as f64 / watched.0.max(1) as f64),
        floor: RANKS.map(|(_, rank)| floor(pauses, (1.0 - rank) * watched.0 as f64)),
    }
}

/// The x for which the instants that are put off by more than x, those further than x from the end of their pause, come
/// to `beyond_ns` in all: the sum over `pauses` (longest first) of max(0, pause - x).
fn floor(pauses: &[Nanos], beyond_ns: f64) -> Nanos {
    let mut sum = 0.0;
    for (longer, pause) in (1..).zip(pauses) {
        sum += pause.0 as f64;
        let x = (sum - beyond_ns) / f64::from(longer);
        let next = pauses.get(longer as usize).map_or(0.0, |next| next.0 as f64);
        if x >= next {
            return Nanos(x as u64);
        }
    }
    Nanos(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let stat = |text: &str| {
            fs::write(folder.path().join("cpu.stat"), text).unwrap();
            read(folder.path())
        };
        assert_eq!(
            stat("usage_usec 9\nnr_throttled 2\nthrottled_usec 1500\n"),
            Some(Nanos(1_500_000))
        );
        assert_eq!(stat("nr_periods 5\nnr_throttled 2\nthrottled_time 70\n"), Some(Nanos(70)));
        assert_eq!(stat("usage_usec 9\n"), None, "a root group has no quota");
        assert_eq!(read(Path::new("/nowhere")), None);
    }

    #[test]
    fn a_quota_is_read_of_both_versions() {
        let folder = tempfile::tempdir().unwrap();
        let put = |file: &str, text: &str| fs::write(folder.path().join(file), text).unwrap();
        assert_eq!(quota(folder.path()), None);
        put("cpu.cfs_quota_us", "-1\n");
        put("cpu.cfs_period_us", "100000\n");
        assert_eq!(quota(folder.path()), None, "version 1 writes -1 for none");
        put("cpu.cfs_quota_us", "50000\n");
        assert_eq!(quota(folder.path()), Some(0.5));
        put("cpu.max", "max 100000\n");
        assert_eq!(quota(folder.path()), None);
        put("cpu.max", "150000 100000\n");
        assert_eq!(quota(folder.path()), Some(1.5));
    }

    #[test]
    fn the_folders_are_where_the_cpu_controller_of_either_version_is_mounted() {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let mount = |at: &str, kind: &str, options: &[&str]| Mount {
            at: at.into(),
            kind: kind.into(),
            options: owned(options),
        };
        let mounts = [
            mount("/tmp", "tmpfs", &["rw", "cpu"]),
            mount("/one/memory", "cgroup", &["rw", "memory"]),
            mount("/one/cpu", "cgroup", &["rw", "cpu", "cpuacct"]),
            mount("/two", "cgroup2", &["rw"]),
        ];
        let found = |hierarchy, controllers: &[&str]| {
            let controllers = owned(controllers);
            folders(&Group { hierarchy, controllers, path: "/a".into() }, &mounts)
        };
        assert_eq!(
            found(4, &["cpuacct", "cpu"]),
            Some(vec!["/one/cpu/a".into(), "/one/cpu".into()])
        );
        assert_eq!(found(0, &[""]), Some(vec!["/two/a".into(), "/two".into()]));
        assert_eq!(found(3, &["memory"]), None);
    }

    #[test]
    fn the_groups_around_count_too() {
        let mount = Path::new("/sys/fs/cgroup");
        let found = upwards(mount, "/a/b");
        assert_eq!(found, [mount.join("a/b"), mount.join("a"), mount.to_owned()]);
        assert_eq!(upwards(mount, "/"), [mount]);
    }

    #[test]
    fn shares_are_of_what_passed_between() {
        let before = Ticks::of("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 1\n").unwrap();
        let after = Ticks::of("cpu  130 0 60 840 60 0 0 10 7 0\n").unwrap();
        assert_eq!((after.idle_since(before), after.stolen_since(before)), (0.5, 0.1));
        assert_eq!(after.stolen_since(after), 0.0);
        assert!(Ticks::now().is_some());
    }

    #[test]
    fn a_kernel_that_does_not_say_says_nothing() {
        for text in ["", "intr 1 2 3\n", "cpu  1 2 3\n", "cpu  1 2 3 4 5 6 7 x\n"] {
            assert!(Ticks::of(text).is_none(), "{text}");
        }
    }

    #[test]
    fn another_one_is_told_once_and_noted() {
        let list = "Num RefCount Protocol Flags Type St Inode Path\n\
                    0: 2 0 10000 1 1 40235 @bakeoff-measures-17\n\
                    0: 2 0 10000 1 1 40236 @bakeoff-measures-x\n\
                    0: 2 0 10000 1 1 40237 /run/bakeoff-measures-18\n";
        assert_eq!(processes(list).collect::<Vec<_>>(), [17]);
        // A name stands for a process: here for one that is none of ours.
        let stranger = (u32::MAX - std::process::id()).to_string();
        let name = SocketAddr::from_abstract_name(format!("{PREFIX}{stranger}")).unwrap();
        let other = UnixListener::bind_addr(&name).unwrap();
        let mut own = Neighbours::announced();
        assert!(own.look().is_some_and(|told| told.contains(&stranger)));
        assert!(own.doubt().is_some_and(|doubt| doubt.contains(&stranger)));
        assert!(own.look().is_none_or(|told| !told.contains(&stranger)), "it is told once");
        drop(other);
        own.look();
        assert!(own.doubt().is_none_or(|doubt| !doubt.contains(&stranger)), "it is gone");
        assert!(own.note().is_some_and(|note| note.contains(&stranger)));
        let pids: Vec<u32> = processes(&fs::read_to_string("/proc/net/unix").unwrap()).collect();
        // Another test of this process may have had the name, and let it go.
        assert!(own._name.is_none() || pids.contains(&std::process::id()), "others see this one");
    }

    #[test]
    fn one_stop_makes_the_floor_that_the_method_gives_for_a_stall() {
        let second = 1_000_000_000;
        // S = 1 s of T = 10 s: p95 is 0.5 s, p99 0.9 s.
        let one = of(&mut [Nanos(second)], Nanos(10 * second));
        let [p50, p90, p99, p99_9] = one.floor.map(|floor| floor.0.div_ceil(1_000_000));
        assert_eq!([p50, p90, p99, p99_9], [0, 0, 900, 990]);
        assert!((one.lost.0 - 0.1).abs() < 1e-9 && one.worst == Nanos(second));
        // Two of half a second: of each a tenth of a second lies beyond 0.45 s at p99.
        let two = of(&mut [Nanos(second / 2); 2], Nanos(10 * second));
        assert_eq!(two.floor[2].0.div_ceil(1_000_000), 450);
        // A short one counts only below itself.
        let mixed = of(&mut [Nanos(1_000), Nanos(second)], Nanos(10 * second));
        assert_eq!(mixed.floor[2], one.floor[2]);
        assert_eq!(of(&mut [], Nanos(second)).floor, [Nanos(0); 4]);
    }

    #[test]
    fn a_core_that_is_shared_with_a_busy_thread_is_noticed() {
        let core = machine::allowed_cores().unwrap()[0];
        // Two watchers on one core: each is the other's hiccup.
        let shared = watch(&[core, core], WATCH).unwrap();
        assert!(shared.lost.0 > 0.2, "{shared:?}");
        assert!(shared.worst > Nanos::MILLI, "{shared:?}");
    }
}
