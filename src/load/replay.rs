//! Arrivals of a file: instants one a line, or an access log. Eight bytes an instant, whatever the file says beside it.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::access_log::{Line, Names, Reader};
use crate::files;
use crate::random::Stream;
use crate::record::carried;
use crate::units::{Nanos, Rate, grouped};

/// 80 MB of them.
const INSTANTS_MAX: usize = 10_000_000;
/// No line of a log is longer.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// Lines of a log that are no requests: more, and it is another file.
const SKIPPED_MAX: usize = 100;
/// Draws the places of requests within a second of a log that has no fractions.
const PLACES: u64 = 0x5eed;

/// A file of instants. Cheap to clone.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Replay {
    /// Since the first instant of a log, or the beginning of the file's time; ascending.
    #[serde(with = "carried::shared")]
    instants: Arc<[u64]>,
    /// After which the file begins again: the last instant and the mean gap.
    period: u64,
    /// What a reader should know, in sentences.
    notes: Vec<String>,
    digest: String,
}

/// The digest and not the instants: a scenario's fingerprint is made of what this prints.
impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replay({} of {})", self.instants.len(), self.digest)
    }
}

impl Replay {
    /// Reads a file; `names` are the fields of JSON lines.
    ///
    /// # Errors
    /// One sentence: the file cannot be read, or a line has no instant.
    pub fn read(path: &Path, names: &Names) -> Result<Self, String> {
        let shown = path.display();
        let (file, _) =
            files::regular(path).map_err(|why| format!("cannot read {shown}: {why}"))?;
        Self::from(BufReader::new(file), names).map_err(|why| format!("{shown}: {why}"))
    }

    fn from(mut file: impl BufRead, names: &Names) -> Result<Self, String> {
        let mut reader = Reader::new(names);
        let (mut all, mut digest, mut skipped) = (Vec::new(), Sha256::new(), 0);
        let mut text = Vec::new();
        for number in 1.. {
            text.clear();
            let read = file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text);
            if read.map_err(|why| why.to_string())? == 0 {
                break;
            }
            digest.update(&text);
            match reader.read(&String::from_utf8_lossy(&text)) {
                Ok(Line::At(at)) => all.push(at),
                Ok(Line::Nothing) => {}
                // Logs have lines that are cut off, or of another kind.
                Err(_) if reader.is_log() && !all.is_empty() && skipped < SKIPPED_MAX => {
                    skipped += 1
                }
                Err(why) => return Err(format!("line {number}: {why}")),
            }
            if all.len() > INSTANTS_MAX {
                return Err(format!("more than {} instants", grouped(INSTANTS_MAX as f64)));
            }
        }
        let digest = digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self::of(all, &reader, skipped, digest)
    }

    fn of(
        mut all: Vec<i64>,
        reader: &Reader<'_>,
        skipped: usize,
        digest: String,
    ) -> Result<Self, String> {
        let sorted = all.is_sorted();
        all.sort_unstable();
        let (Some(&first), Some(&last)) = (all.first(), all.last()) else {
            return Err("it has no instant".into());
        };
        let zero = if reader.is_log() { first } else { first.min(0) };
        let mut instants: Vec<u64> = all.into_iter().map(|at| (at - zero) as u64).collect();
        let mut notes = reader.notes();
        if reader.is_log() && reader.is_coarse() {
            spread(&mut instants);
            notes.push(
                "its times are whole seconds, in which requests were placed at random".into(),
            );
        }
        if !sorted && reader.is_log() {
            notes.push("its lines were put in order of their starts".into());
        }
        if skipped > 0 {
            notes.push(format!("{skipped} lines that are no requests were left out"));
        }
        let gap = match instants.len() {
            1 => Nanos::SECOND.0,
            n => ((last - first) as u64 / (n as u64 - 1)).max(1),
        };
        let period = instants.last().copied().unwrap_or_default() + gap;
        Ok(Self { instants: instants.into(), period, notes, digest })
    }

    /// How long it takes to its end.
    pub fn lasting(&self) -> Nanos {
        Nanos(self.period)
    }

    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.instants.len()
    }

    /// Its mean rate.
    pub fn rate(&self) -> Rate {
        Rate(self.instants.len() as f64 * 1e9 / self.period as f64)
    }

    /// What a reader should know, in sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Repeated without end in both directions, this is when the arrival `k` is due; 0 is the first of the file.
    pub(super) fn instant(&self, k: i64) -> i64 {
        let n = self.instants.len() as i64;
        k.div_euclid(n) * self.period as i64 + self.instants[k.rem_euclid(n) as usize] as i64
    }

    /// The first arrival that is not before `instant`.
    pub(super) fn rank(&self, instant: i64) -> i64 {
        let (n, period) = (self.instants.len() as i64, self.period as i64);
        let within = instant.rem_euclid(period) as u64;
        let rank = self.instants.partition_point(|&at| at < within) as i64;
        instant.div_euclid(period) * n + rank
    }
}

