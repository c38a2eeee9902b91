//! The hosts of a scenario, each with an agent: who has which cores, what is started where, and a load that several
//! generators send.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::backend::services::payment::Calibration;
use crate::clock;
use crate::error::{Error, Result};
use crate::hosts::clocks::{self, Offset};
use crate::hosts::link::{Awaited, Heard, Link};
use crate::hosts::protocol::{Ask, Described, Fetched, RunningServer, Said, Sent, Start, Word};
use crate::hosts::sampler::Sampled;
use crate::hosts::{permit, permit_target};
use crate::load::plan::{Address, Pace, Part, Plan, WarmUp};
use crate::load::{self, Begin};
use crate::record::{Calibrated, Hiccups, TrialHosts};
use crate::run::trial::spec::Placement;
use crate::scenario::{HostAt, Hosts, PlacementMode, Roles, Scenario};
use crate::units::{Nanos, grouped};

/// Questions for the time when an agent is launched, and before each load.
const PINGS: [u32; 2] = [32, 8];
/// Between the last generator's word that it is ready and the instant at which all begin: they have all been told by then.
const LEAD: Nanos = Nanos(250 * Nanos::MILLI.0);
/// How soon it is noticed that a load is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A lost agent is launched again so often in a run.
const LAUNCHES_MAX: u32 = 3;
/// Constant arrivals are irregular by what clocks differ by; over this part of the mean gap that is said.
const GAP_PART: u64 = 10;

/// What a host does in a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Contender,
    Dependency,
}

#[derive(Debug)]
pub(crate) struct Cluster {
    hosts: Hosts,
    roles: Roles,
    depends: bool,
    wanted: Option<usize>,
    joined: Vec<Joined>,
    dealt: Dealt,
    pub(crate) placement: Placement,
    launched_again: u32,
}

#[derive(Debug)]
struct Joined {
    host: HostAt,
    link: Arc<Link>,
    described: Described,
}

impl Joined {
    fn launch(host: HostAt) -> Result<Self> {
        let link = Arc::new(Link::launch(&host)?);
        let described: Described = link.ask(Ask::Describe { address: host.address })?;
        if !described.has_address {
            let (name, address) = (&host.name, host.address);
            return Err(Error::usage(format!("host `{name}` has no address {address}")).help(
                format!("write one of its own into [host.{name}]; no load goes anywhere else"),
            ));
        }
        Ok(Self { host, link, described })
    }
}

impl Cluster {
    /// Launches an agent on every host that has a role; `own` is the digest of this program.
    ///
    /// # Errors
    /// A host without an agent, with another build, or with too few cores.
    pub(crate) fn join(scenario: &Scenario, own: &str) -> Result<Self> {
        let hosts = scenario.hosts.clone();
        let roles = hosts.roles.clone().expect("only a scenario with roles is joined");
        let depends = scenario.store.dependency().is_some();
        let loaded = [&roles.contender].into_iter().chain(depends.then_some(&roles.dependency));
        for name in loaded {
            permit(hosts.named(name)?.address)?;
        }
        let named = roles.names().into_iter().filter(|name| depends || is_busy(&roles, name));
        let joined = named.map(|name| hosts.named(name).and_then(Joined::launch));
        let joined = joined.collect::<Result<Vec<_>>>()?;
        if let Some(other) = joined.iter().find(|it| it.described.fingerprint.binary != own) {
            return Err(Error::usage(format!("host `{}` has another build", other.host.name))
                .help("copy this program there; `bakeoff doctor --hosts FILE` shows each"));
        }
        let boot = |name: &str| {
            joined.iter().find(|it| it.host.name == name).map(|it| &it.described.boot_id)
        };
        hosts.check_reach(depends, |one, other| boot(one) == boot(other))?;
        let wanted = scenario.placement.contender_cores;
        let dealt = deal(&joined, &roles, depends, wanted)?;
        let placement = dealt.placement();
        let launched_again = 0;
        Ok(Self { hosts, roles, depends, wanted, joined, dealt, placement, launched_again })
    }

    pub(crate) fn is_of(&self, scenario: &Scenario) -> bool {
        let depends = scenario.store.dependency().is_some();
        (&self.hosts, self.depends, self.wanted)
            == (&scenario.hosts, depends, scenario.placement.contender_cores)
    }

