//! Where a generator may send load beyond its own machine: to private addresses alone. Orchestrator and agent both check.

use std::net::IpAddr;

use crate::error::{Error, Result};
use crate::load::plan::{Address, Plan};

/// Checks the address of a host that is to get load.
///
/// # Errors
/// Usage: a public, link-local or multicast address.
pub(crate) fn check(ip: IpAddr) -> Result<()> {
    if is_private(ip) {
        return Ok(());
    }
    Err(Error::usage(format!("no load is sent to {ip}")).help("hosts are reached at private addresses: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fc00::/7"))
}

/// Checks the target of a load that another machine gets.
///
/// # Errors
/// Usage: as of its address, or it has none.
pub(crate) fn check_target(plan: &Plan) -> Result<()> {
    match &plan.target.at {
        Address::Tcp(at) => check(at.ip()),
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
            assert_eq!(check(address.parse().unwrap()).is_ok(), permitted, "{address}");
        }
    }
}
