//! Receiving webhooks on a thread: every wait blocks it, and the kernel runs another.

use super::{Answer, Event};
use crate::backend::postgres::Question;
use crate::backend::runtime::ClientError;
use crate::backend::services::Store;
use crate::backend::services::threads::App;

/// Keeps an event, once.
pub(crate) fn receive(app: &App, body: &[u8]) -> Result<Answer, Answer> {
    let event = Event::parse(body)?;
    let fresh = keep(app, &event)?;
    Ok(event.answer(fresh))
}

/// Whether it had not come before.
fn keep(app: &App, event: &Event<'_>) -> Result<bool, ClientError> {
    match &app.store {
        Store::Memory(memory) => Ok(memory.receive(&event.event_id, &event.body)),
        Store::Postgres(pool) => {
            let question = Question::Webhook { event_id: &event.event_id, body: &event.body };
            pool.ask(question)?.bool()
        }
    }
}
