//! The samples of a trial as CPU time: scaled to the exact times in user mode and in the kernel.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::record::{KERNEL_MARK, Profile, Stack};
use crate::why::layers::{Layer, entry, of_all};
use crate::why::{Sampled, StackSample, UNKNOWN};

/// Stacks of a trial that are kept; the others are pooled.
const STACKS_MAX: usize = 400;
/// What stands for the stacks that are not kept.
const REST: &str = "[rest]";

/// A right answer's CPU time in a trial, us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact {
    pub(crate) cpu: f64,
    /// In user mode and in the kernel; nothing where the kernel did not divide it.
    pub(crate) modes: Option<(f64, f64)>,
}

/// Where it went.
#[derive(Clone, Debug)]
pub(crate) struct Scaled {
    pub(crate) samples: u64,
    pub(crate) lost: u64,
    pub(crate) cut_share: f64,
    pub(crate) unnamed_share: f64,
    pub(crate) layers: BTreeMap<String, f64>,
    /// Samples by function, and what one stands for in user mode and in the kernel, us.
    pub(crate) functions: BTreeMap<String, u64>,
    pub(crate) sample_us: [f64; 2],
    pub(crate) stacks: Vec<Stack>,
}

/// Nothing without a sample.
pub(crate) fn scaled(sampled: &Sampled, exact: Exact) -> Option<Scaled> {
    let samples = &sampled.samples;
    let all = samples.len() as f64;
    let in_kernel = samples.iter().filter(|sample| !sample.kernel.is_empty()).count() as f64;
    if samples.is_empty() {
        return None;
    }
    // What a sample stands for. Time of a mode of which there is no sample is left to the other.
    let whole = exact.cpu / all;
    let of_mode =
        |mode: f64, n: f64| if in_kernel == 0.0 || in_kernel == all { whole } else { mode / n };
    let (user, kernel) = exact.modes.map_or((whole, whole), |(user, system)| {
        (of_mode(user, all - in_kernel), of_mode(system, in_kernel))
    });
    let (mut layers, mut functions) = (BTreeMap::new(), BTreeMap::new());
    let mut stacks: HashMap<String, (f64, Layer)> = HashMap::new();
    for (sample, layer) in samples.iter().zip(of_all(samples)) {
        let us = if sample.kernel.is_empty() { user } else { kernel };
        *layers.entry(layer.name().to_owned()).or_insert(0.0) += us;
        *functions.entry(function(sample)).or_insert(0) += 1;
        stacks.entry(folded(sample)).or_insert((0.0, layer)).0 += us;
    }
    let share =
        |is: fn(&StackSample) -> bool| samples.iter().filter(|one| is(one)).count() as f64 / all;
    Some(Scaled {
        samples: samples.len() as u64,
        lost: sampled.lost,
        cut_share: share(is_cut),
        unnamed_share: share(|one| innermost(one).is_none_or(|name| **name == *UNKNOWN)),
        layers,
        functions,
        sample_us: [user, kernel],
        stacks: kept(stacks.into_iter().map(|(frames, (us, layer))| Stack {
            frames,
            us,
            layer: layer.name().to_owned(),
        })),
    })
}

/// The largest, and the others as one.
pub(crate) fn kept(stacks: impl Iterator<Item = Stack>) -> Vec<Stack> {
    let mut stacks: Vec<Stack> = stacks.collect();
    stacks.sort_by(|a, b| b.us.total_cmp(&a.us).then_with(|| a.frames.cmp(&b.frames)));
    let rest = stacks.split_off(stacks.len().min(STACKS_MAX));
    let us: f64 = rest.iter().map(|stack| stack.us).sum();
    let unknown = Layer::Unknown.name().to_owned();
    stacks.extend((us > 0.0).then(|| Stack { frames: REST.into(), us, layer: unknown }));
    stacks
}

/// The mean of the stacks of several trials.
pub(crate) fn mean(trials: &[Vec<Stack>]) -> Vec<Stack> {
    let mut sums: HashMap<(&str, &str), f64> = HashMap::new();
    for stack in trials.iter().flatten() {
        *sums.entry((&stack.frames, &stack.layer)).or_default() += stack.us / trials.len() as f64;
    }
    kept(sums.into_iter().map(|((frames, layer), us)| Stack {
        frames: frames.to_owned(),
        us,
        layer: layer.to_owned(),
    }))
}

