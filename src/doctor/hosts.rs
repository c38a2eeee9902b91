//! Are these hosts suitable to measure on together? Starts an agent on each, and a server that does nothing where the contender
//! is to run; ends both.

use std::net::SocketAddr;

use super::{Finding, State};
use crate::error::{Error, Result};
use crate::hosts::clocks::Offset;
use crate::hosts::link::Link;
use crate::hosts::protocol::{Ask, Described, Fetched, RunningServer, Start};
use crate::load::plan::Address;
use crate::machine;
use crate::scenario::{HostAt, Hosts};
use crate::units::Nanos;

/// Questions for the time.
const PINGS: u32 = 32;
/// A clock that may be off by more says nothing about which of two hosts did something first.
const BOUND_MAX: Nanos = Nanos(Nanos::MILLI.0);
/// A host that is asked over a network answers within it.
const ANSWERS_WITHIN: Nanos = Nanos(5 * Nanos::SECOND.0);

/// Looks at every host that has a role, or at every one where none has.
///
/// # Errors
/// An agent that cannot be launched, or is lost.
pub fn examine(hosts: &Hosts) -> Result<Vec<Finding>> {
    let named = match &hosts.roles {
        Some(roles) => roles.names().into_iter().map(|name| hosts.named(name)).collect(),
        None => Ok(hosts.all.clone()),
    };
    let mut findings = Vec::new();
    let mut links = Vec::new();
    let own = machine::fingerprint(&[]).binary;
    for host in named? {
        let link = Link::launch(&host)?;
        let described = link.ask(Ask::Describe { address: host.address })?;
        let offset = Offset::measure(PINGS, || link.ask(Ask::Clock))?;
        findings.extend(look_at(&host, &described, offset, &own));
        links.push((host, link));
    }
    if let Some(roles) = &hosts.roles {
        let of = |name: &String| links.iter().find(|(host, _)| host.name == *name);
        let there = of(&roles.contender).expect("every role's host was launched");
        let generators: Vec<_> = roles.generators.iter().filter_map(of).collect();
        findings.extend(reach(there, &generators)?);
    }
    Ok(findings)
}

fn look_at(host: &HostAt, found: &Described, offset: Offset, own: &str) -> Vec<Finding> {
    let HostAt { name, address, .. } = host;
    let print = &found.fingerprint;
    let quota = print.cpu_quota.map(|cores| format!(", of which a quota allows {cores}"));
    let cores = format!("{name}: {}{}", found.cores.len(), quota.unwrap_or_default());
    let build = format!("{name}: bakeoff {}, build {}", print.bakeoff, print.binary);
    let clock = format!("{name}: known within {}", offset.bound);
    let interface = format!("{name}: {address}");
    vec![
        Finding::fine("build", build, "another build may measure differently")
            .unless(print.binary == own, format!("copy this program to {name}")),
        Finding::fine("cores", cores, "on one core, the agent and the contender would share it")
            .unless(found.cores.len() > 1, "use a host with more cores"),
        Finding::fine("clock", clock, "several generators start together by this clock")
            .unless(offset.bound <= BOUND_MAX, "use a faster link: round trips take too long"),
        Finding::fine("address", interface, "load goes only to an address of its host").unless(
            found.has_address,
            format!("write an address that {name} has into [host.{name}]"),
        ),
    ]
}

/// Whether each generator reaches a server on the contender's host.
fn reach((host, link): &(HostAt, Link), generators: &[&(HostAt, Link)]) -> Result<Vec<Finding>> {
    let start = Start::Own { verb: "serve".into(), flags: vec!["--model".into(), "null".into()] };
    let described: Described = link.ask(Ask::Describe { address: host.address })?;
    let (name, address) = ("reached".to_owned(), host.address);
    let cores = described.cores;
    let running: RunningServer =
        link.ask(Ask::Start { name, start, env: Vec::new(), cores, address })?;
    let Address::Tcp(at) = running.peer.at else {
        return Err(Error::internal("the server that does nothing has no port"));
    };
    let found = generators.iter().map(|(generator, link)| {
        let ask = Ask::Fetch {
            at,
            method: "GET".into(),
            path: "/null".into(),
            within: ANSWERS_WITHIN,
            when: Nanos(0),
        };
        link.ask(ask).map(|fetched| reached(&generator.name, &host.name, at, fetched))
    });
    let found = found.collect::<Result<Vec<_>>>()?;
    link.ask::<()>(Ask::Stop { server: running.server })?;
    Ok(found)
}

fn reached(from: &str, to: &str, at: SocketAddr, fetched: Fetched) -> Finding {
    let why = "a generator sends its load directly to the contender";
    match fetched {
        Fetched::Body(_) => Finding::fine("reach", format!("{from} reaches {to} at {at}"), why),
        Fetched::Not(reason) => {
            let found = format!("{from} does not reach {to}: {reason}");
            let fix = format!("let TCP from {from} through to {}", at.ip());
            Finding { check: "reach", state: State::Fix, found, why, fix: Some(fix) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Fingerprint;

    #[test]
    fn what_is_unfit_says_what_to_do() {
        let host = Hosts::default().named("local").unwrap();
        let described = Described {
            fingerprint: Fingerprint { binary: "b1".into(), ..Fingerprint::default() },
            boot_id: "x".into(),
            cores: vec![0, 1],
            has_address: true,
            program: "/bin/bakeoff".into(),
        };
        let offset = |ms: u64| Offset::between(Nanos(0), Nanos(0), Nanos(ms * 2_000_000));
        let fit = look_at(&host, &described, offset(0), "b1");
        assert!(fit.iter().all(|one| one.state == State::Fine), "{fit:?}");
        let unfit = Described { cores: vec![0], has_address: false, ..described };
        let unfit = look_at(&host, &unfit, offset(2), "b2");
        assert!(unfit.iter().all(|one| one.state == State::Fix && one.fix.is_some()), "{unfit:?}");
        let at = "10.77.0.2:9".parse().unwrap();
        let not = reached("d", "b", at, Fetched::Not("no route".into()));
        assert_eq!(not.found, "d does not reach b: no route");
        assert_eq!(not.fix.unwrap(), "let TCP from d through to 10.77.0.2");
    }
}
