//! What every request of a server of threads shares.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backend::Settings;
use crate::backend::http::Answer;
use crate::backend::memory::Memory;
use crate::backend::model::Pitfall;
use crate::backend::postgres::{PostgresProtocol, Question};
use crate::backend::runtime::threads::helpers::Helpers;
use crate::backend::runtime::threads::remote::ClientPool;
use crate::backend::services::{Common, Store, audited, cpu_mode, database, stats, upstream};
use crate::backend::upstream::Exchange;
use crate::error;

pub(crate) type Client = ClientPool<PostgresProtocol>;

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) common: Common,
    pub(crate) store: Store<Client>,
    pub(crate) upstream: Option<Arc<ClientPool<Exchange>>>,
    pub(crate) helpers: Helpers,
    /// The pitfall `global-lock`. Held through a request's waits, so that all others wait with it.
    lock: Mutex<()>,
}

impl App {
    /// With a store in which nothing has happened yet, or one that is asked first when the first request needs it.
    pub(crate) fn new(settings: &Settings) -> error::Result<Self> {
        let store = match database(settings)? {
            Some(peer) => Store::Postgres(Arc::new(Client::new(peer))),
            None => Store::Memory(Arc::new(Memory::new())),
        };
        let upstream = upstream(settings)?.map(|peer| Arc::new(ClientPool::new(peer)));
        let helpers = Helpers::new(cpu_mode(settings), settings.cores);
        Ok(Self { common: Common::of(settings), store, upstream, helpers, lock: Mutex::new(()) })
    }

    pub(crate) fn audit(&self) -> Result<Answer, Answer> {
        let audit = match &self.store {
            Store::Memory(memory) => memory.audit(),
            Store::Postgres(pool) => pool.ask(Question::Audit)?.audit()?,
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
    pub(crate) fn global_lock(&self) -> Option<MutexGuard<'_, ()>> {
        match self.common.has(Pitfall::GlobalLock) {
            true => Some(self.lock.lock().unwrap_or_else(PoisonError::into_inner)),
            false => None,
        }
    }
}
