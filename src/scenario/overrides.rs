//! Flags over the scenario: what they change, what falls away with it, and what must hold again.

use super::convert::ROUNDS_MAX;
use super::hosts::Hosts;
use super::loading::{WINDOW_MAX, WINDOW_MIN};
use super::{Contender, Experiments, Kind, Level, LoadKind, Scenario, Statement, WarmUp, foreign};
use crate::error::{Error, Result};
use crate::scenario::Metric;
use crate::units::{Nanos, Rate, Share};

/// The flags of a run that change a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Trials of each contender at each level.
    pub rounds: Option<u32>,
    /// The measured window at least.
    pub duration: Option<Nanos>,
    /// Before the window.
    pub warm_up: Option<WarmUp>,
    /// The only level.
    pub rate: Option<Rate>,
    /// Of the dataset, the arrivals and the bodies.
    pub seed: Option<u64>,
    /// The only contenders; empty keeps all. Their order stays the scenario's.
    pub contenders: Vec<String>,
    /// More hosts, and who runs where.
    pub hosts: Hosts,
    /// Two short rounds at the lowest level: quick proof that everything runs, and no numbers to keep.
    pub smoke: bool,
}

/// What a smoke run does where no flag says otherwise.
const SMOKE_ROUNDS: u32 = 2;
/// Neither pilot nor lead-in.
const SMOKE_WARM_UP: WarmUp = WarmUp::Through(Nanos(100 * Nanos::MILLI.0));
const SMOKE_DURATION: Nanos = Nanos(300 * Nanos::MILLI.0);

impl Scenario {
    /// The scenario as `overrides` change it. Statements about a contender or a level that no longer runs are dropped;
    /// [`Scenario::notes`] says so.
    ///
    /// # Errors
    /// Usage errors: an unknown contender, a figure out of range, or a load that no longer fits the scenario.
    pub fn with(mut self, overrides: &Overrides) -> Result<Self> {
        self.keep_contenders(&overrides.contenders)?;
        if overrides.smoke {
            self.make_smoke();
        }
        let flag =
            [("--rate", overrides.rate.is_some()), ("--duration", overrides.duration.is_some())];
        if let (false, Some((flag, _))) =
            (!self.load.says_its_rates(), flag.iter().find(|(_, given)| *given))
        {
            return Err(Error::usage(format!(
                "{flag} is for a steady load, and that of {} goes in steps or is replayed",
                self.name
            ))
            .help("change `steps`, `spike` or `replay` in the scenario"));
        }
        self.set_times(overrides)?;
        if let Some(rate) = overrides.rate {
            self.set_rate(rate)?;
        }
        self.seed = overrides.seed.unwrap_or(self.seed);
        self.hosts = self.hosts.with(&overrides.hosts);
        self.check_hosts()?;
        self.drop_unrun_map();
        self.drop_unrun_statements();
        self.load.requests_min = if overrides.smoke { 0 } else { self.requests_needed() };
        self.check()?;
        Ok(self)
    }

    fn keep_contenders(&mut self, names: &[String]) -> Result<()> {
        let swept = |one: &Contender| one.sweep.as_ref().is_some_and(|name| names.contains(name));
        for name in names {
            if !self.contenders.iter().any(|one| one.sweep.as_ref() == Some(name)) {
                self.contender(name)?;
            }
        }
        if !names.is_empty() {
            self.contenders.retain(|one| names.contains(&one.name) || swept(one));
        }
        Ok(())
    }

