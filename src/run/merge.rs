//! Shards of one run, joined and judged anew. What they have measured is read from their journals: what a shard has made of its
//! own rounds alone (which ones are void, who was still warming up) is found again over all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::judge::statement::across_machines;
use crate::judge::validity;
use crate::record::{
    AcrossMachines, Begun, Calibrated, Ceiling, Machine, Pilot, RunResult, Shard, Trial,
};
use crate::report;
use crate::report::side_by_side::mismatches;
use crate::run::measured::{Measured, Part, levels};
use crate::run::report_folder::{self, Claim, ReportFolder};
use crate::run::rounds::RandomizedBlock;
use crate::run::shard::{named, told};
use crate::run::{Request, capacity, journal, rounds};
use crate::scenario::Scenario;
use crate::text::listed;

/// What is on disk of a shard.
#[derive(Debug)]
pub(crate) struct ShardRun {
    folder: PathBuf,
    shard: Shard,
    begun: Begun,
    trials: Vec<Trial>,
    pilots: Vec<Pilot>,
    /// What its own report says of its machine; empty where it has none.
    notes: Vec<String>,
}

/// Reads the shards in some folders.
///
/// # Errors
/// Usage, when a folder has no shard or one that still runs, when they are not parts of one run, when one is there twice, and
/// when two ran on one machine at the same time.
pub(crate) fn read_shards(folders: &[PathBuf]) -> Result<Vec<ShardRun>> {
    let shards = folders.iter().map(|folder| ShardRun::read(folder));
    let mut shards = shards.collect::<Result<Vec<_>>>()?;
    shards.sort_by_key(|one| one.shard.number());
    for pair in shards.windows(2) {
        pair[0].expect_same_run(&pair[1])?;
    }
    expect_apart(&shards)?;
    Ok(shards)
}

/// Joins shards, judges their rounds as those of one run, and writes the report.
///
/// # Errors
/// Usage, when a trial is not one of its shard, none has finished a round, or the report cannot be written.
pub(crate) fn merge(request: &Request, shards: Vec<ShardRun>) -> Result<RunResult> {
    let result = joined(request, shards)?;
    report_folder::clean(&request.out)?;
    report::write::write_report(&request.out, &result)?;
    Ok(result)
}

/// What was asked, the same for all shards.
pub(crate) fn asked(shards: &[ShardRun]) -> &Begun {
    &shards[0].begun
}

impl ShardRun {
    fn read(folder: &Path) -> Result<Self> {
        // While it runs its own process has the folder.
        let _held = ReportFolder::claim(folder, Claim::Resumed)?;
        let help =
            "give the folders that `bakeoff run --shard I/N --order-seed SEED --out DIR` wrote";
        let (begun, trials, pilots) = journal::read(folder).map_err(|error| error.help(help))?;
        let Some(shard) = begun.shard else {
            let message = format!("the run in {} is a whole one and no shard", folder.display());
            return Err(Error::usage(message).help(help));
        };
        let own = env!("CARGO_PKG_VERSION");
        let other = &begun.fingerprint.bakeoff;
        if other != own {
            let message =
                format!("{} was written by bakeoff {other}, and this is {own}", folder.display());
            return Err(Error::usage(message).help("merge with the version that measured"));
        }
        Ok(Self { folder: folder.into(), shard, begun, trials, pilots, notes: notes_in(folder) })
    }

    /// Whether another one is a shard of the same run, and not the same one.
    fn expect_same_run(&self, other: &Self) -> Result<()> {
        let (own, its) = (&self.begun, &other.begun);
        let (here, there) = (&own.fingerprint, &its.fingerprint);
        let folders = format!("{} and {}", self.folder.display(), other.folder.display());
        let unlike = [
            ("scenario or flags", here.scenario.clone(), there.scenario.clone()),
            ("order seeds", own.order_seed.to_string(), its.order_seed.to_string()),
            ("numbers of shards", self.shard.of().to_string(), other.shard.of().to_string()),
            ("builds of bakeoff", here.binary.clone(), there.binary.clone()),
        ];
        let unlike = unlike.into_iter().find(|(_, one, another)| one != another);
        let unlike =
            unlike.map(|(what, one, another)| format!("other {what} ({one} and {another})"));
        let rebuilt = || {
            let rebuilt = own.contenders.iter().find(|one| !its.contenders.contains(one))?;
            Some(format!("other builds of `{}`", rebuilt.contender))
        };
        if let Some(what) = unlike.or_else(rebuilt) {
            return Err(Error::usage(format!("{folders} are not shards of one run: they have {what}")).help(
                "shards of a run have one scenario, one set of flags, order seed and programs, and are as many",
            ));
        }
        if self.shard == other.shard {
            let message =
                format!("{folders} are both shard {}: its rounds would count twice", self.shard);
            return Err(Error::usage(message).help("give one of the two"));
        }
        Ok(())
    }

