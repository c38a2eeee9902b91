//! `bakeoff probe`: how long a dependency takes, as a line to paste into a scenario.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use clap::Subcommand;
use serde_json::json;

use super::flags::Output;
use super::{Format, print};
use crate::database::probe::{Answers, ProbeQuestion};
use crate::database::{Typed, Url, probe};
use crate::error::Result;
use crate::load::plan::Arrivals;
use crate::record::histogram::ranked;
use crate::record::late;
use crate::record::late::Late;
use crate::stats::percentile::{Quantile, quantile};
use crate::units::{Nanos, Rate};
use crate::{exit, interrupt};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    dependency: Dependency,
}

#[derive(Debug, Subcommand)]
enum Dependency {
    /// A query to a PostgreSQL server on this machine
    Postgres(Postgres),
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct Postgres {
    /// postgres://USER[:PASSWORD]@127.0.0.1:5432/DATABASE; localhost and [::1] too, but no other machine
    #[arg(long, value_name = "URL", env = "BAKEOFF_DATABASE_URL", hide_env_values = true)]
    url: Typed,
    /// One statement without parameters; each connection also runs it once before the measurement
    #[arg(long, value_name = "SQL")]
    query: String,
    /// Queries per second, sent on schedule whether or not responses have arrived
    #[arg(long, value_name = "RATE", default_value = "50/s")]
    rate: Rate,
    /// Distribution of arrivals: poisson or constant
    #[arg(long, default_value_t)]
    arrivals: Arrivals,
    /// Duration of the load [default: 5s, longer where 1,000 queries take longer, at most 60s]
    #[arg(long, value_name = "TIME")]
    duration: Option<Nanos>,
    /// Maximum number of concurrent queries
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    connections: u32,
    /// Seed of the arrivals
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  bakeoff probe postgres --url postgres://me@127.0.0.1/shop --query 'SELECT 1'
  bakeoff probe postgres --url .. --query 'SELECT * FROM users WHERE id = 7' --rate 200/s

Paste the last line of the output into a scenario's [store.standin].

Exit codes: 0 measured, 1 internal error, 2 bad flag or no such database, 5 the measurement is invalid,
130 interrupted";

/// Answers that a p99 needs.
const WANTED: f64 = 1_000.0;
/// Shorter shows what comes by chance; longer tries a person's patience.
const SHORTEST: Nanos = Nanos(5_000_000_000);
const LONGEST: Nanos = Nanos(60_000_000_000);

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        let Dependency::Postgres(args) = self.dependency;
        args.run()
    }
}

impl Postgres {
    fn run(self) -> Result<u8> {
        let url = Url::read(&self.url)?;
        let stop = interrupt::listen()?;
        let question = ProbeQuestion {
            query: self.query.clone(),
            rate: self.rate,
            arrivals: self.arrivals,
            duration: self.duration.unwrap_or_else(|| default_duration(self.rate)),
            connections: self.connections,
            seed: self.seed,
        };
        self.output.quiet.say(format_args!("{} of {url} for {}", self.rate, question.duration));
        let answers = probe::probe(&url, &question, &stop)?;
        let found = Found::of(&answers);
        let about = format!("{}: {}", url, self.query);
        print(&match self.output.format {
            Format::Text => text(&about, &answers, &found, self.connections),
            Format::Markdown => {
                format!("```text\n{}```\n", text(&about, &answers, &found, self.connections))
            }
            Format::Json => json(&url, &question, &answers, &found),
        })?;
        Ok(if stop.load(Ordering::Relaxed) {
            exit::INTERRUPTED
        } else if found.reasons.is_empty() {
            exit::OK
        } else {
            exit::INVALID
        })
    }
}

fn default_duration(rate: Rate) -> Nanos {
    rate.window_of(WANTED).clamp(SHORTEST, LONGEST)
}

/// What may be said of the answers.
struct Found {
    p50: Quantile,
    p99: Quantile,
    max: Option<Nanos>,
    /// The probe's own share of each percentile.
    ours: BTreeMap<String, f64>,
    /// Why there is no percentile, or it is a failure.
    reasons: Vec<String>,
}