    /// What a reader should know of it.
    pub(crate) fn note(&self) -> Option<String> {
        let co_located = "co-located: hosts with one boot id are one machine, and share its cores";
        self.dealt.one_machine.then(|| co_located.to_owned())
    }

    /// Launches the agents again that have been lost.
    pub(crate) fn launch_again(&mut self, say: impl Fn(&str)) -> Result<()> {
        for joined in self.joined.iter_mut().filter(|joined| joined.link.is_lost()) {
            let name = joined.host.name.clone();
            if self.launched_again == LAUNCHES_MAX {
                return Err(Error::invalid(format!(
                    "the agent of host `{name}` was lost, after {LAUNCHES_MAX} that were launched again"
                )));
            }
            self.launched_again += 1;
            say(&format!("launching the agent of host {name} again"));
            *joined = Joined::launch(joined.host.clone())?;
        }
        Ok(())
    }

    fn of(&self, name: &str) -> &Joined {
        let found = self.joined.iter().find(|joined| joined.host.name == name);
        found.expect("every host with a role was joined")
    }

    fn host(&self, role: Role) -> &Joined {
        self.of(match role {
            Role::Contender => &self.roles.contender,
            Role::Dependency => &self.roles.dependency,
        })
    }

    /// The worst of what an idle core loses on any of the hosts.
    pub(crate) fn hiccups(&self, time: Nanos) -> Result<Hiccups> {
        let asked = self.joined.iter().map(|joined| joined.link.begin(Ask::Hiccups { time }));
        let asked = asked.collect::<Result<Vec<_>>>()?;
        let seen = asked.into_iter().map(Awaited::done::<Hiccups>).collect::<Result<Vec<_>>>()?;
        Ok(seen.into_iter().max_by_key(|one| one.worst).expect("there is a host"))
    }

    /// How many rounds a CPU time comes to on the contender's host.
    pub(crate) fn calibrate(&self, cpu: Nanos) -> Result<Calibration> {
        let found: Calibrated = self.host(Role::Contender).link.ask(Ask::Calibrate { cpu })?;
        Ok(Calibration { rounds: found.rounds, measured: Nanos(found.measured_ns) })
    }

    /// The program of the contender's host.
    pub(crate) fn program(&self) -> PathBuf {
        self.host(Role::Contender).described.program.clone()
    }

    /// Starts a server on the host that has the role, and waits until it is ready.
    pub(crate) fn start(
        &self,
        role: Role,
        name: &str,
        start: Start,
        env: Vec<(String, String)>,
    ) -> Result<Remote> {
        let joined = self.host(role);
        let start = match start {
            Start::Command { argv, mut setup } => {
                if let Some(folder) = &joined.host.folder {
                    setup.folder.clone_from(folder);
                }
                Start::Command { argv, setup }
            }
            own => own,
        };
        let cores = match role {
            Role::Contender => self.placement.contender.clone(),
            Role::Dependency => self.placement.dependency.clone(),
        };
        let (name, address) = (name.to_owned(), joined.host.address);
        let running = joined.link.ask(Ask::Start { name, start, env, cores, address })?;
        Ok(Remote { link: Arc::clone(&joined.link), running })
    }

