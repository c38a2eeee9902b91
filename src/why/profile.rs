//! The samples of a trial as CPU time: scaled to the exact times in user mode and in the kernel.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::record::Stack;
use crate::why::layers::{Layer, of_all};
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
    let mut layers = BTreeMap::new();
    let mut stacks: HashMap<String, (f64, Layer)> = HashMap::new();
    for (sample, layer) in samples.iter().zip(of_all(samples)) {
        let us = if sample.kernel.is_empty() { user } else { kernel };
        *layers.entry(layer.name().to_owned()).or_insert(0.0) += us;
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

/// Whether the program's part of a stack ends before the start of a thread.
fn is_cut(sample: &StackSample) -> bool {
    const STARTS: &[&str] = &[
        "_start",
        "clone",
        "__clone",
        "start_thread",
        "thread_start",
        "__libc_start",
        "runtime.goexit",
        "runtime.mstart",
        "runtime.rt0_go",
        "main",
    ];
    let outermost = sample.user.last();
    outermost.is_some_and(|name| !STARTS.iter().any(|start| name.starts_with(start)))
}

/// The outermost first, the kernel's marked, as flame graphs are written.
fn folded(sample: &StackSample) -> String {
    let user = sample.user.iter().rev().map(|name| name.to_string());
    let kernel = sample.kernel.iter().rev().map(|name| format!("{name}_[k]"));
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
        let sampled = Sampled { samples, lost: 3 };
        let exact = Exact { cpu: 40.0, modes: Some((30.0, 10.0)) };
        let found = scaled(&sampled, exact).unwrap();
        assert_eq!((found.samples, found.lost, found.cut_share), (4, 3, 0.25));
        assert_eq!(found.layers["service"], 20.0);
        assert_eq!(found.layers["allocator"], 10.0);
        assert_eq!(found.layers["kernel scheduling and locks"], 10.0);
        assert_eq!((&*found.stacks[0].frames, found.stacks[0].us), ("_start;payment", 20.0));
        let kernel = "lock;syscall;do_syscall_64_[k];__x64_sys_futex_[k]";
        assert!(found.stacks.iter().any(|stack| stack.frames == kernel), "{:?}", found.stacks);
        // Without the division, and where a mode has no sample, every sample stands for as much.
        for modes in [None, Some((40.0, 0.0))] {
            let user = Sampled { samples: sampled.samples[..3].to_vec(), lost: 0 };
            let sum: f64 = scaled(&user, Exact { cpu: 40.0, modes }).unwrap().layers.values().sum();
            assert!((sum - 40.0).abs() < 1e-9, "{modes:?}: {sum}");
        }
        assert!(scaled(&Sampled::default(), exact).is_none());
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
