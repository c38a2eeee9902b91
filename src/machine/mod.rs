//! What this computer is and what it does while something is measured: cores, stolen time, throttling, memory, sockets.

pub(crate) mod cgroup;
pub(crate) mod interference;
pub(crate) mod proc;
pub(crate) mod resources;

use std::fs;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use sha2::{Digest, Sha256};

use crate::error::{Context, Result};
use crate::machine::interference::cpu_quota;
use crate::machine::proc::Lines;
use crate::record::Fingerprint;

/// Reads what the machine says of itself; what it does not say is empty. `scenarios` are their digests.
pub(crate) fn fingerprint(scenarios: &[String]) -> Fingerprint {
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    Fingerprint {
        cpu_model: Lines::read("/proc/cpuinfo")
            .and_then(|cores| cores.value("model name").map(ToOwned::to_owned))
            .unwrap_or_default(),
        cores: allowed_cores().map_or(0, |cores| cores.len() as u32),
        kernel: read("/proc/sys/kernel/osrelease").unwrap_or_default(),
        governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        cpu_quota: cpu_quota(),
        memory_bytes: Lines::read("/proc/meminfo")
            .and_then(|memory| memory.number("MemTotal"))
            .unwrap_or(0),
        bakeoff: env!("CARGO_PKG_VERSION").into(),
        binary: fs::read("/proc/self/exe").map_or_else(|_| String::new(), |bytes| digest(&bytes)),
        scenario: match scenarios {
            [one] => one.clone(),
            several => digest(several.concat().as_bytes()),
        },
        debug_build: cfg!(debug_assertions),
        profile: env!("BAKEOFF_PROFILE").into(),
    }
}

/// The first 16 hexadecimal digits of the SHA-256.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Core numbers, ascending, at least one.
pub(crate) type Cores = Vec<usize>;

/// The cores in this process's affinity mask.
pub(crate) fn allowed_cores() -> Result<Cores> {
    let set = sched_getaffinity(None).context(|| "cannot read the affinity mask".into())?;
    Ok((0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect())
}

/// Runs `action` with the calling thread on `cores`, for what it starts to inherit, and puts the mask back.
pub(crate) fn on_cores<T>(cores: &Cores, action: impl FnOnce() -> T) -> Result<T> {
    let before = sched_getaffinity(None).context(|| "cannot read the affinity mask".into())?;
    let mut set = CpuSet::new();
    for &core in cores {
        set.set(core);
    }
    sched_setaffinity(None, &set).context(|| format!("cannot move to cores {cores:?}"))?;
    let value = action();
    sched_setaffinity(None, &before).context(|| "cannot put the affinity mask back".into())?;
    Ok(value)
}

/// Keeps the calling thread on `cores`; where that is not allowed it stays where it is.
pub(crate) fn stay_on_cores(cores: &Cores) {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    let _ = sched_setaffinity(None, &set);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_is_put_back() {
        let before = allowed_cores().unwrap();
        let inside = on_cores(&vec![before[0]], || allowed_cores().unwrap()).unwrap();
        assert_eq!((inside, allowed_cores().unwrap()), (vec![before[0]], before));
    }
}
