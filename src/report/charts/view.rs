//! What every chart says of a run besides its own data: who took part, on what, how, and whether it holds.

use super::picture::Chrome;
use super::theme::{Style, styles};
use crate::judge::races::{Entry, Race, probed, races, response, slo_of};
use crate::record::late::Late;
use crate::record::{ContenderInfo, RunResult, Trial, TrialVerdict, Verdict};
use crate::report::machines;
use crate::report::setting::{loads, placements, versions};
use crate::text::{capital, clean, counted, distinct, listed};
use crate::units::{Rate, grouped};

/// A result as charts read it.
pub(super) struct View<'a> {
    pub(super) result: &'a RunResult,
    pub(super) races: Vec<Race<'a>>,
    /// Those of a search for capacities.
    probed: Vec<Race<'a>>,
}

/// A contender on a chart.
#[derive(Clone, Debug)]
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    /// Its name on charts.
    pub(super) label: String,
    pub(super) style: Style,
}

impl<'a> View<'a> {
    pub(super) fn of(result: &'a RunResult) -> Self {
        Self { result, races: races(result), probed: probed(result) }
    }

    /// The workloads, in the order in which they were run.
    pub(super) fn workloads(&self) -> Vec<&'a str> {
        distinct(self.races.iter().chain(&self.probed).map(|race| race.workload))
    }

    /// The open-loop races of a workload by rising rate; none where they waited for different things, since rates with
    /// different waits are no one curve.
    pub(super) fn levels(&self, workload: &str) -> Vec<&Race<'a>> {
        levels(&self.races, workload)
    }

    /// The same, or where there are fewer than two those of a search for capacities.
    pub(super) fn levels_or_probes(&self, workload: &str) -> Vec<&Race<'a>> {
        let measured = self.levels(workload);
        if measured.len() > 1 { measured } else { levels(&self.probed, workload) }
    }

    /// The contenders of a workload, in the scenario's order.
    pub(super) fn members(&self, workload: &str) -> Vec<Member<'a>> {
        let races = self.races.iter().chain(&self.probed);
        let races = races.filter(|race| race.workload == workload);
        let names: Vec<&'a str> =
            distinct(races.flat_map(|race| &race.entries).map(|entry| entry.name));
        let styles = styles(names.iter().map(|name| (*name, self.info(workload, name))));
        let label = |name: &'a str| self.label(workload, name);
        let member = |(name, style)| Member { name, label: label(name), style };
        names.into_iter().zip(styles).map(member).collect()
    }

    /// A contender's name on charts, with its size where that is known and the name does not say it.
    pub(super) fn label(&self, workload: &str, name: &str) -> String {
        let info = self.info(workload, name);
        let label = clean(info.and_then(|info| info.label.as_deref()).unwrap_or(name));
        match info.and_then(|info| info.threads) {
            Some(threads) if !label.contains(&threads.to_string()) => {
                format!("{label}, {threads} threads")
            }
            _ => label,
        }
    }

    fn info(&self, workload: &str, name: &str) -> Option<&'a ContenderInfo> {
        let is = |info: &&ContenderInfo| info.workload == workload && info.contender == name;
        self.result.contenders.iter().find(is)
    }

    /// The response time that 99 % must meet in a race, ns.
    pub(super) fn slo_ns(&self, race: &Race<'_>) -> Option<f64> {
        let slo = slo_of(self.result, race.workload, race.scenario)?;
        Some(slo.p99_ns as f64)
    }

    /// Whether the run holds; where it does not, nothing is concluded from it.
    pub(super) fn is_invalid(&self) -> bool {
        self.result.verdict == Verdict::Invalid
    }

    /// `title`, or of an invalid run that it is one.
    pub(super) fn title(&self, place: &str, title: String) -> String {
        if self.is_invalid() {
            format!("{}: this run is INVALID, nothing is concluded", capital(place))
        } else {
            title
        }
    }

    /// What surrounds a chart. `what` says what was measured, `races` where the figures come from, `method` how the
    /// picture is to be read.
    pub(super) fn chrome(
        &self,
        title: String,
        what: &str,
        races: &[&Race<'_>],
        method: &str,
    ) -> Chrome {
        let trials: Vec<&Trial> = races.iter().flat_map(|race| race.trials()).collect();
        let valid = trials.iter().filter(|t| t.validity.verdict == TrialVerdict::Valid).count();
        let entries = || races.iter().flat_map(|race| &race.entries);
        let rounds = entries().map(|entry| entry.trials.len()).max().unwrap_or(0);
        let measured = if trials.is_empty() {
            what.to_owned()
        } else {
            format!(
                "{what}. {}, {valid} of {} VALID{}",
                counted(rounds, "round"),
                counted(trials.len(), "trial"),
                failed(races)
            )
        };
        Chrome {
            title,
            subtitle: [measured, self.setting(races)],
            method: method.to_owned(),
            provenance: self.provenance(),
            stamp: matches!(self.result.verdict, Verdict::Invalid | Verdict::Interrupted)
                .then(|| self.result.verdict.word()),
        }
    }

    /// Cores, placement, threads, pool and what binds.
    fn setting(&self, races: &[&Race<'_>]) -> String {
        let cores = counted(self.result.fingerprint.cores as usize, "core");
        let machines =
            machines::count(self.result).map(|machines| format!("{machines} of {cores}"));
        let mut parts = vec![machines.unwrap_or(cores)];
        let here = races.iter().flat_map(|race| race.trials());
        let anywhere = self.result.trials.iter().filter(|_| races.is_empty());
        parts.extend(placements(here.chain(anywhere)).into_iter().take(1));
        let (workload, scenario) =
            races.first().map_or(("", ""), |race| (race.workload, race.scenario));
        let members = self.members(workload);
        let each = |show: &dyn Fn(&Member<'_>) -> Option<String>| -> Option<String> {
            let found: Vec<Option<String>> = members.iter().map(show).collect();
            let first = found.iter().flatten().next()?.clone();
            if found.iter().all(|other| other.as_ref() == Some(&first)) {
                return Some(first);
            }
            let named = members.iter().zip(&found);
            let named =
                named.filter_map(|(m, f)| Some(format!("{} {}", clean(m.name), f.as_ref()?)));
            Some(named.collect::<Vec<_>>().join(", "))
        };
        let entry = |name: &str| races.iter().rev().find_map(|race| race.entry(name));
        let threads = |member: &Member<'_>| {
            let most =
                entry(member.name)?.middle(|trial| trial.server.threads_max.map(|n| n as f64))?;
            Some(grouped(most.round()))
        };
        let pool = |member: &Member<'_>| match entry(member.name).and_then(|it| it.trials.first()) {
            Some(trial) => trial.pool.map(|pool| pool.to_string()),
            None => Some(self.info(workload, member.name)?.pool?.to_string()),
        };
        parts.extend(each(&threads).map(|n| format!("threads: {n}")));
        parts.extend(each(&pool).map(|n| format!("pool: {n}")));
        if !races.is_empty() {
            let by = bound(&members, |name| Some(entry(name)?.bound_by()));
            parts.push(format!("bound by: {by}"));
        }
        let ceiling = |member: &Member<'_>| {
            let of = |c: &&crate::record::Ceiling| {
                c.workload == workload && c.scenario == scenario && c.contender == member.name
            };
            let ceiling = self.result.ceilings.iter().find(of)?;
            Some(format!("{} ({})", Rate(ceiling.closed_rps?), ceiling.binds))
        };
        parts.extend(each(&ceiling).map(|what| format!("maximum: {what}")));
        parts.join("; ")
    }

    fn provenance(&self) -> String {
        let result = self.result;
        let print = &result.fingerprint;
        // A history of gates is of many builds and seeds.
        let (binary, seed) = match clean(&print.binary).as_str() {
            "" => (String::new(), String::new()),
            one => (format!(", binary {one}"), format!(", seed {}", result.seed)),
        };
        format!(
            "{}, Linux {}, {}{}; bakeoff {}{}{binary}, {}{seed}, {}; over loopback",
            machines::cpu(result),
            clean(&print.kernel),
            counted(print.cores as usize, "core"),
            versions(result),
            clean(&print.bakeoff),
            print.unusual_build(),
            clean(&result.scenario),
            clean(&result.started_utc),
        )
    }
}

