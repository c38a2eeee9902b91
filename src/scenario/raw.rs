//! A scenario file as it is written. Nothing here is checked beyond its type; `convert` makes a `Scenario` of it.
//!
//! The comments on fields are the descriptions of the published JSON Schema, so they speak to who writes a file.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::quantity::{At, Figure, Quantity};
use super::{CpuMode, Level, Manager, MapMetric, Metric, PlacementMode, WarmUp, Workload};
use crate::backend::Gather;
use crate::backend::model::{Library, Model, Pitfall};
use crate::load::plan::{Arrivals, Bursts, Pick, Spike, Statuses};
use crate::scenario::quantity::Counts;
use crate::units::{Nanos, Rate, Share};

/// A scenario of bakeoff: contenders, the load that they get, and what is expected of them.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, schemars(title = "bakeoff scenario"))]
pub(super) struct Raw {
    /// Version of this file format: 1.
    pub(super) schema: At<u64>,
    /// Names the report folder: lower-case letters, digits and `-`.
    pub(super) name: At<String>,
    /// One sentence for people.
    pub(super) title: At<String>,
    /// The service under test.
    pub(super) workload: At<Workload>,
    /// Sets the dataset, the arrivals and the bodies. Default 42.
    pub(super) seed: Option<At<u64>>,
    /// Trials of each contender at each level. Default 10. Intervals need 6, and more where
    /// the headline compares several contenders.
    pub(super) rounds: Option<At<u64>>,
    /// What the run itself compares and speaks of: the first contender against each other one, at the first rate and of the
    /// first request kind. All other comparisons are exploratory. Default p99, and `achieved` under a closed load.
    pub(super) headline: Option<At<RawHeadline>>,
    /// A canary: its expectation must fail, and a run of a whole folder leaves it out.
    pub(super) self_check: Option<At<bool>>,
    /// What is done with the contenders.
    pub(super) experiment: Option<RawExperiment>,
    /// What one request costs.
    pub(super) request: Option<RawRequest>,
    /// Where state lives. Default memory.
    pub(super) store: Option<RawStore>,
    /// The operations of the load. Default: payments, or distributions of 1,000 accounts.
    #[serde(default)]
    pub(super) route: Vec<At<RawRoute>>,
    /// Requests that one user sends in order; beside routes, or in their place.
    #[serde(default)]
    pub(super) session: Vec<At<RawSession>>,
    /// Requests that are sent once before each trial's load, in order. What they `extract` is a field of all routes and
    /// steps: a token that all users share.
    #[serde(default)]
    pub(super) setup: Vec<At<RawRoute>>,
    /// Files of rows that fill in the fields of routes, by name: `{users.id}` is the column `id` of [data.users].
    #[serde(default, deserialize_with = "in_file_order")]
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, RawData>"))]
    pub(super) data: Vec<(At<String>, At<RawData>)>,
    /// The servers under test, by name; the first is the one that others are compared with.
    #[serde(deserialize_with = "in_file_order")]
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, RawContender>"))]
    pub(super) contender: Vec<(At<String>, At<RawContender>)>,
    /// Who runs on which cores.
    pub(super) placement: Option<RawPlacement>,
    /// What names the hosts of a run inside a cluster: the Slurm job's nodes, or Kubernetes' running pods. Without a placement the
    /// last one runs the contender and the others send the load.
    pub(super) hosts: Option<Manager>,
    /// The label of the pods of `hosts = "kubernetes"`. Default app=bakeoff.
    pub(super) pods: Option<At<String>>,
    /// Other hosts, by name, for `placement.mode = "hosts"`; `--hosts FILE` adds more.
    #[serde(default, deserialize_with = "in_file_order")]
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, RawHost>"))]
    pub(super) host: Vec<(At<String>, At<RawHost>)>,
    /// How the load is made. Default open.
    pub(super) load: Option<RawLoad>,
    /// What the service promises.
    pub(super) slo: Option<RawSlo>,
    /// How two builds of a contender are compared.
    pub(super) gate: Option<At<RawGate>>,
    /// Statements that decide the exit code.
    #[serde(default)]
    pub(super) expect: Vec<RawStatement>,
    /// Statements that are judged and never change the exit code.
    #[serde(default)]
    pub(super) claim: Vec<RawStatement>,
}

