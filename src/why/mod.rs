//! Where a request's CPU goes: samples the stacks of a contender, names their functions, and sorts them into layers.
//!
//! - `sampler` opens the kernel's software clock before the contender's exec and reads its ring buffers;
//! - [`layers`] says which layer a stack belongs to, by names alone;
//! - [`profile`] scales the samples of a trial to its exact CPU time.

pub(crate) mod layers;
pub(crate) mod profile;
#[cfg(feature = "why")]
mod sampler;

use std::sync::{Arc, Mutex};

#[cfg(feature = "why")]
pub(crate) use sampler::{Profiler, level};
#[cfg(not(feature = "why"))]
pub(crate) use without::{Profiler, level};

use crate::record::WhyLevel;

/// Samples per second of CPU time: a prime, so that nothing periodic keeps step with it.
pub(crate) const SAMPLES_PER_S: u32 = 997;

/// One sample.
#[derive(Clone, Debug, Default)]
pub(crate) struct StackSample {
    /// The functions of the kernel, the innermost first; empty where it was in user mode.
    pub(crate) kernel: Vec<Arc<str>>,
    /// Those of the program, the innermost first.
    pub(crate) user: Vec<Arc<str>>,
}

/// The samples of a window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sampled {
    pub(crate) samples: Vec<StackSample>,
    /// Samples that the kernel could not deliver.
    pub(crate) lost: u64,
    /// System calls in the window, and instructions; nothing where they cannot be counted.
    pub(crate) syscalls: Option<u64>,
    pub(crate) instructions: Option<u64>,
}

/// The profile of a trial in the making. Where it cannot be opened there are no samples.
#[derive(Debug)]
pub(crate) struct Profiling {
    level: WhyLevel,
    profiler: Mutex<Option<Profiler>>,
    sampled: Mutex<Option<Sampled>>,
}

impl Profiling {
    pub(crate) fn of(level: WhyLevel) -> Self {
        Self { level, profiler: Mutex::default(), sampled: Mutex::default() }
    }

    /// On the thread that starts the contender, before it does.
    pub(crate) fn open(&self) {
        *self.profiler.lock().expect("no holder panics") = Profiler::open(self.level).ok();
    }

    /// The window begins.
    pub(crate) fn begin(&self) {
        self.profiler.lock().expect("no holder panics").iter().for_each(Profiler::begin);
    }

    /// The window ends.
    pub(crate) fn end(&self) {
        self.profiler.lock().expect("no holder panics").iter().for_each(Profiler::end);
    }

    /// Names what was sampled, while the contender still lives; not of `others`, which were started beside it.
    pub(crate) fn name(&self, others: &[u32]) {
        let profiler = self.profiler.lock().expect("no holder panics").take();
        let sampled = profiler.map(|profiler| profiler.named(others));
        *self.sampled.lock().expect("no holder panics") = sampled;
    }

    pub(crate) fn sampled(self) -> Option<Sampled> {
        self.sampled.into_inner().expect("no holder panics")
    }
}

/// A build without a profiler.
#[cfg(not(feature = "why"))]
mod without {
    use std::io;

    use crate::record::WhyLevel;
    use crate::why::Sampled;

    /// What can be seen, and the setting that gives the next level.
    pub(crate) fn level() -> (WhyLevel, Option<String>) {
        (WhyLevel::CountersOnly, Some("build with the default feature `why`".into()))
    }

    /// Samples nothing.
    #[derive(Debug)]
    pub(crate) struct Profiler;

    impl Profiler {
        pub(crate) fn open(_level: WhyLevel) -> io::Result<Self> {
            Err(io::Error::other("this build has no profiler"))
        }

        pub(crate) fn begin(&self) {}

        pub(crate) fn end(&self) {}

        pub(crate) fn named(self, _others: &[u32]) -> Sampled {
            Sampled::default()
        }
    }
}

/// What stands for a function without a name.
pub(crate) const UNKNOWN: &str = "[unknown]";

/// A function's name as two builds of a program share it: without hashes, numbers of closures and tiers of a just-in-time
/// compiler.
#[cfg(any(feature = "why", test))]
pub(crate) fn shared_name(name: &str) -> String {
    let name = match name.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            name
        }
        _ => name,
    };
    // `JS:*onRequest file.js:7:1`, `LazyCompile:~onRequest ..`: the sign is the tier.
    let name = match name.split_once(':') {
        Some((kind @ ("JS" | "LazyCompile" | "Function" | "Script"), rest)) => {
            format!("{kind}:{}", rest.trim_start_matches(['*', '~', '^', '+']))
        }
        _ => name.to_owned(),
    };
    let mut out = String::with_capacity(name.len());
    let mut rest = name.as_str();
    while let Some(at) = rest.find("{closure#").or_else(|| rest.find(".func")) {
        let stem = if rest[at..].starts_with('{') { "{closure" } else { ".func" };
        let number = &rest[at + stem.len()..];
        out.push_str(&rest[..at + stem.len()]);
        rest = number.trim_start_matches('#').trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out.push_str(rest);
    // A semicolon separates the functions of a stack.
    out.replace(';', ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_two_builds_is_left_out_of_a_name() {
        for (name, shared) in [
            ("core::fmt::write::h0123456789abcdef", "core::fmt::write"),
            ("a::hello", "a::hello"),
            ("a::b::{closure#12}::{closure#0}", "a::b::{closure}::{closure}"),
            ("main.serve.func1.2", "main.serve.func.2"),
            ("JS:*onRequest /srv/a.js:7:1", "JS:onRequest /srv/a.js:7:1"),
            ("LazyCompile:~onRequest a.js", "LazyCompile:onRequest a.js"),
            ("a;b", "a,b"),
        ] {
            assert_eq!(shared_name(name), shared, "{name}");
        }
    }
}
