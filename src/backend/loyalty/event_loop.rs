//! Distributing points on an event loop: every wait gives the thread to another request.

use super::{Answer, Task, account_id, distributed, read};
use crate::backend::cpu::event_loop::Helpers;
use crate::domain::dataset::Account;

type App = crate::backend::App<Helpers>;

/// Credits every member of a distribution once, and finishes one that was left half-way.
///
/// # Errors
/// The answer to a distribution that cannot be.
pub(in crate::backend) async fn distribute(app: &App, body: &[u8]) -> Result<Answer, Answer> {
    let task = Task::begin(app, body)?;
    let members = task.members();
    if let Some(points) = task.finished() {
        return Ok(distributed(members, points));
    }
    let credit = move |piece| task.credit(piece);
    let points = app.helpers.divided(members, credit).await;
    Ok(distributed(members, points))
}

/// Reads one account.
///
/// # Errors
/// The answer that there is none.
pub(in crate::backend) async fn account(app: &App, id: Option<u64>) -> Result<Answer, Answer> {
    let id = account_id(id)?;
    let row = load(app, id).await;
    read(id, row)
}

/// An account's row and its points.
async fn load(app: &App, id: u32) -> Option<(Account, u64)> {
    let account = app.data.account(id)?;
    Some((account, app.memory.points(id)))
}
