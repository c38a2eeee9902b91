//! A gateway on a thread: both questions are written before the first answer is read.

use super::{Answer, both, failed, joined, no_upstream};
use crate::backend::services::threads::App;

/// Asks twice and joins the answers.
pub(crate) fn gateway(app: &App, id: Option<u64>) -> Result<Answer, Answer> {
    let (id, both) = both(id)?;
    let upstream = app.upstream.as_ref().ok_or_else(no_upstream)?;
    let values = upstream.ask_all(both).map_err(failed)?;
    Ok(joined(id, values))
}