/// A file of rows, relative to the scenario's folder, at most 256 MiB.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawData {
    /// Comma-separated, with the columns' names in the first line.
    pub(super) csv: Option<At<String>>,
    /// One JSON object per line.
    pub(super) jsonl: Option<At<String>>,
    /// Which row a request gets: `sequence` in turn, and again from the first, or `random`. Default sequence.
    pub(super) pick: Option<Pick>,
}

/// What is done with the contenders.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawExperiment {
    /// All contenders at the same load levels.
    pub(super) compare: Option<RawCompare>,
    /// The same at the levels of a curve, in shuffled order in each round.
    pub(super) curve: Option<RawCompare>,
    /// The highest rate at which each contender keeps the SLO.
    pub(super) capacity: Option<At<RawCapacity>>,
    /// Who wins at which CPU time and wait of a request.
    pub(super) map: Option<At<RawMap>>,
    /// What the contenders are beside their load: starts, idle memory, and the sizes of what is deployed.
    pub(super) footprint: Option<At<RawFootprint>>,
    /// The most memory with which a size of a sweep may stand for its contender: "256MiB". Default any.
    pub(super) memory: Option<At<String>>,
}

/// The highest rate at which each contender keeps the SLO, as an interval.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawCapacity {
    /// The window of the trials that find where to look. Default 1s.
    pub(super) short: Option<At<Quantity<Nanos>>>,
    /// The window of the trials that decide. Default `duration` of the load.
    pub(super) deciding: Option<At<Quantity<Nanos>>>,
}

/// Two models against each other, cell by cell.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawMap {
    /// The rows: CPU time of a request.
    pub(super) cpu: At<Vec<At<Quantity<Nanos>>>>,
    /// The columns: what a request waits for its lookups. `0ms` is state in memory.
    pub(super) wait: At<Vec<At<Quantity<Nanos>>>>,
    /// Whose figure.
    pub(super) of: At<String>,
    /// Against whose.
    pub(super) versus: At<String>,
    /// Default best.
    pub(super) size: Option<RawSize>,
    /// Your own service: its cell is measured first, then its neighbours.
    pub(super) mine: Option<RawMine>,
    /// Default capacity.
    pub(super) metric: Option<MapMetric>,
    /// Paired rounds of a cell. Default 10. Cells are judged together, and below 8 none has a winner.
    pub(super) rounds: Option<At<u64>>,
}

/// A place on a map.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawMine {
    /// CPU time of a request.
    pub(super) cpu: Quantity<Nanos>,
    /// What a request waits for its lookups.
    pub(super) wait: Quantity<Nanos>,
}

/// What the contenders are beside their load.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawFootprint {
    /// Starts of each contender that are measured, after one that warms the caches. Default 10.
    pub(super) starts: Option<At<u64>>,
}

/// All contenders at the same load levels.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawCompare {
    /// `"300/s"`; `"50%"` of the lowest maximum throughput among the contenders; `"70% own"` of each one's own.
    pub(super) rates: Option<At<Vec<At<Quantity<Level>>>>>,
}

/// What one request costs.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawRequest {
    /// CPU time of one payment's signature, calibrated at start. Default 40us.
    pub(super) cpu: Option<At<Quantity<Nanos>>>,
}

/// Where state lives.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawStore {
    /// In the contender's own memory.
    Memory(Nothing),
    /// In a stand-in for a database: bakeoff's own, with configured latencies and faults.
    Standin(RawStandin),
    /// In a real PostgreSQL.
    Postgres(RawPostgres),
}

/// A stand-in for a database.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawStandin {
    /// How long its statements take. Default: no longer than they must.
    pub(super) latency: Option<RawLatencies>,
    /// What goes wrong, and when since the window's start: `"stall=1s@3s"`, `"slow=x5@3s+2s"`, `"errors=10%@3s+2s"`,
    /// `"drop=20%@3s+2s"`.
    #[serde(default)]
    pub(super) faults: Vec<At<String>>,
    /// Connections of each contender's pool. Default 16.
    pub(super) connections: Option<At<u64>>,
}

