//! Other hosts, and who runs on which: [host.NAME] and [placement], in the scenario or in a file of their own.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, listed, nearest};
use super::field::name;
use super::quantity::At;
use super::raw::{RawHost, RawHosts, RawPlacement};
use super::{PlacementMode, Scenario, Server, reading};
use crate::error::{Context, Error, Result};
use crate::files;
use crate::text::distinct;
use crate::words::words;

/// This computer, where no [host.local] says otherwise.
const LOCAL: &str = "local";

/// The hosts that are known, and who runs where; without roles everything runs here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hosts {
    pub all: Vec<HostAt>,
    pub roles: Option<Roles>,
    /// What names more hosts. It is asked before a run, and then there are roles too.
    pub manager: Option<Manager>,
    /// The label of the pods that are hosts.
    pub pods: Option<String>,
}

words! {
    "manager of hosts"
    /// What knows the hosts of a cluster.
    pub enum Manager {
        /// The nodes of the job.
        Slurm = "slurm",
        /// The running pods of a label.
        Kubernetes = "kubernetes",
    }
}

/// How an agent on a host is come by.
#[derive(Clone, Debug, PartialEq)]
pub struct HostAt {
    pub name: String,
    /// What is run to have the stdin and stdout of a process there; the program and `agent` are appended. Empty for a process
    /// of this host.
    pub launch: Vec<String>,
    /// Where the other hosts reach it.
    pub address: IpAddr,
    /// Where commands run; `None` takes the scenario's folder.
    pub folder: Option<PathBuf>,
    /// The program there; `None` takes this program's own path.
    pub bakeoff: Option<PathBuf>,
}

/// Who runs where, by names of hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct Roles {
    pub contender: String,
    /// What contenders wait for.
    pub dependency: String,
    /// At least one.
    pub generators: Vec<String>,
}

impl Hosts {
    /// The hosts of a file, with its placement where it has one.
    ///
    /// # Errors
    /// Usage: it cannot be read, or has a mistake, which is underlined.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let text = files::read_text(path, reading::BYTES_MAX as u64)
            .usage(|| format!("cannot read {shown}"))?;
        let text = reading::without_mark(&text);
        let read = reading::read(text).and_then(|raw: RawHosts| {
            hosts(&raw.host, raw.placement.as_ref(), (raw.hosts, raw.pods.as_ref()))
        });
        read.map_err(|diagnostic| diagnostic.render(&shown, text))
    }

    /// The same hosts and those of `other`, whose hosts and placement come first.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.all.retain(|own| other.all.iter().all(|host| host.name != own.name));
        self.all.extend(other.all.iter().cloned());
        self.roles = other.roles.clone().or(self.roles);
        self.manager = other.manager.or(self.manager);
        self.pods = other.pods.clone().or(self.pods);
        self
    }

    /// Whether a run may be elsewhere.
    pub(crate) fn are_named(&self) -> bool {
        self.roles.is_some() || self.manager.is_some()
    }

    /// The host of a name.
    ///
    /// # Errors
    /// Usage: there is none.
    pub fn named(&self, name: &str) -> Result<HostAt> {
        if let Some(host) = self.all.iter().find(|host| host.name == name) {
            return Ok(host.clone());
        }
        if name == LOCAL {
            return Ok(HostAt {
                name: LOCAL.into(),
                launch: Vec::new(),
                address: Ipv4Addr::LOCALHOST.into(),
                folder: None,
                bakeoff: None,
            });
        }
        let known = || self.all.iter().map(|host| host.name.as_str());
        let help = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.all.is_empty() => {
                format!("write [host.{name}] into the scenario, or give --hosts FILE")
            }
            None => format!("there are {}", listed(known())),
        };
        Err(Error::usage(format!("there is no host `{name}`")).help(help))
    }

    /// Checks that the generators can reach the contender, and the contender what it waits for; `one_machine` says whether
    /// two hosts, by name, are the same machine.
    ///
    /// # Errors
    /// Usage: the address of one that another machine has to reach is a loopback address.
    pub(crate) fn check_reach(
        &self,
        depends: bool,
        one_machine: impl Fn(&str, &str) -> bool,
    ) -> Result<()> {
        let Some(Roles { contender, dependency, generators }) = &self.roles else { return Ok(()) };
        let load = generators.iter().map(|from| (from, contender));
        for (from, to) in load.chain(depends.then_some((contender, dependency))) {
            let (near, far) = (self.named(from)?.address, self.named(to)?.address);
            let same = from == to || (near.is_loopback() && one_machine(from, to));
            if far.is_loopback() && !same {
                let what = if to == contender { "contender" } else { "dependency" };
                return Err(Error::usage(format!(
                    "host `{from}` cannot reach the {what} on host `{to}` at {far}, which is a loopback address"
                ))
                .help(format!(
                    "write the address at which `{from}` reaches it into [host.{to}], or another {what} into [placement]"
                )));
            }
        }
        Ok(())
    }
}

