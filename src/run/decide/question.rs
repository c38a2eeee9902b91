//! A service that is asked about, and the scenario that stands for it.

use std::fmt::Write;

use crate::error::{Error, Result};
use crate::latency::Latency;
use crate::record::Asked;
use crate::run::host::Host;
use crate::scenario;
use crate::scenario::Scenario;
use crate::units::{Nanos, Rate, Share};

/// A service that is asked about.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// CPU time of a request.
    pub cpu: Nanos,
    /// What a lookup takes.
    pub wait: Latency,
    /// Lookups of a request, asked at once: 3, or 0 for state in memory.
    pub lookups: u32,
    pub rate: Rate,
    /// p99 of the response time.
    pub slo: Nanos,
    /// Cores of the service; `None` takes the machine's share.
    pub cores: Option<usize>,
    /// Connections to its database.
    pub pool: usize,
}

/// The models that can be chosen from, with their sizes once those are known.
pub(super) const MODELS: [&str; 4] =
    ["event-loop", "work-stealing", "thread-per-connection", "thread-pool"];
/// A built-in payment asks three rows at once.
const LOOKUPS: u32 = 3;
/// Connections of the generator at least, and at most.
const CONNECTIONS: std::ops::RangeInclusive<usize> = 64..=8_192;
/// A window at a rate: so long, or until a p99 is supported, but no longer than that.
const WINDOW_S: f64 = 1.5;
pub(super) const WINDOW_MAX_S: f64 = 4.0;
/// A Poisson window with this mean has the 1,000 requests of a p99 but once in a thousand times.
pub(super) const REQUESTS: f64 = 1_100.0;
/// Requests that may fail.
pub(super) const ERROR_RATE: Share = Share(0.001);

impl Question {
    /// The cores of the service.
    ///
    /// # Errors
    /// When this machine has not so many beside one for the load.
    pub(super) fn cores(&self) -> Result<usize> {
        let machine = Host::cores()?.len();
        match self.cores {
            None => Ok((machine / 2).max(1)),
            Some(cores) if cores < machine && cores > 0 => Ok(cores),
            Some(cores) => Err(Error::usage(format!(
                "--cores {cores}: this machine has {machine}, and the load needs one of its own"
            ))
            .help(format!(
                "ask --cores {} here, which tells what each model makes of a core; on {cores} cores it has to be \
                 measured on a machine of {} or more",
                (machine - 1).max(1),
                cores + 1
            ))),
        }
    }

    /// Refuses what cannot be asked, with what can.
    pub(super) fn check(&self) -> Result<()> {
        if self.lookups != LOOKUPS && self.lookups != 0 {
            return Err(Error::usage(format!(
                "--lookups {}: the built-in service asks {LOOKUPS} rows at once, or none",
                self.lookups
            ))
            .help("lookups that are asked at once cost one wait, however many: ask --lookups 3 with your pool; \
                   for lookups one after the other give their sum as --wait"));
        }
        let floor = self.floor();
        if self.slo < floor {
            return Err(Error::usage(format!("no model can meet a p99 of {}", self.slo)).help(
                format!(
                    "the floor is {floor}: {}; promise more than that, wait less or compute less",
                    self.floor_text()
                ),
            ));
        }
        if self.rate.0 < 1.0 {
            return Err(Error::usage(format!("--rate {} is too low", self.rate))
                .help("ask for 1/s or more; at such a rate every model does"));
        }
        Ok(())
    }

    /// The response time that no model can beat: CPU and the median of the waits.
    pub(super) fn floor(&self) -> Nanos {
        self.cpu + if self.lookups == 0 { Nanos(0) } else { self.wait.median() }
    }

    /// What the floor consists of.
    pub(super) fn floor_text(&self) -> String {
        match self.lookups {
            0 => format!("{} of CPU", self.cpu),
            n => format!("{n} lookups at once {} + {} of CPU", self.wait.median(), self.cpu),
        }
    }

    /// What a request waits, `None` being memory.
    pub(super) fn waits(&self) -> Latency {
        if self.lookups == 0 { Latency::ZERO } else { self.wait.clone() }
    }

