//! Arrivals of a file: instants one a line, or an access log. Eight bytes an instant, whatever the file says beside it.

use crate::files;
use crate::random::Stream;
use crate::record::carried;
use crate::units::{Nanos, Rate, grouped};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

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
            notes.push(format!("lines that are not requests were left out: {skipped}"));
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

// One line of an access log, or of a plain list of instants: when its request began.
//
// Servers write a line when a request has ended: its beginning is the time less the duration, where the line has one.

/// Fields of JSON lines, nested ones by dots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The time: RFC 3339, as in the common log format, or since 1970 in seconds, ms, us or ns.
    pub time: Option<String>,
    /// How long the request took: seconds, or what the name ends with (`_ms`, `_us`, `_ns`), or a text with a unit.
    pub duration: Option<String>,
}

/// What a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// ns; of a log since 1970.
    At(i64),
    /// It is empty, or a comment.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Plain,
    /// Common and combined.
    Common,
    Json,
}

/// Reads lines of the format that the first one has.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    names: &'a Names,
    format: Option<Format>,
    /// No time had a fraction of a second.
    coarse: bool,
    /// Lines with a duration, and without.
    timed: u64,
    untimed: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(names: &'a Names) -> Self {
        Self { names, format: None, coarse: true, timed: 0, untimed: 0 }
    }

    pub(super) fn is_log(&self) -> bool {
        matches!(self.format, Some(Format::Common | Format::Json))
    }

    /// Whether the starts are known to the second only.
    pub(super) fn is_coarse(&self) -> bool {
        self.coarse
    }

    /// What a reader should know.
    pub(super) fn notes(&self) -> Vec<String> {
        match (self.is_log(), self.timed, self.untimed) {
            (false, ..) | (_, _, 0) => Vec::new(),
            (_, 0, _) => {
                vec!["its lines have no durations, so their times are taken as the starts".into()]
            }
            (_, timed, untimed) => {
                vec![format!(
                    "{untimed} of {} lines have no duration, so their times are taken as the starts",
                    timed + untimed
                )]
            }
        }
    }

    /// # Errors
    /// Why the line has no instant.
    pub(super) fn read(&mut self, line: &str) -> Result<Line, String> {
        // The first line of a file may begin with a byte order mark.
        let line = line.strip_prefix('\u{feff}').unwrap_or(line).trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(Line::Nothing);
        }
        let format = *self.format.get_or_insert_with(|| match line {
            _ if line.starts_with('{') => Format::Json,
            _ if line.contains('[') => Format::Common,
            _ => Format::Plain,
        });
        let (at, took) = match format {
            Format::Plain => return plain(line).map(Line::At),
            Format::Common => common(line)?,
            Format::Json => self.json(line)?,
        };
        // The end of a request that is known to the second says no more of its start.
        self.coarse &= at % 1_000_000_000 == 0;
        *(if took.is_some() { &mut self.timed } else { &mut self.untimed }) += 1;
        Ok(Line::At(at - took.unwrap_or(0)))
    }

    fn json(&self, line: &str) -> Result<(i64, Option<i64>), String> {
        let value: Value = serde_json::from_str(line).map_err(|_| "it is no JSON".to_owned())?;
        let name =
            self.names.time.as_deref().ok_or("which field of these JSON lines is the time?")?;
        let at = found(&value, name).ok_or_else(|| format!("it has no field `{name}`"))?;
        let at = time(at).ok_or_else(|| format!("`{name}` is not a time: {at}"))?;
        let Some(name) = &self.names.duration else { return Ok((at, None)) };
        match found(&value, name) {
            None | Some(Value::Null) => Ok((at, None)),
            Some(took) => match duration(took, name) {
                Some(took) => Ok((at, Some(took))),
                None => Err(format!("`{name}` is not a duration: {took}")),
            },
        }
    }
}

/// `a.b`, or a field of that very name.
fn found<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).or_else(|| name.split('.').try_fold(value, |value, part| value.get(part)))
}

/// Seconds, or with a unit.
fn plain(line: &str) -> Result<i64, String> {
    let wrong = || format!("`{}` is not an instant; write 0.25 or 250ms", shortened(line));
    if let Ok(seconds) = line.parse::<f64>() {
        let within = (0.0..1e9).contains(&seconds);
        return within.then_some((seconds * 1e9).round() as i64).ok_or_else(wrong);
    }
    line.parse::<Nanos>().map(|at| at.0 as i64).map_err(|_| wrong())
}