fn innermost(sample: &StackSample) -> Option<&Arc<str>> {
    sample.kernel.first().or(sample.user.first())
}

/// Whose own time it is. In the kernel that is the entry point: without non-maskable interrupts the innermost function is
/// where interrupts come back on.
fn function(sample: &StackSample) -> String {
    match (&sample.kernel[..], sample.user.first()) {
        ([], name) => name.map_or(UNKNOWN, |name| name).to_owned(),
        (kernel, _) => format!("{}{KERNEL_MARK}", entry(kernel)),
    }
}

/// The share of a contender's samples below which a function is pooled with others of its module.
const RARE: f64 = 0.001;

/// Pools the functions that are rare in every contender, in all of these rounds alike, so that they can be compared.
pub(crate) fn pool_rare(profiles: &mut [&mut Profile]) {
    let mut sums: HashMap<(String, String), u64> = HashMap::new();
    let mut all: HashMap<String, u64> = HashMap::new();
    for one in profiles.iter() {
        *all.entry(one.contender.clone()).or_default() += one.samples;
        for (name, n) in &one.functions {
            *sums.entry((one.contender.clone(), name.clone())).or_default() += n;
        }
    }
    let common: HashSet<String> = sums
        .into_iter()
        .filter(|((contender, _), n)| *n as f64 >= RARE * all[contender] as f64)
        .map(|((_, name), _)| name)
        .collect();
    for one in profiles {
        let mut pooled = BTreeMap::new();
        for (name, n) in std::mem::take(&mut one.functions) {
            let name = if common.contains(&name) { name } else { module(&name) };
            *pooled.entry(name).or_insert(0) += n;
        }
        one.functions = pooled;
    }
}

/// `[rest of hyper]`: the crate of a function, or the package; `[rest]` where a name has none.
fn module(name: &str) -> String {
    if name.ends_with(KERNEL_MARK) {
        return format!("[rest]{KERNEL_MARK}");
    }
    let bare = name.trim_start_matches(['<', '&', '*', '(']);
    let path = bare.split_once("::").map(|(path, _)| path);
    let package = || {
        let from = bare.rfind('/').map_or(0, |slash| slash + 1);
        bare[from..].find('.').map(|dot| &bare[..from + dot])
    };
    path.or_else(package)
        .filter(|path| path.chars().all(|c| c.is_alphanumeric() || "_-/.".contains(c)))
        .map_or_else(|| REST.to_owned(), |path| format!("[rest of {path}]"))
}

/// Whether the program's part of a stack does not reach the start of a thread.
fn is_cut(sample: &StackSample) -> bool {
    !sample.user.is_empty() && start(&sample.user).is_none()
}

/// Where a thread starts. What is further out was read where there is no frame: C's start of a thread sets up none.
fn start(user: &[Arc<str>]) -> Option<usize> {
    const STARTS: &[&str] = &[
        "_start",
        "clone",
        "__clone",
        "clone3",
        "__clone3",
        "start_thread",
        "thread_start",
        "runtime.goexit",
        "runtime.mstart",
        "runtime.rt0_go",
        "main",
    ];
    user.iter().rposition(|name| {
        STARTS.contains(&&**name)
            || name.starts_with("__libc_start")
            || name.starts_with("runtime.goexit.")
            || name.starts_with("node::Start(")
            || name.ends_with("::thread_start")
    })
}

