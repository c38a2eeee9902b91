//! Who is compared with whom, and what can be said of them before anything runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};
use crate::run::programs;
use crate::scenario::{BuiltIn, Contender, Gate, Kind, Scenario, Setup};

/// A baseline and a candidate.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) baseline: Contender,
    pub(crate) candidate: Contender,
}

impl Pair {
    /// Two contenders of a scenario by name; without names the only two that it has.
    ///
    /// # Errors
    /// Usage: an unknown name, one contender twice, or no names where there are more than two.
    pub(crate) fn named(
        scenario: &Scenario,
        baseline: Option<&str>,
        candidate: Option<&str>,
    ) -> Result<Self> {
        let [first, second] = match (baseline, candidate, &scenario.contenders[..]) {
            (Some(baseline), Some(candidate), _) => [baseline, candidate],
            (None, None, [first, second]) => [first.name.as_str(), &second.name],
            (Some(baseline), None, [first, second]) => {
                [baseline, other(baseline, &first.name, &second.name)]
            }
            (None, Some(candidate), [first, second]) => {
                [other(candidate, &first.name, &second.name), candidate]
            }
            (.., contenders) => {
                let (name, n) = (&scenario.name, contenders.len());
                let message = format!("{name} has {n} contenders, and a gate compares two");
                return Err(Error::usage(message).help(
                    "name them with --baseline and --candidate, or give --baseline-bin and --candidate-bin",
                ));
            }
        };
        if first == second {
            return Err(Error::usage(format!("`{first}` is both baseline and candidate"))
                .help("--calibrate compares a contender with itself"));
        }
        Ok(Self {
            baseline: scenario.contender(first)?.clone(),
            candidate: scenario.contender(second)?.clone(),
        })
    }

    /// The model of a scenario's contender, started from two binaries.
    ///
    /// # Errors
    /// Usage: a file that is not there or cannot be run, or a scenario without a model.
    pub(crate) fn of_binaries(
        scenario: &Scenario,
        gate: &Gate,
        baseline: &Path,
        candidate: &Path,
    ) -> Result<Self> {
        let model = match &gate.contender {
            Some(name) => scenario.contender(name)?,
            None => scenario.contenders.iter().find(|one| one.built_in().is_some()).ok_or_else(
                || {
                    Error::usage(format!("{} has no contender with a model", scenario.name)).help(
                        "--baseline-bin and --candidate-bin are builds of bakeoff; name other contenders \
                         with --baseline and --candidate",
                    )
                },
            )?,
        };
        let built_in = model.built_in().expect("a gate's contender has a model");
        let side = |name: &str, flag: &str, binary: &Path| -> Result<Contender> {
            let kind = BuiltIn { binary: Some(runnable(flag, binary)?), ..built_in.clone() };
            Ok(Contender {
                system: None,
                sweep: None,
                name: name.into(),
                label: model.label.clone(),
                kind: Kind::BuiltIn(kind),
            })
        };
        Ok(Self {
            baseline: side("baseline", "--baseline-bin", baseline)?,
            candidate: side("candidate", "--candidate-bin", candidate)?,
        })
    }

    /// Who is who: `Baseline base, candidate head`.
    pub(crate) fn sides(&self) -> String {
        format!("Baseline `{}`, candidate `{}`", self.baseline.name, self.candidate.name)
    }

    pub(crate) fn same(contender: &Contender) -> Self {
        let candidate =
            Contender { name: format!("{}-again", contender.name), ..contender.clone() };
        Self { baseline: contender.clone(), candidate }
    }

    /// SHA-256 of what each one runs, first 16 digits, baseline first; nothing for one that runs already.
    pub(crate) fn binaries(&self) -> [Option<String>; 2] {
        [&self.baseline, &self.candidate].map(programs::digest)
    }

    /// Whether both run the same files in the same way, so that there is nothing to find.
    pub(crate) fn is_alike(&self) -> bool {
        let [baseline, candidate] = self.binaries();
        let alike = match (&self.baseline.kind, &self.candidate.kind) {
            (Kind::BuiltIn(a), Kind::BuiltIn(b)) => {
                *a == BuiltIn { binary: a.binary.clone(), ..b.clone() }
            }
            (Kind::Command { setup: a, .. }, Kind::Command { setup: b, .. }) => a.env == b.env,
            (Kind::Url { address: a, .. }, Kind::Url { address: b, .. }) => return a == b,
            _ => false,
        };
        alike && baseline.is_some() && baseline == candidate
    }

    /// Why the verdict is information only, if it is: one of them is not started anew for each round.
    pub(crate) fn report_only(&self) -> Option<String> {
        let kept = |one: &&Contender| {
            matches!(&one.kind, Kind::Url { setup: Setup { before: None, .. }, .. })
        };
        let kept = [&self.baseline, &self.candidate].into_iter().find(kept)?;
        Some(format!("`{}` is given by URL, without a `before` that restarts it", kept.name))
    }
}

fn other<'a>(one: &str, first: &'a str, second: &'a str) -> &'a str {
    if one == first { second } else { first }
}

/// An absolute path to a file that can be run.
fn runnable(flag: &str, binary: &Path) -> Result<PathBuf> {
    let shown = binary.display();
    let about = fs::metadata(binary).usage(|| format!("{flag}: cannot read {shown}"))?;
    if !about.is_file() || about.permissions().mode() & 0o111 == 0 {
        return Err(Error::usage(format!("{flag}: {shown} is no program that can be run"))
            .help("give the path of a built bakeoff, such as target/release/bakeoff"));
    }
    fs::canonicalize(binary).usage(|| format!("{flag}: cannot find {shown}"))
}