/// `host ident user [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.1" 200 2326 "referer" "agent" 0.012`, where the last is what
/// nginx writes as `$request_time`.
fn common(line: &str) -> Result<(i64, Option<i64>), String> {
    let wrong = || format!("`{}` is not a line of an access log", shortened(line));
    let (_, rest) = line.split_once('[').ok_or_else(wrong)?;
    let (stamp, rest) = rest.split_once(']').ok_or_else(wrong)?;
    let at = common_time(stamp).ok_or_else(wrong)?;
    // In quotes of its own or none: the end of an agent is no duration.
    let last = rest.rsplit(' ').next().unwrap_or_default();
    let last = last.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(last);
    let took = last.contains('.').then(|| last.parse::<f64>().ok()).flatten();
    let took = took.filter(|took| (0.0..1e6).contains(took));
    Ok((at, took.map(|seconds| (seconds * 1e9).round() as i64)))
}

fn shortened(line: &str) -> String {
    line.chars().take(60).collect()
}

/// A time of a log, ns since 1970.
fn time(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => epoch(number.as_f64()?, number.as_i64()),
        Value::String(text) => {
            let number = || epoch(text.parse().ok()?, text.parse().ok());
            rfc3339(text).or_else(|| common_time(text)).or_else(number)
        }
        _ => None,
    }
}

/// Seconds, ms, us or ns since 1970, as their size says: of a time between 1973 and 2286.
fn epoch(value: f64, whole: Option<i64>) -> Option<i64> {
    let scale = match value {
        1e8..1e10 => 1_000_000_000,
        1e11..1e13 => 1_000_000,
        1e14..1e16 => 1_000,
        1e17..1e19 => 1,
        _ => return None,
    };
    match whole {
        Some(whole) => whole.checked_mul(scale),
        None => {
            Some((value.trunc() as i64) * scale + (value.fract() * scale as f64).round() as i64)
        }
    }
}

fn duration(value: &Value, name: &str) -> Option<i64> {
    let unit = match name.rsplit(['_', '.']).next() {
        Some("ms" | "millis") => 1e6,
        Some("us" | "micros") => 1e3,
        Some("ns" | "nanos") => 1.0,
        _ => 1e9,
    };
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => match text.parse::<f64>() {
            Ok(number) => number,
            Err(_) => return text.parse::<Nanos>().ok().map(|took| took.0 as i64),
        },
        _ => return None,
    };
    (number >= 0.0 && number * unit < 1e15).then_some((number * unit).round() as i64)
}

/// `2026-10-10T13:55:36.123Z`, `2026-10-10 13:55:36+02:00`; without a zone it is UTC.
fn rfc3339(text: &str) -> Option<i64> {
    let (date, rest) = (text.get(..10)?, text.get(11..)?);
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let clock = rest.get(..8)?;
    let rest = &rest[8..];
    let (fraction, zone) = match rest.strip_prefix(['.', ',']) {
        None => (0, rest),
        Some(digits) => {
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            let nine = format!("{:0<9}", digits.get(..end.min(9))?);
            (nine.parse::<i64>().ok()?, &digits[end..])
        }
    };
    Some((seconds(year, month, day, clock)? - zone_seconds(zone)?) * 1_000_000_000 + fraction)
}

/// `10/Oct/2026:13:55:36 -0700`
fn common_time(text: &str) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (date, zone) = text.split_once(' ').unwrap_or((text, ""));
    let mut parts = date.splitn(3, '/');
    let (day, month, rest) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    let (year, clock) = rest.split_once(':')?;
    let place = MONTHS.find(month).filter(|place| place % 3 == 0 && month.len() == 3)?;
    let at = seconds(year.parse().ok()?, place as i64 / 3 + 1, day, clock)?;
    Some((at - zone_seconds(zone)?) * 1_000_000_000)
}

