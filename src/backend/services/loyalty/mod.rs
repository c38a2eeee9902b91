//! Distributes points: what both twins read and answer, and in which order answers take precedence.
//!
//! 400 malformed, 404 unknown business, 422 out of range, 409 distribution id reused, 200; 503 when a
//! dependency does not answer, and then a replay finishes what was begun.

pub(crate) mod event_loop;
pub(crate) mod threads;

use std::ops::Range;
use std::sync::Arc;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::backend::http::{Answer, parse, whole_number};
use crate::backend::memory::{Memory, Record, Terms};
use crate::backend::postgres::Question;
use crate::backend::runtime::ClientError;
use crate::domain::dataset::{Account, Dataset};
use crate::domain::loyalty::{Distribution, DistributionRefusal};

/// The body of `POST /loyalty/distributions`. Fields that it does not name are ignored.
#[derive(Deserialize)]
struct DistributionBody {
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

/// A distribution that can be, as it was asked for.
#[derive(Clone, Copy)]
struct DistributionRequest {
    distribution: Distribution,
    terms: Terms,
}

impl DistributionRequest {
    /// Reads a body, or gives the answer that says what is wrong with it.
    fn parse(data: Dataset, body: &[u8]) -> Result<Self, Answer> {
        let DistributionBody { distribution_id, business_id, first_account, accounts, spend_minor } =
            parse(body)?;
        let (id, first) = (distribution_id, first_account);
        let distribution = Distribution::new(data, id, business_id, first, accounts, spend_minor)
            .map_err(refused)?;
        let terms = Terms { business_id, first_account, accounts, spend_minor };
        Ok(Self { distribution, terms })
    }

    fn members(&self) -> u32 {
        self.distribution.members.len()
    }

    /// What a database is asked first.
    fn begin(&self) -> Question<'static> {
        let Terms { business_id, first_account, accounts, spend_minor } = self.terms;
        let terms = [business_id, first_account, accounts, spend_minor];
        Question::Begin { id: self.distribution.id, terms }
    }

    /// What it is asked for a member, and told when the row is there.
    fn credit(
        &self,
        member: u32,
        row: Option<(Account, u64)>,
    ) -> Result<(u64, Question<'static>), ClientError> {
        let account_id = self.distribution.members.id(member);
        let (account, _) =
            row.ok_or_else(|| ClientError::Refused(format!("no account {account_id}")))?;
        let points = self.distribution.points(account);
        let distribution_id = self.distribution.id;
        Ok((points, Question::Credit { distribution_id, account_id, points }))
    }
}

/// A distribution that was begun in memory, and everything that crediting its members needs: a helper can take it along.
struct Task {
    data: Dataset,
    memory: Arc<Memory>,
    distribution: Distribution,
    record: Arc<Record>,
}

impl Task {
    /// Begins the distribution, or gives the answer that says why not.
    fn begin(
        data: Dataset,
        memory: &Arc<Memory>,
        request: &DistributionRequest,
    ) -> Result<Self, Answer> {
        let DistributionRequest { distribution, terms } = *request;
        let record = memory.begin(distribution.id, terms).ok_or_else(conflict)?;
        Ok(Self { data, memory: Arc::clone(memory), distribution, record })
    }

    /// The points that all members got, if they have got them.
    fn finished(&self) -> Option<u64> {
        self.record.finished()
    }

    /// Loads, works out and credits some members; gives the points of all of them, including those that another request credited.
    fn credit(&self, members: Range<u32>) -> u64 {
        self.memory.credit(self.data, &self.distribution, &self.record, members)
    }
}

/// The answer to a distribution that cannot be.
fn refused(refusal: DistributionRefusal) -> Answer {
    match refusal {
        DistributionRefusal::UnknownBusiness => {
            Answer::error(StatusCode::NOT_FOUND, "there is no such business")
        }
        DistributionRefusal::OutOfRange(why) => {
            Answer::error(StatusCode::UNPROCESSABLE_ENTITY, why)
        }
    }
}

/// The answer to an id that came with other fields before.
fn conflict() -> Answer {
    Answer::error(StatusCode::CONFLICT, "the id belongs to another distribution")
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
