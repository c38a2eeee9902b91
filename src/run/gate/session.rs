//! One gate under way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::interrupt;
use crate::judge::gate::decision::ROUNDS_MAX;
use crate::judge::gate::failures::attribution;
use crate::judge::gate::{judge, sensitivity};
use crate::judge::{insecure, validity};
use crate::record::CLOSED_LEVEL;
use crate::record::gate::{
    About, Block, GateResult, Judgement, Metric, MetricJudgement, MetricPlan, OnInconclusive,
    Outcome, Plan, Purpose, Round, SCHEMA, Verdict,
};
use crate::record::{ByRequest, LostBy, Trial, Why};
use crate::report::gate::history::History;
use crate::run::gate::budget::{CLOSED, OVERHEAD};
use crate::run::gate::budget::{Strained, agree, shown};
use crate::run::gate::{Enough, GateRequest, block, budget};
use crate::run::host::Host;
use crate::run::journal::Journal;
use crate::run::rounds::{Budget, RandomizedBlock};
use crate::run::testbed::Testbed;
use crate::run::trial::spec::TrialSpec;
use crate::run::{Progress, rounds, why};
use crate::scenario::{self, Bound, Contender, Level, Scenario, Statement};
use crate::stats::percentile::FAILED_NS;
use crate::units::{Nanos, Rate, Share};
use crate::{clock, random};

/// The ceiling is probed again for no longer than this: then what the baseline bears at the rate says more.
const PROBING: Nanos = Nanos(10 * Nanos::SECOND.0);
/// How many rates are tried for one that the baseline bears.
const CHECKS: u32 = 5;

/// A gate under way.
#[derive(Debug)]
pub(super) struct Session<'a> {
    request: &'a GateRequest,
    /// The request's with the two contenders alone.
    scenario: Scenario,
    past: &'a History,
    testbed: Testbed<'a>,
    about: About,
    plan: Plan,
    rounds: Vec<Round>,
    began: Instant,
}

impl<'a> Session<'a> {
    /// Calibrates; nothing runs yet, and nothing is written before the first round.
    pub(super) fn open(
        request: &'a GateRequest,
        past: &'a History,
        progress: &'a mut Progress,
    ) -> Result<Self> {
        let scenario = pared(request);
        let pair = &request.pair;
        budget::expect_some_room(request)?;
        let order_seed = request.order_seed.unwrap_or_else(random::fresh_seed);
        if scenario.hosts.are_named() {
            return Err(Error::usage("a gate runs on this host alone"));
        }
        let fingerprint = Host::describe(&[scenario::fingerprint(&request.scenario)]);
        let mut notes = Vec::new();
        if pair.is_alike() && request.purpose == Purpose::Gate {
            notes
                .push("baseline and candidate are the same build: there is nothing to find".into());
        }
        notes.extend([&pair.baseline, &pair.candidate].into_iter().filter_map(insecure));
        if fingerprint.debug_build {
            notes.push("a debug build: its figures say nothing about a release build".into());
        }
        let mut testbed = Testbed::open(std::slice::from_ref(&scenario), progress, request.yes)?;
        testbed.keep_in(Journal::held_back(&request.out));
        testbed.warmth.limits = budget::limits(request.gate.budget);
        Ok(Self {
            about: About {
                scenario: request.scenario.name.clone(),
                purpose: request.purpose,
                baseline: pair.baseline.name.clone(),
                candidate: pair.candidate.name.clone(),
                commit: request.commit.clone(),
                binaries: pair.binaries(),
                started_utc: clock::utc(),
                order_seed,
                level: level(request.gate.rate),
                rate_rps: 0.0,
                warm_up_ns: 0,
                duration_ns: scenario.load.duration.0,
                lag_limit_ns: Some(validity::lag_limit(&scenario).0),
                notes,
                fingerprint,
            },
            plan: plan(request),
            rounds: Vec::new(),
            testbed,
            request,
            scenario,
            past,
            began: Instant::now(),
        })
    }

