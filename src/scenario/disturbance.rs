//! What a contender has to come back from: a fault of its dependency, or a burst of its load.

use super::{LoadKind, Scenario};
use crate::fault::{Effect, Fault};
use crate::units::Nanos;

/// A stretch of a trial after which a contender is seen to recover.
#[derive(Clone, Debug, PartialEq)]
pub struct Disturbance {
    /// `dependency stalled`, `load of 300%`
    pub what: String,
    /// Since the window's start.
    pub start: Nanos,
    /// Nought for a load that stays higher: what follows is a recovery from its beginning.
    pub lasting: Nanos,
}

impl Scenario {
    /// The last fault that is configured, or else the last burst of the load.
    pub fn disturbance(&self) -> Option<Disturbance> {
        self.store.faults().iter().max_by_key(|fault| fault.range().end).map(of_fault).or_else(
            || {
                let base = *self.rates.first().filter(|_| self.load.kind != LoadKind::Closed)?;
                let steps = &self.load.steps;
                let last = steps.last()?.times;
                let end = steps.iter().rposition(|step| step.times != last)?;
                let lasting = |places: std::ops::Range<usize>| {
                    Nanos(steps[places].iter().map(|step| step.lasting.0).sum())
                };
                if steps[end].times < last {
                    let what = format!("load of {}", base.scaled(last));
                    return Some(Disturbance {
                        what,
                        start: lasting(0..end + 1),
                        lasting: Nanos(0),
                    });
                }
                let before = steps[..end].iter().rposition(|step| step.times <= last);
                let start = before.map_or(0, |place| place + 1);
                let peak = steps[start..=end].iter().map(|step| step.times).fold(0.0, f64::max);
                Some(Disturbance {
                    what: format!("load of {}", base.scaled(peak)),
                    start: lasting(0..start),
                    lasting: lasting(start..end + 1),
                })
            },
        )
    }
}

impl Disturbance {
    /// When it is over.
    pub fn end(&self) -> Nanos {
        self.start + self.lasting
    }
}

fn of_fault(fault: &Fault) -> Disturbance {
    let what = match fault.effect {
        Effect::Stall => "dependency stalled".into(),
        Effect::Slow(factor) => format!("dependency {factor}x slower"),
        Effect::Errors(share) => format!("{share} of statements fail"),
        Effect::Drop(share) => format!("{share} of connections dropped"),
    };
    Disturbance { what, start: fault.start, lasting: fault.lasting }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::plan::Step;
    use crate::scenario::Level;
    use crate::scenario::builtin;
    use crate::units::Share;

    fn of(times: &[f64]) -> Option<(String, u64, u64)> {
        let mut scenario = builtin("tour-payment").unwrap();
        scenario.rates = vec![Level::OfLowest(Share(0.4))];
        let step = |times: &f64| Step { times: *times, lasting: Nanos::SECOND };
        scenario.load.steps = times.iter().map(step).collect();
        let found = scenario.disturbance()?;
        let seconds = |at: Nanos| at.0 / Nanos::SECOND.0;
        Some((found.what, seconds(found.start), seconds(found.lasting)))
    }

    #[test]
    fn a_burst_is_what_is_above_the_end_and_a_step_begins_where_it_rises() {
        let said = |what: &str, start, lasting| Some((what.to_owned(), start, lasting));
        assert_eq!(of(&[1.0, 7.5, 1.0]), said("load of 300%", 1, 1));
        assert_eq!(of(&[1.0, 2.0, 5.0, 1.0, 1.0]), said("load of 200%", 1, 2), "two steps up");
        assert_eq!(of(&[1.0, 5.0, 1.0, 2.0, 1.0]), said("load of 80%", 3, 1), "the last one");
        assert_eq!(of(&[1.0, 2.0]), said("load of 80%", 1, 0));
        assert_eq!(of(&[2.0, 1.0]), said("load of 80%", 0, 1), "from the beginning");
        assert_eq!(of(&[1.0, 1.0]), None);
        assert_eq!(of(&[]), None);
        let stall = builtin("dependency-stall").unwrap().disturbance().unwrap();
        assert!(stall.what == "dependency stalled" && stall.lasting > Nanos(0), "{stall:?}");
    }
}
