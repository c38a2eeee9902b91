//! Memory: huge pages that come unasked, and what is left of it.

use super::{Finding, chosen, read};
use crate::machine::proc::Lines;
use crate::units::bytes;

/// The tour needs less.
const AVAILABLE_WANTED: u64 = 1 << 30;

/// Looks at the machine's memory.
pub(crate) fn look() -> Vec<Finding> {
    let memory = Lines::read("/proc/meminfo");
    let of = |name| memory.as_ref()?.number(name);
    let swap = of("SwapTotal").zip(of("SwapFree"));
    vec![
        huge_pages(read("/sys/kernel/mm/transparent_hugepage/enabled").as_deref()),
        available(of("MemAvailable"), swap.map_or(0, |(total, free)| total.saturating_sub(free))),
    ]
}

fn huge_pages(enabled: Option<&str>) -> Finding {
    let why = "with `always` a peak RSS moves in steps of 2 MiB, and the kernel's compaction stops threads";
    match enabled.and_then(chosen) {
        None => Finding::unknown("huge pages", "the machine does not say", why),
        Some(word) => Finding::fine("huge pages", word, why).unless(
            word != "always",
            "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
        ),
    }
}

fn available(available: Option<u64>, swapped: u64) -> Finding {
    let why = "a machine that swaps measures its disk";
    let Some(free) = available else {
        return Finding::unknown("memory", "the machine does not say", why);
    };
    let swap =
        if swapped > 0 { format!(", {} in swap", bytes(swapped as f64)) } else { String::new() };
    Finding::fine("memory", format!("{} available{swap}", bytes(free as f64)), why)
        .unless(free >= AVAILABLE_WANTED, "end what holds it: ps -eo rss,args --sort -rss | head")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn pages_that_come_unasked_and_too_little_memory_are_told() {
        assert_eq!(huge_pages(Some("always [madvise] never")).state, State::Fine);
        assert!(huge_pages(Some("[always] madvise never")).mend.unwrap().contains("echo madvise"));
        assert_eq!(huge_pages(None).state, State::Unknown);
        assert_eq!(available(Some(4 << 30), 0).found, "4 GiB available");
        assert_eq!(available(Some(1 << 20), 1 << 20).state, State::Mend);
    }
}
