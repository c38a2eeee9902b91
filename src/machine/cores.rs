//! Cores that this process may use, and what runs on them.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::{Context, Result};

/// Core numbers, ascending, at least one.
pub(crate) type Cores = Vec<usize>;

/// The cores in this process's affinity mask.
pub(crate) fn allowed() -> Result<Cores> {
    let set = sched_getaffinity(None).context(|| "cannot read the affinity mask".into())?;
    Ok((0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect())
}

/// Runs `action` with the calling thread on `cores`, for what it starts to inherit, and puts the mask back.
pub(crate) fn on_cores<T>(cores: &Cores, action: impl FnOnce() -> T) -> Result<T> {
    let before = sched_getaffinity(None).context(|| "cannot read the affinity mask".into())?;
    let mut set = CpuSet::new();
    for &core in cores {
        set.set(core);
    }
    sched_setaffinity(None, &set).context(|| format!("cannot move to cores {cores:?}"))?;
    let value = action();
    sched_setaffinity(None, &before).context(|| "cannot put the affinity mask back".into())?;
    Ok(value)
}

/// Keeps the calling thread on `cores`; where that is not allowed it stays where it is.
pub(crate) fn stay_on(cores: &Cores) {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    let _ = sched_setaffinity(None, &set);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_is_put_back() {
        let before = allowed().unwrap();
        let inside = on_cores(&vec![before[0]], || allowed().unwrap()).unwrap();
        assert_eq!((inside, allowed().unwrap()), (vec![before[0]], before));
    }
}