    fn make_smoke(&mut self) {
        self.smoke = true;
        self.rounds = SMOKE_ROUNDS;
        self.headline = None;
        let lowest = self.load.steps.drain(..).map(|step| step.times).fold(1.0, f64::min);
        self.rates.iter_mut().for_each(|level| *level = level.scaled(lowest));
        self.load.warm_up = SMOKE_WARM_UP;
        self.load.duration = SMOKE_DURATION;
        self.rates.sort_by(|a, b| lowness(a).total_cmp(&lowness(b)));
        self.rates.truncate(1);
        if self.experiments.capacity.take().is_some() && self.rates.is_empty() {
            self.rates.push(Level::OfLowest(Share(0.5)));
        }
        self.experiments.compared = self.rates.len();
        if let Some(footprint) = &mut self.experiments.footprint {
            footprint.starts = SMOKE_ROUNDS;
        }
        if let Some(map) = &mut self.experiments.map {
            map.cpus.truncate(1);
            map.waits.truncate(1);
            map.rounds = SMOKE_ROUNDS;
        }
        self.notes.push(
            "a smoke run: it shows that everything runs, and its numbers mean nothing".into(),
        );
    }

    fn set_times(&mut self, overrides: &Overrides) -> Result<()> {
        if let Some(rounds) = overrides.rounds {
            if !(1..=ROUNDS_MAX).contains(&rounds) {
                let range = format!("1 to {ROUNDS_MAX}");
                return Err(Error::usage(format!("--rounds {rounds} is not {range}")));
            }
            self.rounds = rounds;
        }
        if let Some(duration) = overrides.duration {
            if !(WINDOW_MIN..=WINDOW_MAX).contains(&duration) {
                let range = format!("{WINDOW_MIN} to an hour");
                return Err(Error::usage(format!("--duration {duration} is not {range}")));
            }
            self.load.duration = duration;
        }
        if let Some(warm_up) = overrides.warm_up {
            if !warm_up.fits() {
                return Err(Error::usage(format!(
                    "--warm-up {warm_up} is longer than an hour, or 100,000,000 requests"
                )));
            }
            self.load.warm_up = match warm_up {
                WarmUp::Time(time) if overrides.smoke => WarmUp::Through(time),
                other => other,
            };
        }
        Ok(())
    }

    /// With one level, its statements follow it to the new rate: they hold "at the rate that runs". With several, each
    /// was made about its own.
    fn set_rate(&mut self, rate: Rate) -> Result<()> {
        let name = &self.name;
        if self.load.kind == LoadKind::Closed {
            return Err(Error::usage(format!("--rate {rate} is for an open load"))
                .help(format!("the load of {name} is closed: it sends as fast as answers come")));
        }
        let level = Level::Rate(rate);
        if let [only] = self.rates[..]
            && only != level
        {
            self.notes.push(format!("--rate runs {level} in place of {only}"));
            for statement in self.expectations.iter_mut().chain(&mut self.claims) {
                statement.at = Some(level);
            }
        }
        self.rates = vec![level];
        let footprint = self.experiments.footprint;
        self.experiments = Experiments { compared: 1, footprint, ..Experiments::default() };
        Ok(())
    }

    fn drop_unrun_map(&mut self) {
        let Some(map) = &self.experiments.map else { return };
        let runs = |name: &String| self.contenders.iter().any(|one| one.name == *name);
        let unrun = [&map.of, &map.versus].into_iter().find(|name| !runs(name));
        if let Some(note) = unrun.map(|name| format!("no map is made, `{name}` does not run")) {
            self.notes.push(note);
            self.experiments.map = None;
        }
    }

    fn drop_unrun_statements(&mut self) {
        let names: Vec<&str> = self.contenders.iter().map(|one| one.name.as_str()).collect();
        let rates = &self.rates;
        let notes = &mut self.notes;
        let mut keep = |kind: &str, statement: &Statement| {
            let named = [Some(&statement.of), statement.versus.as_ref()];
            let unrun = named.into_iter().flatten().find(|name| !names.contains(&name.as_str()));
            let why = match (unrun, statement.at) {
                (Some(name), _) => format!("`{name}` does not run"),
                (None, Some(at)) if !rates.contains(&at) => format!("{at} does not run"),
                _ => return true,
            };
            notes.push(format!("{kind} not judged, {why}: {}", statement.text));
            false
        };
        self.expectations.retain(|statement| keep("expectation", statement));
        self.claims.retain(|statement| keep("claim", statement));
    }

