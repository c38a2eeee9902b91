//! Runs on several hosts, each of which is an agent on this machine behind a launcher of its own, and what becomes of them
//! when an agent, a launcher or the run is killed.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bakeoff::record::{self, RunResult, Trial, Verdict};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) const BAKEOFF: &str = env!("CARGO_BIN_EXE_bakeoff");
/// Every process of a run has it in its environment, however it was started.
pub(crate) const MARK: &str = "BAKEOFF_TEST_MARK";
/// A run on a busy machine of two cores.
const PATIENCE: Duration = Duration::from_secs(120);

/// Contender and dependency on `b`, load from `a` and `d`. The launcher of `b` stays in front of its agent, as ssh does.
const HOSTS: &str = "[host.a]\nlaunch = [\"env\", \"AT_HOST=a\"]\n[host.d]\nlaunch = [\"env\", \"AT_HOST=d\"]\n\
    [host.b]\nlaunch = [\"sh\", \"-c\", 'echo welcome to b; AT_HOST=b \"$@\"; exit', \"sh\"]\n";
pub(crate) const PLACEMENT: &str = "[placement]\nmode = \"hosts\"\ncontender = \"b\"\ndependency = \"b\"\ngenerators = [\"a\", \"d\"]\n";

/// A smoke has 300 ms of it.
const OPEN: &str = "experiment.compare.rates = [\"400/s\"]\nload.open.connections = 64\n";
/// No machine is too busy for it.
pub(crate) const CLOSED: &str =
    "load.closed = { connections = 8, warm_up = \"100ms\", duration = \"1500ms\" }\n";

pub(crate) struct Scratch(pub(crate) TempDir);

impl Scratch {
    /// A scenario of one model under a load; `placement` says where it runs.
    pub(crate) fn new(placement: &str, load: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scenario = format!(
            "schema = 1\nname = \"apart\"\ntitle = \"Apart\"\nheadline = \"none\"\nworkload = \"payment\"\nrounds = 2\n\
             {load}[request]\ncpu = \"20us\"\n\
             [store.standin]\nlatency = {{ lookup = {{ constant = \"1ms\" }} }}\n\
             [contender.loop]\nmodel = \"event-loop\"\n{placement}"
        );
        fs::write(folder.path().join("apart.toml"), scenario).unwrap();
        fs::write(folder.path().join("hosts.toml"), HOSTS).unwrap();
        Self(folder)
    }

    fn command(&self, args: &[&str]) -> Command {
        self.command_of(Command::new(BAKEOFF), args)
    }

    pub(crate) fn command_of(&self, mut command: Command, args: &[&str]) -> Command {
        command.args(args).env(MARK, self.mark()).current_dir(self.0.path());
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, more: &[&str]) -> Output {
        let args = ["run", "apart.toml", "--quiet", "--out", "out"];
        self.command(&[&args, more].concat()).output().unwrap()
    }

    fn start(&self) -> Child {
        self.start_of(Command::new(BAKEOFF))
    }

    pub(crate) fn start_of(&self, bakeoff: Command) -> Child {
        let args = ["run", "apart.toml", "--quiet", "--out", "out", "--hosts", "hosts.toml"];
        let log = fs::File::create(self.0.path().join("log")).unwrap();
        let mut command = self.command_of(bakeoff, &args);
        command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    pub(crate) fn mark(&self) -> String {
        self.0.path().display().to_string()
    }

    pub(crate) fn result(&self) -> RunResult {
        let text = fs::read_to_string(self.0.path().join("out/result.json")).unwrap();
        record::from_json(&text).unwrap()
    }

    /// The processes that bear the mark: PID, command line, environment.
    pub(crate) fn processes(&self) -> Vec<(i32, String, String)> {
        let mark = format!("{MARK}={}", self.mark());
        let all = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let read = |name: &str| {
                let bytes = fs::read(format!("/proc/{pid}/{name}")).ok()?;
                Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
            };
            Some((pid, read("cmdline")?, read("environ")?))
        });
        all.filter(|(_, _, environ)| environ.contains(&mark)).collect()
    }

    /// The one process whose command line `is_it`.
    pub(crate) fn one(&self, is_it: impl Fn(&str) -> bool) -> i32 {
        let mut found = None;
        wait_until("there is such a process", || {
            let all = self.processes();
            found = all.iter().find(|(_, line, _)| is_it(line)).map(|(pid, ..)| *pid);
            found.is_some()
        });
        found.unwrap()
    }

    pub(crate) fn expect_nothing_left(&self) {
        wait_until("no process is left", || self.processes().is_empty());
    }
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not in {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// Loads of the first trial are under way: its contender serves.
pub(crate) fn wait_for_a_contender(scratch: &Scratch) -> i32 {
    scratch.one(|line| line.contains(" serve --model"))
}

/// The names of what a trial has, to any depth.
fn names(trial: &Trial) -> Vec<String> {
    let trial: serde_json::Value = serde_json::from_str(&record::trial_line(trial)).unwrap();
    trial
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, it)| !it.is_null())
        .map(|(name, _)| name.clone())
        .collect()
}

