//! The comparisons that a run makes of its own accord. Those that it speaks of are one family, judged at a level at which
//! all of them hold together; the others are exploratory.

use super::CONFIDENCE;
use crate::error::{Error, Result};
use crate::scenario::{LoadKind, Scenario};
use crate::stats;

/// The headline comparisons of all scenarios of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    size: usize,
}

impl Family {
    /// The first contender of each scenario against each other one.
    pub(crate) fn of(scenarios: &[Scenario]) -> Self {
        Self { size: scenarios.iter().map(pairs).sum() }
    }

    /// Of each interval, so that all of them hold at 95 % (Bonferroni).
    pub(crate) fn confidence(self) -> f64 {
        1.0 - (1.0 - CONFIDENCE) / self.size.max(1) as f64
    }

    /// The fewest rounds of which such an interval can be had.
    pub(crate) fn rounds_needed(self) -> u32 {
        if self.size == 0 { 1 } else { stats::fewest_pairs(self.confidence()) as u32 }
    }
}

/// Headline comparisons of a scenario.
fn pairs(scenario: &Scenario) -> usize {
    let compares = scenario.load.kind == LoadKind::Closed || !scenario.rates.is_empty();
    match scenario.headline.is_some() && compares {
        true => scenario.contenders.len().saturating_sub(1),
        false => 0,
    }
}

/// Whether every scenario of a run has the rounds that its headline needs.
///
/// # Errors
/// Usage, with the number.
pub(crate) fn check_rounds(scenarios: &[Scenario]) -> Result<()> {
    let family = Family::of(scenarios);
    let (needed, size) = (family.rounds_needed(), family.size);
    let Some(short) = scenarios.iter().find(|one| pairs(one) > 0 && one.rounds < needed) else {
        return Ok(());
    };
    let (rounds, name) = (short.rounds, &short.name);
    let comparisons = if size == 1 { "comparison needs" } else { "comparisons together need" };
    Err(Error::usage(format!(
        "{rounds} rounds of {name} are too few: {size} headline {comparisons} {needed}"
    ))
    .help(format!(
        "give --rounds {needed} or more, or --smoke to see whether it works; with headline = \"none\" in the \
         scenario every comparison is exploratory"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{BUILTIN, Metric, builtin};

    fn scenario(contenders: usize, rounds: u32) -> Scenario {
        let mut scenario = builtin("tour-payment").unwrap();
        scenario.contenders.truncate(contenders);
        Scenario { rounds, headline: Some(Metric::P99), ..scenario }
    }

    #[test]
    fn all_races_of_a_run_are_one_family() {
        for (scenarios, size, needed) in [
            (vec![scenario(1, 1)], 0, 1),
            (vec![scenario(2, 6)], 1, 6),
            (vec![scenario(4, 7)], 3, 7),
            (vec![scenario(4, 8), scenario(4, 8)], 6, 8),
            (vec![scenario(4, 8), Scenario { headline: None, ..scenario(4, 8) }], 3, 7),
        ] {
            let family = Family::of(&scenarios);
            assert_eq!((family.size, family.rounds_needed()), (size, needed));
            assert!((family.confidence() - (1.0 - 0.05 / size.max(1) as f64)).abs() < 1e-12);
            check_rounds(&scenarios).unwrap();
        }
    }

    #[test]
    fn a_run_that_cannot_say_what_it_is_for_is_refused_with_the_number() {
        let refused = check_rounds(&[scenario(4, 8), scenario(4, 7)]).unwrap_err().to_string();
        let said = "7 rounds of tour-payment are too few: 6 headline comparisons together need 8";
        assert!(refused.contains(said), "{refused}");
        check_rounds(&[Scenario { headline: None, ..scenario(4, 1) }]).unwrap();
        check_rounds(&[scenario(4, 7), scenario(1, 1)]).unwrap();
        check_rounds(&[scenario(4, 7), Scenario { rates: Vec::new(), ..scenario(4, 1) }]).unwrap();
    }

    #[test]
    fn every_built_in_scenario_has_the_rounds_that_its_headline_needs() {
        let all = BUILTIN.iter().map(|(name, _)| builtin(name).unwrap());
        let short = all.filter_map(|scenario| check_rounds(&[scenario]).err());
        let short: Vec<String> = short.map(|error| error.to_string()).collect();
        assert!(short.is_empty(), "{short:#?}");
        check_rounds(&crate::scenario::tour()).unwrap();
    }
}
