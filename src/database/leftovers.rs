//! What a postmaster that was killed leaves: its processes, and a segment of System V shared memory, by which a second
//! postmaster would know of the first.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Processes that are killed have let go of their memory after so long.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// Ends the processes that are at home in the data of a cluster whose postmaster has ended, and removes its segment.
/// Nothing where there is no `postmaster.pid`: a postmaster that ends in good order removes it and clears up.
pub(crate) fn end(folder: &Path) -> Option<()> {
    let data = folder.join("data").canonicalize().ok()?;
    let file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let deadline = Instant::now() + GONE_WITHIN;
    while let Some(pid) = at_home(&data).filter(|_| Instant::now() < deadline) {
        let _ = kill_process(pid, Signal::KILL);
        thread::sleep(Duration::from_millis(2));
    }
    let (key, id) = segment(&file)?;
    let table = fs::read_to_string("/proc/sysvipc/shm").ok()?;
    if is_unused(&table, key, id) {
        let mut remove = Command::new("ipcrm");
        remove.args(["-m", &id.to_string()]).stdin(Stdio::null()).stdout(Stdio::null());
        remove.stderr(Stdio::null()).status().ok()?;
    }
    Some(())
}

/// A process that has `data` as its folder.
fn at_home(data: &Path) -> Option<Pid> {
    let mut pids = fs::read_dir("/proc").ok()?.flatten();
    pids.find_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        (fs::read_link(entry.path().join("cwd")).ok()? == data).then_some(pid)
    })
}

/// The key and the number of the segment, in the seventh line of `postmaster.pid`.
fn segment(file: &str) -> Option<(i64, i64)> {
    let (key, id) = file.lines().nth(6)?.trim().split_once(' ')?;
    Some((key.parse().ok()?, id.trim().parse().ok()?))
}

/// Whether the segment is still that of the key and nobody has it, in the text of `/proc/sysvipc/shm`.
fn is_unused(table: &str, key: i64, id: i64) -> bool {
    table.lines().any(|line| {
        let fields: Vec<i64> =
            line.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
        // key, shmid, perms, size, cpid, lpid, nattch
        matches!(fields[..], [k, i, _, _, _, _, 0, ..] if (k, i) == (key, id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_segment_of_a_killed_postmaster_is_known_by_key_and_number() {
        let file = "4242\n/tmp/bakeoff-pg-7/data\n1764500000\n5433\n.\n127.0.0.1\n  1267837   32769\nready   \n";
        assert_eq!(segment(file), Some((1_267_837, 32_769)));
        assert_eq!(segment("4242\n/tmp\n"), None, "it was killed before it had one");
        let table = |attached: u32| {
            format!(
                "       key      shmid perms                  size  cpid  lpid nattch   uid   gid\n   1267837      32769   600 \
                 56  4242  4243      {attached}   105   112   105   112 1764500000 0 1764500000\n"
            )
        };
        assert!(is_unused(&table(0), 1_267_837, 32_769));
        assert!(!is_unused(&table(1), 1_267_837, 32_769), "somebody has it");
        assert!(!is_unused(&table(0), 1, 32_769), "the number is another's by now");
        assert!(!is_unused("", 1_267_837, 32_769));
    }
}
