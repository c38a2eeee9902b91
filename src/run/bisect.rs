//! A search for the version that made a metric worse: comparisons of [`crate::run::gate`], judged by
//! [`crate::judge::bisect`]. `bisect.json` is written after each, so that a search can be resumed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::error::{Context, Error, Result};
use crate::files;
use crate::judge::bisect::{
    Ends, STEP_ROUNDS_MAX, STEP_ROUNDS_MIN, Stand, StepRule, ends, likeness, stand, steps,
};
use crate::judge::gate::decision::ROUNDS_MAX;
use crate::judge::gate::failures::{FailureAttribution, attribution};
use crate::judge::gate::metric::{difference, ratio};
use crate::record::bisect::{
    Bisection, Compared, EndsMeasured, Likeness, SCHEMA, SearchEnd, from_json,
};
use crate::record::gate::{FaultKind, GateResult, MetricPlan, Plan, Purpose, Round};
use crate::record::json;
use crate::report::bisect::cost;
use crate::run::Progress;
use crate::run::gate::{GateRequest, Pair, measure, runnable};
use crate::run::host::{Builds, Host};
use crate::run::journal::program_digest;
use crate::scenario::{self, BuiltIn, Contender, Gate, Kind, Level, Scenario};
use crate::stats::{Difference, Limits};
use crate::units::{Nanos, Rate};

/// What a trial takes beside its load, and the load before its window if a pilot is to say how much.
const BESIDE: Nanos = Nanos(2_300 * Nanos::MILLI.0);

#[derive(Debug)]
pub(crate) struct BisectRequest {
    pub(crate) scenario: Scenario,
    /// Of one metric.
    pub(crate) gate: Gate,
    /// The contender that the versions are builds of.
    pub(crate) contender: Contender,
    /// The good one first: commits, or paths of binaries.
    pub(crate) versions: Vec<String>,
    /// How commits become binaries.
    pub(crate) builds: Option<(PathBuf, crate::record::bisect::Build)>,
    pub(crate) order_seed: u64,
    pub(crate) out: PathBuf,
    /// Goes on with the search that `out` holds.
    pub(crate) resume: bool,
    /// A given database may be written to without asking.
    pub(crate) yes: bool,
}

impl BisectRequest {
    /// What it costs at most, as far as that is known before anything runs.
    pub(crate) fn cost(&self) -> String {
        let load = &self.scenario.load;
        let before = load.warm_up.asked().map_or(Nanos(0), |before| before.expected(None));
        let round = Nanos(2 * (BESIDE + before + load.duration).0);
        // The ends are compared first.
        let comparisons = 1 + steps(self.versions.len());
        cost(
            self.versions.len(),
            comparisons,
            [(STEP_ROUNDS_MIN * 3).div_ceil(10), STEP_ROUNDS_MAX],
            round,
        )
    }
}

/// Compares the ends, and then versions in between, until one is found, or nothing more can be said.
///
/// # Errors
/// Usage, when a file cannot be read or written, or `out` holds another search. Invalid, when an end cannot be built or does not
/// run. Interrupted; what has been compared is kept.
pub(crate) fn run(
    request: &BisectRequest,
    progress: &mut Progress,
    stop: &AtomicBool,
) -> Result<Bisection> {
    let mut search = BisectSession::open(request)?;
    if search.record.ends.is_none() {
        // An interrupt is not to lose the order and the builds.
        search.keep()?;
        progress.say(&request.cost());
        search.compare_ends(progress, stop)?;
    }
    while search.record.found.is_none() {
        search.step(progress, stop)?;
    }
    Ok(search.record)
}

struct BisectSession<'a> {
    request: &'a BisectRequest,
    builds: Option<Builds>,
    record: Bisection,
}