#[test]
fn a_trial_of_three_hosts_has_what_one_of_this_host_has() {
    let here = Scratch::new("[placement]\nmode = \"shared\"\n", OPEN);
    let mut smoke = here.command(&["run", "apart.toml", "--quiet", "--out", "out", "--smoke"]);
    // What is exported for other servers does not change where the contenders of this host listen.
    let done = smoke.env("BAKEOFF_ADDRESS", "203.0.113.9").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let there = Scratch::new(PLACEMENT, OPEN);
    let done = there.run(&["--smoke", "--hosts", "hosts.toml"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    there.expect_nothing_left();
    let (here, there) = (here.result(), there.result());
    for trial in there.trials.iter().filter(|trial| !trial.voided) {
        let hosts = trial.hosts.as_ref().unwrap();
        assert_eq!((hosts.contender.as_str(), hosts.generators.len()), ("b", 2));
        assert!(hosts.requests.iter().all(|sent| *sent > 20), "{hosts:?}");
        assert_eq!(hosts.requests.iter().sum::<u64>(), trial.requests);
        assert!(hosts.one_machine && hosts.clock_bound_ns > 0);
        let local = here.trials.iter().find(|one| one.round == trial.round).unwrap();
        assert_eq!(trial.schedule_hash, local.schedule_hash, "one schedule, however it is split");
        assert_eq!(trial.requests, local.requests);
        let mut names = names(trial);
        names.retain(|name| name != "hosts");
        assert_eq!(names, self::names(local));
        assert!(trial.server.cpu_us_per_request.is_some_and(|cpu| cpu > 1.0), "{:?}", trial.server);
        assert!(trial.server.rss_peak_bytes.is_some() && trial.pool_wait_ns.is_some());
        assert!(trial.standin.is_some() && trial.audit.reasons.is_empty(), "{:?}", trial.audit);
    }
    assert!(there.notes.iter().any(|note| note.starts_with("co-located")), "{:?}", there.notes);
    assert!(there.notes.iter().any(|note| note.contains("2 generators")), "{:?}", there.notes);
}

#[test]
fn a_killed_agent_voids_the_trial_and_is_launched_again() {
    let scratch = Scratch::new(PLACEMENT, CLOSED);
    let mut run = scratch.start();
    wait_for_a_contender(&scratch);
    kill(scratch.one(|line| line.trim_end().ends_with(" agent") && line.starts_with(BAKEOFF)));
    expect_one_void(&scratch, &mut run, "the agent of host ");
}

#[test]
fn a_killed_launcher_voids_the_trial_and_leaves_nothing_behind() {
    let scratch = Scratch::new(PLACEMENT, CLOSED);
    let mut run = scratch.start();
    let contender = wait_for_a_contender(&scratch);
    kill(scratch.one(|line| line.starts_with("sh -c echo welcome")));
    // The agent behind it ends at the end of its stdin, with its contender.
    wait_until("its contender has ended", || !Path::new(&format!("/proc/{contender}")).exists());
    expect_one_void(&scratch, &mut run, "the agent of host `b` is lost: ");
}

pub(crate) fn expect_one_void(scratch: &Scratch, run: &mut Child, why: &str) {
    let status = run.wait().unwrap();
    let log = fs::read_to_string(scratch.0.path().join("log")).unwrap();
    assert!(status.success(), "{status}: {log}");
    scratch.expect_nothing_left();
    let result = scratch.result();
    assert_ne!(result.verdict, Verdict::Invalid);
    let void: Vec<&Trial> = result.trials.iter().filter(|trial| trial.voided).collect();
    let told = |trial: &&Trial| trial.validity.reasons.iter().any(|reason| reason.starts_with(why));
    assert!(void.iter().any(told), "{void:?}");
    let lost: Vec<_> = result.trials.iter().filter(|it| it.validity.lost).collect();
    assert!(lost.is_empty(), "it is no fault of the contender: {lost:?}");
    assert_eq!(result.trials.iter().filter(|trial| !trial.voided).count(), 2, "both rounds count");
}

#[test]
fn a_killed_run_leaves_no_process_behind() {
    let scratch = Scratch::new(PLACEMENT, CLOSED);
    let mut run = scratch.start();
    wait_for_a_contender(&scratch);
    run.kill().unwrap();
    run.wait().unwrap();
    scratch.expect_nothing_left();
}

#[test]
fn an_agent_ends_with_its_stdin_or_by_a_signal_and_refuses_rubbish() {
    use std::io::{BufRead, BufReader, Write};
    for (written, code) in [("", 0), ("\"beat\"\n", 0), ("rubbish\n", 2)] {
        let mut agent = Command::new(BAKEOFF)
            .arg("agent")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(agent.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().starts_with("bakeoff-agent/1 "));
        let mut stdin = agent.stdin.take().unwrap();
        stdin.write_all(written.as_bytes()).unwrap();
        if written.contains("beat") {
            assert_eq!(lines.next().unwrap().unwrap(), "\"beat\"");
        }
        if code == 0 {
            drop(stdin);
        }
        assert_eq!(agent.wait().unwrap().code(), Some(code), "{written}");
    }
}

#[test]
fn doctor_looks_at_every_host_and_a_launcher_that_fails_is_told() {
    let scratch = Scratch::new(PLACEMENT, OPEN);
    fs::write(scratch.0.path().join("placed.toml"), format!("{HOSTS}{PLACEMENT}")).unwrap();
    let done = scratch.command(&["doctor", "--hosts", "placed.toml", "--format", "json"]).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    scratch.expect_nothing_left();
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let found = |check: &str| checks.iter().filter(|one| one["check"] == check).count();
    assert_eq!([found("build"), found("clock"), found("reach")], [3, 3, 2], "{report:#}");
    let fine = |check: &&serde_json::Value| check["check"] != "cores" && check["check"] != "clock";
    assert!(checks.iter().filter(fine).all(|one| one["state"] == "fine"), "{report:#}");

    let broken = "[host.b]\nlaunch = [\"sh\", \"-c\", \"echo no route to b >&2; exit 255\"]\n";
    fs::write(scratch.0.path().join("broken.toml"), broken).unwrap();
    let done = scratch.command(&["doctor", "--hosts", "broken.toml"]).output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2));
    assert!(told.contains("host `b`") && told.contains("no route to b"), "{told}");
}