    /// The whole gate, or rounds until `enough` says so.
    ///
    /// # Errors
    /// When the baseline cannot be probed, the budget is too short, or a trial fails that no contender is responsible for.
    pub(super) fn run(
        &mut self,
        stop: &AtomicBool,
        enough: Option<&Enough<'_>>,
    ) -> Result<GateResult> {
        self.began = Instant::now();
        for note in &self.about.notes {
            self.testbed.progress.say(&format!("warning: {note}"));
        }
        self.testbed.progress.say(&format!("{}.", self.request.pair.sides()));
        let settled =
            self.settle_rate(stop).and_then(|overhead| match stop.load(Ordering::Relaxed) {
                true => Ok(()),
                false => self.settle_plan(overhead, stop),
            });
        // A gate that is refused by now leaves nothing, and an earlier report as it was.
        let ran = interrupt::forgiven(settled)
            .and_then(|()| self.testbed.write_down())
            .and_then(|()| self.run_rounds(stop, enough));
        self.testbed.progress.end();
        interrupt::forgiven(ran)?;
        self.about.notes.extend(self.testbed.host.neighbours.note());
        let mut judgement = judge(&self.plan, &self.rounds);
        if let Some(budget) = self.request.gate.budget.filter(|_| !judgement.finished)
            && self.is_out_of_time()
        {
            judgement.end_by_budget();
            self.about.notes.push(format!(
                "The budget of {budget} ended after {} of {} rounds: they took longer than was planned.",
                judgement.rounds, self.plan.rounds_max
            ));
        }
        // A calibration is of all its rounds, whatever the looks say.
        let calibrates = self.about.purpose == Purpose::Calibration;
        let whole = judgement.finished && !(calibrates && judgement.rounds < self.plan.rounds_max);
        if stop.load(Ordering::Relaxed) && !whole {
            judgement.interrupt();
        }
        let why = self.why(&judgement, stop);
        Ok(GateResult {
            schema: SCHEMA.into(),
            about: self.about.clone(),
            plan: self.plan.clone(),
            rounds: self.rounds.clone(),
            judgement,
            why,
        })
    }

