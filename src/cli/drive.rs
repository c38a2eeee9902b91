//! `bakeoff drive`: the load generator alone, against any HTTP server on this machine.

mod search;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::thread::{CpuSet, sched_getaffinity};

use self::search::Slo;
use super::flags::Quiet;
use super::{Format, print};
use crate::error::{Context, Error, Result};
use crate::judge::failures::error_counts;
use crate::judge::failures::over_the_error_bound;
use crate::judge::validity::Evidence;
use crate::judge::{failures, validity};
use crate::load::live::Live;
use crate::load::plan::{
    Amount, Arrivals, BodyCheck, Bursts, First, Fixed, Names, Operation, Pace, Peer, Plan, Replay,
    Shape, Spike, Statuses, Traffic, WarmUp,
};
use crate::load::tls::TlsOptions;
use crate::load::url::Url;
use crate::machine::interference::{Interference, Neighbours};
use crate::record::CLOSED_LEVEL;
use crate::record::histogram::Ranked;
use crate::record::outcome::{Outcome, RequestError};
use crate::record::{Audit, AuditVerdict, PlacementKind, Trial, TrialPlacement, TrialVerdict};
use crate::report::hgrm::hgrm;
use crate::report::openmetrics::openmetrics;
use crate::run::trial::figures;
use crate::text::clean;
use crate::units::{Nanos, Rate, Share, grouped, three_digits};
use crate::{exit, files, interrupt, load, record, report};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff drive http://127.0.0.1:8080/                      a probe, then 10 s at half of what it found
  bakeoff drive http://127.0.0.1:8080/ --rate 1000/s --duration 30s --hgrm times.hgrm
  bakeoff drive http://127.0.0.1:8080/ --slo p99=100ms      the highest rate within an objective
  bakeoff drive http://127.0.0.1:8080/charge --body @charge.json --header 'content-type: application/json'

Exit codes: 0 measured, 1 internal error, 2 bad flag or no such server, 3 too many requests failed or no rate
meets the objective, 5 the measurement is invalid, 130 interrupted")]
pub(crate) struct Args {
    /// The target, http://127.0.0.1:PORT/PATH, https://.. or unix:/SOCKET[:/PATH]; localhost and [::1] too, but no other
    /// machine
    url: String,
    /// Requests per second (1000/s, 20k/s, 90/min), sent on schedule whether or not responses have arrived; 100/s..2000/s
    /// is a linear ramp. Without --rate, --closed and --slo: a closed-loop probe of 2 s, then half of the rate that it
    /// found
    #[arg(long, conflicts_with = "closed", value_parser = rates)]
    rate: Option<Rates>,
    /// Closed loop: each connection sends after it has received the response. Finds the maximum throughput, has no response
    /// time
    #[arg(long)]
    closed: bool,
    /// Search for the highest rate that meets this objective, p99=100ms (p50, p90, p99 or p99.9), in trials of 2 s or
    /// --duration, and up to 15 times that if the percentile needs it. A failure counts as slower than any response, and
    /// more failures than --error-rate break the objective
    #[arg(long, conflicts_with_all = ["rate", "closed"])]
    slo: Option<Slo>,
    /// Distribution of arrivals: poisson or constant
    #[arg(long, default_value_t)]
    arrivals: Arrivals,
    #[command(flatten)]
    course: Course,
    /// The measured window [default: 10s, or the length of a replay]
    #[arg(long)]
    duration: Option<Nanos>,
    /// Unrecorded load before the window. Then all responses are awaited, and the load runs unrecorded for at least half a
    /// second more
    #[arg(long, default_value = "0s")]
    warm_up: Nanos,
    /// Number of connections
    #[arg(long, default_value_t = 64, value_parser = count(CONNECTIONS_MAX))]
    connections: u64,
    /// on: connections are opened before the load and reused. off: each request opens its own; the service time then
    /// includes the connect
    #[arg(long, value_enum, default_value_t)]
    keepalive: OnOff,
    /// Sending threads
    #[arg(long, default_value_t = 1, value_parser = count(THREADS_MAX))]
    threads: u64,
    #[command(flatten)]
    certificates: Certificates,
    /// The HTTP method: GET, or POST with a body
    #[arg(long)]
    method: Option<String>,
    /// The body, or @FILE; @- reads it from stdin
    #[arg(long)]
    body: Option<String>,
    /// A header, 'name: value'; may be repeated
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Statuses of correct responses, such as 200, 2xx or 200,201,3xx; any other is an error
    #[arg(long, value_name = "STATUSES", default_value = "200")]
    expect_status: Statuses,
    /// What the body of a correct response has: json:/ok=true at a JSON pointer, or contains:TEXT
    #[arg(long, value_name = "CHECK")]
    expect_body: Option<BodyCheck>,
    /// Time limit of a response, from the write of the request
    #[arg(long, default_value = "2s")]
    timeout: Nanos,
    /// The share of requests that may fail; if at least five more fail, the first line says so and the exit code is 3
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = error_rate)]
    error_rate: Share,
    /// How to wait for the next send. spin: poll and never sleep, for cores of its own. sleep: sleep until then, for shared
    /// cores [default: spin if there are more cores than threads]
    #[arg(long)]
    pace: Option<Pace>,
    /// Seed of the arrivals
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    quiet: Quiet,
    /// Output format; json is one trial object of result.json
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Also write the percentile listing of the response time (closed: of the service time) to this file
    #[arg(long, value_name = "FILE")]
    hgrm: Option<PathBuf>,
    /// Also write the figures to this file in the OpenMetrics text format
    #[arg(long, value_name = "FILE", conflicts_with = "slo")]
    metrics: Option<PathBuf>,
    /// Overwrite the files of --hgrm and --metrics
    #[arg(long)]
    force: bool,
}

