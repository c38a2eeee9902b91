//! Names that a part of the source does not use.

use super::Breach;
use super::source::Source;

/// Names that the files in `within` must not use, unless they are in `except`.
struct Rule {
    /// What a path below `src/` starts with.
    within: &'static str,
    /// What a path below `src/` starts with, or, with a slash in front, contains. `*` stands for anything between.
    except: &'static [&'static str],
    /// Names, or paths of them.
    names: &'static [&'static str],
    because: &'static str,
}

const PURE: &[&str] = &[
    "Instant",
    "SystemTime",
    "std::net",
    "std::io",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "tokio",
    "rayon",
    "hyper",
    "rustix",
    "nix",
    "async",
    "await",
];
/// The functions of `stats` that make an estimate of a sample.
const ESTIMATORS: &[&str] = &[
    "ratio_of",
    "hodges_lehmann",
    "one_sided",
    "batch_means",
    "mann_kendall",
    "SignTest",
    "quantile_interval",
    "discoveries",
    "residual_sd",
];

const RULES: &[Rule] = &[
    Rule {
        within: "domain/",
        except: &[],
        names: PURE,
        because: "the rules are pure: no clock, socket or waiting",
    },
    Rule {
        within: "domain/",
        except: &[],
        names: &["std::sync", "Mutex", "RwLock", "Condvar", "OnceLock", "LazyLock", "thread_local"],
        because: "the rules are pure: no lock",
    },
    Rule {
        within: "stats/",
        except: &[],
        names: PURE,
        because: "statistics are pure functions of numbers",
    },
    Rule {
        within: "judge/",
        // Waits until a server's books are closed.
        except: &["judge/audit.rs"],
        names: PURE,
        because: "a verdict is a pure function of its rounds",
    },
    Rule {
        within: "",
        except: &[
            "stats/",
            "judge/",
            // Checks the tool against servers of known times, and judges no contender.
            "run/selftest",
            // They still estimate for themselves; their places are in judge/.
            "run/experiment/duel.rs",
            "run/footprint/mod.rs",
            "report/sizes.rs",
            "report/charts/levels.rs",
        ],
        names: ESTIMATORS,
        because: "only judge/ makes estimates; the others show its findings",
    },
    Rule {
        within: "load/",
        except: &[],
        names: &["tokio", "rayon", "hyper", "async", "await"],
        because: "the generator uses OS threads and epoll, whichever style it measures",
    },
    Rule {
        within: "run/",
        except: &[],
        names: &["tokio", "rayon", "hyper", "async", "await"],
        because: "what measures does not share a runtime with what is measured",
    },
    Rule {
        within: "backend/",
        except: &["/event_loop", "/cross_check.rs"],
        names: &["tokio"],
        because: "awaiting belongs to event_loop files",
    },
    Rule {
        within: "backend/",
        except: &[
            "/event_loop",
            "/cross_check.rs",
            // A plain thread drives hyper's connection, which is a future.
            "backend/http/threads",
            "backend/http/drive.rs",
            "backend/runtime/threads",
        ],
        names: &["async", "await", "Future", "block_on"],
        because: "a threaded twin blocks; only the HTTP server lets hyper read a body",
    },
    Rule {
        within: "backend/",
        except: &["/threads", "backend/http/drive.rs"],
        names: &["std::thread", "thread::spawn", "thread::scope", "thread::Builder", "rayon"],
        because: "threads belong to threads files",
    },
    Rule {
        within: "",
        except: &[
            "record/",
            "backend/*/mod.rs",
            // What frames carry between hosts: plans, what is started, samples, and their units.
            "hosts/",
            "load/",
            "machine/",
            "scenario/contender.rs",
            "units.rs",
        ],
        names: &["Serialize"],
        because: "only records, HTTP bodies and frames are written out",
    },
    Rule {
        within: "",
        except: &[
            "record/",
            "backend/*/mod.rs",
            "backend/upstream.rs",
            "scenario/",
            "words.rs",
            "hosts/",
            "load/",
            "machine/",
            "units.rs",
        ],
        names: &["Deserialize"],
        because: "only scenarios, records, HTTP bodies and frames are read in",
    },
    Rule {
        within: "",
        except: &["cli/", "record/", "backend/mod.rs", "backend/runtime/mod.rs", "poll.rs"],
        names: &["clap"],
        because: "only cli/ reads arguments; the stored words derive clap's names",
    },
    Rule {
        within: "",
        except: &[],
        names: &["process::exit", "todo", "unimplemented", "dbg"],
        because: "the exit code is main's, and a missing feature is an error message",
    },
];

pub(super) fn forbidden(program: &[Source]) -> Vec<Breach> {
    let breaches = |rule| program.iter().flat_map(move |file| breaches(file, rule));
    RULES.iter().flat_map(breaches).collect()
}

fn breaches(file: &Source, rule: &Rule) -> Vec<Breach> {
    let place = file.place();
    if !place.starts_with(rule.within) || rule.except.iter().any(|e| allows(e, place)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for name in rule.names {
        let parts: Vec<&str> = name.split("::").collect();
        for (line, path) in &file.names {
            if path.windows(parts.len()).any(|window| window == parts) {
                let what = format!("`{name}`: {}", rule.because);
                found.push(Breach { file: file.path.clone(), line: *line, what });
            }
        }
    }
    found
}

fn allows(pattern: &str, place: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => place.starts_with(start) && place.ends_with(end),
        None if pattern.starts_with('/') => place.contains(pattern),
        None => place.starts_with(pattern),
    }
}