/// A real PostgreSQL.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawPostgres {
    /// `"auto"` starts a temporary server; else `postgres://USER:PASSWORD@127.0.0.1:PORT/DATABASE`.
    pub(super) url: At<String>,
    /// What is added to the time of its statements, by sleeping in the server.
    pub(super) latency: Option<RawLatencies>,
    /// Connections of each contender's pool. Default 16.
    pub(super) connections: Option<At<u64>>,
}

/// A latency for every lookup (`{ constant = "50ms" }`), or one for each class of statements.
#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawLatencies {
    /// Of statements that read a row.
    pub(super) lookup: Option<At<RawLatency>>,
    /// Of statements that change something.
    pub(super) write: Option<At<RawLatency>>,
    /// Of lookups: always the same.
    pub(super) constant: Option<At<Quantity<Nanos>>>,
    /// Of lookups: anything between two times.
    pub(super) uniform: Option<At<[Quantity<Nanos>; 2]>>,
    /// Of lookups: a lognormal law by two percentiles.
    pub(super) lognormal: Option<At<RawLognormal>>,
    /// Of lookups: times from a file, milliseconds, one per line.
    pub(super) trace: Option<At<String>>,
}

/// A law of waiting times.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawLatency {
    /// Always the same.
    Constant(Quantity<Nanos>),
    /// Anything between two times.
    Uniform([Quantity<Nanos>; 2]),
    /// A lognormal law by two percentiles.
    Lognormal(RawLognormal),
    /// Times from a file, milliseconds, one per line.
    Trace(String),
}

/// A lognormal law by two percentiles.
#[derive(Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawLognormal {
    /// The median.
    pub(super) p50: Quantity<Nanos>,
    /// The 99th percentile.
    pub(super) p99: Quantity<Nanos>,
}

/// Takes no keys.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// One kind of request of the load: a built-in operation, or with `workload = "http"` any request.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawRoute {
    /// A built-in operation of the workload.
    pub(super) operation: Option<At<RawOperation>>,
    /// The request's name in reports.
    pub(super) name: Option<At<String>>,
    /// Default GET, or POST with a body.
    pub(super) method: Option<At<String>>,
    /// With its query. May have seeded fields: `{uuid}`, `{key}`, `{int:1..1000000}` and `{pick:a|b|c}`; `{{` is a brace.
    /// `{env:TOKEN}` is the environment variable, here, in headers and in a body; no output shows its value.
    pub(super) path: Option<At<String>>,
    /// Their values may have fields. `host` takes the place of the server's address.
    #[serde(default, deserialize_with = "in_file_order")]
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, String>"))]
    pub(super) headers: Vec<(At<String>, At<String>)>,
    /// May have fields.
    pub(super) body: Option<At<String>>,
    /// A file that is the body, byte for byte; relative to the scenario's folder, at most 16 MiB.
    pub(super) body_file: Option<At<String>>,
    /// A file with one body per line, sent as they are, each as likely; relative to the scenario's folder, at most 16 MiB.
    pub(super) body_lines: Option<At<String>>,
    /// The statuses of correct responses, at most 8, each a status or a class: [200, 404], "2xx". Default [200].
    pub(super) status: Option<At<Statuses>>,
    /// What the body of a correct response has: `json:/ok=true` at a JSON pointer, or `contains:text`. The first MiB is read.
    pub(super) expect_body: Option<At<String>>,
    /// Its share of the requests, against the other routes' weights. Default 1.
    pub(super) weight: Option<At<u64>>,
    /// Its own rate, in independent Poisson arrivals; then every route has one, and the experiment has no `rates`.
    pub(super) rate: Option<At<Quantity<Rate>>>,
    /// Members of one distribution. Default 1000.
    pub(super) accounts: Option<At<u64>>,
    /// Of a step of a session: how long the user waits between the answer to the step before and this one. Default 0s.
    pub(super) think: Option<At<Quantity<Nanos>>>,
    /// Of a step of a session or the setup: values of its answer, which later steps write as {name}. `json:/token` at a JSON
    /// pointer, `header:x-token`, or `cookie:sid`. A correct response has all of them.
    #[serde(default, deserialize_with = "in_file_order")]
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, String>"))]
    pub(super) extract: Vec<(At<String>, At<String>)>,
}