    /// The scenario as a file, each model with so many threads where it is said.
    pub(super) fn text(&self, threads: &[(&str, Option<usize>)]) -> Result<String> {
        let mut out = String::new();
        let rate = self.rate.0;
        let window = (REQUESTS / rate).clamp(WINDOW_S, WINDOW_MAX_S);
        let connections = (2.0 * rate * self.slo.as_secs_f64()).ceil() as usize;
        let connections = connections.clamp(*CONNECTIONS.start(), *CONNECTIONS.end());
        let _ = write!(
            out,
            "# Written by bakeoff decide. `compare` is the question as it was asked; `capacity` looks for what each model \
             carries.\n\
             schema   = 1\n\
             name     = \"decide\"\n\
             title    = \"{}\"\n\
             workload = \"payment\"\n\
             rounds   = 6\n\n\
             [experiment]\n\
             compare  = {{ rates = [\"{rate}/s\"] }}\n\
             capacity = {{}}\n\n\
             [request]\n\
             cpu = \"{}\"\n",
            self.title(),
            self.cpu.spelled(),
        );
        if self.lookups > 0 {
            let _ = write!(
                out,
                "\n[store.standin]\nlatency     = {{ lookup = {} }}\nconnections = {}\n",
                law(&self.wait)?,
                self.pool
            );
        }
        for (model, threads) in threads {
            let _ = write!(out, "\n[contender.{model}]\nmodel = \"{model}\"\n");
            if let Some(threads) = threads {
                let _ = writeln!(out, "threads = {threads}");
            }
        }
        let _ = write!(
            out,
            "\n[placement]\ncontender_cores = {}\n\n\
             [load.open]\nwarm_up     = \"500ms\"\nduration    = \"{}ms\"\nconnections = {connections}\ntimeout     = \"{}\"\n\n\
             [slo]\np99        = \"{}\"\nerror_rate = \"{}\"\n",
            self.cores()?,
            (window * 1e3).round(),
            Nanos((2 * self.slo.0).max(2 * Nanos::SECOND.0)).spelled(),
            self.slo.spelled(),
            ERROR_RATE
        );
        Ok(out)
    }

    /// The scenario itself: what is run is what can be saved.
    pub(super) fn scenario(&self, threads: &[(&str, Option<usize>)]) -> Result<Scenario> {
        scenario::parse("decide.toml", &self.text(threads)?)
    }

    fn title(&self) -> String {
        let wait = match self.lookups {
            0 => "no wait".to_owned(),
            n => format!("{n} lookups of {}", self.wait),
        };
        format!("CPU {}, {wait}, {} within a p99 of {}", self.cpu, self.rate, self.slo)
    }

    pub(super) fn asked(&self, cores: usize) -> Asked {
        Asked {
            cpu_ns: self.cpu.0,
            wait: self.wait.to_string(),
            lookups: self.lookups,
            rate_rps: self.rate.0,
            slo_ns: self.slo.0,
            cores: cores as u32,
            pool: self.pool as u32,
        }
    }
}

/// A law as a scenario spells it.
fn law(latency: &Latency) -> Result<String> {
    match latency {
        Latency::Constant(time) => Ok(format!("{{ constant = \"{}\" }}", time.spelled())),
        Latency::Uniform { min, max } => {
            Ok(format!("{{ uniform = [\"{}\", \"{}\"] }}", min.spelled(), max.spelled()))
        }
        Latency::Lognormal { p50, p99 } => Ok(format!(
            "{{ lognormal = {{ p50 = \"{}\", p99 = \"{}\" }} }}",
            p50.spelled(),
            p99.spelled()
        )),
        Latency::Trace(_) => Err(Error::usage("--wait does not take a trace")
            .help("write it as 2ms, uniform=1ms..3ms, or p50=2ms,p99=9ms")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::run::decide) fn question() -> Question {
        Question {
            cpu: Nanos(300_000),
            wait: "p50=2ms,p99=9ms".parse().unwrap(),
            lookups: 3,
            rate: Rate(1_500.0),
            slo: Nanos(100_000_000),
            cores: Some(1),
            pool: 50,
        }
    }

    #[test]
    fn a_saved_question_is_the_scenario_that_runs() {
        let threads = MODELS.map(|model| (model, (model == "thread-pool").then_some(32)));
        let scenario = question().scenario(&threads).unwrap();
        assert_eq!(scenario.contenders.len(), 4);
        assert_eq!(scenario.contenders[3].built_in().unwrap().threads, Some(32));
        assert_eq!(scenario.request_cpu, Nanos(300_000));
        assert_eq!(scenario.store.dependency().unwrap().pool, 50);
        assert_eq!(scenario.load.connections, 300);
        assert!(scenario.experiments.capacity.is_some() && scenario.rates.len() == 1);
        let memory = Question { lookups: 0, ..question() };
        assert!(memory.scenario(&threads).unwrap().store.dependency().is_none());
        for wait in ["7ms", "uniform=1ms..3ms"] {
            let question = Question { wait: wait.parse().unwrap(), ..question() };
            assert_eq!(
                question.scenario(&threads).unwrap().store.dependency().unwrap().lookup,
                question.wait
            );
        }
    }

    #[test]
    fn what_cannot_be_asked_is_told_what_can() {
        let refused = |question: Question| {
            let error = question.check().and_then(|()| question.cores()).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        };
        let told = refused(Question { slo: Nanos::MILLI, ..question() });
        assert!(told.contains("the floor is 2.3 ms"), "{told}");
        let told = refused(Question { cores: Some(4_096), ..question() });
        assert!(told.contains("--cores"), "{told}");
        let told = refused(Question { lookups: 2, ..question() });
        assert!(told.contains("--lookups 3"), "{told}");
        assert!(question().check().is_ok());
    }
}
