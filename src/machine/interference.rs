//! CPU time that tasks on this machine did not get: taken by the hypervisor, or withheld by a CPU quota (cgroup, version 1
//! or 2) of this process's group or of one around it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::machine::proc;
use crate::machine::proc::{Group, Mount};
use crate::units::Nanos;

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
}