/// Requests that one user sends in order, at most 32. The load's rates are of sessions. One that fails ends its session.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawSession {
    /// Its name in reports.
    pub(super) name: At<String>,
    /// Its share of what is sent, against the weights of routes and other sessions. Default 1.
    pub(super) weight: Option<At<u64>>,
    /// Its own rate, in independent Poisson arrivals; then every route and session has one.
    pub(super) rate: Option<At<Quantity<Rate>>>,
    /// The requests: routes, or built-in operations of the workload.
    #[serde(default)]
    pub(super) step: Vec<At<RawRoute>>,
}

/// How TLS is spoken to a server. Files are relative to the scenario's folder. SNI and the name in the certificate are those
/// of the routes' `host` header, else of the URL.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    /// A PEM file of the authorities to trust instead of the machine's, or of the server's own certificate.
    pub(super) cacert: Option<At<String>>,
    /// Whether any certificate is accepted; the report says so. Default false.
    pub(super) insecure: Option<bool>,
    /// A PEM file of the client's certificate.
    pub(super) cert: Option<At<String>>,
    /// A PEM file of its key.
    pub(super) key: Option<At<String>>,
    /// Whether a connection may resume an earlier one's session, without a full handshake. Default true.
    pub(super) resumption: Option<bool>,
}

/// A server under test: a built-in `model`, a `command`, or a `url`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawContender {
    /// How a built-in server waits for many things at once.
    pub(super) model: Option<At<Model>>,
    /// A program and its arguments, run in the scenario's folder; `{port}`, also BAKEOFF_PORT, is where it must listen.
    pub(super) command: Option<At<Vec<At<String>>>>,
    /// A server that runs already on this machine: `http://127.0.0.1:8080`, `https://localhost:8443`, `unix:/run/app.sock`.
    pub(super) url: Option<At<String>>,
    /// TLS to it, of a command that speaks HTTPS (`tls = {}`) or a `url` with https.
    pub(super) tls: Option<At<RawTls>>,
    /// What it is, for people.
    pub(super) label: Option<At<String>>,
    /// The real system that it is (`"Go"`), as verdicts name it: `tested with: Go and Node`.
    pub(super) system: Option<At<String>>,
    /// What of it is deployed: files and folders, relative to the scenario's. Default: the command's program, where that
    /// is a path.
    #[serde(default)]
    pub(super) payload: Vec<At<String>>,
    /// More variables for the command and for `before`; `{env:NAME}` in a value is bakeoff's own variable.
    #[serde(default, deserialize_with = "in_file_order")]
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, String>"))]
    pub(super) env: Vec<(At<String>, At<String>)>,
    /// A path that answers 2xx once the server is ready, or `tcp`. Default tcp, `/healthz` for the built-in services.
    pub(super) ready: Option<At<String>>,
    /// How long that may take. Default 10s.
    pub(super) ready_within: Option<At<Quantity<Nanos>>>,
    /// How long it may take to end after SIGTERM; then it is killed and has lost the round. Default 8s.
    pub(super) stop_within: Option<At<Quantity<Nanos>>>,
    /// A program and its arguments, run before each trial and not timed; it must succeed within a minute.
    pub(super) before: Option<At<Vec<At<String>>>>,
    /// Workers of `work-stealing` and `thread-pool`; the most connections of `thread-per-connection`. Several, as in
    /// [64, 128, 512], are a contender each, named with its size.
    pub(super) threads: Option<At<Counts>>,
    /// Event loops on one port, each a process of its own. Default 1.
    pub(super) processes: Option<At<u64>>,
    /// Where CPU work runs. Default auto.
    pub(super) cpu: Option<At<CpuMode>>,
    /// CPU time of a payment's signature for this contender alone: how a canary is made slow.
    pub(super) request_cpu: Option<At<Quantity<Nanos>>>,
    /// Connections of its pool, where they are not the store's. Several are a contender each, named with its size.
    pub(super) pool: Option<At<Counts>>,
    /// How threads ask the lookups of a payment at once. Default split.
    pub(super) fan_out: Option<At<Gather>>,
    /// Which client an event loop asks its database with. Default bakeoff.
    pub(super) client: Option<At<Library>>,
    /// Mistakes that it makes on purpose.
    #[serde(default)]
    pub(super) pitfalls: Vec<At<Pitfall>>,
}

