//! The files below /proc that are read, and of each only what is asked of it; also the sockets on which a program listens.
//!
//! Names in them may have any bytes, also brackets and line ends. What cannot be understood is `None`, or is
//! left out of a list.

use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::param::{clock_ticks_per_second, page_size};

use crate::error::{Context, Result};
use crate::units::Nanos;

/// This very program, which starts itself in other roles.
pub(crate) fn own_program() -> Result<PathBuf> {
    std::env::current_exe().context(|| "cannot find this program's file".into())
}

/// Differs between two boots.
pub(crate) fn boot_id() -> Option<String> {
    text("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned())
}

/// The children of a process: of any of its threads.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let lists = threads(pid).filter_map(|thread| text(thread.join("children")));
    lists.flat_map(|list| numbers(&list)).collect()
}

/// The folder of each thread of a process.
pub(crate) fn threads(pid: u32) -> impl Iterator<Item = PathBuf> {
    let folder = fs::read_dir(format!("/proc/{pid}/task"));
    folder.into_iter().flatten().flatten().map(|thread| thread.path())
}

/// What `/proc/PID/stat` counts of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Of all its threads, the ended ones too.
    pub(crate) own: Spent,
    /// Of its children that have ended and been waited for, and of theirs.
    pub(crate) waited_for: Spent,
    pub(crate) threads: u64,
}

/// CPU time in hundredths of a second, and page faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Spent {
    pub(crate) user: Nanos,
    pub(crate) system: Nanos,
    /// Page faults that needed no reading from a disk.
    pub(crate) minor_faults: u64,
    /// Page faults that did.
    pub(crate) major_faults: u64,
}

impl Stat {
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::parse(&text(format!("/proc/{pid}/stat"))?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The second field is a name in brackets, which may hold anything; the last bracket ends it.
        let (_, from_third) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = from_third.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let time = |number| {
            let ticks = field(number)?.saturating_mul(1_000_000_000);
            Some(Nanos(ticks / clock_ticks_per_second().max(1)))
        };
        let spent = |user, minor| {
            Some(Spent {
                user: time(user)?,
                system: time(user + 1)?,
                minor_faults: field(minor)?,
                major_faults: field(minor + 2)?,
            })
        };
        Some(Self { own: spent(14, 10)?, waited_for: spent(16, 11)?, threads: field(20)? })
    }
}

impl Spent {
    pub(crate) fn cpu(self) -> Nanos {
        self.user + self.system
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            user: self.user + other.user,
            system: self.system + other.system,
            minor_faults: self.minor_faults + other.minor_faults,
            major_faults: self.major_faults + other.major_faults,
        }
    }

    /// What came since `earlier`; nothing where a figure went down, because a process ended that nobody waited for.
    pub(crate) fn since(self, earlier: Self) -> Option<Self> {
        let time = |now: Nanos, then: Nanos| Some(Nanos(now.0.checked_sub(then.0)?));
        Some(Self {
            user: time(self.user, earlier.user)?,
            system: time(self.system, earlier.system)?,
            minor_faults: self.minor_faults.checked_sub(earlier.minor_faults)?,
            major_faults: self.major_faults.checked_sub(earlier.major_faults)?,
        })
    }
}

/// How long a thread was ready to run and did not, by the text of its `schedstat`.
pub(crate) fn run_queue_delay(thread: &Path) -> Option<Nanos> {
    second_number(&text(thread.join("schedstat"))?).map(Nanos)
}

fn second_number(line: &str) -> Option<u64> {
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The memory that a process holds.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    second_number(&text(format!("/proc/{pid}/statm"))?)?.checked_mul(page_size() as u64)
}

/// The part of the machine's memory that a process has, shared pages divided among those that share them, with its page
/// tables and the kernel's stacks of its threads.
pub(crate) fn proportional_bytes(pid: u32) -> Option<u64> {
    let rollup = Lines::read(format!("/proc/{pid}/smaps_rollup"))?;
    let status = Lines::read(format!("/proc/{pid}/status"))?;
    proportional(&rollup, &status)
}

