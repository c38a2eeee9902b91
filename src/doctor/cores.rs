//! The cores: how many, which, how fast, and how much of them.

use crate::doctor::{Finding, read};
use crate::machine::cores::Cores;
use crate::machine::interference::{cpu_quota, throttled};
use crate::units::Nanos;

/// Looks at the `cores` that this process may use.
pub(crate) fn look(cores: &Cores) -> Vec<Finding> {
    let online = read("/sys/devices/system/cpu/online").map_or(cores.len(), |list| count(&list));
    let siblings: Vec<Cores> = cores.iter().filter_map(|&core| siblings_of(core)).collect();
    let governors: Vec<String> = cores.iter().filter_map(|&core| governor_of(core)).collect();
    vec![
        number(cores.len()),
        affinity(cores, online),
        apart(cores, &siblings),
        quota(cpu_quota(), cores.len(), throttled()),
        governor(&governors),
    ]
}

fn number(cores: usize) -> Finding {
    let why = "generator, contender and dependency each want a core of their own; on two cores the \
               generator shares its own with the dependency, and nothing says how a server scales";
    Finding::fine("cores", format!("{cores} usable"), why).unless(
        cores >= 2,
        "let this process use two cores or more (taskset, cpuset, a larger machine)",
    )
}

fn affinity(cores: &Cores, online: usize) -> Finding {
    let why = "who runs where is decided among the cores of the mask that bakeoff inherits";
    let found = format!("{} of {online} cores", cores.len());
    let all = format!("taskset -a -p -c 0-{} $$", online.saturating_sub(1));
    Finding::fine("affinity", found, why).unless(cores.len() >= online, all)
}

/// Two hardware threads of one core slow each other down.
fn apart(cores: &Cores, siblings: &[Cores]) -> Finding {
    let why = "two hardware threads of one core take turns in it: the generator would slow the contender down";
    let shared =
        siblings.iter().find(|group| group.iter().filter(|core| cores.contains(core)).count() > 1);
    match shared {
        None if siblings.len() < cores.len() => {
            Finding::unknown("siblings", "the machine does not say", why)
        }
        None => Finding::fine("siblings", "no two usable cores are one", why),
        Some(group) => {
            let found = format!(
                "cores {} are one",
                group.iter().map(usize::to_string).collect::<Vec<_>>().join(" and ")
            );
            let mut first: Cores =
                siblings.iter().filter_map(|group| group.iter().min().copied()).collect();
            first.sort_unstable();
            first.dedup();
            let list = first.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            let mend = match first.len() {
                0 | 1 => "nothing on this machine: it has one core with two threads".into(),
                _ => format!("taskset -c {list} bakeoff run .."),
            };
            Finding::fine("siblings", found, why).unless(false, mend)
        }
    }
}

fn quota(quota: Option<f64>, cores: usize, throttled: Option<Nanos>) -> Finding {
    let why = "a group that has used up its share of a period is stopped until the next one: tens of \
               milliseconds in which nothing answers";
    let lost = match throttled {
        Some(Nanos(0)) | None => String::new(),
        Some(lost) => format!(", held back for {lost} so far"),
    };
    match quota {
        None => Finding::fine("CPU quota", format!("none{lost}"), why),
        Some(quota) => Finding::fine("CPU quota", format!("{quota:.1} of {cores} cores{lost}"), why).unless(
            quota >= cores as f64,
            "start the container with --cpuset-cpus instead of --cpus; or systemctl set-property UNIT CPUQuota=",
        ),
    }
}

fn governor(governors: &[String]) -> Finding {
    let why = "a core that changes its clock with the load makes the quiet contender the slow one";
    let Some(first) = governors.first() else {
        return Finding::unknown("governor", "not visible: a virtual machine", why);
    };
    let slow = governors.iter().find(|name| *name != "performance");
    Finding::fine("governor", slow.unwrap_or(first), why)
        .unless(slow.is_none(), "sudo cpupower frequency-set -g performance")
}

fn siblings_of(core: usize) -> Option<Cores> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    read(&path).map(|list| listed(&list))
}

fn governor_of(core: usize) -> Option<String> {
    read(&format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"))
}

fn count(list: &str) -> usize {
    listed(list).len()
}

/// The cores of a kernel's list: `0-2,5` are four.
fn listed(list: &str) -> Cores {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some(from.trim().parse::<usize>().ok()?..=to.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_list_of_cores_is_read() {
        assert_eq!(listed("0-2,5"), [0, 1, 2, 5]);
        assert_eq!((listed("7"), listed("")), (vec![7], vec![]));
    }

    #[test]
    fn too_few_cores_and_a_narrow_mask_are_told() {
        assert_eq!(number(2).state, State::Fine);
        assert_eq!(number(1).state, State::Mend);
        assert_eq!(affinity(&vec![0, 1], 2).state, State::Fine);
        assert!(affinity(&vec![1], 4).mend.unwrap().contains("-c 0-3"));
    }

    #[test]
    fn threads_of_one_core_are_told_apart() {
        let four = vec![0, 1, 2, 3];
        let pairs = [vec![0, 2], vec![1, 3], vec![0, 2], vec![1, 3]];
        let found = apart(&four, &pairs);
        assert_eq!(found.found, "cores 0 and 2 are one");
        assert!(found.mend.unwrap().contains("taskset -c 0,1 "));
        assert_eq!(apart(&vec![0, 1], &[vec![0, 2], vec![1, 3]]).state, State::Fine);
        assert_eq!(apart(&vec![0, 1], &[]).state, State::Unknown);
        assert!(apart(&vec![0, 1], &[vec![0, 1], vec![0, 1]]).mend.unwrap().contains("nothing"));
    }

    #[test]
    fn a_quota_and_a_slow_governor_are_told() {
        assert_eq!(quota(None, 2, Some(Nanos(0))).found, "none");
        assert_eq!(quota(Some(2.0), 2, None).state, State::Fine);
        let held = quota(Some(1.5), 2, Some(Nanos(1_500_000_000)));
        assert_eq!(
            (held.state, held.found.as_str()),
            (State::Mend, "1.5 of 2 cores, held back for 1.5 s so far")
        );
        let names =
            |names: &[&str]| governor(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&[]).state, State::Unknown);
        assert_eq!(names(&["performance", "performance"]).state, State::Fine);
        assert_eq!(
            (
                names(&["performance", "powersave"]).state,
                names(&["performance", "powersave"]).found.as_str()
            ),
            (State::Mend, "powersave")
        );
    }
}
