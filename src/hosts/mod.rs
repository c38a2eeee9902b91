//! Other hosts: an agent on each, over the stdin and stdout of a launcher, which is any command that gives those of a
//! process there (`ssh`, `kubectl exec`, `srun`).
//!
//! - `protocol` is what goes over the wire: frames, and what an agent can be asked in them.
//! - `agent` answers. It ends with all that it started when its stdin ends, or when it has heard nothing for [`LEASE`].
//! - `link` launches an agent and asks; `clocks` finds out what its clock says.
//! - `nodes` are the hosts that Slurm or Kubernetes names.
//! - `sampler` reads what a contender uses, for an agent as for a run on one machine.
//!
//! Load beyond the own machine goes to private addresses alone ([`permit`]): orchestrator and agent both check.

pub(crate) mod agent;
pub(crate) mod clocks;
pub(crate) mod link;
pub(crate) mod nodes;
pub(crate) mod protocol;
pub(crate) mod sampler;

use std::net::IpAddr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::load::plan::{Address, Plan};

/// Who hears nothing for so long takes the other side for dead: a link that is cut gives no end.
const LEASE: Duration = Duration::from_secs(15);
/// Between two heartbeats.
const BEAT: Duration = Duration::from_secs(3);

/// Checks the address of a host that is to get load.
///
/// # Errors
/// Usage: a public, link-local or multicast address.
pub(crate) fn permit(ip: IpAddr) -> Result<()> {
    if is_private(ip) {
        return Ok(());
    }
    Err(Error::usage(format!("no load is sent to {ip}")).help("hosts are reached at private addresses: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fc00::/7"))
}

/// Checks the target of a load that another machine gets.
///
/// # Errors
/// Usage: as of its address, or it has none.
pub(crate) fn permit_target(plan: &Plan) -> Result<()> {
    match &plan.target.at {
        Address::Tcp(at) => permit(at.ip()),
        target => Err(Error::usage(format!("no load is sent to {target}"))),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            // 100.64.0.0/10 is what carriers and overlay networks use among themselves (RFC 6598).
            ip.is_loopback() || ip.is_private() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_goes_to_private_addresses_alone() {
        for (address, permitted) in [
            ("127.0.0.1", true),
            ("10.77.0.2", true),
            ("172.31.0.1", true),
            ("192.168.1.1", true),
            ("100.100.1.1", true),
            ("fd00::1", true),
            ("::ffff:10.0.0.1", true),
            ("8.8.8.8", false),
            ("172.32.0.1", false),
            ("100.128.0.1", false),
            ("169.254.169.254", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("0.0.0.0", false),
            ("::", false),
            ("fe80::1", false),
            ("ff02::1", false),
            ("2001:4860:4860::8888", false),
            ("::ffff:8.8.8.8", false),
        ] {
            assert_eq!(permit(address.parse().unwrap()).is_ok(), permitted, "{address}");
        }
    }
}
