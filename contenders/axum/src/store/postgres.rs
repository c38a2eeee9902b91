//! A database with the schema of contracts/schema.sql: it is read through the views and written through the functions,
//! and each statement is one round trip.

use std::error::Error;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};

use super::{Applied, Audit, Failed, Outcome, Result};
use crate::rules::dataset::{Account, Limits, Merchant, Tier, User};
use crate::rules::loyalty::Distribution;
use crate::rules::payment::Payment;

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(10);

const USER: &str = "SELECT blocked, opening_balance_minor FROM user_rows WHERE id = $1";
const LIMITS: &str = "SELECT per_payment_minor FROM limit_rows WHERE user_id = $1";
const MERCHANT: &str = "SELECT closed, fee_bps FROM merchant_rows WHERE id = $1";
const ACCOUNT: &str = "SELECT tier, cap_points, points FROM account_rows WHERE id = $1";
const CAPTURE: &str = "SELECT outcome, fee_minor FROM capture($1, $2, $3, $4, $5, $6)";
const BEGIN: &str = "SELECT same FROM begin_distribution($1, $2, $3, $4, $5)";
const CREDIT: &str = "SELECT fresh FROM credit($1, $2, $3)";
const WEBHOOK: &str = "SELECT fresh FROM receive_webhook($1, $2)";
const AUDIT: &str = "SELECT * FROM audit()";

type Parameter<'a> = &'a (dyn ToSql + Sync);

pub struct Postgres(Pool);

impl Postgres {
    /// Connects once; the other connections, at most `connections`, are opened when they are needed.
    pub async fn open(url: &str, connections: usize) -> Result<Self> {
        let config = url.parse::<Config>().map_err(|error| failed(&error))?;
        // No query beside the nine: a connection that has broken is found out when it is used.
        let manager = Manager::from_config(
            config,
            NoTls,
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(connections)
            .create_timeout(Some(CONNECT_MAX))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| failed(&error))?;
        drop(pool.get().await.map_err(|error| failed(&error))?);
        Ok(Self(pool))
    }

    pub async fn user(&self, id: u32) -> Result<Option<User>> {
        let row = self.first(USER, &[&(id as i32)]).await?;
        Ok(row.map(|row| User { blocked: row.get(0), opening_balance_minor: row.get(1) }))
    }

    pub async fn limits(&self, user_id: u32) -> Result<Option<Limits>> {
        let row = self.first(LIMITS, &[&(user_id as i32)]).await?;
        Ok(row.map(|row| Limits { per_payment_minor: row.get(0) }))
    }

    pub async fn merchant(&self, id: u32) -> Result<Option<Merchant>> {
        let row = self.first(MERCHANT, &[&(id as i32)]).await?;
        Ok(row.map(|row| Merchant { closed: row.get(0), fee_bps: row.get::<_, i32>(1).into() }))
    }

    pub async fn account(&self, id: u32) -> Result<Option<(Account, i64)>> {
        let row = self.first(ACCOUNT, &[&(id as i32)]).await?;
        row.map(|row| {
            let tier = Tier::ALL.get(row.get::<_, i16>(0) as usize);
            let tier = *tier.ok_or_else(|| Failed(format!("account {id} has no known tier")))?;
            Ok((Account { tier, cap_points: row.get(1) }, row.get(2)))
        })
        .transpose()
    }

    pub async fn capture(&self, payment: Payment, _: User, fee_minor: i64) -> Result<Outcome> {
        let Payment { key, user_id, merchant_id, amount_minor, currency } = payment;
        let ids = (user_id as i32, merchant_id as i32);
        let row = self
            .one(CAPTURE, &[&key, &ids.0, &ids.1, &amount_minor, &currency, &fee_minor])
            .await?;
        match row.get(0) {
            "captured" => Ok(Outcome::Captured(row.get(1))),
            "replayed" => Ok(Outcome::Replayed(row.get(1))),
            "conflict" => Ok(Outcome::Conflict),
            "insufficient_funds" => Ok(Outcome::InsufficientFunds),
            other => Err(Failed(format!("a payment came to {other:?}"))),
        }
    }

    pub async fn begin(&self, distribution: &Distribution) -> Result<bool> {
        let terms = distribution.terms;
        let fields =
            [terms.id, terms.business_id, terms.first_account, terms.accounts, terms.spend_minor];
        let fields = fields.map(|field| field as i64);
        let [id, business, first, accounts, spend] = &fields;
        Ok(self.one(BEGIN, &[id, business, first, accounts, spend]).await?.get(0))
    }

    pub async fn credit(&self, of: &Distribution, account: u32, points: i64) -> Result<()> {
        self.one(CREDIT, &[&(of.terms.id as i64), &(account as i32), &points]).await?;
        Ok(())
    }

    pub async fn receive(&self, event_id: String, body: String) -> Result<bool> {
        Ok(self.one(WEBHOOK, &[&event_id, &body]).await?.get(0))
    }

    pub async fn audit(&self) -> Result<Audit> {
        let row = self.one(AUDIT, &[]).await?;
        let figure = |name: &str| row.get::<_, i64>(name);
        Ok(Audit {
            money_in_minor: figure("money_in_minor"),
            money_out_minor: figure("money_out_minor"),
            fees_minor: figure("fees_minor"),
            points_issued: figure("points_issued"),
            points_held: figure("points_held"),
            applied: Applied {
                payments: figure("payments"),
                distributions: figure("distributions"),
                credits: figure("credits"),
                webhooks: figure("webhooks"),
            },
        })
    }

    /// The first row of a statement, which each connection prepares once.
    async fn first(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Option<Row>> {
        let client = self.0.get().await.map_err(|error| failed(&error))?;
        let statement = client.prepare_cached(sql).await.map_err(|error| failed(&error))?;
        client.query_opt(&statement, parameters).await.map_err(|error| failed(&error))
    }

    async fn one(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Row> {
        let row = self.first(sql, parameters).await?;
        row.ok_or_else(|| Failed(format!("no row of {sql}")))
    }
}

/// An error with its causes.
fn failed(error: &dyn Error) -> Failed {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    Failed(text)
}
