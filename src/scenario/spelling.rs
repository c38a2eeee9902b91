//! The words that a scenario file may use, each the spelling of a value that the rest of the crate has its own type for.

use serde::Deserialize;

use super::{CpuMode, Metric, PlacementMode, Workload};
use crate::backend::Gather;
use crate::backend::client::Library;
use crate::backend::model::Model;
use crate::backend::pitfall::Pitfall;
use crate::load::plan::Arrivals;

/// The service under test.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawWorkload {
    /// Captures payments.
    Payment,
    /// Distributes points to accounts.
    Loyalty,
    /// Anyone's service, with the requests of its routes.
    Http,
}

impl From<RawWorkload> for Workload {
    fn from(raw: RawWorkload) -> Self {
        match raw {
            RawWorkload::Payment => Self::Payment,
            RawWorkload::Loyalty => Self::Loyalty,
            RawWorkload::Http => Self::Http,
        }
    }
}

/// A built-in operation.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawOperation {
    /// `POST /payments`
    Payment,
    /// `POST /loyalty/distributions`
    Distribution,
    /// `GET /loyalty/accounts/{id}`
    AccountRead,
    /// A payment once more, with its key; beside `payment`.
    Replay,
    /// `POST /webhooks`; of either service.
    Webhook,
    /// `GET /gateway/{id}`, which asks the stand-in twice; of either service.
    Gateway,
}

/// How many threads a contender of a map gets.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawSize {
    /// In each cell the best of three.
    Best,
    /// As the contender says.
    Given,
}

/// What a map compares.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum RawMapMetric {
    /// Requests per second in closed loop, at enough connections.
    Capacity,
    /// CPU time of a request, in the same trials.
    CpuPerRequest,
}

/// A concurrency model.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawModel {
    /// tokio on one thread: Node's shape.
    EventLoop,
    /// tokio on several threads: with threads, Go's shape.
    WorkStealing,
    /// An OS thread for every connection.
    ThreadPerConnection,
    /// A fixed number of OS threads.
    ThreadPool,
    /// The control: answers everything with a constant.
    Null,
}

impl From<RawModel> for Model {
    fn from(raw: RawModel) -> Self {
        match raw {
            RawModel::EventLoop => Self::EventLoop,
            RawModel::WorkStealing => Self::WorkStealing,
            RawModel::ThreadPerConnection => Self::ThreadPerConnection,
            RawModel::ThreadPool => Self::ThreadPool,
            RawModel::Null => Self::Null,
        }
    }
}

/// Where CPU work runs.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawCpu {
    /// Inline below an estimated 100 us, offloaded above.
    Auto,
    /// On the thread or task that has the request.
    Inline,
    /// On the model's helpers for CPU work.
    Offload,
}

impl From<RawCpu> for CpuMode {
    fn from(raw: RawCpu) -> Self {
        match raw {
            RawCpu::Auto => Self::Auto,
            RawCpu::Inline => Self::Inline,
            RawCpu::Offload => Self::Offload,
        }
    }
}

/// How threads ask several questions at once.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawFanOut {
    /// One thread writes all of them and then reads the answers.
    Split,
    /// A fixed pool of threads, each asking one.
    Pool,
    /// Threads started for it.
    Scoped,
}

impl From<RawFanOut> for Gather {
    fn from(raw: RawFanOut) -> Self {
        match raw {
            RawFanOut::Split => Self::AtOnce,
            RawFanOut::Pool => Self::Pool,
            RawFanOut::Scoped => Self::Scoped,
        }
    }
}

/// A client of PostgreSQL.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawClient {
    /// bakeoff's own.
    Bakeoff,
    /// tokio-postgres with deadpool-postgres, a cross-check; in builds with the feature `cross-check`.
    TokioPostgres,
}

impl From<RawClient> for Library {
    fn from(raw: RawClient) -> Self {
        match raw {
            RawClient::Bakeoff => Self::Bakeoff,
            RawClient::TokioPostgres => Self::TokioPostgres,
        }
    }
}

/// A mistake that a contender can be told to make.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawPitfall {
    /// The lookups of a payment wait for each other.
    SequentialLookups,
    /// CPU work of any length runs on the thread that drives all connections.
    CpuOnLoop,
    /// Handlers block inside the pool that is there for CPU work.
    BlockingOnRayon,
    /// One lock is held through each request, its waits included.
    GlobalLock,
    /// Each request starts a task or a thread of its own.
    SpawnPerRequest,
    /// All requests share one connection to the dependency.
    OneConnection,
}

impl From<RawPitfall> for Pitfall {
    fn from(raw: RawPitfall) -> Self {
        match raw {
            RawPitfall::SequentialLookups => Self::SequentialLookups,
            RawPitfall::CpuOnLoop => Self::CpuOnLoop,
            RawPitfall::BlockingOnRayon => Self::BlockingOnRayon,
            RawPitfall::GlobalLock => Self::GlobalLock,
            RawPitfall::SpawnPerRequest => Self::SpawnPerRequest,
            RawPitfall::OneConnection => Self::OneConnection,
        }
    }
}