/// How an open load goes over the window.
#[derive(Debug, Default, clap::Args)]
struct Course {
    /// A spike, x5@3s+2s: five times the rate from 3 s after the window's start on, for 2 s
    #[arg(long, conflicts_with_all = ["closed", "slo", "bursts"])]
    spike: Option<Spike>,
    /// Random bursts, x5@200ms/800ms: on average 200 ms at five times the calm rate, then on average 800 ms of calm; --rate is
    /// the mean of both
    #[arg(long, conflicts_with_all = ["closed", "slo"])]
    bursts: Option<Bursts>,
    /// Arrivals from a file instead of --rate: one time in seconds per line, or an access log (common, combined, JSON lines)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "closed", "slo", "spike", "bursts"])]
    replay: Option<PathBuf>,
    /// The field of JSON lines that has the time; a.b for a nested field
    #[arg(long, value_name = "FIELD", requires = "replay")]
    replay_time: Option<String>,
    /// The field of JSON lines that has the duration: seconds, or what its name ends with (_ms, _us, _ns)
    #[arg(long, value_name = "FIELD", requires = "replay")]
    replay_duration: Option<String>,
}

impl Course {
    fn traffic(&self) -> Result<Option<Traffic>> {
        let names =
            Names { time: self.replay_time.clone(), duration: self.replay_duration.clone() };
        let replay = self.replay.as_ref().map(|path| Replay::read(path, &names));
        let replay = replay.transpose().map_err(|why| {
            Error::usage(why).help("write one time in seconds per line, or give an access log; with JSON lines also --replay-time")
        })?;
        Ok(replay.map(Traffic::Replay).or(self.bursts.map(Traffic::Bursts)))
    }
}

/// How TLS is spoken to an https target.
#[derive(Debug, clap::Args)]
struct Certificates {
    /// PEM file of the certificate authorities to trust instead of the system's, or of the server's own certificate
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    cacert: Option<PathBuf>,
    /// Accept any certificate; every output says so
    #[arg(long)]
    insecure: bool,
    /// PEM file of the client's certificate
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// PEM file of its key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// on: a connection may resume the session of an earlier one. off: each makes a full handshake
    #[arg(long, value_enum, default_value_t)]
    resumption: OnOff,
}