    /// Sends the load from all generators, and samples the contender meanwhile. One that is lost, or late, is not the
    /// contender's fault.
    pub(crate) fn load(
        &self,
        plan: &Plan,
        (contender, dependency): (&Remote, Option<&Remote>),
        pooled: bool,
        stop: &AtomicBool,
    ) -> Result<(Vec<Sent>, Sampled, TrialHosts)> {
        permit_target(plan)?;
        let generators: Vec<&Joined> =
            self.roles.generators.iter().map(|name| self.of(name)).collect();
        let clock_of = |link: &Link| Offset::measure(PINGS[1], || link.ask(Ask::Clock));
        let clocks =
            generators.iter().map(|it| clock_of(&it.link)).collect::<Result<Vec<Offset>>>()?;
        let (contenders, dependencys) =
            (clock_of(&contender.link)?, dependency.map(|it| clock_of(&it.link)).transpose()?);
        let asked = (0..).zip(&generators).map(|(index, joined)| {
            let plan = self.part(plan, index as usize);
            joined.link.begin(Ask::Load { plan: Box::new(plan) })
        });
        let asked = asked.collect::<Result<Vec<_>>>()?;
        let sending = Sending { asked, clocks, stop };
        let window = sending.window(matches!(plan.warm_up, WarmUp::Led(_)));
        let window = match window {
            Ok(window) => window,
            Err(error) => {
                sending.stop_all();
                return Err(error);
            }
        };
        let there = |clock: Offset| window.map(|instant| clock.there(instant));
        let (server, cores) =
            (contender.running.server, self.dealt.agent_of(&self.roles.contender));
        let ask = Ask::Sample { server, pooled, cores, window: there(contenders) };
        let sampling = contender.link.begin(ask)?;
        let marking = dependency.zip(dependencys).map(|(remote, clock)| {
            remote.begin("POST", "/window", Duration::from_secs(2), there(clock)[0])
        });
        let sent = sending.sent();
        if sent.is_err() || stop.load(Ordering::Relaxed) {
            sending.stop_all();
            sampling.tell(Word::Stop);
        }
        let sampled = sampling.done::<Sampled>();
        let sent = sent?;
        marking.transpose()?.map(Awaited::done::<Fetched>).transpose()?;
        if !stop.load(Ordering::Relaxed) {
            check_sum(load::offered(plan)?, &sent)?;
        }
        let clocks = sending.clocks.iter().chain([&contenders]);
        let bound = clocks::apart(clocks.map(|clock| clock.bound));
        let hosts = TrialHosts {
            contender: self.roles.contender.clone(),
            dependency: dependency.map(|_| self.roles.dependency.clone()),
            generators: self.roles.generators.clone(),
            requests: sent.iter().map(|part| part.outcome.requests()).collect(),
            clock_bound_ns: bound.0,
            one_machine: self.dealt.one_machine,
        };
        Ok((sent, sampled?, hosts))
    }

    /// What one of the generators sends.
    fn part(&self, plan: &Plan, index: usize) -> Plan {
        let of = self.roles.generators.len();
        let (cores, pace) = self.dealt.generators[index].clone();
        let threads = cores.len();
        let connections = plan.connections / of + usize::from(index < plan.connections % of);
        Plan {
            part: Part { index: index as u32, of: of as u32 },
            connections,
            threads,
            cores,
            pace,
            beyond: true,
            ..plan.clone()
        }
    }
}

/// Checks that the parts are one schedule, and that the requests that were recorded are as many as it has in the window
/// (`planned`; nothing in closed loop).
fn check_sum(planned: Option<u64>, sent: &[Sent]) -> Result<()> {
    let first = sent[0].outcome.schedule_hash;
    if sent.iter().any(|part| part.outcome.schedule_hash != first) {
        return Err(Error::internal("the generators had different schedules").by_machine());
    }
    let recorded: u64 = sent.iter().map(|part| part.outcome.requests()).sum();
    match planned.filter(|planned| *planned != recorded) {
        Some(planned) => {
            let [recorded, planned] = [recorded, planned].map(|n| grouped(n as f64));
            let what = format!("the generators recorded {recorded} of {planned} requests");
            Err(Error::internal(what).by_machine())
        }
        None => Ok(()),
    }
}

/// Whether a host has something to do where no contender waits for anything.
fn is_busy(roles: &Roles, name: &str) -> bool {
    roles.contender == name || roles.generators.iter().any(|generator| generator == name)
}

/// All parts of a load that is being sent.
struct Sending<'a> {
    asked: Vec<Awaited<'a>>,
    /// Of the generators.
    clocks: Vec<Offset>,
    stop: &'a AtomicBool,
}

