//! Kill tables of runs on several hosts, whose agents are behind connections of a network of namespaces: a link is cut, an agent
//! or a launcher is killed or stops, at an instant that no part of a run is a multiple of. Within 20 s the host has nothing of
//! the run left. The trial is void and names the host, and no finished trial is lost.
//!
//! A test makes one or two cuts, `.ci/hosts` thirty of each.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::hosts::{
    AT, BAKEOFF, CLOSED, MARK, Network, PLACEMENT, Scratch, expect_one_void, hosts_at, kill,
    wait_for_a_contender, wait_until,
};
use super::kills::{finished, kills};

const LINK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cluster/link.py");
/// A lease lasts 15 s, and what an agent ends has a moment to end.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// Between two instants of a table, in microseconds, and the time of a trial that they are in.
const STEP: u64 = 391_573;
const WINDOW: u64 = 1_300_000;

/// A run of agents that are reached over a network.
struct Apart {
    scratch: Scratch,
    network: Network,
    /// What listens on each host.
    daemons: Vec<Child>,
}

impl Apart {
    /// Nothing where this process may not make a network.
    fn new() -> Option<Self> {
        let python = crate::python()?;
        let Some(network) = Network::new() else {
            crate::skipped("only root can make network namespaces, with `ip`");
            return None;
        };
        let scratch = Scratch::new(PLACEMENT, CLOSED);
        let hosts =
            hosts_at(|_, address| format!("\"{python}\", \"{LINK}\", \"to\", \"{address}\""));
        fs::write(scratch.0.path().join("hosts.toml"), hosts).unwrap();
        let mark = format!("{MARK}={}", scratch.mark());
        let daemon = |(host, address): (&str, &str)| {
            let mut daemon = network.within(host);
            daemon.args([python, LINK, "serve", address, "env", &mark]);
            daemon.args([&format!("AT_HOST={host}"), BAKEOFF, "agent"]).spawn().unwrap()
        };
        let daemons = AT.map(daemon).into();
        Some(Self { scratch, network, daemons })
    }

    fn start(&self) -> Child {
        let mut bakeoff = self.network.within("hub");
        bakeoff.arg(BAKEOFF);
        self.scratch.start_of(bakeoff)
    }

    /// What runs on a host: PID and command line.
    fn on(&self, host: &str) -> Vec<(i32, String)> {
        let here = format!("AT_HOST={host} ");
        let all = self.scratch.processes().into_iter();
        let all = all.filter(|(_, _, environ)| environ.contains(&here));
        all.map(|(pid, line, _)| (pid, line)).collect()
    }

    fn agent(&self, host: &str) -> i32 {
        let here = self.on(host);
        let agent = here.iter().find(|(_, line)| line.trim_end().ends_with(" agent"));
        agent.expect("a host that is cut has an agent").0
    }

    fn launcher(&self, host: &str) -> i32 {
        let (_, address) = AT.iter().find(|(name, _)| *name == host).unwrap();
        self.scratch.one(|line| line.contains(LINK) && line.contains(&format!(" to {address} ")))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Begins a run for each of the cuts, and cuts at an instant of its first trial or of its second one.
fn table(usual: u64, cut: impl Fn(&Apart, &str), restore: impl Fn(&Apart, &str)) {
    for nth in 0..kills(usual) as u32 {
        let Some(apart) = Apart::new() else { return };
        // The contender's first.
        let (host, _) = AT[(nth as usize + 1) % AT.len()];
        let folder = apart.scratch.0.path();
        let mut run = apart.start();
        wait_until("a trial has finished", || finished(folder) >= (nth % 2) as usize);
        wait_for_a_contender(&apart.scratch);
        let into = Duration::from_micros(u64::from(nth + 1) * STEP % WINDOW);
        thread::sleep(into);
        let (ran, kept) = (apart.on(host), journal(folder));
        let began = Instant::now();
        cut(&apart, host);
        wait_until("nothing of it is left", || {
            ran.iter().all(|(pid, _)| !Path::new(&format!("/proc/{pid}")).exists())
        });
        let took = began.elapsed();
        restore(&apart, host);
        assert!(took < ENDS_WITHIN, "{host}, {into:?} into a trial: {took:?}");
        println!("{host}, {into:?} into trial {}: {took:?}", nth % 2 + 1);
        expect_one_void(&apart.scratch, &mut run, &format!("the agent of host `{host}` is lost: "));
        assert!(journal(folder).starts_with(&kept), "a finished trial is kept");
    }
}

/// The whole lines of the journal.
fn journal(folder: &Path) -> String {
    let mut text = fs::read_to_string(folder.join("out/trials.jsonl")).unwrap_or_default();
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    text
}

#[test]
fn a_cut_link_leaves_nothing_on_the_host_and_is_blamed() {
    let set =
        |state: &'static str| move |apart: &Apart, host: &str| apart.network.set_link(host, state);
    table(2, set("down"), set("up"));
}

#[test]
fn an_agent_killed_at_any_instant_leaves_nothing_and_is_blamed() {
    table(1, |apart, host| kill(apart.agent(host)), |_, _| {});
}

#[test]
fn a_launcher_killed_at_any_instant_leaves_nothing_and_is_blamed() {
    table(1, |apart, host| kill(apart.launcher(host)), |_, _| {});
}

#[test]
fn a_launcher_that_stops_leaves_nothing_and_is_blamed() {
    let stop = |apart: &Apart, host: &str| {
        kill_process(Pid::from_raw(apart.launcher(host)).unwrap(), Signal::STOP).unwrap();
    };
    table(1, stop, |_, _| {});
}