/// Whether generator and contender share cores.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawMode {
    /// Disjoint cores.
    Apart,
    /// All cores for the contender, the generator beside it; labelled co-located.
    Shared,
}

impl From<RawMode> for PlacementMode {
    fn from(raw: RawMode) -> Self {
        match raw {
            RawMode::Apart => Self::Apart,
            RawMode::Shared => Self::Shared,
        }
    }
}

/// How arrivals are spread over time.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawArrivals {
    /// Independent users.
    Poisson,
    /// Equal gaps.
    Constant,
}

impl From<RawArrivals> for Arrivals {
    fn from(raw: RawArrivals) -> Self {
        match raw {
            RawArrivals::Poisson => Self::Poisson,
            RawArrivals::Constant => Self::Constant,
        }
    }
}

/// What a gate does about a metric that stays undecided.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawOnInconclusive {
    /// Says so, and passes.
    Warn,
    /// Ends with exit code 4.
    Fail,
}

/// A figure of a trial.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum RawMetric {
    /// Response time.
    P50,
    /// Response time.
    P90,
    /// Response time.
    P99,
    /// Response time.
    #[serde(rename = "p99_9")]
    P99_9,
    /// Requests answered per second in closed loop: the ceiling.
    Achieved,
    /// Right answers within the SLO's time, per second.
    Goodput,
    /// CPU time of the contender per request.
    CpuPerRequest,
    /// What the machine gave to all processes of the contender, kernel memory included.
    Memory,
    /// Peak resident memory of the contender's process; a contender of several has none.
    Rss,
    /// Requests per second within the SLO, where an experiment looks for them.
    Capacity,
    /// The most of the resident memory in thirty windows of a trial over their median.
    RssSpread,
    /// The highest p99 of thirty windows of a trial over their median. Needs 1,000 requests in each.
    P99Spread,
    /// p99 of the wait for a pooled connection to the dependency.
    PoolWaitP99,
    /// From the end of the last fault or burst until at most 1 % of a second's requests exceed the SLO. Needs 1,000 in a second.
    Recovery,
    /// p50 of the response time of distributions.
    Completion,
    /// Accounts credited per second.
    AccountsPerS,
    /// From the start of a program to its first answer; of the footprint experiment.
    StartUp,
    /// Resident memory before anyone asks; of the footprint experiment.
    RssIdle,
    /// Size of what is deployed, without what runs it; of the footprint experiment.
    Payload,
    /// Size of the minimal image, compressed; of the footprint experiment.
    Image,
}

/// What a run itself speaks of.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum RawHeadline {
    /// Nothing: every comparison is exploratory.
    None,
    /// Response time.
    P50,
    /// Response time.
    P90,
    /// Response time.
    P99,
    /// Response time.
    #[serde(rename = "p99_9")]
    P99_9,
    /// Requests answered per second in closed loop: the ceiling.
    Achieved,
    /// Right answers within the SLO's time, per second.
    Goodput,
    /// CPU time of the contender per request.
    CpuPerRequest,
    /// What the machine gave to all processes of the contender, kernel memory included.
    Memory,
    /// From the end of the last fault or burst until at most 1 % of a second's requests exceed the SLO.
    Recovery,
    /// p50 of the response time of distributions.
    Completion,
    /// Accounts credited per second.
    AccountsPerS,
}

impl RawHeadline {
    pub(super) fn metric(self) -> Option<Metric> {
        Some(match self {
            Self::None => return None,
            Self::P50 => Metric::P50,
            Self::P90 => Metric::P90,
            Self::P99 => Metric::P99,
            Self::P99_9 => Metric::P99_9,
            Self::Achieved => Metric::Achieved,
            Self::Goodput => Metric::Goodput,
            Self::CpuPerRequest => Metric::CpuPerRequest,
            Self::Memory => Metric::Memory,
            Self::Recovery => Metric::Recovery,
            Self::Completion => Metric::Completion,
            Self::AccountsPerS => Metric::AccountsPerS,
        })
    }
}

impl From<RawMetric> for Metric {
    fn from(raw: RawMetric) -> Self {
        match raw {
            RawMetric::P50 => Self::P50,
            RawMetric::P90 => Self::P90,
            RawMetric::P99 => Self::P99,
            RawMetric::P99_9 => Self::P99_9,
            RawMetric::Achieved => Self::Achieved,
            RawMetric::Goodput => Self::Goodput,
            RawMetric::CpuPerRequest => Self::CpuPerRequest,
            RawMetric::Memory => Self::Memory,
            RawMetric::Rss => Self::Rss,
            RawMetric::Capacity => Self::Capacity,
            RawMetric::RssSpread => Self::RssSpread,
            RawMetric::P99Spread => Self::P99Spread,
            RawMetric::PoolWaitP99 => Self::PoolWaitP99,
            RawMetric::Recovery => Self::Recovery,
            RawMetric::Completion => Self::Completion,
            RawMetric::AccountsPerS => Self::AccountsPerS,
            RawMetric::StartUp => Self::StartUp,
            RawMetric::RssIdle => Self::RssIdle,
            RawMetric::Payload => Self::Payload,
            RawMetric::Image => Self::Image,
        }
    }
}