impl From<&Certificates> for TlsOptions {
    fn from(of: &Certificates) -> Self {
        Self {
            cacert: of.cacert.clone(),
            insecure: of.insecure,
            client: of.cert.clone().zip(of.key.clone()),
            no_resumption: of.resumption == OnOff::Off,
        }
    }
}

/// The rate over the window.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rates {
    Steady(Rate),
    Ramp(Rate, Rate),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum OnOff {
    #[default]
    On,
    Off,
}

/// More would be beyond the ports of one address.
const CONNECTIONS_MAX: u64 = 28_000;
/// Far beyond the cores of any machine that this is meant for.
const THREADS_MAX: u64 = 256;
const WINDOW: Nanos = Nanos(10_000_000_000);
/// How long the ceiling is looked for when no rate is given.
const PROBE: Nanos = Nanos(2_000_000_000);

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        let url = Url::parse(&self.url)?;
        let request = request(&self, &url)?;
        let peer = url.peer((&self.certificates).into(), &request.host)?;
        let traffic = self.course.traffic()?;
        for note in traffic.iter().flat_map(Traffic::notes) {
            self.quiet.say(format_args!("{note}"));
        }
        let waves = self.course.spike.is_some() || self.course.bursts.is_some();
        if waves && matches!(self.rate, Some(Rates::Ramp(..))) {
            return Err(Error::usage("a ramp cannot have spike or bursts").help("give one --rate"));
        }
        let outputs = self.hgrm.iter().chain(&self.metrics);
        files::expect_different(&outputs.clone().map(PathBuf::as_path).collect::<Vec<_>>())?;
        for path in outputs {
            // Said before the load and not after it.
            files::reserve(path, self.force)?;
        }
        let stop = interrupt::listen()?;
        // Until the end others see this one.
        let mut neighbours = Neighbours::announced();
        if let Some(told) = neighbours.look() {
            eprintln!("warning: {told}");
        }
        if let Some(slo) = self.slo {
            return search::run(&self, slo, &peer, &request, &stop);
        }
        let Some(shape) = self.shape(traffic.as_ref(), &peer, &request, &stop)? else {
            return Ok(exit::INTERRUPTED);
        };
        let window = self.duration.unwrap_or(match &traffic {
            Some(Traffic::Replay(replay)) => replay.lasting(),
            _ => WINDOW,
        });
        let steps = self.course.spike.map(|spike| spike.steps(window));
        let steps = steps.transpose().map_err(Error::usage)?.unwrap_or_default();
        let plan =
            Plan { steps, traffic, ..self.plan(&peer, request, shape, window, self.warm_up()) };
        let taken = Interference::now();
        let outcome = self.load(&plan, &stop)?;
        let mut trial = trial(&self.url, &plan, &outcome, &taken, None, self.error_rate);
        // Those that were there at the start, or are at the end.
        neighbours.look();
        neighbours.note().into_iter().for_each(|doubt| trial.validity.doubt(doubt));
        if let Some(path) = &self.hgrm {
            write_hgrm(path, &plan, &outcome, self.force)?;
        }
        if let Some(path) = &self.metrics {
            files::write(path, openmetrics([&trial]).as_bytes(), self.force)?;
        }
        let failing = failing(&trial, self.error_rate);
        let shown = match self.format {
            Format::Text => report::drive::text(&trial, failing.as_deref()),
            Format::Markdown => report::drive::markdown(&trial, failing.as_deref()),
            Format::Json => record::trial_line(&trial) + "\n",
        };
        // One object and nothing else is on stdout.
        if let (Some(line), Format::Json) = (&failing, self.format) {
            eprintln!("{line}");
        }
        print(&shown)?;
        Ok(exit_code(&trial, failing.is_some(), stop.load(Ordering::Relaxed)))
    }

    /// Nothing when it is stopped while it looks for a rate.
    fn shape(
        &self,
        traffic: Option<&Traffic>,
        peer: &Peer,
        request: &Fixed,
        stop: &AtomicBool,
    ) -> Result<Option<Shape>> {
        let arrivals = self.arrivals;
        Ok(Some(match (self.rate, traffic) {
            (_, Some(Traffic::Replay(replay))) => Shape::Open { rate: replay.rate(), arrivals },
            (Some(Rates::Steady(rate)), _) => Shape::Open { rate, arrivals },
            (Some(Rates::Ramp(from, to)), _) => Shape::Ramp { from, to, arrivals },
            (None, _) if self.closed => Shape::Closed,
            (None, _) => return self.half_of_ceiling(peer, request, stop),
        }))
    }

    /// Sends a plan, with its status on stderr.
    fn load(&self, plan: &Plan, stop: &AtomicBool) -> Result<Outcome> {
        let live = Live::new(plan.threads);
        crate::run::progress::while_shown(plan, &live, self.quiet.quiet, || {
            load::run_seen(plan, stop, None, &live)
        })
    }

    /// Unless it is asked for there is none, and then no lead-in.
    fn warm_up(&self) -> WarmUp {
        match self.warm_up {
            Nanos(0) => WarmUp::Through(Nanos(0)),
            time => WarmUp::Led(First { amount: Amount::Time(time), rate: None, closed: false }),
        }
    }

    fn plan(
        &self,
        peer: &Peer,
        request: Fixed,
        shape: Shape,
        window: Nanos,
        warm_up: WarmUp,
    ) -> Plan {
        Plan {
            seed: self.seed,
            warm_up,
            duration: window,
            connections: self.connections as usize,
            threads: self.threads as usize,
            timeout: self.timeout,
            pace: self.pace.unwrap_or_else(|| default_pace(self.threads as usize)),
            keep_alive: self.keepalive == OnOff::On,
            ..Plan::new(peer.clone(), shape, vec![(Operation::Fixed(request), 1)])
        }
    }

    /// Looks for the ceiling and gives half of it; nothing when it is stopped.
    fn half_of_ceiling(
        &self,
        peer: &Peer,
        request: &Fixed,
        stop: &AtomicBool,
    ) -> Result<Option<Shape>> {
        self.quiet.say(format_args!(
            "no --rate: first {PROBE} in a closed loop, then half of the throughput found"
        ));
        let Some(ceiling) = closed_ceiling(self, peer, request, stop)? else { return Ok(None) };
        let rate = Rate(ceiling.0 / 2.0);
        let window = self.duration.unwrap_or(WINDOW);
        self.quiet.say(format_args!("closed: {ceiling}, so {rate} for {window}"));
        Ok(Some(Shape::Open { rate, arrivals: self.arrivals }))
    }
}

