//! An event loop's client of a database where it may be the one that others use.

use std::error::Error as StdError;
use std::io;
use std::time::Instant;

use bytes::BytesMut;
use deadpool_postgres::{Manager, ManagerConfig, Object, RecyclingMethod};
use futures_util::future::join_all;
use tokio::time::timeout;
use tokio_postgres::NoTls;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::backend::Settings;
use crate::backend::model::Library;
use crate::backend::postgres::protocol::Reply;
use crate::backend::postgres::{Param, PostgresProtocol, Question};
use crate::backend::runtime::event_loop::helpers::FanOutPool;
use crate::backend::runtime::event_loop::remote::ClientPool;
use crate::backend::runtime::{ANSWER_WITHIN, ClientError, Gather, Peer, Usage};
use crate::error::{self, Error};
use crate::postgres::Server;

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each server")]
pub(crate) enum Client {
    Bakeoff(ClientPool<PostgresProtocol>),
    Borrowed(Borrowed),
}

/// The client that the settings name, without a connection yet.
pub(crate) fn client(settings: &Settings, peer: Peer<Server>) -> error::Result<Client> {
    match settings.client {
        Library::Bakeoff => Ok(Client::Bakeoff(ClientPool::new(peer))),
        Library::TokioPostgres => Borrowed::new(&peer).map(Client::Borrowed),
    }
}

impl Client {
    pub(crate) fn usage(&self) -> &Usage {
        match self {
            Self::Bakeoff(pool) => pool.usage(),
            Self::Borrowed(borrowed) => &borrowed.usage,
        }
    }

    pub(crate) fn fan_out(&self) -> &FanOutPool {
        match self {
            Self::Bakeoff(pool) => pool.fan_out(),
            Self::Borrowed(borrowed) => &borrowed.fan_out,
        }
    }

    /// Asks one question over one connection.
    pub(crate) async fn ask(&self, question: Question<'_>) -> Result<Reply, ClientError> {
        match self {
            Self::Bakeoff(pool) => pool.ask(question).await,
            Self::Borrowed(borrowed) => borrowed.ask(question).await,
        }
    }

    /// Asks several questions that do not depend on each other; the answers come in their order.
    pub(crate) async fn ask_all<const N: usize>(
        &self,
        questions: [Question<'_>; N],
    ) -> Result<[Reply; N], ClientError> {
        match self {
            Self::Bakeoff(pool) => pool.ask_all(questions).await,
            Self::Borrowed(borrowed) => borrowed.ask_all(questions).await,
        }
    }
}

/// tokio-postgres over a pool of deadpool's, whose callers wait in the order in which they came.
#[derive(Debug)]
pub(crate) struct Borrowed {
    pool: deadpool_postgres::Pool,
    gather: Gather,
    usage: Usage,
    fan_out: FanOutPool,
}

impl Borrowed {
    fn new(peer: &Peer<Server>) -> error::Result<Self> {
        let Server { user, password, database, options, .. } = &peer.target;
        let mut config = tokio_postgres::Config::new();
        config.host(peer.address.ip().to_string()).port(peer.address.port());
        config.user(user).dbname(database).options(options.as_deref().unwrap_or_default());
        config.password(password.as_deref().unwrap_or_default());
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, NoTls, recycling);
        let size = peer.connections;
        let pool = deadpool_postgres::Pool::builder(manager).max_size(size).build();
        let pool = pool.map_err(|error| Error::internal(format!("no pool: {error}")))?;
        Ok(Self {
            pool,
            gather: peer.gather,
            usage: Usage::new(size),
            fan_out: FanOutPool::new(size),
        })
    }

    async fn ask(&self, question: Question<'_>) -> Result<Reply, ClientError> {
        let came = Instant::now();
        let taken = self.pool.get().await;
        let connection = taken.map_err(|error| ClientError::Lost(io::Error::other(error)))?;
        let since = self.usage.taken(came, 1);
        let answer = timeout(ANSWER_WITHIN, over(&connection, question)).await;
        drop(connection);
        self.usage.given_back(since);
        answer.unwrap_or_else(|_| Err(ClientError::too_slow()))
    }

    async fn ask_all<const N: usize>(
        &self,
        questions: [Question<'_>; N],
    ) -> Result<[Reply; N], ClientError> {
        let mut replies = Vec::with_capacity(N);
        match self.gather {
            Gather::InTurn => {
                for question in questions {
                    replies.push(self.ask(question).await?);
                }
            }
            _ => {
                let asked = questions.map(|question| self.ask(question));
                replies = join_all(asked).await.into_iter().collect::<Result<_, _>>()?;
            }
        }
        Ok(replies.try_into().expect("a reply for each question"))
    }
}

/// Prepares each statement once for each connection, as our client does at its start.
async fn over(connection: &Object, question: Question<'_>) -> Result<Reply, ClientError> {
    let (statement, parameters) = question.bind(|statement, all| (statement, all.to_vec()));
    let parameters: Vec<&(dyn ToSql + Sync)> =
        parameters.iter().map(|one| one as &(dyn ToSql + Sync)).collect();
    let asked = async {
        let statement = connection.prepare_cached(statement.text()).await?;
        connection.query_opt(&statement, &parameters).await
    };
    let Some(row) = asked.await.map_err(client_error)? else { return Ok(Reply::default()) };
    let columns = (0..row.len()).map(|place| row.try_get::<_, Raw<'_>>(place).map(|raw| raw.0));
    Ok(Reply::of_columns(columns.collect::<Result<Vec<_>, _>>().map_err(client_error)?))
}

fn client_error(error: tokio_postgres::Error) -> ClientError {
    match error.as_db_error() {
        Some(refused) => ClientError::Refused(refused.message().to_owned()),
        None => ClientError::Lost(io::Error::other(error)),
    }
}

impl ToSql for Param<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Int4(value) => value.to_sql(ty, out),
            Self::Int8(value) => value.to_sql(ty, out),
            Self::Text(value) => value.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT4 | Type::INT8 | Type::TEXT)
    }

    to_sql_checked!();
}

/// The bytes of a column, whatever its type.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