    /// Whether its trials are those that the whole run has in its rounds: in the same order, and each once.
    fn expect_own_rounds(&self, scenario: &Scenario) -> Result<()> {
        let names: Vec<String> = [Part::Compare, Part::Curve]
            .into_iter()
            .flat_map(|part| levels(scenario, part))
            .map(|level| scenario.level_name(level))
            .collect();
        let mut seen = BTreeSet::new();
        for trial in self.trials.iter().filter(|trial| trial.round > 0) {
            let Trial { contender, level, round, order, .. } = trial;
            let asked = || {
                let level = names.iter().position(|name| name == level)?;
                let block = RandomizedBlock { scenario: 0, level, round: *round };
                let order = rounds::order(self.begun.order_seed, block, scenario.contenders.len());
                let contender = order.get(trial.order as usize)?;
                Some(&scenario.contenders[*contender].name)
            };
            let own = self.shard.has(*round) && trial.scenario == scenario.name;
            let why = if !own || asked() != Some(contender) {
                format!("which shard {} does not run", self.shard)
            } else if !seen.insert((level, round, contender)) {
                "twice".into()
            } else {
                continue;
            };
            return Err(Error::usage(format!(
                "{} has {contender} at {level}, round {round}, place {order}, {why}",
                self.folder.join("trials.jsonl").display()
            ))
            .help("a journal is not edited: run this shard again"));
        }
        Ok(())
    }

    fn spans(&self) -> impl Iterator<Item = OnBoot<'_>> {
        let ran = self.trials.iter().filter_map(|trial| trial.ran_utc.as_ref());
        ran.map(|[began, ended]| (self.begun.boot_id.as_str(), began.as_str(), ended.as_str()))
    }
}

/// A machine's boot id, and when a trial there began and had ended.
type OnBoot<'a> = (&'a str, &'a str, &'a str);

/// The notes of the report in a folder, if there is one.
fn notes_in(folder: &Path) -> Vec<String> {
    report_folder::result(folder).map(|result| result.notes).unwrap_or_default()
}

