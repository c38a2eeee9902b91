//! What all requests on an event loop share.

use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use crate::backend::Settings;
use crate::backend::http::Answer;
use crate::backend::memory::Memory;
use crate::backend::model::Pitfall;
use crate::backend::postgres::Question;
#[cfg(feature = "cross-check")]
use crate::backend::runtime::event_loop::cross_check::client;
use crate::backend::runtime::event_loop::helpers::{Helpers, Place};
use crate::backend::runtime::event_loop::remote::ClientPool;
#[cfg(not(feature = "cross-check"))]
use crate::backend::runtime::event_loop::remote::client;
use crate::backend::services::{Common, Store, audited, cpu_mode, database, stats, upstream};
use crate::backend::upstream::Exchange;
use crate::error;

#[cfg(feature = "cross-check")]
pub(crate) use crate::backend::runtime::event_loop::cross_check::Client;
#[cfg(not(feature = "cross-check"))]
pub(crate) use crate::backend::runtime::event_loop::remote::Client;

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) common: Common,
    pub(crate) store: Store<Client>,
    pub(crate) upstream: Option<Arc<ClientPool<Exchange>>>,
    pub(crate) helpers: Helpers,
    /// The pitfall `global-lock`. A lock of the runtime's, since one of the kernel's would stop the loop.
    lock: Mutex<()>,
}

impl App {
    /// With a store in which nothing has happened yet, or one that is asked first when the first request needs it.
    pub(crate) fn new(settings: &Settings, place: Place) -> error::Result<Self> {
        let store = match database(settings)? {
            Some(peer) => Store::Postgres(Arc::new(client(settings, peer)?)),
            None => Store::Memory(Arc::new(Memory::new())),
        };
        let upstream = upstream(settings)?.map(|peer| Arc::new(ClientPool::new(peer)));
        let helpers = Helpers::new(cpu_mode(settings), settings.cores, place);
        Ok(Self { common: Common::of(settings), store, upstream, helpers, lock: Mutex::new(()) })
    }

    pub(crate) async fn audit(&self) -> Result<Answer, Answer> {
        let audit = match &self.store {
            Store::Memory(memory) => memory.audit(),
            Store::Postgres(pool) => pool.ask(Question::Audit).await?.audit()?,
        };
        Ok(audited(audit))
    }

    pub(crate) fn stats(&self) -> Answer {
        match (&self.store, &self.upstream) {
            (Store::Postgres(pool), _) => stats(Some(pool.usage())),
            (_, Some(upstream)) => stats(Some(upstream.usage())),
            _ => stats(None),
        }
    }

    /// The pitfall `global-lock`, where it is made.
    pub(crate) async fn global_lock(&self) -> Option<MutexGuard<'_, ()>> {
        match self.common.has(Pitfall::GlobalLock) {
            true => Some(self.lock.lock().await),
            false => None,
        }
    }
}
