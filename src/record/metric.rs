//! The figures that a statement can speak of.

use std::borrow::Cow;

use crate::text::clean;
use crate::words::words;

words! {
    "metric"
    /// A figure of a trial.
    pub enum Metric {
        /// Response time.
        P50 = "p50",
        /// Response time.
        P90 = "p90",
        /// Response time.
        P99 = "p99",
        /// Response time.
        P99_9 = "p99_9",
        /// Requests answered per second in closed loop: the ceiling.
        Achieved = "achieved",
        /// Right answers within the SLO's time, per second.
        Goodput = "goodput",
        /// CPU time of the contender per request.
        CpuPerRequest = "cpu_per_request",
        /// The part of it in user mode.
        UserCpuPerRequest = "user_cpu_per_request",
        /// The part of it in the kernel.
        SystemCpuPerRequest = "system_cpu_per_request",
        /// How long threads of the contender were ready to run and did not, per request.
        RunQueuePerRequest = "run_queue_per_request",
        /// Context switches of the contender per request, voluntary and involuntary.
        SwitchesPerRequest = "switches_per_request",
        /// Page faults of the contender per request, minor and major.
        FaultsPerRequest = "faults_per_request",
        /// What the machine gave to all processes of the contender, kernel memory included.
        Memory = "memory",
        /// Peak resident memory of the contender's process; a contender of several has none.
        Rss = "rss",
        /// Requests per second within the SLO, where an experiment looks for them.
        Capacity = "capacity",
        /// The most of the resident memory in thirty windows of a trial over their median.
        RssSpread = "rss_spread",
        /// The highest p99 of thirty windows of a trial over their median. Needs 1,000 requests in each.
        P99Spread = "p99_spread",
        /// p99 of the wait for a pooled connection to the dependency.
        PoolWaitP99 = "pool_wait_p99",
        /// From the end of the last fault or burst until at most 1 % of a second's requests exceed the SLO. Needs 1,000 in a second.
        Recovery = "recovery",
        /// p50 of the response time of distributions.
        Completion = "completion",
        /// Accounts credited per second.
        AccountsPerS = "accounts_per_s",
        /// From the start of a program to its first answer; of the footprint experiment.
        StartUp = "start_up",
        /// Resident memory before anyone asks; of the footprint experiment.
        RssIdle = "rss_idle",
        /// Size of what is deployed, without what runs it; of the footprint experiment.
        Payload = "payload",
        /// Size of the minimal image, compressed; of the footprint experiment.
        Image = "image",
    }
}

/// What a metric's value is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// ns
    Nanos,
    /// us
    Micros,
    /// Something per second.
    PerSecond,
    /// bytes
    Bytes,
    /// So many times another.
    Times,
    /// A number for each request.
    Count,
}

impl Metric {
    /// The rank of the percentile of the response time that it is, 0.99 for p99.
    pub fn rank(self) -> Option<f64> {
        match self {
            Self::P50 | Self::Completion => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P99 => Some(0.99),
            Self::P99_9 => Some(0.999),
            _ => None,
        }
    }

    /// The percentile of the response time that it is or is made of: `p99`.
    pub fn percentile(self) -> Option<&'static str> {
        match self {
            Self::Completion => Some("p50"),
            Self::P99Spread => Some("p99"),
            of => of.rank().map(|_| of.name()),
        }
    }

    /// Whether it is of one kind of request, which a statement has to name where several are sent.
    pub fn is_of_a_request(self) -> bool {
        matches!(self, Self::P50 | Self::P90 | Self::P99 | Self::P99_9 | Self::P99Spread)
    }

    /// Whether it is made of response times: a closed load has none, and neither has a contender that fell behind.
    pub fn is_of_responses(self) -> bool {
        self.is_of_a_request() || matches!(self, Self::Completion | Self::Recovery)
    }

    /// Whether it is read of the contender's processes, of which a contender by URL has none that are known.
    pub fn is_of_a_process(self) -> bool {
        matches!(self, Self::CpuPerRequest | Self::Memory | Self::Rss | Self::RssSpread)
            || matches!(self, Self::UserCpuPerRequest | Self::SystemCpuPerRequest)
            || matches!(self, Self::RunQueuePerRequest)
            || self.unit() == Unit::Count
    }

    /// Whether it is a figure of a footprint, which no load has a part in.
    pub fn is_of_a_footprint(self) -> bool {
        matches!(self, Self::StartUp | Self::RssIdle) || self.is_exact()
    }

    /// Whether it is counted and not measured, and so has no interval.
    pub fn is_exact(self) -> bool {
        matches!(self, Self::Payload | Self::Image)
    }

    /// Whether more of it is better.
    pub fn is_a_rate(self) -> bool {
        self.unit() == Unit::PerSecond
    }

    /// What its values are in.
    pub fn unit(self) -> Unit {
        match self {
            Self::Achieved | Self::Capacity | Self::Goodput | Self::AccountsPerS => Unit::PerSecond,
            Self::CpuPerRequest | Self::UserCpuPerRequest | Self::SystemCpuPerRequest => {
                Unit::Micros
            }
            Self::RunQueuePerRequest => Unit::Micros,
            Self::SwitchesPerRequest | Self::FaultsPerRequest => Unit::Count,
            Self::Memory | Self::Rss | Self::RssIdle | Self::Payload | Self::Image => Unit::Bytes,
            Self::RssSpread | Self::P99Spread => Unit::Times,
            Self::P50 | Self::P90 | Self::P99 | Self::P99_9 => Unit::Nanos,
            Self::PoolWaitP99 | Self::Recovery | Self::Completion | Self::StartUp => Unit::Nanos,
        }
    }
}

/// A metric's name for people.
pub(crate) fn label(name: &str) -> Cow<'static, str> {
    match name {
        "p99_9" => "p99.9".into(),
        "cpu_per_request" => "CPU/request".into(),
        "user_cpu_per_request" => "user CPU/request".into(),
        "system_cpu_per_request" => "system CPU/request".into(),
        "run_queue_per_request" => "run queue/request".into(),
        "switches_per_request" => "switches/request".into(),
        "faults_per_request" => "page faults/request".into(),
        "rss" => "peak RSS".into(),
        "achieved" => "throughput".into(),
        other => clean(other).into(),
    }
}
