//! The client of a server of threads: there is one.

use std::sync::Arc;

use super::super::Settings;
use crate::backend::hands::threads::Hands;
use crate::backend::postgres::{Question, Reply, Session};
use crate::backend::remote::threads::Pool;
use crate::backend::remote::{Peer, Trouble, Usage};
use crate::error;
use crate::postgres::Server;

/// Connections to the database.
#[derive(Debug)]
pub(in crate::backend) struct Client(Arc<Pool<Session>>);

impl Client {
    /// Without a connection yet.
    ///
    /// # Errors
    /// None in this colour.
    pub(in crate::backend) fn new(_: &Settings, peer: Peer<Server>) -> error::Result<Self> {
        Ok(Self(Arc::new(Pool::new(peer))))
    }

    /// Who waited how long.
    pub(in crate::backend) fn usage(&self) -> &Usage {
        self.0.usage()
    }

    /// As many hands as connections.
    pub(in crate::backend) fn hands(&self) -> &Hands {
        self.0.hands()
    }

    /// Asks one question over one connection.
    ///
    /// # Errors
    /// As [`Pool::ask`].
    pub(in crate::backend) fn ask(&self, question: Question<'_>) -> Result<Reply, Trouble> {
        self.0.ask(question)
    }

    /// Asks several questions that do not depend on each other; the answers come in their order.
    ///
    /// # Errors
    /// As [`Pool::ask_all`].
    pub(in crate::backend) fn ask_all<const N: usize>(
        &self,
        questions: [Question<'static>; N],
    ) -> Result<[Reply; N], Trouble> {
        self.0.ask_all(questions)
    }
}