/// What a closed probe finds; nothing when it is stopped.
fn closed_ceiling(
    args: &Args,
    peer: &Peer,
    request: &Fixed,
    stop: &AtomicBool,
) -> Result<Option<Rate>> {
    let plan = args.plan(peer, request.clone(), Shape::Closed, PROBE, WarmUp::Through(Nanos(0)));
    let outcome = args.load(&plan, stop)?;
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let right = outcome.answered_in_window;
    let ceiling = right as f64 / outcome.window.as_secs_f64();
    if right < 2 || !ceiling.is_finite() {
        let (errors, statuses) = (figures::errors(&outcome), figures::statuses(&outcome));
        return Err(none_correct(&errors, &statuses, &figures::first_errors(&outcome)));
    }
    Ok(Some(Rate(ceiling)))
}

/// What a probe without a correct response got instead: failures by kind, the `bad_status` ones by status, and the first
/// of each kind in words.
fn none_correct(
    errors: &BTreeMap<String, u64>,
    statuses: &BTreeMap<String, u64>,
    firsts: &BTreeMap<String, String>,
) -> Error {
    let mut what = failures::counts(errors, statuses);
    if what.is_empty() {
        what = format!("no response within {PROBE}");
    }
    for (name, first) in firsts {
        what += &format!("; first {name}: {}", clean(first));
    }
    let error = Error::invalid(format!("the probe got no correct response: {what}"));
    // A status of success or of a redirect may well be the correct one.
    let usual = statuses.iter().max_by_key(|(_, count)| **count).map(|(status, _)| status);
    match usual.filter(|status| status.starts_with(['2', '3'])) {
        Some(status) => error.help(format!(
            "if {status} is the status of a correct response, give --expect-status {status}"
        )),
        None => error.help("give a --rate, or check --expect-status and --timeout"),
    }
}