    /// Of the contenders that run, and so not of those that a flag leaves out.
    fn check_programs(&self) -> Result<()> {
        for contender in &self.contenders {
            let Kind::Command { argv, setup } = &contender.kind else { continue };
            if let Some(missing) = foreign::missing(argv, &setup.folder) {
                let (name, scenario) = (&contender.name, &self.name);
                return Err(Error::usage(format!(
                    "`{name}` of {scenario} cannot be started: there is no {missing}"
                ))
                .help(format!("{}; or leave it out with --contender", foreign::BUILD)));
            }
        }
        Ok(())
    }

    /// What a file's reader checks of a whole scenario, said of flags.
    fn check(&self) -> Result<()> {
        let (name, now) = (&self.name, self.load.connections);
        self.check_programs()?;
        if let Some(needed) = self.connections_needed() {
            return Err(Error::usage(format!(
                "{name} has {now} connections, too few to carry this rate within its SLO"
            ))
            .help(format!("write connections = {needed} into its load, or lower --rate")));
        }
        if let Some((place, window)) = self.window_too_long() {
            let level = self.rates[place];
            let minutes = window.as_secs_f64() / 60.0;
            return Err(Error::usage(format!(
                "at {level} a window of {name} would last {minutes:.0} minutes"
            ))
            .help("its percentiles need that many requests; raise --rate"));
        }
        Ok(())
    }
}

/// Orders levels by load; a share of a ceiling counts as less than any rate, since a scenario seldom has both.
fn lowness(level: &Level) -> f64 {
    match level {
        Level::Rate(rate) => rate.0,
        Level::OfLowest(share) | Level::OfOwn(share) => share.0,
    }
}

// What is left of a scenario where time is short: as much as its first statement needs.

impl Scenario {
    /// The scenario with what its deciding statements (or else its first one) compare: those contenders, those levels and
    /// those experiments, and the other statements that these can judge too. As it is where it states nothing.
    /// [`Scenario::notes`] says what was left out.
    pub fn pared(mut self) -> Self {
        let mut kept: Vec<Statement> =
            self.statements().filter(|one| one.decides).cloned().collect();
        if kept.is_empty() {
            kept.extend(self.statements().next().cloned());
        }
        if kept.is_empty() {
            return self;
        }
        let all = (self.contenders.len(), self.rates.len());
        let named = |name: &String| {
            kept.iter().any(|one| one.of == *name || one.versus.as_ref() == Some(name))
        };
        self.contenders.retain(|one| named(&one.name));
        self.keep_what_speaks_to(&kept);
        let (claims, expectations) = (self.judged(&self.claims), self.judged(&self.expectations));
        (self.claims, self.expectations) = (claims, expectations);
        self.load.requests_min = self.requests_needed();
        let left = (self.contenders.len(), self.rates.len());
        if left != all {
            self.notes.push(format!(
                "time is short: only what decides, {} of {} contenders and {} of {} levels",
                left.0, all.0, left.1, all.1
            ));
        }
        self
    }

    /// Levels and experiments: a capacity needs its search and no level.
    fn keep_what_speaks_to(&mut self, kept: &[Statement]) {
        let Experiments { capacity, footprint, memory_max_bytes, .. } = self.experiments;
        let beside_load = kept.iter().all(|one| one.metric.is_of_a_footprint());
        self.rates.retain(|level| beside_load || kept.iter().any(|one| one.at == Some(*level)));
        let any = |of: fn(Metric) -> bool| kept.iter().any(|one| of(one.metric));
        self.experiments = Experiments {
            compared: self.rates.len(),
            capacity: capacity.filter(|_| any(|metric| metric == Metric::Capacity)),
            footprint: footprint.filter(|_| any(Metric::is_of_a_footprint)),
            map: None,
            memory_max_bytes,
        };
    }