/// `Z`, `+02:00`, `-0700`, or nothing for UTC.
fn zone_seconds(zone: &str) -> Option<i64> {
    let zone = zone.trim();
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let digits: String = zone.get(1..)?.chars().filter(|c| *c != ':').collect();
    let number = (digits.len() == 4).then(|| digits.parse::<i64>().ok()).flatten()?;
    let seconds = number / 100 * 3_600 + number % 100 * 60;
    match zone.as_bytes()[0] {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// Since 1970 of a date (Gregorian, by the days before the first of March of its year) and `13:55:36`.
fn seconds(year: i64, month: i64, day: i64, clock: &str) -> Option<i64> {
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (h, m, s) = (clock.next()??, clock.next()??, clock.next()??);
    let sound = (1970..=2262).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&h)
        && (0..60).contains(&m)
        && (0..=60).contains(&s);
    let year = year - i64::from(month <= 2);
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * ((month + 9) % 12) + 2) / 5 + day
            - 1
            - 719_468;
    sound.then_some(days * 86_400 + h * 3_600 + m * 60 + s)
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
    fn a_log_begins_with_the_first_start_whatever_its_zones_and_durations() {
        let names = Names { time: Some("end".into()), duration: Some("took_ms".into()) };
        let read = |text: &str| Replay::from(text.as_bytes(), &names).unwrap();
        let replay = read(
            "{\"end\":\"2026-10-10T13:55:36.900Z\",\"took_ms\":100}\n\
             {\"end\":\"2026-10-10T15:55:37.500+02:00\",\"took_ms\":1200}\n\
             {\"end\":\"2026-10-10T06:55:38.100-07:00\",\"took_ms\":1000}\n",
        );
        let ms = |k| replay.instant(k) / 1_000_000;
        assert_eq!([ms(0), ms(1), ms(2)], [0, 500, 800]);
        assert_eq!(replay.lasting(), Nanos(1_200_000_000), "and the mean gap");
        assert_eq!(replay.notes(), ["its lines were put in order of their starts"]);
        let skipped = read("{\"end\":1791640536.5}\n{\"end\":\n{\"end\":1791640537.5}\n");
        assert_eq!(skipped.len(), 2);
        let told = skipped.notes().join("; ");
        assert!(told.contains("lines that are not requests were left out: 1"), "{told}");
        assert!(told.contains("no durations"), "{told}");
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

    const AT: i64 = 1_791_640_536_000_000_000;

    fn read(names: &Names, line: &str) -> Result<Line, String> {
        Reader::new(names).read(line)
    }

    #[test]
    fn times_of_all_formats_and_zones_are_one_instant() {
        let plain = Names::default();
        for line in [
            "1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] \"GET / HTTP/1.1\" 200 12",
            "1.2.3.4 - bob [10/Oct/2026:06:55:36 -0700] \"GET /[a] HTTP/1.1\" 200 12 \"-\" \"curl 8.1\"",
            "1.2.3.4 - - [10/Oct/2026:13:55:37 +0000] \"GET / HTTP/1.1\" 200 12 \"-\" \"x\" 1.000",
        ] {
            assert_eq!(read(&plain, line), Ok(Line::At(AT)), "{line}");
        }
        let names = Names { time: Some("ts".into()), duration: Some("took_ms".into()) };
        for line in [
            r#"{"ts":"2026-10-10T13:55:36Z"}"#,
            r#"{"ts":"2026-10-10T15:55:36.000+02:00","took_ms":null}"#,
            r#"{"ts":"2026-10-10 13:55:36.250","took_ms":250}"#,
            r#"{"ts":1791640536.25,"took_ms":"250ms"}"#,
            r#"{"ts":1791640536000}"#,
            r#"{"ts":"1791640536000000"}"#,
            r#"{"ts":"10/Oct/2026:13:55:36 +0000"}"#,
        ] {
            assert_eq!(read(&names, line), Ok(Line::At(AT)), "{line}");
        }
        let nested = Names { time: Some("request.start".into()), duration: None };
        let line = r#"{"request":{"start":1791640536}}"#;
        assert_eq!(read(&nested, line), Ok(Line::At(AT)));
    }

    #[test]
    fn the_calendar_is_the_calendar() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("1972-02-29", 789),
            ("2000-03-01", 11_017),
            ("2100-02-28", 47_540),
            ("2100-03-01", 47_541),
        ] {
            assert_eq!(
                rfc3339(&format!("{text}T00:00:00Z")),
                Some(days * 86_400_000_000_000),
                "{text}"
            );
        }
        for bad in ["2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00?", "x"] {
            assert_eq!(rfc3339(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_a_log_lacks_is_said() {
        let names = Names { time: Some("ts".into()), duration: Some("took".into()) };
        let mut reader = Reader::new(&names);
        reader.read("\u{feff}{\"ts\":1791640536.5,\"took\":0.1}").unwrap();
        assert!(reader.notes().is_empty() && !reader.is_coarse() && reader.is_log());
        reader.read(r#"{"ts":1791640537}"#).unwrap();
        assert!(reader.notes()[0].starts_with("1 of 2 lines have no duration"));
        assert!(reader.read(r#"{"when":1}"#).unwrap_err().contains("no field `ts`"));
        assert!(read(&Names::default(), "{\"ts\":1}").unwrap_err().contains("which field"));
        assert!(read(&Names::default(), "soon").unwrap_err().contains("not an instant"));
    }
}