fn proportional(rollup: &Lines, status: &Lines) -> Option<u64> {
    let stacks = status.number("Threads")?.checked_mul(KERNEL_STACK)?;
    Some(rollup.number("Pss")?.saturating_add(status.number("VmPTE")?).saturating_add(stacks))
}

/// Of each thread, on x86-64 and on AArch64: bytes.
const KERNEL_STACK: u64 = 16 * 1_024;

/// Lines of a name, a colon and a value: `status`, `sched`, `meminfo`, `cpuinfo`.
#[derive(Debug)]
pub(crate) struct Lines(String);

impl Lines {
    pub(crate) fn read(path: impl AsRef<Path>) -> Option<Self> {
        text(path).map(Self)
    }

    /// The value of the first line of this name.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let lines = self.0.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(found, _)| found.trim() == name).map(|(_, value)| value.trim())
    }

    /// The same as a number; in bytes where it is in kB.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let mut words = self.value(name)?.split_ascii_whitespace();
        let number: u64 = words.next()?.parse().ok()?;
        match words.next() {
            None => Some(number),
            Some("kB") => number.checked_mul(1_024),
            Some(_) => None,
        }
    }
}

/// A control group that this process is in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// 0 is version 2.
    pub(crate) hierarchy: u32,
    /// Of version 1.
    pub(crate) controllers: Vec<String>,
    /// Below where the hierarchy is mounted.
    pub(crate) path: String,
}

/// The control groups of this process.
pub(crate) fn groups() -> Option<Vec<Group>> {
    Some(text("/proc/self/cgroup")?.lines().filter_map(group).collect())
}

fn group(line: &str) -> Option<Group> {
    let mut fields = line.splitn(3, ':');
    Some(Group {
        hierarchy: fields.next()?.parse().ok()?,
        controllers: fields.next()?.split(',').map(str::to_owned).collect(),
        path: fields.next()?.to_owned(),
    })
}

/// A file system that this process sees.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) at: PathBuf,
    pub(crate) kind: String,
    /// Of the file system, not of this mount of it.
    pub(crate) options: Vec<String>,
}

/// What is mounted for this process.
pub(crate) fn mounts() -> Option<Vec<Mount>> {
    Some(text("/proc/self/mountinfo")?.lines().filter_map(mount).collect())
}

fn mount(line: &str) -> Option<Mount> {
    // How many fields the first half has differs; a field of a mere dash ends it.
    let (mount, system) = line.split_once(" - ")?;
    let mut system = system.split(' ');
    Some(Mount {
        at: unescaped(mount.split(' ').nth(4)?),
        kind: system.next()?.to_owned(),
        options: system.nth(1)?.split(',').map(str::to_owned).collect(),
    })
}

/// A path in which blanks, line ends and backslashes stand as a backslash and three octal digits.
fn unescaped(path: &str) -> PathBuf {
    let mut parts = path.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let octal = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(octal.unwrap_or(b'\\'));
        bytes.extend(part.bytes().skip(if octal.is_some() { 3 } else { 0 }));
    }
    OsString::from_vec(bytes).into()
}

fn numbers(text: &str) -> Vec<u32> {
    text.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// A file's text; what is no UTF-8 in it is replaced.
fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Processes that are looked at.
const PROCESSES_MAX: usize = 1_000;

/// The TCP addresses at which the processes below `root` listen.
pub(crate) fn listening_below(root: u32) -> Vec<SocketAddr> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let listening: Vec<_> = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().filter_map(listener).collect::<Vec<_>>())
        .collect();
    let mut found = Vec::new();
    let mut due = children(root);
    let mut seen = 0;
    while let Some(pid) = due.pop().filter(|_| seen < PROCESSES_MAX) {
        seen += 1;
        due.extend(children(pid));
        let own = sockets(pid);
        let of_it = listening.iter().filter(|(_, inode)| own.contains(inode));
        found.extend(of_it.map(|(address, _)| *address));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The inodes of a process's sockets.
fn sockets(pid: u32) -> Vec<u64> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let inode = |link: fs::DirEntry| {
        let to = fs::read_link(link.path()).ok()?;
        to.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    links.filter_map(inode).collect()
}

/// The address and the inode of a listening socket, in a line of `/proc/net/tcp` or `tcp6`.
fn listener(line: &str) -> Option<(SocketAddr, u64)> {
    const LISTENS: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, local, _, LISTENS, ..] = fields[..] else { return None };
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((SocketAddr::new(ip(address)?, port), fields.get(9)?.parse().ok()?))
}