    /// Those that the contenders, levels and experiments that are left can judge.
    fn judged(&self, statements: &[Statement]) -> Vec<Statement> {
        let runs = |name: &String| self.contenders.iter().any(|one| one.name == *name);
        let can = |one: &&Statement| {
            runs(&one.of)
                && one.versus.as_ref().is_none_or(runs)
                && one.at.is_none_or(|level| self.rates.contains(&level))
                && (one.metric != Metric::Capacity || self.experiments.capacity.is_some())
                && (!one.metric.is_of_a_footprint() || self.experiments.footprint.is_some())
        };
        statements.iter().filter(can).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{builtin, fingerprint, parse};

    fn three_levels() -> Scenario {
        builtin("payment-memory").unwrap()
    }

    #[test]
    fn nothing_changes_without_flags() {
        let scenario = three_levels();
        assert_eq!(scenario.clone().with(&Overrides::default()).unwrap(), scenario);
    }

    #[test]
    fn a_dropped_contender_takes_its_statements_along_and_a_note_says_so() {
        let contenders = vec!["thread-pool".to_owned(), "work-stealing".to_owned()];
        let before = three_levels();
        let about = |scenario: &Scenario, name: &str| {
            let named = |one: &&Statement| one.of == name || one.versus.as_deref() == Some(name);
            scenario.claims.iter().filter(named).count()
        };
        assert!(about(&before, "event-loop") > 0);
        let after = before.clone().with(&Overrides { contenders, ..Default::default() }).unwrap();
        let names: Vec<_> = after.contenders.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["work-stealing", "thread-pool"], "in the scenario's order");
        assert_eq!(about(&after, "event-loop"), 0);
        assert_eq!(after.notes.len(), before.claims.len() - after.claims.len());
        assert!(after.notes[0].contains("`event-loop` does not run"), "{:?}", after.notes);
        assert_ne!(fingerprint(&after), fingerprint(&before));
    }

