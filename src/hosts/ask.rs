//! What an agent can be asked, and what it answers.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::load::plan::{Peer, Plan};
use crate::record::Fingerprint;
use crate::record::carried;
use crate::record::outcome::Outcome;
use crate::scenario::Setup;
use crate::units::Nanos;

/// A question. Its variants say the type of the answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Ask {
    /// What the host is ([`Described`]); `address` is the one that others are to reach it at.
    Describe { address: IpAddr },
    /// CLOCK_MONOTONIC now ([`Nanos`]), answered ahead of all others.
    Clock,
    /// To start a server on some cores and wait until it is ready ([`RunningServer`]). It listens on `address`.
    Start {
        name: String,
        start: Start,
        env: Vec<(String, String)>,
        cores: Vec<usize>,
        address: IpAddr,
    },
    /// To end it (nothing).
    Stop { server: u64 },
    /// How it ended, if it has without being asked (`Option<String>`); that may take a moment to show (`soon`).
    Crashed { server: u64, soon: bool },
    /// The last of what it wrote (`String`), also of one that has been ended.
    Wrote { server: u64 },
    /// What it uses in a window of this host's clock ([`Sampled`](super::sampler::Sampled)). Can be told to stop.
    Sample { server: u64, pooled: bool, cores: Vec<usize>, window: [Nanos; 3] },
    /// To send a part of a load ([`Sent`]). It says [`Said`], and is told when to begin.
    Load { plan: Box<Plan> },
    /// What an idle core loses in so long ([`Hiccups`](crate::record::Hiccups)).
    Hiccups { time: Nanos },
    /// How many rounds a CPU time comes to ([`Calibrated`](crate::record::Calibrated)).
    Calibrate { cpu: Nanos },
    /// What a server answers at a path ([`Fetched`]), asked at an instant of this host's clock.
    Fetch { at: SocketAddr, method: String, path: String, within: Nanos, when: Nanos },
}

/// What is started.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Start {
    /// The agent's own program, by one of its verbs.
    Own { verb: String, flags: Vec<String> },
    /// Another program.
    Command { argv: Vec<String>, setup: Setup },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Described {
    pub(crate) fingerprint: Fingerprint,
    /// Differs between two boots of a machine; hosts that have it in common are one machine.
    pub(crate) boot_id: String,
    /// Those that the agent may use.
    pub(crate) cores: Vec<usize>,
    /// Whether the address is one of its interfaces'.
    pub(crate) has_address: bool,
    /// Its own program.
    pub(crate) program: PathBuf,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunningServer {
    pub(crate) server: u64,
    pub(crate) peer: Peer,
    /// What it said that runs it.
    pub(crate) runtime: Option<String>,
}

/// A body, or why there is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Fetched {
    Body(#[serde(with = "carried::bytes")] Vec<u8>),
    Not(String),
}

/// What a generator says before it is done.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// It is ready to begin, or has warmed up, and this was the slowest of its last right answers.
    Meets(Nanos),
    /// Its measured window: start, middle and end.
    Window([Nanos; 3]),
}

/// What came of a part of a load.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) outcome: Outcome,
    /// Right answers up to the window's end, those of the warm-up too.
    pub(crate) answered: u64,
    /// Of the machine's time: stolen and throttled.
    pub(crate) shares: (Option<f64>, Option<f64>),
}