impl Sending<'_> {
    /// Has all generators begin together, once for the warm-up where it is drained and once for the window; gives when the
    /// window is on our clock.
    fn window(&self, drained: bool) -> Result<[Nanos; 3]> {
        self.begin()?;
        if drained {
            self.begin()?;
        }
        let mut windows = Vec::new();
        for (asked, clock) in self.asked.iter().zip(&self.clocks) {
            let Said::Window(at) = self.said(asked)? else {
                return Err(Error::internal("a generator met the others twice"));
            };
            windows.push(at.map(|instant| clock.here(instant)));
        }
        Ok(windows[0])
    }

    fn begin(&self) -> Result<()> {
        let mut slowest = Nanos(0);
        for asked in &self.asked {
            let Said::Meets(own) = self.said(asked)? else {
                return Err(Error::internal("a generator did not wait for the others"));
            };
            slowest = slowest.max(own);
        }
        let at = clock::now() + LEAD;
        for (asked, clock) in self.asked.iter().zip(&self.clocks) {
            asked.tell(Word::Begin(Begin { at: clock.there(at), slowest }));
        }
        Ok(())
    }

    fn said(&self, asked: &Awaited<'_>) -> Result<Said> {
        loop {
            match asked.next(LOOK_EVERY)? {
                Some(Heard::Said(what)) => return asked.read(what),
                Some(Heard::Failed(error)) => return Err(error),
                Some(Heard::Done(_)) => return Err(Error::interrupted()),
                None if self.stop.load(Ordering::Relaxed) => return Err(Error::interrupted()),
                None => {}
            }
        }
    }

    /// What came of every part.
    fn sent(&self) -> Result<Vec<Sent>> {
        let mut told = false;
        let mut all = Vec::new();
        for asked in &self.asked {
            let done = loop {
                if self.stop.load(Ordering::Relaxed) && !std::mem::replace(&mut told, true) {
                    self.stop_all();
                }
                match asked.next(LOOK_EVERY)? {
                    Some(Heard::Done(sent)) => break asked.read(sent)?,
                    Some(Heard::Failed(error)) => return Err(error),
                    Some(Heard::Said(_)) | None => {}
                }
            };
            all.push(done);
        }
        Ok(all)
    }

    fn stop_all(&self) {
        self.asked.iter().for_each(|asked| asked.tell(Word::Stop));
    }
}

/// A server that an agent has started.
#[derive(Debug)]
pub(crate) struct Remote {
    link: Arc<Link>,
    pub(crate) running: RunningServer,
}

impl Remote {
    /// What it answers to its own host.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        within: Duration,
    ) -> Result<Vec<u8>, String> {
        let asked = self.begin(method, path, within, Nanos(0));
        match asked.and_then(Awaited::done).map_err(|error| error.message().to_owned())? {
            Fetched::Body(body) => Ok(body),
            Fetched::Not(why) => Err(why),
        }
    }

    /// Asks it at an instant of its host's clock.
    fn begin(
        &self,
        method: &str,
        path: &str,
        within: Duration,
        when: Nanos,
    ) -> Result<Awaited<'_>> {
        let Address::Tcp(at) = self.running.peer.at else {
            return Err(Error::internal("a server of another host has no port"));
        };
        let (method, path, within) = (method.to_owned(), path.to_owned(), within.into());
        self.link.begin(Ask::Fetch { at, method, path, within, when })
    }

    /// How it ended, if it has.
    pub(crate) fn crashed(&self, soon: bool) -> Result<Option<String>> {
        self.link.ask(Ask::Crashed { server: self.running.server, soon })
    }

    /// The last of what it wrote; nothing where its agent is lost.
    pub(crate) fn wrote(&self) -> String {
        self.link.ask(Ask::Wrote { server: self.running.server }).unwrap_or_default()
    }

    pub(crate) fn stop(&self) -> Result<()> {
        self.link.ask(Ask::Stop { server: self.running.server })
    }
}

impl Drop for Remote {
    /// One that has been ended is not there any more.
    fn drop(&mut self) {
        let _ = self.link.ask::<()>(Ask::Stop { server: self.running.server });
    }
}

/// Who has which cores of its host.
#[derive(Clone, Debug, PartialEq)]
struct Dealt {
    contender: Vec<usize>,
    dependency: Vec<usize>,
    /// Of each generator, with how it waits.
    generators: Vec<(Vec<usize>, Pace)>,
    /// What is left of each host's cores for its agent, by the host's name.
    agents: Vec<(String, Vec<usize>)>,
    /// Two of the hosts are one.
    one_machine: bool,
}

impl Dealt {
    fn placement(&self) -> Placement {
        let (generator, pace) = self.generators[0].clone();
        let (contender, dependency) = (self.contender.clone(), self.dependency.clone());
        Placement { mode: PlacementMode::Hosts, contender, generator, dependency, pace }
    }

    fn agent_of(&self, name: &str) -> Vec<usize> {
        let found = self.agents.iter().find(|(host, _)| host == name);
        found.map(|(_, cores)| cores.clone()).unwrap_or_default()
    }
}

