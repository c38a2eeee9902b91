//! The services, each with twin handlers: what a request means is in `mod.rs`, how it waits in `event_loop.rs` and
//! `threads.rs`. Compare the twins with `diff`: their difference is what bakeoff measures.

pub(crate) mod event_loop;
pub(crate) mod gateway;
pub(crate) mod loyalty;
pub mod payment;
pub(crate) mod threads;
pub(crate) mod webhook;

use crate::backend::cpu::CpuMode;
use crate::backend::http::Answer;
use crate::backend::memory::{Audit, Memory};
use crate::backend::model::Pitfall;
use crate::backend::runtime::{Gather, Peer, Usage};
use crate::backend::{Settings, StoreSettings, Workload, postgres, upstream};
use crate::domain::dataset::Dataset;
use crate::error::Result;
use crate::postgres::Server;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::serialization::{Serializer as _, V2Serializer};
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;

/// What no request changes.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) name: String,
    pub(crate) workload: Option<Workload>,
    pub(crate) data: Dataset,
    pub(crate) seed: u64,
    pub(crate) signature_rounds: u32,
    pub(crate) pitfalls: Vec<Pitfall>,
}

/// Where state lives. `P` is the twin's pool of connections to a database.
#[derive(Debug)]
pub(crate) enum Store<P> {
    Memory(Arc<Memory>),
    Postgres(Arc<P>),
}

impl Common {
    fn of(settings: &Settings) -> Self {
        Self {
            name: settings.name.clone(),
            workload: settings.workload,
            data: Dataset::new(settings.seed),
            seed: settings.seed,
            signature_rounds: settings.signature_rounds,
            pitfalls: settings.pitfalls.clone(),
        }
    }

    pub(crate) fn has(&self, pitfall: Pitfall) -> bool {
        self.pitfalls.contains(&pitfall)
    }
}

/// Where CPU work runs, mistakes included.
fn cpu_mode(settings: &Settings) -> CpuMode {
    match settings.pitfalls.contains(&Pitfall::CpuOnLoop) {
        true => CpuMode::Inline,
        false => settings.cpu,
    }
}

/// The database that the settings name, if they do.
fn database(settings: &Settings) -> Result<Option<Peer<Server>>> {
    let StoreSettings::Postgres { url } = &settings.store else { return Ok(None) };
    let (address, target) = postgres::target(url)?;
    let (connections, gather) = asked(settings);
    Ok(Some(Peer { address, target, connections, gather }))
}

/// The upstream that the settings name, if they do.
fn upstream(settings: &Settings) -> Result<Option<Peer<upstream::Host>>> {
    let Some(url) = &settings.upstream else { return Ok(None) };
    let (address, target) = upstream::host(url)?;
    let (connections, gather) = asked(settings);
    Ok(Some(Peer { address, target, connections, gather }))
}

/// Over how many connections, and how, mistakes included.
fn asked(settings: &Settings) -> (usize, Gather) {
    let has = |pitfall| settings.pitfalls.contains(&pitfall);
    let connections = if has(Pitfall::OneConnection) { 1 } else { settings.pool };
    let gather = if has(Pitfall::SequentialLookups) { Gather::InTurn } else { settings.fan_out };
    (connections, gather)
}

#[derive(Serialize)]
struct Audited {
    money_in_minor: u64,
    money_out_minor: u64,
    fees_minor: u64,
    points_issued: u64,
    points_held: u64,
    applied: Applied,
}

#[derive(Serialize)]
struct Applied {
    payments: u64,
    distributions: u64,
    credits: u64,
    webhooks: u64,
}

/// The answer to `/audit`.
fn audited(audit: Audit) -> Answer {
    let audited = Audited {
        money_in_minor: audit.money_in_minor,
        money_out_minor: audit.money_out_minor,
        fees_minor: audit.fees_minor,
        points_issued: audit.points_issued,
        points_held: audit.points_held,
        applied: Applied {
            payments: audit.payments,
            distributions: audit.distributions,
            credits: audit.credits,
            webhooks: audit.webhooks,
        },
    };
    Answer::json(StatusCode::OK, &audited)
}

/// What a server tells of itself, beside what can be seen from outside.
#[derive(Serialize)]
struct Stats {
    /// Time that requests waited for a connection, ns: HdrHistogram V2, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pool_wait: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<PoolStats>,
}

#[derive(Serialize)]
struct PoolStats {
    size: usize,
    /// The time that connections were in use, all of them together.
    busy_ns: u64,
}

/// The answer to `/stats`.
fn stats(pool: Option<&Usage>) -> Answer {
    let pool_wait = pool.map(|usage| {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&usage.waits(), &mut bytes).expect("memory takes bytes");
        BASE64_STANDARD.encode(bytes)
    });
    let pool = pool.map(|usage| PoolStats { size: usage.size(), busy_ns: usage.busy().0 });
    Answer::json(StatusCode::OK, &Stats { pool_wait, pool })
}