/// Whether no two shards measured on one machine at the same time.
fn expect_apart(shards: &[ShardRun]) -> Result<()> {
    let mut spans: Vec<(OnBoot<'_>, &ShardRun)> =
        shards.iter().flat_map(|one| one.spans().map(move |span| (span, one))).collect();
    spans.sort_by_key(|(span, _)| *span);
    let mut latest: Option<&(OnBoot<'_>, &ShardRun)> = None;
    for now in &spans {
        let ((boot, began, ended), one) = now;
        if let Some(((its_boot, from, to), other)) = latest
            && its_boot == boot
        {
            if began < to && one.shard != other.shard {
                return Err(Error::usage(format!(
                    "shards {} and {} ran on one machine at the same time (from {} and from {began}): each disturbed \
                     the figures of the other",
                    other.shard, one.shard, from
                ))
                .help("run one of them again, when nothing else runs there (Slurm: sbatch --exclusive)"));
            }
            if ended <= to {
                continue;
            }
        }
        latest = Some(now);
    }
    Ok(())
}

fn joined(request: &Request, shards: Vec<ShardRun>) -> Result<RunResult> {
    let scenario = &request.scenarios[0];
    shards.iter().try_for_each(|one| one.expect_own_rounds(scenario))?;
    let places: Vec<(Shard, PathBuf)> =
        shards.iter().map(|one| (one.shard, one.folder.clone())).collect();
    let begun = asked(&shards).clone();
    let started = shards.iter().map(|one| one.begun.started_utc.clone()).min();
    let notes = machine_notes(&shards, scenario.rounds);
    let pilots = shards.iter().flat_map(|one| one.pilots.iter().cloned()).collect();
    let (mut machines, boots) = by_machine(&shards, scenario);
    let all = shards.into_iter().flat_map(|one| one.trials);
    let (probes, mut trials): (Vec<Trial>, Vec<Trial>) = all.partition(|trial| trial.round == 0);
    let voided_rounds = as_they_count(scenario, &mut trials);
    let finished = [Part::Compare, Part::Curve].map(|part| finished(scenario, part, &trials));
    let whole: Vec<u32> =
        finished[0].iter().copied().filter(|round| finished[1].contains(round)).collect();
    if whole.is_empty() {
        return Err(Error::usage("none of the shards has finished a round")
            .help("continue one: bakeoff run SCENARIO --shard I/N --resume DIR"));
    }
    for (machine, own) in machines.iter_mut().zip(&boots) {
        machine.rounds = whole.iter().copied().filter(|round| has(own, *round)).collect();
    }
    let missing = missing(scenario.rounds, &places, &whole);
    let notes = [missing, differences(&machines), notes].concat();
    let cores = trials.iter().map(|trial| trial.placement.contender_cores.len()).min();
    let measured = Measured {
        request,
        order_seed: begun.order_seed,
        started_utc: started.unwrap_or_default(),
        rounds: scenario.rounds,
        needed: finished.map(|rounds| Some(rounds.len() as u32)),
        cores: vec![cores],
        ceilings: lowest(&probes),
        calibration: calibration(&begun, scenario),
        fingerprint: begun.fingerprint,
        probes,
        trials,
        voided_rounds,
        capacity: Vec::new(),
        map: None,
        footprints: Vec::new(),
        pilots,
        why: None,
        notes,
        interrupted: false,
    };
    let mut result = measured.judged();
    // Shards say some of what is said of the whole.
    let mut said = BTreeSet::new();
    result.notes.retain(|note| said.insert(note.clone()));
    if machines.len() > 1 {
        result.across_machines = across(scenario, &result, &boots);
    }
    result.machines = machines;
    Ok(result)
}

/// What each machine shows alone.
fn across(scenario: &Scenario, result: &RunResult, boots: &[Vec<Shard>]) -> Vec<AcrossMachines> {
    let on = |shards: &Vec<Shard>| -> Vec<Trial> {
        result.trials.iter().filter(|trial| has(shards, trial.round)).cloned().collect()
    };
    let trials: Vec<Vec<Trial>> = boots.iter().map(on).collect();
    across_machines(scenario, &result.comparisons, &trials)
}

/// In what machines are unlike the first one, in sentences.
fn differences(machines: &[Machine]) -> Vec<String> {
    let other = |(place, machine): (usize, &Machine)| {
        let unlike = mismatches(&machines[0].fingerprint, &machine.fingerprint);
        let text = format!("machines 1 and {place} differ: {}", unlike.join("; "));
        (!unlike.is_empty()).then_some(text)
    };
    (1..).zip(machines).filter_map(other).collect()
}

/// Whether a round is one of these shards'.
fn has(shards: &[Shard], round: u32) -> bool {
    shards.iter().any(|shard| shard.has(round))
}

/// The machines in the order of their first shards, without their rounds, and the shards of each.
fn by_machine(shards: &[ShardRun], scenario: &Scenario) -> (Vec<Machine>, Vec<Vec<Shard>>) {
    let mut boots: Vec<(&str, Vec<&ShardRun>)> = Vec::new();
    for one in shards {
        let boot_id = one.begun.boot_id.as_str();
        match boots.iter_mut().find(|(known, _)| *known == boot_id) {
            Some((_, own)) => own.push(one),
            None => boots.push((boot_id, vec![one])),
        }
    }
    let machine = |(_, own): &(&str, Vec<&ShardRun>)| {
        let probes = own.iter().flat_map(|one| &one.trials).filter(|trial| trial.round == 0);
        let calibration = calibration(&own[0].begun, scenario);
        Machine {
            fingerprint: own[0].begun.fingerprint.clone(),
            shards: own.iter().map(|one| one.shard.to_string()).collect(),
            rounds: Vec::new(),
            request_cpu_measured_ns: calibration.map_or(0, |one| one.measured_ns),
            signature_rounds: calibration.map_or(0, |one| one.rounds),
            ceilings: lowest(probes),
        }
    };
    let shards = |(_, own): &(&str, Vec<&ShardRun>)| -> Vec<Shard> {
        own.iter().map(|one| one.shard).collect()
    };
    (boots.iter().map(machine).collect(), boots.iter().map(shards).collect())
}

/// What the scenario's request came to on a machine.
fn calibration(begun: &Begun, scenario: &Scenario) -> Option<Calibrated> {
    begun.calibrations.iter().copied().find(|one| one.asked_ns == scenario.request_cpu.0)
}

/// The lowest ceiling of each contender that a probe has shown.
fn lowest<'a>(probes: impl IntoIterator<Item = &'a Trial>) -> Vec<Ceiling> {
    let mut lowest: Vec<Ceiling> = Vec::new();
    for trial in probes {
        let found = capacity::ceiling(trial, trial.placement.contender_cores.len());
        if found.closed_rps.is_none() {
            continue;
        }
        match lowest.iter_mut().find(|one| one.is_of(&found.scenario, &found.contender)) {
            Some(one) if found.closed_rps < one.closed_rps => *one = found,
            Some(_) => {}
            None => lowest.push(found),
        }
    }
    lowest
}

/// Puts trials into the order of a run, drops the blocks that were cut short, and marks the void ones. Gives how many these
/// are.
fn as_they_count(scenario: &Scenario, trials: &mut Vec<Trial>) -> u32 {
    let curve: Vec<String> =
        levels(scenario, Part::Curve).map(|level| scenario.level_name(level)).collect();
    trials.sort_by_key(|trial| (curve.contains(&trial.level), trial.round));
    let mut sizes: BTreeMap<(String, u32), usize> = BTreeMap::new();
    for trial in trials.iter() {
        *sizes.entry((trial.level.clone(), trial.round)).or_default() += 1;
    }
    trials.retain(|trial| sizes[&(trial.level.clone(), trial.round)] == scenario.contenders.len());
    let mut voided = 0;
    for block in trials.chunk_by_mut(|a, b| (&a.level, a.round) == (&b.level, b.round)) {
        // A smoke needs no quiet machine.
        if block.iter().any(|trial| trial.validity.voids_round) && !scenario.smoke {
            block.iter_mut().for_each(|trial| trial.voided = true);
            voided += 1;
        }
    }
    voided - validity::settle(trials, &scenario.name)
}

/// The rounds of those asked for in which every level of a part was run.
fn finished(scenario: &Scenario, part: Part, trials: &[Trial]) -> Vec<u32> {
    let ran: BTreeSet<(&str, u32)> =
        trials.iter().map(|trial| (trial.level.as_str(), trial.round)).collect();
    let levels: Vec<String> =
        levels(scenario, part).map(|level| scenario.level_name(level)).collect();
    let all = |round: &u32| levels.iter().all(|level| ran.contains(&(level.as_str(), *round)));
    (1..=scenario.rounds).filter(all).collect()
}

/// Which rounds are not there, and why, in sentences.
fn missing(rounds: u32, places: &[(Shard, PathBuf)], finished: &[u32]) -> Vec<String> {
    let of = places[0].0.of();
    let shard = |number: u32| format!("{number}/{of}").parse::<Shard>().expect("it is one of them");
    let gone = |shard: Shard| {
        let own = (1..=rounds).filter(|round| shard.has(*round) && !finished.contains(round));
        let own: Vec<u32> = own.collect();
        let why = match places.iter().find(|(other, _)| *other == shard) {
            None => "was not given".to_owned(),
            Some((_, folder)) => format!("in {} has not finished", folder.display()),
        };
        let are = if own.len() == 1 { "is" } else { "are" };
        (!own.is_empty()).then(|| format!("shard {shard} {why}: {} {are} missing", named(&own)))
    };
    let mut missing: Vec<String> = (1..=of).map(shard).filter_map(gone).collect();
    if !missing.is_empty() {
        let n = finished.len();
        missing.push(format!("every figure and interval is of {n} rounds instead of {rounds}"));
    }
    missing
}

/// What the shards' own reports say of their machines: once where all say it, else with those that do.
fn machine_notes(shards: &[ShardRun], rounds: u32) -> Vec<String> {
    let mut all: Vec<(&str, Vec<String>)> = Vec::new();
    for one in shards {
        let own = told(one.shard, rounds);
        for note in one.notes.iter().filter(|note| **note != own) {
            match all.iter_mut().find(|(known, _)| known == note) {
                Some((_, whose)) => whose.push(one.shard.to_string()),
                None => all.push((note, vec![one.shard.to_string()])),
            }
        }
    }
    let said = |(note, whose): (&str, Vec<String>)| match whose.len() {
        n if n == shards.len() => note.to_owned(),
        1 => format!("shard {}: {note}", whose[0]),
        _ => format!("shards {}: {note}", listed(&whose)),
    };
    all.into_iter().map(said).collect()
}

#[cfg(test)]
mod tests;
