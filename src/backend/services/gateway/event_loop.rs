//! A gateway on an event loop: both upstream answers are awaited at once.

use super::{Answer, both, failed, joined, no_upstream};
use crate::backend::services::event_loop::App;

/// Asks twice and joins the answers.
pub(crate) async fn gateway(app: &App, id: Option<u64>) -> Result<Answer, Answer> {
    let (id, both) = both(id)?;
    let upstream = app.upstream.as_ref().ok_or_else(no_upstream)?;
    let values = upstream.ask_all(both).await.map_err(failed)?;
    Ok(joined(id, values))
}