    /// Profiled rounds of both after a regression that a function could explain. What goes wrong there is a note.
    fn why(&mut self, judgement: &Judgement, stop: &AtomicBool) -> Option<Why> {
        let explained = |one: &MetricJudgement| {
            matches!(one.metric, Metric::CpuPerRequest | Metric::P50)
                && one.outcome == Outcome::Regressed
                && one.not_gated.is_none()
        };
        let due = judgement.verdict == Verdict::Regressed
            && judgement.metrics.iter().any(explained)
            && !stop.load(Ordering::Relaxed);
        if !self.request.why || !due {
            return None;
        }
        let rate = Some(Rate(self.about.rate_rps));
        let due = self.scenario.contenders.iter();
        let due = due.map(|one| spec_of(&self.scenario, &self.about, one, rate, (0, 0)));
        let due: Vec<TrialSpec<'_>> = due.collect();
        let cpu = self.plan.metrics.iter().position(|one| one.metric == Metric::CpuPerRequest);
        let rounds = &self.rounds;
        let timed = |spec: &TrialSpec<'_>| {
            let block = |round: &Round| match spec.contender.name == self.about.baseline {
                true => round.baseline.values[cpu?],
                false => round.candidate.values[cpu?],
            };
            rounds.iter().filter(|round| round.void.is_none()).filter_map(block).collect()
        };
        let seed = self.about.order_seed;
        let ran = why::run(&mut self.testbed, &due, &timed, seed, Budget::of(None), stop);
        self.testbed.progress.end();
        match ran {
            Ok(why) => Some(why),
            Err(error) => {
                self.about.notes.push(format!("No profiled rounds: {}.", error.message()));
                None
            }
        }
    }

    /// Turns a share of the baseline's ceiling into a rate that it bears, and says why it is this rate; gives what a trial
    /// takes beside its load.
    fn settle_rate(&mut self, stop: &AtomicBool) -> Result<Nanos> {
        let share = match self.request.gate.rate {
            Level::Rate(rate) => {
                self.about.rate_rps = rate.0;
                self.explain(format!("Both get {rate}, as --rate or [gate] says."));
                if self.scenario.slo.is_none() {
                    self.check(Share(1.0), stop)?;
                    self.settle_lateness();
                }
                return Ok(OVERHEAD);
            }
            Level::OfLowest(share) | Level::OfOwn(share) => share,
        };
        let (closed, overhead) = self.ceiling(stop)?;
        self.about.rate_rps = share.0 * closed.0;
        let mut why =
            format!("{share} of the {} that the baseline answers in a closed loop", shown(closed));
        for _ in 0..CHECKS {
            let Some(strained) = self.check(share, stop)? else {
                let rates = match self.request.scenario.rates.is_empty()
                    || self.request.scenario.gate.is_some()
                {
                    true => "--rate sets another",
                    false => {
                        "the scenario's `rates` are those of `run`; --rate or [gate] sets another"
                    }
                };
                let rate = shown(Rate(self.about.rate_rps));
                self.explain(format!("Both get {rate}: {why}; {rates}."));
                self.settle_lateness();
                return Ok(overhead);
            };
            let (from, to) = (Rate(self.about.rate_rps), strained.rate);
            let note = format!(
                "The baseline does not bear {}: {}; the rate is lowered to {}.",
                shown(from),
                strained.why,
                shown(to)
            );
            self.testbed.progress.say(&note);
            self.about.rate_rps = to.0;
            why = strained.counts;
        }
        let rate = shown(Rate(self.about.rate_rps));
        Err(Error::invalid(format!(
            "the baseline bore none of {CHECKS} rates, each lower than the one before; the next would be {rate}"
        ))
        .help("--rate or [gate] sets a rate; `bakeoff run` shows what the baseline does under it"))
    }

    /// Without an SLO, the generator may be late by a tenth of what the baseline takes, as it may be by a tenth of an SLO.
    fn settle_lateness(&mut self) {
        let limit = validity::lag_limit(&self.scenario);
        self.about.lag_limit_ns = Some(limit.0);
        let is_its_tenth = |p99: Nanos| limit == validity::limit_of(p99) && limit.0 <= p99.0 / 10;
        if self.scenario.slo.is_none() && self.scenario.baseline_p99.is_some_and(is_its_tenth) {
            self.explain(format!(
                "Rounds count if requests are sent at most {limit} late at p99: a tenth of the baseline's p99, because no SLO is \
                 stated."
            ));
        }
    }

    fn explain(&mut self, sentence: String) {
        self.testbed.progress.say(&sentence);
        self.about.notes.push(sentence);
    }

    /// What the baseline answers in a closed loop: probed until two probes agree, where that does not take long, the
    /// lower of the two; and what a trial takes beside its load.
    fn ceiling(&mut self, stop: &AtomicBool) -> Result<(Rate, Nanos)> {
        let baseline = self.request.pair.baseline.clone();
        self.testbed.progress.say(&format!(
            "`{}` in a closed loop of {CLOSED}, to see what it can do",
            baseline.name
        ));
        let begun = Instant::now();
        let mut before: Option<Rate> = None;
        loop {
            self.testbed.progress.expect(1);
            let began = Instant::now();
            let probe = self.trial(&baseline, None, 0, 0, stop)?.ok_or_else(Error::interrupted)?;
            let found = Rate(probe.achieved_rps);
            if found.0 <= 0.0 {
                let why = match probe.validity.reasons.join("; ") {
                    why if probe.validity.lost => why,
                    _ => format!("no correct response in a closed loop of {CLOSED}"),
                };
                return Err(Error::invalid(format!("the baseline is broken: {why}"))
                    .by_contender(probe.validity.wrote));
            }
            let led = probe.led_in;
            let led = led.map_or(0.0, |led| led.warm_up_s + led.drain_s + led.lead_in_s);
            let load = Nanos::from_secs_f64(led) + CLOSED;
            let overhead = Nanos::from(began.elapsed()).saturating_sub(load);
            let lower = before.map_or(found, |before| if before < found { before } else { found });
            let steady = before.is_some_and(|before| agree(before, found));
            if steady || Nanos::from(begun.elapsed()) > PROBING {
                return Ok((lower, overhead));
            }
            before = Some(found);
        }
    }

    /// One trial of the baseline at the rate: nothing where it bears it, and then its p99 is known.
    fn check(&mut self, share: Share, stop: &AtomicBool) -> Result<Option<Strained>> {
        let baseline = self.request.pair.baseline.clone();
        let rate = Rate(self.about.rate_rps);
        self.testbed.progress.say(&format!(
            "`{}` for {CLOSED} at {}, to see whether it sustains that",
            baseline.name,
            shown(rate)
        ));
        self.testbed.progress.expect(1);
        let spec = TrialSpec {
            duration: CLOSED,
            ..spec_of(&self.scenario, &self.about, &baseline, Some(rate), (0, 0))
        };
        let trial = self.testbed.trial(&spec, stop)?.ok_or_else(Error::interrupted)?;
        if trial.validity.lost && trial.validity.lost_by != Some(LostBy::Errors) {
            let why = trial.validity.reasons.join("; ");
            return Err(Error::invalid(format!("the baseline is broken: {why}"))
                .by_contender(trial.validity.wrote));
        }
        let cores = self.testbed.host.placement(&self.scenario)?.contender.len();
        let strained = budget::strained(&trial, rate, share, cores);
        if strained.is_none() {
            self.scenario.baseline_p99 = least_p99(&trial);
        }
        Ok(strained)
    }

    /// Sets the length of the blocks and the most rounds, and says what that can see.
    fn settle_plan(&mut self, overhead: Nanos, stop: &AtomicBool) -> Result<()> {
        let rate = Rate(self.about.rate_rps);
        let mut beside = Nanos(0);
        for contender in &self.scenario.contenders.clone() {
            let open = self.before(contender, Some(rate), stop)?;
            self.about.warm_up_ns = self.about.warm_up_ns.max(open.0);
            beside += overhead + open;
            if self.closes() {
                beside += overhead + self.before(contender, None, stop)? + CLOSED;
            }
        }
        let left = budget::Left {
            all: self.request.gate.budget,
            spent: self.began.elapsed().into(),
            purpose: self.request.purpose,
        };
        let room = budget::room(left, &mut self.plan, &self.scenario, rate, beside)?;
        let round = room.round;
        self.about.duration_ns = room.block.0;
        self.plan.rounds_max = room.rounds;
        room.note.into_iter().for_each(|note| self.explain(note));
        // A calibration asks what is not known, and must not be told.
        let gate = self.request.purpose == Purpose::Gate;
        for metric in self.plan.metrics.iter_mut().filter(|_| gate) {
            metric.calibration = self.past.scatter(&self.about, &metric.label());
        }
        let trials = if self.closes() { 4 } else { 2 };
        self.testbed.progress.expect(trials * u64::from(self.plan.rounds_max));
        let lines = match self.request.purpose {
            Purpose::Gate => sensitivity::before(&self.plan, round),
            Purpose::Calibration => vec![format!(
                "{} rounds of {round} of `{}` against itself",
                self.plan.rounds_max, self.about.baseline
            )],
        };
        lines.iter().for_each(|line| self.testbed.progress.say(line));
        Ok(())
    }

    /// A round that has begun by then ends.
    fn is_out_of_time(&self) -> bool {
        self.request.gate.budget.is_some_and(|all| Nanos::from(self.began.elapsed()) >= all)
    }

    /// Rounds until the verdict stands, `enough` says so or the budget ends; a calibration has all of them whatever they say.
    fn run_rounds(&mut self, stop: &AtomicBool, enough: Option<&Enough<'_>>) -> Result<()> {
        for round in 1.. {
            if stop.load(Ordering::Relaxed) || self.is_out_of_time() {
                break;
            }
            let round = self.round(round, stop)?;
            // A round that was cut short is no round.
            if stop.load(Ordering::Relaxed) {
                break;
            }
            self.rounds.push(round);
            let enough = match (enough, self.request.purpose) {
                (Some(enough), _) => enough(&self.plan, &self.rounds),
                (None, Purpose::Gate) => judge(&self.plan, &self.rounds).finished,
                (None, Purpose::Calibration) => {
                    let counted = self.rounds.iter().filter(|round| round.void.is_none()).count();
                    let blamed = attribution(&self.plan, &self.rounds).is_some();
                    blamed || counted >= self.plan.rounds_max as usize
                }
            };
            if enough {
                break;
            }
        }
        Ok(())
    }

    /// A block of each, in random order.
    fn round(&mut self, number: u32, stop: &AtomicBool) -> Result<Round> {
        let randomized = RandomizedBlock { scenario: 0, level: 0, round: number };
        let order = rounds::order(self.about.order_seed, randomized, 2);
        let mut round = Round {
            round: number,
            baseline_first: order[0] == 0,
            void: None,
            baseline: block::unasked(&self.plan.metrics),
            candidate: block::unasked(&self.plan.metrics),
        };
        for (place, side) in (0..).zip(order) {
            if round.void.is_some() || stop.load(Ordering::Relaxed) {
                break;
            }
            let contender = self.scenario.contenders[side].clone();
            let (block, void) = self.block(&contender, number, place, stop)?;
            round.void = void;
            *(if side == 0 { &mut round.baseline } else { &mut round.candidate }) = block;
        }
        Ok(round)
    }

    /// A contender's block, and why its round is void, if it is.
    fn block(
        &mut self,
        contender: &Contender,
        round: u32,
        place: u32,
        stop: &AtomicBool,
    ) -> Result<(Block, Option<String>)> {
        let mut trials = Vec::new();
        let rates = [Some(Rate(self.about.rate_rps)), None];
        let rates = &rates[..if self.closes() { 2 } else { 1 }];
        for rate in rates {
            let Some(trial) = self.trial(contender, *rate, round, place, stop)? else { break };
            let lost = trial.validity.lost;
            trials.push(trial);
            if lost {
                break;
            }
        }
        let [open, closed @ ..] = &trials[..] else {
            return Ok((block::unasked(&self.plan.metrics), None));
        };
        let void = trials.iter().find(|trial| trial.validity.voids_round);
        let void = void.map(|trial| trial.validity.reasons.join("; "));
        let block = block::block(&self.plan.metrics, &self.scenario, open, closed.first());
        Ok((block, void))
    }

    /// One trial; without a rate a closed one.
    fn trial(
        &mut self,
        contender: &Contender,
        rate: Option<Rate>,
        round: u32,
        place: u32,
        stop: &AtomicBool,
    ) -> Result<Option<Trial>> {
        let spec = spec_of(&self.scenario, &self.about, contender, rate, (round, place));
        self.testbed.trial(&spec, stop)
    }

    /// About how long a contender's trials take up to their window; the pilots that say so are run now.
    fn before(
        &mut self,
        contender: &Contender,
        rate: Option<Rate>,
        stop: &AtomicBool,
    ) -> Result<Nanos> {
        let spec = spec_of(&self.scenario, &self.about, contender, rate, (1, 0));
        self.testbed.run_pilots(&spec, stop)?;
        // A closed loop is faster than the rate that is offered.
        let warming = self.testbed.warmth.before(&spec);
        Ok(warming.before.expected(Some(Rate(self.about.rate_rps))))
    }

    /// Whether each round has closed blocks too.
    fn closes(&self) -> bool {
        self.plan.metrics.iter().any(|chosen| chosen.metric == Metric::Throughput)
    }
}

