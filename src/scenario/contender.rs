//! A server under test, and how bakeoff comes by it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::store::Store;
use super::{CpuMode, Workload};
use crate::backend::Gather;
use crate::backend::model::{Library, Model, Pitfall};
use crate::load::plan::{Address, Fields};
use crate::load::tls::Tls;
use crate::units::Nanos;

/// A server under test.
#[derive(Clone, Debug, PartialEq)]
pub struct Contender {
    /// Unique within the scenario.
    pub name: String,
    /// The name that the file gives to all sizes of a sweep, of which this is one.
    pub sweep: Option<String>,
    /// What it is, for people.
    pub label: Option<String>,
    /// The real system that it is, as verdicts name it; `None` of a model, and where the file does not say.
    pub system: Option<String>,
    /// Where it comes from.
    pub kind: Kind,
}

/// Where a server under test comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A model of bakeoff's own, in a fresh process for each trial.
    BuiltIn(BuiltIn),
    /// Anyone's program, in a fresh process for each trial.
    Command {
        /// The program, by a path from the scenario's folder or found on PATH, and its arguments; `{port}` stands for the port.
        argv: Vec<String>,
        /// What is done around it.
        setup: Setup,
    },
    /// A server that runs already. It cannot be reset, and what it uses cannot be measured.
    Url {
        /// On this machine.
        address: Address,
        /// What is done around it.
        setup: Setup,
    },
}

/// A model and its settings.
#[derive(Clone, Debug, PartialEq)]
pub struct BuiltIn {
    /// A built-in model, or the control that does nothing.
    pub model: Model,
    /// Workers of `work-stealing` and `thread-pool`, connections' threads at most of `thread-per-connection`; `None`
    /// takes the model's default.
    pub threads: Option<usize>,
    /// Event loops on one port, each a process of its own; 1 for the other models.
    pub processes: usize,
    /// Where CPU work runs.
    pub cpu: CpuMode,
    /// CPU time of a payment's signature for this contender alone: how a canary is made slow.
    pub request_cpu: Option<Nanos>,
    /// Connections of its pool; `None` takes the store's.
    pub pool: Option<usize>,
    /// How it asks the lookups of a payment.
    pub fan_out: Gather,
    /// Which client asks its database.
    pub client: Library,
    /// Mistakes that it makes.
    pub pitfalls: Vec<Pitfall>,
    /// The build of bakeoff that serves it; `None` is the one that runs. No scenario names it, only the gate does.
    pub binary: Option<PathBuf>,
}

/// How long a server may take to end where nothing says otherwise.
pub const STOP_WITHIN: Nanos = Nanos(8 * Nanos::SECOND.0);

/// What is done around a server that is not built in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// More variables for its environment and that of `before`; `{port}` stands for the port.
    pub env: Vec<(String, String)>,
    /// Those of them that have a part from bakeoff's own environment, by name: a token, which is another one in each job.
    pub filled: Vec<String>,
    /// When it counts as ready.
    pub ready: Ready,
    /// How long that may take.
    pub ready_within: Nanos,
    /// How long it may take to end when it is asked to.
    pub stop_within: Nanos,
    /// A command that must succeed before each trial, not timed.
    pub before: Option<Vec<String>>,
    /// Files and folders that are deployed, from the scenario's folder; empty leaves it to the program's own path.
    pub payload: Vec<String>,
    /// The scenario's: where commands run.
    pub folder: PathBuf,
    /// How TLS is spoken to it; `None` sends plain HTTP. Its certificates are files of one host, so no frame has it.
    #[serde(skip)]
    pub tls: Option<Tls>,
}

impl Setup {
    /// Nothing is done around it: it is started here, and ready within so long.
    pub(crate) fn plain(ready: Ready, ready_within: Nanos) -> Self {
        Self {
            env: Vec::new(),
            filled: Vec::new(),
            ready,
            ready_within,
            stop_within: STOP_WITHIN,
            before: None,
            payload: Vec::new(),
            folder: ".".into(),
            tls: None,
        }
    }
}

/// When a server counts as ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ready {
    /// Its port accepts a connection.
    Tcp,
    /// A GET of this path is answered with 200.
    Path(String),
}

impl Contender {
    /// The model, where it is a built-in one.
    pub fn built_in(&self) -> Option<&BuiltIn> {
        match &self.kind {
            Kind::BuiltIn(built_in) => Some(built_in),
            Kind::Command { .. } | Kind::Url { .. } => None,
        }
    }

    /// CPU time of a payment's signature, where it is this contender's own.
    pub fn request_cpu(&self) -> Option<Nanos> {
        self.built_in()?.request_cpu
    }

    /// Whether any certificate of its is accepted.
    pub fn is_insecure(&self) -> bool {
        match &self.kind {
            Kind::BuiltIn(_) => false,
            Kind::Command { setup, .. } | Kind::Url { setup, .. } => {
                setup.tls.as_ref().is_some_and(Tls::is_insecure)
            }
        }
    }

    /// Whether it runs already, outside of bakeoff's hands.
    pub fn is_url(&self) -> bool {
        matches!(self.kind, Kind::Url { .. })
    }
}

/// What the rest of the file says about contenders.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) workload: Workload,
    pub(crate) store: &'a Store,
    pub(crate) connections: usize,
    /// What fills in the fields of routes.
    pub(crate) fields: Fields<'a>,
    /// What the routes say of their `host`, where they do.
    pub(crate) host: Option<&'a str>,
    /// The scenario's.
    pub(crate) folder: &'a Path,
    /// Whether a command's program must be there already.
    pub(crate) programs: Programs,
}

/// When the programs of commands are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Programs {
    /// As the file is read.
    Now,
    /// When it is settled which contenders run: a built-in scenario can be listed where its servers are not built.
    Later,
}
