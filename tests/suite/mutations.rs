//! Files that somebody has damaged: every scenario and every result is read or refused with its place, and nothing panics
//! or hangs. A few of them in every run; all of them with
//! `cargo test --test suite -- mutations --ignored`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bakeoff::record::{RunResult, from_json};
use bakeoff::report::charts::{Shade, Size, pictures};
use bakeoff::report::summary;
use bakeoff::scenario::parse;
use rustix::time::{ClockId, clock_gettime};

/// Nobody waits longer for an error, on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(5);

/// What this thread has computed.
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The same damage in every run.
struct Damage(Random);

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Damage {
    fn below(&mut self, n: usize) -> usize {
        (self.0.next() % n.max(1) as u64) as usize
    }

    /// `text` with one to four things done to it.
    fn of(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..=self.below(4) {
            self.one(&mut text);
        }
        text
    }

    fn one(&mut self, text: &mut String) {
        let at = text.floor_char_boundary(self.below(text.len() + 1));
        let end = text.ceil_char_boundary((at + 1 + self.below(12)).min(text.len()));
        match self.below(7) {
            0 => text.replace_range(at..end, ""),
            1 => text.insert_str(at, PIECES[self.below(PIECES.len())]),
            2 => text.replace_range(at..end, PIECES[self.below(PIECES.len())]),
            3 => text.truncate(at),
            4 => {
                let again = text[at..end].to_owned();
                text.insert_str(at, &again);
            }
            // A line twice, and a line that is gone.
            5 => {
                let line = line_at(text, at);
                let again = text[line.clone()].to_owned();
                text.insert_str(line.start, &again);
            }
            _ => text.replace_range(line_at(text, at), ""),
        }
    }
}

fn line_at(text: &str, at: usize) -> std::ops::Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    start..text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

const PIECES: [&str; 26] = [
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    "=",
    ".",
    ",",
    "\n",
    "\0",
    "-",
    "0",
    "1e309",
    "-1",
    "18446744073709551616",
    "nan",
    "null",
    "true",
    "\u{1f980}",
    "{env:",
    "${X}",
    "\"\"\"",
    "\\",
    "[[route]]\n",
    "99999999999999999999s",
];

fn scenarios() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == "toml"));
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

fn damaged_scenarios(n: usize, seed: u64) {
    let (files, mut damage, mut refused) = (scenarios(), Damage(Random(seed)), 0);
    for number in 0..n {
        let text = damage.of(&files[number % files.len()]);
        let began = computed();
        if let Err(error) = parse("damaged.toml", &text) {
            refused += 1;
            let shown = anstream::adapter::strip_str(&error.to_string()).to_string();
            assert_eq!(error.exit_code(), 2, "{shown}\n{text}");
            assert!(
                text.trim().is_empty() || shown.contains("damaged.toml:"),
                "no place: {shown}\n{text}"
            );
        }
        assert!(computed() - began < PATIENCE, "{number}: {text}");
    }
    assert!(refused > n / 3, "{refused} of {n} were refused: that is no damage");
}

fn show(result: &RunResult) {
    let _ = summary::text(result, None, true);
    let _ = summary::markdown(result);
    let _ = summary::html(result);
    for picture in pictures(result) {
        let _ = picture.svg(Shade::Light, Size::Blog);
    }
}

fn damaged_results(n: usize, seed: u64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/result.json");
    let whole: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    // On many lines, as it is written, so that damage hits words and figures and not histograms alone.
    let text = serde_json::to_string_pretty(&whole).unwrap();
    let (mut damage, mut read) = (Damage(Random(seed)), 0);
    for number in 0..n {
        let text = damage.of(&text);
        let began = computed();
        match from_json(&text) {
            Ok(result) => {
                read += 1;
                show(&result);
            }
            Err(error) => {
                let place = error.contains(" line ") || error.contains("this version reads");
                assert!(place, "no place: {error}");
            }
        }
        assert!(computed() - began < PATIENCE, "{number}");
    }
    assert!(read > 0 || n < 50, "none of {n} was shown");
}

#[test]
fn damaged_scenarios_are_refused_with_their_place() {
    damaged_scenarios(400, 1);
}

#[test]
fn damaged_results_are_shown_or_refused() {
    damaged_results(30, 2);
}

#[test]
#[ignore = "10,000 scenarios: a minute"]
fn ten_thousand_damaged_scenarios() {
    damaged_scenarios(10_000, 3);
}

#[test]
#[ignore = "2,000 results: minutes"]
fn two_thousand_damaged_results() {
    damaged_results(2_000, 4);
}
