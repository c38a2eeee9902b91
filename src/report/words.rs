//! Figures and names as text: the same in the terminal, in Markdown and on charts.

use crate::judge::races::Figure;
use crate::text::{WITHHELD, clean};
use crate::units::{Nanos, bytes, grouped, three_digits};

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
pub(crate) fn memory_words(kind: &str) -> String {
    match kind {
        "cgroup" => "by a cgroup of its own, less file cache, kernel memory included".into(),
        "pss" => "PSS after the window, page tables and kernel stacks included".into(),
        other => clean(other),
    }
}

/// A difference in the unit of its metric: `+40 us`, `-1.5 MiB`, `+3,300/s`.
pub(crate) fn difference(metric: &str, value: f64) -> String {
    let sign = if value < 0.0 { '-' } else { '+' };
    let size = value.abs();
    match metric {
        "cpu_per_request" => format!("{sign}{} us", three_digits(size)),
        "memory" | "rss" => format!("{sign}{}", bytes(size)),
        "achieved" | "goodput" | "accounts_per_s" => format!("{sign}{}/s", grouped(size)),
        _ => format!("{sign}{}", Nanos(size as u64)),
    }
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
