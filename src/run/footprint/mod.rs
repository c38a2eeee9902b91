//! What a contender is before and beside its load: its start, its idle memory, and what has to be deployed.
//!
//! Sizes come in parts that are never added up unsaid: the payload, what runs it, the shared libraries below, and the
//! image that has all of them and nothing else.

mod image;
mod parts;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use image::{Layer, Packed};
use parts::Parts;

use crate::error::{Context, Error, Result};

use crate::record::{FileSet, Footprint, Image, OverStarts};
use crate::run::host::{Host, Startable, Started};
use crate::run::rounds::RandomizedBlock;
use crate::run::testbed::Testbed;
use crate::run::trial::spec::{Placement, PreparedTrial, TrialSpec};
use crate::run::{rounds, trial};
use crate::scenario::{Contender, Kind, Ready, STOP_WITHIN, Scenario};
use crate::stats::LOST;
use crate::{scenario, stats};

/// Of the intervals.
const CONFIDENCE: f64 = 0.95;
/// The level number of the blocks that order the starts, beyond any real level.
const STARTS: usize = usize::MAX >> 1;

/// Starts every contender `starts` times in random order, after one start that only warms the machine's caches, and
/// sizes up what it consists of; `out` is a folder for what is made on the way. Nothing once `stop` is set.
///
/// A start that a contender loses is one of its starts; after two at the beginning it is not started again.
pub(crate) fn footprints(
    testbed: &mut Testbed<'_>,
    scenario: &Scenario,
    order_seed: u64,
    out: &Path,
    stop: &AtomicBool,
) -> Result<Vec<Footprint>> {
    let Some(scenario::Footprint { starts }) = scenario.experiments.footprint else {
        return Ok(Vec::new());
    };
    let placement = testbed.host.placement(scenario)?;
    let contenders = &scenario.contenders;
    let mut programs = Vec::new();
    for contender in contenders {
        let spec = TrialSpec {
            scenario,
            contender,
            rate: None,
            level: "start".into(),
            duration: scenario.load.duration,
            round: 0,
            place: 0,
        };
        programs.push(startable(&testbed.prepare(spec, &placement)?)?);
    }
    let Some(found) =
        start_all(testbed, contenders, &programs, &placement, (order_seed, starts), stop)?
    else {
        return Ok(Vec::new());
    };
    let mut packer = Packer { layers: HashMap::new(), stripped: out.join(".stripped") };
    let mut footprints = Vec::new();
    for (contender, found) in contenders.iter().zip(found) {
        let (starts, lost) = found.counted();
        let parts = Parts::of(contender, &packer.stripped)?;
        let over = |figure: fn(&Started) -> Option<f64>| {
            over(&starts.iter().filter_map(figure).collect::<Vec<_>>(), lost.len())
        };
        footprints.push(Footprint {
            workload: scenario.workload.name().into(),
            contender: contender.name.clone(),
            start_ns: over(|started| Some(started.first_answer.0 as f64)),
            rss_idle_bytes: over(|started| started.rss_idle_bytes.map(|bytes| bytes as f64)),
            rss_load_bytes: None,
            load: None,
            payload: part(&parts.payload)?,
            runtime: part(&parts.runtime)?,
            base: parts.base.as_deref().map(part).transpose()?,
            image: packer.image(&parts)?,
            note: parts.note,
            lost_starts: lost,
            lost_reason: found.reason,
        });
    }
    // There is none where no model took part, or there was nothing to strip it with.
    let _ = fs::remove_file(&packer.stripped);
    Ok(footprints)
}

/// Starts every contender so often; nothing once `stop` is set.
fn start_all(
    testbed: &Testbed<'_>,
    contenders: &[Contender],
    programs: &[Startable],
    placement: &Placement,
    (order_seed, starts): (u64, u32),
    stop: &AtomicBool,
) -> Result<Option<Vec<Starts>>> {
    let mut found = vec![Starts::default(); contenders.len()];
    for round in 0..=starts {
        let randomized = RandomizedBlock { scenario: 0, level: STARTS, round };
        for index in rounds::order(order_seed, randomized, contenders.len()) {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            testbed.progress.starting(&contenders[index].name, round, starts);
            let found = &mut found[index];
            if found.is_given_up() {
                found.lost(round, GIVEN_UP);
                continue;
            }
            match testbed.host.time_start(&programs[index], &placement.contender) {
                Ok(started) => found.starts.push((round, started)),
                Err(error) => match error.contender_wrote() {
                    Some("") => found.lost(round, error.message()),
                    Some(wrote) => {
                        found.lost(round, &format!("{}; it wrote: {wrote}", error.message()))
                    }
                    None => return Err(error),
                },
            }
        }
    }
    Ok(Some(found))
}

