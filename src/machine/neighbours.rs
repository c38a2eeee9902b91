//! Other bakeoffs that measure on this machine: each disturbs the other, so both say so.
//!
//! Each one that measures has an abstract socket with its process in the name, which the kernel lists to everyone and
//! removes with the process. Nothing is sent, and no file is left.

use std::collections::BTreeSet;
use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Begins the names; `@` stands for the byte 0 of an abstract one.
const PREFIX: &str = "bakeoff-measures-";

/// This process as one that measures, and those that were seen beside it.
#[derive(Debug)]
pub(crate) struct Neighbours {
    own: u32,
    now: BTreeSet<u32>,
    seen: BTreeSet<u32>,
    /// Nothing where another part of this process has the name: it is seen anyway.
    _name: Option<UnixListener>,
}

impl Neighbours {
    /// From now on others see this process.
    pub(crate) fn announced() -> Self {
        let own = std::process::id();
        let name = SocketAddr::from_abstract_name(format!("{PREFIX}{own}"));
        let listener = name.and_then(|name| UnixListener::bind_addr(&name)).ok();
        let [now, seen] = [const { BTreeSet::new() }; 2];
        Self { own, now, seen, _name: listener }
    }

    /// Looks around; a sentence where there is one that was not seen before.
    pub(crate) fn look(&mut self) -> Option<String> {
        let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
        self.now = processes(&sockets).filter(|pid| *pid != self.own).collect();
        let new = self.now.iter().copied();
        let new: Vec<u32> = new.filter(|pid| self.seen.insert(*pid)).collect();
        (!new.is_empty()).then(|| sentence(new.into_iter()))
    }

    /// About those of the latest look: what was measured beside them is to be doubted.
    pub(crate) fn doubt(&self) -> Option<String> {
        (!self.now.is_empty()).then(|| sentence(self.now.iter().copied()))
    }

    /// About all that were seen.
    pub(crate) fn note(&self) -> Option<String> {
        (!self.seen.is_empty()).then(|| sentence(self.seen.iter().copied()))
    }
}

fn sentence(pids: impl Iterator<Item = u32>) -> String {
    let pids: Vec<String> = pids.map(|pid| pid.to_string()).collect();
    let (who, processes, measure) = match pids.len() {
        1 => ("another bakeoff", "process", "measures"),
        _ => ("other bakeoffs", "processes", "measure"),
    };
    format!(
        "{who} ({processes} {}) {measure} on this machine at the same time: each disturbs the figures of the other",
        pids.join(", ")
    )
}

/// `0000000000000000: 00000002 00000000 00010000 0001 01 40235 @bakeoff-measures-2151`
fn processes(sockets: &str) -> impl Iterator<Item = u32> {
    sockets.lines().filter_map(|line| line.rsplit_once('@')?.1.strip_prefix(PREFIX)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_one_is_told_once_and_noted() {
        let list = "Num RefCount Protocol Flags Type St Inode Path\n\
                    0: 2 0 10000 1 1 40235 @bakeoff-measures-17\n\
                    0: 2 0 10000 1 1 40236 @bakeoff-measures-x\n\
                    0: 2 0 10000 1 1 40237 /run/bakeoff-measures-18\n";
        assert_eq!(processes(list).collect::<Vec<_>>(), [17]);
        // A name stands for a process: here for one that is none of ours.
        let stranger = (u32::MAX - std::process::id()).to_string();
        let name = SocketAddr::from_abstract_name(format!("{PREFIX}{stranger}")).unwrap();
        let other = UnixListener::bind_addr(&name).unwrap();
        let mut own = Neighbours::announced();
        assert!(own.look().is_some_and(|told| told.contains(&stranger)));
        assert!(own.doubt().is_some_and(|doubt| doubt.contains(&stranger)));
        assert!(own.look().is_none_or(|told| !told.contains(&stranger)), "it is told once");
        drop(other);
        own.look();
        assert!(own.doubt().is_none_or(|doubt| !doubt.contains(&stranger)), "it is gone");
        assert!(own.note().is_some_and(|note| note.contains(&stranger)));
        let pids: Vec<u32> = processes(&fs::read_to_string("/proc/net/unix").unwrap()).collect();
        // Another test of this process may have had the name, and let it go.
        assert!(own._name.is_none() || pids.contains(&std::process::id()), "others see this one");
    }
}