impl<'a> BisectSession<'a> {
    fn open(request: &'a BisectRequest) -> Result<Self> {
        let builds = request.builds.as_ref().map(|(repository, build)| {
            Builds::new(repository, &request.out.join("builds"), build.clone())
        });
        // Before the binaries and the machine are looked at.
        let file = request.out.join(FILE);
        let earlier = request.resume.then(|| earlier(&file)).transpose()?;
        let metric = &request.gate.metrics[0];
        let digests = match request.builds {
            Some(_) => Vec::new(),
            None => digests(request)?,
        };
        let fresh = Bisection {
            schema: SCHEMA.into(),
            scenario: request.scenario.name.clone(),
            metric: metric.figure,
            request: metric.request.clone(),
            margin: metric.margin.map_or_else(|| metric.figure.margin(), |margin| margin.0),
            contender: request.contender.name.clone(),
            level: request.gate.rate.to_string(),
            versions: request.versions.clone(),
            digests,
            build: request.builds.as_ref().map(|(_, build)| build.clone()),
            order_seed: request.order_seed,
            ends: None,
            steps: Vec::new(),
            found: None,
            fingerprint: Host::describe(&[scenario::fingerprint(&request.scenario)]),
        };
        let record = match earlier {
            Some(found) => resumed(&file, found, &fresh)?,
            None => fresh,
        };
        Ok(Self { request, builds: builds.transpose()?, record })
    }

    /// Writes what is known by now.
    fn keep(&self) -> Result<()> {
        let path = self.request.out.join(FILE);
        let failed = || format!("cannot write {}", path.display());
        fs::create_dir_all(&self.request.out).usage(failed)?;
        fs::write(&path, json::pretty(&self.record) + "\n").usage(failed)
    }

    fn compare_ends(&mut self, progress: &mut Progress, stop: &AtomicBool) -> Result<()> {
        let last = self.request.versions.len() - 1;
        let binaries = [0, last].map(|version| self.binary(version, progress));
        let [first, last_binary] = binaries;
        let built = |version: usize, binary: Result<Result<PathBuf, String>>| {
            let end = if version == 0 { "first" } else { "last" };
            binary?
                .map_err(|why| Error::invalid(format!("the {end} version cannot be built: {why}")))
        };
        let pair = self.pair(&built(0, first)?, &built(last, last_binary)?)?;
        if pair.is_alike() {
            return Err(Error::invalid("the first and the last version are the same binary"));
        }
        let (margin, versions) = (self.record.margin, self.request.versions.len());
        let judge =
            |plan: &Plan, rounds: &[Round]| ends(&differences(plan, rounds), margin, versions);
        let (result, round) =
            self.measure("ends", pair, self.request.gate.rate, progress, stop, &|plan, rounds| {
                !matches!(judge(plan, rounds), Ends::Open(_))
                    || broken(plan, rounds, ROUNDS_MAX).is_some()
            })?;
        let found = match judge(&result.plan, &result.rounds) {
            Ends::Open(_) => {
                let why = broken(&result.plan, &result.rounds, ROUNDS_MAX);
                let why = why.map_or("the ends cannot be compared".into(), |broken| match broken {
                    Broken::Last(why) => format!("the last version {why}"),
                    Broken::First(why) => format!("the first version {why}"),
                    Broken::Machine(why) => why,
                });
                return Err(Error::invalid(why));
            }
            Ends::Alike => None,
            Ends::Changed(rule) => Some(rule),
        };
        let nothing = StepRule { size: 0.0, alpha: 0.0, rounds_max: 0 };
        let StepRule { size, alpha, rounds_max } = found.unwrap_or(nothing);
        self.record.ends = Some(EndsMeasured {
            rate_rps: result.about.rate_rps,
            rounds: counted(&result.rounds),
            round_ns: round.0,
            ratio: found.and_then(|rule| rule.ratio()),
            worse: found.is_some(),
            size,
            alpha,
            rounds_max,
        });
        if found.is_none() {
            self.record.found = Some(SearchEnd::Nothing);
        } else {
            let left = steps(versions);
            progress.say(&cost(versions, left, [(rounds_max * 3).div_ceil(10), rounds_max], round));
        }
        self.keep()
    }

    /// Compares one version, or finds that there is none to compare.
    fn step(&mut self, progress: &mut Progress, stop: &AtomicBool) -> Result<()> {
        let version = match stand(self.request.versions.len(), &self.record.steps) {
            Stand::Compare(version) => version,
            Stand::Found(version) => {
                self.record.found = Some(SearchEnd::Version(version as u32));
                return self.keep();
            }
            Stand::Range(first, last) => {
                self.record.found = Some(SearchEnd::Range(first as u32, last as u32));
                return self.keep();
            }
        };
        let compared = self.compare(version, progress, stop)?;
        progress.say(&crate::report::bisect::step(&self.record, &compared));
        self.record.steps.push(compared);
        self.keep()
    }

