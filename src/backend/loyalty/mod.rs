//! Distributing points without a colour: what is read, what is answered, and the answers' order.
//!
//! 400 malformed, 404 unknown business, 422 out of range, 409 distribution id reused, 200.

pub(super) mod event_loop;
pub(super) mod threads;

use std::ops::Range;
use std::sync::Arc;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::App;
use super::http::{Answer, parse, whole_number};
use super::memory::{Memory, Record, Terms};
use crate::domain::dataset::{Account, Dataset};
use crate::domain::loyalty::{Distribution, Refusal};

/// Ids of distributions stay below this, which every language's numbers can hold.
const ID_END: u64 = 1 << 53;

/// The body of `POST /loyalty/distributions`. Fields that it does not name are ignored.
#[derive(Deserialize)]
struct Body {
    #[serde(deserialize_with = "whole_number")]
    distribution_id: u64,
    #[serde(deserialize_with = "whole_number")]
    business_id: u64,
    #[serde(deserialize_with = "whole_number")]
    first_account: u64,
    #[serde(deserialize_with = "whole_number")]
    accounts: u64,
    #[serde(deserialize_with = "whole_number")]
    spend_minor: u64,
}

#[derive(Serialize)]
struct Distributed {
    credited: u32,
    points: u64,
}

#[derive(Serialize)]
struct Read<'a> {
    account_id: u32,
    tier: &'a str,
    points: u64,
}

/// A distribution that was begun, and everything that crediting its members needs: a helper can take it along.
struct Task {
    data: Dataset,
    memory: Arc<Memory>,
    distribution: Distribution,
    record: Arc<Record>,
}

impl Task {
    /// Reads a body and begins the distribution, or gives the answer that says why not.
    fn begin<H>(app: &App<H>, body: &[u8]) -> Result<Self, Answer> {
        let Body { distribution_id, business_id, first_account, accounts, spend_minor } =
            parse(body)?;
        let out_of_range = |why| Answer::error(StatusCode::UNPROCESSABLE_ENTITY, why);
        let distribution = Distribution::new(
            app.data,
            distribution_id,
            business_id,
            first_account,
            accounts,
            spend_minor,
        )
        .map_err(|refusal| match refusal {
            Refusal::UnknownBusiness => {
                Answer::error(StatusCode::NOT_FOUND, "there is no such business")
            }
            Refusal::OutOfRange(why) => out_of_range(why),
        })?;
        if distribution_id >= ID_END {
            return Err(out_of_range("distribution_id must be below 9007199254740992"));
        }
        let terms = Terms { business_id, first_account, accounts, spend_minor };
        let record = app.memory.begin(distribution_id, terms).ok_or_else(|| {
            Answer::error(StatusCode::CONFLICT, "the id belongs to another distribution")
        })?;
        Ok(Self { data: app.data, memory: Arc::clone(&app.memory), distribution, record })
    }

    /// How many members are to be credited.
    fn members(&self) -> u32 {
        self.distribution.members.len()
    }

    /// The points that all members got, if they have got them.
    fn finished(&self) -> Option<u64> {
        self.record.finished()
    }

    /// Loads, works out and credits some members; gives the points of all of them, whoever credited them.
    fn credit(&self, members: Range<u32>) -> u64 {
        self.memory.credit(self.data, &self.distribution, &self.record, members)
    }
}

/// The answer to a distribution all of whose members are credited.
fn distributed(members: u32, points: u64) -> Answer {
    Answer::json(StatusCode::OK, &Distributed { credited: members, points })
}

/// The id of an account, if it could be one.
fn account_id(id: Option<u64>) -> Result<u32, Answer> {
    id.and_then(|id| u32::try_from(id).ok()).ok_or_else(unknown_account)
}

/// The answer to a read of an account.
fn read(id: u32, row: Option<(Account, u64)>) -> Result<Answer, Answer> {
    let (account, points) = row.ok_or_else(unknown_account)?;
    Ok(Answer::json(StatusCode::OK, &Read { account_id: id, tier: account.tier.name(), points }))
}

fn unknown_account() -> Answer {
    Answer::error(StatusCode::NOT_FOUND, "there is no such account")
}