#[test]
fn the_plan_says_who_runs_where() {
    let scratch = Scratch::new(PLACEMENT, OPEN);
    let done = scratch.run(&["--plan", "--hosts", "hosts.toml"]);
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(told.contains("hosts     the contender runs on b (127.0.0.1)"), "{told}");
    assert!(told.contains("2 generators: a (127.0.0.1), d (127.0.0.1)"), "{told}");
    let done = scratch.run(&["--plan"]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(told.contains("there is no host `b`") && told.contains("--hosts FILE"), "{told}");
}

/// What stands in for Slurm: nodes that are this machine, and an `srun` that takes only what it is to be given.
const SCONTROL: &str = "#!/bin/sh\ncase \"$*\" in\n'show hostnames n[1-3]') printf 'n1\\nn2\\nn3\\n' ;;\n\
    *node*) for n in 1 2 3; do echo \"NodeName=n$n NodeAddr=127.0.0.1 CPUs=2\"; done ;;\n*) exit 64 ;;\nesac\n";
const SRUN: &str = "#!/bin/sh\n[ \"$1 $2 $3 $4 $6 $7 $8\" = '--overlap -N1 -n1 -w --cpu-bind=none --mem=0 --export=ALL' ] || exit 64\n\
    node=$5; shift 8\necho \"srun: lua: welcome to $node\" >&2\nAT_HOST=$node \"$@\"; exit\n";

impl Scratch {
    /// A program on PATH, before all others.
    fn put(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.0.path().join("bin").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A run on the hosts of `file`; `alone` has nothing else on PATH.
    fn managed(&self, file: &str, args: &[&str], alone: bool) -> Command {
        fs::write(self.0.path().join("managed.toml"), file).unwrap();
        let args = [&["run", "apart.toml", "--quiet", "--hosts", "managed.toml"], args].concat();
        let mut command = self.command(&args);
        let own = self.0.path().join("bin").display().to_string();
        let rest = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", if alone { own } else { format!("{own}:{rest}") });
        command.env("SLURM_JOB_NODELIST", "n[1-3]");
        command
    }

    /// Runs, and checks who did what in every trial.
    fn expect_hosts(&self, mut run: Command, contender: &str, generators: &[&str]) {
        let generators = generators.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let done = run.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        self.expect_nothing_left();
        for trial in self.result().trials.iter().filter(|trial| !trial.voided) {
            let hosts = trial.hosts.as_ref().unwrap();
            assert_eq!(
                (hosts.contender.as_str(), &hosts.generators[..]),
                (contender, &generators[..])
            );
        }
    }
}

#[test]
fn the_nodes_of_a_job_are_hosts_and_the_last_one_runs_the_contender() {
    let scratch = Scratch::new("", OPEN);
    scratch.put("scontrol", SCONTROL);
    scratch.put("srun", SRUN);
    let smoke = ["--smoke", "--out", "out"];
    let run = scratch.managed("hosts = \"slurm\"\n", &smoke, false);
    scratch.expect_hosts(run, "n3", &["n1", "n2"]);
    // [placement] and [host.NAME] come first.
    let placed = "hosts = \"slurm\"\n[host.n2]\naddress = \"127.0.0.2\"\n\
        [placement]\nmode = \"hosts\"\ncontender = \"n2\"\ngenerators = [\"n1\"]\n";
    let done = scratch.managed(placed, &["--plan"], false).output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(told.contains("the contender runs on n2 (127.0.0.2)"), "{told}");
    assert!(told.contains("the load comes from n1 (127.0.0.1)"), "{told}");
}

#[test]
fn running_pods_of_a_label_are_hosts() {
    let scratch = Scratch::new("", OPEN);
    scratch.put("kubectl", include_str!("../data/cluster/kubectl"));
    let file = "hosts = \"kubernetes\"\npods = \"app=mine\"\n";
    let mut run = scratch.managed(file, &["--smoke", "--out", "out"], false);
    run.env("POD_LABEL", "app=mine");
    scratch.expect_hosts(run, "bakeoff-1", &["bakeoff-0"]);
}

#[test]
fn a_manager_that_names_no_hosts_says_what_to_do() {
    let scratch = Scratch::new("", OPEN);
    let told = |file: &str, alone: bool, nodes: &str| {
        let mut plan = scratch.managed(file, &["--plan"], alone);
        let done = plan.env("SLURM_JOB_NODELIST", nodes).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{file}");
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let (slurm, kubernetes) = ("hosts = \"slurm\"\n", "hosts = \"kubernetes\"\n");
    let outside = told(slurm, true, "");
    assert!(outside.contains("SLURM_JOB_NODELIST is not set"), "{outside}");
    assert!(outside.contains("salloc -N3"), "{outside}");
    let missing = told(slurm, true, "n1");
    assert!(missing.contains("`scontrol` cannot be started"), "{missing}");
    let missing = told(kubernetes, true, "");
    assert!(missing.contains("`kubectl` cannot be started"), "{missing}");
    scratch.put("kubectl", include_str!("../data/cluster/kubectl"));
    let none = told("hosts = \"kubernetes\"\npods = \"app=none\"\n", false, "");
    assert!(none.contains("no pod with the label app=none is running"), "{none}");
    scratch.put("kubectl", "#!/bin/sh\necho 'error: You must be logged in' >&2\nexit 1\n");
    let refused = told(kubernetes, true, "");
    assert!(refused.contains("You must be logged in"), "{refused}");
    scratch.put("scontrol", "#!/bin/sh\necho n1\n");
    let alone = told(slurm, true, "n1");
    assert!(alone.contains("there is one host, n1"), "{alone}");
}

/// Three network namespaces on a bridge in a fourth one, which has an address too. They are removed when dropped.
pub(crate) struct Network(Vec<String>);

impl Network {
    /// Nothing where this process may not make any.
    pub(crate) fn new() -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let (own, nth) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let name = |one: &str| format!("bakeoff-{own}-{nth}-{one}");
        let mut network = Self(Vec::new());
        for one in ["hub", "a", "b", "d"] {
            ip(&["netns", "add", &name(one)])?;
            network.0.push(name(one));
            ip(&["-n", &name(one), "link", "set", "lo", "up"])?;
        }
        let hub = name("hub");
        ip(&["-n", &hub, "link", "add", "bridge", "type", "bridge"])?;
        ip(&["-n", &hub, "address", "add", "10.77.0.254/24", "dev", "bridge"])?;
        ip(&["-n", &hub, "link", "set", "bridge", "up"])?;
        for (one, address) in AT {
            let address = format!("{address}/24");
            let (there, port) = (name(one), format!("to-{one}"));
            ip(&[
                "-n", &hub, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns",
                &there,
            ])?;
            ip(&["-n", &hub, "link", "set", &port, "master", "bridge", "up"])?;
            ip(&["-n", &there, "address", "add", &address, "dev", "eth0"])?;
            ip(&["-n", &there, "link", "set", "eth0", "up"])?;
        }
        Some(network)
    }

    /// Begins a command of the namespace of a host, or of the bridge's: `hub`.
    pub(crate) fn within(&self, one: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.name(one)]);
        command
    }

    /// Cuts the link of a host, or makes it whole.
    pub(crate) fn set_link(&self, one: &str, state: &str) {
        let (hub, port) = (self.name("hub"), format!("to-{one}"));
        ip(&["-n", hub, "link", "set", &port, state]).expect("a link can be set");
    }

    fn name(&self, one: &str) -> &str {
        self.0.iter().find(|name| name.ends_with(&format!("-{one}"))).expect("a namespace")
    }

    /// The hosts file: each agent is in its namespace.
    fn hosts(&self) -> String {
        hosts_at(|one, _| format!("\"ip\", \"netns\", \"exec\", \"{}\"", self.name(one)))
    }
}

