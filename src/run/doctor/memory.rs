//! Memory: huge pages that come unasked, and what is left of it.

use procfs::{Current, Meminfo};

use super::{Finding, chosen, read};
use crate::report::words::bytes;

/// The tour needs less.
const AVAILABLE_WANTED: u64 = 1 << 30;

/// Looks at the machine's memory.
pub(super) fn look() -> Vec<Finding> {
    let memory = Meminfo::current().ok();
    let swapped = memory.as_ref().map(|memory| memory.swap_total.saturating_sub(memory.swap_free));
    vec![
        huge_pages(read("/sys/kernel/mm/transparent_hugepage/enabled").as_deref()),
        available(memory.and_then(|memory| memory.mem_available), swapped.unwrap_or(0)),
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
    use super::super::State;
    use super::*;

    #[test]
    fn pages_that_come_unasked_and_too_little_memory_are_told() {
        assert_eq!(huge_pages(Some("always [madvise] never")).state, State::Fine);
        assert!(huge_pages(Some("[always] madvise never")).mend.unwrap().contains("echo madvise"));
        assert_eq!(huge_pages(None).state, State::Unknown);
        assert_eq!(available(Some(4 << 30), 0).found, "4 GiB available");
        assert_eq!(available(Some(1 << 20), 1 << 20).state, State::Mend);
    }
}
