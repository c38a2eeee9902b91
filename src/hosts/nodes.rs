//! The nodes of a Slurm job, and the running pods of a label, as hosts: a launcher and an address for each.

use std::env;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::is_private;
use crate::error::{Context, Error, Result};
use crate::scenario::{HostAt, Hosts, Manager, Roles};

/// What a pod has for us, unless another label is given.
const LABEL: &str = "app=bakeoff";

/// Adds the hosts that a cluster's manager names, where one is given. What [host.NAME] says of such a host comes first. Without
/// a placement the last one runs the contender and the others send the load.
///
/// # Errors
/// Usage: the manager does not answer, or names too few hosts.
pub(crate) fn expand(mut hosts: Hosts) -> Result<Hosts> {
    let found = match hosts.manager {
        None => return Ok(hosts),
        Some(Manager::Slurm) => of_job()?,
        Some(Manager::Kubernetes) => of_label(hosts.pods.as_deref().unwrap_or(LABEL))?,
    };
    if hosts.roles.is_none() {
        hosts.roles = Some(roles(&found)?);
    }
    for host in found {
        match hosts.all.iter_mut().find(|own| own.name == host.name) {
            Some(own) => {
                if own.launch.is_empty() {
                    own.launch = host.launch;
                }
                if own.address == IpAddr::V4(Ipv4Addr::LOCALHOST) {
                    own.address = host.address;
                }
            }
            None => hosts.all.push(host),
        }
    }
    Ok(hosts)
}

fn roles(found: &[HostAt]) -> Result<Roles> {
    let names: Vec<String> = found.iter().map(|host| host.name.clone()).collect();
    match names.split_last() {
        Some((contender, generators)) if !generators.is_empty() => Ok(Roles {
            contender: contender.clone(),
            dependency: generators[0].clone(),
            generators: generators.to_vec(),
        }),
        _ => Err(Error::usage(format!(
            "there is one host, {}, and the contender and its load need one each",
            names.concat()
        ))
        .help(
            "ask for 2 or more (`sbatch -N3`, `replicas: 3`), or say in [placement] who runs where",
        )),
    }
}

/// The nodes of the job that this process is in.
fn of_job() -> Result<Vec<HostAt>> {
    let list = env::var("SLURM_JOB_NODELIST").unwrap_or_default();
    if list.is_empty() {
        return Err(Error::usage(
            "hosts = \"slurm\" needs the nodes of a job, and SLURM_JOB_NODELIST is not set",
        )
        .help(
            "run bakeoff in a job: `salloc -N3 --exclusive bakeoff run ..`, or a script for sbatch",
        ));
    }
    let names = asked("scontrol", &["show", "hostnames", &list])?;
    // The name of a node need not be one that the resolver knows. Where this is not answered, it has to be.
    let known = asked("scontrol", &["--oneliner", "show", "node", &list]).unwrap_or_default();
    let nodes = names.split_whitespace().map(|name| {
        let srun = format!("srun --overlap -N1 -n1 -w {name} --cpu-bind=none --mem=0 --export=ALL");
        let launch = srun.split(' ').map(str::to_owned).collect();
        host(name, launch, resolved(node_address(&known, name)))
    });
    Ok(nodes.collect())
}

/// What the line of a node says of its address, or its name.
fn node_address<'a>(known: &'a str, name: &'a str) -> &'a str {
    let field = |line: &'a str, key| line.split(' ').find_map(|word| word.strip_prefix(key));
    let line = known.lines().find(|line| field(line, "NodeName=") == Some(name));
    line.and_then(|line| field(line, "NodeAddr=")).unwrap_or(name)
}

/// The private address of a name. Where there is none, the check of who reaches whom says where to write one.
fn resolved(name: &str) -> Option<IpAddr> {
    let all: Vec<IpAddr> = (name, 0).to_socket_addrs().ok()?.map(|at| at.ip()).collect();
    let private = all.iter().find(|ip| is_private(**ip) && !ip.is_loopback());
    private.or(all.first()).copied()
}

/// The running pods of a label.
fn of_label(label: &str) -> Result<Vec<HostAt>> {
    let selector = format!("--selector={label}");
    let args = ["get", "pods", &selector, "-o", "json", "--request-timeout=30s"];
    let all: Value =
        serde_json::from_str(&asked("kubectl", &args)?).usage(|| "kubectl wrote no JSON".into())?;
    let pods = all["items"].as_array().into_iter().flatten();
    // One that is being ended still is in the phase `Running`.
    let running = pods.filter(|pod| {
        pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
    });
    let found: Vec<HostAt> = running
        .filter_map(|pod| {
            let name = pod["metadata"]["name"].as_str()?;
            let launch = ["kubectl", "exec", "-i", name, "--"].map(str::to_owned);
            let address = pod["status"]["podIP"].as_str().and_then(|ip| ip.parse().ok());
            Some(host(name, launch.into(), address))
        })
        .collect();
    if found.is_empty() {
        return Err(Error::usage(format!("no pod with the label {label} is running")).help(
            format!("`kubectl get pods -l {label}` shows them; `pods` names another label"),
        ));
    }
    Ok(found)
}

fn host(name: &str, launch: Vec<String>, address: Option<IpAddr>) -> HostAt {
    let address = address.unwrap_or(Ipv4Addr::LOCALHOST.into());
    HostAt { name: name.into(), launch, address, folder: None, bakeoff: None }
}

/// What a program of the cluster's manager answers.
fn asked(program: &str, args: &[&str]) -> Result<String> {
    let words = format!("{program} {}", args.join(" "));
    let done = Command::new(program).args(args).stdin(Stdio::null()).output();
    let done = done.map_err(|error| {
        Error::usage(format!("`{program}` cannot be started: {error}"))
            .help(format!("put it on PATH: the hosts are those that `{words}` names"))
    })?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(Error::usage(format!("`{words}` failed: {}", said.trim())));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_host_runs_the_contender_unless_a_placement_says_otherwise() {
        let named = |names: &[&str]| {
            let found: Vec<_> = names.iter().map(|name| host(name, Vec::new(), None)).collect();
            roles(&found)
        };
        let three = named(&["n1", "n2", "n3"]).unwrap();
        assert_eq!((three.contender.as_str(), three.dependency.as_str()), ("n3", "n1"));
        assert_eq!(three.generators, ["n1", "n2"]);
        let told = named(&["n1"]).unwrap_err().to_string();
        assert!(told.contains("one host, n1") && told.contains("sbatch -N3"), "{told}");
    }

    #[test]
    fn a_node_is_reached_at_its_address_and_not_at_its_name() {
        let known = "NodeName=n1 Arch=x86_64 NodeAddr=10.77.0.1 NodeHostName=n1 \nNodeName=n10 NodeAddr=10.77.0.10 X=1\n";
        assert_eq!(node_address(known, "n1"), "10.77.0.1");
        assert_eq!(node_address(known, "n10"), "10.77.0.10");
        assert_eq!(node_address(known, "n2"), "n2");
        assert_eq!(resolved("10.77.0.1"), Some(IpAddr::from([10, 77, 0, 1])));
    }
}
