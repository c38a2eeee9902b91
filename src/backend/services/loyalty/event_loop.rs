//! Distributing points on an event loop: every wait gives the thread to another request.

use std::sync::Arc;

use super::{Answer, DistributionRequest, Task, account_id, conflict, distributed, read};
use crate::backend::memory::Memory;
use crate::backend::postgres::Question;
use crate::backend::runtime::ClientError;
use crate::backend::services::Store;
use crate::backend::services::event_loop::{App, Client};
use crate::domain::dataset::Account;

/// Credits every member of a distribution once, and finishes one that was left half-way.
pub(crate) async fn distribute(app: &App, body: &[u8]) -> Result<Answer, Answer> {
    let request = DistributionRequest::parse(app.common.data, body)?;
    let points = match &app.store {
        Store::Memory(memory) => credit_here(app, memory, &request).await?,
        Store::Postgres(pool) => credit_there(pool, request).await?,
    };
    Ok(distributed(request.members(), points))
}

/// In memory nothing waits: members are computed in pieces.
async fn credit_here(
    app: &App,
    memory: &Arc<Memory>,
    request: &DistributionRequest,
) -> Result<u64, Answer> {
    let task = Task::begin(app.common.data, memory, request)?;
    if let Some(points) = task.finished() {
        return Ok(points);
    }
    let credit = move |piece| task.credit(piece);
    Ok(app.helpers.divided(request.members(), credit).await)
}

/// In a database everything waits: as many members at once as there are connections.
async fn credit_there(pool: &Arc<Client>, request: DistributionRequest) -> Result<u64, Answer> {
    if !pool.ask(request.begin()).await?.bool()? {
        return Err(conflict());
    }
    let members = Arc::clone(pool);
    let credit = move |member| credit(Arc::clone(&members), request, member);
    Ok(pool.fan_out().each(request.members(), credit).await?)
}

/// One member: loads the account, works out its points, credits it.
async fn credit(
    pool: Arc<Client>,
    request: DistributionRequest,
    member: u32,
) -> Result<u64, ClientError> {
    let id = request.distribution.members.id(member);
    let row = pool.ask(Question::Account(id)).await?.account()?;
    let (points, credit) = request.credit(member, row)?;
    pool.ask(credit).await?;
    Ok(points)
}

pub(crate) async fn account(app: &App, id: Option<u64>) -> Result<Answer, Answer> {
    let id = account_id(id)?;
    let row = load(app, id).await?;
    read(id, row)
}

async fn load(app: &App, id: u32) -> Result<Option<(Account, u64)>, ClientError> {
    match &app.store {
        Store::Memory(memory) => {
            Ok(app.common.data.account(id).map(|row| (row, memory.points(id))))
        }
        Store::Postgres(pool) => pool.ask(Question::Account(id)).await?.account(),
    }
}
