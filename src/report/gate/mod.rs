//! What a CI system and the tools around it read: each format a pure function of the gate's result.
//!
//! - [`shown`]: a terminal, a step summary, or a comment on a pull request.
//! - [`ci`]: GitHub's workflow commands and step outputs, and a JUnit test report.
//! - [`dashboards`]: Bencher Metric Format, and the two formats of github-action-benchmark.
//! - [`history`]: one line per gate, for those who follow a metric over months; it is also shown again.

pub(crate) mod ci;
pub(crate) mod dashboards;
pub(crate) mod history;
pub(crate) mod shown;

/// A gate for the tests of the formats: every outcome, and names that want to break out.
#[cfg(test)]
pub(crate) mod tests {
    use crate::judge::gate::judge;
    use crate::judge::gate::tests::{plan, rounds};
    use crate::record::Fingerprint;
    use crate::record::gate::{About, GateResult, Metric, Plan, Purpose, Round, SCHEMA, Scatter};

    /// A gate with a regression, a pass, something undecided, something blind and something better.
    pub(crate) fn sample() -> GateResult {
        let mut plan = plan(40, &Metric::ALL[..5]);
        plan.metrics[0].calibration = Some(Scatter { s: 0.9, rounds: 12 });
        plan.metrics[2].request = Some("a|b <c> & \"d\"\r\n::error::e]]>".into());
        let mut rounds = rounds(12, &[0.0, 0.25, 0.0, 0.0, -0.2], 0.03);
        rounds[1].void = Some("steal was 9 %".into());
        rounds.extend(rounds_from(13, 1));
        of(plan, rounds)
    }

    /// A gate in which all pass.
    pub(crate) fn passed() -> GateResult {
        of(plan(40, &[Metric::P50, Metric::Throughput]), rounds(12, &[0.0, 0.0], 0.01))
    }

    /// Rounds of equal contenders from `first` on.
    fn rounds_from(first: u32, n: u32) -> Vec<Round> {
        let mut rounds = rounds(n, &[0.0, 0.25, 0.0, 0.0, -0.2], 0.03);
        (first..).zip(&mut rounds).for_each(|(number, round)| round.round = number);
        rounds
    }

    fn of(plan: Plan, rounds: Vec<Round>) -> GateResult {
        let judgement = judge(&plan, &rounds);
        let about = About {
            scenario: "payment, \"fast\"".into(),
            purpose: Purpose::Gate,
            baseline: "main".into(),
            candidate: "pull/12 <b>".into(),
            commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
            binaries: [Some("0123456789abcdef".into()), None],
            started_utc: "2026-11-24T04:09:53Z".into(),
            order_seed: u64::MAX,
            level: "1,000/s".into(),
            rate_rps: 1_000.0,
            warm_up_ns: 1_000_000_000,
            duration_ns: 5_000_000_000,
            lag_limit_ns: Some(100_000),
            notes: Vec::new(),
            fingerprint: Fingerprint {
                cpu_model: "A CPU".into(),
                cores: 2,
                ..Fingerprint::default()
            },
        };
        GateResult { schema: SCHEMA.into(), about, plan, rounds, judgement, why: None }
    }
}