impl Roles {
    /// Every host that has a role, once.
    pub fn names(&self) -> Vec<&str> {
        let all = [&self.contender, &self.dependency].into_iter().chain(&self.generators);
        distinct(all.map(String::as_str))
    }
}

impl Scenario {
    /// Whether it can run on the hosts that it names.
    pub(super) fn check_hosts(&self) -> Result<()> {
        let Some(roles) = &self.hosts.roles else { return Ok(()) };
        roles.names().into_iter().try_for_each(|name| self.hosts.named(name).map(drop))?;
        // Whether they are one machine is known when their agents run.
        self.hosts.check_reach(self.store.dependency().is_some(), |_, _| true)?;
        let (connections, generators) = (self.load.connections, roles.generators.len());
        if connections < generators {
            return Err(Error::usage(format!(
                "{}: {connections} connections cannot be split among {generators} generators",
                self.name
            ))
            .help(format!(
                "write connections = {generators} or more into its load, or name fewer generators"
            )));
        }
        let dependency = self.store.dependency().map(|dependency| &dependency.server);
        let over_tls = |one: &super::Contender| match &one.kind {
            super::Kind::Command { setup, .. } => setup.tls.is_some(),
            _ => false,
        };
        let what = if self.contenders.iter().any(super::Contender::is_url) {
            "a contender by URL has no agent that could measure it"
        } else if self.contenders.iter().any(over_tls) {
            "certificates are files of this host"
        } else if matches!(dependency, Some(Server::Postgres { .. })) {
            "a PostgreSQL runs on this host alone; a stand-in can run on another"
        } else if self.experiments.map.is_some() || self.experiments.footprint.is_some() {
            "a map and a footprint are made on this host alone"
        } else if self.piloted().next().is_some() {
            "a pilot runs on this host alone: write a `warm_up` of its own into the load"
        } else {
            return Ok(());
        };
        Err(Error::usage(format!("{} cannot run on other hosts: {what}", self.name)))
    }

    /// Who runs where, in sentences; empty where all is here.
    pub fn hosts_told(&self) -> Vec<String> {
        let Some(roles) = &self.hosts.roles else { return Vec::new() };
        let at = |name: &String| match self.hosts.named(name) {
            Ok(host) => format!("{name} ({})", host.address),
            Err(_) => name.clone(),
        };
        let generators: Vec<String> = roles.generators.iter().map(at).collect();
        let mut told = vec![format!("the contender runs on {}", at(&roles.contender))];
        if self.store.dependency().is_some() {
            told.push(format!("what it waits for runs on {}", at(&roles.dependency)));
        }
        told.push(match &generators[..] {
            [one] => format!("the load comes from {one}"),
            several => {
                format!("the load comes from {} generators: {}", several.len(), several.join(", "))
            }
        });
        told
    }
}

/// The hosts of a file's tables.
pub(super) fn hosts(
    raw: &[(At<String>, At<RawHost>)],
    placement: Option<&RawPlacement>,
    (manager, pods): (Option<Manager>, Option<&At<String>>),
) -> Result<Hosts, Diagnostic> {
    let all = raw.iter().map(|(name, host)| host_at(name, host)).collect::<Result<_, _>>()?;
    if let Some(pods) = pods.filter(|_| manager != Some(Manager::Kubernetes)) {
        return Err(Diagnostic::new(&pods.span, "only Kubernetes has pods", "the label of pods")
            .help("write hosts = \"kubernetes\" beside it"));
    }
    // With a manager there is a default of who runs where.
    let names_hosts = |it: &RawPlacement| {
        it.contender.is_some() || it.dependency.is_some() || it.generators.is_some()
    };
    let placed = placement.filter(|it| manager.is_none() || names_hosts(it));
    let roles = placed.map_or(Ok(None), roles)?;
    Ok(Hosts { all, roles, manager, pods: pods.map(|at| at.value.clone()) })
}