/// The hosts of a network and their addresses.
pub(crate) const AT: [(&str, &str); 3] =
    [("a", "10.77.0.1"), ("b", "10.77.0.2"), ("d", "10.77.0.4")];

/// A hosts file of them, each with the launcher for a name and an address.
pub(crate) fn hosts_at(launch: impl Fn(&str, &str) -> String) -> String {
    AT.map(|(one, address)| {
        let launch = launch(one, address);
        format!("[host.{one}]\nlaunch = [{launch}]\naddress = \"{address}\"\n")
    })
    .concat()
}

impl Drop for Network {
    fn drop(&mut self) {
        self.0.iter().for_each(|name| _ = ip(&["netns", "delete", name]));
    }
}

fn ip(args: &[&str]) -> Option<()> {
    let done = Command::new("ip").args(args).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success()).then_some(())
}

#[test]
fn hosts_of_a_network_reach_each_other_at_their_addresses() {
    let Some(network) = Network::new() else {
        crate::skipped("only root can make network namespaces, with `ip`");
        return;
    };
    let placed = PLACEMENT.replace("dependency = \"b\"", "dependency = \"d\"");
    let scratch = Scratch::new(&placed, OPEN);
    let hosts = network.hosts();
    fs::write(scratch.0.path().join("hosts.toml"), &hosts).unwrap();
    fs::write(scratch.0.path().join("placed.toml"), hosts.clone() + &placed).unwrap();
    let done = scratch.run(&["--smoke", "--hosts", "hosts.toml"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    scratch.expect_nothing_left();
    for trial in scratch.result().trials.iter().filter(|trial| !trial.voided) {
        assert!(trial.hosts.as_ref().unwrap().requests.iter().all(|sent| *sent > 20));
        assert!(trial.standin.is_some() && trial.audit.reasons.is_empty(), "{:?}", trial.audit);
    }
    let done = scratch.command(&["doctor", "--hosts", "placed.toml"]).output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(told.contains("d reaches b at 10.77.0.2:"), "{told}");
    // An address that the host does not have is no target.
    let wrong = hosts.replace("10.77.0.2", "10.77.0.9");
    fs::write(scratch.0.path().join("hosts.toml"), wrong).unwrap();
    let done = scratch.run(&["--hosts", "hosts.toml", "--force"]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.code() == Some(2) && told.contains("has no address 10.77.0.9"), "{told}");
}

#[test]
fn clocks_of_hosts_may_differ_by_hours() {
    let in_time = |seconds: u32| {
        let words = format!("unshare --time --monotonic {seconds} --fork --kill-child");
        words.split(' ').map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
    };
    let made = Command::new("unshare").args(["--time", "--monotonic", "1", "true"]).output();
    if !made.is_ok_and(|made| made.status.success()) {
        crate::skipped("only root can make time namespaces, with `unshare` of util-linux");
        return;
    }
    let scratch = Scratch::new(PLACEMENT, OPEN);
    let host = |one: &str, seconds| format!("[host.{one}]\nlaunch = [{}]\n", in_time(seconds));
    let hosts = host("a", 5_000) + &host("b", 20_000) + &host("d", 1);
    fs::write(scratch.0.path().join("hosts.toml"), hosts).unwrap();
    let done = scratch.run(&["--smoke", "--hosts", "hosts.toml"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    scratch.expect_nothing_left();
    for trial in scratch.result().trials {
        let hosts = trial.hosts.as_ref().unwrap();
        assert!(hosts.requests.iter().all(|sent| *sent > 20), "{hosts:?}");
        // Round trips of a busy machine, and not the hours.
        assert!(hosts.clock_bound_ns < 2_000_000_000, "{hosts:?}");
        let halves = &trial.server.cpu_us_per_request_halves;
        assert!(halves.len() == 2 && halves.iter().all(|cpu| *cpu > 1.0), "{halves:?}");
    }
}
