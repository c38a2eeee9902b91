//! Where the processes of a program listen: named where it is not where it should be.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::machine::proc;

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
    let mut due = proc::children(root);
    let mut seen = 0;
    while let Some(pid) = due.pop().filter(|_| seen < PROCESSES_MAX) {
        seen += 1;
        due.extend(proc::children(pid));
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
