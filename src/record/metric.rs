//! The figures that a statement can speak of.

use std::borrow::Cow;

use crate::text::clean;

/// A figure of a trial, or of a whole experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Response time, ns.
    P50,
    /// Response time, ns.
    P90,
    /// Response time, ns.
    P99,
    /// Response time, ns.
    P99_9,
    /// Requests answered per second in closed loop: the ceiling, not the capacity within an SLO.
    Achieved,
    /// Requests per second within the SLO, where an experiment looked for them.
    Capacity,
    /// Right answers within the SLO's time, per second.
    Goodput,
    /// CPU time of the contender per request, us.
    CpuPerRequest,
    /// What the machine gave to all processes of the contender, kernel memory included, bytes.
    Memory,
    /// Peak resident memory of the contender's process, bytes.
    Rss,
    /// The largest of thirty samples of its resident memory over their median.
    RssSpread,
    /// The largest p99 of the response time in thirty windows of a trial over their median.
    P99Spread,
    /// Waiting for a pooled connection to the dependency, ns.
    PoolWaitP99,
    /// From the end of the last fault until the SLO is kept again, ns.
    Recovery,
    /// The p50 of the response time of distributions, ns.
    Completion,
    /// Accounts credited per second.
    AccountsPerS,
    /// From the start of a program to its first answer, ns.
    StartUp,
    /// Resident memory before anyone asks, bytes.
    RssIdle,
    /// What is deployed, bytes, without what runs it.
    Payload,
    /// The minimal image, compressed, bytes.
    Image,
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
}

impl Metric {
    /// Every metric, in the order in which help lists them.
    pub const ALL: [Self; 20] = [
        Self::P50,
        Self::P90,
        Self::P99,
        Self::P99_9,
        Self::Achieved,
        Self::Capacity,
        Self::Goodput,
        Self::CpuPerRequest,
        Self::Memory,
        Self::Rss,
        Self::RssSpread,
        Self::P99Spread,
        Self::PoolWaitP99,
        Self::Recovery,
        Self::Completion,
        Self::AccountsPerS,
        Self::StartUp,
        Self::RssIdle,
        Self::Payload,
        Self::Image,
    ];

    /// As scenarios and reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P99_9 => "p99_9",
            Self::Achieved => "achieved",
            Self::Capacity => "capacity",
            Self::Goodput => "goodput",
            Self::CpuPerRequest => "cpu_per_request",
            Self::Memory => "memory",
            Self::Rss => "rss",
            Self::RssSpread => "rss_spread",
            Self::P99Spread => "p99_spread",
            Self::PoolWaitP99 => "pool_wait_p99",
            Self::Recovery => "recovery",
            Self::Completion => "completion",
            Self::AccountsPerS => "accounts_per_s",
            Self::StartUp => "start_up",
            Self::RssIdle => "rss_idle",
            Self::Payload => "payload",
            Self::Image => "image",
        }
    }

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
            Self::CpuPerRequest => Unit::Micros,
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
        "rss" => "peak RSS".into(),
        "achieved" => "throughput".into(),
        other => clean(other).into(),
    }
}
