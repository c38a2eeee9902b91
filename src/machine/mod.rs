//! What this computer is and what it does while something is measured: cores, stolen time, throttling, memory, sockets.

pub(crate) mod cgroup;
pub(crate) mod cores;
pub(crate) mod interference;
pub(crate) mod proc;
pub(crate) mod resources;

use std::fs;

use sha2::{Digest, Sha256};

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
        cores: cores::allowed().map_or(0, |cores| cores.len() as u32),
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
