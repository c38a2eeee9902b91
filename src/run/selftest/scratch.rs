//! A folder for the reports of runs that nobody reads.

use std::fs;
use std::path::PathBuf;

/// A folder of this process in the system's temporary one. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    /// Named for `what`; whoever writes into it makes it.
    pub(super) fn new(what: &str) -> Self {
        let name = format!("bakeoff-selftest-{}-{what}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