/// p99 of the response times without the generator's lag, of the fastest request kind; fewer than 1,000 requests have none,
/// and then the highest percentile that they support stands for it.
fn least_p99(trial: &Trial) -> Option<Nanos> {
    let p99 = |kind: &ByRequest| {
        let times = kind.response_less_lag_ns.as_ref()?;
        times.p99.or(times.p90).or(times.p50).filter(|ns| *ns < FAILED_NS)
    };
    trial.by_request.values().filter_map(p99).min().map(Nanos)
}

/// A trial of a gate; without a rate a closed one.
fn spec_of<'b>(
    scenario: &'b Scenario,
    about: &About,
    contender: &'b Contender,
    rate: Option<Rate>,
    (round, place): (u32, u32),
) -> TrialSpec<'b> {
    let level = rate.map_or_else(|| CLOSED_LEVEL.into(), |rate| Rate(rate.0.round()).to_string());
    let duration = rate.map_or(CLOSED, |_| Nanos(about.duration_ns));
    TrialSpec { scenario, contender, rate, level, duration, round, place }
}

/// The request's scenario with its two contenders, about the first percentile that is gated: where the generator was
/// late in that one a trial is marked.
fn pared(request: &GateRequest) -> Scenario {
    let pair = &request.pair;
    let mut gated = request.gate.metrics.iter().map(|metric| metric.figure);
    let memory = gated.clone().any(|figure| matches!(figure, Metric::Memory | Metric::Rss));
    let metric = match gated.find(|figure| figure.is_a_response_time()) {
        Some(Metric::P99) => scenario::Metric::P99,
        _ => scenario::Metric::P50,
    };
    let about = |metric| Statement {
        text: "what the gate is about".into(),
        metric,
        of: pair.candidate.name.clone(),
        versus: Some(pair.baseline.name.clone()),
        at: None,
        request: None,
        bound: Bound::Within(1.0),
        decides: false,
    };
    Scenario {
        contenders: vec![pair.baseline.clone(), pair.candidate.clone()],
        expectations: vec![about(metric)],
        // Both sides are warmed up alike where their memory is compared.
        claims: memory.then(|| about(scenario::Metric::Memory)).into_iter().collect(),
        ..request.scenario.clone()
    }
}

fn plan(request: &GateRequest) -> Plan {
    let gate = &request.gate;
    let metrics = gate.metrics.iter().map(|chosen| {
        let metric = chosen.figure;
        MetricPlan {
            metric,
            request: chosen.request.clone(),
            margin: chosen.margin.map_or_else(|| metric.margin(), |margin| margin.0),
            required: chosen.required,
            calibration: None,
            left_out: None,
        }
    });
    Plan {
        rounds_max: ROUNDS_MAX,
        metrics: metrics.collect(),
        prove_margin: request.prove_margin,
        fail_intermittent: request.fail_intermittent,
        on_inconclusive: match gate.fail_inconclusive {
            true => OnInconclusive::Fail,
            false => OnInconclusive::Warn,
        },
        report_only: request.pair.report_only(),
    }
}

/// As asked: what past gates must have in common with this one.
fn level(level: Level) -> String {
    match level {
        Level::Rate(rate) => rate.to_string(),
        Level::OfLowest(share) | Level::OfOwn(share) => {
            format!("{share} of the baseline's maximum throughput")
        }
    }
}