impl Found {
    fn of(answers: &Answers) -> Self {
        let n = answers.response.len();
        let mut found = Self {
            p50: Quantile::Withheld,
            p99: Quantile::Withheld,
            max: (n > 0).then(|| Nanos(answers.response.max())),
            ours: BTreeMap::new(),
            reasons: Vec::new(),
        };
        if answers.saturated() {
            let done = Rate(answers.done_in_window as f64 / answers.window.as_secs_f64());
            let offered = Rate(answers.due as f64 / answers.window.as_secs_f64());
            found.reasons.push(format!("saturated: {done} of {offered}"));
            return found;
        }
        found.p50 = found.percentile(answers, "p50", 0.5);
        found.p99 = found.percentile(answers, "p99", 0.99);
        found
    }

    fn percentile(&mut self, answers: &Answers, name: &str, rank: f64) -> Quantile {
        let failures = answers.failures();
        let found = quantile(&answers.response, failures, rank);
        let less_lag = quantile(&answers.response_less_lag, failures, rank);
        match (found, less_lag) {
            (Quantile::Time(value), Quantile::Time(less_lag)) => {
                let share = late::share(value as f64, less_lag as f64);
                self.ours.insert(name.into(), share);
                match Late::of(share) {
                    Late::Bound => Quantile::AtMost(value),
                    Late::Marked | Late::No => found,
                }
            }
            (Quantile::AtLeast(_) | Quantile::Unbounded, _) => {
                let (failed, due) = (failures.all, answers.due);
                self.reasons.push(format!("{name} is a failure: {failed} of {due} failed"));
                found
            }
            _ => Quantile::Withheld,
        }
    }

    /// A percentile as text, marked where the probe was late.
    fn shown(&self, name: &str, found: Quantile) -> String {
        let late = Late::of(self.ours.get(name).copied().unwrap_or(0.0));
        found.time().map_or_else(|| found.to_string(), |ns| late.shown(&Nanos(ns).to_string()))
    }

    /// What a scenario takes.
    fn latency(&self) -> Option<String> {
        let (p50, p99) = self.p50.time().zip(self.p99.time())?;
        let [p50, p99] = [p50, p99].map(|ns| Nanos(ns).to_string().replace(' ', ""));
        Some(format!("latency = {{ lognormal = {{ p50 = \"{p50}\", p99 = \"{p99}\" }} }}"))
    }
}

fn text(about: &str, answers: &Answers, found: &Found, connections: u32) -> String {
    let mut out = format!(
        "{about}\np50 {}   p99 {}   max {}   n {}\n",
        found.shown("p50", found.p50),
        found.shown("p99", found.p99),
        found.max.map_or("-".into(), |time| time.to_string()),
        answers.response.len() + answers.failures().all
    );
    if !answers.errors.is_empty() {
        let count = |(name, count): (&String, &u64)| format!("{count} {name}");
        let errors: Vec<String> = answers.errors.iter().map(count).collect();
        let first = answers.first_error.as_deref().unwrap_or_default();
        out += &format!("errors: {} {first}\n", errors.join(", "));
    }
    if answers.waited > 0 {
        out += &format!(
            "{} of {} found all {connections} connections busy and waited, which is part of their time: more --connections?\n",
            answers.waited, answers.due
        );
    }
    for reason in &found.reasons {
        out += &format!("{reason}\n");
    }
    match found.latency() {
        Some(latency) => out += &format!("\n{latency}\n"),
        None if [found.p50, found.p99].iter().any(|it| matches!(it, Quantile::AtMost(_))) => {
            out +=
                "no latency to paste: over a quarter of a percentile is the probe's own lateness\n";
        }
        None if found.reasons.is_empty() => {
            out += "no latency to paste: a p99 needs 1,000 responses, by a longer --duration or a higher --rate\n";
        }
        None => {}
    }
    out
}

fn json(url: &Url, question: &ProbeQuestion, answers: &Answers, found: &Found) -> String {
    let mut response = ranked(&answers.response, answers.failures());
    response.ours = found.ours.clone();
    (response.p50, response.p99) = (found.p50.written(), found.p99.written());
    if !found.reasons.is_empty() {
        (response.p90, response.p99_9) = (None, None);
    }
    let probed = json!({
        "url": url.to_string(),
        "query": question.query,
        "rate": question.rate.0,
        "arrivals": question.arrivals.name(),
        "connections": question.connections,
        "duration_s": answers.window.as_secs_f64(),
        "due": answers.due,
        "found_all_busy": answers.waited,
        "errors": answers.errors,
        "first_error": answers.first_error,
        "response_ns": response,
        "reasons": found.reasons,
        "latency": found.latency(),
    });
    format!("{probed:#}\n")
}