fn deal(joined: &[Joined], roles: &Roles, depends: bool, wanted: Option<usize>) -> Result<Dealt> {
    let hosts: Vec<(&str, &str, &[usize])> = joined
        .iter()
        .map(|it| (it.host.name.as_str(), it.described.boot_id.as_str(), &it.described.cores[..]))
        .collect();
    dealt(&hosts, roles, depends, wanted)
}

/// Hosts by name, boot id and cores. Those of one boot id are one machine, whose cores are dealt out once: the highest to the
/// contender, as on one host, the others in turn. Where there are too few, they are shared.
fn dealt(
    hosts: &[(&str, &str, &[usize])],
    roles: &Roles,
    depends: bool,
    wanted: Option<usize>,
) -> Result<Dealt> {
    let of = |name: &str| hosts.iter().find(|(host, ..)| *host == name).expect("it was joined");
    let machine = |name: &str| of(name).1;
    let all = |name: &str| of(name).2;
    let mut others: Vec<&str> = roles.generators.iter().map(String::as_str).collect();
    others.extend(depends.then_some(roles.dependency.as_str()));
    let own = all(&roles.contender);
    let beside = others.iter().any(|other| machine(other) == machine(&roles.contender));
    let most = if beside { own.len() / 2 } else { own.len().saturating_sub(1) };
    let count = wanted.unwrap_or(most.max(1));
    if count > own.len() || (beside && count == own.len()) {
        return Err(Error::usage(format!(
            "{count} cores of host `{}` cannot be the contender's: it has {}{}",
            roles.contender,
            own.len(),
            if beside { ", and others run there" } else { "" }
        )));
    }
    let (left, contender) = own.split_at(own.len() - count);
    let rest = |name: &str| match machine(name) == machine(&roles.contender) {
        true if left.is_empty() => own,
        true => left,
        false => all(name),
    };
    let place = |index: usize| {
        let name = others[index];
        let with = |other: &&&str| machine(other) == machine(name);
        let (before, sharers) =
            (others[..index].iter().filter(with).count(), others.iter().filter(with).count());
        let cores = rest(name);
        let core = cores[before % cores.len()];
        let pace = if sharers > cores.len() { Pace::Sleep } else { Pace::Spin };
        (vec![core], pace)
    };
    let generators = (0..roles.generators.len()).map(place).collect();
    let dependency = if depends { place(others.len() - 1).0 } else { Vec::new() };
    let agents = hosts.iter().map(|(name, ..)| ((*name).to_owned(), rest(name).to_vec())).collect();
    let one_machine = (1..hosts.len()).any(|at| hosts[..at].iter().any(|it| it.1 == hosts[at].1));
    Ok(Dealt { contender: contender.to_vec(), dependency, generators, agents, one_machine })
}

