//! What is left of a scenario where time is short: as much as its first statement needs.

use super::{Experiments, Metric, Scenario, Statement};

impl Scenario {
    /// The scenario with what its deciding statements (or else its first one) compare: those contenders, those levels and
    /// those experiments, and the other statements that these can judge too. As it is where it states nothing.
    /// [`Scenario::notes`] says what was left out.
    pub fn pared(mut self) -> Self {
        let mut kept: Vec<Statement> =
            self.statements().filter(|one| one.decides).cloned().collect();
        if kept.is_empty() {
            kept.extend(self.statements().next().cloned());
        }
        if kept.is_empty() {
            return self;
        }
        let all = (self.contenders.len(), self.rates.len());
        let named = |name: &String| {
            kept.iter().any(|one| one.of == *name || one.versus.as_ref() == Some(name))
        };
        self.contenders.retain(|one| named(&one.name));
        self.keep_what_speaks_to(&kept);
        let (claims, expectations) = (self.judged(&self.claims), self.judged(&self.expectations));
        (self.claims, self.expectations) = (claims, expectations);
        self.load.requests_min = self.requests_needed();
        let left = (self.contenders.len(), self.rates.len());
        if left != all {
            self.notes.push(format!(
                "time is short: only what decides, {} of {} contenders and {} of {} levels",
                left.0, all.0, left.1, all.1
            ));
        }
        self
    }

    /// Levels and experiments: a capacity needs its search and no level.
    fn keep_what_speaks_to(&mut self, kept: &[Statement]) {
        let Experiments { capacity, footprint, memory_max_bytes, .. } = self.experiments;
        let beside_load = kept.iter().all(|one| one.metric.is_of_a_footprint());
        self.rates.retain(|level| beside_load || kept.iter().any(|one| one.at == Some(*level)));
        let any = |of: fn(Metric) -> bool| kept.iter().any(|one| of(one.metric));
        self.experiments = Experiments {
            compared: self.rates.len(),
            capacity: capacity.filter(|_| any(|metric| metric == Metric::Capacity)),
            footprint: footprint.filter(|_| any(Metric::is_of_a_footprint)),
            map: None,
            memory_max_bytes,
        };
    }

    /// Those that the contenders, levels and experiments that are left can judge.
    fn judged(&self, statements: &[Statement]) -> Vec<Statement> {
        let runs = |name: &String| self.contenders.iter().any(|one| one.name == *name);
        let can = |one: &&Statement| {
            runs(&one.of)
                && one.versus.as_ref().is_none_or(runs)
                && one.at.is_none_or(|level| self.rates.contains(&level))
                && (one.metric != Metric::Capacity || self.experiments.capacity.is_some())
                && (!one.metric.is_of_a_footprint() || self.experiments.footprint.is_some())
        };
        statements.iter().filter(can).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::builtin;

    #[test]
    fn a_pared_scenario_has_what_its_first_claim_compares_and_says_what_it_lost() {
        let whole = builtin("payment-50ms-query").unwrap();
        let first = whole.claims[0].clone();
        assert!(whole.statements().all(|one| !one.decides), "then the first one decides");
        let pared = whole.clone().pared();
        let names: Vec<&str> = pared.contenders.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.len(), 2);
        assert!(names.contains(&first.of.as_str()));
        assert!(names.contains(&first.versus.as_deref().unwrap()));
        assert_eq!(pared.rates, [first.at.unwrap()]);
        assert_eq!(pared.claims[0], first);
        assert!(pared.claims.len() < whole.claims.len());
        assert!(
            pared.claims.iter().all(|one| one.at == first.at && one.metric != Metric::Capacity)
        );
        assert!(
            pared.notes.iter().any(|note| note.contains("2 of 4 contenders and 1 of 3 levels"))
        );
        assert!(pared.estimate() < whole.estimate());
    }

    #[test]
    fn the_experiment_that_the_first_claim_speaks_of_stays() {
        let footprint = builtin("footprint").unwrap().pared();
        assert!(footprint.experiments.footprint.is_some());
        assert_eq!(footprint.contenders.len(), 2);
        let raw = builtin("go-vs-node-raw").unwrap().pared();
        assert_eq!((raw.contenders.len(), raw.experiments.compared), (2, 0));
    }

    #[test]
    fn everything_that_decides_stays() {
        let whole = builtin("go-vs-node-payment-50ms").unwrap();
        let pared = whole.clone().pared();
        let deciding = |one: &Scenario| one.statements().filter(|one| one.decides).count();
        assert_eq!((deciding(&pared), pared.rates.len()), (4, 2));
        assert_eq!((whole.contenders.len(), pared.contenders.len()), (8, 2));
    }

    #[test]
    fn a_scenario_that_says_nothing_is_left_as_it_is() {
        let tour = builtin("tour-payment").unwrap();
        assert_eq!(tour.clone().pared(), tour);
    }
}
