use axum::extract::{Path, State};
use axum::http::StatusCode;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::{Answer, Shared};
use crate::app::{App, Error};
use crate::json::{Object, Whole, answer};
use crate::rules::loyalty::{Distribution, Refused, Terms};
use crate::rules::UNKNOWN;
use crate::store::Failed;

#[derive(Deserialize)]
pub struct Body {
    distribution_id: Whole,
    business_id: Whole,
    first_account: Whole,
    accounts: Whole,
    spend_minor: Whole,
}

#[derive(Serialize)]
struct Credited {
    credited: u32,
    points: i64,
}

/// Credits every member once, and finishes a distribution that was left half-way.
pub async fn distribute(State(app): Shared, Object(body): Object<Body>) -> Answer {
    let terms = Terms {
        id: body.distribution_id.0,
        business_id: body.business_id.0,
        first_account: body.first_account.0,
        accounts: body.accounts.0,
        spend_minor: body.spend_minor.0,
    };
    let distribution = Distribution::new(app.data, terms).map_err(|refused| match refused {
        Refused::UnknownBusiness => Error::not_found("there is no such business"),
        Refused::OutOfRange(message) => Error::unprocessable(message),
    })?;
    if !app.store.begin(&distribution).await? {
        return Err(Error::new(StatusCode::CONFLICT, "the id belongs to another distribution"));
    }
    let points = stream::iter(distribution.members.ids())
        .map(|account| credit(&app, &distribution, account))
        .buffer_unordered(app.fan_out)
        .try_fold(0, async |sum, points| Ok(sum + points))
        .await?;
    Ok(answer(StatusCode::OK, Credited { credited: distribution.members.count(), points }))
}

async fn credit(app: &App, distribution: &Distribution, id: u32) -> Result<i64, Failed> {
    let account = app.store.account(id).await?;
    let (account, _) = account.ok_or_else(|| Failed(format!("account {id} is gone")))?;
    let points = distribution.points(account);
    app.store.credit(distribution, id, points).await?;
    Ok(points)
}

#[derive(Serialize)]
struct Account {
    account_id: u32,
    tier: &'static str,
    points: i64,
}

pub async fn account(State(app): Shared, Path(id): Path<String>) -> Answer {
    let unknown = || Error::not_found("there is no such account");
    let digits = id.bytes().all(|b| b.is_ascii_digit());
    let account_id = id.parse::<u32>().ok().filter(|id| digits && *id < UNKNOWN);
    let account_id = account_id.ok_or_else(unknown)?;
    let (account, points) = app.store.account(account_id).await?.ok_or_else(unknown)?;
    let tier = account.tier.name();
    Ok(answer(StatusCode::OK, Account { account_id, tier, points }))
}