/// The open-loop ones among `races` of a workload, by rising rate.
fn levels<'r, 'a>(races: &'r [Race<'a>], workload: &str) -> Vec<&'r Race<'a>> {
    let offered = |race: &Race<'_>| {
        let rates = race.entries.iter().filter_map(Entry::offered_rps);
        rates.fold(f64::MAX, f64::min)
    };
    let mut levels: Vec<&Race<'a>> =
        races.iter().filter(|race| race.workload == workload && !race.is_closed()).collect();
    if levels.windows(2).any(|two| two[0].dependency() != two[1].dependency()) {
        return Vec::new();
    }
    levels.sort_by(|a, b| offered(a).total_cmp(&offered(b)));
    levels
}

/// `nothing`; `contender (thread-pool)`: what binds and whom, where it is not nothing for all.
fn bound<'a>(members: &[Member<'_>], by: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for member in members {
        let Some(what) = by(member.name).filter(|what| *what != "nothing") else { continue };
        match groups.iter_mut().find(|(other, _)| *other == what) {
            Some((_, names)) => names.push(clean(member.name)),
            None => groups.push((what, vec![clean(member.name)])),
        }
    }
    let told: Vec<String> = groups
        .iter()
        .map(|(what, names)| match names.len() {
            n if n == members.len() => clean(what),
            _ => format!("{} ({})", clean(what), names.join(", ")),
        })
        .collect();
    if told.is_empty() { "nothing".into() } else { told.join(", ") }
}

