//! Words that a part of the source does not say.

use super::source::{Source, all};
use super::{Breach, expect_none};

/// Words that the files in `within` must not say, unless they are in `except`.
struct Rule {
    /// What a path below `src/` starts with.
    within: &'static str,
    /// Paths below `src/` where the words are allowed; a star stands for anything.
    except: &'static [&'static str],
    /// Whole words, or paths of them.
    words: &'static [&'static str],
    /// Why not.
    because: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        within: "domain/",
        except: &[],
        words: &[
            "Instant",
            "SystemTime",
            "std::time",
            "std::net",
            "std::io",
            "std::fs",
            "std::env",
            "std::process",
            "std::thread",
            "std::sync",
            "core::sync",
            "Mutex",
            "RwLock",
            "Condvar",
            "OnceLock",
            "LazyLock",
            "thread_local",
            "tokio",
            "rayon",
            "hyper",
            "rustix",
            "async",
            "await",
        ],
        because: "the rules are pure: no clock, socket, lock or waiting",
    },
    Rule {
        within: "stats/",
        except: &[],
        words: &["Instant", "SystemTime", "std::net", "std::fs", "std::thread", "tokio", "rayon"],
        because: "statistics are pure functions of figures",
    },
    Rule {
        within: "judge/",
        except: &[],
        words: &[
            "Instant",
            "SystemTime",
            "std::net",
            "std::fs",
            "std::process",
            "std::thread",
            "tokio",
        ],
        because: "a verdict is a pure function of its rounds",
    },
    Rule {
        within: "load/",
        except: &[],
        words: &["tokio", "rayon", "hyper", "async", "await"],
        because: "the measuring side has one colour, OS threads and epoll, whatever it measures",
    },
    Rule {
        within: "run/",
        except: &[],
        words: &["tokio", "rayon", "hyper", "async", "await"],
        because: "what measures does not share a runtime with what is measured",
    },
    Rule {
        within: "backend/",
        except: &["backend/services/*/event_loop.rs", "backend/runtime/event_loop/*"],
        words: &["tokio"],
        because: "awaiting belongs to the event_loop side",
    },
    Rule {
        within: "backend/",
        except: &[
            "backend/services/*/event_loop.rs",
            "backend/runtime/event_loop/*",
            "backend/runtime/threads/serve.rs",
            "backend/runtime/threads/pool.rs",
        ],
        words: &["async", "await", "Future", "block_on"],
        because: "a threaded twin truly blocks; only threads/serve.rs lets hyper read a body",
    },
    Rule {
        within: "backend/",
        except: &["backend/services/*/threads.rs", "backend/runtime/threads/*"],
        words: &["std::thread", "thread::spawn", "thread::scope", "thread::Builder", "rayon"],
        because: "threads belong to the threads side",
    },
    Rule {
        within: "",
        except: &["record/*", "backend/services/*/mod.rs", "backend/http/mod.rs"],
        words: &["Serialize"],
        because: "only the reports' schemas and HTTP bodies are written out",
    },
    Rule {
        within: "",
        except: &[
            "record/*",
            "backend/services/*/mod.rs",
            "backend/http/mod.rs",
            "backend/upstream.rs",
            "scenario/*",
        ],
        words: &["Deserialize"],
        because: "only scenarios, reports and HTTP bodies are read in",
    },
    Rule {
        within: "",
        except: &[],
        words: &["todo!", "unimplemented!", "dbg!"],
        because: "what is not there yet is an error message, not a panic",
    },
];

#[test]
fn no_part_says_what_it_must_not() {
    let files = all();
    expect_none(
        files.iter().flat_map(|file| RULES.iter().flat_map(|r| breaches(file, r))).collect(),
    );
}

fn breaches(file: &Source, rule: &Rule) -> Vec<Breach> {
    let place = file.place();
    if !place.starts_with(rule.within) || rule.except.iter().any(|e| allows(e, place)) {
        return Vec::new();
    }
    let said =
        |line: &str| rule.words.iter().filter(|w| says(line, w)).copied().collect::<Vec<_>>();
    let lines =
        file.lines().flat_map(|(line, code)| said(code).into_iter().map(move |w| (line, w)));
    let what = |word| format!("`{word}`: {}", rule.because);
    lines.map(|(line, word)| Breach { file: file.path.clone(), line, what: what(word) }).collect()
}

fn allows(pattern: &str, place: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => place.starts_with(start) && place.ends_with(end),
        None => place == pattern,
    }
}

/// Whether `line` has `word` as a whole word.
fn says(line: &str, word: &str) -> bool {
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let closed = word.ends_with('!') || !line[at + word.len()..].starts_with(of_word);
        closed && !line[..at].ends_with(of_word)
    })
}

/// One line that breaks each rule, and one place where the same line is right.
#[test]
fn every_rule_can_fail() {
    let examples = [
        ("domain/x.rs", "use std::time::Instant;", "load/x.rs"),
        ("stats/x.rs", "use std::fs;", "report/x.rs"),
        ("judge/x.rs", "std::process::exit(3)", "cli/x.rs"),
        ("load/x.rs", "tokio::spawn(f)", "backend/runtime/event_loop/serve.rs"),
        ("run/x.rs", "x.await", "backend/runtime/event_loop/serve.rs"),
        (
            "backend/services/payment/mod.rs",
            "use tokio::net;",
            "backend/services/payment/event_loop.rs",
        ),
        (
            "backend/services/payment/threads.rs",
            "async fn f() {}",
            "backend/runtime/threads/serve.rs",
        ),
        (
            "backend/services/payment/event_loop.rs",
            "rayon::join(a, b)",
            "backend/services/payment/threads.rs",
        ),
        ("load/plan.rs", "#[derive(Serialize)]", "record/mod.rs"),
        ("load/plan.rs", "#[derive(Deserialize)]", "scenario/raw.rs"),
        ("cli/run.rs", "    todo!()", ""),
    ];
    assert_eq!(examples.len(), RULES.len());
    for ((bad, line, good), rule) in examples.into_iter().zip(RULES) {
        let breach = |place: &str| breaches(&Source::new(&format!("src/{place}"), line), rule);
        assert!(!breach(bad).is_empty(), "{line} in {bad}");
        assert!(good.is_empty() || breach(good).is_empty(), "{line} in {good}");
    }
}

#[test]
fn a_word_is_whole_and_has_its_line() {
    assert!(says("use std::thread;", "std::thread") && says("a.await?", "await"));
    assert!(!says("thread_local", "thread") && !says("not_async", "async") && !says("dbg", "dbg!"));
    let file = Source::new("src/domain/x.rs", "fn f() {}\n// a Mutex\nfn g(m: Mutex<u8>) {}\n");
    let found = breaches(&file, &RULES[0]);
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().starts_with("src/domain/x.rs:3: `Mutex`"), "{}", found[0]);
}