const GIVEN_UP: &str = "it did not start at first and was not started again";

/// The starts of a contender so far; the one before the first is not counted.
#[derive(Clone, Debug, Default)]
struct Starts {
    starts: Vec<(u32, Started)>,
    lost: Vec<u32>,
    /// Why it lost the first.
    reason: String,
}

impl Starts {
    fn lost(&mut self, round: u32, why: &str) {
        if self.lost.is_empty() {
            why.clone_into(&mut self.reason);
        }
        self.lost.push(round);
    }

    /// Two starts and none of them held.
    fn is_given_up(&self) -> bool {
        self.starts.is_empty() && self.lost.len() >= 2
    }

    fn counted(&self) -> (Vec<Started>, Vec<u32>) {
        let starts = self.starts.iter().filter(|(round, _)| *round > 0);
        let lost = self.lost.iter().copied().filter(|round| *round > 0);
        (starts.map(|(_, started)| *started).collect(), lost.collect())
    }
}

/// The median of what the starts gave, and where it lies when so many more were lost.
fn over(values: &[f64], lost: usize) -> Option<OverStarts> {
    let median = stats::median(values)?;
    let all = [values, &vec![LOST; lost]].concat();
    let interval = stats::quantile_interval(&all, 0.5, CONFIDENCE);
    Some(OverStarts {
        n: values.len() as u32,
        median,
        low: interval.map(|interval| interval.low).filter(|low| low.is_finite()),
        high: interval.map(|interval| interval.high).filter(|high| high.is_finite()),
        values: values.to_vec(),
    })
}

fn part(files: &[Packed]) -> Result<FileSet> {
    Ok(FileSet { files: files.len() as u64, bytes: parts::bytes(files)? })
}

/// Sizes up the images of contenders.
struct Packer {
    /// Those that are known, by their files: three servers on Node.js share what runs them.
    layers: HashMap<Vec<Packed>, Layer>,
    /// This program without its symbols, while images are made.
    stripped: PathBuf,
}

impl Packer {
    /// The smallest image that has all that a contender needs; nothing where its libraries are not known.
    fn image(&mut self, parts: &Parts) -> Result<Option<Image>> {
        let Some(base) = &parts.base else { return Ok(None) };
        let mut image = Image { raw_bytes: 0, compressed_bytes: 0, layers: 0 };
        for files in [base, &parts.runtime, &parts.payload].into_iter().filter(|f| !f.is_empty()) {
            let layer = self.layer(files)?;
            image.raw_bytes += layer.raw_bytes;
            image.compressed_bytes += layer.compressed_bytes;
            image.layers += 1;
        }
        Ok(Some(image))
    }

    fn layer(&mut self, files: &[Packed]) -> Result<Layer> {
        if let Some(&known) = self.layers.get(files) {
            return Ok(known);
        }
        let layer = Layer::of(files)?;
        self.layers.insert(files.to_vec(), layer);
        Ok(layer)
    }
}

/// The contender of `order`.
///
/// # Errors
/// When it runs already, started outside bakeoff.
fn startable(prepared: &PreparedTrial<'_>) -> Result<Startable> {
    let name = &prepared.spec.contender.name;
    let what = format!("contender `{name}`");
    match &prepared.spec.contender.kind {
        Kind::BuiltIn(built_in) => {
            let own = Host::own_program()?;
            let mut argv = vec![own.display().to_string(), "serve".into()];
            argv.extend(trial::serve_flags(prepared, built_in));
            if let Some(port) = argv.iter().position(|flag| flag == "--port") {
                argv[port + 1] = "{port}".into();
            }
            let folder =
                std::env::current_dir().context(|| "cannot find the current folder".into())?;
            let ready = Ready::Path("/healthz".into());
            let patience = STOP_WITHIN.into();
            Ok(Startable { what, argv, env: Vec::new(), folder, ready, tls: None, patience })
        }
        Kind::Command { argv, setup } => {
            let mut env = trial::environment(prepared, Vec::new());
            env.push(("BAKEOFF_PORT".into(), "{port}".into()));
            env.extend(setup.env.iter().cloned());
            let (folder, ready) = (setup.folder.clone(), setup.ready.clone());
            let (argv, patience) = (argv.clone(), setup.stop_within.into());
            let tls = setup.tls.clone();
            Ok(Startable { what, argv, env, folder, ready, tls, patience })
        }
        Kind::Url { .. } => {
            Err(Error::usage(format!("`{name}` runs already and cannot be started again"))
                .help("a footprint needs contenders by model or command"))
        }
    }
}