fn host_at(named: &At<String>, raw: &At<RawHost>) -> Result<HostAt, Diagnostic> {
    let RawHost { launch, address, folder, bakeoff } = &raw.value;
    let name = name(named, "host's name")?;
    let address = match address {
        Some(at) => at.value.parse().map_err(|_| {
            Diagnostic::new(&at.span, "`address` must be an IP address", "no address")
                .help("names are not looked up: write for example address = \"10.77.0.2\"")
        })?,
        None => Ipv4Addr::LOCALHOST.into(),
    };
    let path = |at: &Option<At<String>>| at.as_ref().map(|at| PathBuf::from(&at.value));
    Ok(HostAt {
        name,
        launch: launch.clone().unwrap_or_default(),
        address,
        folder: path(folder),
        bakeoff: path(bakeoff),
    })
}

fn roles(raw: &RawPlacement) -> Result<Option<Roles>, Diagnostic> {
    let RawPlacement { mode, contender, dependency, generators, .. } = raw;
    let among_hosts = mode.as_ref().filter(|mode| mode.value == PlacementMode::Hosts);
    let spans = [contender, dependency].into_iter().flatten().map(|at| &at.span);
    let Some(mode) = among_hosts else {
        return match spans.chain(generators.as_ref().map(|at| &at.span)).next() {
            None => Ok(None),
            Some(span) => {
                Err(Diagnostic::new(span, "the mode is not \"hosts\"", "but hosts are named")
                    .help("write mode = \"hosts\" beside it"))
            }
        };
    };
    let Some(contender) = contender else {
        return Err(Diagnostic::new(&mode.span, "no host is named for the contender", "needs one")
            .help("write for example: contender = \"b\""));
    };
    let generators = match generators {
        None => vec![LOCAL.to_owned()],
        Some(at) if at.value.is_empty() => {
            return Err(Diagnostic::new(&at.span, "no host is named for the load", "none"));
        }
        Some(at) => at.value.clone(),
    };
    if let Some(place) =
        (1..generators.len()).find(|place| generators[..*place].contains(&generators[*place]))
    {
        let title = format!("host `{}` is named twice", generators[place]);
        let at = raw.generators.as_ref().map_or(&mode.span, |at| &at.span);
        return Err(Diagnostic::new(at, title, "each has one generator"));
    }
    let dependency =
        dependency.as_ref().map_or_else(|| generators[0].clone(), |at| at.value.clone());
    Ok(Some(Roles { contender: contender.value.clone(), dependency, generators }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Hosts> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Hosts::read(file.path())
    }

    const TWO: &str = "[host.b]\nlaunch = [\"ssh\", \"b\"]\naddress = \"10.77.0.2\"\n[host.d]\nlaunch = [\"ssh\", \"d\"]\n";

    #[test]
    fn a_file_names_hosts_and_who_runs_where() {
        let placed =
            "[placement]\nmode = \"hosts\"\ncontender = \"b\"\ngenerators = [\"local\", \"d\"]\n";
        let hosts = read(&format!("{TWO}{placed}")).unwrap();
        let roles = hosts.roles.clone().unwrap();
        assert_eq!(roles.names(), ["b", "local", "d"]);
        assert_eq!(roles.dependency, "local", "where the load comes from");
        assert_eq!(hosts.named("b").unwrap().address, IpAddr::from([10, 77, 0, 2]));
        assert!(hosts.named("local").unwrap().launch.is_empty());
        let error = hosts.named("e").unwrap_err().to_string();
        assert!(error.contains("no host `e`"), "{error}");
        // A file that only has hosts leaves the placement to the scenario.
        assert!(read(TWO).unwrap().roles.is_none());
        let managed = read("hosts = \"slurm\"\n[placement]\nmode = \"hosts\"\n").unwrap();
        assert!(managed.roles.is_none() && hosts.clone().with(&managed).are_named());
        let both = hosts.with(&read("[host.b]\naddress = \"10.0.0.9\"\n").unwrap());
        assert_eq!((both.all.len(), both.roles.is_some()), (2, true));
        assert_eq!(both.named("b").unwrap().address, IpAddr::from([10, 0, 0, 9]));
    }

    #[test]
    fn mistakes_are_underlined() {
        for (text, why) in [
            ("[host.b]\naddress = \"b.example\"\n", "must be an IP address"),
            ("[host.b]\nlunch = [\"ssh\"]\n", "did you mean `launch`?"),
            ("[placement]\ncontender = \"b\"\n", "mode = \"hosts\""),
            ("[placement]\nmode = \"hosts\"\n", "no host is named for the contender"),
            ("[placement]\nmode = \"hosts\"\ncontender = \"b\"\ngenerators = []\n", "for the load"),
            (
                "[placement]\nmode = \"hosts\"\ncontender = \"b\"\ngenerators = [\"a\", \"a\"]\n",
                "named twice",
            ),
            ("hosts = \"slurp\"\n", "did you mean `slurm`?"),
            ("hosts = \"slurm\"\npods = \"app=x\"\n", "only Kubernetes has pods"),
            (
                "hosts = \"slurm\"\n[placement]\nmode = \"hosts\"\ngenerators = [\"a\"]\n",
                "no host is named for the contender",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(why), "{error}");
        }
    }

    /// A built-in scenario on the hosts of a file.
    fn placed(name: &str, hosts: &str) -> Result<Scenario> {
        let overrides =
            super::super::Overrides { hosts: read(hosts).unwrap(), ..Default::default() };
        super::super::builtin(name).unwrap().with(&overrides)
    }

    fn hosts_mode(contender: &str) -> String {
        format!("[placement]\nmode = \"hosts\"\ncontender = \"{contender}\"\n")
    }

    #[test]
    fn a_loopback_address_that_another_machine_has_to_reach_is_refused() {
        // By default what the contender waits for is where the load comes from: here.
        let text = format!("{TWO}{}", hosts_mode("b"));
        let error = placed("payment-50ms-query", &text).unwrap_err();
        let told = error.to_string();
        assert_eq!(error.exit_code(), 2);
        assert!(told.contains("`b` cannot reach the dependency on host `local` at 127.0.0.1"));
        assert!(told.contains("[host.local]"), "{told}");
        assert!(placed("payment-memory", &text).is_ok(), "it waits for nothing");
        let addressed = format!("[host.local]\naddress = \"10.77.0.1\"\n{text}");
        assert!(placed("payment-50ms-query", &addressed).is_ok());
        // One launched elsewhere whose address was forgotten.
        let hosts = read(&format!("{TWO}{}", hosts_mode("d"))).unwrap();
        assert!(hosts.check_reach(false, |_, _| true).is_ok(), "agents of one machine");
        let told = hosts.check_reach(false, |_, _| false).unwrap_err().to_string();
        assert!(told.contains("`local` cannot reach the contender on host `d`"), "{told}");
    }

    #[test]
    fn a_generator_has_one_connection_at_least() {
        let with = |connections: usize| {
            let mut scenario = super::super::builtin("payment-memory").unwrap();
            scenario.load.connections = connections;
            let text = format!("{TWO}{}generators = [\"local\", \"d\"]\n", hosts_mode("b"));
            let overrides =
                super::super::Overrides { hosts: read(&text).unwrap(), ..Default::default() };
            scenario.with(&overrides)
        };
        assert!(with(2).is_ok());
        let told = with(1).unwrap_err().to_string();
        assert!(told.contains("1 connections cannot be split among 2 generators"), "{told}");
    }

    #[test]
    fn what_can_only_run_here_is_refused_and_nothing_else_changes() {
        let with = |name, host: &str| placed(name, &format!("{TWO}{}", hosts_mode(host)));
        let there = with("payment-50ms-query", "b\"\ndependency = \"b").unwrap();
        assert_eq!(
            there.hosts_told(),
            [
                "the contender runs on b (10.77.0.2)",
                "what it waits for runs on b (10.77.0.2)",
                "the load comes from local (127.0.0.1)"
            ]
        );
        let here = super::super::builtin("payment-50ms-query").unwrap();
        let fingerprint = super::super::fingerprint;
        assert_eq!(fingerprint(&there), fingerprint(&here), "where it runs is the machine's");
        assert!(here.hosts_told().is_empty());
        let error = with("map-cpu-wait", "b").unwrap_err().to_string();
        assert!(error.contains("on this host alone"), "{error}");
        assert!(with("payment-memory", "x").is_err());
    }
}
