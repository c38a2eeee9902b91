//! One gate under way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::clock;
use crate::error::{Error, Result};
use crate::gate::formats::history::History;
use crate::gate::levels::{ROUNDS_MAX, ROUNDS_MIN, rounds_within};
use crate::gate::{blame::blame, judge, sight};
use crate::interrupt;
use crate::random;
use crate::report::gate::{
    About, Block, GateResult, Metric, MetricPlan, OnInconclusive, Plan, Purpose, Round, SCHEMA,
};
use crate::report::schema::Trial;
use crate::run::gate::{Request, block};
use crate::run::journal::Journal;
use crate::run::rounds::{self, Heat};
use crate::run::testbed::{Ask, Testbed};
use crate::run::{Progress, fingerprint, validity};
use crate::scenario::{self, Bound, Contender, GateFigure, Level, Scenario, Statement};
use crate::units::{Nanos, POISSON_MARGIN, Rate, grouped};

/// How long the baseline's ceiling is probed, and how long a closed block is.
const CLOSED: Nanos = Nanos(3 * Nanos::SECOND.0);
/// A block is as long as the scenario says, or until it has the requests that a percentile needs, if that is not longer.
const BLOCK_MAX: Nanos = Nanos(300 * Nanos::SECOND.0);
/// What a trial takes beside its load, where no probe has shown it: as the tour has seen it.
const OVERHEAD: Nanos = Nanos(300 * Nanos::MILLI.0);

/// A gate under way.
#[derive(Debug)]
pub(super) struct Session<'a> {
    request: &'a Request,
    /// The request's with the two contenders alone.
    scenario: Scenario,
    past: &'a History,
    testbed: Testbed<'a>,
    about: About,
    plan: Plan,
    rounds: Vec<Round>,
}