/// `FAILED: 600 of 4,000 requests (15 %), over the bound of 1%: 600 bad_status`; nothing within the bound.
fn failing(trial: &record::Trial, bound: Share) -> Option<String> {
    // Requests that an interrupt cut off are not failures.
    let unfinished = trial.errors.get(RequestError::Unfinished.name()).copied().unwrap_or(0);
    let failures = trial.errors.values().sum::<u64>() - unfinished;
    let requests = trial.requests - unfinished;
    let none_right = failures > 0 && failures == requests;
    let over = none_right || over_the_error_bound(failures, requests, bound.0);
    over.then(|| {
        let percent = three_digits(100.0 * failures as f64 / requests as f64);
        let [failed, requests] = [failures, requests].map(|n| grouped(n as f64));
        format!(
            "FAILED: {failed} of {requests} requests ({percent} %), over the bound of {bound}: {}",
            error_counts(trial)
        )
    })
}

/// 130 for a run that was cut short, 5 when its numbers do not hold, 3 when too many of its requests failed.
fn exit_code(trial: &record::Trial, failing: bool, interrupted: bool) -> u8 {
    if interrupted {
        exit::INTERRUPTED
    } else if trial.validity.verdict == TrialVerdict::Invalid {
        exit::INVALID
    } else if failing {
        exit::FAILS
    } else {
        exit::OK
    }
}

fn default_pace(threads: usize) -> Pace {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores > threads { Pace::Spin } else { Pace::Sleep }
}

/// `100/s`, or `100/s..2000/s`
fn rates(text: &str) -> std::result::Result<Rates, String> {
    match text.split_once("..") {
        None => text.parse().map(Rates::Steady),
        Some((from, to)) => Ok(Rates::Ramp(from.parse()?, to.parse()?)),
    }
}

fn error_rate(text: &str) -> std::result::Result<Share, String> {
    let share: Share = text.parse()?;
    if share.0 <= 1.0 { Ok(share) } else { Err("a share is at most 100%".into()) }
}

fn count(most: u64) -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=most)
}

fn write_hgrm(path: &Path, plan: &Plan, outcome: &Outcome, force: bool) -> Result<()> {
    let kind = outcome.kinds.first().expect("drive sends one kind");
    let times = if plan.shape == Shape::Closed { &kind.service } else { &kind.response };
    let requests = Ranked { times: times.clone(), failures: failures::of_kind(kind) };
    let insecure = plan.target.tls.as_ref().is_some_and(|tls| tls.is_insecure());
    files::write(path, hgrm(&requests, insecure).as_bytes(), force)
}

/// A body is held in memory and sent again and again.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// What is sent again and again.
pub(crate) fn request(args: &Args, url: &Url) -> Result<Fixed> {
    let body = match &args.body {
        Some(text) => body(text)?,
        None => Vec::new(),
    };
    let with_body = if args.body.is_some() { "POST" } else { "GET" };
    let method = args.method.clone().unwrap_or_else(|| with_body.into()).to_ascii_uppercase();
    let mut host = url.host.clone();
    let mut headers = Vec::new();
    for text in &args.headers {
        let (name, value) = header(text)?;
        if name.eq_ignore_ascii_case("host") {
            host = value;
        } else {
            headers.push((name, value));
        }
    }
    Ok(Fixed {
        name: format!("{method} {}", url.path),
        method,
        path: url.path.clone(),
        host,
        headers,
        body,
        expect_status: args.expect_status,
        expect_body: args.expect_body.clone(),
    })
}