/// Words of 32 bits in the byte order of this machine, each as a hexadecimal number.
fn ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = hex.get(8 * at..8 * at + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.as_flattened().try_into().ok()?;
            Some(Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// PID_MAX_LIMIT: no process ever has this number.
    const NO_PROCESS: u32 = 1 << 22;

    #[test]
    fn a_name_of_brackets_and_line_ends_moves_no_field() {
        let after = "S 1 7 7 0 -1 4194560 100 200 3 4 11 12 13 14 20 0 5 0 6 7";
        let tick = 1_000_000_000 / clock_ticks_per_second();
        for name in ["sh", "", ") (", "a) S 1 2", "\n) R 1\n", "(((", ")))", "\u{fffd}\u{fffd}"] {
            let stat = format!("42 ({name}) {after}\n");
            let found = Stat::parse(&stat).unwrap();
            let spent = |user, system, minor_faults, major_faults| {
                let [user, system] = [user, system].map(|ticks: u64| Nanos(ticks * tick));
                Spent { user, system, minor_faults, major_faults }
            };
            assert_eq!(found.own, spent(11, 12, 100, 3), "{name:?}");
            assert_eq!(found.waited_for, spent(13, 14, 200, 4), "{name:?}");
            assert_eq!((found.threads, found.waited_for.cpu()), (5, Nanos(27 * tick)));
        }
    }

    #[test]
    fn figures_that_are_not_there_are_none() {
        for stat in [
            "",
            "42 (sh",
            "42 (sh)",
            "42 (sh) S 1 7",
            "42 (sh) S 1 7 7 0 -1 4194560 100 200 0 0 11 12 13 14 20 0",
            "42 (sh) S 1 7 7 0 -1 4194560 100 200 0 0 11 12 x 14 20 0 5",
            "42 (sh) S 1 7 7 0 -1 4194560 100 200 0 0 11 12 13 -14 20 0 5",
        ] {
            assert_eq!(Stat::parse(stat), None, "{stat}");
        }
        assert_eq!(second_number("900 321 5 1 0 7 0\n"), Some(321));
        for line in ["", "900", "900 many 5", "900 -1"] {
            assert_eq!(second_number(line), None, "{line}");
        }
        assert_eq!(numbers("12 x 13 -1 99999999999\n 14"), [12, 13, 14]);
    }

    #[test]
    fn a_share_of_memory_has_page_tables_and_stacks_in_it() {
        let lines = |text: &str| Lines(text.into());
        let rollup = lines(
            "55d0-7ffe ---p 0 00:00 0 [rollup]\nRss: 900 kB\nPss:  300 kB\nPss_Dirty: 1 kB\n",
        );
        let status = lines("VmPTE:\t  40 kB\nThreads:\t4\n");
        assert_eq!(proportional(&rollup, &status), Some((300 + 40 + 4 * 16) * 1_024));
        assert_eq!(proportional(&lines(""), &status), None, "a kernel thread, or one that ended");
        assert_eq!(proportional(&rollup, &lines("Threads: 1\n")), None);
    }

    #[test]
    fn lines_are_found_by_their_whole_name() {
        let lines = Lines(
            "Name:\tThreads:\t1 \\nThreads:\t2\nVmHWMark:\t9 kB\nVmHWM:\t  12 kB\nThreads:\t3\n\
             model name\t: A \u{fffd} CPU: fast\nse.nr_migrations      :       7\nno colon\n\
             Odd:\t1 MB\nHuge: 18446744073709551615 kB\nNone:\nMinus: -1\n"
                .into(),
        );
        assert_eq!(lines.number("VmHWM"), Some(12 * 1_024));
        assert_eq!(lines.number("Threads"), Some(3), "not the name of the program");
        assert_eq!(lines.number("se.nr_migrations"), Some(7));
        assert_eq!(lines.value("model name"), Some("A \u{fffd} CPU: fast"));
        for name in ["Vm", "no colon", "Odd", "Huge", "None", "Minus", ""] {
            assert_eq!(lines.number(name), None, "{name}");
        }
    }

    #[test]
    fn groups_of_both_versions_are_read_and_others_left_out() {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let group = |line| group(line).map(|one| (one.hierarchy, one.controllers, one.path));
        assert_eq!(group("0::/a:b/c"), Some((0, owned(&[""]), "/a:b/c".into())));
        let both = owned(&["cpu", "cpuacct"]);
        assert_eq!(group("4:cpu,cpuacct:/docker/1"), Some((4, both, "/docker/1".into())));
        for line in ["", "0", "0:", "0:cpu", "x:cpu:/", "#subsys_name", "-1::/"] {
            assert_eq!(group(line), None, "{line}");
        }
    }

    #[test]
    fn a_mount_is_read_whatever_its_path_and_its_fields() {
        for (path, at) in [
            ("/sys/fs/cgroup", "/sys/fs/cgroup"),
            (r"/a\040-\040b", "/a - b"),
            (r"/tab\011line\012back\134slash", "/tab\tline\nback\\slash"),
            (r"/\134040", r"/\040"),
            (r"/bad\9\04", r"/bad\9\04"),
            (r"/large\777", r"/large\777"),
            (r"/cut\", r"/cut\"),
            ("/bits\\04\u{fffd}", "/bits\\04\u{fffd}"),
        ] {
            for (optional, from) in [("", ""), (" shared:1 master:2", "-"), (" unbindable", "none")]
            {
                let line = format!("30 24 0:27 / {path} rw{optional} - cgroup {from} rw,cpu");
                let mount = mount(&line).unwrap();
                assert_eq!((&*mount.at, &*mount.kind), (Path::new(at), "cgroup"), "{line}");
                assert_eq!(mount.options, ["rw", "cpu"], "{line}");
            }
        }
        for line in ["", " - ", "30 24 0:27 / - tmpfs t rw", "30 24 0:27 / /a rw - cgroup2 none"] {
            assert_eq!(mount(line), None, "{line}");
        }
    }

    #[test]
    fn this_process_is_read_and_nobody_is_not() {
        let own = std::process::id();
        assert!(threads(own).count() >= 1 && resident_bytes(own) > Some(100_000));
        assert!(Stat::of(own).is_some_and(|stat| stat.threads >= 1 && stat.own.minor_faults > 0));
        assert!(threads(own).all(|thread| run_queue_delay(&thread).is_some()));
        assert!(!groups().unwrap().is_empty());
        assert!(mounts().unwrap().iter().any(|mount| mount.at == Path::new("/proc")));
        assert!(threads(NO_PROCESS).next().is_none() && children(NO_PROCESS).is_empty());
        assert!(resident_bytes(NO_PROCESS).is_none() && Stat::of(NO_PROCESS).is_none());
        assert!(Lines::read(format!("/proc/{NO_PROCESS}/status")).is_none());
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_listening_socket_is_read_from_its_line() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert_eq!(listener(head), None);
        let line = |local: &str, state: &str| {
            format!(
                "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 48231 1 0 100 0"
            )
        };
        let read =
            |local: &str| listener(&line(local, "0A")).map(|(at, inode)| (at.to_string(), inode));
        assert_eq!(read("0100007F:1F90"), Some(("127.0.0.1:8080".into(), 48_231)));
        assert_eq!(
            read("00000000000000000000000001000000:0BB8"),
            Some(("[::1]:3000".into(), 48_231))
        );
        assert_eq!(read("0000000000000000FFFF00000100007F:0BB8").unwrap().0, "127.0.0.1:3000");
        assert_eq!(listener(&line("0100007F:1F90", "01")), None, "a connection");
        for wrong in ["", "0100007F", "01:1F90", "0100007F:x", "0100007\u{20ac}:1F90"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn this_process_is_below_its_parent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let parent = rustix::process::getppid().unwrap().as_raw_nonzero().get();
        let found = listening_below(u32::try_from(parent).unwrap());
        assert!(found.contains(&listener.local_addr().unwrap()), "{found:?}");
    }
}
