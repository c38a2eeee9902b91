//! What is sent once before a trial's load, for the values that all of its requests share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::NEVER;
use super::dispatch::Dispatch;
use super::live::Live;
use super::mix::Mix;
use super::plan::{Operation, Pace, Plan, Shape, UserSession};
use super::pool::Pool;
use super::recorder::Recorder;
use super::sender::Sender;
use crate::error::{Error, Result};
use crate::units::Nanos;

/// Its requests have the keys and draws of this k, which no load reaches.
const K: u64 = (1 << 40) - 1;

/// How the message begins of a setup that failed by `error`.
pub(crate) fn setup_failed(error: &str) -> String {
    format!("the setup failed ({error})")
}

/// Sends the setup of `plan` over a connection of its own; gives what was captured.
///
/// # Errors
/// The contender's: the step that failed, and what came. Interrupted.
pub(super) fn values(plan: &Plan, stop: &AtomicBool) -> Result<Arc<[Vec<u8>]>> {
    if plan.setup.is_empty() {
        return Ok(Arc::default());
    }
    let session = UserSession { name: "setup".into(), steps: plan.setup.clone() };
    let own = Plan {
        mix: vec![(Operation::Session(session), 1)],
        shape: Shape::Closed,
        pace: Pace::Sleep,
        objective: None,
        ..plan.clone()
    };
    let mix = Mix::new(&own, Arc::default())?;
    let live = Live::new(1);
    let ever = Nanos(0)..NEVER;
    let sender = Sender {
        mix: &mix,
        pool: Pool::open(&own, 1, stop)?,
        dispatch: Dispatch::closed(K, 1, NEVER, K + 1),
        recorder: Recorder::of(&own, ever.clone()),
        shape: own.shape,
        pace: own.pace,
        timeout: own.timeout,
        window: ever,
        warms: true,
        stop,
        live: live.of(0),
    };
    let result = sender.run()?;
    if result.stopped.is_some() {
        return Err(Error::interrupted());
    }
    let (kinds, ..) = result.recorder.into_parts();
    let Some((&error, _)) = kinds[0].errors.first_key_value() else {
        return Ok(result.values.into());
    };
    let failed = kinds[0].steps.iter().find(|step| step.errors.contains_key(&error));
    let step = failed.map_or("a step", |step| &step.name);
    let what = kinds[0].firsts.get(&error).map_or_else(String::new, |what| format!(": {what}"));
    Err(Error::invalid(format!("{} at {step}{what}", setup_failed(error)))
        .help("the load is sent only when all of [[setup]] has been answered rightly")
        .by_contender(""))
}