fn header(text: &str) -> Result<(String, String)> {
    match text.split_once(':') {
        Some((name, value)) => Ok((name.trim().into(), value.trim().into())),
        None => {
            Err(Error::usage(format!("`{text}` is not a header")).help("write it as 'name: value'"))
        }
    }
}

fn body(text: &str) -> Result<Vec<u8>> {
    let Some(path) = text.strip_prefix('@') else { return Ok(text.into()) };
    if path == "-" {
        let mut body = Vec::new();
        let read = std::io::stdin().take(BODY_BYTES_MAX + 1).read_to_end(&mut body);
        read.usage(|| "cannot read the body from stdin".into())?;
        return match body.len() as u64 <= BODY_BYTES_MAX {
            true => Ok(body),
            false => Err(Error::usage(format!("stdin has more than {BODY_BYTES_MAX} bytes"))),
        };
    }
    files::read(Path::new(path), BODY_BYTES_MAX).usage(|| format!("cannot read the body {path}"))
}

/// The trial that `plan` and `outcome` make; `taken` is of its start, `lag_limit` what the generator may be late by, and
/// `error_bound` what may fail.
pub(crate) fn trial(
    url: &str,
    plan: &Plan,
    outcome: &Outcome,
    taken: &Interference,
    lag_limit: Option<Nanos>,
    error_bound: Share,
) -> Trial {
    let open = plan.shape != Shape::Closed;
    let judged = validity::judge(&Evidence {
        steal_share: taken.steal_share(),
        throttled_share: taken.throttled_share(),
        lag_limit,
        error_bound,
        ..Evidence::of(outcome, open)
    });
    let audit = Audit {
        verdict: AuditVerdict::Unavailable,
        reasons: vec!["a server given by URL has no /audit".into()],
    };
    Trial {
        workload: "http".into(),
        contender: url.into(),
        level: level(plan),
        placement: placement(plan),
        ..figures::seen(plan, outcome, judged, audit)
    }
}

fn level(plan: &Plan) -> String {
    match plan.shape {
        Shape::Open { rate, .. } => rate.to_string(),
        Shape::Ramp { from, to, .. } => format!("{from}..{to}"),
        Shape::Closed => CLOSED_LEVEL.into(),
    }
}

/// The cores that this process inherited; the contender's are not known.
fn placement(plan: &Plan) -> TrialPlacement {
    let mask = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    let cores = (0..CpuSet::MAX_CPU).filter(|&core| mask.is_set(core)).map(|core| core as u32);
    TrialPlacement {
        mode: PlacementKind::Unknown,
        contender_cores: Vec::new(),
        generator_cores: cores.collect(),
        pace: plan.pace,
        dependency_cores: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_without_a_correct_response_names_what_it_got_instead() {
        let told = |errors: &[(&str, u64)], statuses: &[(&str, u64)]| {
            let map = |of: &[(&str, u64)]| {
                of.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect::<BTreeMap<_, _>>()
            };
            let firsts = statuses.iter().take(1);
            let firsts =
                firsts.map(|(status, _)| ("bad_status".to_owned(), format!("{status}: no")));
            none_correct(&map(errors), &map(statuses), &firsts.collect()).to_string()
        };
        let said = told(&[("bad_status", 92_100)], &[("201", 92_100)]);
        let expected = "no correct response: 92,100 bad_status (201); first bad_status: 201: no\n";
        assert!(said.contains(expected) && said.contains("give --expect-status 201"), "{said}");
        let said = told(&[("bad_status", 3), ("timeout", 5_000)], &[("404", 3)]);
        assert!(said.contains("3 bad_status (404), 5,000 timeout; first"), "{said}");
        assert!(said.contains("give a --rate"), "{said}");
        let said = told(&[], &[]);
        assert!(said.contains("no response within "), "{said}");
    }
}
