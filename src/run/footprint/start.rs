//! One start: from the program's first instruction to its first answer, and its memory while it is idle.

use std::net::TcpStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Context, Error, Result};
use crate::interrupt;
use crate::machine::cores::Cores;
use crate::machine::proc;
use crate::machine::resources::Watch;
use crate::process::child::on_a_free_port;
use crate::process::http;
use crate::process::supervised::{Program, SupervisedProcess};
use crate::run::trial;
use crate::run::trial::spec::PreparedTrial;
use crate::scenario::{Kind, Ready, STOP_WITHIN};
use crate::units::Nanos;

/// Between two looks whether it listens: an error of half of it in every start.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// A program that has not answered by then never will.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// How long it is left alone before its idle memory is read.
const IDLE_AFTER: Duration = Duration::from_millis(500);

/// A contender that can be started again and again, every kind of them in the same way.
#[derive(Debug)]
pub(crate) struct Startable {
    what: String,
    /// With its arguments; `{port}` stands for the port.
    argv: Vec<String>,
    env: Vec<(String, String)>,
    folder: PathBuf,
    ready: Ready,
    /// How long it may take to end when it is asked to.
    patience: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    /// From the program's start to its first answer.
    pub(crate) first_answer: Nanos,
    pub(crate) rss_idle_bytes: Option<u64>,
}

impl Startable {
    /// The contender of `order`.
    ///
    /// # Errors
    /// When it runs already, started outside bakeoff.
    pub(crate) fn of(prepared: &PreparedTrial<'_>) -> Result<Self> {
        let name = &prepared.spec.contender.name;
        let what = format!("contender `{name}`");
        match &prepared.spec.contender.kind {
            Kind::BuiltIn(built_in) => {
                let own = proc::own_program()?;
                let mut argv = vec![own.display().to_string(), "serve".into()];
                argv.extend(trial::serve_flags(prepared, built_in));
                if let Some(port) = argv.iter().position(|flag| flag == "--port") {
                    argv[port + 1] = "{port}".into();
                }
                let folder =
                    std::env::current_dir().context(|| "cannot find the current folder".into())?;
                let ready = Ready::Path("/healthz".into());
                let patience = STOP_WITHIN.into();
                Ok(Self { what, argv, env: Vec::new(), folder, ready, patience })
            }
            Kind::Command { argv, setup } => {
                let mut env = trial::environment(prepared, Vec::new());
                env.push(("BAKEOFF_PORT".into(), "{port}".into()));
                env.extend(setup.env.iter().cloned());
                let (folder, ready) = (setup.folder.clone(), setup.ready.clone());
                let (argv, patience) = (argv.clone(), setup.stop_within.into());
                Ok(Self { what, argv, env, folder, ready, patience })
            }
            Kind::Url { .. } => {
                Err(Error::usage(format!("`{name}` runs already and cannot be started again"))
                    .help("a footprint is of contenders by model or command"))
            }
        }
    }

    /// Starts it on `cores`, waits for its first answer, looks at its memory and ends it.
    ///
    /// # Errors
    /// By the contender, when it does not start, answer or end.
    pub(crate) fn start(&self, cores: &Cores) -> Result<Started> {
        on_a_free_port(|port| self.start_on(port, cores))
    }

    fn start_on(&self, port: u16, cores: &Cores) -> Result<Started> {
        let filled = |text: &String| text.replace("{port}", &port.to_string());
        let argv: Vec<String> = self.argv.iter().map(filled).collect();
        let env: Vec<_> =
            self.env.iter().map(|(name, value)| (name.clone(), filled(value))).collect();
        let what = self.what.clone();
        let program = Program {
            what,
            argv: &argv,
            env: &env,
            folder: &self.folder,
            patience: self.patience,
            group: None,
        };
        let mut held = SupervisedProcess::start(&program, cores)?;
        // The supervisor has said that the program is there: its own start is not the contender's.
        let begun = Instant::now();
        let address = ([127, 0, 0, 1], port).into();
        while let Err(error) = TcpStream::connect_timeout(&address, ANSWERS_WITHIN) {
            if held.ended().is_some() {
                return Err(held.failed("ended before it was listening"));
            }
            if begun.elapsed() > ANSWERS_WITHIN || interrupt::asked() {
                return Err(held.failed(&format!("does not listen: {error}")));
            }
            thread::sleep(LOOK_EVERY);
        }
        if let Ready::Path(path) = &self.ready {
            http::get(address, path, ANSWERS_WITHIN)
                .map_err(|why| held.failed(&format!("does not answer: {why}")))?;
        }
        let first_answer = begun.elapsed().into();
        thread::sleep(IDLE_AFTER);
        let rss_idle_bytes = Watch::Below(held.supervisor()).rss_bytes();
        held.stop()?;
        Ok(Started { first_answer, rss_idle_bytes })
    }
}