/// Who runs on which cores.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlacement {
    /// Default apart.
    pub(super) mode: Option<At<PlacementMode>>,
    /// Cores of the contender. Default: 1 of 2, 2 of 4, 4 of 8; of a host of its own all but one.
    pub(super) contender_cores: Option<At<u64>>,
    /// The contender's host, with `mode = "hosts"`.
    pub(super) contender: Option<At<String>>,
    /// The host of what it waits for. Default: the first generator's.
    pub(super) dependency: Option<At<String>>,
    /// The hosts that the load comes from; `local` is this one. Default: local.
    pub(super) generators: Option<At<Vec<String>>>,
}

/// A file of hosts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHosts {
    pub(super) hosts: Option<Manager>,
    pub(super) pods: Option<At<String>>,
    #[serde(default, deserialize_with = "in_file_order")]
    pub(super) host: Vec<(At<String>, At<RawHost>)>,
    pub(super) placement: Option<RawPlacement>,
}

/// Another host, where a launcher starts `bakeoff agent`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawHost {
    /// A command that gives stdin and stdout of a process there, such as ["ssh", "-T", "b"]; the path of bakeoff and `agent` are
    /// appended. Without it the process is one of this host.
    pub(super) launch: Option<Vec<String>>,
    /// The IP address at which the other hosts reach it. Default 127.0.0.1.
    pub(super) address: Option<At<String>>,
    /// Where commands run. Default: the scenario's folder.
    pub(super) folder: Option<At<String>>,
    /// The path of bakeoff there, of the same build. Default: the path of the one that runs.
    pub(super) bakeoff: Option<At<String>>,
}

/// How the load is made.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "one for each file")]
pub(super) enum RawLoad {
    /// Requests are sent at their instants, whether or not responses have arrived.
    Open(RawOpen),
    /// Each connection sends when it has the response: finds the maximum throughput, has no response time.
    Closed(RawClosed),
}

/// Requests are sent at their instants, whether or not responses have arrived.
#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawOpen {
    /// Default poisson.
    pub(super) arrivals: Option<Arrivals>,
    /// Sent before the window and not recorded: auto (the default: until a contender is warm), 10s, 20000 requests, or
    /// none.
    pub(super) warm_up: Option<At<Quantity<WarmUp>>>,
    /// The measured window. Default 5s; a minimum: a level runs until its lowest rate has given 1,000 requests.
    pub(super) duration: Option<At<Quantity<Nanos>>>,
    /// Rates one after another, each with how long it lasts: [["40%", "1s"], ["300%", "500ms"], ["40%", "3s"]]. In place of
    /// the experiment's rates and of `duration`; 2 to 64, all of them rates or all shares of one ceiling.
    pub(super) steps: Option<RawSteps>,
    /// `"x5@3s+2s"`: five times the rate from 3 s after the window's start on, for 2 s.
    pub(super) spike: Option<At<Quantity<Spike>>>,
    /// `"x5@200ms/800ms"`: random bursts, on average 200 ms at five times the calm rate, then on average 800 ms of calm. The
    /// experiment's rates are the means of both.
    pub(super) bursts: Option<At<Quantity<Bursts>>>,
    /// A file of arrivals instead of the experiment's rates: seconds, one per line, or an access log (common, combined, JSON
    /// lines), of which the instants are taken; relative to the scenario's folder.
    pub(super) replay: Option<At<String>>,
    /// The field of JSON lines that has the time; `a.b` for one within another.
    pub(super) replay_time: Option<String>,
    /// The field of JSON lines that has the duration: seconds, or what its name ends with (`_ms`, `_us`, `_ns`).
    pub(super) replay_duration: Option<String>,
    /// Connections of the generator. Default 64.
    pub(super) connections: Option<At<u64>>,
    /// The time limit of a response. Default 2s.
    pub(super) timeout: Option<At<Quantity<Nanos>>>,
}