/// What is to be said of instants that are not exactly kept: constant arrivals, by what clocks differ by.
pub(crate) fn start_error(plan: &Plan, hosts: &TrialHosts) -> Option<String> {
    use crate::load::plan::{Arrivals, Shape, Traffic};
    let Shape::Open { rate, arrivals } = plan.shape else { return None };
    let random = arrivals == Arrivals::Poisson && !matches!(plan.traffic, Some(Traffic::Replay(_)));
    let gap = Nanos::from_secs_f64(1.0 / rate.0);
    let bound = Nanos(hosts.clock_bound_ns);
    (!random && hosts.generators.len() > 1 && bound.0 > gap.0 / GAP_PART).then(|| {
        format!(
            "the generators' clocks agree within {bound}, and arrivals have equal gaps of {gap}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::plan::{Operation, Traffic};
    use crate::scenario::{BUILTIN, builtin, parse};

    /// What a generator on another host gets is what one here would have.
    #[test]
    fn every_mix_and_traffic_is_carried_whole() {
        let mut mixes: Vec<Vec<(Operation, u32)>> =
            BUILTIN.iter().map(|(name, _)| builtin(name).unwrap().mix).collect();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("users.csv"), "id,token\n1,a b\n2,c\n").unwrap();
        std::fs::write(folder.path().join("bodies.jsonl"), "{\"a\":1}\n{\"a\":2}\n").unwrap();
        std::fs::write(folder.path().join("instants.txt"), "0.5\n0.75\n2\n").unwrap();
        let text = "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"http\"\n\
             experiment = { compare = {} }\ndata.users.csv = \"users.csv\"\n\
             [[route]]\nname = \"r\"\nmethod = \"POST\"\npath = \"/u/{users.id}?n={int:1..9}\"\n\
             body = '{\"id\":\"{uuid}\",\"of\":\"{pick:a|b}\",\"t\":\"{env:CARGO_PKG_NAME}\"}'\n\
             status = [201, \"4xx\"]\nexpect_body = \"json:/ok=true\"\n\
             [[route]]\nname = \"s\"\nmethod = \"POST\"\npath = \"/\"\nbody_file = \"bodies.jsonl\"\n\
             expect_body = \"contains:x\"\n\
             [contender.a]\nmodel = \"event-loop\"\n[load.open]\nreplay = \"instants.txt\"\n";
        let scenario = parse(&folder.path().join("a.toml").display().to_string(), text).unwrap();
        mixes.push(scenario.mix);
        for mix in mixes {
            let carried = serde_json::to_string(&mix).unwrap();
            assert_eq!(serde_json::from_str::<Vec<(Operation, u32)>>(&carried).unwrap(), mix);
        }
        let traffic = scenario.load.traffic.unwrap();
        let carried = serde_json::to_string(&traffic).unwrap();
        assert_eq!(serde_json::from_str::<Traffic>(&carried).unwrap(), traffic);
    }

    #[test]
    fn parts_that_recorded_fewer_requests_than_were_due_are_void() {
        let sent = |recorded: u64| {
            let mut outcome = crate::judge::validity::tests::outcome(0);
            outcome.kinds[0].requests = recorded;
            Sent { outcome, answered: 0, shares: (None, None) }
        };
        assert!(check_sum(Some(4_000), &[sent(2_000), sent(2_000)]).is_ok());
        // Each says that all of its own were due.
        let error = check_sum(Some(4_000), &[sent(2_000), sent(1_999)]).unwrap_err();
        assert!(error.is_by_machine() && error.to_string().contains("3,999 of 4,000"), "{error}");
        assert!(check_sum(None, &[sent(2_000), sent(1_999)]).is_ok(), "a closed loop has no plan");
        let mut other = sent(2_000);
        other.outcome.schedule_hash += 1;
        assert!(check_sum(Some(4_000), &[sent(2_000), other]).is_err());
    }

    fn roles(contender: &str, dependency: &str, generators: &[&str]) -> Roles {
        let generators = generators.iter().map(|&name| name.to_owned()).collect();
        Roles { contender: contender.into(), dependency: dependency.into(), generators }
    }

    #[test]
    fn hosts_of_their_own_are_the_contenders_but_for_a_core() {
        let hosts = [("b", "1", &[0, 1, 2, 3][..]), ("c", "2", &[0, 1]), ("d", "3", &[0, 1])];
        let dealt = dealt(&hosts, &roles("b", "c", &["c", "d"]), true, None).unwrap();
        assert_eq!(dealt.contender, [1, 2, 3]);
        assert_eq!(dealt.generators, [(vec![0], Pace::Spin), (vec![0], Pace::Spin)]);
        assert_eq!((dealt.dependency, dealt.one_machine), (vec![1], false));
    }

    #[test]
    fn hosts_of_one_boot_are_one_machine() {
        let hosts = [("b", "1", &[0, 1][..]), ("a", "1", &[0, 1]), ("d", "1", &[0, 1])];
        let both = dealt(&hosts, &roles("b", "a", &["a", "d"]), false, None).unwrap();
        assert_eq!(both.contender, [1]);
        assert_eq!(both.generators, [(vec![0], Pace::Sleep), (vec![0], Pace::Sleep)]);
        assert!(both.one_machine && both.dependency.is_empty());
        assert_eq!(both.agent_of("d"), [0]);
        let one = dealt(&hosts, &roles("b", "a", &["a"]), false, None).unwrap();
        assert_eq!(one.generators, [(vec![0], Pace::Spin)]);
        assert!(dealt(&hosts, &roles("b", "a", &["a"]), false, Some(2)).is_err());
    }

    #[test]
    fn a_host_of_one_core_shares_it_with_its_agent() {
        let hosts = [("b", "1", &[4][..]), ("d", "2", &[0])];
        let dealt = dealt(&hosts, &roles("b", "d", &["d"]), true, None).unwrap();
        assert_eq!((dealt.contender.clone(), dealt.agent_of("b")), (vec![4], vec![4]));
        assert_eq!((dealt.generators, dealt.dependency), (vec![(vec![0], Pace::Sleep)], vec![0]));
    }
}
