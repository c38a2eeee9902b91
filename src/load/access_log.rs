//! One line of an access log, or of a plain list of instants: when its request began.
//!
//! Servers write a line when a request has ended: its beginning is the time less the duration, where the line has one.

use serde_json::Value;

use crate::units::Nanos;

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
        let line = line.trim();
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
        let at = time(at).ok_or_else(|| format!("`{name}` is no time: {at}"))?;
        let Some(name) = &self.names.duration else { return Ok((at, None)) };
        match found(&value, name) {
            None | Some(Value::Null) => Ok((at, None)),
            Some(took) => match duration(took, name) {
                Some(took) => Ok((at, Some(took))),
                None => Err(format!("`{name}` is no duration: {took}")),
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
    let wrong = || format!("`{}` is no instant; write 0.25 or 250ms", shortened(line));
    if let Ok(seconds) = line.parse::<f64>() {
        let within = (0.0..1e9).contains(&seconds);
        return within.then_some((seconds * 1e9).round() as i64).ok_or_else(wrong);
    }
    line.parse::<Nanos>().map(|at| at.0 as i64).map_err(|_| wrong())
}

/// `host ident user [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.1" 200 2326 "referer" "agent" 0.012`, where the last is what
/// nginx writes as `$request_time`.
fn common(line: &str) -> Result<(i64, Option<i64>), String> {
    let wrong = || format!("`{}` is no line of an access log", shortened(line));
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
        reader.read(r#"{"ts":1791640536.5,"took":0.1}"#).unwrap();
        assert!(reader.notes().is_empty() && !reader.is_coarse() && reader.is_log());
        reader.read(r#"{"ts":1791640537}"#).unwrap();
        assert!(reader.notes()[0].starts_with("1 of 2 lines have no duration"));
        assert!(reader.read(r#"{"when":1}"#).unwrap_err().contains("no field `ts`"));
        assert!(read(&Names::default(), "{\"ts\":1}").unwrap_err().contains("which field"));
        assert!(read(&Names::default(), "soon").unwrap_err().contains("no instant"));
    }
}