    #[test]
    fn an_unknown_contender_is_a_usage_error_with_the_nearest() {
        let overrides = Overrides { contenders: vec!["thread-pol".into()], ..Default::default() };
        let error = three_levels().with(&overrides).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("did you mean `thread-pool`?"), "{error}");
    }

    #[test]
    fn a_server_that_is_not_built_is_told_with_what_builds_it_unless_it_is_left_out() {
        let mut scenario = builtin("go-vs-node-raw").unwrap();
        for contender in &mut scenario.contenders {
            if let Kind::Command { setup, .. } = &mut contender.kind {
                setup.folder = "/nowhere/scenarios".into();
            }
        }
        let error = scenario.clone().with(&Overrides::default()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let error = error.to_string();
        assert!(error.contains("/nowhere/contenders/go/bin/server"), "{error}");
        assert!(error.contains("contenders/build --install"), "{error}");
        let contenders = vec!["event-loop".to_owned(), "thread-pool".to_owned()];
        scenario.with(&Overrides { contenders, ..Default::default() }).unwrap();
    }

    #[test]
    fn a_rate_replaces_the_levels_and_drops_what_was_said_of_several() {
        let rate = Some(Rate(500.0));
        let after = three_levels().with(&Overrides { rate, ..Default::default() }).unwrap();
        assert_eq!(after.rates, [Level::Rate(Rate(500.0))]);
        assert!(after.claims.is_empty() && !after.notes.is_empty());

        let canary = builtin("canary").unwrap();
        let after = canary.with(&Overrides { rate, ..Default::default() }).unwrap();
        assert_eq!(after.expectations.len(), 1, "it was made of the only level");
        assert_eq!(after.expectations[0].at, Some(Level::Rate(Rate(500.0))));
        assert!(after.notes[0].contains("in place of"), "{:?}", after.notes);
    }

    #[test]
    fn a_smoke_run_is_short_whatever_the_rate_and_flags_still_count() {
        let smoke = Overrides { smoke: true, ..Default::default() };
        let after = three_levels().with(&smoke).unwrap();
        assert_eq!(
            (after.rounds, after.rates.as_slice()),
            (2, [Level::OfLowest(Share(0.2))].as_slice())
        );
        assert_eq!(after.duration_at(Rate(1.0)), Nanos(300_000_000));
        let after = three_levels().with(&Overrides { rounds: Some(3), ..smoke }).unwrap();
        assert_eq!(after.rounds, 3);
    }

    #[test]
    fn a_flag_out_of_range_is_named() {
        let refused =
            |overrides: Overrides| three_levels().with(&overrides).unwrap_err().to_string();
        let rounds = Overrides { rounds: Some(0), ..Default::default() };
        assert!(refused(rounds).contains("--rounds 0"));
        let duration = Overrides { duration: Some(Nanos(0)), ..Default::default() };
        assert!(refused(duration).contains("--duration 0 ns"));
        let warm_up =
            Overrides { warm_up: Some(WarmUp::Time(Nanos(u64::MAX))), ..Default::default() };
        assert!(refused(warm_up).contains("--warm-up"));
        let rate = Overrides { rate: Some(Rate(0.01)), ..Default::default() };
        assert!(refused(rate).contains("a window of payment-memory would last"));
    }

    #[test]
    fn a_rate_that_the_connections_cannot_carry_is_refused_with_the_number_to_write() {
        let text = "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"payment\"\n\
                    experiment = { compare = { rates = [\"100/s\"] } }\n\
                    contender.a.model = \"thread-pool\"\nslo.p99 = \"100ms\"\n";
        let scenario = parse("a.toml", text).unwrap();
        let error = scenario
            .with(&Overrides { rate: Some(Rate(1_000.0)), ..Default::default() })
            .unwrap_err();
        assert!(error.to_string().contains("connections = 200"), "{error}");
        let closed = text
            .replace("experiment = { compare = { rates = [\"100/s\"] } }", "load.closed = {}")
            .replace("slo.p99 = \"100ms\"", "");
        let error = parse("a.toml", &closed)
            .unwrap()
            .with(&Overrides { rate: Some(Rate(1.0)), ..Default::default() })
            .unwrap_err();
        assert!(error.to_string().contains("is for an open load"), "{error}");
    }

    #[test]
    fn a_pared_scenario_has_what_its_first_claim_compares_and_says_what_it_lost() {
        let whole = builtin("payment-50ms-query").unwrap();
        let first = whole.claims[0].clone();
        assert!(whole.statements().all(|one| !one.decides), "then the first one decides");
        let pared = whole.clone().pared();
        let names: Vec<&str> = pared.contenders.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.len(), 2);
        assert!(names.contains(&first.of.as_str()));
        assert!(names.contains(&first.versus.as_deref().unwrap()));
        assert_eq!(pared.rates, [first.at.unwrap()]);
        assert_eq!(pared.claims[0], first);
        assert!(pared.claims.len() < whole.claims.len());
        assert!(
            pared.claims.iter().all(|one| one.at == first.at && one.metric != Metric::Capacity)
        );
        assert!(
            pared.notes.iter().any(|note| note.contains("2 of 4 contenders and 1 of 3 levels"))
        );
        assert!(pared.estimate() < whole.estimate());
    }

    #[test]
    fn the_experiment_that_the_first_claim_speaks_of_stays() {
        let footprint = builtin("footprint").unwrap().pared();
        assert!(footprint.experiments.footprint.is_some());
        assert_eq!(footprint.contenders.len(), 2);
        let raw = builtin("go-vs-node-raw").unwrap().pared();
        assert_eq!((raw.contenders.len(), raw.experiments.compared), (2, 0));
    }

    #[test]
    fn everything_that_decides_stays() {
        let whole = builtin("go-vs-node-payment-50ms").unwrap();
        let pared = whole.clone().pared();
        let deciding = |one: &Scenario| one.statements().filter(|one| one.decides).count();
        assert_eq!((deciding(&pared), pared.rates.len()), (4, 2));
        assert_eq!((whole.contenders.len(), pared.contenders.len()), (8, 2));
    }

    #[test]
    fn a_scenario_that_says_nothing_is_left_as_it_is() {
        let tour = builtin("tour-payment").unwrap();
        assert_eq!(tour.clone().pared(), tour);
    }
}
