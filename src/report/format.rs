//! Figures, names and places as text: the same in the terminal, in Markdown and on charts.

use crate::judge::races::{Figure, Race};
use crate::record::CLOSED_LEVEL;
use crate::record::MemoryKind;
use crate::text::{WITHHELD, clean};
use crate::units::{Nanos, Rate, bytes, grouped, three_digits};

/// A response time: `812 us`, `812 us*`, `<= 812 us`, `>= 5 s`, `unbounded`, `saturated`, `lost`, `-`.
pub(crate) fn figure(figure: Figure) -> String {
    match figure {
        Figure::Value(ns) | Figure::Late { ns, .. } => {
            figure.late().shown(&Nanos(ns as u64).to_string())
        }
        Figure::Saturated => "saturated".into(),
        Figure::Lost => "lost".into(),
        Figure::AtLeast(ns) => format!(">= {}", Nanos(ns as u64)),
        Figure::Unbounded => "unbounded".into(),
        Figure::Withheld => WITHHELD.into(),
    }
}

/// How memory was read, in words.
pub(crate) fn memory_words(kind: MemoryKind) -> &'static str {
    match kind {
        MemoryKind::Cgroup => "by a cgroup of its own, less file cache, kernel memory included",
        MemoryKind::Pss => "PSS after the window, page tables and kernel stacks included",
    }
}

/// A difference in the unit of its metric: `+40 us`, `-1.5 MiB`, `+3,300/s`.
pub(crate) fn difference(metric: &str, value: f64) -> String {
    let sign = if value < 0.0 { '-' } else { '+' };
    let size = value.abs();
    match metric {
        "cpu_per_request"
        | "user_cpu_per_request"
        | "system_cpu_per_request"
        | "run_queue_per_request" => format!("{sign}{} us", three_digits(size)),
        "switches_per_request" | "faults_per_request" => format!("{sign}{}", three_digits(size)),
        "memory" | "rss" => format!("{sign}{}", bytes(size)),
        "achieved" | "goodput" | "accounts_per_s" => format!("{sign}{}/s", grouped(size)),
        _ => format!("{sign}{}", Nanos(size as u64)),
    }
}

/// `payment at 4,000/s`; without a workload of ours `at 4,000/s`
pub(crate) fn place(race: &Race<'_>) -> String {
    match race.dependency() {
        None if race.workload == "http" => load(race),
        Some(dependency) => {
            format!("{} {} behind {}", clean(race.workload), load(race), clean(dependency))
        }
        None => format!("{} {}", clean(race.workload), load(race)),
    }
}

/// `at 4,000/s`
pub(crate) fn load(race: &Race<'_>) -> String {
    let level = clean(race.level);
    if let Some((low, high)) = race.steps() {
        return match level.strip_suffix("% own") {
            Some(_) => "in steps, of each one's own maximum".to_owned(),
            None => format!("in steps from {} to {}", Rate(low), Rate(high)),
        };
    }
    match (level.strip_suffix("% own"), race.offered_rps()) {
        _ if level == CLOSED_LEVEL => "in closed loop".to_owned(),
        (Some(share), _) => format!("at {share}% of each one's own maximum"),
        (None, Some(rate)) if level.ends_with('%') => format!("at {level} ({})", Rate(rate)),
        _ => format!("at {level}"),
    }
}

/// As many digits as people read: `0.812`, `81.2`, `8,120`.
pub(crate) fn number(value: f64) -> String {
    if value.abs() < 999.5 { three_digits(value) } else { grouped(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_in_the_unit_of_their_metric() {
        assert_eq!(difference("p99", -40_120.0), "-40.1 us");
        assert_eq!(difference("cpu_per_request", 3.25), "+3.25 us");
        assert_eq!(difference("achieved", 3_300.0), "+3,300/s");
        assert_eq!(difference("memory", 12.34 * 1024.0 * 1024.0), "+12.3 MiB");
    }
}