    fn compare(
        &self,
        version: usize,
        progress: &mut Progress,
        stop: &AtomicBool,
    ) -> Result<Compared> {
        let mut compared = Compared {
            version: version as u32,
            likeness: Likeness::NotBuilt,
            rounds: 0,
            ratio: None,
            low: None,
            high: None,
            why: None,
        };
        let binary = match self.binary(version, progress)? {
            Ok(binary) => binary,
            Err(why) => return Ok(Compared { why: Some(why), ..compared }),
        };
        // Both were built to compare the ends.
        let end = |version| self.binary(version, progress)?.map_err(Error::invalid);
        let [first, last] = [end(0)?, end(self.request.versions.len() - 1)?];
        for (end, likeness, which) in
            [(&first, Likeness::First, "first"), (&last, Likeness::Last, "last")]
        {
            if self.pair(end, &binary)?.is_alike() {
                let why = Some(format!("it is the same binary as the {which} version"));
                return Ok(Compared { likeness, why, ..compared });
            }
        }
        let measured = self.record.ends.as_ref().expect("the ends were compared");
        let EndsMeasured { size, alpha, rounds_max, rate_rps, .. } = *measured;
        let rule = StepRule { size, alpha, rounds_max };
        let name = format!("step-{}", self.record.steps.len() + 1);
        let judge = |plan: &Plan, rounds: &[Round]| likeness(&differences(plan, rounds), &rule);
        let (result, _) = self.measure(
            &name,
            self.pair(&first, &binary)?,
            Level::Rate(Rate(rate_rps)),
            progress,
            stop,
            &|plan, rounds| {
                judge(plan, rounds).0.is_ok() || broken(plan, rounds, rounds_max).is_some()
            },
        )?;
        compared.rounds = counted(&result.rounds);
        let (found, limits) = judge(&result.plan, &result.rounds);
        let of = |end: fn(Limits) -> Option<f64>| limits.and_then(end).and_then(ratio);
        compared.ratio = of(|limits| Some(limits.value));
        (compared.low, compared.high) = (of(|limits| limits.low), of(|limits| limits.high));
        match (broken(&result.plan, &result.rounds, rounds_max), found) {
            (Some(Broken::First(why)), _) => {
                return Err(Error::invalid(format!("the first version {why}")));
            }
            (Some(Broken::Last(why)), _) => compared.why = Some(format!("it {why}")),
            (Some(Broken::Machine(why)), _) => {
                (compared.likeness, compared.why) = (Likeness::Undecided, Some(why));
            }
            (None, found) => compared.likeness = found.unwrap_or(Likeness::Undecided),
        }
        Ok(compared)
    }

    /// The binary of a version, or why it cannot be built.
    fn binary(&self, version: usize, progress: &Progress) -> Result<Result<PathBuf, String>> {
        let name = &self.request.versions[version];
        match &self.builds {
            Some(builds) => {
                progress.say(&format!("Builds {name}, unless it is built already"));
                builds.binary(name)
            }
            None => Ok(Ok(PathBuf::from(name))),
        }
    }

    fn pair(&self, first: &Path, other: &Path) -> Result<Pair> {
        let of = |name, binary| build_of(&self.request.contender, name, binary);
        Ok(Pair { baseline: of("first", first)?, candidate: of("other", other)? })
    }

    /// Rounds of a pair until there are enough, and how long each took.
    fn measure(
        &self,
        name: &str,
        pair: Pair,
        rate: Level,
        progress: &mut Progress,
        stop: &AtomicBool,
        enough: &dyn Fn(&Plan, &[Round]) -> bool,
    ) -> Result<(GateResult, Nanos)> {
        let request = GateRequest {
            scenario: self.request.scenario.clone(),
            pair,
            gate: Gate { rate, budget: None, ..self.request.gate.clone() },
            purpose: Purpose::Gate,
            prove_margin: false,
            fail_intermittent: false,
            commit: None,
            order_seed: Some(self.record.order_seed.wrapping_add(self.record.steps.len() as u64)),
            out: self.request.out.join(name),
            history: None,
            yes: self.request.yes,
            why: false,
        };
        let began = Instant::now();
        let result = measure(&request, progress, stop, enough)?;
        let each = began.elapsed().as_nanos() / result.rounds.len().max(1) as u128;
        Ok((result, Nanos(each as u64)))
    }
}

