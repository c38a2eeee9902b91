//! Fields that several tables of a scenario share.

use super::Workload;
use super::diagnostic::Diagnostic;
use super::quantity::{At, Quantity};
use crate::scenario::Level;
use crate::text::is_name;
use crate::units::{Nanos, Share, grouped};

/// A name that can be a folder's, a file's and a column's.
pub(super) fn name(text: &At<String>, key: &str) -> Result<String, Diagnostic> {
    let value = &text.value;
    if is_name(value) && value.len() <= NAME_MAX {
        return Ok(value.clone());
    }
    Err(Diagnostic::new(&text.span, format!("this cannot be a {key}"), "not a name").help(format!(
        "1 to {NAME_MAX} of a-z, 0-9, `-`, `_` and `.`, the first a letter or a digit"
    )))
}

/// A sentence that can be a line of a report.
pub(super) fn sentence(text: &At<String>, key: &str) -> Result<String, Diagnostic> {
    let value = text.value.trim();
    let wrong = if value.is_empty() {
        "empty"
    } else if value.chars().any(char::is_control) {
        "more than a line, or a control character"
    } else if value.chars().count() > SENTENCE_MAX {
        "too long"
    } else {
        return Ok(value.to_owned());
    };
    Err(Diagnostic::new(&text.span, format!("this cannot be a {key}"), wrong)
        .help(format!("write one line of 1 to {SENTENCE_MAX} characters")))
}

/// A whole number inside `range`, or `default` where it is not given.
pub(super) fn whole(
    given: Option<&At<u64>>,
    key: &str,
    default: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, Diagnostic> {
    match given {
        None => Ok(default),
        Some(at) if range.contains(&at.value) => Ok(at.value),
        Some(at) => {
            let (low, high) = (grouped(*range.start() as f64), grouped(*range.end() as f64));
            let label = if at.value == 0 { "none at all" } else { "out of range" };
            Err(Diagnostic::new(&at.span, format!("`{key}` must be {low} to {high}"), label))
        }
    }
}

/// CPU time of one request of a contender or of the scenario.
pub(super) fn cpu_time(at: &At<Quantity<Nanos>>, key: &str) -> Result<Nanos, Diagnostic> {
    if at.value.0 <= CPU_MAX {
        return Ok(at.value.0);
    }
    Err(Diagnostic::new(&at.span, format!("`{key}` must be at most {CPU_MAX}"), "too long"))
}

/// The CPU dial is the payment's signature, and the other services have none.
pub(super) fn no_signature(workload: Workload, span: &std::ops::Range<usize>) -> Diagnostic {
    let title = format!("{} has no signature to spend this CPU time on", workload.name());
    Diagnostic::new(span, title, "only of payments").help(match workload {
        Workload::Loyalty => {
            "remove it; a distribution's CPU time is set by `accounts` of its [[route]]"
        }
        _ => "remove it; bakeoff cannot set the CPU time of your own service",
    })
}

/// A request that computes for longer is no request.
pub(crate) const CPU_MAX: Nanos = Nanos(10 * Nanos::SECOND.0);

/// Characters of a name, which is a folder's and a column's.
pub(crate) const NAME_MAX: usize = 48;

/// Characters of a title or a statement.
pub(crate) const SENTENCE_MAX: usize = 300;

/// Beyond twice a ceiling a steady load shows nothing that twice does not.
pub(crate) const STEADY_MAX: f64 = 2.0;

/// Whether a level may last.
pub(super) fn steady(level: &At<Quantity<Level>>) -> Result<(), Diagnostic> {
    match level.value.0 {
        Level::OfLowest(share) | Level::OfOwn(share) if share.0 > STEADY_MAX => {
            let title =
                format!("a steady load is at most {} of a maximum throughput", Share(STEADY_MAX));
            Err(Diagnostic::new(&level.span, title, "too much")
                .help("for a burst write `steps` into [load.open]"))
        }
        _ => Ok(()),
    }
}
