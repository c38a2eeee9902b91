//! Limits: descriptors, threads, ports, the backlog, memory.

use rustix::process::{Resource, getrlimit};

use crate::doctor::{Finding, chosen, read};
use crate::machine::proc::Lines;
use crate::units::bytes;

/// Descriptors for a thousand connections on either side, and some more.
const DESCRIPTORS_WANTED: u64 = 4_096;
/// A thread for each of a thousand connections, beside all else.
const THREADS_WANTED: u64 = 4_096;
/// A run that opens a connection for each request leaves one port a request in TIME-WAIT, for a minute.
const PORTS_WANTED: u64 = 16_384;
/// What every server here asks for.
const BACKLOG: u64 = 4_096;

pub(crate) fn look() -> Vec<Finding> {
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
    let why = "every connection of the generator and of a server is a descriptor; without more, connects fail";
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= DESCRIPTORS_WANTED);
    let mend = match enough(hard) {
        true => format!("ulimit -n {}", hard.unwrap_or(65_536).min(65_536)),
        false => "sudo prlimit --nofile=65536 --pid $$".into(),
    };
    Finding::fine("descriptors", shown(soft), why).unless(enough(soft), mend)
}

fn threads(processes: Option<u64>, group: Option<&str>) -> Finding {
    let why = "a thread for each connection needs as many threads as connections";
    let group = group.and_then(|text| text.parse().ok());
    let least = [processes, group].into_iter().flatten().min();
    let mend = match group.is_some() && group == least {
        true => {
            "start the container with --pids-limit -1, or systemctl set-property UNIT TasksMax=infinity"
        }
        false => "ulimit -u 16384",
    };
    Finding::fine("threads", shown(least), why)
        .unless(least.is_none_or(|least| least >= THREADS_WANTED), mend)
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
    let why = "beyond it a burst of connects is dropped, and comes again a second later";
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
    let why = "with `always` a peak RSS moves in steps of 2 MiB, and the kernel's compaction stops threads";
    match enabled.and_then(chosen) {
        None => Finding::unknown("huge pages", "the machine does not say", why),
        Some(word) => Finding::fine("huge pages", word, why).unless(
            word != "always",
            "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
        ),
    }
}

fn available(available: Option<u64>, swapped: u64) -> Finding {
    let why = "a machine that swaps measures its disk";
    let Some(free) = available else {
        return Finding::unknown("memory", "the machine does not say", why);
    };
    let swap =
        if swapped > 0 { format!(", {} in swap", bytes(swapped as f64)) } else { String::new() };
    Finding::fine("memory", format!("{} available{swap}", bytes(free as f64)), why)
        .unless(free >= AVAILABLE_WANTED, "end what holds it: ps -eo rss,args --sort -rss | head")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_low_limit_is_told_with_what_can_be_done_without_and_with_rights() {
        assert_eq!(descriptors(None, None).found, "no limit");
        assert_eq!(descriptors(Some(4_096), Some(4_096)).state, State::Fine);
        assert_eq!(descriptors(Some(1_024), Some(20_000)).mend.unwrap(), "ulimit -n 20000");
        assert!(descriptors(Some(1_024), Some(1_024)).mend.unwrap().contains("prlimit"));
    }

    #[test]
    fn the_lower_of_two_limits_on_threads_counts() {
        assert_eq!(threads(None, Some("max")).found, "no limit");
        assert!(threads(Some(90_000), Some("512")).mend.unwrap().contains("--pids-limit"));
        assert_eq!(threads(Some(1_000), Some("8192")).mend.unwrap(), "ulimit -u 16384");
    }

    #[test]
    fn few_ports_and_a_short_backlog_are_told() {
        assert_eq!(free_ports(Some("32768\t60999")).found, "28232 (32768 to 60999)");
        assert_eq!(free_ports(Some("60000 60999")).state, State::Mend);
        assert_eq!(free_ports(Some("?")).state, State::Unknown);
        assert_eq!(
            (backlog(Some(4_096)).state, backlog(Some(128)).state),
            (State::Fine, State::Mend)
        );
    }

    #[test]
    fn pages_that_come_unasked_and_too_little_memory_are_told() {
        assert_eq!(huge_pages(Some("always [madvise] never")).state, State::Fine);
        assert!(huge_pages(Some("[always] madvise never")).mend.unwrap().contains("echo madvise"));
        assert_eq!(huge_pages(None).state, State::Unknown);
        assert_eq!(available(Some(4 << 30), 0).found, "4 GiB available");
        assert_eq!(available(Some(1 << 20), 1 << 20).state, State::Mend);
    }
}