#[cfg(test)]
impl Replay {
    pub(super) fn of_seconds(instants: &[f64]) -> Self {
        let text: String = instants.iter().map(|at| format!("{at}\n")).collect();
        Self::from(text.as_bytes(), &Names::default()).expect("instants are instants")
    }
}

/// Puts those of one second at random places in it.
fn spread(instants: &mut [u64]) {
    let second = Nanos::SECOND.0;
    let places = Stream::of(PLACES);
    for (k, at) in instants.iter_mut().enumerate() {
        *at += places.below(k as u64, second);
    }
    instants.sort_unstable();
    let first = instants.first().copied().unwrap_or_default();
    instants.iter_mut().for_each(|at| *at -= first);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(text: &str) -> Replay {
        Replay::from(text.as_bytes(), &Names::default()).unwrap()
    }

    #[test]
    fn instants_are_repeated_in_both_directions() {
        let replay = replay("# comment\n0.5\n1\n\n2.5s\n");
        // Its mean gap is a second, so it begins again after 3.5 s.
        assert_eq!(replay.lasting(), Nanos(3_500_000_000));
        let ms = |k| replay.instant(k) / 1_000_000;
        assert_eq!(
            [ms(-2), ms(-1), ms(0), ms(1), ms(2), ms(3)],
            [-2_500, -1_000, 500, 1_000, 2_500, 4_000]
        );
        for k in -7..7 {
            let at = replay.instant(k);
            assert_eq!((replay.rank(at), replay.rank(at + 1)), (k, k + 1));
        }
    }

    #[test]
    fn a_million_instants_take_eight_bytes_each() {
        let text: String = (0..1_000_000_u32).map(|n| format!("{}us\n", n * 50)).collect();
        let replay = replay(&text);
        assert_eq!(size_of_val(&*replay.instants), 8_000_000);
        assert!((replay.rate().0 - 20_000.0).abs() < 0.1, "{}", replay.rate());
        assert_eq!(replay.instant(999_999), 49_999_950_000);
        assert_eq!(replay.rank(25_000_000_001), 500_001);
    }

    #[test]
    fn lines_that_are_none_are_told_with_their_number() {
        let told = |text: &str| Replay::from(text.as_bytes(), &Names::default()).unwrap_err();
        assert!(told("1\nx\n").starts_with("line 2: "), "{}", told("1\nx\n"));
        assert!(told("\n").contains("no instant"));
        assert!(told("-1\n").contains("line 1"));
    }

    #[test]
    fn seconds_of_a_log_are_filled() {
        let line = |second: u32| {
            format!("h - - [10/Oct/2026:13:55:{second:02} +0000] \"GET / HTTP/1.1\" 200 1\n")
        };
        let text: String = (0..3_000).map(|n| line(n / 100)).collect();
        let replay = replay(&text);
        let gaps: Vec<i64> =
            (1..3_000).map(|k| replay.instant(k) - replay.instant(k - 1)).collect();
        assert!(gaps.iter().all(|gap| (0..200_000_000).contains(gap)));
        assert!(gaps.iter().filter(|gap| **gap == 0).count() < 10);
        assert!((replay.rate().0 - 100.0).abs() < 2.0, "{}", replay.rate());
        assert!(replay.notes().iter().any(|note| note.contains("whole seconds")));
    }
}