/// Rates one after another, each with how long it lasts.
pub(super) type RawSteps = At<Vec<(At<Quantity<Level>>, At<Quantity<Nanos>>)>>;

/// Each connection sends when it has the response.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawClosed {
    /// Sent before the window and not recorded: auto (the default: until a contender is warm), 10s, 20000 requests, or
    /// none.
    pub(super) warm_up: Option<At<Quantity<WarmUp>>>,
    /// The measured window. Default 5s.
    pub(super) duration: Option<At<Quantity<Nanos>>>,
    /// Connections of the generator. Default 64.
    pub(super) connections: Option<At<u64>>,
    /// The time limit of a response. Default 2s.
    pub(super) timeout: Option<At<Quantity<Nanos>>>,
}

/// What the service promises.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawSlo {
    /// The response time that 99 % must meet.
    pub(super) p99: At<Quantity<Nanos>>,
    /// The share of requests that may fail. Default 0%.
    pub(super) error_rate: Option<At<Quantity<Share>>>,
}

/// How two builds of a contender are compared by `bakeoff gate`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawGate {
    /// The contender whose model `--baseline-bin` and `--candidate-bin` start. Default: the first one with a model.
    pub(super) contender: Option<At<String>>,
    /// The load of both: `"300/s"`, or a share of the baseline's maximum throughput, probed once. Default 60%.
    pub(super) rate: Option<At<Quantity<Level>>>,
    /// Time limit: sets the number of rounds, 12 to 40. Default: 40 rounds.
    pub(super) budget: Option<At<Quantity<Nanos>>>,
    /// What is gated: `p99`, `p50`, `cpu_per_request`, `memory`, `rss`, `throughput`; with several requests `p99 of NAME`. Default
    /// all but throughput and rss.
    pub(super) metrics: Option<At<Vec<At<String>>>>,
    /// Metrics without which the gate is not passed.
    #[serde(default)]
    pub(super) required: Vec<At<String>>,
    /// How much worse each metric may be. Default: p99 10%, CPU per request 3%, the others 5%.
    #[serde(default, deserialize_with = "in_file_order")]
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, Quantity<Share>>"))]
    pub(super) margin: Vec<(At<String>, At<Quantity<Share>>)>,
    /// What an undecided metric means for the exit code. Default warn.
    pub(super) on_inconclusive: Option<At<RawOnInconclusive>>,
}

/// A statement that a run judges: a metric of one contender against another's, or against a bound.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawStatement {
    /// As people read it.
    pub(super) text: At<String>,
    /// What is compared.
    pub(super) metric: At<Metric>,
    /// The contender that it is about.
    pub(super) of: At<String>,
    /// The contender that it is compared with; without it the bound is absolute.
    pub(super) versus: Option<At<String>>,
    /// The load level, when several run.
    pub(super) at: Option<At<Quantity<Level>>>,
    /// The operation, when several are sent.
    pub(super) request: Option<At<String>>,
    /// The ratio of / versus lies between 1/r and r.
    pub(super) within: Option<At<f64>>,
    /// The two differ by at most this.
    pub(super) within_abs: Option<At<Quantity<Nanos>>>,
    /// With `versus` a ratio, else a value with its unit (`"5ms"`, `"60us"`, `"16MiB"`, `"5000/s"`).
    pub(super) at_least: Option<At<Figure>>,
    /// With `versus` a ratio, else a value with its unit.
    pub(super) at_most: Option<At<Figure>>,
    /// A ledger's row needs it: the row fails when it fails, and holds only when it holds. Default false.
    #[serde(default)]
    pub(super) decides: bool,
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

/// A table's entries as the file has them. A map would sort them, and the first contender is the one compared with.
fn in_file_order<'de, D, T>(deserializer: D) -> Result<Vec<(At<String>, T)>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Entries<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
        type Value = Vec<(At<String>, T)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }
    deserializer.deserialize_map(Entries(PhantomData))
}