impl<'a> Session<'a> {
    /// Makes the report folder and calibrates; nothing runs yet.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(super) fn open(
        request: &'a Request,
        past: &'a History,
        progress: &'a mut Progress,
    ) -> Result<Self> {
        let scenario = pared(request);
        let pair = &request.pair;
        let order_seed = request.order_seed.unwrap_or_else(random::fresh_seed);
        let fingerprint = fingerprint::take(std::slice::from_ref(&request.scenario));
        let mut notes = Vec::new();
        if pair.is_alike() && request.purpose == Purpose::Gate {
            notes
                .push("baseline and candidate are the same build: there is nothing to find".into());
        }
        if fingerprint.debug_build {
            notes.push("a debug build: its figures say nothing about a release build".into());
        }
        let journal = Journal::create(&request.out)?;
        let mut testbed = Testbed::open(std::slice::from_ref(&scenario), progress, request.yes)?;
        testbed.keep_in(journal);
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
        })
    }

    /// The whole gate.
    ///
    /// # Errors
    /// When the baseline cannot be probed, the budget is too short, or a trial fails that is nobody's fault.
    pub(super) fn run(&mut self, stop: &AtomicBool) -> Result<GateResult> {
        for note in &self.about.notes {
            self.testbed.progress.say(&format!("warning: {note}"));
        }
        let settled =
            self.settle_rate(stop).and_then(|overhead| match stop.load(Ordering::Relaxed) {
                true => Ok(()),
                false => self.settle_plan(overhead, stop),
            });
        let ran = interrupt::forgiven(settled).and_then(|()| self.run_rounds(stop));
        self.testbed.progress.end();
        interrupt::forgiven(ran)?;
        self.about.notes.extend(self.testbed.neighbours.note());
        let mut judgement = judge(&self.plan, &self.rounds);
        if stop.load(Ordering::Relaxed) && !judgement.finished {
            judgement.interrupt();
        }
        Ok(GateResult {
            schema: SCHEMA.into(),
            about: self.about.clone(),
            plan: self.plan.clone(),
            rounds: self.rounds.clone(),
            judgement,
        })
    }

    /// Turns a share of the baseline's ceiling into a rate; gives what a trial takes beside its load.
    fn settle_rate(&mut self, stop: &AtomicBool) -> Result<Nanos> {
        let share = match self.request.gate.rate {
            Level::Rate(rate) => {
                self.about.rate_rps = rate.0;
                return Ok(OVERHEAD);
            }
            Level::OfLowest(share) | Level::OfOwn(share) => share,
        };
        self.testbed.progress.expect(1);
        let began = Instant::now();
        let baseline = self.request.pair.baseline.clone();
        let probe = self.trial(&baseline, None, 0, 0, stop)?;
        if probe.achieved_rps <= 0.0 && !stop.load(Ordering::Relaxed) {
            let why = match probe.validity.reasons.join("; ") {
                why if probe.validity.lost => why,
                _ => format!("no right answer in a closed loop of {CLOSED}"),
            };
            return Err(Error::invalid(format!("the baseline is broken: {why}"))
                .by_contender(probe.validity.wrote));
        }
        self.about.rate_rps = share.0 * probe.achieved_rps;
        let before = probe.led_in.map_or(0.0, |led| led.warm_up_s + led.drain_s + led.lead_in_s);
        let load = Nanos::from_secs_f64(before) + CLOSED;
        Ok(Nanos::from(began.elapsed()).saturating_sub(load))
    }

    /// Sets the length of the blocks and the most rounds, and says what that can see.
    fn settle_plan(&mut self, overhead: Nanos, stop: &AtomicBool) -> Result<()> {
        let needed = block::requests_needed(&self.plan.metrics, &self.scenario);
        let least = Rate(self.about.rate_rps).window_of(needed);
        if least > BLOCK_MAX {
            let rate = Rate(self.about.rate_rps);
            let needed = grouped((needed * POISSON_MARGIN).round());
            return Err(Error::usage(format!("at {rate} a block would last {least}")).help(
                format!(
                    "a gated percentile needs {needed} requests on average; raise the rate, or gate others"
                ),
            ));
        }
        let duration = self.scenario.load.duration.max(least);
        self.about.duration_ns = duration.0;
        let began = Instant::now();
        let mut round = Nanos(0);
        for contender in &self.scenario.contenders.clone() {
            let open = self.before(contender, Some(Rate(self.about.rate_rps)), stop)?;
            self.about.warm_up_ns = self.about.warm_up_ns.max(open.0);
            round += overhead + open + duration;
            if self.closes() {
                round += overhead + self.before(contender, None, stop)? + CLOSED;
            }
        }
        let budget = self.request.gate.budget;
        let budget = budget.map(|all| all.saturating_sub(began.elapsed().into()));
        self.plan.rounds_max = match (budget, self.request.purpose) {
            (Some(budget), _) => rounds_within(budget, round)?,
            (None, Purpose::Gate) => ROUNDS_MAX,
            (None, Purpose::Calibration) => ROUNDS_MIN,
        };
        // A calibration asks what is not known, and must not be told.
        let gate = self.request.purpose == Purpose::Gate;
        for metric in self.plan.metrics.iter_mut().filter(|_| gate) {
            metric.calibration = self.past.scatter(&self.about, &metric.label());
        }
        let trials = if self.closes() { 4 } else { 2 };
        self.testbed.progress.expect(trials * u64::from(self.plan.rounds_max));
        let lines = match self.request.purpose {
            Purpose::Gate => sight::before(&self.plan, round),
            Purpose::Calibration => vec![format!(
                "{} rounds of {round} of `{}` against itself",
                self.plan.rounds_max, self.about.baseline
            )],
        };
        lines.iter().for_each(|line| self.testbed.progress.say(line));
        Ok(())
    }

    /// Rounds until the verdict stands; a calibration has all of them whatever they say.
    fn run_rounds(&mut self, stop: &AtomicBool) -> Result<()> {
        for round in 1.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let round = self.round(round, stop)?;
            // A round that was cut short is no round.
            if stop.load(Ordering::Relaxed) {
                break;
            }
            self.rounds.push(round);
            let enough = match self.request.purpose {
                Purpose::Gate => judge(&self.plan, &self.rounds).finished,
                Purpose::Calibration => {
                    let counted = self.rounds.iter().filter(|round| round.void.is_none()).count();
                    let blamed = blame(&self.plan, &self.rounds).is_some();
                    blamed || counted >= self.plan.rounds_max as usize
                }
            };
            if enough {
                break;
            }
        }
        Ok(())
    }

    /// A block of each, in the order that the coin says.
    fn round(&mut self, number: u32, stop: &AtomicBool) -> Result<Round> {
        let heat = Heat { scenario: 0, level: 0, round: number };
        let order = rounds::order(self.about.order_seed, heat, 2);
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
            let trial = self.trial(contender, *rate, round, place, stop)?;
            if stop.load(Ordering::Relaxed) {
                break;
            }
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
    ) -> Result<Trial> {
        let ask = ask(&self.scenario, &self.about, contender, rate, (round, place));
        self.testbed.trial(&ask, stop)
    }

    /// About how long a contender's trials take up to their window; the pilots that say so are run now.
    fn before(
        &mut self,
        contender: &Contender,
        rate: Option<Rate>,
        stop: &AtomicBool,
    ) -> Result<Nanos> {
        let ask = ask(&self.scenario, &self.about, contender, rate, (1, 0));
        self.testbed.run_pilots(&ask, stop)?;
        // A closed loop is faster than the rate that is offered.
        let warming = self.testbed.warmth.before(&ask);
        Ok(warming.before.expected(Some(Rate(self.about.rate_rps))))
    }

    /// Whether each round has closed blocks too.
    fn closes(&self) -> bool {
        self.plan.metrics.iter().any(|chosen| chosen.metric == Metric::Throughput)
    }
}

/// A trial of a gate; without a rate a closed one.
fn ask<'b>(
    scenario: &'b Scenario,
    about: &About,
    contender: &'b Contender,
    rate: Option<Rate>,
    (round, place): (u32, u32),
) -> Ask<'b> {
    let level = rate.map_or_else(|| "closed".into(), |rate| Rate(rate.0.round()).to_string());
    let duration = rate.map_or(CLOSED, |_| Nanos(about.duration_ns));
    Ask { scenario, contender, rate, level, duration, round, place }
}

/// The request's scenario with its two contenders, about the first percentile that is gated: where the generator was
/// late in that one a trial is marked.
fn pared(request: &Request) -> Scenario {
    let pair = &request.pair;
    let mut gated = request.gate.metrics.iter().map(|metric| metric.figure);
    let memory = gated.clone().any(|figure| matches!(figure, GateFigure::Memory | GateFigure::Rss));
    let metric = match gated.find(|figure| figure.is_of_a_request()) {
        Some(GateFigure::P99) => scenario::Metric::P99,
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

fn plan(request: &Request) -> Plan {
    let gate = &request.gate;
    let metrics = gate.metrics.iter().map(|chosen| {
        let metric = Metric::named(chosen.figure.name()).expect("a gate's metrics are these");
        MetricPlan {
            metric,
            request: chosen.request.clone(),
            margin: chosen.margin.map_or_else(|| metric.margin(), |margin| margin.0),
            required: chosen.required,
            calibration: None,
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
            format!("{share} of the baseline's ceiling")
        }
    }
}