/// The outermost first, the kernel's marked, as flame graphs are written.
fn folded(sample: &StackSample) -> String {
    let end = start(&sample.user).map_or(sample.user.len(), |at| at + 1);
    let user = sample.user[..end].iter().rev().map(|name| name.to_string());
    let kernel = sample.kernel.iter().rev().map(|name| format!("{name}{KERNEL_MARK}"));
    user.chain(kernel).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(user: &[&str], kernel: &[&str]) -> StackSample {
        let names = |all: &[&str]| all.iter().rev().map(|&name| name.into()).collect();
        StackSample { user: names(user), kernel: names(kernel) }
    }

    #[test]
    fn samples_are_scaled_to_the_exact_times_of_both_modes() {
        let call = ["do_syscall_64", "__x64_sys_futex"];
        let samples = vec![
            sample(&["_start", "payment"], &[]),
            sample(&["_start", "payment"], &[]),
            sample(&["_start", "payment", "malloc"], &[]),
            sample(&["lock", "syscall"], &call),
        ];
        let sampled = Sampled { samples, lost: 3, ..Sampled::default() };
        let exact = Exact { cpu: 40.0, modes: Some((30.0, 10.0)) };
        let found = scaled(&sampled, exact).unwrap();
        assert_eq!((found.samples, found.lost, found.cut_share), (4, 3, 0.25));
        assert_eq!(found.layers["service"], 20.0);
        assert_eq!(found.layers["allocator"], 10.0);
        assert_eq!(found.layers["kernel scheduling and locks"], 10.0);
        assert_eq!((&*found.stacks[0].frames, found.stacks[0].us), ("_start;payment", 20.0));
        let kernel = "lock;syscall;do_syscall_64_[k];__x64_sys_futex_[k]";
        assert!(found.stacks.iter().any(|stack| stack.frames == kernel), "{:?}", found.stacks);
        let functions = ["futex_[k]", "malloc", "payment"].map(|name| found.functions[name]);
        assert_eq!((functions, found.sample_us), ([1, 1, 2], [10.0, 10.0]));
        // Without the division, and where a mode has no sample, every sample stands for as much.
        for modes in [None, Some((40.0, 0.0))] {
            let user = Sampled { samples: sampled.samples[..3].to_vec(), ..Sampled::default() };
            let sum: f64 = scaled(&user, Exact { cpu: 40.0, modes }).unwrap().layers.values().sum();
            assert!((sum - 40.0).abs() < 1e-9, "{modes:?}: {sum}");
        }
        assert!(scaled(&Sampled::default(), exact).is_none());
    }

    #[test]
    fn a_stack_that_has_the_start_of_its_thread_is_whole() {
        let start = "std::sys::thread::unix::Thread::new::thread_start";
        for (user, cut, shown) in [
            (&["_start", "main", "work"][..], false, "_start;main;work"),
            (&[UNKNOWN, "start_thread", start, "work"], false, "start_thread;{start};work"),
            (&[UNKNOWN, UNKNOWN, start, "work"], false, "{start};work"),
            (&["main.payment", "work"], true, "main.payment;work"),
            (&["runtime.goexit.abi0", "main.payment"], false, "runtime.goexit.abi0;main.payment"),
            // Below it is a C library without symbols.
            (
                &[UNKNOWN, "node::Start(int, char**)", "uv_run"],
                false,
                "node::Start(int, char**);uv_run",
            ),
            (&["work"], true, "work"),
            (&[], false, ""),
        ] {
            let sample = sample(user, &[]);
            assert_eq!(is_cut(&sample), cut, "{user:?}");
            assert_eq!(folded(&sample), shown.replace("{start}", start));
        }
    }

    #[test]
    fn functions_that_are_rare_everywhere_are_pooled_by_module() {
        let profile = |contender: &str, names: &[(&str, u64)]| Profile {
            contender: contender.into(),
            samples: 1_000,
            functions: names.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect(),
            ..Profile::default()
        };
        let rare = [("a::x", 1), ("a::y", 1), ("<a::Z as b::C>::d", 0), ("plain", 0), ("w_[k]", 0)];
        let mut profiles = [
            profile("one", &[("b::often", 900)]),
            profile("other", &rare),
            profile("other", &[("b::often", 1), ("a::y", 1)]),
        ];
        pool_rare(&mut profiles.iter_mut().collect::<Vec<_>>());
        let names: Vec<(&str, u64)> =
            profiles[1].functions.iter().map(|(name, n)| (&**name, *n)).collect();
        let expected = [("[rest of a]", 1), ("[rest]", 0), ("[rest]_[k]", 0), ("a::y", 1)];
        assert_eq!(names, expected, "2 of 2,000 are not rare");
        assert_eq!(profiles[2].functions["b::often"], 1, "it is common in the other contender");
        assert_eq!(module("net/http.(*conn).serve"), "[rest of net/http]");
    }

    #[test]
    fn rare_stacks_are_pooled_and_trials_are_averaged() {
        let stack = |n: usize| Stack { frames: format!("f{n}"), us: 1.0, layer: "service".into() };
        let many = kept((0..STACKS_MAX + 5).map(stack));
        assert_eq!((many.len(), many[STACKS_MAX].frames.as_str()), (STACKS_MAX + 1, REST));
        assert_eq!(many[STACKS_MAX].us, 5.0);
        let mean = mean(&[vec![stack(1)], vec![]]);
        assert_eq!((mean.len(), mean[0].us), (1, 0.5));
    }
}