/// `; an upper bound where the generator was late: p99 of event-loop in 3 of 6 trials`; nothing where it was not.
pub(super) fn late(races: &[&Race<'_>], kind: &str) -> String {
    let bounds = |entry: &Entry<'_>| {
        let late = |trial: &Trial| Some(response(trial, trial.by_request.get(kind)?, 990).late());
        let all: Vec<Late> = entry.usable().filter_map(late).collect();
        (all.iter().filter(|late| **late == Late::Bound).count() as u64, all.len() as u64)
    };
    let one = |(name, n, of): (&str, u64, u64)| {
        format!("p99 of {} in {n} of {}", clean(name), counted(of as usize, "trial"))
    };
    let told: Vec<String> = sums(races, bounds).into_iter().map(one).collect();
    if told.is_empty() {
        return String::new();
    }
    format!("; an upper bound where the generator was late: {}", listed(&told))
}

/// `; failed and ranked last: thread-pool 36 of 31,200`; nothing where no request failed.
pub(super) fn failed(races: &[&Race<'_>]) -> String {
    let mut names = sums(races, Entry::failures);
    names.sort_by_key(|(_, failures, _)| std::cmp::Reverse(*failures));
    let others = names.split_off(names.len().min(FAILED_NAMED)).len();
    let one = |(name, failures, requests): &(&str, u64, u64)| {
        let [failures, requests] = [failures, requests].map(|n| grouped(*n as f64));
        format!("{} {failures} of {requests}", clean(name))
    };
    let mut told: Vec<String> = names.iter().map(one).collect();
    told.extend((others > 0).then(|| counted(others, "other")));
    if told.is_empty() {
        return String::new();
    }
    format!("; failed and ranked last: {}", told.join(", "))
}

/// How many of how many each contender has in all races; nothing of one that has none.
fn sums<'a>(
    races: &[&Race<'a>],
    of: impl Fn(&Entry<'a>) -> (u64, u64),
) -> Vec<(&'a str, u64, u64)> {
    let mut names: Vec<(&str, u64, u64)> = Vec::new();
    for entry in races.iter().flat_map(|race| &race.entries) {
        let (some, all) = of(entry);
        match names.iter_mut().find(|(name, ..)| *name == entry.name) {
            Some((_, n, of)) => (*n, *of) = (*n + some, *of + all),
            None => names.push((entry.name, some, all)),
        }
    }
    names.retain(|(_, some, _)| *some > 0);
    names
}

/// Of more contenders than this that failed requests the others are counted.
const FAILED_NAMED: usize = 3;

/// How the load of `races` was made, in few words.
pub(super) fn ways(races: &[&Race<'_>]) -> String {
    let mut ways = loads(races.iter().flat_map(|race| race.trials()));
    let more = ways.len().saturating_sub(1);
    ways.truncate(1);
    let first = ways.pop().unwrap_or_default();
    if more == 0 { first } else { format!("{first}, and {}", counted(more, "other load")) }
}

/// What a band around a median is, of so many rounds.
pub(super) fn band_words(n: usize) -> String {
    if n < 6 { format!("no band: n = {n}") } else { format!("band: its {}", interval_words(n)) }
}

/// How intervals of a run with so many paired rounds were made.
pub(super) fn interval_words(n: usize) -> String {
    if n < 6 {
        format!("no interval (n = {n})")
    } else {
        format!("exact signed-rank 95 %, n = {n}")
    }
}
