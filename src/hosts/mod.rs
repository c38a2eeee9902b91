//! Other hosts: an agent on each, over the stdin and stdout of a launcher, which is any command that gives those of a
//! process there (`ssh`, `kubectl exec`, `srun`).
//!
//! - `frame` is what goes over the wire, `ask` what an agent can be asked.
//! - `agent` answers. It ends with all that it started when its stdin ends, or when it has heard nothing for [`LEASE`].
//! - `link` launches an agent and asks; `clocks` finds out what its clock says.
//! - `sampler` reads what a contender uses, for an agent as for a run on one machine; `permit` says where load may go.

pub(crate) mod agent;
pub(crate) mod ask;
pub(crate) mod clocks;
mod frame;
pub(crate) mod link;
pub(crate) mod permit;
pub(crate) mod sampler;

pub(crate) use frame::Word;
use std::time::Duration;

/// Who hears nothing for so long takes the other side for dead: a link that is cut gives no end.
const LEASE: Duration = Duration::from_secs(15);
/// Between two heartbeats.
const BEAT: Duration = Duration::from_secs(3);