/// The contender with another binary.
///
/// # Errors
/// Usage: it cannot be run.
fn build_of(contender: &Contender, name: &str, binary: &Path) -> Result<Contender> {
    let binary = runnable("bisect", binary)?;
    let contender = contender.clone();
    let kind = match contender.kind {
        Kind::BuiltIn(own) => Kind::BuiltIn(BuiltIn { binary: Some(binary), ..own }),
        Kind::Command { argv, setup } => {
            let rest = argv.into_iter().skip(1);
            let argv = std::iter::once(binary.display().to_string()).chain(rest).collect();
            Kind::Command { argv, setup }
        }
        url @ Kind::Url { .. } => url,
    };
    Ok(Contender { name: name.into(), kind, ..contender })
}

/// Of each binary.
fn digests(request: &BisectRequest) -> Result<Vec<String>> {
    let of = |path: &String| {
        let contender = build_of(&request.contender, path, Path::new(path))?;
        Ok(program_digest(&contender).unwrap_or_default())
    };
    request.versions.iter().map(of).collect()
}

const FILE: &str = "bisect.json";
/// More is no search: a version has a hundred bytes, a step not many more.
const BYTES_MAX: u64 = 16 << 20;

/// The search that a file has.
fn earlier(path: &Path) -> Result<Bisection> {
    let shown = path.display();
    let text = files::read_json(path, BYTES_MAX).usage(|| format!("cannot read {shown}"))?;
    from_json(&text).map_err(|why| Error::usage(format!("{shown} is not a search: {why}")))
}

/// The search of a file, if it is the same as `fresh` would be.
fn resumed(path: &Path, found: Bisection, fresh: &Bisection) -> Result<Bisection> {
    let shown = path.display();
    let asked = |one: &Bisection| Bisection {
        ends: None,
        steps: Vec::new(),
        found: None,
        order_seed: 0,
        ..one.clone()
    };
    let (was, is) = (asked(&found), asked(fresh));
    let same = was.fingerprint.scenario == is.fingerprint.scenario
        && Bisection { fingerprint: is.fingerprint.clone(), ..was } == is;
    match same {
        true => Ok(found),
        false => Err(Error::usage(format!("{shown} is of another search")).help(
            "resume it with the scenario, metric, contender, rate and binaries of its start",
        )),
    }
}

/// Of the rounds that count.
fn differences(plan: &Plan, rounds: &[Round]) -> Vec<Option<Difference>> {
    let MetricPlan { metric, .. } = plan.metrics[0];
    let counted = rounds.iter().filter(|round| round.void.is_none());
    counted.map(|round| difference(metric, 0, round)).collect()
}

fn counted(rounds: &[Round]) -> u32 {
    rounds.iter().filter(|round| round.void.is_none()).count() as u32
}

/// Why rounds say nothing of a metric.
enum Broken {
    First(String),
    Last(String),
    Machine(String),
}

/// Who is to blame where a server does not run or answers wrongly, or too many rounds are void. What is merely overloaded is
/// worse than any figure, and is searched for.
fn broken(plan: &Plan, rounds: &[Round], rounds_max: u32) -> Option<Broken> {
    let plan = Plan { rounds_max: rounds_max.max(ROUNDS_MAX), ..plan.clone() };
    let broke = |round: &Round| {
        let kinds = round.candidate.faults.iter().map(|fault| fault.kind);
        round.void.is_none()
            && kinds.into_iter().any(|kind| matches!(kind, FaultKind::Crashed | FaultKind::Wrong))
    };
    match attribution(&plan, rounds)? {
        FailureAttribution::Baseline(why) => Some(Broken::First(why)),
        FailureAttribution::Machine(why) => Some(Broken::Machine(why)),
        FailureAttribution::Candidate(why) => rounds.iter().any(broke).then_some(Broken::Last(why)),
    }
}
